#include "app/report_mailing.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/fetch.h"
#include "fiber/random.h"
#include "wire/address.h"
#include "wire/disposition.h"
#include "wire/gzip.h"
#include "wire/report_mail.h"

#include <stdio.h>

/* RFC 8460 5.5: a sender tries again for up to 24 hours. */
enum { LIFE_S = 86400, FETCH_S = 60, ANSWER_MOST = 4096,
	PIECE = 32 * 1024, HEAD_ROOM = REPORT_MAIL_HEAD };

struct packing {
	struct report_sink sink;
	struct gzip *gzip;
};

struct mailing {
	struct report_mailing *m;
	struct arena arena;
	struct report_where *where;
	struct report_mail mail;
	struct str octets;		/* packed */
	struct buf piece;		/* of the message */
};

const char *
report_end_name(enum report_end e)
{
	static const char *const names[] = { "sent", "nobody", "later",
		"failed" };

	must(e <= REPORT_FAILED);
	return names[e];
}

static void
mailing_say(struct mailing *w, enum report_end end, const char *text)
{
	struct report_mailing *m = w->m;
	size_t n = strlen(m->text);

	m->end = end;
	snprintf(m->text + n, sizeof m->text - n, "%s%s",
	    n > 0 && text[0] != '\0' ? "; " : "", text);
}

/* ---- what is sent ---- */

static yields int
piece_pack(struct report_sink *sink, struct str piece)
{
	struct packing *p = (struct packing *)(void *)sink;

	gzip_put(p->gzip, piece);
	return 0;
}

static yields int
mailing_pack(struct mailing *w)
{
	struct packing p = { { piece_pack },
		gzip_new(&w->arena, REPORT_PACKED_MOST) };
	struct report_mailing *m = w->m;

	if (p.gzip == NULL)
		return err_set("no memory for a report");
	if (report_day_write(m->day, m->i, m->by, &p.sink) != 0)
		return -1;
	if (!gzip_end(p.gzip))
		return err_set("the report is too large");
	w->octets = gzip_octets(p.gzip);
	m->octets = w->octets.n;
	return 0;
}

static int
mailing_name(struct mailing *w)
{
	struct report_mailing *m = w->m;

	w->mail = (struct report_mail){ .kind = m->day->kind,
		.organization = m->by->organization, .from = m->by->from,
		.domain = report_day_name(m->day, m->i),
		.submitter = m->by->domain,
		.report_id = report_day_id(m->day, m->i, m->by, &w->arena),
		.boundary = arena_printf(&w->arena, "=_%016llx",
		    (unsigned long long)random_u64()),
		.begin = m->day->day * DAY_SECONDS, .now = clock_wall() };
	w->mail.end = w->mail.begin + DAY_SECONDS - 1;
	w->piece = (struct buf){ .p = arena_alloc(&w->arena, PIECE),
		.cap = PIECE };
	return w->mail.report_id.p == NULL || w->mail.boundary.p == NULL ||
	    w->piece.p == NULL ? err_set("no memory for a report") : 0;
}

/* What base64 and line ends make of it, and the rest of the message. */
static uint64_t
mail_octets(const struct mailing *w)
{
	return (uint64_t)w->octets.n * 4 / 3 * 78 / 76 + 4096;
}

/* RFC 7489 6.2: who says how much he takes gets no more than that. */
static void
recipients_choose(struct mailing *w)
{
	const struct report_where *where = w->where;
	char text[400];

	for (size_t i = 0; i < where->n_to; i++)
		if (where->most[i] == 0 || where->most[i] >= mail_octets(w))
			w->mail.to[w->mail.n_to++] = where->to[i];
		else {
			snprintf(text, sizeof text, STR_FMT " takes %llu "
			    "octets, and it would have %llu",
			    STR_ARG(str_sub(where->to[i], 0, 200)),
			    (unsigned long long)where->most[i],
			    (unsigned long long)mail_octets(w));
			mailing_say(w, REPORT_NOBODY, text);
		}
}

static void
to_tell(struct mailing *w)
{
	struct buf b = { .p = w->m->to, .cap = sizeof w->m->to - 1 };

	for (size_t i = 0; i < w->mail.n_to; i++)
		buf_printf(&b, "%s" STR_FMT, i > 0 ? ", " : "",
		    STR_ARG(w->mail.to[i]));
	for (size_t i = 0; w->mail.n_to == 0 && i < w->where->n_urls; i++)
		buf_printf(&b, "%s" STR_FMT, i > 0 ? ", " : "",
		    STR_ARG(w->where->urls[i]));
	w->m->to[b.n] = '\0';
}

/* ---- as a message ---- */

/* Recipients that we do not take ourselves do not keep others from theirs. */
static yields struct verdict
envelope_make(struct mailing *w, struct intake *in)
{
	struct intake_wish never = { .notify = NOTIFY_NEVER };
	struct verdict v = verdict_make(FAILED, 554, "5.5.1", "nobody");
	size_t n = 0;

	for (size_t i = 0; i < w->mail.n_to; i++) {
		struct path path = { 0 };
		struct verdict one;

		must(mailbox_parse(w->mail.to[i], MAILBOX_STRICT,
		    &path.mailbox) == NULL);
		one = intake_recipient(in, &path, &never);
		n += one.disposition == DELIVERED;
		if (one.disposition != DELIVERED) {
			mailing_say(w, REPORT_FAILED, one.text);
			v = one;
		}
	}
	return n > 0 ? intake_open(in) : v;
}

