#include "spool/move.h"

#include "base/crc32c.h"
#include "base/err.h"
#include "base/id.h"
#include "base/must.h"
#include "fiber/disk.h"
#include "spool/extents.h"
#include "spool/fault.h"
#include "spool/kept.h"
#include "spool/own.h"
#include "spool/record.h"
#include "spool/segment.h"
#include "spool/tlv.h"

#include <errno.h>
#include <stdlib.h>

/*
 * STATE     moved by      what is true
 * read      move_start    its record is whole in `old', its chunks that must go
 *                         are written again (not synced: nobody needs them yet)
 * given     move_start    a MOVED is with the writer
 * sealed    move_seal     its STATE is what memory knows; later outcomes have
 *                         higher sequences and come after it in recovery too
 * synced    move_end      the index points to it; the old place is let go
 *
 * When a pin came meanwhile, the MOVED is on disk and true, but the old place
 * is kept and the message is moved again some other time.
 */
enum { NUMBER = 8, SLACK = 8 };

/* ---- reading ---- */

static yields int
record_load(struct spool *sp, const struct segment *s, uint64_t at, uint64_t n,
    struct room **room, struct record *out)
{
	int64_t got;

	*room = room_take(&sp->rooms, (size_t)n + SLACK);
	if (*room == NULL)
		return err_set("no memory for moving a message");
	got = disk_pread(s->fd, (*room)->bytes, (size_t)n, at);
	if (got < 0)
		return -1;
	if (record_read((struct str){ (*room)->bytes, (size_t)got }, out) !=
	    RECORD_WHOLE || out->salt != s->salt)
		return err_set("segment %llu is damaged at %llu",
		    (unsigned long long)s->number, (unsigned long long)at);
	return 0;
}

/* ---- chunks ---- */

yields int
move_chunk(struct spool *sp, uint64_t id, struct extent from, struct extent *to)
{
	uint64_t n = record_size(0, from.n);
	struct entry e = { .may_use_reserve = true };
	struct room *room;
	int rc;

	rc = record_load(sp, from.segment, (uint64_t)from.at * RECORD_ALIGN, n,
	    &room, &e.record);
	if (rc == 0 && (e.record.id != id || e.record.type != RECORD_CHUNK))
		rc = err_set("message %s: a chunk is another's",
		    id_print(id).text);
	if (rc == 0) {
		e.head = room->bytes;
		writer_submit(sp, &e);
		rc = writer_wait(&e);
	}
	if (rc == 0) {
		*to = (struct extent){ .segment = e.segment, .n = from.n,
			.at = (uint32_t)(e.at / RECORD_ALIGN) };
		segment_take(&sp->index, e.segment, 0);
	}
	entry_release(sp, &e);
	room_give(&sp->rooms, room);
	return rc;
}

/* Copies of the extents, with a reference each, those in `from' moved. */
static yields int
move_chunks(struct move *m)
{
	struct spool *sp = m->spool;
	int rc = 0;

	for (size_t i = 0; i < m->n_extents; i++)
		segment_take(&sp->index, m->extents[i].segment, 0);
	for (size_t i = 0; i < m->n_extents && rc == 0; i++) {
		struct extent old = m->extents[i], fresh;

		if (old.segment == NULL || old.segment != m->from)
			continue;
		rc = move_chunk(sp, m->id, old, &fresh);
		if (rc != 0)
			break;
		m->extents[i] = fresh;
		spool_give_segment(sp, old.segment, 0);
	}
	return rc;
}

static int
move_copy_extents(struct move *m, const struct kept *k)
{
	size_t n = k->more == NULL ? 0 : k->more->n_extents;

	if (n == 0)
		return 0;
	m->extents = calloc(n, sizeof *m->extents);
	if (m->extents == NULL)
		return err_set("no memory for moving a message");
	memcpy(m->extents, k->more->extents, n * sizeof *m->extents);
	m->n_extents = n;
	return 0;
}

/* ---- the new payload ---- */

static void
put_fixed(struct buf *b, uint8_t tag, uint64_t v)
{
	size_t opened = tlv_open(b, tag);

	buf_le64(b, v);
	tlv_close(b, opened);
}

/* STATE, always of the same length for so many recipients. */
static void
state_encode(const struct kept *k, size_t ended_n, struct buf *b)
{
	size_t opened = tlv_open(b, TAG_STATE), bits;

	put_fixed(b, TAG_ATTEMPTS, k == NULL ? 0 : k->attempts);
	put_fixed(b, TAG_WARNED, k == NULL ? 0 : k->warned);
	put_fixed(b, TAG_DUE, k == NULL || k->due.us < 0 ? 0 :
	    (uint64_t)k->due.us);
	put_fixed(b, TAG_HELD, k == NULL ? 0 : held_number(k));
	bits = tlv_open(b, TAG_ENDED);
	for (size_t i = 0; i < ended_n; i++) {
		unsigned octet = k == NULL ? 0xff : 0;

		for (size_t j = 0; k != NULL && j < 8; j++)
			if (8 * i + j >= k->n || kept_has_ended(k, 8 * i + j))
				octet |= 1u << j;
		buf_putc(b, (char)octet);
	}
	tlv_close(b, bits);
	tlv_close(b, opened);
}

static size_t
state_room(size_t ended_n)
{
	return 6 * (size_t)TLV_HEAD + 4 * NUMBER + ended_n;
}

