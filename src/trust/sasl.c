/*
 * The life of an exchange, and what is true:
 *
 * STAGE  function that moves there   what is true
 * 0      sasl_begin                  nothing was heard
 * 1      sasl_take                   LOGIN: asked for the name
 * 2      sasl_take                   LOGIN: asked for the password
 *        sasl_verify                 SCRAM: asked for the proof
 * 3      sasl_take                   SCRAM: he is proved, our proof was said
 *        sasl_judge                  tokens: refused, and told why
 *
 * Who moves between is the caller: SASL_CHECK and SASL_VERIFY are questions to
 * him, and only his answers lead on.
 */
#include "trust/sasl_own.h"

#include "base/must.h"
#include "trust/saslprep.h"
#include "wire/base64.h"

enum { STAGE_FIRST, STAGE_NAME, STAGE_PASSWORD, STAGE_TOLD };

static const struct sasl_traits traits[SASL_MECHANISMS] = {
#define MECHANISM(id, name, proof, hash, more) [SASL_##id] = \
	{ STR_INIT(name), SASL_##proof, SCRAM_##hash, SASL_##more },
#include "trust/sasl.def"
#undef MECHANISM
};

const struct sasl_traits *
sasl_traits(enum sasl_mechanism m)
{
	must(m < SASL_MECHANISMS);
	return &traits[m];
}

enum sasl_mechanism
sasl_find(struct str name)
{
	enum sasl_mechanism m = 0;

	while (m < SASL_MECHANISMS && !str_eq_icase(name, traits[m].name))
		m++;
	return m;
}

/* ---- the end of it ---- */

enum sasl_step
sasl_bad(struct sasl *s, const char *why)
{
	s->why = why;
	return why == NULL ? SASL_FULL : SASL_BAD;
}

enum sasl_step
sasl_refused(struct sasl *s, const char *why)
{
	s->why = why;
	return why == NULL ? SASL_FULL : SASL_REFUSED;
}

/* ---- names ---- */

bool
sasl_name(struct sasl *s, struct str raw, struct str *out)
{
	char *room = arena_alloc(s->arena, SASL_NAME_MOST);
	struct buf b = { .p = room, .cap = SASL_NAME_MOST };

	s->why = NULL;
	if (room == NULL)
		return false;
	s->why = "a name that nobody can have";
	if (raw.n == 0 || raw.n > SASL_NAME_MOST ||
	    !saslprep(raw, SASLPREP_QUERY, &b))
		return false;
	*out = buf_str(&b);
	return true;
}

/* RFC 4422 3.4.1: nobody may act as another here. */
static enum sasl_step
sasl_with(struct sasl *s, struct str authzid, struct str authcid)
{
	struct str wish;

	if (!sasl_name(s, authcid, &s->user))
		return sasl_refused(s, s->why);
	if (authzid.n == 0)
		return SASL_CHECK;
	if (!sasl_name(s, authzid, &wish))
		return sasl_refused(s, s->why);
	return str_eq(wish, s->user) ? SASL_CHECK :
	    sasl_refused(s, "he asks to be taken for somebody else");
}

/* ---- RFC 4616 2: message = [authzid] NUL authcid NUL passwd ---- */

static enum sasl_step
plain_take(struct sasl *s, struct str message, struct buf *out)
{
	struct str authzid, authcid;

	(void)out;
	if (str_find(message, '\0') == message.n)
		return sasl_bad(s, "no NUL behind the authorization identity");
	authzid = str_cut(&message, '\0');
	if (str_find(message, '\0') == message.n)
		return sasl_bad(s, "no NUL behind the name");
	authcid = str_cut(&message, '\0');
	if (str_find(message, '\0') < message.n)
		return sasl_bad(s, "NUL in the password");
	if (message.n == 0 || message.n > SASL_PASSWORD_MOST)
		return sasl_refused(s, "no password, or a very long one");
	s->secret = message;
	return sasl_with(s, authzid, authcid);
}

/* ---- draft-murchison-sasl-login-00 2.2 ---- */

/* An initial response is a name: RFC 4954 4 would refuse it, and clients that
 * millions use send it. */
static enum sasl_step
login_take(struct sasl *s, struct str message, struct buf *out)
{
	if (s->stage == STAGE_FIRST && message.p == NULL) {
		s->stage = STAGE_NAME;
		buf_put(out, STR("Username:"));
		return SASL_SAY;
	}
	if (s->stage != STAGE_PASSWORD) {
		if (!sasl_name(s, message, &s->user))
			return sasl_refused(s, s->why);
		s->stage = STAGE_PASSWORD;
		buf_put(out, STR("Password:"));
		return SASL_SAY;
	}
	if (message.n == 0 || message.n > SASL_PASSWORD_MOST ||
	    str_find(message, '\0') < message.n)
		return sasl_refused(s, "no password, or a very long one");
	s->secret = message;
	return SASL_CHECK;
}

/* ---- RFC 4422 appendix A: initial-response = *( UTF8-char-no-nul ) ---- */

static enum sasl_step
external_take(struct sasl *s, struct str message, struct buf *out)
{
	(void)out;
	if (message.n > 0 && !sasl_name(s, message, &s->user))
		return sasl_refused(s, s->why);
	return SASL_CHECK;
}

/* ---- tokens ---- */

/* RFC 6750 2.1: b64token = 1*( ALPHA / DIGIT / "-" / "." / "_" / "~" / "+" / "/" )
 * *"=" */
static bool
is_token(struct str t)
{
	size_t n = t.n;

	while (n > 0 && t.p[n - 1] == '=')
		n--;
	for (size_t i = 0; i < n; i++)
		if (!ascii_is_alnum(t.p[i]) &&
		    strchr("-._~+/", t.p[i]) == NULL)
			return false;
	return n > 0 && str_find(t, '\0') == t.n;
}

/* credentials = "Bearer" 1*SP b64token.  The scheme in any case; nothing at all
 * asks what would be wanted (RFC 7628 4.3). */
static const char *
bearer_read(struct sasl *s, struct str value)
{
	if (value.n == 0)
		return NULL;
	if (!str_skip_icase(&value, STR("Bearer ")))
		return "not a bearer token";
	value = str_trim(value);
	if (!is_token(value))
		return "not a bearer token";
	s->secret = value;
	return NULL;
}

/* RFC 7628 3.1: kvpair = key "=" value kvsep, the last followed by another
 * kvsep.  Of the keys only auth matters, and user to XOAUTH2. */
static const char *
pairs_read(struct sasl *s, struct str pairs, struct str *user)
{
	bool has_auth = false;

	while (pairs.n > 0 && pairs.p[0] != '\1') {
		bool is_whole = str_find(pairs, '\1') < pairs.n;
		struct str pair = str_cut(&pairs, '\1');
		bool has_value = str_find(pair, '=') < pair.n;
		struct str key = str_cut(&pair, '=');
		const char *why;

		if (!is_whole || !has_value || key.n == 0)
			return "a pair without its end";
		if (str_eq_icase(key, STR("user")))
			*user = pair;
		if (!str_eq_icase(key, STR("auth")))
			continue;
		if (has_auth)
			return "two of auth";
		has_auth = true;
		if ((why = bearer_read(s, pair)) != NULL)
			return why;
	}
	return str_eq(pairs, STR("\1")) ? NULL : "no end";
}

/* RFC 7628 3.2.2: the error is told, and answered with no meaning. */
static enum sasl_step
token_tell(struct sasl *s, struct str about, struct buf *out)
{
	s->stage = STAGE_TOLD;
	s->why = "a token that does not count";
	if (about.n > 0)
		buf_put(out, about);
	else if (s->mechanism == SASL_XOAUTH2)
		buf_put(out, STR("{\"status\":\"401\",\"schemes\":\"bearer\"}"));
	else
		buf_put(out, STR("{\"status\":\"invalid_token\"}"));
	return SASL_SAY;
}

static enum sasl_step
token_check(struct sasl *s, struct str name, struct buf *out)
{
	if (name.n > 0 && !sasl_name(s, name, &s->user))
		return sasl_refused(s, s->why);
	return s->secret.n > 0 ? SASL_CHECK : token_tell(s, STR_NONE, out);
}

/* client-resp = (gs2-header kvsep *kvpair kvsep) / kvsep */
static enum sasl_step
oauthbearer_take(struct sasl *s, struct str message, struct buf *out)
{
	struct str unused = STR_NONE;
	const char *why;
	struct gs2 gs2;

	if (s->stage == STAGE_TOLD)
		return sasl_refused(s, s->why);
	if ((why = gs2_take(s->arena, &message, &gs2)) != NULL)
		return sasl_bad(s, why);
	if (gs2.flag == 'p')
		return sasl_bad(s, "channel binding with a mere token");
	if (!str_skip(&message, STR("\1")))
		return sasl_bad(s, "no separator behind the header");
	if ((why = pairs_read(s, message, &unused)) != NULL)
		return sasl_bad(s, why);
	return token_check(s, gs2.authzid, out);
}

/* "user=" name ^A "auth=Bearer " token ^A ^A */
static enum sasl_step
xoauth2_take(struct sasl *s, struct str message, struct buf *out)
{
	struct str user = STR_NONE;
	const char *why;

	if (s->stage == STAGE_TOLD)
		return sasl_refused(s, s->why);
	if ((why = pairs_read(s, message, &user)) != NULL)
		return sasl_bad(s, why);
	if (user.n == 0)
		return sasl_bad(s, "no user");
	return token_check(s, user, out);
}

/* ---- all of them ---- */

struct str
sasl_nonce(struct arena *arena, const unsigned char *octets)
{
	char *room = arena_alloc(arena, SASL_NONCE / 3 * 4);
	struct buf b = { .p = room, .cap = SASL_NONCE / 3 * 4 };

	_Static_assert(SASL_NONCE % 3 == 0, "whole groups of base64");
	if (room == NULL)
		return STR_NONE;
	base64_encode((struct str){ (const char *)octets, SASL_NONCE }, &b);
	must(!b.full);
	return buf_str(&b);
}

static enum sasl_step (*const takes[SASL_MECHANISMS])(struct sasl *, struct str,
    struct buf *) = {
	[SASL_EXTERNAL] = external_take, [SASL_LOGIN] = login_take,
	[SASL_OAUTHBEARER] = oauthbearer_take, [SASL_PLAIN] = plain_take,
	[SASL_SCRAM_SHA_256] = sasl_scram_take,
	[SASL_SCRAM_SHA_256_PLUS] = sasl_scram_take,
	[SASL_XOAUTH2] = xoauth2_take,
};

void
sasl_begin(struct sasl *s, enum sasl_mechanism mechanism, struct arena *arena,
    const struct sasl_binding *binding, struct str nonce)
{
	must(mechanism < SASL_MECHANISMS && takes[mechanism] != NULL);
	must(nonce.n > 0);
	*s = (struct sasl){ .mechanism = mechanism, .arena = arena,
		.nonce = nonce };
	if (binding != NULL)
		s->binding = *binding;
}

enum sasl_step
sasl_take(struct sasl *s, struct str message, struct buf *out)
{
	/* RFC 4422 5.1: the client begins, and an empty challenge asks him to */
	if (message.p == NULL && s->mechanism != SASL_LOGIN)
		return SASL_SAY;
	must(message.p != NULL || s->stage == STAGE_FIRST);
	return takes[s->mechanism](s, message, out);
}

enum sasl_step
sasl_judge(struct sasl *s, bool is_right, struct str about, struct buf *out)
{
	enum sasl_proof proof = traits[s->mechanism].proof;

	must(proof != SASL_VERIFIER);
	if (is_right)
		return SASL_DONE;
	if (proof == SASL_TOKEN)
		return token_tell(s, about, out);
	return sasl_refused(s, proof == SASL_PASSWORD ?
	    "the name or the password is wrong" :
	    "a certificate that does not count");
}
