#include "policy/finish.h"

#include "base/err.h"
#include "policy/source.h"
#include "policy/tls_wish.h"
#include "policy/value.h"

enum { TOKEN_MOST = 8000 };

/* Where systems keep the certificates that they believe. */
static const char *const bundles[] = {
	"/etc/ssl/certs/ca-certificates.crt",
	"/etc/pki/tls/certs/ca-bundle.crt",
	"/etc/ssl/ca-bundle.pem",
	"/etc/ssl/cert.pem",
};

static bool
watch_add(struct load *l, struct str path)
{
	struct watched *w = arena_new(l->reader.arena, struct watched);

	if (w == NULL)
		return false;
	w->path = path;
	w->next = l->config->watched;
	l->config->watched = w;
	return true;
}

/* ---- anchors ---- */

static struct anchors *
anchors_add(struct load *l, struct str path, struct str pem)
{
	struct anchors *a = arena_new(l->reader.arena, struct anchors);

	if (a == NULL)
		return NULL;
	a->path = arena_copy(l->reader.arena, path);
	a->pem = arena_copy(l->reader.arena, pem);
	if (a->path.p == NULL || a->pem.p == NULL ||
	    arena_defer(l->reader.arena, anchors_clear, a) != 0)
		return NULL;
	if (path.n > 0 && !watch_add(l, a->path))
		return NULL;
	a->next = l->config->anchors;
	l->config->anchors = a;
	return a;
}

static struct anchors *
anchors_find(const struct load *l, struct str path)
{
	struct anchors *a = l->config->anchors;

	while (a != NULL && !str_eq(a->path, path))
		a = a->next;
	return a;
}

/* Of a file that a key names. */
static struct anchors *
anchors_of_file(struct load *l, struct str path, struct place at)
{
	struct anchors *a = anchors_find(l, path);
	struct source_file file;
	size_t n;

	if (a != NULL || !value_file(&l->reader, path, at, &file))
		return a;
	if (anchors_count(file.bytes, &n) != 0) {
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    STR_FMT ": %s; it should hold the certificates of "
		    "authorities, PEM", STR_ARG(path), err_text());
		err_clear();
		return NULL;
	}
	a = anchors_add(l, path, file.bytes);
	if (a == NULL)
		finish_is_full(l);
	else
		a->n = n;
	return a;
}

/* Those of the system: what is in them is the system's business. */
static struct anchors *
anchors_of_system(struct load *l)
{
	struct value_reader *r = &l->reader;
	struct source_file file;
	struct anchors *a;

	for (size_t i = 0; i < sizeof bundles / sizeof *bundles; i++)
		if (r->source->read(r->source, str_of(bundles[i]), r->scratch,
		    &file) == SOURCE_FOUND)
			return anchors_add(l, str_of(bundles[i]), file.bytes);
	err_clear();
	a = anchors_add(l, STR(""), STR(""));
	if (a == NULL)
		finish_is_full(l);
	return a;
}

/* ---- wishes ---- */

static struct tls_wish *
wish_add(struct load *l, struct str by, enum tls_level level)
{
	struct config *c = l->config;
	struct tls_wish *w = arena_new(l->reader.arena, struct tls_wish);

	if (w == NULL || arena_defer(l->reader.arena, tls_wish_clear, w) != 0) {
		finish_is_full(l);
		return NULL;
	}
	w->by = by;
	w->level = level;
	w->anchors = c->outbound.wish == NULL ? NULL : c->outbound.wish->anchors;
	return w;
}

static void
anchors_need(struct load *l, const struct tls_wish *w, struct place at)
{
	if (w->level >= TLS_LEVEL_VERIFY && w->anchors != NULL &&
	    w->anchors->pem.n == 0)
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    "'verify' needs the certificates of authorities, and the "
		    "system has none; install ca-certificates or set tls.ca");
}

void
finish_outbound_tls(struct load *l)
{
	struct config *c = l->config;
	struct tls_wish *w = wish_add(l, STR("outbound.tls"), c->outbound.tls);

	if (w == NULL)
		return;
	c->outbound.wish = w;
	w->anchors = c->tls.ca.n > 0 ? anchors_of_file(l, c->tls.ca,
	    finish_place(c->origins, "tls.ca")) : anchors_of_system(l);
	anchors_need(l, w, finish_place(c->origins, "outbound.tls"));
}

/* ---- relays ---- */

static bool
relay_is_secure(const struct relay *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->hosts[i].scheme == RELAY_CLEAR)
			return false;
	return r->n > 0;
}

static bool
relay_has_secure(const struct relay *r)
{
	for (size_t i = 0; i < r->n; i++)
		if (r->hosts[i].scheme != RELAY_CLEAR)
			return true;
	return false;
}

