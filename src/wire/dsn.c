#include "wire/dsn.h"

#include "base/must.h"
#include "base/json.h"
#include "base/utf8.h"
#include "wire/date.h"
#include "wire/header.h"
#include "wire/qp.h"
#include "wire/reason.h"
#include "wire/unitext.h"

enum { LINE_ROOM = 1024, ADDRESS_ROOM = 1536, FORM_MOST = 900 };

static const struct { const char *word; enum words subject, first; }
actions[] = {
#define DSN_ACTION(name, word, words) \
	{ word, WORDS_subject_##words, WORDS_first_##words },
#include "wire/dsn.def"
#undef DSN_ACTION
};

const char *
dsn_word(enum dsn_action a)
{
	must(a < DSN_ACTIONS);
	return actions[a].word;
}

/* ---- octets, and how they leave ---- */

enum dsn_octets
dsn_octets(enum dsn_octets so_far, struct str s)
{
	enum dsn_octets these = str_is_ascii(s) ? DSN_ASCII :
	    str_is_utf8(s) ? DSN_UTF8 : DSN_OCTETS;

	return these > so_far ? these : so_far;
}

/* RFC 6533 4.5: what goes back in a message/global must be encoded unless the
 * way back takes SMTPUTF8.  RFC 2046 5.2.1: a message/rfc822 is never encoded:
 * its parts are, by whoever meets a server without 8BITMIME. */
enum dsn_encoding
dsn_encoding(const struct dsn *d, enum dsn_part part, enum dsn_octets octets)
{
	if (octets == DSN_ASCII)
		return DSN_7BIT;
	if (d->is_wide || (part == DSN_PART_RETURNED &&
	    d->returns == DSN_WHOLE && !d->is_global))
		return DSN_8BIT;
	return DSN_QUOTED;
}

/* Three octets for each, and three for each soft break between lines that hold
 * 72 at least. */
size_t
dsn_quoted_most(size_t n)
{
	return 3 * n + 3 * (3 * n / 72 + 1) + QP_ROOM;
}

void
dsn_quote(struct buf *out, struct str s)
{
	struct qp_writer w = { 0 };

	if (!qp_put(&w, &s, out) || !qp_end(&w, out))
		out->full = true;
}

/* ---- fields ---- */

/* Only what a message/delivery-status may hold: with RFC 6533's, any visible
 * character. */
static void
put_clean(struct buf *out, const struct dsn *d, struct str s)
{
	while (s.n > 0) {
		uint32_t c;
		size_t n = utf8_next(s, &c);
		bool stays = n > 0 && utf8_is_visible(c) &&
		    (n == 1 || d->is_global);

		if (stays)
			buf_put(out, str_sub(s, 0, n));
		else
			buf_putc(out, '?');
		s = str_sub(s, n == 0 ? 1 : n, s.n);
	}
}

/* "Name: typeWORDS"; a field that no line holds is left out. */
static void
put_field(struct buf *out, const struct dsn *d, struct str name,
    const char *type, struct str words)
{
	char room[LINE_ROOM];
	struct buf line = BUF_OF(room);

	buf_put(&line, str_of(type));
	put_clean(&line, d, words);
	if (!line.full)
		header_put(out, name, buf_str(&line));
}

static void
put_date(struct buf *out, const struct dsn *d, struct str name, struct wall at)
{
	struct date_text date = date_print(at, d->zone);

	put_field(out, d, name, "", str_of(date.text));
}

static void
put_line(struct buf *out, const char *text)
{
	buf_put(out, str_of(text));
	buf_put(out, STR("\r\n"));
}

/* ---- the header ---- */

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
		header_put(out, name, buf_str(&line));
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

/* RFC 5322 2.2: without SMTPUTF8 a header is ASCII. */
static void
put_reference(struct buf *out, const struct dsn *d)
{
	if (d->in_reply_to.n == 0 || (!d->is_wide &&
	    !str_is_ascii(d->in_reply_to)))
		return;
	put_bracketed(out, STR("In-Reply-To"), d->in_reply_to);
	put_bracketed(out, STR("References"), d->in_reply_to);
}

/* RFC 6522 3: multipart/report; RFC 3834 5: Auto-Submitted; RFC 3464 2: From is
 * who answers for the system; RFC 3282 2: Content-Language. */
void
dsn_begin(struct buf *out, const struct dsn *d, enum dsn_encoding returned)
{
	must(d->action < DSN_ACTIONS && boundary_is_fit(d->boundary));
	put_bracketed(out, STR("Message-ID"), d->message_id);
	put_date(out, d, STR("Date"), d->now);
	buf_put(out, STR("From: Mail Delivery System <"));
	buf_put(out, d->postmaster);
	buf_put(out, STR(">\r\n"));
	must(d->is_wide || str_is_ascii(d->to));
	put_bracketed(out, STR("To"), d->to);
	words_put_field(out, STR("Subject"), words_text(d->language,
	    d->is_for_admin ? WORDS_subject_admin :
	    actions[d->action].subject));
	put_reference(out, d);
	put_line(out, "Auto-Submitted: auto-replied");
	put_line(out, "MIME-Version: 1.0");
	buf_put(out, STR("Content-Type: multipart/report; "
	    "report-type=delivery-status;\r\n boundary=\""));
	buf_put(out, d->boundary);
	put_line(out, "\"");
	if (d->is_wide || returned == DSN_8BIT)
		put_line(out, "Content-Transfer-Encoding: 8bit");
	put_line(out, "");
	put_line(out, "This is a report about a message, "
	    "in a form that programs can read too.");
}

/* RFC 6522 3, 4: the third part is message/rfc822 or text/rfc822-headers, which
 * may be encoded but has no charset; RFC 6533 4.2, 4.3: the global ones are for
 * header sections in UTF-8. */
static const char *
returned_type(const struct dsn *d, enum dsn_octets octets)
{
	if (d->returns == DSN_WHOLE)
		return d->is_global && octets != DSN_ASCII ?
		    "message/global" : "message/rfc822";
	return d->is_global && octets == DSN_UTF8 ?
	    "message/global-headers" : "text/rfc822-headers";
}

static const char *
part_type(const struct dsn *d, enum dsn_part part, enum dsn_octets octets)
{
	switch (part) {
	case DSN_PART_WORDS:
		return octets == DSN_ASCII ? "text/plain; charset=us-ascii" :
		    "text/plain; charset=utf-8";
	case DSN_PART_STATUS:
		return octets == DSN_ASCII ? "message/delivery-status" :
		    "message/global-delivery-status";
	case DSN_PART_RETURNED:
		break;
	}
	return returned_type(d, octets);
}

void
dsn_part(struct buf *out, const struct dsn *d, enum dsn_part part,
    enum dsn_octets octets)
{
	put_delimiter(out, d, "");
	buf_put(out, STR("Content-Type: "));
	put_line(out, part_type(d, part, octets));
	if (part == DSN_PART_WORDS) {
		buf_put(out, STR("Content-Language: "));
		put_line(out, language_tag(d->language));
	}
	switch (dsn_encoding(d, part, octets)) {
	case DSN_7BIT:
		break;
	case DSN_8BIT:
		put_line(out, "Content-Transfer-Encoding: 8bit");
		break;
	case DSN_QUOTED:
		put_line(out, "Content-Transfer-Encoding: quoted-printable");
		break;
	}
	put_line(out, "");
}

void
dsn_end(struct buf *out, const struct dsn *d)
{
	put_delimiter(out, d, "--");
}

/* ---- for a person ---- */

/* "2026-11-20 13:40 UTC" is the same in all languages. */
static void
date_for_person(struct buf *out, struct wall at)
{
	struct wall_text t = wall_print(at);

	buf_put(out, str_sub(str_of(t.text), 0, 10));
	buf_putc(out, ' ');
	buf_put(out, str_sub(str_of(t.text), 11, 5));
	buf_put(out, STR(" UTC"));
}

static void
tell_date(struct buf *out, const struct dsn *d, enum words w, struct wall at,
    const char *indent)
{
	char room[48];
	struct buf date = BUF_OF(room);
	struct str arg;

	date_for_person(&date, at);
	arg = buf_str(&date);
	words_put(out, words_text(d->language, w), &arg, 1, indent);
}

void
dsn_greet(struct buf *out, const struct dsn *d)
{
	words_put(out, words_text(d->language, WORDS_greeting), &d->host, 1,
	    "");
	put_line(out, "");
	tell_date(out, d, d->is_for_admin ? WORDS_first_admin :
	    actions[d->action].first, d->arrived, "");
	put_line(out, "");
}

/* "550 5.1.1 No such user", as far as there are numbers. */
static void
put_reply(struct buf *out, const struct verdict *v)
{
	struct esc_text esc = esc_print(v->esc);

	if (v->code != 0)
		buf_printf(out, "%d %s%s", v->code, esc.text,
		    esc.text[0] == '\0' ? "" : " ");
	buf_put(out, str_of(v->text));
}

static void
tell_reply(struct buf *out, const struct dsn *d, const struct dsn_recipient *r)
{
	char room[VERDICT_TEXT + 32];
	struct buf reply = BUF_OF(room);
	struct str args[2] = { r->remote.n > 0 ? r->remote : d->host };

	put_reply(&reply, &r->verdict);
	args[1] = buf_str(&reply);
	words_put(out, words_text(d->language, WORDS_said), args, 2, "    ");
}

/* Why it failed, or waits; and what to do when it does not wait. */
static void
tell_reason(struct buf *out, const struct dsn *d,
    const struct dsn_recipient *r)
{
	const struct reason *why = reason_of(&r->verdict);

	words_put(out, words_text(d->language, why->why), NULL, 0, "    ");
	if (r->action == DSN_FAILURE)
		words_put(out, words_text(d->language, why->what), NULL, 0,
		    "    ");
}

/* The address part of "rfc822;bob@a.example", or what the client said. */
static struct str
original_address(const struct dsn_recipient *r)
{
	struct str address = r->original;

	if (address.n == 0)
		return r->given;
	(void)str_cut(&address, ';');
	return str_trim(address);
}

static void
tell_original(struct buf *out, const struct dsn *d,
    const struct dsn_recipient *r)
{
	struct str address = original_address(r);

	if (address.n > 0 && !str_eq_icase(address, r->final))
		words_put(out, words_text(d->language, WORDS_original),
		    &address, 1, "    ");
}

static bool
is_bad_news(enum dsn_action a)
{
	return a == DSN_FAILURE || a == DSN_DELAY;
}

void
dsn_tell(struct buf *out, const struct dsn *d, const struct dsn_recipient *r)
{
	words_put(out, "<%>", &r->final, 1, "  ");
	tell_original(out, d, r);
	if (is_bad_news(r->action))
		tell_reason(out, d, r);
	if (r->verdict.text[0] != '\0' && (is_bad_news(r->action) ||
	    r->remote.n > 0))
		tell_reply(out, d, r);
	if (r->action == DSN_DELAY && r->retry_until.us > 0)
		tell_date(out, d, WORDS_until, r->retry_until, "    ");
	put_line(out, "");
}

void
dsn_help(struct buf *out, const struct dsn *d)
{
	struct str args[2] = { d->postmaster, d->queue_id };

	words_put(out, words_text(d->language, WORDS_help), args, 2, "");
	if (d->returns != DSN_NOTHING)
		words_put(out, words_text(d->language,
		    d->returns == DSN_WHOLE ? WORDS_returned_whole :
		    WORDS_returned_header), NULL, 0, "");
}

/* ---- for programs ---- */

/* RFC 3464 2.2.4: the name as HELO gave it, the address as a comment. */
static void
put_received_from(struct buf *out, const struct dsn *d)
{
	char room[LINE_ROOM];
	struct buf from = BUF_OF(room);

	if (d->helo.n == 0)
		return;
	buf_put(&from, d->helo);
	if (d->client.n > 0) {
		buf_put(&from, STR(" ("));
		buf_put(&from, d->client);
		buf_putc(&from, ')');
	}
	if (!from.full)
		put_field(out, d, STR("Received-From-MTA"), "dns; ",
		    buf_str(&from));
}

/* RFC 3464 2.2: per-message fields; Reporting-MTA is mandatory. */
void
dsn_status(struct buf *out, const struct dsn *d)
{
	if (d->envid.n > 0)
		put_field(out, d, STR("Original-Envelope-Id"), "", d->envid);
	put_field(out, d, STR("Reporting-MTA"), "dns; ", d->host);
	put_received_from(out, d);
	if (d->arrived.us > 0)
		put_date(out, d, STR("Arrival-Date"), d->arrived);
	if (d->queue_id.n > 0)
		put_field(out, d, STR("X-Nightmail-Id"), "", d->queue_id);
}

/* RFC 6533 3: an address beyond ASCII is of type utf-8, and in a 7-bit place of
 * the form utf-8-addr-xtext. */
static void
put_address(struct buf *out, const struct dsn *d, struct str name,
    struct str address)
{
	char room[ADDRESS_ROOM];
	struct buf form = BUF_OF(room);

	if (str_is_ascii(address)) {
		put_field(out, d, name, "rfc822; ", address);
		return;
	}
	if (d->is_global)
		buf_put(&form, address);
	else
		unitext_encode(address, &form);
	if (form.full || form.n > FORM_MOST) {	/* a mandatory field */
		form.n = 0;
		form.full = false;
		buf_put(&form, address);
	}
	put_field(out, d, name, "utf-8; ", buf_str(&form));
}

/* RFC 3461 4.2: as the sender gave it, type and all.  RFC 6533 3: of type utf-8
 * it is decoded where that is allowed; what does not conform stays as it is. */
static void
put_original(struct buf *out, const struct dsn *d, struct str original)
{
	char room[ADDRESS_ROOM];
	struct buf form = BUF_OF(room);
	struct str address = original;
	bool is_utf8 = str_skip_icase(&address, STR("utf-8;"));

	if (is_utf8 && d->is_global) {
		buf_put(&form, STR("utf-8;"));
		if (unitext_decode(address, &form))
			original = buf_str(&form);
	} else if (is_utf8 && !str_is_ascii(address)) {
		buf_put(&form, STR("utf-8;"));
		unitext_encode(address, &form);
		original = buf_str(&form);
	}
	put_field(out, d, STR("Original-Recipient"), "", original);
}

static void
put_diagnostic(struct buf *out, const struct dsn *d, const struct verdict *v)
{
	char room[LINE_ROOM];
	struct buf line = BUF_OF(room);

	if (v->text[0] == '\0' && v->code == 0)
		return;
	put_reply(&line, v);
	put_field(out, d, STR("Diagnostic-Code"), v->code != 0 ? "smtp; " :
	    "x-nightmail; ", buf_str(&line));
}

static void
put_class(struct buf *out, const struct dsn *d, const struct verdict *v)
{
	const struct reason *why = reason_of(v);
	char room[64];
	struct buf line = BUF_OF(room);

	buf_printf(&line, "%s %s", reason_kind(why, v->esc), why->name);
	put_field(out, d, STR("X-Nightmail-Class"), "", buf_str(&line));
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
		put_original(out, d, r->original);
	put_address(out, d, STR("Final-Recipient"), r->final);
	put_field(out, d, STR("Action"), "", str_of(actions[r->action].word));
	put_field(out, d, STR("Status"), "",
	    str_of(esc_print(r->verdict.esc).text));
	if (r->remote.n > 0)
		put_field(out, d, STR("Remote-MTA"), "dns; ", r->remote);
	if (r->remote.n > 0 || is_bad_news(r->action))
		put_diagnostic(out, d, &r->verdict);
	if (r->tried_at.us > 0)
		put_date(out, d, STR("Last-Attempt-Date"), r->tried_at);
	if (r->remote.n == 0 && d->queue_id.n > 0)
		put_field(out, d, STR("Final-Log-ID"), "", d->queue_id);
	if (r->action == DSN_DELAY && r->retry_until.us > 0)
		put_date(out, d, STR("Will-Retry-Until"), r->retry_until);
	if (is_bad_news(r->action))
		put_class(out, d, &r->verdict);
}
