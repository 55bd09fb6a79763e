#include "wire/dsn.h"

#include "base/must.h"
#include "wire/date.h"
#include "wire/header.h"

enum { LINE_ROOM = 1024 };

static const struct { const char *word, *subject; } actions[] = {
#define DSN_ACTION(name, word, subject) { word, subject },
#include "wire/dsn.def"
#undef DSN_ACTION
};

/* What stands in a report is printable ASCII, so that it needs no 8BITMIME. */
static void
ascii(struct str s, struct buf *out)
{
	for (size_t i = 0; i < s.n; i++)
		buf_putc(out, s.p[i] < ' ' || s.p[i] > '~' ? '?' : s.p[i]);
}

/* "Name: typeWORDS"; a field that no line holds is left out. */
static void
put_field(struct buf *out, struct str name, const char *type, struct str words)
{
	char room[LINE_ROOM];
	struct buf line = BUF_OF(room);

	buf_put(&line, str_of(type));
	ascii(words, &line);
	if (!line.full)
		header_put(out, name, buf_str(&line));
}

static void
put_date(struct buf *out, struct str name, struct wall at, int zone)
{
	struct date_text date = date_print(at, zone);

	put_field(out, name, "", str_of(date.text));
}

/* "Name: <id>" */
static void
put_bracketed(struct buf *out, struct str name, struct str id)
{
	char room[LINE_ROOM];
	struct buf line = BUF_OF(room);

	buf_putc(&line, '<');
	buf_put(&line, id);
	buf_putc(&line, '>');
	if (!line.full)
		put_field(out, name, "", buf_str(&line));
}

static void
put_line(struct buf *out, const char *text)
{
	buf_put(out, str_of(text));
	buf_put(out, STR("\r\n"));
}

static void
put_delimiter(struct buf *out, const struct dsn *d, const char *end)
{
	buf_put(out, STR("\r\n--"));
	buf_put(out, d->boundary);
	buf_put(out, str_of(end));
	buf_put(out, STR("\r\n"));
}

/* RFC 2046 5.1.1: boundary := 0*69<bchars> bcharsnospace, of which we use those
 * that need no thought. */
static bool
boundary_is_fit(struct str b)
{
	static const struct str marks = STR_INIT("_=.-");

	for (size_t i = 0; i < b.n; i++)
		if (!ascii_is_alnum(b.p[i]) &&
		    str_find(marks, b.p[i]) == marks.n)
			return false;
	return b.n >= 1 && b.n <= 60;
}

/* RFC 6522 3: multipart/report; RFC 3834 5: Auto-Submitted; RFC 3464 2: From is
 * who answers for the system. */
static void
put_header(struct buf *out, const struct dsn *d)
{
	char room[LINE_ROOM];
	struct buf type = BUF_OF(room);

	put_bracketed(out, STR("Message-ID"), d->message_id);
	put_date(out, STR("Date"), d->now, d->zone);
	buf_put(out, STR("From: Mail Delivery System <"));
	buf_put(out, d->postmaster);
	buf_put(out, STR(">\r\n"));
	put_bracketed(out, STR("To"), d->to);
	put_field(out, STR("Subject"), "", str_of(actions[d->action].subject));
	if (d->in_reply_to.n > 0) {
		put_bracketed(out, STR("In-Reply-To"), d->in_reply_to);
		put_bracketed(out, STR("References"), d->in_reply_to);
	}
	put_line(out, "Auto-Submitted: auto-replied");
	put_line(out, "MIME-Version: 1.0");
	buf_put(&type, STR("multipart/report; report-type=delivery-status; "
	    "boundary=\""));
	buf_put(&type, d->boundary);
	buf_putc(&type, '"');
	put_field(out, STR("Content-Type"), "", buf_str(&type));
	if (d->has_8bit)
		put_line(out, "Content-Transfer-Encoding: 8bit");
}

/* What happened, in a sentence that the list of recipients follows. */
static const char *
first_words(enum dsn_action action)
{
	switch (action) {
	case DSN_DELAY:
		return "could not be delivered yet to the recipients below.\r\n"
		    "It is kept and tried again by itself; "
		    "you need not send it again.";
	case DSN_EXPANSION:
		return "was given to the lists below, which send it on.";
	case DSN_RELAY:
		return "was passed on to servers that send no reports, "
		    "for the recipients below.";
	case DSN_SUCCESS:
		return "was delivered to the recipients below.";
	case DSN_FAILURE:
	case DSN_ACTIONS:
		break;
	}
	return "could not be delivered to the recipients below.\r\n"
	    "It will not be tried again.";
}

void
dsn_begin(struct buf *out, const struct dsn *d)
{
	must(d->action < DSN_ACTIONS && boundary_is_fit(d->boundary));
	put_header(out, d);
	put_line(out, "");
	put_line(out, "This is a report about a message, "
	    "in a form that programs can read too.");
	put_delimiter(out, d, "");
	put_line(out, "Content-Type: text/plain; charset=us-ascii");
	put_line(out, "");
	buf_put(out, STR("This is the mail server "));
	buf_put(out, d->host);
	buf_put(out, STR(".\r\n\r\nThe message that you sent on "));
	buf_put(out, str_of(date_print(d->arrived, d->zone).text));
	buf_put(out, STR("\r\n"));
	put_line(out, first_words(d->action));
	put_line(out, "");
}