/* What was not said of the level follows from what was. */
static enum tls_level
keys_level(const struct load *l, const struct relay *r,
    const struct relay_keys *k)
{
	if (k->tls.level != RELAY_LEVEL_DEFAULT)
		return (enum tls_level)(k->tls.level - RELAY_LEVEL_NONE);
	if (relay_is_secure(r) || k->tls.names.n > 0 || k->tls.ca.n > 0)
		return TLS_LEVEL_VERIFY;
	return l->config->outbound.tls;
}

static void
keys_check(struct load *l, const struct relay *r, const struct relay_keys *k,
    const struct tls_wish *w, struct place at)
{
	if (relay_has_secure(r) && w->level < TLS_LEVEL_ENCRYPT)
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    "smtps:// and smtp+tls:// are TLS, and tls.level is '%s'; "
		    "use smtp://, or encrypt or verify",
		    tls_level_name(w->level));
	if (w->level < TLS_LEVEL_VERIFY && (k->tls.names.n > 0 ||
	    k->tls.ca.n > 0))
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    "tls.names and tls.ca mean nothing with tls.level '%s'; "
		    "they are for 'verify'", tls_level_name(w->level));
	if (k->tls.names.n > TLS_DEMAND_NAMES)
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    "these are %zu names; there may be %d", k->tls.names.n,
		    TLS_DEMAND_NAMES);
	if (r->by_mx && k->auth.user.n > 0)
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    "auth is for a relay that is named; whoever is an MX must "
		    "not hear the password");
}

static bool
keys_are_set(const struct relay_keys *k)
{
	return k->tls.level != RELAY_LEVEL_DEFAULT || k->tls.names.n > 0 ||
	    k->tls.ca.n > 0;
}

static bool
auth_is_set(const struct relay_keys *k)
{
	return k->auth.login.n > 0 || k->auth.user.n > 0 || k->auth.password.n > 0 ||
	    k->auth.token_from.n > 0 || k->auth.mechanisms.n > 0;
}

void
finish_no_relay(struct load *l, const struct relay_keys *k, struct place at)
{
	if (keys_are_set(k) || auth_is_set(k))
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    "there is no relay here that tls and auth could be for");
}

/* "user:password" in one. */
static void
auth_split(struct load *l, struct relay_keys *k, struct place at)
{
	struct str rest = k->auth.login;

	if (rest.n == 0)
		return;
	if (k->auth.user.n > 0 || k->auth.password.n > 0 ||
	    str_find(rest, ':') == rest.n) {
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    "auth.login is user:password, and stands in place of both");
		return;
	}
	k->auth.user = str_cut(&rest, ':');
	k->auth.password = rest;
}

static void
token_read(struct load *l, struct relay_keys *k, struct place at)
{
	struct source_file file;

	if (k->auth.token_from.n == 0 || !value_file(&l->reader,
	    k->auth.token_from, at, &file))
		return;
	k->auth.token = arena_copy(l->reader.arena, str_trim(file.bytes));
	if (k->auth.token.p == NULL || !watch_add(l, k->auth.token_from))
		finish_is_full(l);
	else if (k->auth.token.n == 0 || k->auth.token.n > TOKEN_MOST)
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    STR_FMT ": an access token of 1 to %d octets should stand "
		    "there", STR_ARG(k->auth.token_from), TOKEN_MOST);
}

static void
auth_check(struct load *l, const struct relay_keys *k, const struct relay *r,
    struct place at)
{
	if (!auth_is_set(k))
		return;
	if (k->auth.user.n == 0 ||
	    (k->auth.password.n == 0) == (k->auth.token_from.n == 0))
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    "auth needs a user, and either a password or a token");
	if (r->is_lmtp)
		problem_add(l->reader.problems, PROBLEM_ERROR, at,
		    "auth is for smtp:// and its like, not for LMTP");
}

void
finish_relay(struct load *l, struct relay *r, struct relay_keys *k,
    struct str by, struct place at)
{
	struct tls_wish *w;

	auth_split(l, k, at);
	token_read(l, k, at);
	auth_check(l, k, r, at);
	if (k->auth.user.n > 0)
		r->keys = k;
	if (!keys_are_set(k) && !relay_has_secure(r) &&
	    r->keys == NULL)
		return;			/* outbound.tls */
	r->by = by;
	w = wish_add(l, by, keys_level(l, r, k));
	if (w == NULL)
		return;
	w->names = k->tls.names;
	if (k->tls.ca.n > 0)
		w->anchors = anchors_of_file(l, k->tls.ca, at);
	r->wish = w;
	keys_check(l, r, k, w, at);
	anchors_need(l, w, at);
}
