#include "spool/cleaner.h"

#include "base/err.h"
#include "base/must.h"
#include "base/poison.h"
#include "fiber/clock.h"
#include "spool/draft_own.h"
#include "spool/kept.h"
#include "spool/move.h"
#include "spool/own.h"
#include "spool/record.h"
#include "spool/sidecar.h"
#include "spool/walk.h"

#include <stdlib.h>

/*
 * The front of the log is emptied when
 *	(1) less than a quarter of it lives,
 *	(2) or it is suspect (any suspect segment is),
 *	(3) or the log is longer than twice what lives in it, and some: else one
 *	    old message would keep everything behind it,
 *	(4) or the disk is full and two segments' worth of the log are dead.
 * A message at which workers died twice stays where it is, and its segment with
 * it; one at which one died is moved alone, that no others are blamed with it.
 *
 * By (3) an octet of live mail is written again for each octet of new mail at
 * worst, and the log is at most twice as long as what it must keep.
 */

#define RETRY_NS (10 * NS_PER_SECOND)
enum { MOVES = 16, LOG_SLACK = 8 };

static bool
segment_is_mostly_dead(const struct segment *s)
{
	return s->live_bytes < s->size / 4;
}

static bool
log_is_long(const struct spool *sp)
{
	uint64_t bytes = sp->log.n * sp->config.segment_bytes;

	return bytes / 2 > sp->index.live_bytes +
	    LOG_SLACK / 2 * sp->config.segment_bytes;
}

static bool
log_has_waste(const struct spool *sp)
{
	uint64_t bytes = sp->log.n * sp->config.segment_bytes;

	return sp->health == SPOOL_NO_ROOM &&
	    bytes > sp->index.live_bytes + 2 * sp->config.segment_bytes;
}

static bool
segment_is_movable(const struct spool *sp, const struct segment *s)
{
	return s != NULL && s != sp->current && s->is_sealed && s->refs > 0 &&
	    !s->is_going;
}

static bool
cleaner_wants_front(const struct spool *sp)
{
	const struct segment *s = log_front(&sp->log);

	return segment_is_movable(sp, s) &&
	    (segment_is_mostly_dead(s) || s->is_suspect || log_is_long(sp) ||
	    log_has_waste(sp));
}

static struct segment *
cleaner_find_work(const struct spool *sp)
{
	if (sp->health == SPOOL_BROKEN)
		return NULL;
	for (size_t i = 0; i < sp->log.n; i++) {
		struct segment *s = sp->log.segments[i];

		if (segment_is_movable(sp, s) && s->is_suspect)
			return s;
	}
	return cleaner_wants_front(sp) ? log_front(&sp->log) : NULL;
}

static struct segment *
cleaner_find_bare(const struct spool *sp)
{
	for (size_t i = 0; i < sp->log.n; i++) {
		struct segment *s = sp->log.segments[i];

		if (segment_is_movable(sp, s) && !s->has_sidecar &&
		    !s->is_suspect)
			return s;
	}
	return NULL;
}

/* ---- moving messages ---- */

struct moving {
	struct spool *spool;
	struct segment *segment;
	uint64_t ids[MOVES];
	size_t n;
	size_t n_moved, n_failed;
	struct move moves[MOVES];
};

/* All that were gathered, under one fdatasync or few. */
static yields void
moving_flush(struct moving *m)
{
	int watched[MOVES];

	must(m->n <= MOVES);
	for (size_t i = 0; i < m->n; i++) {
		watched[i] = poison_enter(m->ids[i]);
		(void)move_start(&m->moves[i], m->spool, m->ids[i], m->segment);
	}
	for (size_t i = 0; i < m->n; i++) {
		if (move_end(&m->moves[i]) == 0)
			m->n_moved++;
		else
			m->n_failed++;
		poison_leave(watched[i]);
	}
	m->n = 0;
}

static yields void
moving_add(struct moving *m, uint64_t id)
{
	bool is_alone = poison_is_suspect(id);

	must(m->n < MOVES);
	if (is_alone)
		moving_flush(m);
	m->ids[m->n++] = id;
	if (is_alone || m->n == MOVES)
		moving_flush(m);
}

