#include "app/acme_talk.h"

#include "app/keyring_wire.h"
#include "base/err.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "trust/jws.h"
#include "wire/base64url.h"

#include <openssl/crypto.h>

enum { FETCH_SECONDS = 60, NONCES = 5, JWS_FRAME = 64,
	PAYLOAD_MOST = 8 * 1024, SECRET_MOST = 512 };

static const char json_type[] = "application/jose+json";

void
acme_talk_init(struct acme_talk *t, const struct config *c,
    struct keyring_link *link, struct arena *a, const bool *is_ending)
{
	*t = (struct acme_talk){ .config = c, .link = link, .arena = a,
		.is_ending = is_ending, .account = STR("") };
}

yields int
acme_talk_wait(struct acme_talk *t, int64_t seconds)
{
	struct mono until = mono_add(clock_mono(), seconds * NS_PER_SECOND);

	while (!*t->is_ending && mono_is_before(clock_mono(), until))
		(void)fiber_park(until);
	return *t->is_ending ? err_set("the server ends") : 0;
}

/* ---- requests ---- */

static void
nonce_keep(struct acme_talk *t, const struct fetch_answer *a)
{
	struct str nonce = fetch_field(a, STR("Replay-Nonce"));

	(void)str_cstr(nonce.p == NULL ? STR("") : nonce, t->nonce,
	    sizeof t->nonce);
}

static yields int
talk_fetch(struct acme_talk *t, enum fetch_method method, struct str url,
    struct str body, size_t most, struct acme_reply *r)
{
	const struct fetch_header headers[] = {
		{ STR("User-Agent"), STR("nightmail") },
		{ STR("Accept"), most == ACME_CHAIN_MOST ?
		    STR("application/pem-certificate-chain") :
		    STR("application/json") },
		{ STR("Content-Type"), str_of(json_type) } };
	struct fetch_ask ask = { .method = method, .url = url,
		.headers = headers, .n_headers = body.n > 0 ? 3 : 2,
		.body = body, .body_most = most, .arena = t->arena,
		.anchors = t->config->tls.acme.ca_pem,
		.deadline = mono_add(clock_mono(), FETCH_SECONDS *
		NS_PER_SECOND) };

	*r = (struct acme_reply){ .status = 0 };
	if (*t->is_ending)
		return err_set("the server ends");
	if (fetch(&ask, &r->raw) != 0)
		return err_add(STR_FMT, STR_ARG(url));
	nonce_keep(t, &r->raw);
	r->status = r->raw.status;
	r->body = r->raw.body;
	r->location = fetch_field(&r->raw, STR("Location"));
	r->retry_s = acme_retry_after(fetch_field(&r->raw, STR("Retry-After")),
	    clock_wall());
	return 0;
}

/* What the authority refused, in its words and ours. */
static int
refusal_tell(struct acme_talk *t, const struct acme_reply *r)
{
	const char *advice;

	acme_read_problem(r->body, t->arena, &t->problem);
	t->retry_s = r->retry_s;
	advice = acme_advice(t->problem.type);
	return err_set("the authority says %u %s" STR_FMT ": " STR_FMT "%s%s",
	    r->status, t->problem.type.n > 0 ? "" : "error",
	    STR_ARG(t->problem.type), STR_ARG(t->problem.detail),
	    advice == NULL ? "" : "; what to do: ", advice == NULL ? "" : advice);
}

yields int
acme_talk_get(struct acme_talk *t, struct str url, size_t most,
    struct acme_reply *r)
{
	if (talk_fetch(t, FETCH_GET, url, STR(""), most, r) != 0)
		return -1;
	return r->status == 200 ? 0 : refusal_tell(t, r);
}

static yields int
nonce_ensure(struct acme_talk *t)
{
	struct acme_reply r;

	if (t->nonce[0] != '\0')
		return 0;
	if (talk_fetch(t, FETCH_HEAD, t->directory.new_nonce, STR(""), 1024,
	    &r) != 0)
		return -1;
	return t->nonce[0] != '\0' ? 0 : err_set("the authority gives no nonce");
}

/* ---- signatures ---- */

struct signing {
	uint64_t key;
	struct str url, nonce, kid, payload;	/* kid n == 0: by the key itself */
};

