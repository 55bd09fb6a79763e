#include "spool/writer.h"

#include "base/crc32c.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "spool/fault.h"
#include "spool/keeper.h"
#include "spool/own.h"

#include <errno.h>

/*
 * A batch on its way; one at a time.
 *
 * STATE      moved by          what is true
 * waiting    writer_submit,    in entries or lazy, in order; no place yet
 *            writer_lazy
 * placed     batch_take_*      offset, sequence and sums are fixed; segment.end
 *                              stands behind; nobody else writes there
 * written    batch_do (lane)   in the page cache: kill -9 cannot take it back
 * synced     batch_do (lane)   under a successful fdatasync: settled, told
 * failed     writer_failed     segment.end stands where it stood; entries are
 *                              told, slips wait again, COMMITs are cancelled in
 *                              case they reached the disk after all
 */

#define RETRY_NS (1 * NS_PER_SECOND)

struct batch {
	struct segment *segment;
	uint64_t at;			/* where it begins */
	uint64_t sequence;		/* before it */
	size_t n_parts;
	struct list slips, entries;
	bool wants_sync, has_message;
	bool has_written;
};

/* What the lane is given. */
struct batch_job {
	int fd;
	const struct str *parts;
	size_t n_parts;
	uint64_t at;
	bool is_sync, has_message;
	bool has_written;		/* it was the sync that failed */
};

static struct room *
slip_of(struct link *k)
{
	return OWNER_OF(k, struct room, link);
}

static struct entry *
entry_of(struct link *k)
{
	return OWNER_OF(k, struct entry, link);
}

static void
list_move_all(struct list *to, struct list *from)
{
	struct link *k;

	while ((k = list_pop(from)) != NULL)
		list_append(to, k);
}

/* Put all of `first' before what is in `to', in order. */
static void
list_move_front(struct list *to, struct list *first)
{
	list_move_all(first, to);
	list_move_all(to, first);
}

static uint64_t
entry_size(const struct entry *e)
{
	return record_size(e->record.payload_n, e->record.body_n);
}

/* ---- placing ---- */

static bool
batch_has_room(const struct batch *b, uint64_t n)
{
	const struct segment *s = b->segment;

	if (s == NULL || s->is_sealed || n > s->size - s->end)
		return false;
	return b->n_parts + 2 <= BATCH_PARTS &&
	    (s->end == b->at || s->end - b->at + n <= BATCH_BYTES);
}

static void
batch_add_part(struct writer *w, struct batch *b, char *p, uint64_t n)
{
	must(b->n_parts < BATCH_PARTS);
	w->parts[b->n_parts++] = (struct str){ p, (size_t)n };
}

/* Fix the record's place in the order. */
static void
record_place(struct writer *w, struct segment *s, struct record *r, char *head)
{
	r->salt = s->salt;
	r->sequence = ++w->sequence;
	r->settled = (uint32_t)(s->settled / RECORD_ALIGN);
	record_seal(r, head);
	s->sequence = r->sequence;
	if (s->first_sequence == 0)
		s->first_sequence = r->sequence;
}

static void
batch_add_slip(struct writer *w, struct batch *b, struct room *slip)
{
	struct record r;
	uint64_t n;

	for (size_t at = 0; at < slip->n; at += n) {
		struct str bytes = { slip->bytes + at, slip->n - at };

		must(record_read_header(bytes, &r) == RECORD_WHOLE);
		record_place(w, b->segment, &r, slip->bytes + at);
		n = record_size(r.payload_n, r.body_n);
	}
	batch_add_part(w, b, slip->bytes, slip->n);
	b->segment->end += slip->n;
}

static void
batch_take_slips(struct writer *w, struct batch *b)
{
	struct link *k;

	while ((k = list_first(&w->lazy)) != NULL &&
	    batch_has_room(b, slip_of(k)->n)) {
		list_remove(k);
		batch_add_slip(w, b, slip_of(k));
		list_append(&b->slips, k);
	}
}

static void
entry_pad(struct entry *e, char *last, uint64_t n)
{
	uint64_t pad = entry_size(e) - RECORD_HEADER - e->record.payload_n -
	    e->record.body_n;

	memset(last + n, 0, (size_t)pad);
}

