#include "spool/slip.h"

#include "base/crc32c.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "spool/fault.h"
#include "spool/own.h"

/*
 * STATE      moved by          what is true
 * lazy       writer_lazy       takes more; its records have no place yet
 * placed     slip_place        in unsynced, cover SLIP_UNWRITTEN; the writer's
 *                              batch or the scribe writes it
 * written    (either)          kill -9 cannot take it back; cover is the number
 *                              of the first sync that begins after the write
 * covered    slips_covered     that sync, or a later one, has succeeded: gone
 * lazy       slips_again       the segment failed: all that is unsynced is to be
 *                              written again, in the same order
 */

#define SCRIBE_PATIENCE_NS NS_PER_MS
#define ROOM_PATIENCE_NS NS_PER_SECOND

static struct room *
slip_of(struct link *k)
{
	return OWNER_OF(k, struct room, link);
}

void
slips_init(struct slips *s, size_t ceiling)
{
	list_init(&s->lazy);
	list_init(&s->unsynced);
	list_init(&s->waiters);
	list_init(&s->written_waiters);
	rooms_init(&s->rooms, ceiling);
	s->sync_due = s->later_due = s->write_due = MONO_NEVER;
}

static void
slips_drop(struct slips *s, struct list *l)
{
	struct link *k;

	while ((k = list_pop(l)) != NULL)
		room_give(&s->rooms, slip_of(k));
}

void
slips_clear(struct slips *s)
{
	slips_drop(s, &s->lazy);
	slips_drop(s, &s->unsynced);
	rooms_clear(&s->rooms);
}

/* ---- giving ---- */

/* A slip with room for n more octets. */
static struct room *
slip_get(struct slips *s, uint64_t n, enum lazy_class class)
{
	struct link *k = s->lazy.head.prev;
	struct room *slip;

	must(n <= ROOM_LARGE);
	if (k != &s->lazy.head && slip_of(k)->cap - slip_of(k)->n >= n)
		return slip_of(k);
	if (class == LAZY_EVENT && s->rooms.out > s->rooms.ceiling / 2)
		return NULL;
	slip = room_take(&s->rooms, ROOM_LARGE);
	if (slip == NULL)
		return NULL;
	if (list_is_empty(&s->lazy))
		s->since = clock_mono();
	slip->cover = SLIP_UNWRITTEN;
	list_append(&s->lazy, &slip->link);
	return slip;
}

void
slips_taken(struct slips *s)
{
	if (list_is_empty(&s->lazy))
		s->write_due = MONO_NEVER;
}

/* A write for an event alone is worth a switch of threads to nobody: it waits for
 * company.  Whoever waits for the time must know it when it changes. */
static void
slips_hurry(struct spool *sp, enum lazy_class class)
{
	struct slips *s = &sp->writer.slips;
	struct mono before = s->write_due, at = clock_mono();

	if (class == LAZY_EVENT)
		at = mono_add(at, SLIP_PATIENCE_NS);
	s->write_due = mono_first(before, at);
	if (!mono_is_before(s->write_due, before))
		return;
	writer_wake(sp);
	fiber_wake(s->is_writing ? NULL : s->scribe);
}

int
writer_lazy(struct spool *sp, enum record_type type, uint64_t id,
    struct str payload, enum lazy_class class)
{
	struct record r = { .type = (uint8_t)type, .id = id,
		.flags = class == LAZY_EVENT ? 0 : RECORD_MUST,
		.payload_n = (uint32_t)payload.n,
		.payload_sum = crc32c(0, payload) };
	uint64_t n = record_size(r.payload_n, 0);
	struct slips *s = &sp->writer.slips;
	struct room *slip;
	char *to;

	must(payload.n <= WRITER_LAZY_MOST);
	slip = slip_get(s, n, class);
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
	slips_hurry(sp, class);
	return 0;
}

/* ---- waiting ---- */

struct slips_waiter {
	struct link link;
	struct fiber *fiber;
};

static void
slips_wake(struct list *waiters)
{
	struct link *k;

	while ((k = list_pop(waiters)) != NULL)
		fiber_wake(OWNER_OF(k, struct slips_waiter, link)->fiber);
}

static yields void
slips_wait(struct list *waiters, struct mono deadline)
{
	struct slips_waiter me = { .fiber = fiber_self() };

	must(me.fiber != NULL);
	list_append(waiters, &me.link);
	(void)fiber_park(deadline);
	list_remove(&me.link);
}

yields void
writer_wait_room(struct spool *sp)
{
	/* a second is for when the disk does nothing: the caller looks again */
	slips_wait(&sp->writer.slips.waiters,
	    mono_add(clock_mono(), ROOM_PATIENCE_NS));
}

yields void
writer_wait_written(struct spool *sp, struct mono deadline)
{
	struct slips *s = &sp->writer.slips;
	uint64_t mark = sp->index.given;

	if (s->written < mark && !list_is_empty(&s->lazy))
		slips_hurry(sp, LAZY_OUTCOME);
	while (s->written < mark && sp->health != SPOOL_BROKEN &&
	    mono_is_before(clock_mono(), deadline))
		slips_wait(&s->written_waiters, deadline);
}

/* ---- placing, covering ---- */

/* From its place on, not from when the disk is done with others. */
static void
sync_wish(struct spool *sp)
{
	struct slips *s = &sp->writer.slips;
	struct mono at = mono_add(clock_mono(), sp->config.outcome_delay_ns);

	s->sync_due = mono_first(s->sync_due, at);
	if (sp->writer.is_at_work)
		s->later_due = mono_first(s->later_due, at);
}