static bool
moving_concerns(const struct moving *m, const struct kept *k)
{
	if (k == NULL || (k->flags & KEPT_OVER) != 0 || k->pins > 0 ||
	    poison_is_held(kept_id(k)))
		return false;
	if (k->segment == m->segment)
		return true;
	for (size_t i = 0; k->more != NULL && i < k->more->n_extents; i++)
		if (k->more->extents[i].segment == m->segment)
			return true;
	return false;
}

/* Those whose record stands here. */
static yields int
moving_walk(struct moving *m, struct walk *w)
{
	struct spool *sp = m->spool;
	enum walk_result got = WALK_RECORD;
	struct record r;

	while (!sp->cleaner.is_stopping && got != WALK_END) {
		const struct kept *k;

		got = walk_next(w, &r);
		if (got == WALK_FAILED || got == WALK_BAD_SIDECAR)
			return -1;
		if (got != WALK_RECORD ||
		    (r.type != RECORD_COMMIT && r.type != RECORD_MOVED))
			continue;
		k = index_find(&sp->index, r.id);
		if (moving_concerns(m, k) && k->segment == m->segment &&
		    (uint64_t)k->at * RECORD_ALIGN == w->record_at)
			moving_add(m, r.id);
	}
	moving_flush(m);
	return 0;
}

static yields int
moving_records(struct moving *m)
{
	struct segment *s = m->segment;
	enum walk_result got;
	struct walk w;
	int rc = -1;

	got = walk_open_sidecar(&w, m->spool->path, s);
	if (got == WALK_RECORD)
		rc = moving_walk(m, &w);
	walk_close(&w);
	if (rc == 0)
		return 0;
	rc = walk_open(&w, s, s->end, false);
	if (rc == 0)
		rc = moving_walk(m, &w);
	walk_close(&w);
	return rc;
}

/* Those that only have chunks here. */
static yields void
moving_chunks(struct moving *m)
{
	struct spool *sp = m->spool;
	size_t before;

	do {
		struct link *k = list_first(&sp->index.more);

		before = m->n_moved;
		for (; k != NULL && m->n < MOVES; k = list_next(&sp->index.more, k)) {
			const struct kept *kept =
			    OWNER_OF(k, struct kept_more, link)->kept;

			if (!moving_concerns(m, kept))
				continue;
			if (poison_is_suspect(kept_id(kept)) && m->n > 0)
				break;		/* alone, next time */
			m->ids[m->n++] = kept_id(kept);
			if (poison_is_suspect(kept_id(kept)))
				break;
		}
		moving_flush(m);
	} while (m->n_moved > before && !sp->cleaner.is_stopping);
}

/* ---- moving what drafts have written ---- */

static struct draft_own *
drafts_find(struct spool *sp, uint64_t id)
{
	struct link *k = list_first(&sp->drafts);

	for (; k != NULL; k = list_next(&sp->drafts, k)) {
		struct draft_own *d = OWNER_OF(k, struct draft_own, link);

		if (d->id == id)
			return d;
	}
	return NULL;
}

/* A draft with a chunk here, and which; NULL. */
static struct draft_own *
drafts_concerned(struct spool *sp, const struct segment *s, size_t *at)
{
	struct link *k = list_first(&sp->drafts);

	for (; k != NULL; k = list_next(&sp->drafts, k)) {
		struct draft_own *d = OWNER_OF(k, struct draft_own, link);

		for (*at = 0; !d->is_committing && *at < d->n_extents; ++*at)
			if (d->extents[*at].segment == s)
				return d;
	}
	return NULL;
}

static yields int
draft_move_chunk(struct spool *sp, struct draft_own *d, size_t at)
{
	struct extent old = d->extents[at], fresh;
	uint64_t id = d->id, bytes = record_size(0, old.n);

	must(at < d->n_extents && !d->is_committing);
	segment_take(&sp->index, old.segment, 0);
	if (move_chunk(sp, id, old, &fresh) != 0) {
		spool_give_segment(sp, old.segment, 0);
		return -1;
	}
	d = drafts_find(sp, id);
	if (d != NULL && !d->is_committing &&
	    d->extents[at].segment == old.segment &&
	    d->extents[at].at == old.at) {
		d->extents[at] = fresh;
		segment_take(&sp->index, fresh.segment, bytes);
		spool_give_segment(sp, old.segment, bytes);
	}
	spool_give_segment(sp, fresh.segment, 0);
	spool_give_segment(sp, old.segment, 0);
	return 0;
}

