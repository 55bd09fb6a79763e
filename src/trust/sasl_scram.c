/*
 * RFC 5802 7, the server's side:
 *
 *	client-first-message = gs2-header client-first-message-bare
 *	client-first-message-bare = [reserved-mext ","] username "," nonce
 *		["," extensions]
 *	server-first-message = nonce "," salt "," iteration-count
 *	client-final-message = channel-binding "," nonce ["," extensions] ","
 *		proof
 *	server-final-message = verifier
 *
 *	AuthMessage = client-first-message-bare "," server-first-message ","
 *		client-final-message-without-proof
 */
#include "trust/sasl_own.h"

#include "base/must.h"
#include "trust/scram.h"
#include "trust/secret.h"
#include "wire/base64.h"

#include <openssl/crypto.h>

/* As sasl.c has them. */
enum { STAGE_FIRST, STAGE_PROOF = 2, STAGE_PROVED };

enum { SCRAM_MESSAGE_MOST = 2048 };	/* of the client */

bool
sasl_is_proved(const struct sasl *s)
{
	return s->stage == STAGE_PROVED &&
	    sasl_traits(s->mechanism)->proof == SASL_VERIFIER;
}

/* ---- the first message ---- */

/* RFC 5802 6: the client must bind where the mechanism says so, may not where it
 * does not, and "y" (I could, you cannot) is false where we said that we can:
 * somebody took our words away in between. */
static const char *
binding_judge(struct sasl *s, const struct gs2 *gs2)
{
	bool is_bound = s->mechanism == SASL_SCRAM_SHA_256_PLUS;
	struct str data = STR_NONE;

	if (is_bound != (gs2->flag == 'p'))
		return is_bound ? "no channel binding" :
		    "channel binding without its mechanism";
	if (gs2->flag == 'y' && s->offers_bound)
		return "channel binding was offered and taken away";
	if (is_bound) {
		data = sasl_binding_data(&s->binding, gs2->binding);
		if (data.n == 0)
			return "a channel binding that is unknown here";
	}
	/* what "c=" must hold */
	s->scram.binding = arena_join(s->arena, gs2->whole, data);
	return NULL;
}

/* nonce = "r=" c-nonce [s-nonce]; c-nonce = printable: %x21-2B / %x2D-7E */
static bool
is_nonce(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] <= 0x20 || s.p[i] > 0x7e || s.p[i] == ',')
			return false;
	return s.n > 0;
}

/* Extensions that need not be known: attr-val = ALPHA "=" 1*value-char */
static bool
are_extensions(struct str s)
{
	while (s.n > 0) {
		struct str e = str_cut(&s, ',');

		if (e.n < 3 || !ascii_is_alpha(e.p[0]) || e.p[1] != '=' ||
		    str_find(e, '\0') < e.n)
			return false;
	}
	return true;
}

/* "n=" saslname ",r=" nonce; "m=" would be an extension that must be known. */
static const char *
first_read(struct sasl *s, struct str bare, struct str *user)
{
	struct str name, nonce;

	s->scram.first = bare;
	name = str_cut(&bare, ',');
	if (!str_skip(&name, STR("n=")))
		return "no name, or an extension that is unknown here";
	nonce = str_cut(&bare, ',');
	if (!str_skip(&nonce, STR("r=")) || !is_nonce(nonce) ||
	    !are_extensions(bare))
		return "no nonce";
	if (!saslname_decode(s->arena, name, user))
		return "a name with loose equals signs";
	s->scram.nonce = arena_join(s->arena, nonce, s->nonce);
	return NULL;
}

static enum sasl_step
first_take(struct sasl *s, struct str message)
{
	struct str user, wish;
	const char *why;
	struct gs2 gs2;

	if (message.n > SCRAM_MESSAGE_MOST)
		return sasl_bad(s, "a very long message");
	if ((why = gs2_take(s->arena, &message, &gs2)) != NULL)
		return sasl_bad(s, why);
	if ((why = binding_judge(s, &gs2)) != NULL)
		return sasl_refused(s, why);
	if ((why = first_read(s, message, &user)) != NULL)
		return sasl_bad(s, why);
	if (s->scram.binding.p == NULL || s->scram.nonce.p == NULL)
		return SASL_FULL;
	if (!sasl_name(s, user, &s->user))
		return sasl_refused(s, s->why);
	if (gs2.authzid.n > 0 && (!sasl_name(s, gs2.authzid, &wish) ||
	    !str_eq(wish, s->user)))
		return sasl_refused(s,
		    "he asks to be taken for somebody else");
	return SASL_VERIFY;
}

enum sasl_step
sasl_verify(struct sasl *s, const struct scram_verifier *v, size_t n,
    struct buf *out)
{
	size_t before = out->n;

