/*
 * The life of a digest:
 *
 * STATE   function that moves there  what is true
 * header  digest_new                 fields are copied, wishes are taken
 * body    digest_body                a run for each canonicalization that is
 *                                    wished; wishes are met when it is as long
 * over    digest_end                 each wish has its hash
 *
 * Lists of names are looked up in `slots': the fields in the order of their
 * names, made when the first list comes.
 */
#include "trust/digest.h"

#include "base/must.h"

#include <openssl/evp.h>
#include <stdlib.h>

/* Each block of fields is twice as long as the one before it: a slow client's
 * few fields cost little, and BLOCKS hold what a header may have. */
enum { BLOCK_FIELDS = 8, BLOCKS = 11 };

_Static_assert(BLOCK_FIELDS * ((1 << BLOCKS) - 1) >= HEADER_LINES_MOST,
    "all fields of a header have a place");

struct entry {
	struct str raw;
	uint32_t name_n;
};

/* A field, where it stands by name.  The first of a name has the number of those
 * alike, and how many of them list `list' has taken. */
struct slot {
	uint32_t field, alike, taken;
	uint32_t list;
};

struct wish {
	enum canon canon;
	uint64_t length;		/* UINT64_MAX: all */
	bool is_met;
	unsigned char hash[DIGEST_OCTETS];
};

/* A body on its way through one canonicalization. */
struct run {
	struct digest *digest;
	EVP_MD_CTX *ctx;
	struct canon_body body;
	uint64_t octets;		/* hashed */
};

struct digest {
	struct arena *arena;
	struct entry *blocks[BLOCKS];
	size_t n;			/* fields */
	size_t octets;			/* of them */
	struct slot *slots;
	uint32_t lists;
	struct wish *wishes;		/* DIGEST_WISHES; NULL: none yet */
	int n_wishes;
	struct run *runs[CANONS];	/* NULL: nobody wishes it */
	EVP_MD_CTX *side;		/* for what is hashed besides */
	bool in_body, is_over, has_failed;
};

static void
digest_free(void *arg)
{
	struct digest *d = arg;

	for (int i = 0; i < CANONS; i++)
		if (d->runs[i] != NULL)
			EVP_MD_CTX_free(d->runs[i]->ctx);
	EVP_MD_CTX_free(d->side);
}

struct digest *
digest_new(struct arena *arena)
{
	struct digest *d = arena_new(arena, struct digest);

	if (d == NULL || arena_defer(arena, digest_free, d) != 0)
		return NULL;
	d->arena = arena;
	d->side = EVP_MD_CTX_new();
	return d->side == NULL ? NULL : d;
}

static bool
digest_fail(struct digest *d)
{
	d->has_failed = true;
	return false;
}

/* ---- fields ---- */

/* Block b begins behind BLOCK_FIELDS * (2^b - 1) fields. */
static size_t
block_of(size_t i)
{
	size_t b = 0;

	for (size_t n = i / BLOCK_FIELDS + 1; n > 1; n /= 2)
		b++;
	must(b < BLOCKS);
	return b;
}

static size_t
block_start(size_t b)
{
	return BLOCK_FIELDS * (((size_t)1 << b) - 1);
}

static const struct entry *
digest_entry(const struct digest *d, size_t i)
{
	size_t b = block_of(i);

	must(i < d->n);
	return &d->blocks[b][i - block_start(b)];
}

/* The place of the next one.  NULL: no memory. */
static struct entry *
digest_place(struct digest *d)
{
	size_t b = block_of(d->n), at = d->n - block_start(b);

	if (d->blocks[b] == NULL)
		d->blocks[b] = arena_alloc(d->arena,
		    ((size_t)BLOCK_FIELDS << b) * sizeof *d->blocks[b]);
	return d->blocks[b] == NULL ? NULL : &d->blocks[b][at];
}

bool
digest_field(struct digest *d, const struct field *field)
{
	struct entry *place;
	struct str raw;

	must(!d->in_body && d->slots == NULL);
	must(field->name.n <= field->raw.n);
	if (d->has_failed || d->n >= HEADER_LINES_MOST ||
	    field->raw.n > HEADER_OCTETS_MOST - d->octets)
		return digest_fail(d);
	place = digest_place(d);
	raw = arena_copy(d->arena, field->raw);
	if (place == NULL || raw.p == NULL)
		return digest_fail(d);
	*place = (struct entry){ raw, (uint32_t)field->name.n };
	d->n++;
	d->octets += raw.n;
	return true;
}

size_t
digest_fields(const struct digest *d)
{
	return d->n;
}

struct str
digest_raw(const struct digest *d, size_t i)
{
	return digest_entry(d, i)->raw;
}