/* The keyring writes the header; the payload it signs is ours. */
static yields int
jws_make(struct acme_talk *t, const struct signing *s, struct str *out)
{
	struct buf told = { .p = arena_alloc(t->arena, KEYRING_TELL_MOST),
		.cap = KEYRING_TELL_MOST };
	struct buf payload64 = { .cap = base64url_room(s->payload.n) + 1 };
	struct buf jws = { .cap = payload64.cap + KEYRING_TELL_MOST + JWS_FRAME };
	const struct str fields[] = { s->url, s->nonce, s->kid, s->payload };
	struct str body, header64, signature64;

	payload64.p = arena_alloc(t->arena, payload64.cap);
	jws.p = arena_alloc(t->arena, jws.cap);
	if (told.p == NULL || jws.p == NULL || payload64.p == NULL)
		return err_set("no memory for ACME");
	if (keyring_link_ask(t->link, KEYRING_JWS, s->key, fields, 4,
	    &told) != 0)
		return err_add("the keyring");
	body = buf_str(&told);
	if (!keyring_field(&body, &header64) ||
	    !keyring_field(&body, &signature64))
		return err_set("the keyring signs nonsense");
	base64url_put(&payload64, s->payload);
	jws_print(header64, buf_str(&payload64), signature64, &jws);
	*out = buf_str(&jws);
	return jws.full ? err_set("a request of ACME is too long") : 0;
}

/* RFC 8555 6.5: a nonce that is too old is followed by another. */
static yields int
signed_post(struct acme_talk *t, struct signing s, size_t most,
    struct acme_reply *r)
{
	struct str body;

	t->problem = (struct acme_problem){ STR_NONE, STR_NONE };
	t->retry_s = 0;
	for (int i = 0; i < NONCES; i++) {
		if (nonce_ensure(t) != 0)
			return -1;
		s.nonce = arena_copy(t->arena, str_of(t->nonce));
		t->nonce[0] = '\0';
		if (jws_make(t, &s, &body) != 0 || talk_fetch(t, FETCH_POST,
		    s.url, body, most, r) != 0)
			return -1;
		if (r->status >= 200 && r->status < 300)
			return 0;
		(void)refusal_tell(t, r);
		if (!str_eq(t->problem.type, STR("badNonce")))
			return -1;
	}
	return err_add("after %d nonces", NONCES);
}

yields int
acme_talk_post(struct acme_talk *t, struct str url, struct str payload,
    size_t most, struct acme_reply *r)
{
	struct signing s = { .key = t->key, .url = url, .kid = t->account,
		.payload = payload };

	return signed_post(t, s, most, r);
}

/* ---- the account ---- */

static yields int
key_ask(struct acme_talk *t, enum keyring_which which, uint64_t *key,
    struct str *jwk)
{
	char choice = (char)which;
	struct str field = { &choice, 1 }, body, id;
	struct buf told = { .p = arena_alloc(t->arena, JWS_KEY_MOST + 64),
		.cap = JWS_KEY_MOST + 64 };

	if (told.p == NULL)
		return err_set("no memory for ACME");
	if (keyring_link_ask(t->link, KEYRING_ACCOUNT, 0, &field, 1, &told) != 0)
		return err_add("the keyring");
	body = buf_str(&told);
	if (!keyring_field(&body, &id) || id.n != sizeof *key ||
	    !keyring_field(&body, jwk))
		return err_set("the keyring tells no key");
	memcpy(key, id.p, sizeof *key);
	return 0;
}

static yields int
key_roll(struct acme_talk *t, enum keyring_which which)
{
	char choice = (char)which;
	struct str field = { &choice, 1 };
	char room[1];
	struct buf none = BUF_OF(room);

	return keyring_link_ask(t->link, KEYRING_ROLL, 0, &field, 1, &none) == 0
	    ? 0 : err_add("the keyring");
}

static struct buf
room_make(struct acme_talk *t, size_t n)
{
	struct buf b = { .p = arena_alloc(t->arena, n), .cap = n };

	b.full = b.p == NULL;
	return b;
}

/* RFC 8555 7.3.4: the account's key, signed with the customer's. */
static int
binding_make(struct acme_talk *t, struct buf *out)
{
	const struct conf_acme *c = &t->config->tls.acme;
	struct jws_header h = { .alg = "HS256", .kid = c->eab.kid,
		.url = t->directory.new_account };
	char secret[SECRET_MOST], mac64[64];
	struct buf key = BUF_OF(secret), mac = BUF_OF(mac64);
	struct buf header = room_make(t, JWS_HEADER_MOST);
	struct buf header64 = room_make(t, 2 * JWS_HEADER_MOST);
	struct buf payload64 = room_make(t, 2 * JWS_KEY_MOST);
	int rc;

	if (!base64url_read(c->eab.key, &key))
		return err_set("tls.acme.eab.key is no base64url");
	rc = jws_header_print(&h, &header);
	base64url_put(&header64, buf_str(&header));
	base64url_put(&payload64, t->jwk);
	if (header64.full || payload64.full)
		rc = err_set("no memory for ACME");
	if (rc == 0)
		rc = jws_mac(buf_str(&key), buf_str(&header64),
		    buf_str(&payload64), &mac);
	OPENSSL_cleanse(secret, sizeof secret);
	if (rc == 0)
		jws_print(buf_str(&header64), buf_str(&payload64),
		    buf_str(&mac), out);
	return rc;
}