static void
batch_add_entry(struct writer *w, struct batch *b, struct entry *e)
{
	uint64_t head_n = (uint64_t)RECORD_HEADER + e->record.payload_n;
	uint64_t size = entry_size(e);

	if (e->at_last != NULL)
		e->at_last(e);
	record_place(w, b->segment, &e->record, e->head);
	e->segment = b->segment;
	e->at = b->segment->end;
	b->segment->refs++;
	if (e->body == NULL) {
		entry_pad(e, e->head, head_n + e->record.body_n);
		batch_add_part(w, b, e->head, size);
	} else {
		entry_pad(e, e->body, e->record.body_n);
		batch_add_part(w, b, e->head, head_n);
		batch_add_part(w, b, e->body, size - head_n);
	}
	b->segment->end += size;
	b->wants_sync = b->wants_sync || e->wants_sync;
	b->has_message = true;
}

static void
batch_take_entries(struct writer *w, struct batch *b)
{
	struct link *k;

	while ((k = list_first(&w->entries)) != NULL &&
	    batch_has_room(b, entry_size(entry_of(k)))) {
		list_remove(k);
		batch_add_entry(w, b, entry_of(k));
		list_append(&b->entries, k);
	}
}

/* ---- writing, on the lane ---- */

static int
batch_do(void *arg)
{
	struct batch_job *j = arg;
	int rc = 0;

	if (j->n_parts > 0)
		rc = fault_step(FAULT_commit_before_write);
	if (rc == 0 && j->n_parts > 0)
		rc = disk_pwrite_here(j->fd, j->parts, j->n_parts, j->at);
	if (rc == 0 && j->n_parts > 0)
		rc = fault_step(j->has_message ? FAULT_commit_after_write :
		    FAULT_lazy_after_write);
	j->has_written = rc == 0;
	if (rc == 0 && j->is_sync)
		rc = disk_fdatasync_here(j->fd);
	if (rc == 0 && j->is_sync && j->has_message)
		rc = fault_step(FAULT_commit_after_sync);
	return rc;
}

static yields int
batch_run(struct spool *sp, struct batch *b)
{
	struct writer *w = &sp->writer;
	struct batch_job j = { .fd = b->segment->fd, .parts = w->parts,
		.n_parts = b->n_parts, .at = b->at, .is_sync = b->wants_sync,
		.has_message = b->has_message };
	struct mono before = clock_mono_exact();
	int rc;

	must(!b->segment->is_suspect);
	w->is_at_work = true;
	rc = lane_run(w->lane, batch_do, &j);
	w->is_at_work = false;
	b->has_written = j.has_written;
	sp->stats.writes += b->n_parts > 0;
	sp->stats.syncs += b->wants_sync;
	if (b->wants_sync) {
		sp->stats.sync_ns = clock_mono_exact().ns - before.ns;
		if (sp->stats.sync_ns > sp->stats.sync_most_ns)
			sp->stats.sync_most_ns = sp->stats.sync_ns;
	}
	return rc;
}

/* ---- telling ---- */

static void
entry_finish(struct entry *e, int result, int64_t sync_ns)
{
	if (result != 0 && e->segment != NULL) {
		must(e->segment->refs > 0);
		e->segment->refs--;
		e->segment = NULL;
	}
	e->result = result;
	e->sync_ns = sync_ns;
	e->is_done = true;
	fiber_wake(e->fiber);
}

static void
slips_give(struct writer *w, struct list *slips)
{
	struct link *k;

	while ((k = list_pop(slips)) != NULL) {
		w->synced = slip_of(k)->mark;
		room_give(&w->rooms, slip_of(k));
	}
}

struct room_waiter {
	struct link link;
	struct fiber *fiber;
};

static void
room_waiters_wake(struct writer *w)
{
	struct link *k;

	while ((k = list_pop(&w->room_waiters)) != NULL)
		fiber_wake(OWNER_OF(k, struct room_waiter, link)->fiber);
}

/* kill -9 cannot take these back: who waits for that may go on. */
static void
writer_note_written(struct writer *w, const struct batch *b)
{
	struct link *k = list_first(&b->slips);

	if (k == NULL)
		return;
	for (; k != NULL; k = list_next(&b->slips, k))
		if (slip_of(k)->mark > w->written)
			w->written = slip_of(k)->mark;
	while ((k = list_pop(&w->written_waiters)) != NULL)
		fiber_wake(OWNER_OF(k, struct room_waiter, link)->fiber);
}

