/*
 * COPIED  (to a file without a name; its header read on the way)
 *   -- the porter's child --> READ: rows stand behind the message in the file
 *   -- rows checked, walked once --> JUDGED: about us, its period, how many
 *   -- on the database's thread, walked again --> KEPT, or known already.
 */
#include "deliver/report_taker.h"

#include "base/err.h"
#include "base/id.h"
#include "base/must.h"
#include "deliver/carrier.h"
#include "deliver/report_form.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "intake/intake.h"
#include "policy/about.h"
#include "policy/login.h"
#include "spool/body.h"
#include "store/database.h"
#include "store/report.h"
#include "wire/addrlist.h"
#include "wire/authres.h"
#include "wire/header.h"

#include <stdio.h>

enum { COPY_SIZE = 16 * 1024, TAKING_MEMORY = HEADER_ARENA + 256 * 1024,
	READ_WAIT_S = 60, WHY_MOST = 240, ROWS_MOST = 21 * 1000 };

/* The end of a period may lie ahead of our clock. */
#define AHEAD_S INT64_C(172800)

struct taking {
	struct delivery *delivery;
	struct delivery_recipient *recipient;
	const struct config *config;
	struct arena arena;
	int fd;
	uint64_t size;			/* octets of the message */
	/* what its header says */
	struct header_scan scan;
	bool header_is_over;
	struct str author, results;
	bool is_proven;
	/* the report */
	enum report_kind kind;
	struct str form;
	struct arena form_arena;
	struct report_row head;
	size_t n_rows;
	struct str tls_domain;		/* of the first row that is ours */
	/* on the database's thread */
	struct str left;
	char why[WHY_MOST];
};

/* ---- events ---- */

static void
taking_tell(struct taking *t, enum event_type type, const char *reason,
    struct str text)
{
	struct event e = event_make(type, clock_wall(),
	    t->delivery->handoff.ref.id);

	must(reason[0] != '\0');
	event_str(&e, FIELD_recipient, t->recipient->address);
	if (t->kind < REPORT_KINDS)
		event_str(&e, FIELD_class, str_of(report_kind_name(t->kind)));
	if (t->head.v[REPORT_HEAD_domain].text.n > 0)
		event_str(&e, FIELD_domain,
		    t->head.v[REPORT_HEAD_domain].text);
	if (t->head.v[REPORT_HEAD_report_id].text.n > 0)
		event_str(&e, FIELD_report,
		    t->head.v[REPORT_HEAD_report_id].text);
	if (t->author.n > 0)
		event_str(&e, FIELD_author, t->author);
	event_str(&e, FIELD_reason, str_of(reason));
	event_str(&e, FIELD_text, text);
	intake_tell(t->delivery->at->intake, &e);
}

/* RFC 9990 3.1.1: what does not match the format is discarded; whoever sent it is
 * not told, since nobody knows who that was. */
static void
taking_refuse(struct taking *t, const char *reason, struct str why)
{
	t->recipient->is_discarded = true;
	t->recipient->verdict = verdict_make(DELIVERED, 250, "2.0.0",
	    "Discarded by reports.inbox: "STR_FMT, STR_ARG(why));
	taking_tell(t, EVENT_report_refused, reason, why);
}

static void
taking_defer(struct taking *t, const char *esc)
{
	t->recipient->verdict = verdict_make(DEFERRED, 0, esc,
	    "the report could not be taken: %s", err_text());
}

/* ---- the header: who sent it, and what our own checks said ---- */

static void
author_take(struct taking *t, struct str value)
{
	struct addrlist_item item;
	struct addrlist list;

	addrlist_begin(&list, value, &t->arena);
	while (t->author.n == 0 && addrlist_next(&list, &item))
		if (item.kind == ADDRLIST_MAILBOX &&
		    report_row_text_fits(item.domain))
			t->author = arena_lower(&t->arena, item.domain);
}

