/*
 * The life of a signature:
 *
 * STATE    function that moves there  what is true
 * read     verify_add                 its hash of the body is wished, or it has
 *                                     an outcome already
 * over     verify_one                 it has an outcome
 *
 * What is wrong with a signature by itself is seen before the body; what is wrong
 * with its body before anybody is asked for its key.
 */
#include "trust/dkim_verify.h"

#include "base/must.h"
#include "trust/dkim_key.h"

#include <inttypes.h>

struct candidate {
	size_t field;			/* in the digest */
	int wish;			/* -1: it is over */
	struct dkim_signature signature;
	struct dkim_outcome *outcome;
};

struct dkim_verify {
	struct digest *digest;
	struct arena *arena;
	struct dkim_keys *keys;
	size_t n, others;		/* those that nobody looks at */
	struct candidate *candidates;	/* as many as there are signatures, at
					 * most DKIM_SIGNATURES */
	struct dkim_outcome *outcomes;	/* one more */
};

static void
candidate_end(struct candidate *c, enum dkim_result result, struct str why)
{
	c->wish = -1;
	c->outcome->result = result;
	c->outcome->why = why.p != NULL ? why : STR("there is no memory for it");
}

static void
verify_add(struct dkim_verify *v, size_t field)
{
	struct candidate *c = &v->candidates[v->n];
	struct dkim_outcome *o = &v->outcomes[v->n++];
	struct dkim_signature *s = &c->signature;
	const char *wrong = dkim_signature_read(digest_value(v->digest, field),
	    DKIM_SIGNATURE, v->arena, s);

	c->field = field;
	c->outcome = o;
	*o = (struct dkim_outcome){ .domain = s->domain,
		.selector = s->selector, .identity = s->identity,
		.algorithm = s->algorithm, .b = s->b };
	if (wrong != NULL) {
		candidate_end(c, DKIM_PERMERROR, str_of(wrong));
		return;
	}
	must(s->algorithm != DKIM_RSA_SHA1);
	c->wish = digest_want(v->digest, s->body, s->length);
	if (c->wish < 0)
		candidate_end(c, DKIM_NEUTRAL, STR("the message is signed for "
		    "too many lengths (l=)"));
}

static bool
is_signature(const struct digest *d, size_t field)
{
	return str_eq_icase(digest_name(d, field), STR("DKIM-Signature"));
}

/* A place for each signature that is looked at; most messages have few. */
static bool
verify_room(struct dkim_verify *v)
{
	size_t n = 0;

	for (size_t i = 0; i < digest_fields(v->digest) &&
	    n < DKIM_SIGNATURES; i++)
		n += is_signature(v->digest, i);
	v->candidates = arena_alloc(v->arena, n * sizeof *v->candidates);
	v->outcomes = arena_alloc(v->arena, (n + 1) * sizeof *v->outcomes);
	return v->candidates != NULL && v->outcomes != NULL;
}

struct dkim_verify *
dkim_verify_begin(struct digest *d, struct arena *arena)
{
	struct dkim_verify *v = arena_new(arena, struct dkim_verify);

	if (v == NULL || (v->keys = dkim_keys_new(arena)) == NULL)
		return NULL;
	v->digest = d;
	v->arena = arena;
	if (!verify_room(v))
		return NULL;
	for (size_t i = 0; i < digest_fields(d); i++) {
		if (!is_signature(d, i))
			continue;
		if (v->n < DKIM_SIGNATURES)
			verify_add(v, i);
		else
			v->others++;
	}
	return v;
}

/* ---- after the body ---- */

/* False: its time is over, or has not come. */
static bool
candidate_is_timely(struct candidate *c, struct wall now)
{
	int64_t seconds = now.us / US_PER_SECOND;
	const struct dkim_signature *s = &c->signature;

	if (s->expires_at >= 0 && s->expires_at < seconds - DKIM_DRIFT_SECONDS)
		candidate_end(c, DKIM_FAIL, STR("it has expired (x=)"));
	else if (s->signed_at > seconds + DKIM_DRIFT_SECONDS)
		candidate_end(c, DKIM_FAIL, STR("it is from the future (t=)"));
	else
		return true;
	return false;
}

static bool
candidate_has_body(struct dkim_verify *v, struct candidate *c, uint64_t *rest)
{
	unsigned char hash[DIGEST_OCTETS];
	const struct dkim_signature *s = &c->signature;
	uint64_t octets, covered;

	if (!digest_body_hash(v->digest, c->wish, hash, &octets)) {
		candidate_end(c, DKIM_TEMPERROR, STR_NONE);
		return false;
	}
	covered = s->length < 0 ? octets : (uint64_t)s->length;
	*rest = covered < octets ? octets - covered : 0;
	c->outcome->is_partial = *rest > 0;
	if (covered > octets)
		candidate_end(c, DKIM_FAIL, STR("the body is shorter than what "
		    "was signed (l=)"));
	else if (memcmp(hash, s->hash, sizeof hash) != 0)
		candidate_end(c, DKIM_FAIL, STR("the body is not what was "
		    "signed (bh=)"));
	else
		return true;
	return false;
}

/* RFC 6376 8.2, 6.1.3: a signature that leaves octets of the body to anybody does
 * not answer for the message. */
static void
candidate_conclude(struct dkim_verify *v, struct candidate *c,
    const struct dkim_key_answer *key, uint64_t rest)
{
	c->outcome->key_bits = key->key_bits;
	c->outcome->is_testing = key->is_testing;
	c->outcome->result = key->result;
	c->outcome->why = key->why;
	if (key->result == DKIM_PASS && rest > 0)
		candidate_end(c, DKIM_POLICY, arena_printf(v->arena,
		    "it leaves %" PRIu64 " octets of the body unsigned (l=)",
		    rest));
}

static yields void
verify_one(struct dkim_verify *v, struct candidate *c,
    const struct dns_quest *quest)
{
	struct digest_ask ask = { .canon = c->signature.header,
		.names = c->signature.names, .skip = c->field,
		.last = digest_raw(v->digest, c->field) };
	unsigned char hash[DIGEST_OCTETS];
	struct dkim_key_answer key;
	uint64_t rest;

	if (!candidate_is_timely(c, quest->now) ||
	    !candidate_has_body(v, c, &rest))
		return;
	if (!digest_signed_hash(v->digest, &ask, hash)) {
		candidate_end(c, DKIM_TEMPERROR, STR_NONE);
		return;
	}
	dkim_key_check(v->keys, quest, &c->signature, hash, &key);
	candidate_conclude(v, c, &key, rest);
}

/* SECURITY.md row 29 */
static void
verify_tell_others(struct dkim_verify *v)
{
	struct dkim_outcome *o = &v->outcomes[v->n];

	if (v->others == 0)
		return;
	o->result = DKIM_POLICY;
	o->why = arena_printf(v->arena, "%zu more signatures were not looked at",
	    v->others);
	if (o->why.p == NULL)
		o->why = STR("more signatures were not looked at");
}

yields const struct dkim_outcome *
dkim_verify_end(struct dkim_verify *v, const struct dns_quest *quest, size_t *n)
{
	must(v->n <= DKIM_SIGNATURES);
	for (size_t i = 0; i < v->n; i++)
		if (v->candidates[i].wish >= 0)
			verify_one(v, &v->candidates[i], quest);
	verify_tell_others(v);
	*n = v->n + (v->others > 0);
	return v->outcomes;
}
