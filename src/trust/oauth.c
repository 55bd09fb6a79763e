#include "trust/oauth.h"

#include "base/err.h"
#include "base/json.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/fetch.h"
#include "fiber/permit.h"
#include "trust/json_in.h"
#include "trust/recall.h"
#include "trust/secret.h"
#include "wire/base64.h"

#include <stdlib.h>

enum { KEYS_FRESH_S = 3600, KEYS_STALE_S = 24 * 3600, KEYS_AGAIN_S = 30,
	DOCUMENT_MOST = 64 * 1024, INTROSPECTION_MOST = 64 * 1024,
	BASIC_ROOM = 2048, OK = 200 };

struct oauth {
	const struct oauth_setup *setup;
	struct directory_health health;
	struct recall *recall;		/* NULL: no cache */
	struct permit fetching;		/* one at a time */
	struct jwks *keys;		/* NULL: none yet */
	unsigned users;			/* of keys, who must not go meanwhile */
	struct mono keys_at;		/* when they came */
	struct mono asked_at;		/* when they were last asked for */
	bool has_asked;
};

const char oauth_lacks_scope[] = "a token without the scope that is needed";

struct oauth *
oauth_new(const struct oauth_setup *s)
{
	struct oauth *o = calloc(1, sizeof *o);

	if (o == NULL || (s->cache > 0 && (o->recall = recall_new()) == NULL)) {
		free(o);
		err_set("no memory for OAuth");
		return NULL;
	}
	must(s->introspect.n > 0 || s->rules.issuer.n > 0);
	o->setup = s;
	o->health = (struct directory_health){ .name = s->rules.issuer.n > 0 ?
		s->rules.issuer : s->introspect, .tell = s->tell,
		.arg = s->arg };
	permit_init(&o->fetching, 1);
	return o;
}

void
oauth_close(struct oauth *o)
{
	if (o == NULL)
		return;
	must(o->fetching.out == 0 && o->users == 0);
	jwks_free(o->keys);
	recall_free(o->recall);
	free(o);
}

const struct directory_health *
oauth_health(const struct oauth *o)
{
	return &o->health;
}

/* ---- the issuer's documents ---- */

static yields int
document_get(struct oauth *o, struct str url, size_t most, struct mono deadline,
    struct arena *a, struct str *out)
{
	const struct fetch_header accept = { STR("Accept"),
		STR("application/json") };
	const struct fetch_ask ask = { .method = FETCH_GET, .url = url,
		.headers = &accept, .n_headers = 1, .body_most = most,
		.deadline = deadline, .anchors = o->setup->anchors, .arena = a };
	struct fetch_answer answer;

	if (fetch(&ask, &answer) != 0)
		return err_add(STR_FMT, STR_ARG(url));
	if (answer.status != OK)
		return err_set(STR_FMT ": it answers %u", STR_ARG(url),
		    answer.status);
	*out = answer.body;
	return 0;
}

/* OpenID Connect Discovery 4.3: the issuer in it must be who was asked. */
static int
discovery_read(struct oauth *o, struct str text, struct arena *a,
    struct str *url)
{
	json_t *j = json_read(text);
	bool is_same;

	if (j == NULL)
		return err_add("the issuer's openid-configuration");
	is_same = str_eq(json_word(j, "issuer"), o->setup->rules.issuer);
	*url = json_word(j, "jwks_uri");
	*url = url->n > 0 ? arena_copy(a, *url) : STR_NONE;
	json_decref(j);
	if (!is_same)
		return err_set("the issuer's openid-configuration names "
		    "another issuer");
	return url->p != NULL ? 0 : err_set("the issuer's "
	    "openid-configuration has no jwks_uri");
}

/* RFC 8414 3.1 wants the words in the middle of a URL with a path; OpenID, and
 * all who do both, at its end. */
static struct str
discovery_url(struct str issuer, struct arena *a)
{
	while (issuer.n > 0 && issuer.p[issuer.n - 1] == '/')
		issuer.n--;
	return arena_join(a, issuer, STR("/.well-known/openid-configuration"));
}

static yields int
keys_get(struct oauth *o, struct mono deadline, struct arena *a,
    struct jwks **keys)
{
	struct str url = o->setup->jwks, text = STR_NONE;

	if (url.n == 0) {
		url = discovery_url(o->setup->rules.issuer, a);
		if (url.p == NULL)
			return err_set("no memory for a URL");
		if (document_get(o, url, DOCUMENT_MOST, deadline, a, &text) != 0
		    || discovery_read(o, text, a, &url) != 0)
			return -1;
	}
	if (document_get(o, url, JWKS_MOST, deadline, a, &text) != 0)
		return -1;
	*keys = jwks_read(text);
	return *keys != NULL ? 0 : err_add(STR_FMT, STR_ARG(url));
}

static bool
keys_are_young(const struct oauth *o, int64_t s)
{
	return o->keys != NULL && mono_is_before(clock_mono(),
	    mono_add(o->keys_at, s * NS_PER_SECOND));
}

