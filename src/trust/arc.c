/*
 * RFC 8617 5.2, with two liberties that change no result: what a field says is
 * looked at before any key is asked for, and oldest-pass, which is optional, comes
 * last, so that it spends only what the seals left of the budget.
 *
 *	STATE    function that moves there  what is true
 *	found    arc_verify_begin           the sets are complete and in order, or
 *	                                    `why' says why not; hashes are wished
 *	hashed   chain_hash                 what each seal covers is known
 *	over     arc_verify_end             the answer stands
 */
#include "trust/arc.h"

#include "base/must.h"
#include "trust/digest.h"
#include "trust/dkim_key.h"

#include <openssl/evp.h>

enum { ARC_SCRATCH = 2 * HEADER_OCTETS_MOST };

/* One instance, as it is found. */
struct arc_link {
	bool has[ARC_KINDS];
	size_t at[ARC_KINDS];
	struct dkim_signature signature, seal;
	struct str results;
	int wish;			/* of the digest: the body's hash */
	unsigned char hash[DIGEST_OCTETS];	/* of what the seal covers */
};

struct arc_verify {
	struct digest *digest;
	struct arena *arena;
	struct arc_link *links;		/* NULL: no field was seen */
	unsigned newest;
	bool is_closed;
	struct str why;			/* n == 0: the structure is fine */
	bool is_full;			/* of memory */
};

/* The first reason stays. */
static void
arc_wrong(struct arc_verify *v, struct str why)
{
	if (why.p == NULL)
		v->is_full = true;
	else if (v->why.n == 0)
		v->why = why;
}

/* ---- finding the sets ---- */

/* What it was read in is larger than what is kept of it. */
static const char *
signature_read(struct arc_verify *v, struct str value, enum dkim_field field,
    struct dkim_signature *out)
{
	struct arena scratch;
	const char *why;

	arena_init(&scratch, ARC_SCRATCH);
	why = dkim_signature_read(value, field, &scratch, out);
	if (why == NULL) {
		out->domain = arena_copy(v->arena, out->domain);
		out->selector = arena_copy(v->arena, out->selector);
		out->signature = arena_copy(v->arena, out->signature);
		v->is_full |= out->domain.p == NULL ||
		    out->selector.p == NULL || out->signature.p == NULL;
	}
	out->b = STR_NONE;
	arena_clear(&scratch);
	return why;
}

static const char *
link_read(struct arc_verify *v, enum arc_kind kind, struct str value,
    struct arc_link *link, unsigned *instance)
{
	const char *why = NULL;

	switch (kind) {
	case ARC_RESULTS:
		return arc_results_read(value, instance, &link->results);
	case ARC_SIGNATURE:
		why = signature_read(v, value, DKIM_ARC_MESSAGE,
		    &link->signature);
		*instance = link->signature.instance;
		return why;
	case ARC_SEAL:
		why = signature_read(v, value, DKIM_ARC_SEAL, &link->seal);
		*instance = link->seal.instance;
		return why;
	case ARC_KINDS:
		break;
	}
	must(false);
}

/* RFC 8617 5.2, 3 A and B: one of each for each instance. */
static void
link_keep(struct arc_verify *v, enum arc_kind kind, size_t field,
    unsigned instance, const struct arc_link *read)
{
	struct arc_link *link = &v->links[instance - 1];

	if (instance > v->newest) {
		v->newest = instance;
		v->is_closed = false;
	}
	if (kind == ARC_SEAL && instance == v->newest &&
	    str_eq(read->seal.cv, STR("fail")))
		v->is_closed = true;
	if (link->has[kind]) {
		arc_wrong(v, arena_printf(v->arena, "instance %u has two "
		    STR_FMT, instance, STR_ARG(digest_name(v->digest, field))));
		return;
	}
	link->has[kind] = true;
	link->at[kind] = field;
	if (kind == ARC_RESULTS)
		link->results = read->results;
	else if (kind == ARC_SIGNATURE)
		link->signature = read->signature;
	else
		link->seal = read->seal;
}

