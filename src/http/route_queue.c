/* route_queue.c -- looking at a message, and what an operator does to the
 * queue. */
#include "base/err.h"
#include "base/id.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "http/control_inner.h"
#include "http/queue_filter.h"
#include "http/queue_row.h"
#include "intake/intake.h"
#include "queue/queue.h"
#include "queue/ready.h"
#include "spool/envelope.h"
#include "spool/outcome.h"

#include <stdio.h>

/* A message may have limits.recipients destinations, 100,000 at most. */
enum { BATCH = 64, LINE_MOST = 256 * 1024, ROW_ROOM = 16 * 1024,
	DESTINATIONS_SHOWN = 1000, ENVELOPE_MEMORY = 64 * 1024 * 1024,
	DESTINATIONS_MEMORY = 32 * 1024 * 1024 };

/* ---- one message ---- */

struct show_work {
	struct control_work work;	/* first */
	uint64_t id;
	struct arena *arena;
	struct buf out;
	bool is_found;
};

/* Half of the line; destinations have the rest. */
static void
recipients_json(struct json *j, const struct envelope *e, const bool *ended)
{
	size_t i;

	json_put_array(j, "recipients");
	for (i = 0; i < e->n_rcpts && j->out->n < LINE_MOST / 2; i++) {
		const struct recipient *r = &e->rcpts[i];

		json_put_object(j, NULL);
		json_put_str(j, "address", r->address);
		if (r->orig.p != NULL)
			json_put_str(j, "given_as", r->orig);
		json_put_str(j, "status",
		    (r->flags & RECIPIENT_EXPANDED) != 0 ? STR("expanded") :
		    (r->flags & RECIPIENT_DISCARDED) != 0 ? STR("discarded") :
		    ended[i] ? STR("ended") : STR("queued"));
		json_end_object(j);
	}
	json_end_array(j);
	if (i < e->n_rcpts)
		json_put_u64(j, "recipients_left_out", e->n_rcpts - i);
}

static void
items_json(struct json *j, const struct show_work *w)
{
	static const struct view_filter all;
	struct view_item *v = arena_alloc(w->arena, DESTINATIONS_SHOWN *
	    sizeof *v);
	size_t n = v == NULL ? 0 : view_message(w->work.core->queue, &all,
	    w->id, v, DESTINATIONS_SHOWN), i;

	json_put_array(j, "destinations");
	for (i = 0; i < n && i < DESTINATIONS_SHOWN &&
	    j->out->cap - j->out->n > ROW_ROOM; i++)
		queue_row_destination(w->work.core, j, &v[i]);
	json_end_array(j);
	if (i < n)
		json_put_u64(j, "destinations_left_out", n - i);
}

static yields void
show_one(void *arg)
{
	struct show_work *w = arg;
	struct spool *spool = control_spool(w->work.core, w->id);
	struct envelope e;
	const bool *ended;
	struct json j;

	if (spool == NULL ||
	    spool_envelope(spool, w->id, w->arena, &e, &ended) != 0)
		return;
	w->is_found = true;
	json_begin(&j, &w->out);
	json_put_object(&j, NULL);
	json_put_str(&j, "id", str_of(id_print(w->id).text));
	json_put_str(&j, "from", e.sender);
	json_put_u64(&j, "size", e.size);
	json_put_wall(&j, "arrived_at", e.arrived);
	json_put_str(&j, "client", e.client);
	json_put_str(&j, "helo", e.helo);
	json_put_str(&j, "protocol", e.protocol);
	json_put_str(&j, "listener", e.listener);
	json_put_str(&j, "tenant", e.tenant);
	json_put_str(&j, "stream", e.stream);
	if (e.parent != 0)
		json_put_str(&j, "about", str_of(id_print(e.parent).text));
	recipients_json(&j, &e, ended);
	items_json(&j, w);
	json_end_object(&j);
	buf_putc(&w->out, '\n');
}

