/*
 * The life of an exchange, and what is true:
 *
 * STAGE   function that moves there  what is true
 * FIRST   sasl_client_begin          the initial response is said; LOGIN: nothing
 * NAMED   sasl_client_take           LOGIN: the name is said
 * HASHING sasl_client_take           SCRAM: the challenge is read
 * PROVED  sasl_client_proof          SCRAM: our proof is said
 * DONE    sasl_client_take           SCRAM: the server's proof is right
 *         sasl_client_begin, _take   others: there is no more to say
 * TOLD    sasl_client_take           tokens: the server told why not
 */
#include "trust/sasl_client.h"

#include "base/must.h"
#include "base/num.h"
#include "trust/sasl_own.h"
#include "trust/saslprep.h"
#include "trust/scram.h"
#include "trust/secret.h"
#include "wire/base64.h"

#include <openssl/crypto.h>

enum { STAGE_FIRST, STAGE_NAMED, STAGE_HASHING, STAGE_PROVED, STAGE_DONE,
	STAGE_TOLD };

enum { CHALLENGE_MOST = 2048 };

static enum sasl_client_step
client_bad(struct sasl_client *c, const char *why)
{
	c->why = why;
	return SASL_CLIENT_BAD;
}

static enum sasl_client_step
client_say(struct sasl_client *c, unsigned stage, const struct buf *out)
{
	c->stage = stage;
	return out->full ? client_bad(c, "no room for the response") :
	    SASL_CLIENT_SAY;
}

/* ---- what to speak ---- */

uint32_t
sasl_offered(struct str words)
{
	uint32_t offered = 0;

	while (words.n > 0) {
		struct str word = str_cut(&words, ' ');
		enum sasl_mechanism m = sasl_find(word);

		if (m != SASL_UNKNOWN)
			offered |= SASL_BIT(m);
		if (str_has_suffix_icase(word, STR("-PLUS")))
			offered |= SASL_SOME_BOUND;
	}
	return offered;
}

static bool
binding_is_there(const struct sasl_binding *b)
{
	return b != NULL && (b->has_exporter || b->end_point_n > 0);
}

static bool
mechanism_fits(const struct sasl_traits *t, const struct sasl_credentials *who,
    const struct sasl_binding *binding)
{
	if ((t->more & SASL_SERVER) != 0 ||
	    who->is_token != (t->proof == SASL_TOKEN))
		return false;
	if ((t->more & SASL_BOUND) != 0 && !binding_is_there(binding))
		return false;
	return (t->more & SASL_OPEN) == 0 || binding != NULL;
}

enum sasl_mechanism
sasl_choose(uint32_t offered, const struct sasl_credentials *who,
    const struct sasl_binding *binding)
{
	enum sasl_mechanism m = 0;

	while (m < SASL_MECHANISMS && ((offered & SASL_BIT(m)) == 0 ||
	    !mechanism_fits(sasl_traits(m), who, binding)))
		m++;
	return m;
}

/* ---- PLAIN, LOGIN, tokens ---- */

static enum sasl_client_step
plain_say(struct sasl_client *c, struct buf *out)
{
	buf_putc(out, '\0');
	buf_put(out, c->user);
	buf_putc(out, '\0');
	buf_put(out, c->secret);
	return client_say(c, STAGE_DONE, out);
}

static enum sasl_client_step
login_say(struct sasl_client *c, struct buf *out)
{
	if (c->stage == STAGE_FIRST) {
		buf_put(out, c->user);
		return client_say(c, STAGE_NAMED, out);
	}
	buf_put(out, c->secret);
	return client_say(c, STAGE_DONE, out);
}

static void
bearer_put(const struct sasl_client *c, struct buf *out)
{
	buf_put(out, STR("auth=Bearer "));
	buf_put(out, c->secret);
	buf_put(out, STR("\1\1"));
}

static enum sasl_client_step
oauthbearer_say(struct sasl_client *c, struct buf *out)
{
	buf_put(out, STR("n,a="));
	saslname_encode(c->user, out);
	buf_put(out, STR(",\1"));
	if (c->credentials->host.n > 0) {
		buf_put(out, STR("host="));
		buf_put(out, c->credentials->host);
		buf_printf(out, "\1port=%u\1", c->credentials->port);
	}
	bearer_put(c, out);
	return client_say(c, STAGE_DONE, out);
}

static enum sasl_client_step
xoauth2_say(struct sasl_client *c, struct buf *out)
{
	buf_put(out, STR("user="));
	buf_put(out, c->user);
	buf_putc(out, '\1');
	bearer_put(c, out);
	return client_say(c, STAGE_DONE, out);
}

/* RFC 7628 3.2.3: "the client MUST then send either an additional client
 * response consisting of a single %x01"; XOAUTH2 wants an empty one. */
