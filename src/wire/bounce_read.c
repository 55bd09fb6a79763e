/*
 * A message is read once: dsn_read.h takes it apart and reads what has a form;
 * fields that say what it is, and its words, are kept here.  At its end it is
 * decided what it is, whose, and what was said.
 */
#include "wire/bounce_read.h"

#include "base/must.h"
#include "wire/bounce_words.h"
#include "wire/disposition.h"
#include "wire/dsn.h"
#include "wire/encoded_word.h"
#include "wire/header.h"

/* Fields of the message, of what was returned, and of a complaint. */
enum kept {
#define BOUNCE_FIELD(name, where, text) KEPT_##name,
#include "wire/bounce_field.def"
#undef BOUNCE_FIELD
	KEPT_ALL
};

static const struct { struct str text; enum dsn_where where; } fields[] = {
#define BOUNCE_FIELD(name, where, text) { STR_INIT(text), DSN_##where },
#include "wire/bounce_field.def"
#undef BOUNCE_FIELD
};

struct bounce_reader {
	struct arena *arena;
	struct dsn_reader *dsn;
	struct dsn_listener listener;
	struct bounce report;
	struct str kept[KEPT_ALL];
	struct buf words;		/* lines */
	enum dsn_words best;		/* of what is kept: plain text goes before
					 * HTML, and both before a preamble */
	bool in_tag;			/* of HTML */
	enum bounce_phase phase;	/* the words say so */
};

const char *
bounce_kind_word(enum bounce_kind k)
{
	static const char *const words[] = {
#define BOUNCE_KIND(name, word, about) word,
#include "wire/bounce_kind.def"
#undef BOUNCE_KIND
	};

	must(k < BOUNCE_KINDS);
	return words[k];
}

const char *
bounce_phase_word(enum bounce_phase p)
{
	static const char *const words[BOUNCE_PHASES] = { "unsaid", "connect",
		"helo", "mail", "rcpt", "data" };

	must(p < BOUNCE_PHASES);
	return words[p];
}

bool
bounce_is_trouble(const struct bounce_told *t)
{
	return t->action == DSN_FAILURE || t->action == DSN_DELAY;
}

/* ---- listening ---- */

static struct str
keep(struct bounce_reader *r, struct str s)
{
	struct str kept = arena_copy(r->arena, str_sub(s, 0,
	    BOUNCE_FIELD_MOST));

	if (kept.p == NULL)
		r->report.is_cut = true;
	return kept;
}

static struct str
keep_decoded(struct bounce_reader *r, struct str value)
{
	size_t n = 3 * value.n + 1;
	struct buf b = { .p = arena_alloc(r->arena, n), .cap = n };

	if (b.p == NULL)
		return keep(r, value);
	encoded_words_read(value, &b);
	return buf_str(&b);
}

/* The first of a name counts; recipients of a complaint may be several (RFC
 * 5965 3.2). */
static void
hear_field(void *arg, enum dsn_where where, struct str name, struct str value)
{
	struct bounce_reader *r = arg;

	for (size_t i = 0; i < KEPT_ALL; i++) {
		if (fields[i].where != where ||
		    !str_eq_icase(name, fields[i].text))
			continue;
		if (r->kept[i].p == NULL)
			r->kept[i] = i == KEPT_SUBJECT ?
			    keep_decoded(r, value) : keep(r, value);
		else if (i == KEPT_RCPT_TO)
			r->kept[i] = keep(r, arena_printf(r->arena,
			    STR_FMT "," STR_FMT, STR_ARG(r->kept[i]),
			    STR_ARG(value)));
	}
}

static void
heard_put(struct bounce_reader *r, struct str s)
{
	if (r->words.n + s.n > r->words.cap) {
		r->report.is_cut = true;
		s = str_sub(s, 0, r->words.cap - r->words.n);
	}
	buf_put(&r->words, s);
}

/* Tags become spaces; those that end a paragraph need no more. */
static void
html_put(struct bounce_reader *r, struct str line)
{
	for (size_t i = 0; i < line.n; i++) {
		char c = line.p[i];

		if (c == '<')
			r->in_tag = true;
		if (!r->in_tag)
			heard_put(r, (struct str){ &c, 1 });
		else if (c == '>') {
			r->in_tag = false;
			heard_put(r, STR(" "));
		}
	}
}