yields void
route_queue_show(struct request *q)
{
	struct arena a;
	struct show_work *w = arena_new(&q->talk->arena, struct show_work);

	if (w == NULL || !id_parse(q->argument, &w->id)) {
		talk_error(q->talk, 404, "not_found",
		    "a message's id has 13 characters");
		return;
	}
	arena_init(&a, ENVELOPE_MEMORY);
	w->arena = &a;
	w->out = (struct buf){ .p = arena_alloc(&a, LINE_MOST),
		.cap = LINE_MOST };
	if (w->out.p != NULL)
		(void)control_at_home(q->control, w->id, show_one, &w->work);
	if (w->is_found && !w->out.full)
		talk_say(q->talk, 200, "application/json", buf_str(&w->out));
	else
		talk_error(q->talk, 404, "not_found", "no message " STR_FMT
		    " is queued", STR_ARG(str_sub(q->argument, 0, 20)));
	arena_clear(&a);
}

/* ---- actions ---- */

enum action { ACTION_HOLD, ACTION_RELEASE, ACTION_RETRY, ACTION_DELETE };

struct act_work {
	struct control_work work;	/* first */
	const struct queue_filter *filter;
	enum action action;
	bool is_dry;
	struct view_cursor cursor;
	uint64_t asked;			/* the last whose turn was asked about */
	uint64_t matched, done;
	uint64_t failed;		/* of those done: not on disk */
	char why[ERR_ROOM];
	bool is_over;
};

static void
act_tell(struct act_work *w, uint64_t id, enum event_type type)
{
	struct event e = event_make(type, clock_wall(), id);

	event_str(&e, FIELD_text, STR("by an administrator"));
	intake_tell(w->work.core->intake, &e);
}

/* Cancelling an item that is not away hands it to us: the delivering side
 * records it and settles. */
static void
item_cancel(struct act_work *w, struct queue_ref ref)
{
	struct control_setup *s = &w->work.control->setup;
	struct handoff h;

	if (queue_cancel(w->work.core->queue, clock_mono(), ref, &h) ==
	    CANCEL_NOW)
		s->cancel(s->arg, w->work.index, &h);
}

static void
item_act(struct act_work *w, struct queue_ref ref)
{
	struct queue *queue = w->work.core->queue;

	switch (w->action) {
	case ACTION_HOLD:
		(void)queue_hold(queue, clock_mono(), ref);
		break;
	case ACTION_RELEASE:
		(void)queue_release(queue, clock_mono(), ref);
		break;
	case ACTION_RETRY:
		(void)queue_retry_now(queue, clock_mono(), ref);
		break;
	case ACTION_DELETE:
		item_cancel(w, ref);
		break;
	}
}

/* What a restart must know. */
static yields int
message_record(struct act_work *w, uint64_t id)
{
	struct spool *spool = control_spool(w->work.core, id);
	enum event_type type = EVENT_held;
	int rc = 0;

	if (spool == NULL)
		return 0;
	switch (w->action) {
	case ACTION_HOLD:
		rc = spool_hold(spool, id, STR("by an administrator"));
		break;
	case ACTION_RELEASE:
		type = EVENT_released;
		rc = spool_release(spool, id);
		break;
	case ACTION_RETRY:
		type = EVENT_rescheduled;
		rc = spool_reschedule(spool, id, clock_wall());
		break;
	case ACTION_DELETE:
		return 0;	/* each recipient's outcome says it */
	}
	act_tell(w, id, type);
	return rc;
}

static void
message_failed(struct act_work *w)
{
	w->failed++;
	(void)snprintf(w->why, sizeof w->why, "%s", err_text());
	err_clear();
}

/* All its destinations, however many.  0: it is there no more. */
static size_t
items_act(struct act_work *w, uint64_t id)
{
	static const struct view_filter all;
	const struct queue *queue = w->work.core->queue;
	size_t n = view_message(queue, &all, id, NULL, 0);
	struct view_item *v;
	struct arena a;

	arena_init(&a, DESTINATIONS_MEMORY);
	v = arena_alloc(&a, (n + 1) * sizeof *v);
	if (v == NULL) {
		err_set("no memory for its destinations");
		message_failed(w);
		n = 0;
	} else
		n = view_message(queue, &all, id, v, n);
	for (size_t i = 0; i < n; i++)
		item_act(w, v[i].ref);
	arena_clear(&a);
	return n;
}

static yields void
message_act(struct act_work *w, uint64_t id)
{
	if (items_act(w, id) == 0)
		return;
	w->done++;
	if (message_record(w, id) != 0)
		message_failed(w);
}