/* With the permit. */
static yields int
keys_fetch(struct oauth *o, struct mono deadline)
{
	struct jwks *keys = NULL;
	struct arena a;
	int rc;

	o->asked_at = clock_mono();
	o->has_asked = true;
	arena_init(&a, 2 * (JWKS_MOST + DOCUMENT_MOST));
	rc = keys_get(o, deadline, &a, &keys);
	arena_clear(&a);
	if (rc != 0) {
		directory_failed(&o->health, clock_mono(), err_text());
		return -1;
	}
	directory_worked(&o->health);
	jwks_free(o->keys);
	o->keys = keys;
	o->keys_at = clock_mono();
	return 0;
}

/* since: keys that came after it will do. */
static yields int
keys_renew(struct oauth *o, struct mono since, struct mono deadline)
{
	int rc = 0;

	if (permit_take(&o->fetching, deadline) != 0)
		return err_set("OAuth: its keys take too long to come");
	if (o->keys == NULL || !mono_is_before(since, o->keys_at)) {
		if (!directory_may_try(&o->health, clock_mono(), 0))
			rc = err_set("%s", o->health.why);
		else
			rc = keys_fetch(o, deadline);
	}
	permit_give(&o->fetching);
	return rc;
}

/* A token names a key that we do not have: is it worth asking again? */
static bool
keys_may_be_newer(const struct oauth *o)
{
	return !o->has_asked || !mono_is_before(clock_mono(),
	    mono_add(o->asked_at, KEYS_AGAIN_S * NS_PER_SECOND));
}

/* ---- a token that we can read ---- */

static yields enum directory_says
token_check(struct oauth *o, struct str token, struct mono deadline,
    struct arena *a, struct jwt_facts *facts)
{
	enum jwt_verdict v;
	struct mono had;

	/* Old keys are better than none, for a day. */
	if (!keys_are_young(o, KEYS_FRESH_S) && keys_renew(o, o->keys_at,
	    deadline) != 0 && !keys_are_young(o, KEYS_STALE_S))
		return DIRECTORY_LATER;
	had = o->keys_at;
	v = jwt_check(token, o->keys, &o->setup->rules, clock_wall(), a, facts);
	if (v == JWT_UNKNOWN_KEY && keys_may_be_newer(o)) {
		if (keys_renew(o, had, deadline) != 0)
			return DIRECTORY_LATER;
		v = jwt_check(token, o->keys, &o->setup->rules, clock_wall(), a,
		    facts);
	}
	if (v == JWT_LACKS_SCOPE)
		facts->why = oauth_lacks_scope;
	return v == JWT_FINE ? DIRECTORY_YES : DIRECTORY_NO;
}

/* ---- a token that only the issuer can read ---- */

/* application/x-www-form-urlencoded */
static void
form_put(struct buf *b, struct str s)
{
	static const char digits[] = "0123456789ABCDEF";

	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (ascii_is_alnum(s.p[i]) || c == '-' || c == '.' || c == '_') {
			buf_putc(b, s.p[i]);
			continue;
		}
		buf_putc(b, '%');
		buf_putc(b, digits[c >> 4]);
		buf_putc(b, digits[c & 15]);
	}
}

/* RFC 6749 2.3.1: each form-encoded, then as RFC 7617. */
static struct str
basic_make(const struct oauth_setup *s, struct arena *a)
{
	struct buf plain = { .p = secret_new(a, BASIC_ROOM), .cap = BASIC_ROOM };
	struct buf b = { .p = secret_new(a, 2 * BASIC_ROOM),
		.cap = 2 * BASIC_ROOM };

	if (plain.p == NULL || b.p == NULL)
		return STR_NONE;
	form_put(&plain, s->client_id);
	buf_putc(&plain, ':');
	form_put(&plain, s->client_secret);
	buf_put(&b, STR("Basic "));
	base64_encode(buf_str(&plain), &b);
	return plain.full || b.full ? STR_NONE : buf_str(&b);
}

/* RFC 7662 2.1 */
static yields int
introspection_get(struct oauth *o, struct str token, struct mono deadline,
    struct arena *a, struct str *out)
{
	const struct oauth_setup *s = o->setup;
	struct fetch_header headers[3] = {
		{ STR("Accept"), STR("application/json") },
		{ STR("Content-Type"),
		    STR("application/x-www-form-urlencoded") } };
	struct fetch_ask ask = { .method = FETCH_POST, .url = s->introspect,
		.headers = headers, .n_headers = 2,
		.body_most = INTROSPECTION_MOST, .deadline = deadline,
		.anchors = s->anchors, .arena = a };
	struct buf b = { .cap = 3 * token.n + 64 };
	struct fetch_answer answer;

