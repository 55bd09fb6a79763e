#include "policy/finish.h"

#include "policy/config.h"
#include "policy/user_set.h"
#include "wire/address.h"

void
finish_is_full(struct load *l)
{
	problem_add(l->reader.problems, PROBLEM_ERROR, (struct place){
	    .line = 0 }, "the configuration is too large");
}

struct place
finish_place(const struct origin *o, const char *path)
{
	for (; o != NULL; o = o->next)
		if (str_eq(str_of(o->row->path), str_of(path)))
			return o->place;
	return (struct place){ .line = 0 };
}

/* ---- names ---- */

/* What the machine is called, by the files that say so. */
static struct str
machine_name(struct load *l)
{
	static const char *const files[] = { "/etc/mailname", "/etc/hostname" };
	struct value_reader *r = &l->reader;

	for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
		struct source_file file;
		struct str name;

		if (r->source->read(r->source, str_of(files[i]), r->scratch,
		    &file) != SOURCE_FOUND)
			continue;
		name = str_trim(str_cut(&file.bytes, '\n'));
		if (domain_is_valid(name, MAILBOX_STRICT))
			return arena_lower(r->arena, name);
	}
	return STR("localhost");
}

static void
finish_names(struct load *l)
{
	struct config *c = l->config;
	struct arena *a = l->reader.arena;
	struct str rest;

	if (c->hostname.n == 0)
		c->hostname = machine_name(l);
	if (c->node.n == 0) {
		rest = c->hostname;
		c->node = str_cut(&rest, '.');
	}
	if (c->outbound.ehlo.n == 0)
		c->outbound.ehlo = c->hostname;
	if (c->inbound.verify.authserv_id.n == 0)
		c->inbound.verify.authserv_id = c->hostname;
	if (c->admin.n == 0)
		c->admin = STR("postmaster");
	if (str_find(c->admin, '@') == c->admin.n)
		c->admin = arena_printf(a, STR_FMT"@"STR_FMT,
		    STR_ARG(c->admin), STR_ARG(c->hostname));
	if (c->hostname.p == NULL || c->admin.p == NULL)
		finish_is_full(l);
}

/* ---- single things ---- */

static void
finish_outbound(struct load *l)
{
	const struct conf_addresses *b = &l->config->outbound.bind;

	if (b->n == 2 && b->v[0].family == b->v[1].family)
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(l->config->origins, "outbound.bind"),
		    "'outbound.bind' has two addresses of one family");
	if (l->config->outbound.retry.n == 0)
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(l->config->origins, "outbound.retry"),
		    "'outbound.retry' needs a duration at least");
}

static void
finish_log(struct load *l)
{
	struct config *c = l->config;

	if (str_eq(c->log.to, STR("stderr")))
		c->log.target = LOG_TO_STDERR;
	else if (str_eq(c->log.to, STR("syslog")))
		c->log.target = LOG_TO_SYSLOG;
	else if (c->log.to.p[0] == '/')
		c->log.target = LOG_TO_FILE;
	else
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(c->origins, "log.to"),
		    "'"STR_FMT"' is not stderr, syslog or an absolute path",
		    STR_ARG(c->log.to));
}

static void
finish_zone(struct load *l)
{
	struct config *c = l->config;
	struct source_file file;

	c->dns.zone_text = STR_NONE;
	if (c->dns.zone.n == 0 || !value_file(&l->reader, c->dns.zone,
	    finish_place(c->origins, "dns.zone"), &file))
		return;
	c->dns.zone_text = arena_copy(l->reader.arena, file.bytes);
	if (c->dns.zone_text.p == NULL)
		finish_is_full(l);
}

static void
finish_deliver(struct load *l)
{
	struct config *c = l->config;

	if (c->deliver.virtual.p[0] != '/')
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(c->origins, "deliver.virtual"),
		    "'deliver.virtual' is for users without a home; it must "
		    "begin with /");
	if (c->deliver.user.n == 0)
		return;
	if (!user_of_system(&l->reader, c->deliver.user, &c->deliver.uid,
	    &c->deliver.gid))
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(c->origins, "deliver.user"),
		    "there is no user '"STR_FMT"' in /etc/passwd",
		    STR_ARG(c->deliver.user));
	else if (c->deliver.uid == 0)
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(c->origins, "deliver.user"),
		    "mailboxes must not belong to the superuser");
}

/* submit.sock stands beside the control socket unless told otherwise. */
static void
finish_submit(struct load *l)
{
	struct config *c = l->config;
	size_t slash = str_find_last(c->control.socket, '/');

	if (c->submit.socket.n > 0 || c->control.socket.n == 0 ||
	    finish_place(c->origins, "submit.socket").line != 0)
		return;
	c->submit.socket = arena_printf(l->reader.arena, STR_FMT"/submit.sock",
	    STR_ARG(str_sub(c->control.socket, 0, slash)));
	if (c->submit.socket.p == NULL)
		finish_is_full(l);
}

void
finish_config(struct load *l)
{
	finish_names(l);
	finish_listeners(l);
	finish_tls(l);
	finish_outbound_tls(l);
	finish_deliver_by(l);
	finish_transports(l);
	finish_shaping(l);
	finish_domains(l);
	finish_reports(l);
	finish_accounts(l);
	finish_auth(l);
	finish_certificates(l);
	finish_logins(l);
	finish_forward(l);
	finish_verify(l);
	finish_pools(l);
	finish_routes(l);
	finish_outbound(l);
	finish_bounces(l);
	finish_dkim(l);
	finish_log(l);
	finish_zone(l);
	finish_dns(l);
	finish_deliver(l);
	finish_submit(l);
}