static yields int
account_post(struct acme_talk *t, bool must_exist, struct acme_reply *r)
{
	const struct conf_acme *c = &t->config->tls.acme;
	char *room = arena_alloc(t->arena, PAYLOAD_MOST);
	char *inner = arena_alloc(t->arena, PAYLOAD_MOST);
	struct buf payload = { .p = room, .cap = PAYLOAD_MOST };
	struct buf binding = { .p = inner, .cap = PAYLOAD_MOST };
	struct signing s = { .key = t->key, .url = t->directory.new_account,
		.kid = STR("") };

	if (room == NULL || inner == NULL)
		return err_set("no memory for ACME");
	if (!must_exist && c->eab.kid.n > 0 && binding_make(t, &binding) != 0)
		return -1;
	acme_put_account(&payload, c->email, must_exist, buf_str(&binding));
	s.payload = buf_str(&payload);
	if (signed_post(t, s, ACME_ANSWER_MOST, r) != 0)
		return -1;
	if (r->location.n == 0)
		return err_set("the authority tells no account");
	t->account = arena_copy(t->arena, r->location);
	return t->account.p != NULL ? 0 : err_set("no memory for ACME");
}

/* The configuration's address, where the account has another (7.3.2). */
static yields int
contact_update(struct acme_talk *t, const struct acme_reply *known)
{
	struct str email = t->config->tls.acme.email;
	char room[512];
	struct buf payload = BUF_OF(room);
	struct acme_reply r;

	if (email.n == 0 || known->status != 200 ||
	    str_find_str(known->body, email) < known->body.n)
		return 0;
	acme_put_account(&payload, email, false, STR(""));
	return acme_talk_post(t, t->account, buf_str(&payload),
	    ACME_ANSWER_MOST, &r);
}

/* A change of keys that was cut short: which one does the authority know? */
static yields int
roll_finish(struct acme_talk *t)
{
	struct acme_reply r;

	if (key_ask(t, KEYRING_NEXT_IF_THERE, &t->key, &t->jwk) != 0) {
		err_clear();
		return 0;
	}
	if (account_post(t, true, &r) == 0)
		return key_roll(t, KEYRING_NEXT);
	if (!str_eq(t->problem.type, STR("accountDoesNotExist")))
		return err_add("after a change of the account's key");
	err_clear();
	return key_roll(t, KEYRING_CURRENT);
}

yields int
acme_talk_open(struct acme_talk *t)
{
	const struct conf_acme *c = &t->config->tls.acme;
	struct acme_reply r;

	if (acme_talk_get(t, c->directory, ACME_ANSWER_MOST, &r) != 0 ||
	    acme_read_directory(r.body, t->arena, &t->directory) != 0)
		return err_add("ACME directory");
	if (t->directory.needs_binding && c->eab.kid.n == 0)
		return err_set("this authority serves its customers only: ask it "
		    "for a key and set tls.acme.eab");
	if (roll_finish(t) != 0 ||
	    key_ask(t, KEYRING_CURRENT, &t->key, &t->jwk) != 0 ||
	    account_post(t, false, &r) != 0 || contact_update(t, &r) != 0)
		return err_add("ACME account");
	return 0;
}

/* RFC 8555 7.3.5: the inner JWS by the next key, the outer by the old one. */
yields int
acme_talk_roll(struct acme_talk *t)
{
	char *room = arena_alloc(t->arena, PAYLOAD_MOST);
	struct buf payload = { .p = room, .cap = PAYLOAD_MOST };
	struct signing inner = { .url = t->directory.key_change,
		.nonce = STR(""), .kid = STR("") };
	struct acme_reply r;
	struct str jwk, body;

	if (room == NULL)
		return err_set("no memory for ACME");
	if (key_ask(t, KEYRING_NEXT, &inner.key, &jwk) != 0)
		return -1;
	acme_put_key_change(&payload, t->account, t->jwk);
	inner.payload = buf_str(&payload);
	if (payload.full || jws_make(t, &inner, &body) != 0 ||
	    acme_talk_post(t, t->directory.key_change, body, ACME_ANSWER_MOST,
	    &r) != 0)
		return err_add("changing the account's key");
	t->key = inner.key;
	t->jwk = jwk;
	return key_roll(t, KEYRING_NEXT);
}