struct str
digest_name(const struct digest *d, size_t i)
{
	const struct entry *e = digest_entry(d, i);

	return str_sub(e->raw, 0, e->name_n);
}

struct str
digest_value(const struct digest *d, size_t i)
{
	struct str value = digest_raw(d, i);

	str_cut(&value, ':');
	if (value.n >= 2 && value.p[value.n - 1] == '\n' &&
	    value.p[value.n - 2] == '\r')
		value.n -= 2;
	return value;
}

/* ---- the body ---- */

int
digest_want(struct digest *d, enum canon canon, int64_t length)
{
	struct wish w = { .canon = canon, .length = length < 0 ? UINT64_MAX :
	    (uint64_t)length };

	must(!d->in_body && (int)canon < CANONS);
	for (int i = 0; i < d->n_wishes; i++)
		if (d->wishes[i].canon == canon &&
		    d->wishes[i].length == w.length)
			return i;
	if (d->n_wishes == DIGEST_WISHES)
		return -1;
	if (d->wishes == NULL && (d->wishes = arena_alloc(d->arena,
	    DIGEST_WISHES * sizeof *d->wishes)) == NULL) {
		(void)digest_fail(d);
		return -1;
	}
	d->wishes[d->n_wishes] = w;
	return d->n_wishes++;
}

/* The hash so far is what was wished. */
static bool
wish_meet(struct digest *d, struct wish *w, const EVP_MD_CTX *ctx)
{
	w->is_met = EVP_MD_CTX_copy_ex(d->side, ctx) == 1 &&
	    EVP_DigestFinal_ex(d->side, w->hash, NULL) == 1;
	return w->is_met || digest_fail(d);
}

/* How many octets go before the next wish is met. */
static uint64_t
run_meet(struct run *r)
{
	struct digest *d = r->digest;
	uint64_t next = UINT64_MAX;

	for (int i = 0; i < d->n_wishes; i++) {
		struct wish *w = &d->wishes[i];

		if (d->runs[w->canon] != r || w->is_met)
			continue;
		if (w->length == r->octets && !wish_meet(d, w, r->ctx))
			return UINT64_MAX;
		if (!w->is_met && w->length - r->octets < next)
			next = w->length - r->octets;
	}
	return next;
}

static void
run_take(void *arg, struct str octets)
{
	struct run *r = arg;

	while (octets.n > 0 && !r->digest->has_failed) {
		uint64_t most = run_meet(r);
		struct str now = str_sub(octets, 0, most < octets.n ?
		    (size_t)most : octets.n);

		must(now.n > 0);
		if (EVP_DigestUpdate(r->ctx, now.p, now.n) != 1)
			digest_fail(r->digest);
		r->octets += now.n;
		octets = str_sub(octets, now.n, octets.n);
	}
}

static void
run_begin(struct digest *d, enum canon canon)
{
	struct run *r = d->runs[canon];

	if (r != NULL)
		return;
	r = d->runs[canon] = arena_new(d->arena, struct run);
	if (r == NULL) {
		(void)digest_fail(d);
		return;
	}
	r->digest = d;
	r->ctx = EVP_MD_CTX_new();
	if (r->ctx == NULL ||
	    EVP_DigestInit_ex(r->ctx, EVP_sha256(), NULL) != 1)
		digest_fail(d);
	canon_body_begin(&r->body, canon, (struct canon_sink){ run_take, r });
}

static void
digest_begin_body(struct digest *d)
{
	for (int i = 0; i < d->n_wishes; i++)
		run_begin(d, d->wishes[i].canon);
	d->in_body = true;
}

void
digest_body(struct digest *d, struct str octets)
{
	must(!d->is_over);
	if (!d->in_body)
		digest_begin_body(d);
	for (int i = 0; i < CANONS && !d->has_failed; i++)
		if (d->runs[i] != NULL)
			canon_body_put(&d->runs[i]->body, octets);
}

bool
digest_end(struct digest *d)
{
	must(!d->is_over);
	if (!d->in_body)
		digest_begin_body(d);
	d->is_over = true;
	for (int i = 0; i < CANONS && !d->has_failed; i++)
		if (d->runs[i] != NULL) {
			canon_body_end(&d->runs[i]->body);
			(void)run_meet(d->runs[i]);
		}
	for (int i = 0; i < d->n_wishes && !d->has_failed; i++)
		if (!d->wishes[i].is_met)
			(void)wish_meet(d, &d->wishes[i],
			    d->runs[d->wishes[i].canon]->ctx);
	return !d->has_failed;
}

