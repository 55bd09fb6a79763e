/* route_sites.c -- the destinations this server speaks to. */
#include "fiber/clock.h"
#include "fiber/core.h"
#include "http/control_inner.h"
#include "queue/ready.h"

enum { SITES_ROOM = 256 * 1024 };

struct sites_work {
	struct control_work work;	/* first */
	struct ready_cursor cursor;
	struct buf out;
	bool is_over;
};

/* rate: messages an hour; 0: none has been learnt. */
static void
pace_json(struct json *j, const struct pace *p)
{
	char room[256];
	struct buf words = BUF_OF(room);

	pace_tell(p, clock_mono(), clock_wall(), &words);
	json_put_u64(j, "rate_per_hour", p->rate);
	json_put_u64(j, "rate_ceiling", p->ceiling);
	json_put_u64(j, "recipients_most", p->recipients);
	json_put_u64(j, "slowed", p->n_refused);
	json_put_str(j, "pace", buf_str(&words));
}

static void
site_json(struct sites_work *w, const struct ready_site *s)
{
	int64_t wait = s->gate.ns == 0 ? 0 : s->gate.ns - clock_mono().ns;
	struct json j;

	json_begin(&j, &w->out);
	json_put_object(&j, NULL);
	json_put_str(&j, "site", s->site);
	json_put_str(&j, "source", s->source);
	json_put_u64(&j, "core", w->work.index);
	json_put_u64(&j, "waiting", s->waiting);
	json_put_u64(&j, "connections", s->connections);
	json_put_u64(&j, "idle", s->idle);
	json_put_u64(&j, "connections_most", pace_connections(s->pace,
	    s->limits.connections));
	json_put_u64(&j, "failures", s->failures);
	json_put_i64(&j, "left_alone_seconds",
	    wait > 0 ? wait / NS_PER_SECOND + 1 : 0);
	json_put_u64(&j, "messages", s->taken);
	pace_json(&j, s->pace);
	json_end_object(&j);
	buf_putc(&w->out, '\n');
}

static yields void
sites_some(void *arg)
{
	struct sites_work *w = arg;
	struct ready_site s;

	w->out.n = 0;
	while (w->out.cap - w->out.n > 4096) {
		if (!ready_site_next(w->work.core->ready, &w->cursor, &s)) {
			w->is_over = true;
			return;
		}
		site_json(w, &s);
	}
}

yields void
route_sites_list(struct request *q)
{
	struct control *c = q->control;
	struct sites_work w = { .is_over = false };

	w.out = (struct buf){ .p = arena_alloc(&q->talk->arena, SITES_ROOM),
		.cap = SITES_ROOM };
	if (w.out.p == NULL) {
		talk_error(q->talk, 503, "no_memory", "no memory now");
		return;
	}
	talk_begin(q->talk, 200, "application/x-ndjson");
	for (unsigned i = 0; i < c->setup.n_cores; i++) {
		w.work = (struct control_work){ c, &c->setup.cores[i], i };
		w.cursor = (struct ready_cursor){ 0 };
		w.is_over = false;
		while (!w.is_over) {
			if (core_call(i, sites_some, &w) != 0) {
				talk_cut(q->talk);
				return;
			}
			talk_piece(q->talk, buf_str(&w.out));
		}
	}
	talk_end(q->talk);
}
