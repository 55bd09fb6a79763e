#include "spool/draft.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "base/must.h"
#include "fiber/fiber.h"
#include "spool/draft_own.h"
#include "spool/envelope.h"
#include "spool/extents.h"
#include "spool/own.h"
#include "spool/record.h"
#include "spool/tlv.h"

#include <errno.h>
#include <stdlib.h>

/*
 * STATE       moved by        what is true
 * open        draft_open      has an id; stands in spool.drafts; nothing written
 * gathering   draft_append    up to 64 KiB in one block of memory
 * streaming   draft_flush     full blocks are CHUNK records; the draft holds
 *                             their segments; without a COMMIT they mean nothing
 *             draft_prepend   behind what is there: a CHUNK that is written later
 *                             and stands first in its extents
 * committing  draft_commit    its COMMIT is with the writer; compaction lets its
 *                             chunks alone
 * committed   draft_finish    synced, in the index, which now holds the chunks
 *             draft_rest      the client is silent: what is little lies in a
 *                             block of its size, what is more became a CHUNK
 * troubled    draft_fail      nothing of it will be believed; takes no more
 * over        draft_over      block and segments given back: at commit, or when
 *                             the arena dies
 */

/* In front of the body there is room for header and a usual envelope, so that a
 * usual message is one piece of memory and one part of one write. */
enum { HEADROOM = 1024, BODY_SLACK = 8, REST_MOST = 2048 };

struct draft {
	struct draft_own own;
	struct room *room;
	struct room *still;		/* while it rests: the body's octets alone,
					 * and there is no room */
	size_t n;			/* octets of body in the room */
	size_t body_most;
	uint64_t size;
	size_t extents_cap;
	enum draft_trouble trouble;
	bool is_committed;
	int64_t sync_ns;
};

void
draft_give_up(struct draft *d)
{
	struct rooms *rooms = &d->own.spool->rooms;

	must(!d->own.is_committing);
	room_give(rooms, d->room);
	room_give(rooms, d->still);
	d->room = d->still = NULL;
	d->n = 0;
}

static void
draft_over(void *arg)
{
	struct draft *d = arg;
	struct spool *sp = d->own.spool;

	if (!link_is_in(&d->own.link))
		return;
	must(!d->own.is_committing);
	list_remove(&d->own.link);
	draft_give_up(d);
	for (size_t i = 0; i < d->own.n_extents; i++)
		spool_give_segment(sp, d->own.extents[i].segment,
		    record_size(0, d->own.extents[i].n));
	free(d->own.extents);
	d->own.extents = NULL;
	d->own.n_extents = 0;
}

static enum draft_trouble
draft_fail(struct draft *d, enum draft_trouble trouble)
{
	d->trouble = trouble;
	return trouble;
}

static enum draft_trouble
draft_fail_by(struct draft *d, int error)
{
	if (spool_is_space_error(error))
		return draft_fail(d, DRAFT_NO_ROOM);
	return draft_fail(d, d->own.spool->health == SPOOL_BROKEN ?
	    DRAFT_BROKEN : DRAFT_DISK_FAILED);
}

static enum draft_trouble
draft_may_begin(struct spool *sp)
{
	keeper_look(sp);
	if (sp->health == SPOOL_BROKEN) {
		err_set("the spool takes no more");
		return DRAFT_BROKEN;
	}
	if (sp->health == SPOOL_NO_ROOM) {
		err_set("the spool is full");
		return DRAFT_NO_ROOM;
	}
	return DRAFT_FINE;
}

struct draft *
draft_open(struct spool *sp, struct arena *a, enum draft_trouble *why)
{
	struct draft *d;
	uint64_t most;

	*why = draft_may_begin(sp);
	if (*why != DRAFT_FINE)
		return NULL;
	d = arena_new(a, struct draft);
	if (d == NULL || arena_defer(a, draft_over, d) != 0) {
		err_set("no memory for a draft");
		*why = DRAFT_NO_ROOM;
		return NULL;
	}
	d->own.spool = sp;
	d->own.id = keeper_take_id(sp);
	if (d->own.id == 0) {
		err_set("no message ids are reserved");
		*why = DRAFT_DISK_FAILED;
		return NULL;
	}
	most = (sp->config.segment_bytes - SEGMENT_HEAD) / 4;
	d->body_most = most < RECORD_BODY_MOST ? (size_t)most : RECORD_BODY_MOST;
	list_append(&sp->drafts, &d->own.link);
	return d;
}