/* A chain that is broken is read on only to know the highest instance, to which
 * ours is the next; of what is read then nothing is kept. */
static void
field_look(struct arc_verify *v, size_t field, enum arc_kind kind)
{
	struct arena_mark mark = arena_mark(v->arena);
	struct arc_link read = { .wish = -1 };
	unsigned instance = 0;
	const char *why = link_read(v, kind, digest_value(v->digest, field),
	    &read, &instance);

	if (why != NULL)
		arc_wrong(v, arena_printf(v->arena, STR_FMT ": %s",
		    STR_ARG(digest_name(v->digest, field)), why));
	if (instance > 0 && instance <= ARC_SETS_MOST)
		link_keep(v, kind, field, instance, &read);
	if (v->why.n > 0 && why == NULL)
		arena_back(v->arena, mark);
}

/* RFC 8617 5.2, 3 C: the first says none, all others pass. */
static void
link_judge(struct arc_verify *v, unsigned instance)
{
	static const char *const missing[ARC_KINDS] = {
		[ARC_RESULTS] = "ARC-Authentication-Results",
		[ARC_SIGNATURE] = "ARC-Message-Signature",
		[ARC_SEAL] = "ARC-Seal",
	};
	const struct arc_link *link = &v->links[instance - 1];
	struct str cv = instance == 1 ? STR("none") : STR("pass");

	for (unsigned kind = 0; kind < ARC_KINDS; kind++)
		if (!link->has[kind]) {
			arc_wrong(v, arena_printf(v->arena, "instance %u has no "
			    "%s", instance, missing[kind]));
			return;
		}
	if (!str_eq(link->seal.cv, cv))
		arc_wrong(v, arena_printf(v->arena, "ARC-Seal %u says cv="
		    STR_FMT " instead of " STR_FMT, instance,
		    STR_ARG(str_sub(link->seal.cv, 0, 40)), STR_ARG(cv)));
	if (dkim_names_have(link->signature.names, STR("ARC-Seal")))
		arc_wrong(v, arena_printf(v->arena, "ARC-Message-Signature %u "
		    "signs ARC-Seal", instance));
}

static void
chain_judge(struct arc_verify *v)
{
	if (v->is_closed)
		arc_wrong(v, arena_printf(v->arena, "ARC-Seal %u says cv=fail",
		    v->newest));
	for (unsigned i = 1; i <= v->newest && v->why.n == 0 && !v->is_full; i++)
		link_judge(v, i);
}

/* The newest first: there may be more wishes than a digest grants. */
static void
chain_wish(struct arc_verify *v)
{
	for (unsigned i = v->newest; i > 0; i--) {
		struct arc_link *link = &v->links[i - 1];

		link->wish = digest_want(v->digest, link->signature.body,
		    link->signature.length);
	}
}

struct arc_verify *
arc_verify_begin(struct digest *digest, struct arena *arena)
{
	struct arc_verify *v = arena_new(arena, struct arc_verify);

	if (v == NULL)
		return NULL;
	v->digest = digest;
	v->arena = arena;
	for (size_t i = 0; i < digest_fields(digest) && !v->is_full; i++) {
		enum arc_kind kind = arc_kind(digest_name(digest, i));

		if (kind == ARC_KINDS)
			continue;
		if (v->links == NULL)
			v->links = arena_alloc(arena, ARC_SETS_MOST *
			    sizeof *v->links);
		if (v->links == NULL)
			return NULL;
		field_look(v, i, kind);
	}
	if (v->links != NULL)
		chain_judge(v);
	if (v->links != NULL && v->why.n == 0 && !v->is_full)
		chain_wish(v);
	return v->is_full ? NULL : v;
}

/* ---- what seals cover ---- */