/* Ours stands on top, and no other has our name (RFC 8601 5). */
static void
results_take(struct taking *t, struct str value)
{
	const struct str *id = &t->config->inbound.verify.authserv_id;
	struct authres_result r;
	struct authres a;
	char room[REPORT_TEXT];
	struct buf line = BUF_OF(room);

	if (t->results.p != NULL || authres_claim(value, id, 1) != AUTHRES_OURS ||
	    !authres_begin(&a, value, &t->arena))
		return;
	while (authres_next(&a, &r) == AUTHRES_RESULT)
		t->is_proven |= str_eq(r.method, STR("dmarc")) &&
		    str_eq(r.result, STR("pass"));
	field_unfold(str_sub(value, 0, REPORT_TEXT), &line);
	if (report_row_text_fits(buf_str(&line)))
		t->results = arena_copy(&t->arena, buf_str(&line));
}

static void
field_take(struct taking *t, const struct field *f)
{
	if (f->known == HEADER_FROM)
		author_take(t, f->value);
	else if (f->known == HEADER_AUTHENTICATION_RESULTS)
		results_take(t, f->value);
}

static void
header_take(struct taking *t, struct str octets)
{
	struct field f;

	must(t->scan.arena != NULL);
	while (!t->header_is_over && octets.n > 0) {
		switch (header_next(&t->scan, &octets, &f)) {
		case HEADER_FIELD:
			field_take(t, &f);
			break;
		case HEADER_MORE:
			break;
		case HEADER_END:
		case HEADER_TOO_BIG:
		case HEADER_NO_MEMORY:
			t->header_is_over = true;
			break;
		}
	}
}

/* ---- the copy ---- */

static yields int
copy_write(struct taking *t, char *room)
{
	struct body b;
	int64_t n;

	must(t->fd >= 0 && t->size == 0);
	header_begin(&t->scan, &t->arena);
	body_open(&b, &t->delivery->pin);
	while ((n = body_read(&b, room, COPY_SIZE)) > 0) {
		struct str octets = { room, (size_t)n };

		header_take(t, octets);
		if (disk_pwrite(t->fd, octets, t->size) != 0)
			return err_set("its copy could not be written");
		t->size += octets.n;
	}
	if (n < 0)
		t->delivery->is_damaged |= n == BODY_DAMAGED;
	return n < 0 ? err_set("our copy of the message could not be read") : 0;
}

static yields int
copy_make(struct taking *t)
{
	char *room = arena_alloc(&t->arena, COPY_SIZE);

	must(t->delivery->is_pinned);
	if (room == NULL)
		return err_set("no memory");
	t->fd = carrier_file(t->config, &t->arena);
	return t->fd < 0 ? -1 : copy_write(t, room);
}

/* ---- what the reader says ---- */

static yields int
form_read(struct taking *t, uint32_t n)
{
	char *p;
	int64_t got;

	must(n > 0 && t->fd >= 0 && t->form.p == NULL);
	if (n > REPORT_FORM_MOST)
		return err_set("its reader says too much");
	arena_init(&t->form_arena, (size_t)n + 64 * 1024);
	p = arena_alloc(&t->form_arena, (size_t)n + 1);
	if (p == NULL)
		return err_set("no memory");
	for (size_t at = 0; at < n; at += (size_t)got) {
		got = disk_pread(t->fd, p + at, n - at, t->size + at);
		if (got <= 0)
			return err_set("what its reader says ends early");
	}
	t->form = (struct str){ p, n };
	return 0;
}

static int
taking_bad(struct taking *t, const char *why)
{
	snprintf(t->why, sizeof t->why, "%s", why);
	return -1;
}

static int
head_judge(struct taking *t)
{
	struct report_row *h = &t->head;
	int64_t now = clock_wall().us / US_PER_SECOND;

	/* RFC 5965 has no ids, and a message need not have one. */
	if (t->kind == REPORT_OF_FAILURE &&
	    h->v[REPORT_HEAD_report_id].text.n == 0)
		h->v[REPORT_HEAD_report_id].text = arena_copy(&t->arena,
		    str_of(id_print(t->delivery->handoff.ref.id).text));
	if (h->v[REPORT_HEAD_organization].text.n == 0 ||
	    h->v[REPORT_HEAD_report_id].text.n == 0)
		return taking_bad(t, "it does not say who reports, or has no id");
	if (h->v[REPORT_HEAD_ends].number < h->v[REPORT_HEAD_begins].number ||
	    h->v[REPORT_HEAD_ends].number > now + AHEAD_S)
		return taking_bad(t, "its period is not of the past");
	return 0;
}

