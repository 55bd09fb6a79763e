/* route_queue_list.c -- the queue, a line for each message, however many. */
#include "base/must.h"
#include "fiber/core.h"
#include "fiber/stream.h"
#include "http/control_inner.h"
#include "http/queue_filter.h"
#include "http/queue_row.h"

enum { BATCH = 64, LINES_ENOUGH = 64 * 1024,
	LINES_MOST = LINES_ENOUGH + QUEUE_ROW_MOST + 64 * 1024 };

struct list_work {
	struct control_work work;	/* first */
	const struct queue_filter *filter;
	uint64_t listed;
	uint64_t asked;			/* the last whose turn was asked about */
	struct view_cursor cursor;
	size_t n, at;
	uint64_t *ids;			/* BATCH */
	struct buf out;			/* LINES_MOST */
	bool is_seen;			/* the walk of this core is over */
};

/* A message stands where the first of its destinations does that passes; one
 * whose first ends meanwhile may be shown twice. */
static void
ids_find(struct list_work *w)
{
	enum view_step step = VIEW_PAUSE;
	struct view_item v;

	w->n = w->at = 0;
	while (w->n < BATCH && w->listed < w->filter->limit &&
	    (step = view_next(w->work.core->queue, &w->filter->view,
	    &w->cursor, &v)) == VIEW_FOUND) {
		if (v.ref.id == w->asked)
			continue;
		w->asked = v.ref.id;
		if (!view_is_first(w->work.core->queue, &w->filter->view, v.ref))
			continue;
		w->ids[w->n++] = v.ref.id;
		w->listed++;
	}
	w->is_seen = step == VIEW_END || w->listed >= w->filter->limit;
}

/* On a core: the next few messages, as lines. */
static yields void
list_some(void *arg)
{
	struct list_work *w = arg;

	must(w->at <= w->n);
	w->out.n = 0;
	if (w->at == w->n)
		ids_find(w);
	while (w->at < w->n && w->out.n < LINES_ENOUGH)
		queue_row(w->work.core, &w->filter->view, w->ids[w->at++],
		    &w->out);
}

static struct list_work *
list_work_make(struct talk *t, const struct queue_filter *f)
{
	struct list_work *w = arena_new(&t->arena, struct list_work);

	if (w == NULL)
		return NULL;
	w->filter = f;
	w->ids = arena_alloc(&t->arena, BATCH * sizeof *w->ids);
	w->out = (struct buf){ .p = arena_alloc(&t->arena, LINES_MOST),
		.cap = LINES_MOST };
	return w->ids == NULL || w->out.p == NULL ? NULL : w;
}

/* -1: no memory on that core; the list would not be whole. */
static yields int
core_list(struct request *q, struct list_work *w, unsigned i)
{
	struct control *c = q->control;

	w->work = (struct control_work){ c, &c->setup.cores[i], i };
	w->cursor = (struct view_cursor){ 0 };
	w->is_seen = false;
	w->n = w->at = 0;
	while ((!w->is_seen || w->at < w->n) &&
	    q->talk->net.trouble == STREAM_FINE) {
		if (core_call(i, list_some, w) != 0)
			return -1;
		talk_piece(q->talk, buf_str(&w->out));
	}
	return 0;
}

yields void
route_queue_list(struct request *q)
{
	struct queue_filter f;
	struct list_work *w;

	if (!queue_filter_take(q->talk, &f))
		return;
	w = list_work_make(q->talk, &f);
	if (w == NULL) {
		talk_error(q->talk, 503, "no_memory", "no memory now");
		return;
	}
	talk_begin(q->talk, 200, "application/x-ndjson");
	for (unsigned i = 0; i < q->control->setup.n_cores &&
	    w->listed < f.limit; i++)
		if (core_list(q, w, i) != 0) {
			talk_cut(q->talk);
			return;
		}
	talk_end(q->talk);
}
