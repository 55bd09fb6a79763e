/* route_received.c -- reports of others that were kept. */
#include "base/err.h"
#include "fiber/clock.h"
#include "http/control_inner.h"
#include "policy/holder.h"
#include "policy/login.h"
#include "store/report.h"

enum { LINES_MOST = 8 * 1024 * 1024, DAYS_MOST = 3650, DAYS_USUAL = 30,
	PIECE = 32 * 1024 };

#define DAY_US (INT64_C(86400) * US_PER_SECOND)

struct reports_ask {
	enum report_rows which;
	struct str domain;		/* n == 0: any */
	struct wall since, forget;
	struct arena arena;
	struct buf out;
};

static bool
rows_of(struct str name, enum report_rows *out)
{
	static const struct str names[REPORT_ROWS_KINDS] = {
		[REPORT_ROWS_DMARC] = STR_INIT("dmarc"),
		[REPORT_ROWS_TLS] = STR_INIT("tls"),
		[REPORT_ROWS_FAILURE] = STR_INIT("failure"),
		[REPORT_HEADS] = STR_INIT("heads"),
	};

	for (enum report_rows i = 0; i < REPORT_ROWS_KINDS; i++)
		if (str_eq(names[i], name)) {
			*out = i;
			return true;
		}
	return false;
}

static bool
ask_take(struct talk *t, struct reports_ask *q)
{
	struct str days = talk_query(t, STR("days"));
	struct str rows = talk_query(t, STR("rows"));
	struct wall now = clock_wall();
	uint64_t n = DAYS_USUAL;

	if (days.p != NULL && !parse_u64(days, DAYS_MOST, &n))
		return false;
	q->since = wall_add(now, -(int64_t)n * DAY_US);
	q->domain = arena_lower(&t->arena, talk_query(t, STR("domain")));
	q->which = REPORT_HEADS;
	return rows.p == NULL || rows_of(rows, &q->which);
}

/* ---- on the database's thread ---- */

static int
row_put(void *arg, enum report_kind kind, const struct report_row *row)
{
	struct reports_ask *q = arg;
	size_t was = q->out.n, n;
	const struct report_column *c = report_columns(q->which, &n);
	struct json j;

	json_begin(&j, &q->out);
	json_put_object(&j, NULL);
	if (q->which == REPORT_HEADS)
		json_put_str(&j, "kind", str_of(report_kind_name(kind)));
	for (size_t i = 0; i < n; i++)
		if (c[i].is_number)
			json_put_i64(&j, c[i].name, row->v[i].number);
		else
			json_put_str(&j, c[i].name, row->v[i].text);
	json_end_object(&j);
	buf_putc(&q->out, '\n');
	if (!q->out.full)
		return 0;
	q->out.n = was;
	return -1;			/* the largest are there */
}

static int
ask_run(struct database *d, void *arg)
{
	struct reports_ask *q = arg;
	struct arena rows;
	int rc;

	(void)report_expire(d, q->forget);
	arena_init(&rows, 256 * 1024);
	rc = report_list(d, q->which, q->domain, q->since, &rows, row_put, q);
	arena_clear(&rows);
	return rc;
}

/* ---- on core 0 ---- */

static yields void
lines_say(struct talk *t, struct str lines)
{
	talk_begin(t, 200, "application/x-ndjson");
	for (; lines.n > 0; lines = str_sub(lines, PIECE, lines.n))
		talk_piece(t, str_sub(lines, 0, PIECE));
	talk_end(t);
}

static yields void
reports_say(struct request *r, struct reports_ask *q)
{
	const struct control_core *core = &r->control->setup.cores[0];
	struct config *c = config_pin(core->holder);
	int rc = -1;

	q->forget = wall_add(clock_wall(), -c->reports.keep / NS_PER_US);
	q->out = (struct buf){ .p = arena_alloc(&q->arena, LINES_MOST),
		.cap = LINES_MOST };
	if (core->login == NULL || q->out.p == NULL)
		err_set("there is no database");
	else
		rc = login_database_with(core->login, c, ask_run, q);
	config_unpin(core->holder, c);
	if (rc == 0)
		lines_say(r->talk, buf_str(&q->out));
	else
		talk_error(r->talk, 503, "database", "%s", err_text());
	err_clear();
}

yields void
route_received_list(struct request *r)
{
	struct reports_ask q = { .which = REPORT_HEADS };

	if (!ask_take(r->talk, &q)) {
		talk_error(r->talk, 422, "filter", "rows is heads, dmarc, tls or "
		    "failure; days a number up to %d", DAYS_MOST);
		return;
	}
	arena_init(&q.arena, LINES_MOST + 4096);
	reports_say(r, &q);
	arena_clear(&q.arena);
}