uint64_t
draft_id(const struct draft *d)
{
	return d->own.id;
}

/* ---- gathering ---- */

/* A room that holds n octets of body. */
static int
draft_grow(struct draft *d, size_t n)
{
	struct rooms *rooms = &d->own.spool->rooms;
	struct room *room;

	must(n <= d->body_most);
	if (d->room != NULL && d->room->cap - HEADROOM - BODY_SLACK >= n)
		return 0;
	room = room_take(rooms, HEADROOM + n + BODY_SLACK);
	if (room == NULL)
		return err_set("no memory for a draft");
	if (d->room != NULL)
		memcpy(room->bytes + HEADROOM, d->room->bytes + HEADROOM, d->n);
	else if (d->still != NULL)
		memcpy(room->bytes + HEADROOM, d->still->bytes, d->n);
	room_give(rooms, d->room);
	room_give(rooms, d->still);
	d->room = room;
	d->still = NULL;
	return 0;
}

static int
draft_grow_extents(struct draft *d)
{
	struct draft_own *own = &d->own;
	size_t cap = d->extents_cap < 16 ? 16 : 2 * d->extents_cap;
	struct extent *p;

	if (own->n_extents < d->extents_cap)
		return 0;
	p = realloc(own->extents, cap * sizeof *p);
	if (p == NULL)
		return err_set("no memory for a draft's extents");
	own->extents = p;
	d->extents_cap = cap;
	return 0;
}

/* A chunk that was written stands before extent `at'. */
static int
draft_add_extent(struct draft *d, size_t at, const struct entry *e)
{
	struct draft_own *own = &d->own;

	must(at <= own->n_extents);
	if (draft_grow_extents(d) != 0)
		return -1;
	memmove(own->extents + at + 1, own->extents + at,
	    (own->n_extents - at) * sizeof *own->extents);
	own->n_extents++;
	own->extents[at] = (struct extent){
		.segment = e->segment, .at = (uint32_t)(e->at / RECORD_ALIGN),
		.n = e->record.body_n };
	segment_take(&own->spool->index, e->segment,
	    record_size(0, e->record.body_n));
	return 0;
}

/* A CHUNK of the body's octets there, before which its header has room; it
 * stands in front of all others, or behind them. */
static yields enum draft_trouble
draft_write_chunk(struct draft *d, char *body, size_t n, bool is_front)
{
	struct spool *sp = d->own.spool;
	struct entry e = { .head = body - RECORD_HEADER, .record = {
		.type = RECORD_CHUNK, .flags = RECORD_MUST, .id = d->own.id,
		.body_n = (uint32_t)n,
		.body_sum = crc32c(0, (struct str){ body, n }) } };
	int rc;

	must(n > 0 && n <= RECORD_BODY_MOST);
	writer_submit(sp, &e);
	rc = writer_wait(&e);
	if (rc == 0 && draft_add_extent(d, is_front ? 0 : d->own.n_extents,
	    &e) != 0)
		rc = -ENOSPC;
	entry_release(sp, &e);
	return rc != 0 ? draft_fail_by(d, rc) : DRAFT_FINE;
}

/* The room's octets become a CHUNK. */
static yields enum draft_trouble
draft_flush(struct draft *d)
{
	struct rooms *rooms = &d->own.spool->rooms;
	enum draft_trouble trouble;

	must(d->room != NULL && d->still == NULL);
	trouble = draft_write_chunk(d, d->room->bytes + HEADROOM, d->n, false);
	if (trouble != DRAFT_FINE)
		return trouble;
	d->n = 0;
	if (rooms_are_short(rooms)) {
		room_give(rooms, d->room);
		d->room = NULL;
	}
	return DRAFT_FINE;
}

enum { SMALL_BODY = ROOM_SMALL - HEADROOM - BODY_SLACK };

static size_t
draft_room_wanted(const struct draft *d, size_t more)
{
	size_t n = d->n + more;

	return n <= SMALL_BODY ? n : d->body_most;	/* no third size */
}

/* Octets that are gathered before they become a CHUNK: few when many drafts are
 * open, or a crowd that sends slowly would hold 64 KiB each. */