static yields int
cleaner_move_drafts(struct spool *sp, struct segment *s)
{
	struct draft_own *d;
	size_t at;

	while (!sp->cleaner.is_stopping &&
	    (d = drafts_concerned(sp, s, &at)) != NULL)
		if (draft_move_chunk(sp, d, at) != 0)
			return -1;
	return 0;
}

/* ---- the fiber ---- */

static yields void
cleaner_empty(struct spool *sp, struct segment *s)
{
	struct moving *m = calloc(1, sizeof *m);
	int rc = -1;

	must(s != sp->current && s->is_sealed && !s->is_going);
	segment_take(&sp->index, s, 0);
	if (m != NULL) {
		m->spool = sp;
		m->segment = s;
		rc = moving_records(m);
		moving_chunks(m);
		free(m);
	}
	if (rc == 0)
		rc = cleaner_move_drafts(sp, s);
	if (rc != 0 && !s->is_told) {
		spool_tell(sp, "compaction", "segment %llu: %s",
		    (unsigned long long)s->number, err_text());
		s->is_told = true;
	}
	if (rc != 0 || s->refs > 1)	/* a pin, a tail, damage: later */
		sp->cleaner.retry_at = mono_add(clock_mono(), RETRY_NS);
	spool_give_segment(sp, s, 0);
}

static yields void
cleaner_add_sidecar(struct spool *sp, struct segment *s)
{
	must(s->is_sealed && !s->has_sidecar);
	segment_take(&sp->index, s, 0);
	if (sidecar_write(sp->path, s, false) != 0)
		spool_tell(sp, "sidecar", "%s", err_text());
	s->has_sidecar = true;		/* or not worth another try */
	spool_give_segment(sp, s, 0);
}

static yields bool
cleaner_step(struct spool *sp)
{
	struct segment *s;

	if (mono_is_before(clock_mono(), sp->cleaner.retry_at))
		return false;
	s = cleaner_find_work(sp);
	if (s != NULL) {
		cleaner_empty(sp, s);
		return true;
	}
	s = cleaner_find_bare(sp);
	if (s == NULL)
		return false;
	cleaner_add_sidecar(sp, s);
	return true;
}

static yields void
cleaner_fiber(void *arg)
{
	struct spool *sp = arg;
	struct cleaner *c = &sp->cleaner;

	must(c->is_running && c->fiber == NULL);
	c->fiber = fiber_self();
	while (!c->is_stopping) {
		c->is_called = false;
		if (cleaner_step(sp) || c->is_called)
			continue;
		(void)fiber_park(cleaner_find_work(sp) != NULL ? c->retry_at :
		    MONO_NEVER);
	}
	c->fiber = NULL;
	c->is_running = false;
	fiber_wake(c->closer);
}

int
cleaner_open(struct spool *sp)
{
	must(!sp->cleaner.is_running);
	if (fiber_go("spool cleaner", cleaner_fiber, sp) != 0)
		return -1;
	sp->cleaner.is_running = true;
	return 0;
}

yields void
cleaner_close(struct spool *sp)
{
	struct cleaner *c = &sp->cleaner;

	must(c->closer == NULL);
	c->is_stopping = true;
	c->closer = fiber_self();
	cleaner_wake(sp);
	while (c->is_running)
		(void)fiber_park(MONO_NEVER);
	c->closer = NULL;
}

void
cleaner_wake(struct spool *sp)
{
	/* it may be waiting for the disk, and the wake be lost on that */
	sp->cleaner.is_called = true;
	fiber_wake(sp->cleaner.fiber);
}

void
cleaner_look(struct spool *sp)
{
	if (cleaner_wants_front(sp))
		cleaner_wake(sp);
}
