/*
 * A day of one kind, in the file of app/report_mark.h:
 *
 *	WAITING   until it is over, and its hour has come
 *	UNDER WAY each pass over its domains marks what is done
 *	OVER      nothing of it is left, or nothing is wanted
 *
 * A message is kept between `begin' and `done'.  After a crash between the two it
 * was kept if the spool has it, or had it: then the events tell of it.
 */
#include "app/report_post.h"

#include "app/report_day.h"
#include "app/report_mailing.h"
#include "base/err.h"
#include "base/json.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/fetch.h"
#include "policy/signing.h"
#include "spool/spool.h"
#include "store/eventread.h"
#include "trust/dkim_sign.h"

#include <stdio.h>

/* Events follow the log within seconds: SETTLE_S. */
enum { SETTLE_S = 60, AGAIN_S = 3600, LOOK_S = 1800, EVENTS_PATH = 1200,
	REPORTER_MEMORY = 8192, EVENTS_AT_ONCE = 64 };

#define PACE_NS (500 * NS_PER_MS)	/* between two domains */

static const char *
kind_name(const struct report_post *p)
{
	return p->kind == REPORT_OF_DMARC ? "dmarc" : "tls";
}

/* ---- telling ---- */

static void
trouble_tell(struct report_post *p, const char *text)
{
	struct event e = event_make(EVENT_trouble, clock_wall(), 0);
	char room[600];

	snprintf(room, sizeof room, "reports of %s: %.500s", kind_name(p),
	    text);
	event_str(&e, FIELD_text, str_of(room));
	intake_tell(p->intake, &e);
	err_clear();
}

static void
end_tell(struct report_post *p, const struct report_mailing *m)
{
	struct event e = event_make(EVENT_report_sent, clock_wall(), m->id);
	char text[REPORT_TEXT_MOST + 100];

	snprintf(text, sizeof text, "%s: %llu %s%s%s",
	    day_print(m->day->day).text,
	    (unsigned long long)report_day_count(m->day, m->i),
	    p->kind == REPORT_OF_DMARC ? "messages" : "connections",
	    m->text[0] != '\0' ? "; " : "", m->text);
	event_str(&e, FIELD_class, str_of(kind_name(p)));
	event_str(&e, FIELD_domain, report_day_name(m->day, m->i));
	event_str(&e, FIELD_reason, str_of(report_end_name(m->end)));
	if (m->to[0] != '\0')
		event_str(&e, FIELD_recipient, str_of(m->to));
	event_str(&e, FIELD_text, str_of(text));
	intake_tell(p->intake, &e);
}

/* ---- waiting ---- */

static int64_t
today(void)
{
	return clock_wall().us / US_PER_SECOND / DAY_SECONDS;
}

/* Spread, so that not everybody sends at once, and the same for each start. */
static struct wall
report_post_due(struct str hostname, int64_t day)
{
	const struct hash_key none = { 0, 0 };
	uint64_t h = hash_bytes(none, hostname) % REPORT_SPREAD_S;

	return (struct wall){ ((day + 1) * DAY_SECONDS + REPORT_EARLIEST_S +
	    (int64_t)h) * US_PER_SECOND };
}

/* False: the server ends. */
static yields bool
post_sleep(struct report_post *p, int64_t seconds)
{
	struct mono until = mono_add(clock_mono(), seconds * NS_PER_SECOND);

	while (!p->is_closing && mono_is_before(clock_mono(), until))
		(void)fiber_park(until);
	return !p->is_closing;
}

/* The wall may be set: it is looked at again and again. */
static yields bool
due_wait(struct report_post *p, int64_t day)
{
	while (!p->is_closing) {
		struct wall due = report_post_due(
		    config_now(p->holder)->hostname, day);
		int64_t left = (due.us - clock_wall().us) / US_PER_SECOND + 1;

		if (!wall_is_before(clock_wall(), due))
			return true;
		(void)post_sleep(p, left < LOOK_S ? left : LOOK_S);
	}
	return false;
}

