#include "spool/index.h"

#include "base/id.h"
#include "base/must.h"
#include "spool/record.h"

#include <stdlib.h>

/*
 * STATE     moved by        what is true
 * new       kept_new        has room; nobody can find it
 * live      index_insert    in the table; counts in n; holds its segments
 * over      index_settle    pinned: still in the table, counts no more
 * gone      index_settle    room and segments given back
 */

/* malloc's own head between two chunks is part of their stride, or each of them
 * would leave a hole of as much as itself before the next. */
enum { CHUNK_BYTES = 64 * 1024, CHUNK_USED = CHUNK_BYTES - 64 };

struct chunk {
	struct link link;		/* in index.chunks while it has room */
	struct kept *free;		/* linked by node.next */
	size_t used, fresh;		/* fresh: never given yet, from [fresh] */
};

enum {
	CHUNK_HEAD = (sizeof(struct chunk) + 63) / 64 * 64,
	CHUNK_KEPT = (CHUNK_USED - CHUNK_HEAD) / sizeof(struct kept)
};

/* ---- room ---- */

static struct kept *
chunk_at(struct chunk *c, size_t i)
{
	return (struct kept *)(void *)((char *)c + CHUNK_HEAD) + i;
}

static struct chunk *
chunk_of(struct kept *k)
{
	uintptr_t at = (uintptr_t)k & ~(uintptr_t)(CHUNK_BYTES - 1);

	return (struct chunk *)at;
}

static struct chunk *
chunk_new(struct index *x)
{
	void *room = NULL;
	struct chunk *c;

	if (posix_memalign(&room, CHUNK_BYTES, CHUNK_USED) != 0)
		return NULL;
	c = room;
	*c = (struct chunk){ .free = NULL };
	list_push(&x->chunks, &c->link);
	return c;
}

static struct kept *
chunk_take(struct index *x)
{
	struct link *first = list_first(&x->chunks);
	struct chunk *c = first == NULL ? chunk_new(x) :
	    OWNER_OF(first, struct chunk, link);
	struct kept *k;

	if (c == NULL)
		return NULL;
	if (c->free != NULL) {
		k = c->free;
		c->free = (struct kept *)(void *)k->node.next;
	} else {
		must(c->fresh < CHUNK_KEPT);
		k = chunk_at(c, c->fresh++);
	}
	if (++c->used == CHUNK_KEPT)
		list_remove(&c->link);
	*k = (struct kept){ .n = 0 };
	return k;
}

static void
chunk_give(struct index *x, struct kept *k)
{
	struct chunk *c = chunk_of(k);

	must(c->used > 0);
	k->node.next = (struct table_node *)(void *)c->free;
	c->free = k;
	if (c->used-- == CHUNK_KEPT)
		list_append(&x->chunks, &c->link);
	if (c->used == 0) {
		list_remove(&c->link);
		free(c);
	}
}

int
index_init(struct index *x)
{
	struct table_node first = { .next = NULL };

	*x = (struct index){ .n = 0 };
	list_init(&x->chunks);
	list_init(&x->more);
	/* The first buckets are made now; no later insert can fail. */
	if (table_insert(&x->table, &first, 0) != 0)
		return -1;
	table_remove(&x->table, &first);
	return 0;
}

void
index_clear(struct index *x)
{
	struct table_walk w = { .bucket = 0 };
	struct table_node *k;

	while ((k = table_walk(&x->table, &w)) != NULL) {
		struct kept *kept = OWNER_OF(k, struct kept, node);

		table_remove(&x->table, k);
		kept_drop(x, kept);
	}
	table_clear(&x->table);
	must(list_is_empty(&x->chunks) && list_is_empty(&x->more));
}

/* ---- one message ---- */

static int
kept_more_new(struct index *x, struct kept *k, size_t extents)
{
	size_t words = k->n <= KEPT_INLINE ? 0 : (k->n + 63u) / 64u;
	size_t room;
	struct kept_more *m;

	if (words == 0 && extents == 0)
		return 0;
	if (__builtin_mul_overflow(extents, sizeof(struct extent), &room) ||
	    __builtin_add_overflow(room, sizeof *m + words * 8, &room))
		return -1;
	m = calloc(1, room);
	if (m == NULL)
		return -1;
	m->kept = k;
	m->n_extents = extents;
	m->extents = (struct extent *)(void *)(m->bits + words);
	list_append(&x->more, &m->link);
	k->more = m;
	return 0;
}

struct kept *
kept_new(struct index *x, uint64_t id, uint32_t recipients, size_t extents)
{
	struct kept *k = chunk_take(x);

	must(recipients > 0);
	if (k == NULL)
		return NULL;
	k->node.hash = id;
	k->n = recipients;
	if (kept_more_new(x, k, extents) != 0) {
		chunk_give(x, k);
		return NULL;
	}
	return k;
}

void
kept_drop(struct index *x, struct kept *k)
{
	if (k->more != NULL) {
		list_remove(&k->more->link);
		free(k->more);
	}
	chunk_give(x, k);
}

uint64_t
kept_id(const struct kept *k)
{
	return k->node.hash;
}

size_t
kept_recipients(const struct kept *k)
{
	return k->n;
}

size_t
kept_left(const struct kept *k)
{
	return k->n - k->n_ended;
}