void
slip_place(struct spool *sp, struct segment *segment, struct room *slip)
{
	struct slips *s = &sp->writer.slips;
	struct record r;
	uint64_t n;

	must(slip->n > 0 && slip->cover == SLIP_UNWRITTEN);
	for (size_t at = 0; at < slip->n; at += n) {
		struct str bytes = { slip->bytes + at, slip->n - at };

		must(record_read_header(bytes, &r) == RECORD_WHOLE);
		record_place(&sp->writer, segment, &r, slip->bytes + at);
		n = record_size(r.payload_n, r.body_n);
	}
	must(slip->n <= segment->size - segment->end);
	slip->at = segment->end;
	segment->end += slip->n;
	slip->cover = SLIP_UNWRITTEN;
	list_append(&s->unsynced, &slip->link);
	sync_wish(sp);
}

void
slips_written(struct slips *s)
{
	struct link *k = list_first(&s->unsynced);

	for (; k != NULL && slip_of(k)->cover != SLIP_UNWRITTEN;
	    k = list_next(&s->unsynced, k))
		if (slip_of(k)->mark > s->written)
			s->written = slip_of(k)->mark;
	if (k == NULL && s->freed > s->written)
		s->written = s->freed;
	slips_wake(&s->written_waiters);
}

uint64_t
slips_covered(struct spool *sp, const struct segment *segment, uint64_t sync,
    uint64_t end)
{
	struct slips *s = &sp->writer.slips;
	struct link *k = list_first(&s->unsynced), *next;
	bool is_first = true;

	must(segment == sp->current);
	for (; k != NULL; k = next) {
		struct room *slip = slip_of(k);

		next = list_next(&s->unsynced, k);
		if (slip->cover > sync) {
			if (is_first && slip->at < end)
				end = slip->at;
			is_first = false;
			continue;
		}
		if (is_first)
			s->synced = slip->mark;
		if (slip->mark > s->freed)
			s->freed = slip->mark;
		list_remove(k);
		room_give(&s->rooms, slip);
	}
	if (is_first && s->freed > s->synced)
		s->synced = s->freed;
	/* what is still being written waits for another all the same */
	s->sync_due = list_is_empty(&s->unsynced) ? MONO_NEVER :
	    mono_first(s->later_due, mono_add(clock_mono(),
	    sp->config.outcome_delay_ns));
	s->later_due = MONO_NEVER;
	slips_wake(&s->waiters);
	return end;
}

void
slips_again(struct slips *s)
{
	struct link *k;

	must(!s->is_writing);
	while ((k = s->unsynced.head.prev) != &s->unsynced.head) {
		list_remove(k);
		slip_of(k)->cover = SLIP_UNWRITTEN;
		list_push(&s->lazy, k);
		s->write_due = (struct mono){ 0 };
	}
	s->sync_due = s->later_due = MONO_NEVER;
}

/* ---- the scribe ---- */

static struct room *
scribe_next(const struct spool *sp)
{
	const struct slips *s = &sp->writer.slips;
	const struct segment *segment = sp->current;
	struct link *k = list_first(&s->lazy);

	if (k == NULL || !sp->writer.is_at_work || segment == NULL ||
	    segment->is_sealed || s->failed != 0)
		return NULL;
	return slip_of(k)->n <= segment->size - segment->end ? slip_of(k) : NULL;
}

static yields void
scribe_write(struct spool *sp, struct room *slip)
{
	struct slips *s = &sp->writer.slips;
	struct segment *segment = sp->current;
	int rc;

	must(!s->is_writing && segment != NULL);
	list_remove(&slip->link);
	slips_taken(s);
	slip_place(sp, segment, slip);
	s->since = clock_mono();
	s->is_writing = true;
	rc = disk_pwrite(segment->fd, (struct str){ slip->bytes, slip->n },
	    slip->at);
	if (rc == 0)
		rc = fault_here(FAULT_lazy_after_write);
	s->is_writing = false;
	sp->stats.writes++;
	if (rc == 0)
		slip->cover = s->syncs + 1;
	else
		s->failed = rc;
	slips_written(s);
	writer_wake(sp);
	fiber_wake(s->closer);
}

static yields void
scribe_fiber(void *arg)
{
	struct spool *sp = arg;
	struct slips *s = &sp->writer.slips;
	struct mono patience;
	struct room *slip;

	s->scribe = fiber_self();
	while (!s->is_stopping) {
		slip = scribe_next(sp);
		patience = mono_add(s->since, SCRIBE_PATIENCE_NS);
		if (mono_is_before(patience, s->write_due))
			patience = s->write_due;
		if (slip == NULL)
			(void)fiber_park(MONO_NEVER);
		else if (mono_is_before(clock_mono(), patience))
			(void)fiber_park(patience);
		else
			scribe_write(sp, slip);
	}
	s->scribe = NULL;
	s->is_running = false;
	fiber_wake(s->closer);
}

int
scribe_open(struct spool *sp)
{
	must(!sp->writer.slips.is_running);
	if (fiber_go("spool scribe", scribe_fiber, sp) != 0)
		return -1;
	sp->writer.slips.is_running = true;
	return 0;
}

yields void
scribe_close(struct spool *sp)
{
	struct slips *s = &sp->writer.slips;

	must(s->closer == NULL);
	s->is_stopping = true;
	s->closer = fiber_self();
	fiber_wake(s->scribe);
	while (s->is_running)
		(void)fiber_park(MONO_NEVER);
	s->closer = NULL;
}

yields void
scribe_wait(struct spool *sp)
{
	struct slips *s = &sp->writer.slips;

	must(s->closer == NULL);
	s->closer = fiber_self();
	while (s->is_writing)
		(void)fiber_park(MONO_NEVER);
	s->closer = NULL;
}
