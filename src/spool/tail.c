#include "spool/tail.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/disk.h"
#include "spool/fault.h"
#include "spool/own.h"
#include "spool/scan.h"
#include "spool/segment.h"
#include "spool/slip.h"
#include "spool/tlv.h"

#include <stdlib.h>

/*
 * STATE     moved by      what is true
 * nowhere   tail_open     knows its place by number
 * standing  tail_enter    holds its segment; scan stands at the place
 * nowhere   tail_leave    the segment is sealed and read to its end
 */
enum { WINDOW = 256 << 10, MARK_ROOM = 64 };

struct tail {
	struct spool *spool;
	struct segment *segment;	/* NULL: nowhere */
	struct tail_place place;	/* the next octet to be read */
	struct tail_place after;	/* what the caller knows */
	uint32_t types;
	uint64_t seen;			/* of spool.batches, to their end */
	struct scan scan;
	char *window;
	size_t cap;
};

/* ---- marks ---- */

void
spool_projection(struct spool *sp, unsigned number)
{
	must(number < PROJECTIONS_MOST && !sp->is_running);
	sp->marks[number].is_registered = true;
}

struct tail_place
spool_place(const struct spool *sp, unsigned number)
{
	must(number < PROJECTIONS_MOST);
	return sp->marks[number].place;
}

int
mark_write(struct spool *sp, unsigned number)
{
	struct mark *m = &sp->marks[number];
	char room[MARK_ROOM];
	struct buf b = BUF_OF(room);

	must(number < PROJECTIONS_MOST);
	tlv_put_u64(&b, TAG_PROJECTION, number);
	tlv_put_u64(&b, TAG_PLACE_SEGMENT, m->place.segment);
	tlv_put_u64(&b, TAG_PLACE_OFFSET, m->place.offset);
	must(!b.full);
	if (writer_lazy(sp, RECORD_MARK, 0, buf_str(&b), LAZY_OUTCOME) != 0)
		return -1;
	/* it stands there or further on */
	m->in_segment = sp->current == NULL ? 0 : sp->current->number;
	return 0;
}

yields int
spool_mark(struct spool *sp, unsigned number, struct tail_place place)
{
	must(number < PROJECTIONS_MOST && sp->marks[number].is_registered);
	if (fault_here(FAULT_mark_before_write) != 0)
		return -1;
	sp->marks[number].place = place;
	while (mark_write(sp, number) != 0) {
		if (sp->health == SPOOL_BROKEN)
			return err_set("the spool is broken; a mark is lost");
		writer_wait_room(sp);
	}
	spool_look_at_front(sp);
	return 0;
}

/* ---- tails ---- */

struct tail *
tail_open(struct spool *sp, struct tail_place after, uint32_t types)
{
	struct tail *t = calloc(1, sizeof *t);

	if (t != NULL)
		t->window = malloc(WINDOW);
	if (t == NULL || t->window == NULL) {
		free(t);
		err_set("no memory for a tail");
		return NULL;
	}
	t->cap = WINDOW;
	t->spool = sp;
	t->place = t->after = after;
	t->types = types;
	sp->tails++;
	return t;
}

static void
tail_leave(struct tail *t)
{
	struct segment *s = t->segment;

	t->segment = NULL;
	if (s != NULL)
		spool_give_segment(t->spool, s, 0);
}

void
tail_close(struct tail *t)
{
	tail_leave(t);
	must(t->spool->tails > 0);
	t->spool->tails--;
	free(t->window);
	free(t);
}

/* The first segment at or behind the place. */
static struct segment *
tail_find(const struct tail *t)
{
	const struct log *l = &t->spool->log;
	uint64_t number = t->place.segment < l->first ? l->first :
	    t->place.segment;
	struct segment *s;

	for (; number < l->first + l->n; number++) {
		s = log_find(l, number);
		if (s != NULL && !s->is_going)
			return s;
	}
	return NULL;
}

