#include "policy/config.h"
#include "policy/finish.h"

#include "base/err.h"
#include "policy/value.h"
#include "trust/dial.h"
#include "trust/ldap.h"
#include "trust/oauth.h"

/* What Debian and its like have; others say auth.ldap.ca. */
#define SYSTEM_ANCHORS "/etc/ssl/certs/ca-certificates.crt"

_Static_assert(sizeof(enum ldap_clear) == sizeof(unsigned) &&
    sizeof(enum dovecot_tokens) == sizeof(unsigned) &&
    sizeof(enum ldap_start_tls) == sizeof(unsigned), "enums are unsigned");

static void
auth_wrong(struct load *l, const char *key, const char *why)
{
	problem_add(l->reader.problems, PROBLEM_ERROR,
	    finish_place(l->config->origins, key), "%s", why);
}

static bool
auth_is_set(const struct load *l, const char *key)
{
	return finish_place(l->config->origins, key).line > 0;
}

/* The first of the keys that is set; NULL: none. */
static const char *
auth_first(const struct load *l, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (auth_is_set(l, keys[i]))
			return keys[i];
	return NULL;
}

/* ---- Dovecot ---- */

static void
finish_dovecot(struct load *l)
{
	struct config *c = l->config;
	struct dial_target *t;

	c->auth.dovecot_at = NULL;
	if (c->auth.dovecot.n == 0) {
		if (c->auth.dovecot_tokens == DOVECOT_TOKENS_YES)
			auth_wrong(l, "auth.dovecot_tokens", "'auth.dovecot' "
			    "is nowhere");
		return;
	}
	if ((t = arena_new(l->reader.arena, struct dial_target)) == NULL) {
		finish_is_full(l);
		return;
	}
	if (!dial_parse(c->auth.dovecot, 0, t))
		auth_wrong(l, "auth.dovecot", "this is neither the path of a "
		    "socket, as /run/dovecot/auth-client, nor host:port");
	else if (!dial_is_local(t))
		auth_wrong(l, "auth.dovecot", "passwords would cross the "
		    "network in clear text: Dovecot's auth process must be on "
		    "this machine");
	else
		c->auth.dovecot_at = t;
}

/* ---- LDAP ---- */

/* Those that have no default: the others stand in what is shown. */
static const char *const ldap_keys[] = { "auth.ldap.base", "auth.ldap.bind_dn",
	"auth.ldap.ca", "auth.ldap.dn", "auth.ldap.name",
	"auth.ldap.password" };

static void
ldap_server_check(struct load *l, const struct ldap_setup *s,
    const struct ldap_server *server)
{
	if (ldap_is_private(s, server))
		return;
	problem_add(l->reader.problems, PROBLEM_ERROR,
	    finish_place(l->config->origins, "auth.ldap.servers"),
	    "passwords would go to " STR_FMT " in clear text: say ldaps://, or "
	    "leave start_tls at yes%s", STR_ARG(server->url),
	    dial_is_local(&server->at) ? ", or clear: loopback" : "");
}

static void
ldap_servers(struct load *l, struct ldap_setup *s)
{
	const struct conf_strings *urls = &l->config->auth.ldap.servers;
	struct ldap_server *list = arena_alloc(l->reader.arena,
	    urls->n * sizeof *list);

	if (list == NULL) {
		finish_is_full(l);
		return;
	}
	s->servers = list;
	for (size_t i = 0; i < urls->n; i++) {
		struct ldap_server *server = &list[s->n_servers];

		if (!ldap_server_parse(urls->v[i], l->reader.arena, server)) {
			problem_add(l->reader.problems, PROBLEM_ERROR,
			    finish_place(l->config->origins,
			    "auth.ldap.servers"), "'" STR_FMT "' is no server "
			    "of LDAP (examples: ldaps://ldap.example.org, "
			    "ldap://localhost:389, ldapi:///run/slapd/ldapi)",
			    STR_ARG(urls->v[i]));
			continue;
		}
		s->n_servers++;
		ldap_server_check(l, s, server);
	}
}

/* How the entry of whoever logs in is found. */
static void
ldap_way(struct load *l, const struct ldap_setup *s)
{
	if (s->dn.n == 0 && s->base.n == 0)
		auth_wrong(l, "auth.ldap.servers", "'auth.ldap' needs 'base' "
		    "(where entries are searched) or 'dn' (how they are "
		    "called)");
	if (s->dn.n > 0 && s->base.n > 0)
		auth_wrong(l, "auth.ldap.dn", "'auth.ldap.dn' is instead of a "
		    "search; 'auth.ldap.base' does not stand beside it");
	if (s->dn.n > 0 && !ldap_template_fits(s->dn, false))
		auth_wrong(l, "auth.ldap.dn", "a % is followed by u, n, d or %");
	if (s->dn.n > 0 && auth_is_set(l, "auth.ldap.name"))
		auth_wrong(l, "auth.ldap.name", "without a search there are no "
		    "attributes");
	if (!ldap_template_fits(s->filter, true))
		auth_wrong(l, "auth.ldap.filter", "this is no filter of LDAP "
		    "(example: (&(objectClass=person)(mail=%u))); a % is "
		    "followed by u, n, d or %");
	if ((s->bind_dn.n > 0) != (s->bind_password.n > 0))
		auth_wrong(l, s->bind_dn.n > 0 ? "auth.ldap.bind_dn" :
		    "auth.ldap.password", "'auth.ldap' needs both, bind_dn and "
		    "password, or neither");
}

static bool
ldap_needs_tls(const struct ldap_setup *s)
{
	for (size_t i = 0; i < s->n_servers; i++)
		if (s->servers[i].at.path.n == 0 && (s->servers[i].is_tls ||
		    s->starts_tls))
			return true;
	return false;
}