	b.p = secret_new(a, b.cap);
	if (b.p == NULL)
		return err_set("no memory for a token");
	buf_put(&b, STR("token="));
	form_put(&b, token);
	buf_put(&b, STR("&token_type_hint=access_token"));
	ask.body = buf_str(&b);
	if (s->client_id.n > 0) {
		headers[2] = (struct fetch_header){ STR("Authorization"),
			basic_make(s, a) };
		if (headers[2].value.p == NULL)
			return err_set("client_id and client_secret are too "
			    "long");
		ask.n_headers = 3;
	}
	if (fetch(&ask, &answer) != 0)
		return err_add(STR_FMT, STR_ARG(s->introspect));
	if (answer.status == 401 || answer.status == 403)
		return err_set(STR_FMT ": it does not take client_id and "
		    "client_secret", STR_ARG(s->introspect));
	*out = answer.body;
	return answer.status == OK ? 0 : err_set(STR_FMT ": it answers %u",
	    STR_ARG(s->introspect), answer.status);
}

/* RFC 7662 2.2: what is not active has no other member that counts. */
static int
is_active(struct str text, bool *active)
{
	json_t *j = json_read(text);

	if (j == NULL)
		return -1;
	*active = json_is_true(json_object_get(j, "active"));
	json_decref(j);
	return 0;
}

/* In an arena of its own: three times a token is more than a session has. */
static yields enum directory_says
token_introspect(struct oauth *o, struct str token, struct mono deadline,
    struct arena *a, struct jwt_facts *facts)
{
	struct str text = STR_NONE;
	enum jwt_verdict v = JWT_REFUSED;
	struct arena own;
	bool active = false;
	int rc;

	if (!directory_may_try(&o->health, clock_mono(), o->setup->timeout)) {
		err_set("%s", o->health.why);
		return DIRECTORY_LATER;
	}
	arena_init(&own, 2 * INTROSPECTION_MOST + 8 * JWT_MOST);
	rc = introspection_get(o, token, deadline, &own, &text);
	if (rc == 0 && (rc = is_active(text, &active)) != 0)
		(void)err_add(STR_FMT, STR_ARG(o->setup->introspect));
	if (rc != 0)
		directory_failed(&o->health, clock_mono(), err_text());
	else
		directory_worked(&o->health);
	facts->why = "a token that the issuer does not know";
	if (rc == 0 && active)
		v = jwt_claims(text, &o->setup->rules, false, clock_wall(), a,
		    facts);
	arena_clear(&own);
	if (v == JWT_LACKS_SCOPE)
		facts->why = oauth_lacks_scope;
	return rc != 0 ? DIRECTORY_LATER : v == JWT_FINE ? DIRECTORY_YES :
	    DIRECTORY_NO;
}

/* ---- a login ---- */

/* Until the token expires by the wall's clock, as far as can be said now. */
static struct mono
remembered_until(const struct oauth *o, struct wall expires)
{
	return clock_mono_at(expires, o->setup->cache);
}

static enum directory_says
name_check(struct str user, struct directory_person *p)
{
	/* RFC 7628 3.1: who he says he is must be who the token says. */
	if (user.n == 0 || str_eq_icase(user, p->name))
		return DIRECTORY_YES;
	p->why = "a token that is somebody else's";
	return DIRECTORY_NO;
}

yields enum directory_says
oauth_check(struct oauth *o, struct str user, struct str token,
    struct mono deadline, struct arena *a, struct directory_person *out)
{
	struct jwt_facts facts = { .why = NULL };
	struct recall_mark mark = { { 0 } };
	enum directory_says says;

	*out = (struct directory_person){ .why = "no token" };
	if (token.n == 0 || token.n > JWT_MOST)
		return DIRECTORY_NO;
	if (o->recall != NULL) {
		mark = recall_mark(o->recall, &token, 1);
		if (recall_find(o->recall, &mark, clock_mono(), a, out))
			return name_check(user, out);
	}
	deadline = mono_first(deadline, mono_add(clock_mono(),
	    o->setup->timeout));
	says = o->setup->introspect.n > 0 ?
	    token_introspect(o, token, deadline, a, &facts) :
	    token_check(o, token, deadline, a, &facts);
	*out = (struct directory_person){ .name = facts.name,
		.why = facts.why };
	if (says == DIRECTORY_LATER)
		err_add("OAuth");
	if (says != DIRECTORY_YES)
		return says;
	if (o->recall != NULL)
		recall_keep(o->recall, &mark, remembered_until(o,
		    facts.expires), out);
	return name_check(user, out);
}

void
oauth_about(const struct oauth_setup *s, bool lacks_scope, struct buf *out)
{
	char room[FETCH_URL_MOST];
	struct str issuer = s->rules.issuer;
	struct buf url = BUF_OF(room);
	struct json j;

	json_begin(&j, out);
	json_put_object(&j, NULL);
	json_put_str(&j, "status", lacks_scope ? STR("insufficient_scope") :
	    STR("invalid_token"));
	if (s->rules.scope.n > 0)
		json_put_str(&j, "scope", s->rules.scope);
	while (issuer.n > 0 && issuer.p[issuer.n - 1] == '/')
		issuer.n--;
	buf_put(&url, issuer);
	buf_put(&url, STR("/.well-known/openid-configuration"));
	if (issuer.n > 0 && !url.full)
		json_put_str(&j, "openid-configuration", buf_str(&url));
	json_end_object(&j);
}