static void
hear_line(void *arg, enum dsn_words what, struct str line)
{
	struct bounce_reader *r = arg;

	if (what > r->best)
		return;
	if (what < r->best)
		r->words.n = 0;
	r->best = what;
	if (what == DSN_HTML)
		html_put(r, line);
	else
		heard_put(r, line);
	heard_put(r, STR("\n"));
}

struct bounce_reader *
bounce_read_begin(struct arena *a)
{
	struct bounce_reader *r = arena_new(a, struct bounce_reader);

	if (r == NULL)
		return NULL;
	r->arena = a;
	r->dsn = dsn_read_begin(a);
	r->words = (struct buf){ .p = arena_alloc(a, BOUNCE_WORDS_MOST),
		.cap = BOUNCE_WORDS_MOST };
	if (r->dsn == NULL || r->words.p == NULL)
		return NULL;
	r->best = DSN_PREAMBLE;
	r->listener = (struct dsn_listener){ hear_field, hear_line, r };
	dsn_read_listen(r->dsn, &r->listener);
	return r;
}

void
bounce_read(struct bounce_reader *r, struct str octets)
{
	dsn_read(r->dsn, octets);
}

/* ---- what kind ---- */

static bool
says(struct str s, const char *const *phrases)
{
	return bounce_words_has(s, phrases);
}

/* RFC 5321 4.5.5; those who write reports are called so everywhere. */
static bool
is_from_server(const struct bounce_reader *r)
{
	static const char *const names[] = { "mailer-daemon", "postmaster",
		"post_master",
		"mail delivery", "mailer_daemon", "mailerdaemon", "mdaemon",
		"mail-daemon", "maildelivery", "amavis", "imss", "mailsweeper",
		"mail administrator", "mail_delivery", "mailgateway",
		"mail system", "mailsystem", "mail subsystem", "sns.amazonaws",
		"maildaemon", "bounce", "mail deliver", "mmdf", NULL };
	struct str path = str_trim(r->kept[KEPT_RETURN_PATH]);

	return str_eq(path, STR("<>")) || says(r->kept[KEPT_FROM], names);
}

static bool
subject_is_of_bounce(const struct bounce_reader *r)
{
	static const char *const subjects[] = { "deliver", "undeliver",
		"returned mail", "returned to sender", "failure notice",
		"failure", "failed", "mail failed", "bounce", "rejected", "non remis",
		"unzustellbar", "nicht zugestellt", "nicht zustellbar",
		"processing error", "mail error", "mail status", "returned e",
		"mail could not", "unknown user", "user unknown", "unable to",
		"mail system error", "problem", "invalid", "aws notification",
		"devuel", "no entregado", "entrega", "mancata consegna",
		"warning: could not send", "notification", "error", "echec", "not member",
		"over quota", "mailbox full", "échec", "niet bezorgd", "failed mail",
		"message not", "message status", "doesn't exist", "not found", NULL };

	return says(r->report.subject, subjects);
}

/* RFC 3834 5: "auto-generated" is a program's own message, "auto-replied" an
 * answer. */
static bool
is_auto_reply(const struct bounce_reader *r)
{
	static const char *const subjects[] = { "automatic reply", "auto reply",
		"autoreply", "auto-reply", "out of office", "out of the office",
		"auto response", "autoresponse", "automatic response",
		"away from my mail", "on vacation", "vacation:", "auto:",
		"abwesend", "abwesenheit", "automatische antwort",
		"réponse automatique", "reponse automatique",
		"absence du bureau", "respuesta automática",
		"respuesta automatica", "risposta automatica",
		"automatisch antwoord", "autosvar", "resposta automática",
		"fuera de la oficina", "i am away", "holiday", NULL };
	static const char *const replied[] = { "auto-replied", "vacation",
		NULL };
	static const char *const precedence[] = { "auto_reply", "auto-reply",
		NULL };

	return says(r->kept[KEPT_AUTO_SUBMITTED], replied) ||
	    r->kept[KEPT_AUTOREPLY].p != NULL ||
	    r->kept[KEPT_AUTORESPOND].p != NULL ||
	    says(r->kept[KEPT_PRECEDENCE], precedence) ||
	    says(r->report.subject, subjects);
}