/* Rows of TLS have a domain each, the others their report's. */
static bool
row_is_ours(const struct taking *t, const struct report_row *row)
{
	must(t->kind < REPORT_KINDS);
	return t->kind != REPORT_OF_TLS ||
	    about_us(t->config, row->v[REPORT_TLS_domain].text);
}

static int64_t
row_count(const struct taking *t, const struct report_row *row)
{
	switch (t->kind) {
	case REPORT_OF_DMARC:
		return row->v[REPORT_DMARC_count].number;
	case REPORT_OF_TLS:
		return row->v[REPORT_TLS_good].number +
		    row->v[REPORT_TLS_failed].number;
	case REPORT_OF_FAILURE:
		return row->v[REPORT_FAILURE_count].number;
	case REPORT_KINDS:
		break;
	}
	return 0;
}

static int
row_judge(struct taking *t, const struct report_row *row)
{
	int64_t *sum = &t->head.v[REPORT_HEAD_messages].number;
	struct str domain = row->v[REPORT_TLS_domain].text;

	for (size_t i = 0; i < REPORT_COLUMNS; i++)
		if (row->v[i].number > UINT32_MAX && !(t->kind ==
		    REPORT_OF_FAILURE && i == REPORT_FAILURE_arrived))
			return taking_bad(t, "a number of it is too large");
	if (++t->n_rows > ROWS_MOST)
		return taking_bad(t, "it has too many rows");
	if (!row_is_ours(t, row))
		return 0;
	*sum += row_count(t, row);
	if (t->kind == REPORT_OF_TLS && t->tls_domain.n == 0)
		t->tls_domain = domain;
	return 0;
}

/* Everything is looked at once before the database hears of it. */
static int
form_judge(struct taking *t)
{
	struct str rest = t->form;
	struct report_row row;
	enum report_rows which;
	int64_t messages;
	int rc;

	must(t->n_rows == 0);
	while ((rc = report_form_next(&rest, &which, &row)) == 1 &&
	    which == (enum report_rows)t->kind)
		if (row_judge(t, &row) != 0)
			return -1;
	if (rc != 1 || which != REPORT_HEADS || rest.n > 0)
		return taking_bad(t, "its reader does not say how it ends");
	messages = t->head.v[REPORT_HEAD_messages].number;
	t->head = row;
	t->head.v[REPORT_HEAD_messages].number = messages;
	if (t->kind == REPORT_OF_TLS)
		t->head.v[REPORT_HEAD_domain].text = t->tls_domain;
	return head_judge(t);
}

/* ---- keeping: on the database's thread ---- */

static int
row_next(void *arg, struct report_row *row)
{
	struct taking *t = arg;
	enum report_rows which;
	int rc;

	do
		rc = report_form_next(&t->left, &which, row);
	while (rc == 1 && which != REPORT_HEADS && !row_is_ours(t, row));
	must(rc == 1);
	return which != REPORT_HEADS;
}

static int
taking_keep(struct database *d, void *arg)
{
	struct taking *t = arg;
	struct wall now = { t->head.v[REPORT_HEAD_received].number };
	int rc;

	must(t->form.n > 0 && t->n_rows <= ROWS_MOST);
	t->left = t->form;
	rc = report_add(d, t->kind, &t->head, row_next, t);
	if (rc == 0)
		(void)report_expire(d, wall_add(now,
		    -t->config->reports.keep / NS_PER_US));
	return rc;
}

static void
head_complete(struct taking *t)
{
	struct report_row *h = &t->head;

	h->v[REPORT_HEAD_received].number = clock_wall().us;
	h->v[REPORT_HEAD_message].text = arena_copy(&t->arena,
	    str_of(id_print(t->delivery->handoff.ref.id).text));
	h->v[REPORT_HEAD_author].text = t->author;
	h->v[REPORT_HEAD_results].text = t->results;
	h->v[REPORT_HEAD_proven].number = t->is_proven;
}

static void
taking_taken(struct taking *t, bool is_known)
{
	const struct report_row *h = &t->head;
	struct str text = arena_printf(&t->arena, "%s "STR_FMT" of "STR_FMT
	    " about "STR_FMT": %lld %s", report_kind_name(t->kind),
	    STR_ARG(h->v[REPORT_HEAD_report_id].text),
	    STR_ARG(h->v[REPORT_HEAD_organization].text),
	    STR_ARG(h->v[REPORT_HEAD_domain].text),
	    (long long)h->v[REPORT_HEAD_messages].number,
	    t->kind == REPORT_OF_TLS ? "sessions" : "messages");

	t->recipient->verdict = verdict_make(DELIVERED, 0, "2.0.0",
	    is_known ? "the report is known already" : "kept as a report");
	taking_tell(t, EVENT_report_taken, is_known ? "duplicate" : "kept",
	    text);
}