bool
digest_body_hash(const struct digest *d, int wish,
    unsigned char out[DIGEST_OCTETS], uint64_t *octets)
{
	const struct wish *w = &d->wishes[wish];

	must(d->is_over && wish >= 0 && wish < d->n_wishes);
	if (d->has_failed)
		return false;
	must(w->is_met);
	memcpy(out, w->hash, DIGEST_OCTETS);
	if (octets != NULL)
		*octets = d->runs[w->canon]->octets;
	return true;
}

/* ---- lists of names ---- */

/* As memcmp(), without case. */
static int
name_order(struct str a, struct str b)
{
	for (size_t i = 0; i < a.n && i < b.n; i++) {
		char x = ascii_lower(a.p[i]), y = ascii_lower(b.p[i]);

		if (x != y)
			return x < y ? -1 : 1;
	}
	return a.n == b.n ? 0 : a.n < b.n ? -1 : 1;
}

static int
slot_order(const void *a, const void *b, void *arg)
{
	const struct slot *x = a, *y = b;
	int order = name_order(digest_name(arg, x->field),
	    digest_name(arg, y->field));

	return order != 0 ? order : x->field < y->field ? -1 : 1;
}

static bool
digest_sort(struct digest *d)
{
	if (d->slots != NULL)
		return true;
	d->slots = arena_alloc(d->arena, (d->n + 1) * sizeof *d->slots);
	if (d->slots == NULL)
		return digest_fail(d);
	for (size_t i = 0; i < d->n; i++)
		d->slots[i].field = (uint32_t)i;
	qsort_r(d->slots, d->n, sizeof *d->slots, slot_order, d);
	for (size_t i = 0, first = 0; i < d->n; i++) {
		if (name_order(digest_name(d, d->slots[first].field),
		    digest_name(d, d->slots[i].field)) != 0)
			first = i;
		d->slots[first].alike++;
	}
	return true;
}

/* The first field of that name, in `slots'; NULL: there is none. */
static struct slot *
slot_find(struct digest *d, struct str name)
{
	size_t low = 0, high = d->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (name_order(digest_name(d, d->slots[middle].field),
		    name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < d->n && name_order(digest_name(d, d->slots[low].field),
	    name) == 0 ? &d->slots[low] : NULL;
}

/* RFC 6376 5.4.2: of fields that are there several times the last comes first,
 * and a name for which nothing is left stands for nothing. */
static const struct entry *
slot_take(struct digest *d, struct slot *first, size_t skip)
{
	if (first->list != d->lists) {
		first->list = d->lists;
		first->taken = 0;
	}
	while (first->taken < first->alike) {
		size_t field = first[first->alike - ++first->taken].field;

		if (field != skip)
			return digest_entry(d, field);
	}
	return NULL;
}

static void
names_put(struct digest *d, const struct digest_ask *ask,
    struct canon_sink sink)
{
	struct str names = ask->names;

	d->lists++;
	must(d->lists > 0);
	while (names.n > 0) {
		struct slot *first = slot_find(d, str_trim(str_cut(&names,
		    ':')));
		const struct entry *e = first == NULL ? NULL :
		    slot_take(d, first, ask->skip);

		if (e != NULL)
			canon_field_to(ask->canon, e->raw, sink);
	}
	canon_signature_to(ask->canon, ask->last, sink);
}

static void
buf_take(void *arg, struct str octets)
{
	buf_put(arg, octets);
}

bool
digest_signed(struct digest *d, const struct digest_ask *ask, struct buf *out)
{
	if (d->has_failed || !digest_sort(d))
		return false;
	names_put(d, ask, (struct canon_sink){ buf_take, out });
	return !out->full;
}

/* Each field once, and each may lack its CRLF. */
size_t
digest_signed_most(const struct digest *d, struct str last)
{
	return d->octets + 2 * d->n + last.n;
}

static void
side_take(void *arg, struct str octets)
{
	struct digest *d = arg;

	if (!d->has_failed && EVP_DigestUpdate(d->side, octets.p,
	    octets.n) != 1)
		digest_fail(d);
}

static bool
side_begin(struct digest *d)
{
	if (d->has_failed)
		return false;
	return EVP_DigestInit_ex(d->side, EVP_sha256(), NULL) == 1 ||
	    digest_fail(d);
}

static bool
side_end(struct digest *d, unsigned char out[DIGEST_OCTETS])
{
	if (d->has_failed)
		return false;
	return EVP_DigestFinal_ex(d->side, out, NULL) == 1 || digest_fail(d);
}

bool
digest_signed_hash(struct digest *d, const struct digest_ask *ask,
    unsigned char out[DIGEST_OCTETS])
{
	if (d->has_failed || !digest_sort(d) || !side_begin(d))
		return false;
	names_put(d, ask, (struct canon_sink){ side_take, d });
	return side_end(d, out);
}