static bool
words_are_of_bounce(struct str words)
{
	static const char *const says_so[] = { "could not be delivered",
		"couldn't be delivered", "not be delivered", "undeliverable",
		"undelivered", "unable to deliver", "wasn't able to deliver",
		"not able to deliver", "delivery failed", "delivery failure",
		"failed to deliver", "delivery to the following",
		"delivering your mail", "error occurred", "was not delivered",
		"not delivered", "permanent fatal error", "following address",
		"failed recipient", "delivery error", "delivery has failed",
		"did not reach", "rejected your message", "returned to you",
		"has been returned", "user unknown", "unknown user",
		"no such user", "mailbox is full", "over quota",
		"final delivery", "been rejected", "message rejected",
		"was rejected", "intended recipient:", "not accepting mail",
		"no longer valid", "couldn't deliver", "can't be delivered",
		"cannot be delivered", "can not be delivered", "not exactly match",
		"notificationtype", "does not exist",
		"not a member of this mailing list", "error-for:",
		"kein empf", "nicht zugestellt", "no pudo ser entregado",
		"non remis", "n'a pu", "undelivrable", "has been rejected", NULL };

	return says(words, says_so);
}

static bool
is_delay(const struct bounce_reader *r, struct str words)
{
	static const char *const subjects[] = { "delay", "warning: could not",
		"warning: message", "still being retried", "verzögert",
		"not yet delivered", NULL };
	static const char *const says_so[] = { "this is a warning message only",
		"you do not need to resend", "warning only", "will be retried",
		"will keep trying", "has not yet been delivered",
		"continue to be made", "delivery attempts will continue",
		"need not resend", "not need to resend", "temporary non-fatal",
		"still trying", "transient non-fatal", NULL };

	return says(r->report.subject, subjects) || says(words, says_so);
}

/* ---- complaints (RFC 5965) ---- */

static struct bounce_told *
told_new(struct bounce_reader *r)
{
	struct bounce_told *t = arena_new(r->arena, struct bounce_told);

	if (t == NULL)
		r->report.is_cut = true;
	else
		t->action = DSN_ACTIONS;
	return t;
}

static struct str
complaint_about(const struct bounce_reader *r)
{
	return r->kept[KEPT_RCPT_TO].n > 0 ? r->kept[KEPT_RCPT_TO] :
	    r->kept[KEPT_REMOVAL].n > 0 ? r->kept[KEPT_REMOVAL] :
	    r->report.feedback.p == r->kept[KEPT_FEEDBACK].p ?
	    r->kept[KEPT_ORIGINAL_TO] : r->kept[KEPT_FROM];
}

static void
complaint_read(struct bounce_reader *r, struct str type)
{
	struct bounce_told **last = &r->report.told;
	struct str who, one = STR_NONE;	/* it may not say whom */

	r->report.kind = BOUNCE_COMPLAINT;
	r->report.feedback = type;
	who = complaint_about(r);
	while (r->report.n < BOUNCE_TOLD_MOST &&
	    (bounce_words_address(&who, &one) || r->report.n == 0)) {
		struct bounce_told *t = told_new(r);

		if (t == NULL)
			return;
		t->address = one;
		t->reply = type;
		*last = t;
		last = &t->next;
		r->report.n++;
	}
}

/* Without a report in it: a service of Microsoft's forwards what its readers call
 * junk; mail programs write to where List-Unsubscribe leads (RFC 2369 3.2). */
static struct str
complaint_type(const struct bounce_reader *r)
{
	struct str subject = r->report.subject;

	if (r->kept[KEPT_FEEDBACK].p != NULL)
		return r->kept[KEPT_FEEDBACK];
	if (str_has_prefix_icase(subject, STR("complaint about message from")))
		return STR("abuse");
	if (str_eq_icase(subject, STR("unsubscribe")))
		return STR("opt-out");
	return STR_NONE;
}

/* ---- what was said ---- */

/* On one line, as much as judging needs. */
static struct str
reply_keep(struct bounce_reader *r, struct str s)
{
	struct buf b = { .p = arena_alloc(r->arena, BOUNCE_REPLY_MOST),
		.cap = BOUNCE_REPLY_MOST };
	bool gap = true;

	if (b.p == NULL) {
		r->report.is_cut = true;
		return STR_NONE;
	}
	for (size_t i = 0; i < s.n && b.n < b.cap; i++) {
		bool is_gap = (unsigned char)s.p[i] <= ' ';

		if (!is_gap)
			buf_putc(&b, s.p[i]);
		else if (!gap)
			buf_putc(&b, ' ');
		gap = is_gap;
	}
	return str_trim(buf_str(&b));
}