/* ---- which day ---- */

/* The next of which something is to be done; older ones are given up. */
static int64_t
day_next(const struct report_mark *m)
{
	int64_t day = m->day < 0 ? today() - 1 : m->is_over ? m->day + 1 :
	    m->day;
	int64_t oldest = today() - REPORT_DAYS;

	if (day > today())		/* the wall was set back */
		day = today();
	return day < oldest ? oldest : day < 0 ? 0 : day;
}

static yields int
day_begin(struct report_post *p, int64_t day)
{
	return p->mark.day == day && p->mark.fd >= 0 ? 0 :
	    report_mark_day(&p->mark, day);
}

/* ---- what a crash interrupted ---- */

static bool
event_is_of_kept(const struct event *e, uint64_t id)
{
	return e->id == id && (e->type == EVENT_queued ||
	    e->type == EVENT_delivered || e->type == EVENT_delayed ||
	    e->type == EVENT_failed || e->type == EVENT_expired ||
	    e->type == EVENT_canceled || e->type == EVENT_discarded);
}

/* -1, 0, or 1: they tell of it. */
static yields int
events_know(struct report_post *p, struct str directory)
{
	struct wall since = { p->mark.day * DAY_SECONDS * US_PER_SECOND };
	struct eventread *in = eventread_open(directory, since);
	struct event e;
	unsigned n = 0;
	int rc;

	if (in == NULL)
		return -1;
	while ((rc = eventread_next(in, &e)) == 1) {
		if (event_is_of_kept(&e, p->mark.begun_id))
			break;
		if (++n % EVENTS_AT_ONCE == 0)
			fiber_yield();
	}
	eventread_close(in);
	return rc;
}

static bool
events_directory(struct report_post *p, struct buf *b)
{
	buf_printf(b, STR_FMT "/events",
	    STR_ARG(config_now(p->holder)->spool.path));
	return !b->full;
}

static yields int
begun_settle(struct report_post *p)
{
	char room[EVENTS_PATH];
	struct buf path = BUF_OF(room);
	int rc = p->begun_is_kept;

	if (p->mark.begun.n == 0 || p->mark.begun_id == 0)
		return 0;
	if (rc == 0 && events_directory(p, &path))
		rc = events_know(p, buf_str(&path));
	if (rc == 1)
		rc = report_mark_done(&p->mark, p->mark.begun);
	p->mark.begun = STR_NONE;
	return rc < 0 ? -1 : 0;
}

/* ---- may it be? ---- */

static enum report_send
wish_of(const struct report_post *p)
{
	const struct config *c = config_now(p->holder);

	return p->kind == REPORT_OF_DMARC ? c->reports.dmarc.send :
	    c->reports.tls.send;
}

static yields bool
has_key(struct report_post *p, const struct config *c, struct str from)
{
	struct dkim_signer *s = p->intake->signer;
	struct dkim_key_ref keys[DKIM_KEYS_MOST];
	struct str domain = signing_domain(c, from);
	size_t n = 0;

	return s != NULL && c->outbound.dkim == DKIM_AUTO && domain.n > 0 &&
	    s->keys(s, domain, keys, &n) == 0 && n > 0;
}

/* RFC 8460 3: reports MUST be signed; RFC 9990 3.5.2: they must pass DMARC.  NULL,
 * or why none may leave. */
static yields const char *
ban_of(struct report_post *p, char *room, size_t size)
{
	struct config *c = config_pin(p->holder);
	struct reporter by;
	struct arena a;
	const char *why = NULL;

	arena_init(&a, REPORTER_MEMORY);
	if (!reporter_of(c, &a, &by))
		why = "there is no mailbox to send from";
	else if (wish_of(p) == REPORT_SEND_YES && !has_key(p, c, by.domain)) {
		snprintf(room, size, "none are sent: " STR_FMT ", in whose "
		    "name they would be, has no DKIM key that signs "
		    "(nightmail dns check " STR_FMT "); or set "
		    "reports.%s.send", STR_ARG(by.domain), STR_ARG(by.domain),
		    kind_name(p));
		why = room;
	}
	arena_clear(&a);
	config_unpin(p->holder, c);
	return why;
}

