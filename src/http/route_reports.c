/* route_reports.c -- reports to other domains: looked at, sent. */
#include "base/err.h"
#include "fiber/stream.h"
#include "http/control_inner.h"

struct giving {
	struct talk *talk;
	const char *type;
	bool has_begun;
};

static yields int
piece_give(void *to, struct str piece)
{
	struct giving *g = to;

	if (!g->has_begun)
		talk_begin(g->talk, 200, g->type);
	g->has_begun = true;
	talk_piece(g->talk, piece);
	return g->talk->net.trouble == STREAM_FINE ? 0 :
	    err_set("who asked is gone");
}

static yields void
reports_answer(struct request *q, const struct control_report_ask *ask,
    const char *type)
{
	const struct control_reports *r = &q->control->setup.reports;
	struct giving g = { .talk = q->talk, .type = type };
	int rc = r->ask == NULL ? err_set("no reports now") :
	    r->ask(r->arg, ask, piece_give, &g);

	if (!g.has_begun && rc != 0)
		talk_error(q->talk, 422, "reports", "%s", err_text());
	else if (!g.has_begun)
		talk_say(q->talk, 200, type, STR(""));
	else if (rc != 0)
		talk_cut(q->talk);
	else
		talk_end(q->talk);
	err_clear();
}

static struct control_report_ask
ask_of(struct request *q)
{
	return (struct control_report_ask){
		.is_tls = str_eq(talk_query(q->talk, STR("kind")), STR("tls")),
		.day = talk_query(q->talk, STR("day")),
		.domain = talk_query(q->talk, STR("domain")) };
}

yields void
route_reports_show(struct request *q)
{
	struct control_report_ask ask = ask_of(q);
	bool is_whole = str_eq(talk_query(q->talk, STR("form")),
	    STR("document"));

	ask.verb = is_whole ? CONTROL_REPORT_DOCUMENT : CONTROL_REPORT_LOOK;
	reports_answer(q, &ask, is_whole && !ask.is_tls ? "text/xml" :
	    "application/x-ndjson");
}

yields void
route_reports_send(struct request *q)
{
	struct control_report_ask ask = ask_of(q);

	ask.verb = CONTROL_REPORT_SEND;
	reports_answer(q, &ask, "application/x-ndjson");
}