static void
hash_take(void *arg, struct str octets)
{
	(void)EVP_DigestUpdate(arg, octets.p, octets.n);
}

/* One seal: what came before and its own set, the seal last, without its b=. */
static bool
link_hash(struct arc_verify *v, struct arc_link *link, EVP_MD_CTX *all,
    EVP_MD_CTX *one)
{
	struct canon_sink to_all = { hash_take, all }, to_one = { hash_take, one };
	struct str seal = digest_raw(v->digest, link->at[ARC_SEAL]);

	for (unsigned kind = ARC_RESULTS; kind < ARC_SEAL; kind++)
		canon_field_to(CANON_RELAXED, digest_raw(v->digest,
		    link->at[kind]), to_all);
	if (EVP_MD_CTX_copy_ex(one, all) != 1)
		return false;
	canon_signature_to(CANON_RELAXED, seal, to_one);
	canon_field_to(CANON_RELAXED, seal, to_all);
	return EVP_DigestFinal_ex(one, link->hash, NULL) == 1;
}

/* RFC 8617 5.1.1: in increasing order of instances.  Each seal covers all before
 * it; hashed in one pass, fifty cost no more than the header is long. */
static bool
chain_hash(struct arc_verify *v)
{
	EVP_MD_CTX *all = EVP_MD_CTX_new(), *one = EVP_MD_CTX_new();
	bool is_fine = all != NULL && one != NULL &&
	    EVP_DigestInit_ex(all, EVP_sha256(), NULL) == 1;

	for (unsigned i = 0; i < v->newest && is_fine; i++)
		is_fine = link_hash(v, &v->links[i], all, one);
	EVP_MD_CTX_free(all);
	EVP_MD_CTX_free(one);
	return is_fine;
}

/* ---- keys ---- */

/* What a check of a chain goes by. */
struct arc_check {
	struct arc_verify *v;
	struct dkim_keys *keys;
	const struct dns_quest *quest;
};

/* NULL: good. */
static yields const char *
link_check_key(struct arc_check *c, const struct dkim_signature *s,
    const unsigned char hash[DIGEST_OCTETS])
{
	struct dkim_key_answer answer;

	dkim_key_check(c->keys, c->quest, s, hash, &answer);
	if (answer.result == DKIM_PASS)
		return NULL;
	return answer.why.n > 0 ? arena_cstr(c->v->arena, answer.why) :
	    "its key cannot be had";
}

/* What x= says of an ARC-Message-Signature it says as of a DKIM-Signature. */
static bool
signature_is_over(const struct arc_check *c, const struct dkim_signature *s)
{
	return s->expires_at >= 0 &&
	    s->expires_at < c->quest->now.us / US_PER_SECOND;
}

/* The message signature of one instance; NULL: it holds. */
static yields const char *
signature_check(struct arc_check *c, struct arc_link *link)
{
	struct digest *d = c->v->digest;
	const struct dkim_signature *s = &link->signature;
	const struct digest_ask ask = { .canon = s->header, .names = s->names,
		.last = digest_raw(d, link->at[ARC_SIGNATURE]),
		.skip = link->at[ARC_SIGNATURE] };
	unsigned char hash[DIGEST_OCTETS];

	if (link->wish < 0)
		return "there are too many ways to hash the body";
	if (signature_is_over(c, s))
		return "it has expired";
	if (!digest_body_hash(d, link->wish, hash, NULL))
		return "the message could not be hashed";
	if (memcmp(hash, s->hash, sizeof hash) != 0)
		return "the body was changed";
	if (!digest_signed_hash(d, &ask, hash))
		return "the message could not be hashed";
	return link_check_key(c, s, hash);
}

static void
chain_wrong(struct arc_check *c, const char *field, unsigned instance,
    const char *why)
{
	arc_wrong(c->v, arena_printf(c->v->arena, "%s %u: %s", field, instance,
	    why));
}