/* ---- a pass over a day ---- */

struct pass {
	struct report_post *post;
	struct config *config;
	struct reporter by;
	struct report_day day;
	struct report_mailing mailing;
	struct str domain;		/* under way */
	bool is_marked;			/* what is sent is of the mark's day */
};

static yields int
pass_keeping(void *arg, uint64_t id)
{
	struct pass *s = arg;

	return s->is_marked ? report_mark_begin(&s->post->mark, s->domain, id) :
	    0;
}

static yields int
pass_open(struct pass *s, struct report_post *p, int64_t day, struct arena *a)
{
	s->post = p;
	s->config = config_pin(p->holder);
	if (!reporter_of(s->config, a, &s->by))
		return err_set("there is no mailbox to send from");
	return report_day_read(&s->day, p->kind, day, s->config, &s->by,
	    p->key);
}

static void
pass_close(struct pass *s)
{
	report_day_close(&s->day);
	config_unpin(s->post->holder, s->config);
}

static void
pass_aim(struct pass *s, size_t i, bool is_dry)
{
	s->domain = report_day_name(&s->day, i);
	s->mailing = (struct report_mailing){ .intake = s->post->intake,
		.config = s->config, .by = &s->by, .day = &s->day, .i = i,
		.is_dry = is_dry, .keeping = pass_keeping, .arg = s };
}

/* -1: the mark could not be written; then no more is sent. */
static yields int
pass_send(struct pass *s, size_t i)
{
	pass_aim(s, i, false);
	report_mailing(&s->mailing);
	end_tell(s->post, &s->mailing);
	if (s->mailing.end == REPORT_LATER || !s->is_marked)
		return 0;
	return report_mark_done(&s->post->mark, s->domain);
}

static uint64_t
most_of(const struct report_post *p)
{
	const struct config *c = config_now(p->holder);

	return p->kind == REPORT_OF_DMARC ? c->reports.dmarc.most :
	    c->reports.tls.most;
}

/* Nobody hears of it where nothing is to be reported. */
static yields bool
pass_is_banned(struct pass *s)
{
	char room[800];
	const char *ban = s->day.n == 0 ? NULL :
	    ban_of(s->post, room, sizeof room);

	if (ban != NULL)
		trouble_tell(s->post, ban);
	return ban != NULL;
}

/* How many have to wait, or -1. */
static yields int
pass_all(struct pass *s)
{
	struct report_post *p = s->post;
	int later = 0;

	if (pass_is_banned(s))
		return 0;
	s->is_marked = true;
	for (size_t i = 0; i < s->day.n && !p->is_closing; i++) {
		if (report_mark_has(&p->mark, report_day_name(&s->day, i)))
			continue;
		if (p->mark.n + (size_t)later >= most_of(p))
			break;
		if (pass_send(s, i) != 0)
			return -1;
		later += s->mailing.end == REPORT_LATER;
		(void)fiber_park(mono_add(clock_mono(), PACE_NS));
	}
	return later;
}

static yields int
day_pass(struct report_post *p, int64_t day)
{
	struct arena a;
	struct pass *s;
	int rc = -1;

	arena_init(&a, sizeof *s + REPORTER_MEMORY);
	s = arena_new(&a, struct pass);
	if (s == NULL)
		(void)err_set("no memory");
	else {
		rc = pass_open(s, p, day, &a);
		if (rc == 0)
			rc = pass_all(s);
		pass_close(s);
	}
	arena_clear(&a);
	return rc;
}

/* ---- day after day ---- */