static void
writer_succeeded(struct spool *sp, struct batch *b)
{
	struct writer *w = &sp->writer;
	struct link *k;

	w->n_failed = 0;
	if (!list_is_empty(&b->slips) && w->sync_due.ns == MONO_NEVER.ns)
		w->sync_due = mono_add(clock_mono(), sp->config.outcome_delay_ns);
	writer_note_written(w, b);
	list_move_all(&w->unsynced, &b->slips);
	if (b->wants_sync) {
		b->segment->settled = b->segment->end;
		w->sync_due = MONO_NEVER;
		slips_give(w, &w->unsynced);
		room_waiters_wake(w);
		spool_look_at_front(sp);
	}
	while ((k = list_pop(&b->entries)) != NULL)
		entry_finish(entry_of(k), 0, sp->stats.sync_ns);
}

/* The client will hear that the message was not taken: should its record have
 * reached the disk, this one strikes it off. */
static void
entry_cancel(struct spool *sp, const struct entry *e)
{
	if (e->record.type == RECORD_COMMIT)
		(void)writer_lazy(sp, RECORD_CANCEL, e->record.id, STR(""),
		    LAZY_OUTCOME);
}

static void
writer_failed(struct spool *sp, struct batch *b, int rc)
{
	struct writer *w = &sp->writer;
	struct link *k;

	must(rc < 0);
	w->failed_at = clock_mono_exact();
	/* sequences have no gaps: those of the batch are given again, in the
	 * next segment */
	w->sequence = b->segment->sequence = b->sequence;
	b->segment->end = b->at;
	b->segment->is_sealed = true;
	if (spool_is_space_error(rc) && !b->has_written) {
		spool_tell(sp, "disk_full", "writing segment %llu: %s",
		    (unsigned long long)b->segment->number, err_text());
	} else {
		b->segment->is_suspect = true;
		spool_device_error(sp, rc);
		/* what was not synced may be lost there: write it again */
		list_move_all(&w->unsynced, &b->slips);
		list_move_all(&b->slips, &w->unsynced);
		w->sync_due = MONO_NEVER;
	}
	list_move_front(&w->lazy, &b->slips);
	if (w->n_failed++ > 0)		/* not a new segment each time at once */
		w->retry_at = mono_add(clock_mono(), RETRY_NS);
	while ((k = list_pop(&b->entries)) != NULL) {
		entry_cancel(sp, entry_of(k));
		entry_finish(entry_of(k), rc, 0);
	}
	keeper_wake(sp);
}

/* ---- rolling ---- */

/* All of the current segment is synced, or suspect and given up. */
static yields bool
writer_settle_current(struct spool *sp)
{
	struct batch b = { .segment = sp->current, .wants_sync = true };
	int rc;

	if (b.segment == NULL || b.segment->is_suspect ||
	    b.segment->settled == b.segment->end)
		return true;
	list_init(&b.slips);
	list_init(&b.entries);
	b.at = b.segment->end;
	b.sequence = sp->writer.sequence;
	rc = batch_run(sp, &b);
	if (rc == 0)
		writer_succeeded(sp, &b);
	else
		writer_failed(sp, &b, rc);
	return rc == 0;
}

static bool
writer_may_use_reserve(const struct writer *w)
{
	struct link *k = list_first(&w->entries);

	return !list_is_empty(&w->lazy) ||
	    (k != NULL && entry_of(k)->may_use_reserve);
}

/* There is no segment for them, and none will come. */
static void
writer_refuse_entries(struct spool *sp, bool all, int error)
{
	struct writer *w = &sp->writer;
	struct link *k = list_first(&w->entries), *next;

	for (; k != NULL; k = next) {
		next = list_next(&w->entries, k);
		if (entry_of(k)->may_use_reserve && !all)
			continue;
		list_remove(k);
		entry_finish(entry_of(k), error, 0);
	}
}

static void
writer_cannot_roll(struct spool *sp)
{
	if (sp->health == SPOOL_NO_ROOM)
		writer_refuse_entries(sp, sp->n_spares == 0, -ENOSPC);
}

int
writer_take_spare(struct spool *sp)
{
	struct segment *next;

	must(sp->n_spares > 0);
	next = log_append(&sp->log, &sp->spares[0]);
	if (next == NULL)
		return -1;
	if (sp->current != NULL)
		sp->current->is_sealed = true;
	sp->current = next;
	sp->n_spares--;
	memmove(sp->spares, sp->spares + 1, sp->n_spares * sizeof *sp->spares);
	return 0;
}

/* The next segment becomes the current one.  False: there is none for what
 * waits; the keeper was asked. */
