#include "spool/writer.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "fiber/offload.h"
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
 * failed     writer_failed     segment.end stands where it stood, and it is
 *                              sealed; entries are told, slips wait again,
 *                              COMMITs are cancelled in case they reached the
 *                              disk after all
 *
 * Meanwhile the scribe (slip.c) may write slips behind the batch.
 */

#define RETRY_NS (1 * NS_PER_SECOND)

struct batch {
	struct segment *segment;
	uint64_t at, end;		/* where it begins and ends */
	uint64_t sequence;		/* before it */
	uint64_t sync;			/* its number; 0: none */
	size_t n_parts;
	struct room *first, *last;	/* slips in it, as they follow in unsynced */
	struct list entries;
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

void
record_place(struct writer *w, struct segment *s, struct record *r, char *head)
{
	must(s->settled <= s->end && !s->is_sealed);
	r->salt = s->salt;
	r->sequence = ++w->sequence;
	r->settled = (uint32_t)(s->settled / RECORD_ALIGN);
	record_seal(r, head);
	s->sequence = r->sequence;
	if (s->first_sequence == 0)
		s->first_sequence = r->sequence;
}

static void
batch_take_slips(struct spool *sp, struct batch *b)
{
	struct writer *w = &sp->writer;
	struct link *k;

	while ((k = list_first(&w->slips.lazy)) != NULL &&
	    batch_has_room(b, slip_of(k)->n)) {
		list_remove(k);
		slip_place(sp, b->segment, slip_of(k));
		batch_add_part(w, b, slip_of(k)->bytes, slip_of(k)->n);
		if (b->first == NULL)
			b->first = slip_of(k);
		b->last = slip_of(k);
	}
	slips_taken(&w->slips);
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

	must(e->segment == NULL && !e->is_done);
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
	b->end = b->segment->end;
	b->sync = b->wants_sync ? ++w->slips.syncs : 0;
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
	must(!e->is_done);
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

/* Its slips are written: before its own sync, or for the next one. */
static void
batch_mark_slips(struct writer *w, const struct batch *b)
{
	struct link *k = b->first == NULL ? NULL : &b->first->link;

	for (; k != NULL; k = list_next(&w->slips.unsynced, k)) {
		slip_of(k)->cover = b->sync != 0 ? b->sync : w->slips.syncs + 1;
		if (slip_of(k) == b->last)
			break;
	}
}

static void
writer_succeeded(struct spool *sp, struct batch *b)
{
	struct writer *w = &sp->writer;
	struct link *k;

	w->n_failed = 0;
	batch_mark_slips(w, b);
	slips_written(&w->slips);
	if (b->sync != 0) {
		b->segment->settled = slips_covered(sp, b->segment, b->sync,
		    b->end);
		spool_look_at_front(sp);
	}
	while ((k = list_pop(&b->entries)) != NULL)
		entry_finish(entry_of(k), 0, sp->stats.sync_ns);
	sp->batches++;
	fiber_wake(sp->follower);
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

/* The segment takes no more, and what is not surely on disk is to be written to
 * the next one. */
static yields void
writer_give_up_segment(struct spool *sp, struct segment *s, int rc,
    bool has_written)
{
	struct writer *w = &sp->writer;

	must(rc < 0 && s != NULL);
	w->failed_at = clock_mono_exact();
	s->is_sealed = true;
	if (spool_is_space_error(rc) && !has_written) {
		spool_tell(sp, "disk_full", "writing segment %llu: %s",
		    (unsigned long long)s->number, err_text());
	} else {
		s->is_suspect = true;
		spool_device_error(sp, rc);
	}
	scribe_wait(sp);
	slips_again(&w->slips);
	w->slips.failed = 0;
	if (w->n_failed++ > 0)		/* not a new segment each time at once */
		w->retry_at = mono_add(clock_mono(), RETRY_NS);
	keeper_wake(sp);
}

static yields void
writer_failed(struct spool *sp, struct batch *b, int rc)
{
	struct writer *w = &sp->writer;
	struct link *k;

	must(rc < 0);
	writer_give_up_segment(sp, b->segment, rc, b->has_written);
	/* sequences have no gaps: those of the batch are given again, in the
	 * next segment */
	w->sequence = b->segment->sequence = b->sequence;
	b->segment->end = b->at;
	while ((k = list_pop(&b->entries)) != NULL) {
		entry_cancel(sp, entry_of(k));
		entry_finish(entry_of(k), rc, 0);
	}
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

	return !list_is_empty(&w->slips.lazy) ||
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

	must(sp->spares[0].end == SEGMENT_HEAD);
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

	w->wants_spare = sp->n_spares < SPARES_WANTED;
	if (w->wants_spare)
		keeper_wake(sp);
	if (sp->n_spares == 0 || (sp->n_spares < SPARES_WANTED &&
	    !writer_may_use_reserve(w)))
		return false;
	if (sp->current != NULL)
		sp->current->is_sealed = true;	/* for the scribe, too */
	scribe_wait(sp);
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
	if (w->slips.sync_due.ns == MONO_NEVER.ns)
		return false;
	return w->is_draining || !mono_is_before(clock_mono(), w->slips.sync_due);
}

static bool
writer_has_lazy(const struct writer *w)
{
	return !list_is_empty(&w->slips.lazy) &&
	    !mono_is_before(clock_mono(), w->retry_at);
}

/* Events go along with whatever is written anyway. */
static bool
writer_takes_lazy(const struct writer *w)
{
	return writer_has_lazy(w) && (w->is_draining ||
	    !list_is_empty(&w->entries) || writer_sync_is_due(w) ||
	    !mono_is_before(clock_mono(), w->slips.write_due));
}

static void
batch_fill(struct spool *sp, struct batch *b)
{
	struct writer *w = &sp->writer;

	if (writer_takes_lazy(w))
		batch_take_slips(sp, b);
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

	list_init(&b.entries);
	if (sp->health == SPOOL_BROKEN)
		writer_refuse_entries(sp, true, -EIO);
	if (w->slips.failed != 0) {
		writer_give_up_segment(sp, sp->current, w->slips.failed, false);
		return true;
	}
	if (b.segment != NULL) {
		b.at = b.segment->end;
		batch_fill(sp, &b);
	}
	if (b.n_parts == 0 &&
	    (writer_takes_lazy(w) || !list_is_empty(&w->entries))) {
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
	struct mono at = w->slips.write_due;

	if (mono_is_before(at, w->retry_at))
		at = w->retry_at;
	/* what is due could not be written: a wake will tell when it can */
	if (list_is_empty(&w->slips.lazy) || !mono_is_before(clock_mono(), at))
		at = MONO_NEVER;
	return mono_first(at, w->slips.sync_due);
}

static bool
writer_is_idle(const struct writer *w)
{
	return list_is_empty(&w->slips.lazy) && list_is_empty(&w->entries) &&
	    w->slips.sync_due.ns == MONO_NEVER.ns && !w->is_at_work;
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
	slips_init(&w->slips, ceiling);
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
	return scribe_open(sp);
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

	must(w->closer == NULL);
	w->is_stopping = true;
	w->closer = fiber_self();
	writer_wake(sp);
	while (w->is_running)
		(void)fiber_park(MONO_NEVER);
	w->closer = NULL;
	scribe_close(sp);
	writer_refuse_entries(sp, true, -EIO);
	slips_clear(&w->slips);
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