static yields int
turn_pass(struct report_post *p, int64_t day)
{
	int rc;

	(void)permit_take(&p->turn, MONO_NEVER);
	rc = day_pass(p, day);
	permit_give(&p->turn);
	return rc;
}

/* 0: the day is over; -1: trouble, or the server ends. */
static yields int
day_work(struct report_post *p, int64_t day)
{
	int later = 1;

	if (wish_of(p) == REPORT_SEND_NO)
		return report_mark_over(&p->mark);
	for (unsigned i = 0; later > 0 && i < REPORT_TRIES; i++) {
		if (i > 0 && !post_sleep(p, AGAIN_S))
			return -1;
		later = turn_pass(p, day);
	}
	if (later < 0 || p->is_closing)
		return -1;
	return report_mark_over(&p->mark);
}

static yields void
post_run(void *arg)
{
	struct report_post *p = arg;

	p->fiber = fiber_self();
	while (post_sleep(p, SETTLE_S)) {
		int64_t day = day_next(&p->mark);

		if (begun_settle(p) != 0) {
			trouble_tell(p, err_text());
			(void)post_sleep(p, AGAIN_S);
			continue;
		}
		if (!due_wait(p, day))
			break;
		day = day_next(&p->mark);
		if ((day_begin(p, day) != 0 || day_work(p, day) != 0) &&
		    !p->is_closing) {
			trouble_tell(p, err_text());
			(void)post_sleep(p, AGAIN_S);
		}
	}
	p->is_running = false;
	p->fiber = NULL;
}

/* ---- asked by somebody ---- */

struct asking {
	struct report_sink sink;
	const struct report_ask *ask;
	struct pass pass;
	char line[8 * 1024];
};

static yields int
piece_hand(struct report_sink *sink, struct str piece)
{
	struct asking *a = (struct asking *)(void *)sink;

	return a->ask->give(a->ask->to, piece);
}

/* What came, or would come, of a domain's report. */
static yields int
line_give(struct asking *a, bool was_sent)
{
	const struct report_mailing *m = &a->pass.mailing;
	struct buf b = BUF_OF(a->line);
	struct json j;

	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_str(&j, "day", str_of(day_print(m->day->day).text));
	json_put_str(&j, "domain", report_day_name(m->day, m->i));
	json_put_u64(&j, "count", report_day_count(m->day, m->i));
	json_put_u64(&j, "rows", report_day_rows(m->day, m->i));
	json_put_u64(&j, "octets", m->octets);
	json_put_str(&j, was_sent ? "end" : "would_be",
	    str_of(report_end_name(m->end)));
	json_put_cut(&j, "to", str_of(m->to), sizeof m->to);
	json_put_cut(&j, "text", str_of(m->text), sizeof m->text);
	json_end_object(&j);
	buf_putc(&b, '\n');
	must(!b.full);
	return a->ask->give(a->ask->to, buf_str(&b));
}

static yields int
one_answer(struct asking *a, size_t i)
{
	struct pass *s = &a->pass;

	switch (a->ask->verb) {
	case REPORT_ASK_DOCUMENT:
		return report_day_write(&s->day, i, &s->by, &a->sink);
	case REPORT_ASK_LOOK:
		pass_aim(s, i, true);
		report_mailing(&s->mailing);
		return line_give(a, false);
	case REPORT_ASK_SEND:
		break;
	}
	if (a->ask->domain.n == 0 && s->is_marked &&
	    report_mark_has(&s->post->mark, report_day_name(&s->day, i)))
		return 0;		/* of all, those that are left */
	return pass_send(s, i) == 0 ? line_give(a, true) : -1;
}