static yields void
report_keep(struct taking *t)
{
	int rc;

	if (t->delivery->at->login == NULL) {
		err_set("there is no database");
		taking_defer(t, "4.3.5");
		return;
	}
	head_complete(t);
	rc = login_database_with(t->delivery->at->login, t->config, taking_keep,
	    t);
	if (rc == 0 || rc == DATABASE_TAKEN)
		taking_taken(t, rc == DATABASE_TAKEN);
	else
		taking_defer(t, "4.3.0");
}

static yields void
report_judge(struct taking *t, const struct porter_reply *reply)
{
	struct str domain;

	must(t->kind == REPORT_KINDS);
	if (reply->status >= REPORT_KINDS || reply->form == 0) {
		taking_refuse(t, "reader", STR("its reader says nothing"));
		return;
	}
	t->kind = (enum report_kind)reply->status;
	if (form_read(t, reply->form) != 0) {
		taking_defer(t, "4.3.0");
		return;
	}
	if (form_judge(t) != 0) {
		taking_refuse(t, "malformed", str_of(t->why));
		return;
	}
	domain = t->head.v[REPORT_HEAD_domain].text;
	if (domain.n == 0 || !about_us(t->config, domain))
		taking_refuse(t, "foreign", arena_printf(&t->arena,
		    "it is about '"STR_FMT"', which is neither an own domain nor "
		    "among reports.about", STR_ARG(domain)));
	else
		report_keep(t);
}

/* ---- the whole ---- */

/* A reader that was ended by its limits was given a bomb. */
static yields bool
answer_take(struct taking *t, const struct porter_reply *reply)
{
	struct str text = { reply->text, reply->length };

	switch ((enum porter_end)reply->end) {
	case PORTER_NO_REPORT:
		return false;
	case PORTER_REPORT:
		report_judge(t, reply);
		break;
	case PORTER_REFUSED:
		taking_refuse(t, "malformed", text);
		break;
	case PORTER_KILLED:
	case PORTER_OVERTIME:
		taking_refuse(t, "limits", STR("its reader went beyond its "
		    "limits of time or memory"));
		break;
	case PORTER_TROUBLE:
	case PORTER_KEPT:
	case PORTER_EXITED:
	case PORTER_UNFIT:
	case PORTER_ENDS:
		err_set(STR_FMT, STR_ARG(text));
		taking_defer(t, "4.3.0");
		break;
	}
	return true;
}

static yields bool
taking_run(struct taking *t)
{
	struct delivery_recipient *r = t->recipient;
	struct porter_reply reply;

	if (t->delivery->at->porter_fd < 0) {
		r->verdict = verdict_make(DEFERRED, 0, "4.3.5",
		    "there is no porter");
		return true;
	}
	if (copy_make(t) != 0) {
		taking_defer(t, "4.3.0");
		return true;
	}
	if (!carrier_hand(t->delivery, r, &(struct carrier_copy){ t->fd,
	    t->size, false }, READ_WAIT_S * NS_PER_SECOND, &t->arena, &reply,
	    &r->verdict))
		return true;
	return answer_take(t, &reply);
}

yields bool
report_take(struct delivery *d, struct delivery_recipient *r,
    const struct config *conf)
{
	struct arena a;
	struct taking *t;
	bool is_taken;

	arena_init(&a, sizeof *t + 64);
	t = arena_new(&a, struct taking);
	if (t == NULL) {
		r->verdict = verdict_make(DEFERRED, 0, "4.3.0", "no memory");
		return true;
	}
	*t = (struct taking){ .delivery = d, .recipient = r, .config = conf,
		.fd = -1, .kind = REPORT_KINDS };
	arena_init(&t->arena, TAKING_MEMORY);
	is_taken = taking_run(t);
	if (t->fd >= 0)
		disk_close(t->fd);
	arena_clear(&t->form_arena);
	arena_clear(&t->arena);
	arena_clear(&a);
	err_clear();
	return is_taken;
}
