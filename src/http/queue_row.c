#include "http/queue_row.h"

#include "base/id.h"
#include "fiber/clock.h"
#include "http/control_inner.h"
#include "policy/bounce_rules.h"
#include "policy/config.h"
#include "policy/holder.h"
#include "queue/key.h"
#include "queue/queue.h"
#include "spool/envelope.h"
#include "spool/spool.h"
#include "wire/reason.h"

enum { RECIPIENT_ROOM = 8 * 1024, DESTINATIONS_SHOWN = 100 };

struct row {
	const struct control_core *core;
	const struct view_filter *filter;
	uint64_t id;
	struct arena arena;
	struct envelope envelope;
	const bool *ended;
	struct view_item *to;		/* its destinations */
	size_t n;
	size_t from;			/* of the buffer */
	struct buf *out;
};

static const char *
queue_row_status(const struct view_item *v)
{
	if (v->is_held)
		return "held";
	if (v->state == ITEM_AWAY)
		return "sending";
	return v->tries > 0 ? "deferred" : "queued";
}

/* What has the most to tell of a message goes first. */
static unsigned
status_rank(const struct view_item *v)
{
	return v->state == ITEM_AWAY ? 3 : v->is_held ? 2 : v->tries > 0 ? 1 : 0;
}

/* postqueue(1)'s names for the same. */
static const char *
queue_name(const struct view_item *v)
{
	static const char *const names[] = { "incoming", "deferred", "hold",
		"active" };

	return names[status_rank(v)];
}

/* clock_wall_at() of what is past: the wall of then. */
static struct wall
wall_of(struct mono m)
{
	if (m.ns == INT64_MAX)
		return WALL_NEVER;
	return wall_add(clock_wall(), (m.ns - clock_mono().ns) / NS_PER_US);
}

static void
times_json(struct json *j, const struct view_item *v)
{
	if (!v->is_held && v->state != ITEM_AWAY)
		json_put_wall(j, "next_attempt_at", wall_of(v->due));
	json_put_wall(j, "expires_at", wall_of(v->expires));
	if (v->site.p != NULL)
		json_put_str(j, "site", v->site);
}

/* Why it waits, in words, and what that means. */
static void
reason_json(const struct control_core *core, struct json *j,
    const struct view_item *v)
{
	const struct reason *why;

	if (v->reason.p == NULL)
		return;
	json_put_str(j, "delay_reason", v->reason);
	why = bounce_judge_said(config_now(core->holder)->bounces.rules,
	    v->reason);
	if (why != NULL)
		json_put_str(j, "class", str_of(why->name));
}

void
queue_row_destination(const struct control_core *core, struct json *j,
    const struct view_item *v)
{
	json_put_object(j, NULL);
	json_put_str(j, "domain", v->domain);
	json_put_str(j, "status", str_of(queue_row_status(v)));
	json_put_u64(j, "recipients", v->n_rcpts);
	json_put_u64(j, "attempts", v->tries);
	reason_json(core, j, v);
	times_json(j, v);
	json_end_object(j);
}

/* Those that pass the filter now.  From here on nobody waits: the strings are the
 * queue's. */
static bool
destinations_find(struct row *r)
{
	size_t n = view_message(r->core->queue, r->filter, r->id, NULL, 0);

	r->to = arena_alloc(&r->arena, (n + 1) * sizeof *r->to);
	if (r->to != NULL)
		r->n = view_message(r->core->queue, r->filter, r->id, r->to, n);
	return r->n > 0;
}

static const struct view_item *
destination_of(const struct row *r, const struct recipient *rcpt)
{
	for (size_t i = 0; i < r->n; i++)
		if (key_is_for(r->to[i].domain, rcpt->address,
		    rcpt->transport.p != NULL))
			return &r->to[i];
	return NULL;
}

static void
recipients_json(struct row *r, struct json *j)
{
	const struct envelope *e = &r->envelope;
	uint64_t left_out = 0;

	json_put_array(j, "recipients");
	for (size_t i = 0; i < e->n_rcpts; i++) {
		const struct view_item *v = r->ended[i] ||
		    recipient_is_over(&e->rcpts[i]) ? NULL :
		    destination_of(r, &e->rcpts[i]);

		if (v == NULL)
			continue;
		if (r->out->n - r->from > QUEUE_ROW_MOST - RECIPIENT_ROOM ||
		    r->out->cap - r->out->n < RECIPIENT_ROOM) {
			left_out++;
			continue;
		}
		json_put_object(j, NULL);
		json_put_str(j, "address", e->rcpts[i].address);
		reason_json(r->core, j, v);
		json_end_object(j);
	}
	json_end_array(j);
	if (left_out > 0)
		json_put_u64(j, "recipients_left_out", left_out);
}

/* Of several destinations: the liveliest, the most tries, the next time. */
static struct view_item
summary_of(const struct row *r)
{
	struct view_item all = r->to[0];

	for (size_t i = 1; i < r->n; i++) {
		const struct view_item *v = &r->to[i];

		if (status_rank(v) > status_rank(&all)) {
			all.state = v->state;
			all.is_held = v->is_held;
		}
		if (v->tries > all.tries)
			all.tries = v->tries;
		all.due = mono_first(all.due, v->due);
		all.expires = mono_first(all.expires, v->expires);
	}
	return all;
}

static void
ours_json(const struct row *r, struct json *j, const struct view_item *all)
{
	json_put_str(j, "id", str_of(id_print(r->id).text));
	json_put_str(j, "status", str_of(queue_row_status(all)));
	json_put_str(j, "domain", all->domain);
	json_put_u64(j, "attempts", all->tries);
	times_json(j, all);
	json_put_str(j, "tenant", all->tenant);
	json_put_str(j, "stream", all->stream);
	if (r->n == 1)
		return;
	json_put_array(j, "destinations");
	for (size_t i = 0; i < r->n && i < DESTINATIONS_SHOWN; i++)
		queue_row_destination(r->core, j, &r->to[i]);
	json_end_array(j);
}

static void
row_json(struct row *r)
{
	struct view_item all = summary_of(r);
	struct json j;

	json_begin(&j, r->out);
	json_put_object(&j, NULL);
	json_put_str(&j, "queue_name", str_of(queue_name(&all)));
	json_put_str(&j, "queue_id", str_of(id_print(r->id).text));
	json_put_i64(&j, "arrival_time",
	    r->envelope.arrived.us / US_PER_SECOND);
	json_put_u64(&j, "message_size", r->envelope.size);
	json_put_bool(&j, "forced_expire", false);
	json_put_str(&j, "sender", r->envelope.sender.n == 0 ?
	    STR("MAILER-DAEMON") : r->envelope.sender);
	ours_json(r, &j, &all);
	recipients_json(r, &j);
	json_end_object(&j);
	buf_putc(r->out, '\n');
}

yields void
queue_row(const struct control_core *core, const struct view_filter *filter,
    uint64_t id, struct buf *out)
{
	struct row r = { .core = core, .filter = filter, .id = id, .out = out,
		.from = out->n };
	struct spool *spool = control_spool(core, id);

	arena_init(&r.arena, QUEUE_ROW_MEMORY);
	if (spool != NULL &&
	    spool_envelope(spool, id, &r.arena, &r.envelope, &r.ended) == 0 &&
	    destinations_find(&r))
		row_json(&r);
	if (out->full) {
		out->n = r.from;
		out->full = false;
	}
	arena_clear(&r.arena);
}