/* Is it by this destination that its message's turn has come?  One that is on
 * its way stays a while when it is deleted. */
static bool
item_leads(struct act_work *w, const struct view_item *v)
{
	if ((w->action == ACTION_DELETE && v->is_cancelled) ||
	    v->ref.id == w->asked)
		return false;
	w->asked = v->ref.id;
	return view_is_first(w->work.core->queue, &w->filter->view, v->ref);
}

static yields void
act_some(void *arg)
{
	struct act_work *w = arg;
	enum view_step step = VIEW_PAUSE;
	uint64_t ids[BATCH];
	struct view_item v;
	size_t n = 0;

	while (n < BATCH && w->matched < w->filter->limit &&
	    (step = view_next(w->work.core->queue, &w->filter->view,
	    &w->cursor, &v)) == VIEW_FOUND) {
		w->matched++;
		if (item_leads(w, &v))
			ids[n++] = v.ref.id;
	}
	w->is_over = step == VIEW_END || w->matched >= w->filter->limit;
	for (size_t i = 0; i < n && !w->is_dry; i++)
		message_act(w, ids[i]);
	if (n > 0 && !w->is_dry)
		w->work.core->wake(w->work.control->setup.arg, w->work.index);
}

/* -1: not on all cores. */
static yields int
act_all(struct request *q, struct act_work *w)
{
	struct control *c = q->control;

	for (unsigned i = 0; i < c->setup.n_cores; i++) {
		w->work = (struct control_work){ c, &c->setup.cores[i], i };
		w->cursor = (struct view_cursor){ 0 };
		w->is_over = false;
		while (!w->is_over)
			if (core_call(i, act_some, w) != 0)
				return -1;
	}
	return 0;
}

static yields void
act_say(struct request *q, const struct act_work *w, bool is_whole)
{
	char room[128];
	struct buf b = BUF_OF(room);

	if (!is_whole)
		talk_error(q->talk, 503, "no_memory", "%llu messages were "
		    "changed, and for the others there was no memory: say it "
		    "again", (unsigned long long)w->done);
	else if (w->failed > 0)
		talk_error(q->talk, 503, "spool", "%llu messages were changed, "
		    "but %llu of them could not be kept so, and will be as they "
		    "were after a restart (%s): say it again",
		    (unsigned long long)w->done, (unsigned long long)w->failed,
		    w->why);
	else {
		buf_printf(&b, "{\"matched\":%llu,\"changed\":%llu}\n",
		    (unsigned long long)w->matched, (unsigned long long)w->done);
		talk_say(q->talk, 200, "application/json", buf_str(&b));
	}
}

/* Sites that are left alone are asked again, too. */
static yields void
sites_try(void *arg)
{
	struct control_work *w = arg;

	ready_retry_now(w->core->ready, clock_mono());
	w->core->wake(w->control->setup.arg, w->index);
}

static yields void
queue_act(struct request *q, enum action action)
{
	struct act_work *w = arena_new(&q->talk->arena, struct act_work);
	struct queue_filter f;

	if (!queue_filter_take(q->talk, &f))
		return;
	if (w == NULL) {
		talk_error(q->talk, 503, "no_memory", "no memory now");
		return;
	}
	if (queue_filter_is_empty(&f) &&
	    !str_eq(talk_query(q->talk, STR("all")), STR("yes"))) {
		talk_error(q->talk, 422, "filter",
		    "name an id or a filter; all=yes means every message");
		return;
	}
	w->action = action;
	w->filter = &f;
	w->is_dry = str_eq(talk_query(q->talk, STR("dry_run")), STR("yes"));
	if (action == ACTION_RETRY && !w->is_dry)
		control_each(q->control, sites_try,
		    &(struct control_work){ .core = NULL });
	act_say(q, w, act_all(q, w) == 0);
}

yields void
route_queue_hold(struct request *q)
{
	queue_act(q, ACTION_HOLD);
}

yields void
route_queue_release(struct request *q)
{
	queue_act(q, ACTION_RELEASE);
}

yields void
route_queue_retry(struct request *q)
{
	queue_act(q, ACTION_RETRY);
}

yields void
route_queue_delete(struct request *q)
{
	queue_act(q, ACTION_DELETE);
}
