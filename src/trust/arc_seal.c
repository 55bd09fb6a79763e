/*
 * A set is made in the order in which its fields cover each other: results, the
 * message signature, the seal.  The tags of a signature stand in the order of
 * their names, without white space in a value, as most who seal write them; so
 * signatures can be compared with those of the vectors.  Lines are folded with a
 * space: dkimpy, which many lists verify by, looks for " i=1;" to the letter.
 */
#include "trust/arc.h"

#include "base/err.h"
#include "base/must.h"
#include "trust/digest.h"
#include "trust/dkim_sign.h"
#include "wire/base64.h"

enum {
	SEAL_NAMES_MOST = 700,		/* octets of h=, which are one line */
	SEAL_BASE64 = 4 * ((DKIM_SIGNED_MOST + 2) / 3),
	SEAL_SCRATCH = 2 * DIGEST_ARENA
};

/* A set that is made. */
struct sealing {
	struct dkim_signer *signer;
	struct digest *digest;
	const struct arc_answer *chain;
	const struct arc_seal_ask *ask;
	struct arena *arena;
	struct dkim_key_ref key;
	unsigned instance;
	struct str body_hash, names;
	struct str field[ARC_KINDS];	/* whole, with CRLF */
};

/* ---- fields ---- */

static int
sealing_no_room(void)
{
	return err_set("no room for an ARC set");
}

static struct buf
sealing_room(struct sealing *s, size_t n)
{
	struct buf b = { .p = arena_alloc(s->arena, n), .cap = n };

	b.full = b.p == NULL;
	return b;
}

/* RFC 8617 4.1.1 */
static int
results_make(struct sealing *s)
{
	struct buf out = sealing_room(s, ARC_RESULTS_MOST + 2048);
	struct str value = arena_printf(s->arena, "i=%u; " STR_FMT "; " STR_FMT,
	    s->instance, STR_ARG(s->ask->authserv_id), STR_ARG(s->ask->results));

	if (out.full || value.p == NULL || !header_put(&out,
	    STR("ARC-Authentication-Results"), value))
		return sealing_no_room();
	s->field[ARC_RESULTS] = buf_str(&out);
	return 0;
}

/* With b64, or empty as it is when it is signed. */
static struct str
signature_text(struct sealing *s, struct str b64)
{
	return arena_printf(s->arena, "ARC-Message-Signature: a=rsa-sha256;\r\n"
	    " b=" STR_FMT ";\r\n"
	    " bh=" STR_FMT "; c=relaxed/relaxed;\r\n"
	    " d=" STR_FMT ";\r\n h=" STR_FMT ";\r\n"
	    " i=%u; s=%s; t=%lld\r\n", STR_ARG(b64), STR_ARG(s->body_hash),
	    STR_ARG(s->ask->domain), STR_ARG(s->names), s->instance,
	    s->key.selector, (long long)(s->ask->now.us / US_PER_SECOND));
}

static struct str
seal_text(struct sealing *s, struct str b64)
{
	return arena_printf(s->arena, "ARC-Seal: a=rsa-sha256;\r\n"
	    " b=" STR_FMT ";\r\n"
	    " cv=%s; d=" STR_FMT ";\r\n"
	    " i=%u; s=%s; t=%lld\r\n", STR_ARG(b64),
	    arc_result_name(s->chain->result), STR_ARG(s->ask->domain),
	    s->instance, s->key.selector,
	    (long long)(s->ask->now.us / US_PER_SECOND));
}

/* ---- what the message signature covers ---- */

static void
name_put(struct buf *names, struct str name)
{
	if (names->n + name.n + 1 > SEAL_NAMES_MOST)
		return;
	if (names->n > 0)
		buf_putc(names, ':');
	for (size_t i = 0; i < name.n; i++)
		buf_putc(names, ascii_lower(name.p[i]));
}

static void
name_put_each(const struct sealing *s, struct buf *names, struct str name,
    bool is_over)
{
	for (size_t i = 0; i < digest_fields(s->digest); i++)
		if (str_eq_icase(digest_name(s->digest, i), name))
			name_put(names, name);
	if (is_over)
		name_put(names, name);
}

/*
 * RFC 8617 4.1.2: no ARC fields and no Authentication-Results, but
 * DKIM-Signatures; else what we sign by DKIM (RFC 6376 5.4.1).  Of From alone none
 * can be added: whoever comes next may be a list, which adds what it likes, and
 * seals anew.
 */
static int
names_choose(struct sealing *s)
{
	struct buf names = sealing_room(s, SEAL_NAMES_MOST);

	if (names.full)
		return sealing_no_room();
	s->names = s->ask->names;
	if (s->names.n > 0)
		return 0;
	name_put_each(s, &names, STR("From"), true);
	name_put_each(s, &names, STR("DKIM-Signature"), false);
#define OVER
#define THERE
#define SIGNED(name, times) \
	if (!str_eq(STR(name), STR("From"))) \
		name_put_each(s, &names, STR(name), false);
#include "trust/dkim_sign.def"
#undef SIGNED
#undef THERE
#undef OVER
	s->names = buf_str(&names);
	return 0;
}