static size_t
draft_most(const struct draft *d)
{
	return SMALL_BODY < d->body_most &&
	    rooms_are_short(&d->own.spool->rooms) ? SMALL_BODY : d->body_most;
}

yields enum draft_trouble
draft_append(struct draft *d, struct str bytes)
{
	size_t n, most;

	must(link_is_in(&d->own.link) || d->trouble != DRAFT_FINE);
	while (bytes.n > 0 && d->trouble == DRAFT_FINE) {
		most = draft_most(d);
		if (d->n >= most && draft_flush(d) != DRAFT_FINE)
			break;
		n = most - d->n < bytes.n ? most - d->n : bytes.n;
		if (draft_grow(d, draft_room_wanted(d, n)) != 0)
			return draft_fail(d, DRAFT_NO_ROOM);
		memcpy(d->room->bytes + HEADROOM + d->n, bytes.p, n);
		d->n += n;
		d->size += n;
		bytes = str_sub(bytes, n, bytes.n);
	}
	return d->trouble;
}

yields enum draft_trouble
draft_rest(struct draft *d)
{
	struct rooms *rooms = &d->own.spool->rooms;
	struct room *still;

	must(!d->is_committed && !d->own.is_committing);
	if (d->trouble != DRAFT_FINE || d->room == NULL)
		return d->trouble;
	if (d->n > REST_MOST && draft_flush(d) != DRAFT_FINE)
		return d->trouble;
	if (d->n > 0) {
		if ((still = room_take_exact(rooms, d->n)) == NULL)
			return DRAFT_FINE;	/* it keeps what it has */
		memcpy(still->bytes, d->room->bytes + HEADROOM, d->n);
		d->still = still;
	}
	room_give(rooms, d->room);
	d->room = NULL;
	return DRAFT_FINE;
}

/* ---- in front ---- */

/* All is in memory yet: the body moves up. */
static enum draft_trouble
draft_shift(struct draft *d, struct str octets)
{
	char *body;

	must(d->own.n_extents == 0);
	if (draft_grow(d, draft_room_wanted(d, octets.n)) != 0)
		return draft_fail(d, DRAFT_NO_ROOM);
	body = d->room->bytes + HEADROOM;
	memmove(body + octets.n, body, d->n);
	memcpy(body, octets.p, octets.n);
	d->n += octets.n;
	return DRAFT_FINE;
}

static yields enum draft_trouble
draft_front_chunk(struct draft *d, struct str octets)
{
	struct rooms *rooms = &d->own.spool->rooms;
	struct room *room = room_take(rooms, RECORD_HEADER + octets.n +
	    BODY_SLACK);
	enum draft_trouble trouble;

	must(octets.n > 0 && octets.n <= d->body_most);
	if (room == NULL) {
		err_set("no memory for a draft");
		return draft_fail(d, DRAFT_NO_ROOM);
	}
	memcpy(room->bytes + RECORD_HEADER, octets.p, octets.n);
	trouble = draft_write_chunk(d, room->bytes + RECORD_HEADER, octets.n,
	    true);
	room_give(rooms, room);
	return trouble;
}

/* The last octets go first, since each chunk stands before the one before. */
yields enum draft_trouble
draft_prepend(struct draft *d, struct str octets)
{
	size_t n = octets.n, piece;

	must(!d->is_committed && !d->own.is_committing);
	if (d->trouble != DRAFT_FINE || n == 0)
		return d->trouble;
	d->size += n;
	if (d->own.n_extents == 0 && n <= d->body_most - d->n)
		return draft_shift(d, octets);
	for (; n > 0 && d->trouble == DRAFT_FINE; n -= piece) {
		piece = n < d->body_most ? n : d->body_most;
		(void)draft_front_chunk(d, str_sub(octets, n - piece, piece));
	}
	return d->trouble;
}

/* ---- committing ---- */

static struct kept *
draft_make_kept(struct draft *d, const struct envelope *env)
{
	struct draft_own *own = &d->own;
	struct kept *k = kept_new(&own->spool->index, own->id,
	    (uint32_t)env->n_rcpts, own->n_extents);

	if (k == NULL) {
		err_set("no memory for a message");
		return NULL;
	}
	for (size_t i = 0; i < own->n_extents; i++)
		k->more->extents[i] = own->extents[i];
	for (size_t i = 0; i < env->n_rcpts; i++)
		if (recipient_is_over(&env->rcpts[i]))
			(void)kept_end(k, i);
	k->due = env->release;
	return k;
}

