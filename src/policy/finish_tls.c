#include "policy/config.h"
#include "policy/finish.h"

#include "fiber/dns.h"
#include "policy/value.h"

enum { PORT_HTTP = 80, PORT_HTTPS = 443,
	NAMES_ROOM = 10 * 1024 };	/* octets in a request for one */

/* ---- ACME ---- */

static const char *const acme_needs_agreement[] = { "tls.acme.ca",
	"tls.acme.eab.key", "tls.acme.eab.kid", "tls.acme.email",
	"tls.acme.issuer", "tls.acme.names", "tls.acme.profile" };

static void
acme_wrong(struct load *l, const char *key, const char *why)
{
	problem_add(l->reader.problems, PROBLEM_ERROR,
	    finish_place(l->config->origins, key), "%s", why);
}

/* Set, but nothing will be asked for. */
static void
acme_disagree(struct load *l)
{
	for (size_t i = 0; i < sizeof acme_needs_agreement /
	    sizeof *acme_needs_agreement; i++)
		if (finish_place(l->config->origins,
		    acme_needs_agreement[i]).line > 0) {
			acme_wrong(l, acme_needs_agreement[i], "nothing is "
			    "asked of an authority before you agree to its "
			    "terms: tls.acme: { agree_tos: yes }");
			return;
		}
}

/* RFC 8555 7.1.3: wildcards are proved by DNS, which we do not write. */
static bool
acme_name_fits(struct str name)
{
	return dns_name_fits(name) && str_find(name, '.') < name.n &&
	    str_find(name, '*') == name.n;
}

static void
acme_names(struct load *l)
{
	struct config *c = l->config;
	struct conf_strings *names = &c->tls.acme.names, all;
	size_t octets = 0;

	all.n = 0;
	all.v = arena_alloc(l->reader.arena, (names->n + 1) * sizeof *all.v);
	if (all.v == NULL) {
		finish_is_full(l);
		return;
	}
	if (!acme_name_fits(c->hostname))
		acme_wrong(l, "hostname", "no authority certifies a hostname "
		    "without a domain");
	all.v[all.n++] = c->hostname;
	for (size_t i = 0; i < names->n; i++) {
		bool is_new = !str_eq(names->v[i], c->hostname);

		if (!acme_name_fits(names->v[i]))
			problem_add(l->reader.problems, PROBLEM_ERROR,
			    finish_place(c->origins, "tls.acme.names"),
			    "'" STR_FMT "' is no name of a host that can be "
			    "proved by %s", STR_ARG(names->v[i]),
			    c->tls.acme.challenge == ACME_HTTP_01 ? "http-01" :
			    "tls-alpn-01");
		for (size_t k = 0; k < i; k++)
			is_new = is_new && !str_eq(names->v[i], names->v[k]);
		if (is_new)
			all.v[all.n++] = names->v[i];
		octets += names->v[i].n + 4;
	}
	if (octets > NAMES_ROOM)
		acme_wrong(l, "tls.acme.names", "these names are too long to "
		    "stand in one certificate");
	*names = all;
}

static bool
origin_is_secret(const struct config *c, const char *path)
{
	for (const struct origin *o = c->origins; o != NULL; o = o->next)
		if (strcmp(o->row->path, path) == 0)
			return o->is_secret;
	return true;
}

static void
acme_binding(struct load *l)
{
	const struct config *c = l->config;

	if ((c->tls.acme.eab.kid.n > 0) != (c->tls.acme.eab.key.n > 0))
		acme_wrong(l, c->tls.acme.eab.kid.n > 0 ? "tls.acme.eab.kid" :
		    "tls.acme.eab.key", "'tls.acme.eab' needs both, kid and "
		    "key");
	if (!origin_is_secret(c, "tls.acme.eab.key"))
		acme_wrong(l, "tls.acme.eab.key", "a secret does not stand in "
		    "the configuration: say cred:NAME (a file of systemd's "
		    "LoadCredential) or env:NAME");
}

/* Who proves names by a port must answer there. */
static void
acme_door(struct load *l)
{
	const struct config *c = l->config;
	bool by_tls = c->tls.acme.challenge == ACME_TLS_ALPN_01;
	unsigned want = by_tls ? PORT_HTTPS : PORT_HTTP;
	const struct listener *found = NULL;

	for (size_t i = 0; i < c->n_listeners; i++)
		if (c->listeners[i].role == ROLE_ACME && by_tls ==
		    (c->listeners[i].tls == TLS_IMPLICIT) &&
		    (found == NULL || c->listeners[i].port == want))
			found = &c->listeners[i];
	if (found == NULL)
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(c->origins, "tls.acme.agree_tos"),
		    "the authority comes to port %u, and nobody answers there: "
		    "add '{ port: %u, role: acme%s }' to 'listen'", want, want,
		    by_tls ? ", tls: implicit" : "");
	else if (found->port != want)
		problem_add(l->reader.problems, PROBLEM_WARNING, found->place,
		    "authorities of the Internet come to port %u, not to %u",
		    want, (unsigned)found->port);
}

static void
acme_anchors(struct load *l)
{
	struct conf_acme *a = &l->config->tls.acme;
	struct source_file file;

	a->ca_pem = STR_NONE;
	if (a->ca.n == 0 || !value_file(&l->reader, a->ca,
	    finish_place(l->config->origins, "tls.acme.ca"), &file))
		return;
	a->ca_pem = arena_copy(l->reader.arena, file.bytes);
	if (a->ca_pem.p == NULL)
		finish_is_full(l);
}

static void
finish_acme(struct load *l)
{
	struct conf_acme *a = &l->config->tls.acme;
	struct str rest = a->directory;

	if (a->agree == ACME_NO) {
		acme_disagree(l);
		return;
	}
	if (!str_skip_icase(&rest, STR("https://")) || rest.n == 0 ||
	    !str_is_printable(a->directory) ||
	    str_find(a->directory, '"') < a->directory.n ||
	    str_find(a->directory, '\\') < a->directory.n)
		acme_wrong(l, "tls.acme.directory", "a directory of ACME is at "
		    "an https:// address");
	acme_names(l);
	acme_binding(l);
	acme_door(l);
	acme_anchors(l);
}

/* ---- certificates ---- */

bool
finish_is_below(struct str path, struct str above)
{
	return str_skip(&path, above) && (path.n == 0 || path.p[0] == '/');
}

/* As many keys as certificates; they are paired by their order. */
void
finish_tls(struct load *l)
{
	struct config *c = l->config;
	size_t certs = c->tls.cert.n, keys = c->tls.key.n;

	if (certs != keys)
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(c->origins, certs > 0 ? "tls.cert" : "tls.key"),
		    "'tls.cert' names %zu certificate%s and 'tls.key' %zu "
		    "key%s; each certificate needs its own", certs,
		    certs == 1 ? "" : "s", keys, keys == 1 ? "" : "s");
	if (l->config->tls.state.p[0] != '/')
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(c->origins, "tls.state"),
		    "'tls.state' must begin with /");
	if (c->tls.acme.agree == ACME_AGREED &&
	    finish_is_below(c->tls.state, c->spool.path))
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(c->origins, "tls.state"),
		    "'tls.state' must not be below the spool, where the worker "
		    "may read and write");
	finish_acme(l);
}