static enum sasl_client_step
token_told(struct sasl_client *c, struct str challenge, struct buf *out)
{
	if (c->stage == STAGE_TOLD)
		return client_bad(c, "the server goes on and on");
	c->error = challenge;
	if (c->mechanism == SASL_OAUTHBEARER)
		buf_putc(out, '\1');
	return client_say(c, STAGE_TOLD, out);
}

/* ---- SCRAM: RFC 5802 5 to 7 ---- */

static enum scram_hash
scram_hash_of(const struct sasl_client *c)
{
	return sasl_traits(c->mechanism)->hash;
}

static struct str
binding_type(const struct sasl_client *c)
{
	return c->binding->has_exporter ? STR("tls-exporter") :
	    STR("tls-server-end-point");
}

/* RFC 5802 6: "y" tells that we could bind and the server seems not to know how;
 * where it knows, though by other hashes than ours, that would be a lie. */
static struct str
header_make(struct sasl_client *c)
{
	if (c->mechanism == SASL_SCRAM_SHA_256_PLUS)
		return arena_printf(c->arena, "p="STR_FMT",,",
		    STR_ARG(binding_type(c)));
	return binding_is_there(c->binding) &&
	    (c->offered & SASL_SOME_BOUND) == 0 ? STR("y,,") : STR("n,,");
}

static enum sasl_client_step
scram_say_first(struct sasl_client *c, struct buf *out)
{
	size_t begins;

	c->scram.header = header_make(c);
	buf_put(out, c->scram.header);
	begins = out->n;
	buf_put(out, STR("n="));
	saslname_encode(c->user, out);
	buf_put(out, STR(",r="));
	buf_put(out, c->nonce);
	if (out->full || c->scram.header.p == NULL)
		return client_bad(c, "no room for the response");
	c->scram.first = arena_copy(c->arena, str_sub(buf_str(out), begins,
	    out->n));
	if (c->scram.first.p == NULL)
		return client_bad(c, "no memory");
	c->scram.nonce = c->nonce;
	return client_say(c, STAGE_FIRST, out);
}

static bool
salt_read(struct sasl_client *c, struct str s)
{
	char *room = arena_alloc(c->arena, SCRAM_SALT_MOST);
	struct buf b = { .p = room, .cap = SCRAM_SALT_MOST };

	if (room == NULL || !base64_decode(s, &b) || b.n == 0)
		return false;
	c->scram.salt = buf_str(&b);
	return true;
}

/* nonce "," salt "," iteration-count ["," extensions]; few rounds would show the
 * password to who hears them, very many would keep us busy. */
static enum sasl_client_step
scram_hear_first(struct sasl_client *c, struct str message)
{
	struct str rest = message, nonce = str_cut(&rest, ',');
	struct str salt = str_cut(&rest, ','), rounds = str_cut(&rest, ',');
	uint64_t n;

	if (message.n > CHALLENGE_MOST)
		return client_bad(c, "a very long challenge");
	if (!str_skip(&nonce, STR("r=")) || nonce.n <= c->scram.nonce.n ||
	    !str_eq(str_sub(nonce, 0, c->scram.nonce.n), c->scram.nonce))
		return client_bad(c, "the nonce is not an answer to ours");
	if (!str_skip(&salt, STR("s=")) || !salt_read(c, salt))
		return client_bad(c, "no salt");
	if (!str_skip(&rounds, STR("i=")) ||
	    !parse_u64(rounds, UINT64_MAX, &n))
		return client_bad(c, "no number of rounds");
	if (n < SCRAM_ROUNDS_LEAST || n > SCRAM_ROUNDS_MOST)
		return client_bad(c, "too few rounds, or too many");
	c->scram.rounds = (uint32_t)n;
	c->scram.nonce = nonce;
	c->scram.challenge = message;
	c->stage = STAGE_HASHING;
	return SASL_CLIENT_HASH;
}

int
sasl_client_hash(struct sasl_client *c)
{
	struct scram_key salted;
	int rc;

	must(c->stage == STAGE_HASHING);
	rc = scram_salt(scram_hash_of(c), c->secret, c->scram.salt,
	    c->scram.rounds, &salted);
	if (rc == 0)
		scram_keys(scram_hash_of(c), &salted, &c->scram.client,
		    &c->scram.server);
	OPENSSL_cleanse(&salted, sizeof salted);
	return rc;
}

static void
final_put(const struct sasl_client *c, struct buf *out)
{
	char room[256];
	struct buf b = BUF_OF(room);

	buf_put(&b, c->scram.header);
	if (c->mechanism == SASL_SCRAM_SHA_256_PLUS)
		buf_put(&b, sasl_binding_data(c->binding, binding_type(c)));
	must(!b.full);
	buf_put(out, STR("c="));
	base64_encode(buf_str(&b), out);
	buf_put(out, STR(",r="));
	buf_put(out, c->scram.nonce);
}