static bool
tail_enter(struct tail *t)
{
	struct segment *s = tail_find(t);

	must(t->segment == NULL);
	if (s == NULL)
		return false;
	if (s->number != t->place.segment || t->place.offset < SEGMENT_HEAD)
		t->place = (struct tail_place){ s->number, SEGMENT_HEAD };
	segment_take(&t->spool->index, s, 0);
	t->segment = s;
	t->scan = (struct scan){ .sequence = 0 };
	return true;
}

/* How far it may be read: what is surely on disk. */
static uint64_t
tail_end(const struct tail *t)
{
	const struct segment *s = t->segment;

	return s == t->spool->current || s->is_suspect ? s->settled : s->end;
}

static yields int
tail_load(struct tail *t)
{
	struct scan *s = &t->scan;
	int64_t n;

	must(s->want_n > 0 && s->want_at <= s->end);
	if (s->want_n > t->cap) {
		char *p = realloc(t->window, (size_t)s->want_n);

		if (p == NULL)
			return err_set("no memory for a record");
		t->window = p;
		t->cap = (size_t)s->want_n;
	}
	n = disk_pread(t->segment->fd, t->window, t->cap, s->want_at);
	if (n < 0)
		return -1;
	if ((uint64_t)n < s->want_n)
		return err_set("segment %llu is cut off",
		    (unsigned long long)t->segment->number);
	/* octets behind the end may be written yet: do not keep them */
	s->window = str_sub((struct str){ t->window, (size_t)n }, 0,
	    (size_t)(s->end - s->want_at));
	s->window_at = s->want_at;
	return 0;
}

/* 1: a record of this segment; 0: no more in it for now; -1. */
static yields int
tail_scan(struct tail *t, struct record *out)
{
	struct scan before = t->scan;
	uint64_t end = tail_end(t);
	enum scan_result got;

	must(t->segment != NULL);
	if (t->place.offset >= end)
		return 0;
	scan_init(&t->scan, t->segment->salt, t->place.offset, end, false);
	t->scan.sequence = before.sequence;
	t->scan.window = before.window;
	t->scan.window_at = before.window_at;
	while ((got = scan_next(&t->scan, out)) != SCAN_END) {
		if (got == SCAN_MORE && tail_load(t) != 0)
			return -1;
		if (got != SCAN_RECORD)
			continue;
		t->place.offset = t->scan.to;
		if (out->type < 32 && (t->types & TAIL_OF(out->type)) != 0)
			return 1;
	}
	t->place.offset = end;
	return 0;
}

/* As tail_next(), without *after. */
static yields int
tail_advance(struct tail *t, struct record *out)
{
	int got;

	for (;;) {
		if (t->segment == NULL && !tail_enter(t))
			return 0;
		got = tail_scan(t, out);
		if (got != 0 || !t->segment->is_sealed ||
		    t->place.offset < tail_end(t))
			return got;
		/* the next one, if it is there already */
		if (t->segment == log_last(&t->spool->log))
			return 0;
		t->place = (struct tail_place){ t->segment->number + 1, 0 };
		tail_leave(t);
	}
}

yields int
tail_next(struct tail *t, struct record *out, struct tail_place *after)
{
	uint64_t batches = t->spool->batches;
	int got = tail_advance(t, out);

	if (got == 0)
		t->seen = batches;
	/* Records that nobody asked for move the place only when they fill a
	 * segment: else each mark, being one, would ask for another. */
	if (got == 1)
		t->after = t->place;
	else if (got == 0 && t->place.segment > t->after.segment)
		t->after = (struct tail_place){ t->place.segment, 0 };
	if (got >= 0)
		*after = t->after;
	return got;
}

yields void
tail_await(struct tail *t, struct mono deadline)
{
	struct spool *sp = t->spool;

	must(sp->follower == NULL);
	sp->follower = fiber_self();
	if (sp->batches == t->seen)
		(void)fiber_park(deadline);
	sp->follower = NULL;
}