static int
body_hash_print(struct sealing *s, int wish)
{
	unsigned char hash[DIGEST_OCTETS];
	struct buf out = sealing_room(s, 64);

	if (out.full)
		return sealing_no_room();
	if (!digest_body_hash(s->digest, wish, hash, NULL))
		return err_set("the message could not be hashed");
	base64_encode((struct str){ (const char *)hash, sizeof hash }, &out);
	s->body_hash = buf_str(&out);
	return out.full ? sealing_no_room() : 0;
}

/* ---- signing ---- */

/* The signature of these octets, as a field has it. */
static yields int
sealing_sign(struct sealing *s, struct str input, struct buf *b64)
{
	char room[DKIM_SIGNED_MOST];
	struct buf signature = BUF_OF(room);

	if (s->signer->sign(s->signer, s->ask->domain, &s->key, input,
	    &signature) != 0)
		return -1;
	base64_encode(buf_str(&signature), b64);
	return signature.full || b64->full ? sealing_no_room() : 0;
}

static yields int
signature_make(struct sealing *s)
{
	char room[SEAL_BASE64];
	struct buf b64 = BUF_OF(room), input;
	struct digest_ask ask = { .canon = CANON_RELAXED, .skip = SIZE_MAX };

	if (names_choose(s) != 0)
		return -1;
	ask.names = s->names;
	ask.last = signature_text(s, STR(""));
	if (ask.last.p == NULL)
		return sealing_no_room();
	input = sealing_room(s, digest_signed_most(s->digest, ask.last));
	if (input.full || !digest_signed(s->digest, &ask, &input))
		return sealing_no_room();
	if (sealing_sign(s, buf_str(&input), &b64) != 0)
		return -1;
	s->field[ARC_SIGNATURE] = signature_text(s, buf_str(&b64));
	return s->field[ARC_SIGNATURE].p == NULL ? sealing_no_room() : 0;
}

/* RFC 8617 5.1.1; 5.1.2: of a chain that failed nothing is covered. */
static void
chain_put(const struct sealing *s, struct buf *input)
{
	if (s->chain->result != ARC_PASS)
		return;
	for (unsigned i = 0; i < s->chain->n; i++)
		for (unsigned kind = 0; kind < ARC_KINDS; kind++)
			canon_field(CANON_RELAXED, digest_raw(s->digest,
			    s->chain->sets[i].at[kind]), input);
}

static yields int
seal_make(struct sealing *s)
{
	struct str bare = seal_text(s, STR(""));
	char room[SEAL_BASE64];
	struct buf b64 = BUF_OF(room), input = sealing_room(s,
	    digest_signed_most(s->digest, bare) + s->field[ARC_RESULTS].n +
	    s->field[ARC_SIGNATURE].n + 4);

	if (bare.p == NULL || input.full)
		return sealing_no_room();
	chain_put(s, &input);
	canon_field(CANON_RELAXED, s->field[ARC_RESULTS], &input);
	canon_field(CANON_RELAXED, s->field[ARC_SIGNATURE], &input);
	canon_signature(CANON_RELAXED, bare, &input);
	if (input.full)
		return sealing_no_room();
	if (sealing_sign(s, buf_str(&input), &b64) != 0)
		return -1;
	s->field[ARC_SEAL] = seal_text(s, buf_str(&b64));
	return s->field[ARC_SEAL].p == NULL ? sealing_no_room() : 0;
}

/* ---- the set ---- */

static yields int
key_choose(struct sealing *s, bool *has)
{
	struct dkim_key_ref keys[DKIM_KEYS_MOST];
	size_t n = 0;

	*has = false;
	if (s->signer->keys(s->signer, s->ask->domain, keys, &n) != 0)
		return -1;
	must(n <= DKIM_KEYS_MOST);
	for (size_t i = 0; i < n && !*has; i++)
		if (keys[i].algorithm == DKIM_RSA_SHA256) {
			s->key = keys[i];
			*has = true;
		}
	return 0;
}

static yields int
set_make(struct sealing *s, int wish, struct buf *out)
{
	bool has;

	if (key_choose(s, &has) != 0)
		return -1;
	if (!has)
		return 0;
	if (results_make(s) != 0 || body_hash_print(s, wish) != 0 ||
	    signature_make(s) != 0 || seal_make(s) != 0)
		return -1;
	for (unsigned kind = ARC_KINDS; kind > 0; kind--)
		buf_put(out, s->field[kind - 1]);
	return out->full ? sealing_no_room() : 0;
}

/* RFC 8617 5.1, 2 and 3. */
yields int
arc_seal(struct dkim_signer *signer, struct digest *digest, int wish,
    const struct arc_answer *chain, const struct arc_seal_ask *ask,
    struct buf *out)
{
	struct arena scratch;
	struct sealing s = { .signer = signer, .digest = digest, .chain = chain,
		.ask = ask, .arena = &scratch, .instance = chain->newest + 1 };
	int rc;

	must(ask->domain.n > 0 && ask->authserv_id.n > 0 && ask->results.n > 0);
	must((chain->result == ARC_NONE) == (chain->newest == 0) ||
	    chain->result == ARC_FAIL);
	if (chain->is_closed || chain->newest >= ARC_SETS_MOST)
		return 0;
	arena_init(&scratch, SEAL_SCRATCH);
	rc = set_make(&s, wish, out);
	arena_clear(&scratch);
	return rc;
}