/* AuthMessage; what our proof and the server's are made of. */
static struct str
auth_message(const struct sasl_client *c, struct str without_proof)
{
	return arena_printf(c->arena, STR_FMT","STR_FMT","STR_FMT,
	    STR_ARG(c->scram.first), STR_ARG(c->scram.challenge),
	    STR_ARG(without_proof));
}

enum sasl_client_step
sasl_client_proof(struct sasl_client *c, struct buf *out)
{
	enum scram_hash hash = scram_hash_of(c);
	struct scram_key stored, proof;
	size_t begins = out->n;

	must(c->stage == STAGE_HASHING);
	final_put(c, out);
	if (out->full)
		return client_bad(c, "no room for the response");
	c->scram.final = auth_message(c, str_sub(buf_str(out), begins, out->n));
	if (c->scram.final.p == NULL)
		return client_bad(c, "no memory");
	scram_digest(hash, &c->scram.client, &stored);
	scram_sign(hash, &stored, c->scram.final, &proof);
	for (size_t i = 0; i < SCRAM_KEY; i++)
		proof.octets[i] ^= c->scram.client.octets[i];
	buf_put(out, STR(",p="));
	base64_encode((struct str){ (const char *)proof.octets,
	    scram_key_size(hash) }, out);
	OPENSSL_cleanse(&c->scram.client, sizeof c->scram.client);
	return client_say(c, STAGE_PROVED, out);
}

/* server-final-message = (server-error / verifier) ["," extensions] */
static enum sasl_client_step
scram_hear_final(struct sasl_client *c, struct str message, struct buf *out)
{
	struct str verifier = str_cut(&message, ',');
	struct scram_key key, theirs = { { 0 } };
	struct buf b = { .p = (char *)theirs.octets, .cap = SCRAM_KEY };

	if (!str_skip(&verifier, STR("v=")) || !base64_decode(verifier, &b) ||
	    b.n != scram_key_size(scram_hash_of(c)))
		return client_bad(c, "the server gave no proof");
	scram_sign(scram_hash_of(c), &c->scram.server, c->scram.final, &key);
	if (CRYPTO_memcmp(key.octets, theirs.octets, SCRAM_KEY) != 0)
		return client_bad(c, "the server does not know our password");
	return client_say(c, STAGE_DONE, out);
}

static enum sasl_client_step
scram_take(struct sasl_client *c, struct str challenge, struct buf *out)
{
	if (c->stage == STAGE_FIRST)
		return scram_hear_first(c, challenge);
	if (c->stage == STAGE_PROVED)
		return scram_hear_final(c, challenge, out);
	return client_bad(c, "the server goes on and on");
}

/* ---- all of them ---- */

/* RFC 4616 2: the client prepares both; what cannot be prepared may still be
 * what the server knows, but not where it is hashed (RFC 5802 5.1). */
static struct str
client_prepare(struct sasl_client *c, struct str raw)
{
	bool must_be = sasl_traits(c->mechanism)->proof == SASL_VERIFIER;
	char *room = secret_new(c->arena, SASL_CLIENT_MOST);
	struct buf b = { .p = room, .cap = SASL_CLIENT_MOST };

	if (room == NULL)
		return STR_NONE;
	if (saslprep(raw, SASLPREP_QUERY, &b))
		return buf_str(&b);
	return must_be ? STR_NONE : raw;
}

enum sasl_client_step
sasl_client_begin(struct sasl_client *c, struct buf *out)
{
	bool is_token = sasl_traits(c->mechanism)->proof == SASL_TOKEN;

	must(mechanism_fits(sasl_traits(c->mechanism), c->credentials,
	    c->binding));
	c->user = client_prepare(c, c->credentials->user);
	c->secret = is_token ? c->credentials->secret :
	    client_prepare(c, c->credentials->secret);
	if (c->user.p == NULL || c->secret.p == NULL)
		return client_bad(c, "the name or the password has characters "
		    "that SASL does not allow, or there is no memory");
	if (sasl_traits(c->mechanism)->proof == SASL_VERIFIER)
		return scram_say_first(c, out);
	if (c->mechanism == SASL_OAUTHBEARER)
		return oauthbearer_say(c, out);
	if (c->mechanism == SASL_XOAUTH2)
		return xoauth2_say(c, out);
	return c->mechanism == SASL_PLAIN ? plain_say(c, out) :
	    SASL_CLIENT_WAIT;
}

enum sasl_client_step
sasl_client_take(struct sasl_client *c, struct str challenge, struct buf *out)
{
	switch (sasl_traits(c->mechanism)->proof) {
	case SASL_VERIFIER:
		return scram_take(c, challenge, out);
	case SASL_TOKEN:
		return token_told(c, challenge, out);
	case SASL_CERTIFICATE:
	case SASL_PASSWORD:
		break;
	}
	return c->stage == STAGE_DONE ?
	    client_bad(c, "the server goes on and on") : login_say(c, out);
}

bool
sasl_client_is_done(const struct sasl_client *c)
{
	return c->stage == STAGE_DONE;
}