static yields int
all_answer(struct asking *a)
{
	struct pass *s = &a->pass;
	size_t most = most_of(s->post), i = 0;
	int rc = 0;

	if (a->ask->domain.n > 0) {
		i = report_day_find(&s->day, a->ask->domain);
		if (i == s->day.n)
			return err_set("nothing of " STR_FMT " is to be "
			    "reported", STR_ARG(a->ask->domain));
		return one_answer(a, i);
	}
	if (a->ask->verb == REPORT_ASK_DOCUMENT && s->day.n > 1 &&
	    s->post->kind == REPORT_OF_DMARC)
		return err_set("there are %zu reports: name one by --domain",
		    s->day.n);
	for (; rc == 0 && i < s->day.n && i < most && !s->post->is_closing; i++)
		rc = one_answer(a, i);
	return rc;
}

/* What is sent of the day whose turn it is, is marked as sent. */
static yields int
sending_begin(struct asking *a, struct report_post *p, int64_t day)
{
	char room[800];
	const char *ban = ban_of(p, room, sizeof room);

	if (day >= today())
		return err_set("%s is not over", day_print(day).text);
	if (ban != NULL)
		return err_set("%s", ban);
	if (day == day_next(&p->mark) && day_begin(p, day) != 0)
		return -1;
	a->pass.is_marked = p->mark.day == day && !p->mark.is_over;
	return 0;
}

static int
day_asked(const struct report_ask *ask, int64_t *day)
{
	*day = today() - (ask->verb == REPORT_ASK_SEND);
	if (ask->day.n > 0)
		*day = day_parse(ask->day);
	return *day >= 0 && *day <= today() ? 0 : err_set("'" STR_FMT
	    "' is not a day of the past (example: 2026-11-21)",
	    STR_ARG(ask->day));
}

static yields int
asking_run(struct asking *a, struct report_post *p, struct arena *arena)
{
	bool sends = a->ask->verb == REPORT_ASK_SEND;
	int64_t day;
	int rc;

	if (day_asked(a->ask, &day) != 0 ||
	    (sends && sending_begin(a, p, day) != 0))
		return -1;
	rc = pass_open(&a->pass, p, day, arena);
	if (rc == 0)
		rc = all_answer(a);
	pass_close(&a->pass);
	return rc;
}

yields int
report_post_ask(struct report_post *p, const struct report_ask *ask)
{
	bool sends = ask->verb == REPORT_ASK_SEND;
	struct arena arena;
	struct asking *a;
	int rc;

	if (!p->is_running)
		return err_set("no reports now");
	if (sends && !permit_try(&p->turn))
		return err_set("reports are being sent just now");
	arena_init(&arena, sizeof *a + REPORTER_MEMORY);
	a = arena_new(&arena, struct asking);
	if (a == NULL)
		rc = err_set("no memory");
	else {
		a->sink.piece = piece_hand;
		a->ask = ask;
		rc = asking_run(a, p, &arena);
	}
	arena_clear(&arena);
	if (sends)
		permit_give(&p->turn);
	return rc;
}

/* ---- a life ---- */

yields int
report_post_start(struct report_post *p)
{
	struct str directory = config_now(p->holder)->spool.path;

	must(!p->is_running && p->intake->spool != NULL);
	permit_init(&p->turn, 1);
	p->is_closing = false;
	if (report_mark_open(&p->mark, p->key, directory, kind_name(p)) != 0)
		return -1;
	/* Before it can have been delivered by this life. */
	p->begun_is_kept = p->mark.begun_id != 0 &&
	    spool_find(p->intake->spool, p->mark.begun_id) != NULL;
	p->is_running = fiber_go("reports", post_run, p) == 0;
	return p->is_running ? 0 : -1;
}

yields void
report_post_stop(struct report_post *p)
{
	if (p->holder == NULL)
		return;			/* it was never started */
	p->is_closing = true;
	if (p->is_running)
		fetch_hurry();
	while (p->is_running) {
		if (p->fiber != NULL)
			fiber_wake(p->fiber);
		fiber_sleep(mono_add(clock_mono(), 10 * NS_PER_MS));
	}
	report_mark_close(&p->mark);
}