/* The text of a PEM file, looked through; absent when it is told why. */
static struct str
anchors_read(struct load *l, const char *key, struct str path)
{
	struct place at = finish_place(l->config->origins, key);
	struct source_file file;
	struct str pem;
	X509_STORE *anchors;

	if (!value_file(&l->reader, path, at, &file))
		return STR_NONE;
	if ((anchors = dial_anchors(file.bytes)) == NULL) {
		problem_add(l->reader.problems, PROBLEM_ERROR, at, STR_FMT
		    ": %s", STR_ARG(path), err_text());
		return STR_NONE;
	}
	X509_STORE_free(anchors);
	pem = arena_copy(l->reader.arena, file.bytes);
	if (pem.p == NULL)
		finish_is_full(l);
	return pem;
}

static void
finish_ldap(struct load *l)
{
	struct conf_ldap *c = &l->config->auth.ldap;
	const char *key = auth_first(l, ldap_keys, sizeof ldap_keys /
	    sizeof *ldap_keys);
	struct ldap_setup *s;

	c->setup = NULL;
	if (c->servers.n == 0) {
		if (key != NULL)
			auth_wrong(l, key, "'auth.ldap' asks nobody without "
			    "'servers'");
		return;
	}
	if ((s = arena_new(l->reader.arena, struct ldap_setup)) == NULL) {
		finish_is_full(l);
		return;
	}
	*s = (struct ldap_setup){
		.starts_tls = c->start_tls == LDAP_START_TLS_YES,
		.may_be_clear = c->clear == LDAP_CLEAR_LOOPBACK,
		.base = c->base, .filter = c->filter, .dn = c->dn,
		.bind_dn = c->bind_dn, .bind_password = c->password,
		.name_attribute = c->name,
		.address_attributes = c->addresses.v,
		.n_address_attributes = c->addresses.n,
		.timeout = c->timeout, .cache = c->cache };
	ldap_servers(l, s);
	ldap_way(l, s);
	if (ldap_needs_tls(s))
		s->anchors = c->ca.n > 0 ? anchors_read(l, "auth.ldap.ca",
		    c->ca) : anchors_read(l, "auth.ldap.servers",
		    STR(SYSTEM_ANCHORS));
	else if (c->ca.n > 0)
		auth_wrong(l, "auth.ldap.ca", "no server is asked by TLS");
	c->setup = s;
}

/* ---- OAuth ---- */

static const char *const oauth_keys[] = { "auth.oauth.audience",
	"auth.oauth.ca", "auth.oauth.client_id", "auth.oauth.client_secret",
	"auth.oauth.jwks", "auth.oauth.scope" };

static void
oauth_url(struct load *l, const char *key, struct str url)
{
	struct str rest = url;

	if (url.n > 0 && (!str_skip(&rest, STR("https://")) || rest.n == 0 ||
	    !str_is_printable(url) || str_find(url, ' ') < url.n ||
	    str_find(url, '"') < url.n))
		auth_wrong(l, key, "this must be an https:// address");
}

static void
oauth_check_conf(struct load *l, const struct conf_oauth *c)
{
	oauth_url(l, "auth.oauth.issuer", c->issuer);
	oauth_url(l, "auth.oauth.jwks", c->jwks);
	oauth_url(l, "auth.oauth.introspect", c->introspect);
	if (c->introspect.n == 0 && c->issuer.n == 0)
		auth_wrong(l, "auth.oauth.jwks", "'auth.oauth' needs "
		    "'issuer'");
	if (c->introspect.n == 0 && c->audience.n == 0)
		auth_wrong(l, "auth.oauth.issuer", "'auth.oauth' needs "
		    "'audience': without it tokens that were made for other "
		    "services would be good here");
	if (c->introspect.n > 0 && c->jwks.n > 0)
		auth_wrong(l, "auth.oauth.jwks", "tokens are checked here by "
		    "'jwks' or by asking at 'introspect', not both");
	if ((c->client_id.n > 0) != (c->client_secret.n > 0))
		auth_wrong(l, c->client_id.n > 0 ? "auth.oauth.client_id" :
		    "auth.oauth.client_secret", "'auth.oauth' needs both, "
		    "client_id and client_secret, or neither");
	if (c->client_id.n > 0 && c->introspect.n == 0)
		auth_wrong(l, "auth.oauth.client_id", "only 'introspect' asks "
		    "as somebody");
}

static void
finish_oauth(struct load *l)
{
	struct conf_oauth *c = &l->config->auth.oauth;
	const char *key = auth_first(l, oauth_keys, sizeof oauth_keys /
	    sizeof *oauth_keys);
	struct oauth_setup *s;

	c->setup = NULL;
	if (c->issuer.n == 0 && c->introspect.n == 0) {
		if (key != NULL)
			auth_wrong(l, key, "'auth.oauth' asks nobody without "
			    "'issuer' or 'introspect'");
		return;
	}
	if ((s = arena_new(l->reader.arena, struct oauth_setup)) == NULL) {
		finish_is_full(l);
		return;
	}
	oauth_check_conf(l, c);
	*s = (struct oauth_setup){
		.rules = { .issuer = c->issuer, .audience = c->audience,
		.scope = c->scope, .claim = c->claim },
		.jwks = c->jwks, .introspect = c->introspect,
		.client_id = c->client_id, .client_secret = c->client_secret,
		.timeout = c->timeout, .cache = c->cache };
	if (c->ca.n > 0)
		s->anchors = anchors_read(l, "auth.oauth.ca", c->ca);
	c->setup = s;
}

void
finish_auth(struct load *l)
{
	finish_dovecot(l);
	finish_ldap(l);
	finish_oauth(l);
}