bool
kept_is_held(const struct kept *k)
{
	return (k->flags & KEPT_HELD) != 0;
}

struct wall
kept_held_since(const struct kept *k)
{
	return k->held_since;
}

void
kept_set_held(struct kept *k, bool is_held, struct wall since)
{
	if (is_held && kept_is_held(k) && k->held_since.us != 0)
		return;
	k->flags = (uint8_t)((k->flags & ~KEPT_HELD) | (is_held ? KEPT_HELD : 0));
	k->held_since = is_held ? since : (struct wall){ 0 };
}

uint64_t
held_number(const struct kept *k)
{
	if (!kept_is_held(k))
		return 0;
	return k->held_since.us > HELD_UNKNOWN ? (uint64_t)k->held_since.us :
	    HELD_UNKNOWN;
}

struct wall
held_wall(uint64_t number)
{
	return (struct wall){ number > HELD_UNKNOWN && number < INT64_MAX ?
	    (int64_t)number : 0 };
}

unsigned
kept_attempts(const struct kept *k)
{
	return k->attempts;
}

unsigned
kept_warned(const struct kept *k)
{
	return k->warned;
}

struct wall
kept_due(const struct kept *k)
{
	return k->due;
}

bool
kept_has_ended(const struct kept *k, size_t i)
{
	must(i < k->n);
	if (k->n <= KEPT_INLINE)
		return (k->bits >> i & 1u) != 0;
	return (k->more->bits[i / 64] >> (i % 64) & 1u) != 0;
}

bool
kept_end(struct kept *k, size_t i)
{
	if (i >= k->n || kept_has_ended(k, i))
		return false;
	if (k->n <= KEPT_INLINE)
		k->bits |= UINT32_C(1) << i;
	else
		k->more->bits[i / 64] |= UINT64_C(1) << (i % 64);
	k->n_ended++;
	must(k->n_ended <= k->n);
	return true;
}

void
kept_end_all(struct kept *k)
{
	for (size_t i = 0; i < k->n; i++)
		(void)kept_end(k, i);
	must(k->n_ended == k->n);
}

/* ---- segments ---- */

void
segment_take(struct index *x, struct segment *s, uint64_t bytes)
{
	if (s == NULL)
		return;
	s->refs++;
	s->live_bytes += bytes;
	x->live_bytes += bytes;
}

void
segment_give(struct index *x, struct segment *s, uint64_t bytes)
{
	if (s == NULL)
		return;
	must(s->refs > 0 && s->live_bytes >= bytes);
	s->refs--;
	s->live_bytes -= bytes;
	x->live_bytes -= bytes;
	s->freed_at = x->given;
}

static uint64_t
kept_bytes(const struct kept *k)
{
	return (uint64_t)k->size * RECORD_ALIGN;
}

static void
kept_take_place(struct index *x, struct kept *k, struct kept_place p)
{
	must(p.at % RECORD_ALIGN == 0 && p.at / RECORD_ALIGN <= UINT32_MAX);
	k->segment = p.segment;
	k->at = (uint32_t)(p.at / RECORD_ALIGN);
	k->payload_n = p.payload_n;
	k->size = (uint32_t)(record_size(p.payload_n, p.body_n) / RECORD_ALIGN);
	segment_take(x, k->segment, kept_bytes(k));
}

static void
kept_take_extents(struct index *x, const struct kept *k)
{
	for (size_t i = 0; k->more != NULL && i < k->more->n_extents; i++)
		segment_take(x, k->more->extents[i].segment,
		    record_size(0, k->more->extents[i].n));
}

static void
kept_give_extents(struct index *x, const struct kept *k)
{
	for (size_t i = 0; k->more != NULL && i < k->more->n_extents; i++)
		segment_give(x, k->more->extents[i].segment,
		    record_size(0, k->more->extents[i].n));
}

/* ---- the index ---- */

void
index_insert(struct index *x, struct kept *k, struct kept_place p)
{
	uint64_t counter = kept_id(k) & ((UINT64_C(1) << ID_COUNTER_BITS) - 1);

	must(k->segment == NULL && (k->flags & KEPT_OVER) == 0);
	must(table_insert(&x->table, &k->node, kept_id(k)) == 0);
	kept_take_place(x, k, p);
	kept_take_extents(x, k);
	x->n++;
	if (counter > x->id_most)
		x->id_most = counter;
}

void
index_move(struct index *x, struct kept *k, struct kept_place p)
{
	must(k->pins == 0 && (k->flags & KEPT_OVER) == 0);
	segment_give(x, k->segment, kept_bytes(k));
	kept_take_place(x, k, p);
}

struct kept *
index_find(const struct index *x, uint64_t id)
{
	struct table_node *k = table_find(&x->table, id);

	return k == NULL ? NULL : OWNER_OF(k, struct kept, node);
}

void
index_settle(struct index *x, struct kept *k)
{
	if (k->n_ended < k->n)
		return;
	must(k->n_ended == k->n);
	if ((k->flags & KEPT_OVER) == 0) {
		k->flags |= KEPT_OVER;
		must(x->n > 0);
		x->n--;
	}
	if (k->pins > 0)
		return;
	segment_give(x, k->segment, kept_bytes(k));
	kept_give_extents(x, k);
	table_remove(&x->table, &k->node);
	kept_drop(x, k);
}