static const char *
advice_for(struct esc e)
{
	static const struct { unsigned short subject, detail; const char *text; }
	advice[] = {
#define ADVICE(subject, detail, text) { subject, detail, text },
#include "wire/advice.def"
#undef ADVICE
	};

	for (size_t i = 0; i < sizeof advice / sizeof *advice; i++)
		if (e.subject == advice[i].subject && (e.detail ==
		    advice[i].detail || advice[i].detail == 999))
			return advice[i].text;
	return "The postmaster can tell more.";
}

/* "550 5.1.1 No such user", as far as there are numbers. */
static void
put_reply(struct buf *out, const struct verdict *v)
{
	struct esc_text esc = esc_print(v->esc);

	if (v->code != 0)
		buf_printf(out, "%d %s ", v->code, esc.text);
	ascii(str_of(v->text), out);
}

void
dsn_tell(struct buf *out, const struct dsn *d, const struct dsn_recipient *r)
{
	buf_put(out, STR("  <"));
	ascii(r->final, out);
	buf_put(out, STR(">\r\n"));
	if (r->action == DSN_FAILURE) {
		buf_put(out, STR("    "));
		put_line(out, advice_for(r->verdict.esc));
	}
	if (r->action == DSN_DELAY && r->retry_until.us > 0) {
		buf_put(out, STR("    It will be tried until "));
		buf_put(out, str_of(date_print(r->retry_until, d->zone).text));
		buf_put(out, STR(".\r\n"));
	}
	if (r->verdict.text[0] != '\0') {
		buf_put(out, STR("    "));
		ascii(r->remote.n > 0 ? r->remote : d->host, out);
		buf_put(out, STR(" said: "));
		put_reply(out, &r->verdict);
		buf_put(out, STR("\r\n"));
	}
	put_line(out, "");
}

/* RFC 3464 2.2: per-message fields; Reporting-MTA is mandatory. */
void
dsn_status(struct buf *out, const struct dsn *d)
{
	buf_put(out, STR("If you need help, write to <"));
	buf_put(out, d->postmaster);
	buf_put(out, STR(">"));
	if (d->queue_id.n > 0) {
		buf_put(out, STR("\r\nand name the message "));
		buf_put(out, d->queue_id);
	}
	buf_put(out, STR(".\r\n"));
	put_delimiter(out, d, "");
	put_line(out, "Content-Type: message/delivery-status");
	put_line(out, "");
	if (d->envid.p != NULL)
		put_field(out, STR("Original-Envelope-Id"), "", d->envid);
	put_field(out, STR("Reporting-MTA"), "dns; ", d->host);
	if (d->arrived.us > 0)
		put_date(out, STR("Arrival-Date"), d->arrived, d->zone);
	if (d->queue_id.n > 0)
		put_field(out, STR("X-Nightmail-Id"), "", d->queue_id);
}

static void
put_diagnostic(struct buf *out, const struct verdict *v)
{
	char room[LINE_ROOM];
	struct buf line = BUF_OF(room);

	if (v->text[0] == '\0' && v->code == 0)
		return;
	put_reply(&line, v);
	put_field(out, STR("Diagnostic-Code"), v->code != 0 ? "smtp; " :
	    "x-nightmail; ", buf_str(&line));
}

/* RFC 3464 2.3: per-recipient fields; Final-Recipient, Action and Status are
 * mandatory; an empty line begins each group. */
void
dsn_status_of(struct buf *out, const struct dsn *d,
    const struct dsn_recipient *r)
{
	must(r->action < DSN_ACTIONS);
	put_line(out, "");
	if (r->original.n > 0)
		put_field(out, STR("Original-Recipient"), "", r->original);
	put_field(out, STR("Final-Recipient"), "rfc822; ", r->final);
	put_field(out, STR("Action"), "", str_of(actions[r->action].word));
	put_field(out, STR("Status"), "",
	    str_of(esc_print(r->verdict.esc).text));
	if (r->remote.n > 0)
		put_field(out, STR("Remote-MTA"), "dns; ", r->remote);
	put_diagnostic(out, &r->verdict);
	if (r->tried_at.us > 0)
		put_date(out, STR("Last-Attempt-Date"), r->tried_at, d->zone);
	if (r->action == DSN_DELAY && r->retry_until.us > 0)
		put_date(out, STR("Will-Retry-Until"), r->retry_until,
		    d->zone);
}

/* RFC 6522 3, 4: the third part is message/rfc822 or text/rfc822-headers. */
void
dsn_return(struct buf *out, const struct dsn *d)
{
	put_delimiter(out, d, "");
	put_line(out, d->returns_whole ? "Content-Type: message/rfc822" :
	    "Content-Type: text/rfc822-headers");
	if (d->has_8bit)
		put_line(out, "Content-Transfer-Encoding: 8bit");
	put_line(out, "");
}

void
dsn_end(struct buf *out, const struct dsn *d)
{
	put_delimiter(out, d, "--");
}