static yields void
content_write(struct mailing *w, struct intake *in)
{
	struct base64_writer coder = { 0 };
	struct str rest = w->octets;
	struct buf b = w->piece;

	report_mail_head(&b, &w->mail);
	must(!b.full);
	while (!report_mail_octets(&coder, &rest, &b)) {
		if (intake_content(in, buf_str(&b)) != 0)
			return;
		b.n = 0;
	}
	if (intake_content(in, buf_str(&b)) != 0)
		return;
	b.n = 0;
	report_mail_end(&coder, &b, &w->mail);
	must(!b.full);
	(void)intake_content(in, buf_str(&b));
}

static enum report_end
end_of(const struct verdict *v)
{
	return v->disposition == DELIVERED ? REPORT_SENT :
	    v->disposition == DEFERRED ? REPORT_LATER : REPORT_FAILED;
}

static yields struct verdict
message_keep(struct mailing *w, struct intake *in)
{
	struct report_mailing *m = w->m;
	struct verdict v = envelope_make(w, in);

	if (v.disposition != DELIVERED)
		return v;
	if (m->keeping != NULL && m->keeping(m->arg, intake_id(in)) != 0)
		return verdict_make(DEFERRED, 451, "4.3.0", "%s", err_text());
	content_write(w, in);
	v = intake_commit(in);
	if (v.disposition == DELIVERED)
		m->id = intake_id(in);
	return v;
}

static yields void
mail_send(struct mailing *w)
{
	struct report_mailing *m = w->m;
	struct intake_origin origin = { .sender = m->by->from,
		.stream = STR("reports"),
		.expires = wall_add(clock_wall(), LIFE_S * US_PER_SECOND) };
	struct intake *in;
	struct arena a;
	struct verdict v;

	arena_init(&a, 1024 * 1024);
	in = intake_new(m->intake, m->config, &a, &origin);
	v = in == NULL ? verdict_make(DEFERRED, 452, "4.3.1", "no memory") :
	    message_keep(w, in);
	arena_clear(&a);
	mailing_say(w, end_of(&v), v.disposition == DELIVERED ? "" : v.text);
}

/* ---- as a request ---- */

static yields bool
url_send(struct mailing *w, struct str url)
{
	const struct fetch_header type = { STR("Content-Type"),
		STR("application/tlsrpt+gzip") };
	struct fetch_ask ask = { .method = FETCH_POST, .url = url,
		.headers = &type, .n_headers = 1, .body = w->octets,
		.body_most = ANSWER_MOST, .arena = &w->arena,
		.deadline = mono_add(clock_mono(), FETCH_S * NS_PER_SECOND) };
	struct fetch_answer answer;
	char text[400];

	if (fetch(&ask, &answer) == 0 && answer.status / 100 == 2)
		return true;
	if (answer.trouble == FETCH_WELL)
		snprintf(text, sizeof text, STR_FMT " answers %u",
		    STR_ARG(str_sub(url, 0, 200)), answer.status);
	else
		snprintf(text, sizeof text, STR_FMT ": %.150s",
		    STR_ARG(str_sub(url, 0, 200)), err_text());
	err_clear();
	mailing_say(w, REPORT_LATER, text);
	return false;
}

/* RFC 8460 3: one of the endpoints suffices. */
static yields void
urls_send(struct mailing *w)
{
	for (size_t i = 0; i < w->where->n_urls; i++)
		if (url_send(w, w->where->urls[i])) {
			w->m->end = REPORT_SENT;
			return;
		}
}

/* ---- all of it ---- */

/* Is anybody left whom it can go to?  He is told in m->to. */
static bool
someone_is_there(struct mailing *w)
{
	const struct report_where *where = w->where;

	mailing_say(w, where->is_later ? REPORT_LATER : REPORT_NOBODY,
	    where->why);
	recipients_choose(w);
	to_tell(w);
	return w->mail.n_to > 0 || where->n_urls > 0;
}

static yields int
mailing_prepare(struct mailing *w)
{
	struct report_mailing *m = w->m;
	struct str domain = report_day_name(m->day, m->i);

	if (!report_domain_fits(domain) || !report_domain_fits(m->by->domain)) {
		mailing_say(w, REPORT_NOBODY, "it is no name for a report");
		return 0;
	}
	w->where = report_where(m->day->kind, domain, &w->arena);
	if (w->where == NULL || mailing_name(w) != 0)
		return err_set("no memory for a report");
	if (w->where->n_to == 0 && w->where->n_urls == 0) {
		mailing_say(w, w->where->is_later ? REPORT_LATER :
		    REPORT_NOBODY, w->where->why);
		return 0;
	}
	return mailing_pack(w) == 0 ? 1 : -1;
}

yields void
report_mailing(struct report_mailing *m)
{
	struct mailing w = { .m = m };
	int rc;

	m->end = REPORT_FAILED;
	m->id = 0;
	m->octets = 0;
	m->to[0] = m->text[0] = '\0';
	arena_init(&w.arena, REPORT_MAILING_MEMORY);
	rc = mailing_prepare(&w);
	if (rc < 0) {
		mailing_say(&w, REPORT_FAILED, err_text());
		err_clear();
	} else if (rc > 0 && someone_is_there(&w)) {
		if (m->is_dry)
			m->end = REPORT_SENT;
		else if (w.mail.n_to > 0)
			mail_send(&w);
		else
			urls_send(&w);
	}
	arena_clear(&w.arena);
}