static yields bool
writer_roll(struct spool *sp)
{
	struct writer *w = &sp->writer;

	w->wants_spare = sp->n_spares < SPARES_MOST;
	if (w->wants_spare)
		keeper_wake(sp);
	if (sp->n_spares == 0 || (sp->n_spares < SPARES_MOST &&
	    !writer_may_use_reserve(w)))
		return false;
	if (!writer_settle_current(sp))
		return true;		/* other things come first now */
	if (writer_take_spare(sp) != 0)
		return false;
	keeper_wake(sp);
	cleaner_wake(sp);
	return true;
}

/* ---- the fiber ---- */

static bool
writer_sync_is_due(const struct writer *w)
{
	if (w->sync_due.ns == MONO_NEVER.ns)
		return false;
	return w->is_draining || !mono_is_before(clock_mono(), w->sync_due);
}

static bool
writer_has_lazy(const struct writer *w)
{
	return !list_is_empty(&w->lazy) &&
	    !mono_is_before(clock_mono(), w->retry_at);
}

static void
batch_fill(struct writer *w, struct batch *b)
{
	if (writer_has_lazy(w))
		batch_take_slips(w, b);
	if (!writer_has_lazy(w))	/* else what is due first did not fit */
		batch_take_entries(w, b);
	b->wants_sync = b->wants_sync || writer_sync_is_due(w);
}

/* One batch, or one roll.  False: nothing can be done now. */
static yields bool
writer_step(struct spool *sp)
{
	struct writer *w = &sp->writer;
	struct batch b = { .segment = sp->current, .sequence = w->sequence };
	int rc;

	list_init(&b.slips);
	list_init(&b.entries);
	if (sp->health == SPOOL_BROKEN)
		writer_refuse_entries(sp, true, -EIO);
	if (b.segment != NULL) {
		b.at = b.segment->end;
		batch_fill(w, &b);
	}
	if (b.n_parts == 0 &&
	    (writer_has_lazy(w) || !list_is_empty(&w->entries))) {
		if (writer_roll(sp))
			return true;
		writer_cannot_roll(sp);
	}
	if (b.n_parts == 0 && !b.wants_sync)
		return false;
	rc = batch_run(sp, &b);
	if (rc == 0)
		writer_succeeded(sp, &b);
	else
		writer_failed(sp, &b, rc);
	return true;
}

static struct mono
writer_next(const struct writer *w)
{
	struct mono at = w->sync_due;

	if (!list_is_empty(&w->lazy) && mono_is_before(clock_mono(), w->retry_at))
		at = mono_first(at, w->retry_at);
	return at;
}

static bool
writer_is_idle(const struct writer *w)
{
	return list_is_empty(&w->lazy) && list_is_empty(&w->entries) &&
	    w->sync_due.ns == MONO_NEVER.ns && !w->is_at_work;
}

static yields void
writer_fiber(void *arg)
{
	struct spool *sp = arg;
	struct writer *w = &sp->writer;

	w->fiber = fiber_self();
	while (!w->is_stopping) {
		w->is_called = false;
		if (writer_step(sp) || w->is_called)
			continue;
		w->is_stuck = keeper_is_waiting(sp) && writer_has_lazy(w);
		fiber_wake(w->closer);
		(void)fiber_park(writer_next(w));
	}
	w->fiber = NULL;
	w->is_running = false;
	fiber_wake(w->closer);
}

void
writer_init(struct writer *w, size_t ceiling)
{
	list_init(&w->entries);
	list_init(&w->lazy);
	list_init(&w->unsynced);
	list_init(&w->room_waiters);
	list_init(&w->written_waiters);
	rooms_init(&w->rooms, ceiling);
	w->sync_due = MONO_NEVER;
}

int
writer_open(struct spool *sp)
{
	struct writer *w = &sp->writer;

	must(w->fiber == NULL);
	w->lane = lane_open("spool");
	if (w->lane == NULL || fiber_go("spool writer", writer_fiber, sp) != 0)
		return -1;
	w->is_running = true;
	return 0;
}

void
writer_wake(struct spool *sp)
{
	/* it may be waiting for its lane, and the wake be lost on that */
	sp->writer.is_called = true;
	if (!sp->writer.is_at_work)
		fiber_wake(sp->writer.fiber);
}

yields void
writer_close(struct spool *sp)
{
	struct writer *w = &sp->writer;

	w->is_stopping = true;
	w->closer = fiber_self();
	writer_wake(sp);
	while (w->is_running)
		(void)fiber_park(MONO_NEVER);
	w->closer = NULL;
	writer_refuse_entries(sp, true, -EIO);
	slips_give(w, &w->lazy);
	slips_give(w, &w->unsynced);
	rooms_clear(&w->rooms);
	lane_close(w->lane);
	w->lane = NULL;
}