static void
move_seal(struct entry *e)
{
	struct move *m = e->owner;
	struct buf b = { .p = e->head + RECORD_HEADER + m->state_at,
		.cap = state_room(m->ended_n) };

	/* one that has ended meanwhile is written as such */
	state_encode(index_find(&m->spool->index, m->id), m->ended_n, &b);
	must(!b.full && b.n == b.cap);
	e->record.payload_sum = crc32c(0, (struct str){ e->head + RECORD_HEADER,
	    e->record.payload_n });
}

/* All tags of the old payload but those that say where and how things are. */
static int
move_encode(struct move *m, const struct record *old, struct buf *b)
{
	struct str payload = old->payload;
	enum tlv_result got;
	struct tlv t;

	while ((got = tlv_next(&payload, &t)) == TLV_VALUE)
		if (t.tag != TAG_EXTENTS && t.tag != TAG_STATE)
			tlv_put(b, t.tag, t.value);
	extents_put(b, m->extents, m->n_extents);
	m->state_at = b->n;
	state_encode(NULL, m->ended_n, b);
	if (got != TLV_END || b->full)
		return err_set("the envelope of message %s makes no sense",
		    id_print(m->id).text);
	return 0;
}

static int
move_lay_out(struct move *m, const struct record *old)
{
	size_t room = old->payload_n + TLV_HEAD + m->n_extents * EXTENT_BYTES +
	    state_room(m->ended_n);
	struct buf b;

	m->fresh = room_take(&m->spool->rooms, RECORD_HEADER + room + SLACK);
	if (m->fresh == NULL)
		return err_set("no memory for moving a message");
	b = (struct buf){ .p = m->fresh->bytes + RECORD_HEADER, .cap = room };
	if (move_encode(m, old, &b) != 0)
		return -1;
	m->entry = (struct entry){ .wants_sync = true, .may_use_reserve = true,
		.at_last = move_seal, .owner = m, .head = m->fresh->bytes,
		.record = { .type = RECORD_MOVED, .flags = RECORD_MUST,
		    .id = m->id, .payload_n = (uint32_t)b.n,
		    .body_n = old->body_n, .body_sum = old->body_sum } };
	m->entry.body = m->old->bytes + RECORD_HEADER + old->payload_n;
	return 0;
}

/* ---- from start to end ---- */

static const struct kept *
move_find(const struct move *m)
{
	const struct kept *k = index_find(&m->spool->index, m->id);

	if (k == NULL || (k->flags & KEPT_OVER) != 0 || k->pins > 0)
		return NULL;
	return k->segment == m->segment && k->at == m->at ? k : NULL;
}

static yields int
move_read(struct move *m, const struct kept *k)
{
	uint64_t n = (uint64_t)k->size * RECORD_ALIGN;
	struct record old;

	must(k->segment != NULL && m->segment == NULL);
	m->segment = k->segment;
	m->at = k->at;
	m->ended_n = (k->n + 7u) / 8u;
	segment_take(&m->spool->index, m->segment, 0);
	if (move_copy_extents(m, k) != 0)
		return -1;
	if (record_load(m->spool, m->segment, (uint64_t)m->at * RECORD_ALIGN, n,
	    &m->old, &old) != 0 || move_chunks(m) != 0)
		return -1;
	if (old.id != m->id)
		return err_set("message %s: its record is another's",
		    id_print(m->id).text);
	return move_lay_out(m, &old);
}

yields int
move_start(struct move *m, struct spool *sp, uint64_t id, struct segment *from)
{
	const struct kept *k = index_find(&sp->index, id);

	*m = (struct move){ .spool = sp, .id = id, .from = from };
	if (k == NULL || (k->flags & KEPT_OVER) != 0 || k->pins > 0)
		return -1;
	if (move_read(m, k) != 0)
		return -1;
	if (fault_here(FAULT_compact_before_copy) != 0 || move_find(m) == NULL)
		return -1;
	writer_submit(sp, &m->entry);
	m->is_started = true;
	return 0;
}

/* The new extents become the message's. */
static void
move_believe(struct move *m, struct kept *k)
{
	struct index *x = &m->spool->index;

	must(m->n_extents == (k->more == NULL ? 0 : k->more->n_extents));
	for (size_t i = 0; i < m->n_extents; i++) {
		struct extent *old = &k->more->extents[i];
		uint64_t bytes = record_size(0, old->n);

		segment_take(x, m->extents[i].segment, bytes);
		segment_give(x, old->segment, bytes);
		*old = m->extents[i];
	}
	index_move(x, k, (struct kept_place){ .segment = m->entry.segment,
		.at = m->entry.at, .payload_n = m->entry.record.payload_n,
		.body_n = m->entry.record.body_n });
	m->spool->stats.compacted++;
}

static void
move_clear(struct move *m)
{
	struct spool *sp = m->spool;

	entry_release(sp, &m->entry);
	for (size_t i = 0; i < m->n_extents; i++)
		spool_give_segment(sp, m->extents[i].segment, 0);
	free(m->extents);
	room_give(&sp->rooms, m->old);
	room_give(&sp->rooms, m->fresh);
	spool_give_segment(sp, m->segment, 0);
}

yields int
move_end(struct move *m)
{
	int rc = -1;

	if (m->is_started)
		rc = writer_wait(&m->entry);
	if (rc == 0 && fault_here(FAULT_compact_after_copy) == 0 &&
	    move_find(m) != NULL)
		move_believe(m, index_find(&m->spool->index, m->id));
	move_clear(m);
	return rc;
}