	must(s->stage == STAGE_FIRST && s->scram.nonce.p != NULL);
	must(n > 0 && v->salt_n > 0);
	s->scram.verifiers = v;
	s->scram.n_verifiers = n;
	buf_put(out, STR("r="));
	buf_put(out, s->scram.nonce);
	buf_put(out, STR(",s="));
	base64_encode((struct str){ (const char *)v->salt, v->salt_n }, out);
	buf_printf(out, ",i=%u", v->rounds);
	if (out->full)
		return sasl_bad(s, "a very long nonce");
	s->scram.challenge = arena_copy(s->arena, str_sub(buf_str(out), before,
	    out->n));
	s->stage = STAGE_PROOF;
	return s->scram.challenge.p == NULL ? SASL_FULL : SASL_SAY;
}

/* ---- the proof ---- */

/* ClientKey = ClientProof XOR HMAC(StoredKey, AuthMessage), and H(ClientKey) is
 * the StoredKey (RFC 5802 3). */
static bool
proof_fits(const struct scram_verifier *v, struct str text,
    const struct scram_key *proof)
{
	struct scram_key client, stored;
	bool fits;

	scram_sign(v->hash, &v->stored, text, &client);
	for (size_t i = 0; i < SCRAM_KEY; i++)
		client.octets[i] ^= proof->octets[i];
	scram_digest(v->hash, &client, &stored);
	fits = CRYPTO_memcmp(stored.octets, v->stored.octets, SCRAM_KEY) == 0;
	OPENSSL_cleanse(&client, sizeof client);
	return fits;
}

static bool
proof_read(struct str s, const struct scram_verifier *v, struct scram_key *out)
{
	struct buf b = { .p = (char *)out->octets, .cap = SCRAM_KEY };

	*out = (struct scram_key){ { 0 } };
	return base64_decode(s, &b) && b.n == scram_key_size(v->hash);
}

static bool
binding_is(struct sasl *s, struct str text)
{
	char room[SCRAM_MESSAGE_MOST];
	struct buf b = BUF_OF(room);

	return base64_decode(text, &b) && secret_is(buf_str(&b),
	    s->scram.binding);
}

static struct str
auth_message(struct sasl *s, struct str without_proof)
{
	struct str all = arena_join(s->arena, s->scram.first, STR(","));

	if (all.p != NULL)
		all = arena_join(s->arena, all, s->scram.challenge);
	if (all.p != NULL)
		all = arena_join(s->arena, all, STR(","));
	return all.p == NULL ? all :
	    arena_join(s->arena, all, without_proof);
}

static enum sasl_step
final_judge(struct sasl *s, struct str text, const struct scram_key *proof,
    struct buf *out)
{
	size_t n = s->scram.n_verifiers, found = n;
	const struct scram_verifier *v = s->scram.verifiers;
	struct scram_key signature;

	if (text.p == NULL)
		return SASL_FULL;
	/* as much work whichever it is */
	for (size_t i = 0; i < n; i++)
		if (proof_fits(&v[i], text, proof))
			found = i;
	if (found == n)
		return sasl_refused(s, "the name or the password is wrong");
	s->scram.proved = found;
	v += found;
	scram_sign(v->hash, &v->server, text, &signature);
	buf_put(out, STR("v="));
	base64_encode((struct str){ (const char *)signature.octets,
	    scram_key_size(v->hash) }, out);
	must(!out->full);
	s->stage = STAGE_PROVED;
	return SASL_SAY;
}

/* "c=" base64 ",r=" nonce ["," extensions] ",p=" base64 */
static enum sasl_step
final_take(struct sasl *s, struct str message, struct buf *out)
{
	size_t last = str_find_last(message, ',');
	struct str without = str_sub(message, 0, last);
	struct str proof = str_sub(message, last + 1, message.n);
	struct str rest = without, binding, nonce;
	struct scram_key key;

	if (message.n > SCRAM_MESSAGE_MOST || !str_skip(&proof, STR("p=")) ||
	    !proof_read(proof, s->scram.verifiers, &key))
		return sasl_bad(s, "no proof");
	binding = str_cut(&rest, ',');
	nonce = str_cut(&rest, ',');
	if (!str_skip(&binding, STR("c=")) || !str_skip(&nonce, STR("r=")) ||
	    !are_extensions(rest))
		return sasl_bad(s, "no channel binding, or no nonce");
	if (!binding_is(s, binding))
		return sasl_refused(s, "the channel bindings differ");
	if (!secret_is(nonce, s->scram.nonce))
		return sasl_refused(s, "another exchange's nonce");
	return final_judge(s, auth_message(s, without), &key, out);
}

enum sasl_step
sasl_scram_take(struct sasl *s, struct str message, struct buf *out)
{
	switch (s->stage) {
	case STAGE_FIRST:
		return first_take(s, message);
	case STAGE_PROOF:
		return final_take(s, message, out);
	default:
		/* RFC 4954 4: success has no data, so our proof went before it,
		 * and is answered with nothing */
		return message.n == 0 ? SASL_DONE :
		    sasl_bad(s, "words behind the end");
	}
}
