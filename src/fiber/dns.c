#include "fiber/dns_job.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/fiber.h"
#include "fiber/world.h"

#include <stdio.h>
#include <stdlib.h>

enum { LABEL_MOST = 63, SETUP_ROOM = 1024 * 1024 };

void (*dns_tell)(const char *text);

/* Swapped at reload by one core while others take hold of it: the flag guards
 * the few instructions between reading the pointer and counting the holder. */
static struct dns_setup *setup_now;
static atomic_flag setup_flag = ATOMIC_FLAG_INIT;

bool
dns_name_fits(struct str name)
{
	return dns_question_fits(name) && str_find(name, ' ') == name.n;
}

bool
dns_question_fits(struct str name)
{
	if (name.n > DNS_NAME_MOST - 2)
		return false;
	for (size_t i = 0; i < name.n; i++)
		if (name.p[i] < ' ' || name.p[i] > '~' || name.p[i] == '\\')
			return false;
	while (name.n > 0) {
		bool has_dot = str_find(name, '.') < name.n;
		struct str label = str_cut(&name, '.');

		if (label.n == 0 || label.n > LABEL_MOST ||
		    (has_dot && name.n == 0))
			return false;
	}
	return true;
}

/* ---- setups ---- */

static struct dns_setup *
setup_swap(struct dns_setup *s)
{
	struct dns_setup *old;

	while (atomic_flag_test_and_set(&setup_flag))
		continue;
	old = setup_now;
	setup_now = s;
	atomic_flag_clear(&setup_flag);
	return old;
}

void
dns_setup_again(struct dns_setup *s)
{
	atomic_fetch_add(&s->holders, 1);
}

static struct dns_setup *
dns_setup_hold(void)
{
	struct dns_setup *s = NULL;

	for (int i = 0; i < 2 && s == NULL; i++) {
		while (atomic_flag_test_and_set(&setup_flag))
			continue;
		s = setup_now;
		if (s != NULL)
			dns_setup_again(s);
		atomic_flag_clear(&setup_flag);
		if (s == NULL && dns_configure(&(struct dns_config){ 0 }) != 0)
			return NULL;
	}
	return s;
}

void
dns_setup_drop(struct dns_setup *s)
{
	if (s == NULL || atomic_fetch_sub(&s->holders, 1) > 1)
		return;
	if (s->config.zone.p != NULL)
		zone_clear(&s->zone);
	arena_clear(&s->arena);
	free(s);
}

static int
path_copy(struct dns_setup *s, const char *path, const char **out)
{
	*out = path == NULL ? NULL : arena_cstr(&s->arena, str_of(path));
	return path == NULL || *out != NULL ? 0 :
	    err_set("no memory for DNS");
}

static int
setup_copy(struct dns_setup *s, const struct dns_config *c)
{
	struct str *forwarders = arena_alloc(&s->arena,
	    c->n_forwarders * sizeof *forwarders + 1);

	if (forwarders == NULL)
		return err_set("no memory for DNS");
	for (size_t i = 0; i < c->n_forwarders; i++) {
		forwarders[i] = arena_copy(&s->arena, c->forwarders[i]);
		if (forwarders[i].p == NULL)
			return err_set("no memory for DNS");
	}
	s->config.forwarders = forwarders;
	s->config.n_forwarders = c->n_forwarders;
	if (path_copy(s, c->anchor_file, &s->config.anchor_file) != 0 ||
	    path_copy(s, c->hints_file, &s->config.hints_file) != 0)
		return -1;
	if (c->zone.p != NULL && zone_read(&s->zone, c->zone) != 0)
		return -1;
	/* it was read: the text is not needed any more */
	s->config.zone = c->zone.p != NULL ? STR("") : STR_NONE;
	return 0;
}

int
dns_configure(const struct dns_config *c)
{
	struct dns_setup *s = calloc(1, sizeof *s);

	if (s == NULL)
		return err_set("no memory for DNS");
	atomic_init(&s->holders, 1);
	arena_init(&s->arena, SETUP_ROOM);
	if (setup_copy(s, c) != 0) {
		dns_setup_drop(s);
		return -1;
	}
	dns_setup_drop(setup_swap(s));
	return 0;
}

/* ---- questions ---- */

void
dns_job_done(struct dns_job *j)
{
	must(!j->is_done);
	j->is_done = true;
	fiber_wake(j->waiter);
}

static void
answer_trouble(struct dns_answer *out, const char *why, struct str name)
{
	err_set("DNS for " STR_FMT ": %s", STR_ARG(name), why);
	*out = (struct dns_answer){ .status = DNS_TROUBLE, .canonical = name };
}

static yields void
ask_world(struct dns_job *j, struct mono deadline, struct dns_answer *out)
{
	int rc = world_dns_start(j);

	must(!j->is_done && j->waiter == fiber_self());
	if (rc != 0) {
		answer_trouble(out, strerror(-rc), j->name);
		return;
	}
	while (!j->is_done && fiber_park(deadline) == 0)
		continue;
	if (!j->is_done) {
		world_dns_cancel(j);
		answer_trouble(out, "no answer in time", j->name);
	} else if (j->answer.status == DNS_TROUBLE)
		answer_trouble(out, j->why, j->name);
	else
		*out = j->answer;
}

static yields void
ask_setup(struct dns_job *j, struct mono deadline, struct dns_answer *out)
{
	must(j->setup != NULL && j->name.p != NULL);
	if (j->setup->config.zone.p == NULL) {
		ask_world(j, deadline, out);
		return;
	}
	if (!zone_answer(&j->setup->zone, j->name, j->type, j->arena, out)) {
		fiber_sleep(deadline);
		answer_trouble(out, "no answer in time", j->name);
	} else if (out->status == DNS_TROUBLE)
		err_add("DNS");
}

yields void
dns_ask(struct str name, enum dns_type type, struct arena *arena,
    struct mono deadline, struct dns_answer *out)
{
	struct dns_job j = { .type = type, .arena = arena,
		.waiter = fiber_self() };

	must(j.waiter != NULL);
	*out = (struct dns_answer){ .status = DNS_NO_NAME };
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	/* what cannot be a name is nobody's name */
	if (!dns_question_fits(name)) {
		err_set("not a name: " STR_FMT, STR_ARG(str_sub(name, 0, 255)));
		return;
	}
	j.name = arena_lower(arena, name);
	j.setup = dns_setup_hold();
	if (j.name.p == NULL || j.setup == NULL)
		answer_trouble(out, "no memory", name);
	else
		ask_setup(&j, deadline, out);
	dns_setup_drop(j.setup);
	if (out->canonical.p == NULL)
		out->canonical = j.name;
}

/* RFC 1035 3.5; RFC 3596 2.5. */
struct str
dns_reverse_name(const struct address *a, struct arena *arena)
{
	const unsigned char *ip = a->of.ip;
	char text[74];
	size_t n = 0;

	if (a->family == ADDRESS_V4)
		return arena_printf(arena, "%u.%u.%u.%u.in-addr.arpa", ip[3],
		    ip[2], ip[1], ip[0]);
	if (a->family != ADDRESS_V6)
		return STR_NONE;
	for (size_t i = 16; i-- > 0;) {
		text[n++] = "0123456789abcdef"[ip[i] & 15];
		text[n++] = '.';
		text[n++] = "0123456789abcdef"[ip[i] >> 4];
		text[n++] = '.';
	}
	return arena_join(arena, (struct str){ text, n }, STR("ip6.arpa"));
}
