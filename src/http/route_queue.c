/* route_queue.c -- looking at the queue, and what an operator does to it. */
#include "base/id.h"
#include "fiber/clock.h"
#include "http/control_inner.h"
#include "queue/view.h"
#include "spool/outcome.h"

enum { BATCH = 64, LINE_MOST = 256 * 1024, RECIPIENTS_SHOWN = 100,
	ENVELOPE_MEMORY = 16 * 1024 * 1024 };

/* Strings of a filter live in the talk's arena. */
struct queue_filter {
	struct view_filter view;
	uint64_t limit;
};

/* One item, copied out of the queue before anybody waits. */
struct item_copy {
	uint64_t id, size;
	enum item_state state;
	unsigned tries;
	uint32_t n_rcpts;
	struct mono arrived, due, expires;
	bool is_held;
	char domain[256], site[256];
};

struct list_work {
	struct control_work work;	/* first */
	struct talk *talk;
	const struct queue_filter *filter;
	uint64_t listed;
	struct view_cursor cursor;
	size_t n;
	struct item_copy *items;	/* BATCH */
	char *lines;			/* LINE_MOST */
	struct buf out;
	bool is_over;
};

/* ---- filters ---- */

static bool
state_of(struct str word, struct view_filter *f)
{
	if (word.p == NULL || str_eq(word, STR("any")))
		return true;
	if (str_eq(word, STR("deferred"))) {
		f->is_deferred = true;
		return true;
	}
	for (int i = 0; i < ITEM_STATES; i++)
		if (str_eq(word,
		    str_of(item_state_name((enum item_state)i)))) {
			f->states = 1u << i;
			return true;
		}
	return false;
}

static bool
older_of(struct str text, struct view_filter *f)
{
	uint64_t seconds;

	if (text.p == NULL)
		return true;
	if (!parse_u64(text, UINT32_MAX, &seconds))
		return false;
	f->arrived_before = mono_add(clock_mono(),
	    -(int64_t)seconds * NS_PER_SECOND);
	return true;
}

static bool
id_of(struct str text, uint64_t *id)
{
	return text.p == NULL || id_parse(text, id);
}

/* False: an answer was given. */
static yields bool
filter_take(struct request *q, struct queue_filter *f)
{
	struct talk *t = q->talk;
	struct str limit = talk_query(t, STR("limit"));

	*f = (struct queue_filter){ .limit = UINT64_MAX };
	f->view.domain = talk_query(t, STR("domain"));
	f->view.tenant = talk_query(t, STR("tenant"));
	f->view.stream = talk_query(t, STR("stream"));
	f->view.site = talk_query(t, STR("site"));
	if (id_of(talk_query(t, STR("id")), &f->view.id) &&
	    state_of(talk_query(t, STR("status")), &f->view) &&
	    older_of(talk_query(t, STR("older")), &f->view) &&
	    (limit.p == NULL || parse_u64(limit, UINT64_MAX, &f->limit)))
		return true;
	talk_error(t, 422, "filter", "id is 13 characters; status is any, "
	    "deferred, scheduled, due, active or held; older and limit are "
	    "numbers (seconds, messages)");
	return false;
}

static bool
filter_is_empty(const struct queue_filter *f)
{
	return f->view.id == 0 && f->view.domain.p == NULL &&
	    f->view.tenant.p == NULL && f->view.site.p == NULL &&
	    f->view.stream.p == NULL &&
	    f->view.states == 0 && !f->view.is_deferred &&
	    f->view.arrived_before.ns == 0;
}

/* ---- listing ---- */

static void
item_take(struct item_copy *c, const struct view_item *v)
{
	*c = (struct item_copy){ .id = v->ref.id, .size = v->size,
		.state = v->state, .tries = v->tries, .n_rcpts = v->n_rcpts,
		.arrived = v->arrived, .due = v->due, .expires = v->expires,
		.is_held = v->is_held };
	(void)str_cstr(v->domain, c->domain, sizeof c->domain);
	(void)str_cstr(v->site, c->site, sizeof c->site);
}

static const char *
status_of(const struct item_copy *c)
{
	if (c->is_held)
		return "held";
	if (c->state == ITEM_AWAY)
		return "sending";
	return c->tries > 0 ? "deferred" : "queued";
}

static bool
belongs(struct str address, const char *domain)
{
	struct str key = str_of(domain);
	size_t at = str_find_last(address, '@');

	return at < address.n && str_eq_icase(str_cut(&key, '!'),
	    str_sub(address, at + 1, address.n));
}