/* Lines of the transcript that hold a code; of these, what was heard. */
static void
transcript_take(struct str words, struct str address, struct buf *out)
{
	while (words.n > 0 && out->n < out->cap) {
		struct str line = str_cut(&words, '\n'), rest = line, one;
		struct esc esc;
		int code;

		if (str_has_prefix_icase(str_trim(line), STR(">>>")))
			continue;
		bounce_reply_codes(line, &code, &esc);
		if (code == 0 && esc.class == 0)
			continue;
		if (bounce_words_address(&rest, &one) &&
		    !str_eq_icase(one, address) && address.n > 0 &&
		    !str_has_prefix_icase(line, STR("Diagnostic-Code")))
			continue;
		buf_put(out, str_sub(line, 0, out->cap - out->n));
		if (out->n < out->cap)
			buf_putc(out, '\n');
	}
}

/* What stands by the address, then what servers said of it, then all. */
static struct str
reply_of(struct bounce_reader *r, struct str words, struct str address)
{
	struct buf b = { .p = arena_alloc(r->arena, BOUNCE_REPLY_MOST),
		.cap = BOUNCE_REPLY_MOST };
	struct str own = address.n == 0 ? STR_NONE :
	    bounce_words_of(words, address);
	struct esc esc;
	int code;

	if (b.p == NULL) {
		r->report.is_cut = true;
		return STR_NONE;
	}
	buf_put(&b, str_sub(own, 0, b.cap));
	bounce_reply_codes(own, &code, &esc);
	if (b.n < b.cap)
		buf_putc(&b, '\n');
	if (code == 0 && esc.class == 0)
		transcript_take(words, address, &b);
	return reply_keep(r, buf_str(&b));
}

static void
told_from_words(struct bounce_reader *r, struct bounce_told *t,
    struct str words)
{
	t->phase = r->phase;
	t->reply = reply_of(r, words, t->address);
	bounce_reply_codes(t->reply, &t->code, &t->esc);
	if (t->reply.n <= t->address.n + 3)
		t->reply = reply_keep(r, words);
}

/* ---- with a delivery-status ---- */

static void
told_of_dsn(struct bounce_reader *r, struct bounce_told *t,
    const struct dsn_told *d, struct str words)
{
	int code;
	struct esc esc;

	t->address = str_find(d->original.text, '@') < d->original.text.n ||
	    d->final.text.n == 0 ? d->original.text : d->final.text;
	t->action = d->action == DSN_ACTIONS ? DSN_FAILURE : d->action;
	t->remote = d->remote;
	t->phase = r->phase;
	t->code = d->code;
	t->esc = d->status;
	t->reply = reply_keep(r, d->diagnostic);
	if (str_eq_icase(d->diagnostic_type, STR("x-unix"))) {
		t->reply = arena_printf(r->arena, "x-unix; " STR_FMT,
		    STR_ARG(d->diagnostic));
		t->code = 0;
	}
	bounce_reply_codes(t->reply, &code, &esc);
	if (esc.class != 0 && (t->esc.subject == 0 || d->code != 0))
		t->esc = esc;
	if (t->code == 0)
		t->code = code;
	if (t->reply.n == 0) {
		struct bounce_told said = { .address = t->address };

		told_from_words(r, &said, words);
		t->reply = said.reply;
		if (t->code == 0)
			t->code = said.code;
		if (t->esc.subject == 0 && said.esc.class != 0)
			t->esc = said.esc;
	}
}

static void
status_read(struct bounce_reader *r, const struct dsn_report *d,
    struct str words)
{
	struct bounce_told **last = &r->report.told;
	bool failed = false, delayed = false;

	for (const struct dsn_told *one = d->told; one != NULL &&
	    r->report.n < BOUNCE_TOLD_MOST; one = one->next) {
		struct bounce_told *t = told_new(r);

		if (t == NULL)
			return;
		told_of_dsn(r, t, one, words);
		failed |= t->action == DSN_FAILURE;
		delayed |= t->action == DSN_DELAY;
		*last = t;
		last = &t->next;
		r->report.n++;
	}
	r->report.kind = failed ? BOUNCE_FAILURE : delayed ? BOUNCE_DELAY :
	    BOUNCE_SUCCESS;
}

/* ---- in words ---- */