/* RFC 8617 5.2, 4 and 6.  False: the chain has failed. */
static yields bool
chain_check(struct arc_check *c)
{
	struct arc_verify *v = c->v;
	const char *why = signature_check(c, &v->links[v->newest - 1]);

	if (why != NULL) {
		chain_wrong(c, "ARC-Message-Signature", v->newest, why);
		return false;
	}
	if (!chain_hash(v)) {
		arc_wrong(v, STR("the seals could not be hashed"));
		return false;
	}
	for (unsigned i = v->newest; i > 0; i--) {
		struct arc_link *link = &v->links[i - 1];

		why = link_check_key(c, &link->seal, link->hash);
		if (why != NULL) {
			chain_wrong(c, "ARC-Seal", i, why);
			return false;
		}
	}
	return true;
}

/* RFC 8617 5.2, 5 */
static yields unsigned
chain_oldest_pass(struct arc_check *c)
{
	unsigned i = c->v->newest;

	while (i > 1 && signature_check(c, &c->v->links[i - 2]) == NULL)
		i--;
	return i == 1 ? 0 : i;
}

/* ---- the answer ---- */

static bool
sets_fill(const struct arc_verify *v, struct arc_answer *out)
{
	out->sets = arena_alloc(v->arena, v->newest * sizeof *out->sets);
	if (out->sets == NULL)
		return false;
	out->n = v->newest;
	for (unsigned i = 0; i < v->newest; i++) {
		const struct arc_link *link = &v->links[i];
		struct arc_set *set = &out->sets[i];

		memcpy(set->at, link->at, sizeof set->at);
		set->seal_domain = link->seal.domain;
		set->seal_selector = link->seal.selector;
		set->signature_domain = link->signature.domain;
		set->signs_author = dkim_names_have(link->signature.names,
		    STR("From"));
		set->cv = link->seal.cv;
		set->results = link->results;
	}
	return true;
}

yields void
arc_verify_end(struct arc_verify *v, const struct dns_quest *quest,
    struct arc_answer *out)
{
	struct arc_check check = { .v = v, .quest = quest };

	*out = (struct arc_answer){ .result = ARC_FAIL, .newest = v->newest,
		.is_closed = v->is_closed };
	if (v->links == NULL) {
		out->result = ARC_NONE;
		return;
	}
	out->why = v->why;
	if (out->why.n > 0)
		return;
	must(v->newest > 0);
	check.keys = dkim_keys_new(v->arena);
	if (check.keys == NULL || !sets_fill(v, out)) {
		out->why = STR("there was no memory to check it");
		return;
	}
	if (chain_check(&check)) {
		out->result = ARC_PASS;
		out->oldest_pass = chain_oldest_pass(&check);
	} else
		out->why = v->why.n > 0 ? v->why :
		    STR("there was no memory to check it");
}

/* ---- whom to believe ---- */

/* "a.example", or "*.a.example" for any below it. */
static bool
domain_is_one(struct str domain, const struct str *domains, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct str below = domains[i];

		if (str_eq_icase(domain, below) || (str_skip(&below, STR("*")) &&
		    below.n > 1 && domain.n > below.n &&
		    str_has_suffix_icase(domain, below)))
			return true;
	}
	return false;
}

/* An unknown sealer above a trusted one may have put another's old sets upon a
 * message of his own: a seal covers the sets, the newest message signature alone
 * the message. */
const struct arc_set *
arc_first_trusted(const struct arc_answer *answer, const struct str *domains,
    size_t n)
{
	const struct arc_set *first = NULL;

	if (answer->result != ARC_PASS ||
	    !answer->sets[answer->n - 1].signs_author)
		return NULL;
	for (unsigned i = answer->n; i > 0; i--) {
		const struct arc_set *set = &answer->sets[i - 1];

		if (!domain_is_one(set->seal_domain, domains, n))
			break;
		first = set;
	}
	return first;
}