/* ---- giving it something ---- */

void
writer_submit(struct spool *sp, struct entry *e)
{
	struct writer *w = &sp->writer;
	bool fits = entry_size(e) <= sp->config.segment_bytes - SEGMENT_HEAD;

	must(e->record.body_n <= RECORD_BODY_MOST);
	e->fiber = fiber_self();
	e->is_done = false;
	e->segment = NULL;
	e->link = (struct link){ NULL, NULL };
	if (!fits || e->record.payload_n > RECORD_PAYLOAD_MOST) {
		entry_finish(e, -EFBIG, 0);
		return;
	}
	list_append(&w->entries, &e->link);
	writer_wake(sp);
}

yields int
writer_wait(struct entry *e)
{
	while (!e->is_done)
		(void)fiber_park(MONO_NEVER);
	if (e->result != 0)
		err_set("the log could not be written");
	return e->result;
}

void
entry_release(struct spool *sp, struct entry *e)
{
	if (e->segment == NULL)
		return;
	spool_give_segment(sp, e->segment, 0);
	e->segment = NULL;
}

/* A slip with room for n more bytes. */
static struct room *
slip_get(struct writer *w, uint64_t n, enum lazy_class class)
{
	struct link *k = w->lazy.head.prev;
	struct room *slip;

	must(n <= ROOM_LARGE);
	if (k != &w->lazy.head && slip_of(k)->cap - slip_of(k)->n >= n)
		return slip_of(k);
	if (class == LAZY_EVENT && w->rooms.out > w->rooms.ceiling / 2)
		return NULL;
	slip = room_take(&w->rooms, ROOM_LARGE);
	if (slip != NULL)
		list_append(&w->lazy, &slip->link);
	return slip;
}

int
writer_lazy(struct spool *sp, enum record_type type, uint64_t id,
    struct str payload, enum lazy_class class)
{
	struct record r = { .type = (uint8_t)type, .id = id,
		.flags = class == LAZY_EVENT ? 0 : RECORD_MUST,
		.payload_n = (uint32_t)payload.n,
		.payload_sum = crc32c(0, payload) };
	struct writer *w = &sp->writer;
	uint64_t n = record_size(r.payload_n, 0);
	struct room *slip;
	char *to;

	must(payload.n <= WRITER_LAZY_MOST);
	slip = slip_get(w, n, class);
	if (slip == NULL)
		return -1;
	to = slip->bytes + slip->n;
	record_seal(&r, to);
	if (payload.n > 0)
		memcpy(to + RECORD_HEADER, payload.p, payload.n);
	memset(to + RECORD_HEADER + payload.n, 0,
	    (size_t)n - RECORD_HEADER - payload.n);
	slip->n += n;
	slip->mark = ++sp->index.given;
	writer_wake(sp);
	return 0;
}

yields void
writer_wait_room(struct spool *sp)
{
	struct room_waiter me = { .fiber = fiber_self() };

	/* a second is for when the disk does nothing: the caller looks again */
	list_append(&sp->writer.room_waiters, &me.link);
	(void)fiber_park(mono_add(clock_mono(), RETRY_NS));
	list_remove(&me.link);
}

yields void
writer_wait_written(struct spool *sp, struct mono deadline)
{
	struct room_waiter me = { .fiber = fiber_self() };
	struct writer *w = &sp->writer;
	uint64_t mark = sp->index.given;

	while (w->written < mark && sp->health != SPOOL_BROKEN &&
	    mono_is_before(clock_mono(), deadline)) {
		list_append(&w->written_waiters, &me.link);
		(void)fiber_park(deadline);
		list_remove(&me.link);
	}
}

yields int
writer_drain(struct spool *sp)
{
	struct writer *w = &sp->writer;
	struct mono before = w->failed_at;

	must(w->closer == NULL);
	w->closer = fiber_self();
	w->is_draining = true;
	writer_wake(sp);
	w->is_stuck = false;
	while (!writer_is_idle(w) && w->is_running && !w->is_stuck &&
	    w->failed_at.ns == before.ns)
		(void)fiber_park(MONO_NEVER);
	w->is_draining = false;
	w->closer = NULL;
	if (writer_is_idle(w))
		return 0;
	return err_set("the log could not be written to its end");
}