static void
envelope_json(struct json *j, const struct envelope *e, const bool *ended,
    const char *domain)
{
	size_t shown = 0;

	json_put_str(j, "from", e->sender);
	json_put_array(j, "to");
	for (size_t i = 0; i < e->n_rcpts && shown < RECIPIENTS_SHOWN; i++)
		if (!ended[i] && !recipient_is_over(&e->rcpts[i]) &&
		    belongs(e->rcpts[i].address, domain)) {
			json_put_str(j, NULL, e->rcpts[i].address);
			shown++;
		}
	json_end_array(j);
	json_put_str(j, "tenant", e->tenant);
	json_put_str(j, "stream", e->stream);
}

/* clock_wall_at() of what is past: the wall of then. */
static struct wall
wall_of(struct mono m)
{
	if (m.ns == INT64_MAX)
		return WALL_NEVER;
	return wall_add(clock_wall(), (m.ns - clock_mono().ns) / NS_PER_US);
}

static yields void
item_json(struct list_work *w, const struct item_copy *c)
{
	struct spool *spool = control_spool(w->work.core, c->id);
	struct envelope e;
	const bool *ended;
	struct json j;
	struct arena a;
	size_t before = w->out.n;

	arena_init(&a, ENVELOPE_MEMORY);
	json_begin(&j, &w->out);
	json_put_object(&j, NULL);
	json_put_str(&j, "id", str_of(id_print(c->id).text));
	json_put_str(&j, "status", str_of(status_of(c)));
	json_put_str(&j, "domain", str_of(c->domain));
	if (spool != NULL &&
	    spool_envelope(spool, c->id, &a, &e, &ended) == 0)
		envelope_json(&j, &e, ended, c->domain);
	json_put_u64(&j, "recipients", c->n_rcpts);
	json_put_u64(&j, "size", c->size);
	json_put_u64(&j, "attempts", c->tries);
	json_put_wall(&j, "arrived_at", wall_of(c->arrived));
	if (!c->is_held && c->state != ITEM_AWAY)
		json_put_wall(&j, "next_attempt_at", wall_of(c->due));
	json_put_wall(&j, "expires_at", wall_of(c->expires));
	if (c->site[0] != '\0')
		json_put_str(&j, "site", str_of(c->site));
	json_end_object(&j);
	buf_putc(&w->out, '\n');
	arena_clear(&a);
	if (w->out.full) {
		w->out.n = before;
		w->out.full = false;
	}
}

/* On a core: the next few items, as lines. */
static yields void
list_some(void *arg)
{
	struct list_work *w = arg;
	enum view_step step = VIEW_PAUSE;
	struct view_item v;

	w->n = 0;
	while (w->n < BATCH && w->listed + w->n < w->filter->limit &&
	    (step = view_next(w->work.core->queue, &w->filter->view,
	    &w->cursor, &v)) == VIEW_FOUND)
		item_take(&w->items[w->n++], &v);
	w->is_over = step == VIEW_END ||
	    w->listed + w->n >= w->filter->limit;
	w->out = (struct buf){ .p = w->lines, .cap = LINE_MOST };
	for (size_t i = 0; i < w->n; i++)
		item_json(w, &w->items[i]);
	w->listed += w->n;
}

static struct list_work *
list_work_make(struct talk *t, const struct queue_filter *f)
{
	struct list_work *w = arena_new(&t->arena, struct list_work);

	if (w == NULL)
		return NULL;
	w->talk = t;
	w->filter = f;
	w->items = arena_alloc(&t->arena, BATCH * sizeof *w->items);
	w->lines = arena_alloc(&t->arena, LINE_MOST);
	return w->items == NULL || w->lines == NULL ? NULL : w;
}

/* -1: no memory on that core; the list would not be whole. */
static yields int
core_list(struct request *q, struct list_work *w, unsigned i)
{
	struct control *c = q->control;

	w->work = (struct control_work){ c, &c->setup.cores[i], i };
	w->cursor = (struct view_cursor){ 0 };
	w->is_over = false;
	while (!w->is_over && q->talk->net.trouble == STREAM_FINE) {
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

	if (!filter_take(q, &f))
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
	    nth++) {
		struct item_copy c;

		item_take(&c, &v);
		json_put_object(j, NULL);
		json_put_str(j, "domain", v.domain);
		json_put_str(j, "status", str_of(status_of(&c)));
		json_put_u64(j, "recipients", v.n_rcpts);
		json_put_u64(j, "attempts", v.tries);
		json_put_wall(j, "next_attempt_at", wall_of(v.due));
		json_put_wall(j, "expires_at", wall_of(v.expires));
		if (v.site.p != NULL)
			json_put_str(j, "site", v.site);
		json_end_object(j);
	}
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

	if (!filter_take(q, &f))
		return;
	if (filter_is_empty(&f) &&
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