static size_t
draft_encode(const struct draft *d, const struct envelope *env, char *to,
    size_t room)
{
	struct buf b = { .p = to, .cap = room };

	envelope_encode(env, &b);
	extents_put(&b, d->own.extents, d->own.n_extents);
	must(!b.full);
	return b.n;
}

/* Header and payload before the body, or in a room of their own when they are
 * too long for that. */
static int
draft_lay_out(struct draft *d, const struct envelope *env, struct entry *e,
    struct room **extra)
{
	size_t n = envelope_room(env) + TLV_HEAD + d->own.n_extents * EXTENT_BYTES;
	char *body = d->room->bytes + HEADROOM;

	must(d->n <= d->body_most);
	*extra = NULL;
	if (n <= HEADROOM - RECORD_HEADER) {
		n = draft_encode(d, env, d->room->bytes, n);
		memmove(body - n, d->room->bytes, n);
		e->head = body - n - RECORD_HEADER;
	} else {
		if (n > RECORD_PAYLOAD_MOST)
			return err_set("the envelope is too large");
		*extra = room_take(&d->own.spool->rooms, RECORD_HEADER + n +
		    BODY_SLACK);
		if (*extra == NULL)
			return err_set("no memory for an envelope");
		e->head = (*extra)->bytes;
		e->body = body;
		n = draft_encode(d, env, e->head + RECORD_HEADER, n);
	}
	e->record = (struct record){ .type = RECORD_COMMIT,
		.flags = RECORD_MUST, .id = d->own.id,
		.payload_n = (uint32_t)n, .body_n = (uint32_t)d->n,
		.payload_sum = crc32c(0, (struct str){ e->head +
		    RECORD_HEADER, n }),
		.body_sum = crc32c(0, (struct str){ body, d->n }) };
	return 0;
}

static void
draft_finish(struct draft *d, const struct entry *e, struct kept *k)
{
	struct spool *sp = d->own.spool;

	must(!d->is_committed && e->segment != NULL);
	index_insert(&sp->index, k, (struct kept_place){ .segment = e->segment,
		.at = e->at, .payload_n = e->record.payload_n,
		.body_n = e->record.body_n });
	sp->stats.commits++;
	d->sync_ns = e->sync_ns;
	d->is_committed = true;
	index_settle(&sp->index, k);
}

static yields int
draft_write(struct draft *d, struct entry *e, struct kept *k)
{
	struct spool *sp = d->own.spool;
	int rc;

	must(!d->own.is_committing && e->wants_sync);
	d->own.is_committing = true;
	writer_submit(sp, e);
	rc = writer_wait(e);
	d->own.is_committing = false;
	if (rc == 0)
		draft_finish(d, e, k);
	else
		kept_drop(&sp->index, k);
	entry_release(sp, e);
	return rc;
}

yields enum draft_trouble
draft_commit(struct draft *d, struct envelope *env)
{
	struct entry e = { .wants_sync = true };
	struct room *extra = NULL;
	struct kept *k;
	int rc = -ENOSPC;

	must(!d->is_committed && env->n_rcpts > 0);
	must(env->n_rcpts <= RECIPIENTS_MOST);
	if (d->trouble != DRAFT_FINE)
		return d->trouble;
	env->id = d->own.id;
	env->size = d->size;
	k = draft_make_kept(d, env);
	if (k != NULL && draft_grow(d, d->n) == 0 &&
	    draft_lay_out(d, env, &e, &extra) == 0)
		rc = draft_write(d, &e, k);
	else if (k != NULL)
		kept_drop(&d->own.spool->index, k);
	room_give(&d->own.spool->rooms, extra);
	if (rc != 0)
		return draft_fail_by(d, rc);
	draft_over(d);
	return DRAFT_FINE;
}

const struct kept *
draft_kept(const struct draft *d)
{
	must(d->is_committed);
	return spool_find(d->own.spool, d->own.id);
}

int64_t
draft_sync_ns(const struct draft *d)
{
	must(d->is_committed);
	return d->sync_ns;
}
