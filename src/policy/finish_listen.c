#include "policy/config.h"
#include "policy/finish.h"
#include "policy/schema.h"
#include "policy/value.h"

enum { SMTP_PORT = 25 };

static bool
address_of(const char *text, struct address *out)
{
	return address_parse(str_of(text), 0, out);
}

/* An own pair of addresses when the file tells none. */
static bool
listener_addresses(struct load *l, struct listener *s, const char *v4,
    const char *v6)
{
	s->address.v = arena_alloc(l->reader.arena, 2 * sizeof s->address.v[0]);
	if (s->address.v == NULL)
		return false;
	s->address.n = 2;
	return address_of(v4, &s->address.v[0]) &&
	    address_of(v6, &s->address.v[1]);
}

static const char *
role_name(enum listener_role role)
{
	switch (role) {
	case ROLE_SUBMISSION:
		return "submission";
	case ROLE_RELAY:
		return "relay";
	case ROLE_ACME:
		return "acme";
	case ROLE_MX:
		break;
	}
	return "mx";
}

static bool
listener_fill(struct load *l, struct listener *s)
{
	if (s->name.n == 0)
		s->name = arena_printf(l->reader.arena, "%s:%u",
		    role_name(s->role), (unsigned)s->port);
	s->at.n = s->address.n;
	s->at.v = arena_alloc(l->reader.arena, s->at.n * sizeof s->at.v[0]);
	if (s->name.p == NULL || s->at.v == NULL)
		return false;
	for (size_t i = 0; i < s->at.n; i++) {
		s->at.v[i] = s->address.v[i];
		s->at.v[i].port = (uint16_t)s->port;
	}
	return true;
}

/* The empty file's: programs of this machine, as sendmail always was there. */
static bool
listener_imply(struct load *l)
{
	struct listener *s = arena_new(l->reader.arena, struct listener);

	l->config->listeners = s;
	if (s == NULL || !value_defaults(&l->reader, SCOPE_listener, s))
		return false;
	s->role = ROLE_SUBMISSION;
	s->port = SMTP_PORT;
	l->config->n_listeners = 1;
	return listener_addresses(l, s, "127.0.0.1", "::1") &&
	    listener_fill(l, s);
}

static bool
listeners_meet(const struct listener *a, const struct listener *b)
{
	for (size_t i = 0; i < a->at.n; i++)
		for (size_t k = 0; k < b->at.n; k++)
			if (a->port == b->port && address_eq_ip(&a->at.v[i],
			    &b->at.v[k]))
				return true;
	return false;
}

static void
listener_check(struct load *l, size_t i)
{
	struct listener *s = &l->config->listeners[i];

	for (size_t k = 0; k < i; k++) {
		const struct listener *other = &l->config->listeners[k];

		if (listeners_meet(other, s))
			problem_add(l->reader.problems, PROBLEM_ERROR, s->place,
			    "port %u of this address has a listener already "
			    "(line %u)", (unsigned)s->port, other->place.line);
		else if (str_eq(other->name, s->name))
			problem_add(l->reader.problems, PROBLEM_ERROR, s->place,
			    "the listener of line %u is called '"STR_FMT
			    "', too", other->place.line, STR_ARG(s->name));
	}
}

static bool
listener_take(struct load *l, const struct load_member *m, struct listener *s)
{
	*s = *(const struct listener *)m->member;
	if (s->port == 0) {
		if (finish_place(s->origins, "listen[].port").line == 0)
			problem_add(l->reader.problems, PROBLEM_ERROR,
			    s->place, "a listener needs a port");
		return true;
	}
	if (s->address.n == 0 && finish_place(s->origins,
	    "listen[].address").line > 0) {
		problem_add(l->reader.problems, PROBLEM_ERROR, s->place,
		    "a listener needs an address; leave the key out for all");
		return true;
	}
	if (s->address.n == 0 && !listener_addresses(l, s, "0.0.0.0", "::"))
		return false;
	return listener_fill(l, s);
}

void
finish_listeners(struct load *l)
{
	struct config *c = l->config;
	size_t n = l->n[SCOPE_listener], i = 0;

	if (!l->has_listen) {
		if (!listener_imply(l))
			finish_is_full(l);
		return;
	}
	c->listeners = arena_alloc(l->reader.arena, n * sizeof c->listeners[0]);
	if (c->listeners == NULL) {
		finish_is_full(l);
		return;
	}
	for (const struct load_member *m = l->members[SCOPE_listener];
	    m != NULL; m = m->next, i++) {
		if (!listener_take(l, m, &c->listeners[i]))
			finish_is_full(l);
		c->n_listeners = i + 1;
		if (c->listeners[i].at.n > 0)
			listener_check(l, i);
	}
}
