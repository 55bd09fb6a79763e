/* route_events.c -- the kept events, and those that come. */
#include "base/err.h"
#include "base/id.h"
#include "fiber/clock.h"
#include "fiber/stream.h"
#include "http/control_inner.h"
#include "policy/holder.h"
#include "store/eventread.h"

enum { LINES = 64 * 1024, FOLLOW_MS = 500, DEFAULT_SINCE_S = 86400 };

struct events_query {
	uint64_t id;			/* 0: all */
	struct str about;		/* a Message-ID or a recipient; n == 0: all */
	struct str type;		/* n == 0: all */
	struct wall since;
	bool follows, is_text;
};

/* Without what people put around it. */
static struct str
bare(struct str s)
{
	return s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>' ?
	    str_sub(s, 1, s.n - 2) : s;
}

static bool
event_is_about(const struct event *e, struct str what)
{
	static const enum event_field fields[] = { FIELD_recipient,
		FIELD_orig_to, FIELD_message_id };

	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++)
		if (str_eq_icase(bare(event_get_str(e, fields[i])), what))
			return e->id != 0;
	return false;
}

static bool
event_is_asked(const struct event *e, const struct events_query *q)
{
	return (q->id == 0 || e->id == q->id) &&
	    (q->type.n == 0 || str_eq(q->type, str_of(event_name(e->type)))) &&
	    (q->about.n == 0 || event_is_about(e, q->about));
}

static bool
query_take(struct talk *t, struct events_query *q)
{
	struct str id = talk_query(t, STR("id"));
	struct str since = talk_query(t, STR("since"));
	uint64_t seconds = DEFAULT_SINCE_S;

	*q = (struct events_query){
		.follows = str_eq(talk_query(t, STR("follow")), STR("yes")),
		.is_text = str_eq(talk_query(t, STR("form")), STR("text")) };
	if (since.p != NULL && !parse_u64(since, UINT32_MAX, &seconds))
		return false;
	q->type = talk_query(t, STR("type"));
	q->about = bare(talk_query(t, STR("about")));
	q->since = wall_add(clock_wall(), -(int64_t)seconds * US_PER_SECOND);
	return id.p == NULL || id_parse(id, &q->id);
}

static void
event_put(struct buf *out, const struct event *e, const struct events_query *q)
{
	size_t before = out->n;
	struct wall_text at = wall_print(e->at);

	if (!q->is_text) {
		event_json(e, out);
		buf_putc(out, '\n');
	}
	for (unsigned i = 0; q->is_text && event_text_tag(e, i) != NULL; i++) {
		buf_printf(out, "%s ", at.text);
		event_text(e, i, out);
		buf_putc(out, '\n');
	}
	if (out->full) {
		out->n = before;
		out->full = false;
	}
}

static yields void
events_flush(struct talk *t, struct buf *out)
{
	talk_piece(t, buf_str(out));
	out->n = 0;
}

/* -1: what is kept could not be read to its end. */
static yields int
events_stream(struct request *r, struct events_query *q, struct eventread *in,
    struct buf *out)
{
	struct talk *t = r->talk;
	struct event e;
	int rc = 0;

	while (t->net.trouble == STREAM_FINE && !r->control->is_closing) {
		while ((rc = eventread_next(in, &e)) == 1) {
			if (!event_is_asked(&e, q))
				continue;
			event_put(out, &e, q);
			if (out->cap - out->n < EVENT_LINE_MOST)
				events_flush(t, out);
		}
		events_flush(t, out);
		if (rc < 0 || !q->follows || stream_flush(&t->net) != 0 ||
		    stream_has_ended(&t->net))
			return rc;
		fiber_sleep(mono_add(clock_mono(), FOLLOW_MS * NS_PER_MS));
	}
	return rc;
}

yields void
route_events_list(struct request *r)
{
	struct config *c = config_pin(r->control->setup.cores[0].holder);
	struct str directory = arena_join(&r->talk->arena, c->spool.path,
	    STR("/events"));
	struct buf out = { .p = arena_alloc(&r->talk->arena, 2 * LINES),
		.cap = 2 * LINES };
	struct events_query q;
	struct eventread *in = NULL;

	config_unpin(r->control->setup.cores[0].holder, c);
	if (!query_take(r->talk, &q)) {
		talk_error(r->talk, 422, "filter",
		    "id is 13 characters, since a number of seconds");
		return;
	}
	if (out.p != NULL && directory.p != NULL)
		in = eventread_open(directory, q.since);
	else
		err_set("no memory");
	if (in == NULL) {
		talk_error(r->talk, 503, "events", "%s", err_text());
		err_clear();
		return;
	}
	talk_begin(r->talk, 200, q.is_text ? "text/plain" :
	    "application/x-ndjson");
	if (events_stream(r, &q, in, &out) < 0)
		talk_cut(r->talk);
	else
		talk_end(r->talk);
	err_clear();
	eventread_close(in);
}
