/* route_queue.c -- looking at a message, and what an operator does to the
 * queue. */
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

enum { BATCH = 64, LINE_MOST = 256 * 1024,
	ENVELOPE_MEMORY = 16 * 1024 * 1024 };

/* ---- one message ---- */

struct show_work {
	struct control_work work;	/* first */
	uint64_t id;
	struct arena *arena;
	struct buf out;
	bool is_found;
};

static void
recipients_json(struct json *j, const struct envelope *e, const bool *ended)
{
	json_put_array(j, "recipients");
	for (size_t i = 0; i < e->n_rcpts && i < 1000; i++) {
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
}

static void
items_json(struct json *j, const struct show_work *w)
{
	struct view_item v;

	json_put_array(j, "destinations");
	for (unsigned nth = 0; view_find(w->work.core->queue, w->id, nth, &v);
	    nth++)
		queue_row_destination(j, &v);
	json_end_array(j);
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
	uint64_t matched, done;
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
static yields void
message_record(struct act_work *w, uint64_t id)
{
	struct spool *spool = control_spool(w->work.core, id);

	if (spool == NULL)
		return;
	switch (w->action) {
	case ACTION_HOLD:
		(void)spool_hold(spool, id, STR("by an administrator"));
		act_tell(w, id, EVENT_held);
		break;
	case ACTION_RELEASE:
		(void)spool_release(spool, id);
		act_tell(w, id, EVENT_released);
		break;
	case ACTION_RETRY:
		(void)spool_reschedule(spool, id, clock_wall());
		act_tell(w, id, EVENT_rescheduled);
		break;
	case ACTION_DELETE:
		break;		/* each recipient's outcome says it */
	}
}

/* The hold of a message holds all its destinations. */
static yields void
message_act(struct act_work *w, uint64_t id)
{
	struct queue_ref refs[BATCH];
	struct view_item v;
	unsigned n = 0;

	while (n < BATCH && view_find(w->work.core->queue, id, n, &v))
		refs[n++] = v.ref;
	for (unsigned i = 0; i < n; i++)
		item_act(w, refs[i]);
	if (w->action != ACTION_DELETE)
		message_record(w, id);
	w->done++;
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
		if (n == 0 || ids[n - 1] != v.ref.id)
			ids[n++] = v.ref.id;
	}
	w->is_over = step == VIEW_END || w->matched >= w->filter->limit;
	for (size_t i = 0; i < n && !w->is_dry; i++)
		message_act(w, ids[i]);
	if (n > 0 && !w->is_dry)
		w->work.core->wake(w->work.control->setup.arg, w->work.index);
}

static yields void
act_all(struct request *q, struct act_work *w)
{
	struct control *c = q->control;

	for (unsigned i = 0; i < c->setup.n_cores; i++) {
		w->work = (struct control_work){ c, &c->setup.cores[i], i };
		w->cursor = (struct view_cursor){ 0 };
		w->is_over = false;
		while (!w->is_over)
			if (core_call(i, act_some, w) != 0)
				return;
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
	struct act_work w = { .action = action };
	struct queue_filter f;
	char room[128];
	struct buf b = BUF_OF(room);

	if (!queue_filter_take(q->talk, &f))
		return;
	if (queue_filter_is_empty(&f) &&
	    !str_eq(talk_query(q->talk, STR("all")), STR("yes"))) {
		talk_error(q->talk, 422, "filter",
		    "name an id or a filter; all=yes means every message");
		return;
	}
	w.filter = &f;
	w.is_dry = str_eq(talk_query(q->talk, STR("dry_run")), STR("yes"));
	if (action == ACTION_RETRY && !w.is_dry)
		control_each(q->control, sites_try,
		    &(struct control_work){ .core = NULL });
	act_all(q, &w);
	buf_printf(&b, "{\"matched\":%llu,\"changed\":%llu}\n",
	    (unsigned long long)w.matched, (unsigned long long)w.done);
	talk_say(q->talk, 200, "application/json", buf_str(&b));
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