static void
words_read(struct bounce_reader *r, struct str words)
{
	struct bounce_known known = { .from = r->kept[KEPT_FROM],
		.to = r->kept[KEPT_TO], .failed = r->kept[KEPT_FAILED],
		.original_to = r->kept[KEPT_ORIGINAL_TO] };
	bool waits = is_delay(r, words);

	r->report.told = bounce_words_read(r->arena, words, &known,
	    &r->report.n);
	if (r->report.n == 0) {
		r->report.told = told_new(r);
		r->report.n = r->report.told != NULL;
	}
	for (struct bounce_told *t = r->report.told; t != NULL && r->report.n > 0;
	    t = t->next) {
		told_from_words(r, t, words);
		t->action = waits ? DSN_DELAY : DSN_FAILURE;
		if (t->esc.class == 0)
			t->esc.class = waits || t->code / 100 == 4 ? 4 : 5;
	}
	r->report.kind = waits ? BOUNCE_DELAY : BOUNCE_FAILURE;
}

/* Some tell of success in words, too. */
static bool
is_success(struct str words)
{
	static const char *const says_so[] = {
		"\"notificationtype\":\"delivery\"",
		"was successfully delivered", "were successfully delivered",
		"successfully relayed", NULL };

	return says(words, says_so);
}

/* The fields of a copy that stands within the words. */
static void
copy_read(struct bounce_reader *r, struct str copy)
{
	while (copy.n > 0) {
		struct str line = str_cut(&copy, '\n'), name;

		if (str_find(line, ':') == line.n)
			continue;
		name = str_cut(&line, ':');
		hear_field(r, DSN_RETURNED, name, str_trim(line));
	}
}

/* Who is called like that writes nothing else. */
static bool
is_from_daemon(const struct bounce_reader *r)
{
	static const char *const names[] = { "mailer-daemon", "mailer_daemon",
		"mail delivery sub", "mail delivery sys", NULL };

	return says(r->kept[KEPT_FROM], names);
}

static bool
is_bounce(const struct bounce_reader *r, const struct dsn_report *d,
    struct str words)
{
	int code;
	struct esc esc;

	bounce_reply_codes(words, &code, &esc);
	if (r->kept[KEPT_FAILED].n > 0 || is_from_daemon(r) ||
	    str_eq(d->report_type, STR("delivery-status")))
		return true;
	if (is_from_server(r))
		return subject_is_of_bounce(r) || words_are_of_bounce(words) ||
		    code != 0;
	return subject_is_of_bounce(r) && words_are_of_bounce(words);
}

static void
report_read(struct bounce_reader *r, const struct dsn_report *d)
{
	struct str words = buf_str(&r->words), type = complaint_type(r);
	size_t at = bounce_words_copy(words);

	copy_read(r, str_sub(words, at, words.n));
	words.n = at;
	r->report.words = words;
	r->phase = bounce_words_phase(words);
	if (type.p != NULL)
		complaint_read(r, type);
	else if (d->n > 0)
		status_read(r, d, words);
	else if (is_auto_reply(r) && !(is_from_server(r) &&
	    words_are_of_bounce(words)) && !is_from_daemon(r))
		r->report.kind = BOUNCE_AUTO_REPLY;
	else if (is_success(words))
		r->report.kind = BOUNCE_SUCCESS;
	else if (is_bounce(r, d, words))
		words_read(r, words);
}

const struct bounce *
bounce_read_end(struct bounce_reader *r)
{
	const struct dsn_report *d = dsn_read_end(r->dsn);
	struct str rest = r->kept[KEPT_FROM], from = rest, id;

	r->report.subject = r->kept[KEPT_SUBJECT];
	report_read(r, d);
	(void)bounce_words_address(&rest, &from);
	r->report.is_cut |= d->is_cut;
	r->report.reporter = d->reporting.n > 0 ? d->reporting : from;
	id = field_msgid(r->kept[KEPT_ORIGINAL_ID]);
	r->report.message_id = d->message_id.n > 0 ? d->message_id :
	    id.p != NULL ? id : STR_NONE;
	r->report.original_subject = d->subject.n > 0 ? d->subject :
	    r->kept[KEPT_ORIGINAL_SUBJECT];
	r->report.original_sender = r->kept[KEPT_ORIGINAL_FROM];
	must(r->report.n <= BOUNCE_TOLD_MOST);
	return &r->report;
}
