/*
 * The life of a reader, line by line:
 *
 *	HEAD      head_end        fields of the message or of a part
 *	SKIP      line_read       octets of no interest, until a delimiter
 *	STATUS    line_read       groups of fields; an empty line ends one
 *	RETURNED  returned_line   the header section of what was returned
 *	FEEDBACK  field_line      the fields of a feedback report, for a listener
 *	WORDS     words_line      a part of text, for a listener
 *
 * A delimiter of any open multipart ends whatever is going on, and the
 * multiparts within it.
 */
#include "wire/dsn_read.h"

#include "base/must.h"
#include "wire/base64.h"
#include "wire/content_type.h"
#include "wire/date.h"
#include "wire/disposition.h"
#include "wire/encoded_word.h"
#include "wire/header.h"
#include "wire/lex.h"
#include "wire/qp.h"
#include "wire/unitext.h"

enum { BOUNDARY_MOST = 70, TYPE_ROOM = 64, ADDRESS_ROOM = 1024,
	DECODED_ROOM = 1200 };

enum reader_state { READ_HEAD, READ_SKIP, READ_STATUS, READ_RETURNED,
	READ_FEEDBACK, READ_WORDS };
enum reader_encoding { PLAIN, QUOTED, BASE64 };

enum dsn_field {
#define DSN_FIELD(name, text, whose) FIELD_##name,
#include "wire/dsn_field.def"
#undef DSN_FIELD
	FIELDS
};

enum { OF_MESSAGE, OF_RECIPIENT };

static const struct { struct str name; int whose; } fields[] = {
#define DSN_FIELD(name, text, whose) { STR_INIT(text), OF_##whose },
#include "wire/dsn_field.def"
#undef DSN_FIELD
};

/* A line, as far as there is room for it. */
struct line {
	char room[DSN_LINE];
	size_t n;
	bool has_cr;
};

struct dsn_reader {
	struct arena *arena;
	const struct dsn_listener *listener;	/* or NULL */
	struct dsn_report report;
	struct dsn_told **last;		/* where the next recipient goes */
	enum reader_state state;
	struct line line;		/* as it came */
	struct line decoded;		/* of a part with an encoding */
	enum reader_encoding encoding;
	struct qp_reader qp;
	struct base64_reader base64;
	char value[DSN_VALUE];		/* a field being unfolded, its name first */
	size_t n_value;
	char boundary[DSN_NEST][BOUNDARY_MOST];
	size_t n_boundary[DSN_NEST];
	size_t n_open;			/* multiparts */
	char type[TYPE_ROOM];		/* of the head being read */
	size_t n_type;
	bool is_part;			/* the head is not the message's */
	bool is_report;			/* the message's is multipart/report */
	bool head_has_boundary;		/* it opened a multipart */
	struct dsn_told group;		/* being read */
	struct esc said;		/* in its diagnostic */
	bool group_has_any;		/* field */
	bool group_has_gap;		/* an empty line in it */
};

/* ---- keeping ---- */

static struct str
keep(struct dsn_reader *r, struct str s)
{
	struct str kept = s.p == NULL ? s : arena_copy(r->arena, s);

	if (kept.p == NULL && s.p != NULL)
		r->report.is_cut = true;
	return kept;
}

static struct str
subject_read(struct dsn_reader *r, struct str value)
{
	size_t n = 3 * value.n + 1;
	struct buf b = { .p = arena_alloc(r->arena, n), .cap = n };

	if (b.p == NULL) {
		r->report.is_cut = true;
		return STR_NONE;
	}
	encoded_words_read(value, &b);
	return buf_str(&b);
}

/* RFC 3464 2.3.3: Action is mandatory; where it is missing or no such word, the
 * status says it, unless it is that of a delay or of anything else for now.
 * The reason is by what the peer himself said, if he gave a code. */
static void
group_judge(struct dsn_reader *r)
{
	struct dsn_told *t = &r->group;
	struct esc e = r->said.class != 0 ? r->said : t->status;

	if (t->status.class == 0)
		t->status = r->said;
	if (t->status.class == 0 && t->code != 0)
		t->status.class = (unsigned char)(t->code / 100);
	if (t->action == DSN_ACTIONS)
		t->action = t->status.class == 5 ? DSN_FAILURE :
		    t->status.class == 2 ? DSN_SUCCESS : DSN_ACTIONS;
	t->reason = reason_find(e.class != 0 ? e : t->status, t->code);
	t->is_hard = reason_is_hard(t->reason, t->status);
}

/* A group ends: an empty line, the next recipient, or the part's end. */
static void
group_end(struct dsn_reader *r)
{
	struct dsn_told *t;

	if (!r->group_has_any)
		return;
	t = r->report.n < DSN_TOLD_MOST ? arena_new(r->arena, struct dsn_told) :
	    NULL;
	group_judge(r);
	if (t == NULL)
		r->report.is_cut = true;
	else {
		*t = r->group;
		*r->last = t;
		r->last = &t->next;
		r->report.n++;
	}
	r->group = (struct dsn_told){ .action = DSN_ACTIONS };
	r->said = ESC_NONE;
	r->group_has_any = r->group_has_gap = false;
}

/* ---- values ---- */

/* "type; rest", where the type may miss.  RFC 3464 2.1.1: comments may stand
 * before and behind the type. */
static struct str
type_take(struct str *value)
{
	struct str rest = *value, type;

	(void)lex_skip_cfws(&rest, NULL);
	type = str_sub(rest, 0, lex_atom(rest));
	rest = str_sub(rest, type.n, rest.n);
	(void)lex_skip_cfws(&rest, NULL);
	if (type.n == 0 || !str_skip(&rest, STR(";")))
		return STR_NONE;
	*value = str_trim(rest);
	return type;
}

static struct str
without_brackets(struct str s)
{
	s = str_trim(s);
	while (s.n >= 2 && s.p[0] == '<' && s.p[s.n - 1] == '>')
		s = str_trim(str_sub(s, 1, s.n - 2));
	return s;
}

/* What stands before a comment: " (" ends an address, which may hold a
 * parenthesis only in quotes. */
static struct str
without_comment(struct str s)
{
	size_t at = str_find_str(s, STR(" ("));

	return str_trim(str_find(s, '"') < s.n ? s : str_sub(s, 0, at));
}

static struct dsn_address
address_read(struct dsn_reader *r, struct str value)
{
	char room[ADDRESS_ROOM];
	struct buf plain = BUF_OF(room);
	struct dsn_address a = { .type = keep(r, type_take(&value)) };

	value = without_brackets(without_comment(value));
	if (str_eq_icase(a.type, STR("utf-8")) && unitext_decode(value, &plain))
		value = buf_str(&plain);
	a.text = keep(r, value);
	return a;
}

static enum dsn_action
action_read(struct str value)
{
	struct str word;
	size_t i;

	(void)lex_skip_cfws(&value, NULL);
	word = str_sub(value, 0, lex_atom(value));
	for (i = 0; i < DSN_ACTIONS; i++)
		if (str_eq_icase(word, str_of(dsn_word((enum dsn_action)i))))
			break;
	return str_has_prefix_icase(word, STR("fail")) ? DSN_FAILURE :
	    (enum dsn_action)i;
}


static struct wall
date_read(struct str value)
{
	struct date d;

	return date_parse(value, &d) ? d.at : (struct wall){ 0 };
}

/* "550 5.1.1 No such user": three digits with nothing of a number around. */
static int
code_read(struct str s)
{
	if (s.n < 3 || s.p[0] < '2' || s.p[0] > '5' ||
	    !ascii_is_digit(s.p[1]) || !ascii_is_digit(s.p[2]) ||
	    (s.n > 3 && s.p[3] != ' ' && s.p[3] != '-'))
		return 0;
	return (s.p[0] - '0') * 100 + (s.p[1] - '0') * 10 + (s.p[2] - '0');
}

/* RFC 3464 2.3.4: a comment may follow.  Some put a reply there instead. */
static void
status_read(struct dsn_told *t, struct str value)
{
	size_t n = 0;

	(void)lex_skip_cfws(&value, NULL);
	while (n < value.n && (value.p[n] == '.' || ascii_is_digit(value.p[n])))
		n++;
	if (!esc_parse(str_sub(value, 0, n), &t->status))
		t->code = code_read(value);
}

static void
diagnostic_read(struct dsn_reader *r, struct str value)
{
	struct dsn_told *t = &r->group;
	struct str rest;

	t->diagnostic_type = keep(r, type_take(&value));
	t->diagnostic = keep(r, str_trim(value));
	rest = t->diagnostic;
	if (code_read(rest) != 0) {
		t->code = code_read(rest);
		rest = str_sub(rest, 4, rest.n);
	}
	rest = str_trim(rest);
	(void)esc_take(&rest, &r->said);
}

/* ---- fields of the delivery-status ---- */

static struct str
name_read(struct dsn_reader *r, struct str value)
{
	(void)type_take(&value);
	return keep(r, value);
}

static void
message_field(struct dsn_reader *r, enum dsn_field f, struct str value)
{
	struct dsn_report *m = &r->report;

	if (f == FIELD_ORIGINAL_ENVELOPE_ID)
		m->envid = keep(r, value);
	else if (f == FIELD_REPORTING_MTA)
		m->reporting = name_read(r, value);
	else if (f == FIELD_DSN_GATEWAY)
		m->gateway = name_read(r, value);
	else if (f == FIELD_RECEIVED_FROM_MTA)
		m->received_from = name_read(r, value);
	else if (f == FIELD_ARRIVAL_DATE)
		m->arrived = date_read(value);
}

/* An address begins the next group when this one has it already, or any behind
 * an empty line. */
static bool
begins_group(const struct dsn_reader *r, enum dsn_field f)
{
	bool has_final = r->group.final.text.n > 0;
	bool has_original = r->group.original.text.n > 0;

	if (f != FIELD_FINAL_RECIPIENT && f != FIELD_ORIGINAL_RECIPIENT)
		return false;
	return (r->group_has_gap && (has_final || has_original)) ||
	    (f == FIELD_FINAL_RECIPIENT ? has_final : has_original);
}

static void
recipient_field(struct dsn_reader *r, enum dsn_field f, struct str value)
{
	struct dsn_told *t = &r->group;

	if (begins_group(r, f))
		group_end(r);
	r->group_has_any = true;
	if (f == FIELD_FINAL_RECIPIENT)
		t->final = address_read(r, value);
	else if (f == FIELD_ORIGINAL_RECIPIENT)
		t->original = address_read(r, value);
	else if (f == FIELD_ACTION)
		t->action = action_read(value);
	else if (f == FIELD_STATUS)
		status_read(t, value);
	else if (f == FIELD_REMOTE_MTA)
		t->remote = name_read(r, value);
	else if (f == FIELD_DIAGNOSTIC_CODE)
		diagnostic_read(r, value);
	else if (f == FIELD_FINAL_LOG_ID)
		t->log_id = keep(r, value);
	else if (f == FIELD_LAST_ATTEMPT_DATE)
		t->tried_at = date_read(value);
	else if (f == FIELD_WILL_RETRY_UNTIL)
		t->retry_until = date_read(value);
}

static void
status_field(struct dsn_reader *r, struct str name, struct str value)
{
	for (size_t i = 0; i < FIELDS; i++)
		if (str_eq_icase(name, fields[i].name)) {
			if (fields[i].whose == OF_MESSAGE)
				message_field(r, (enum dsn_field)i, value);
			else
				recipient_field(r, (enum dsn_field)i, value);
			return;
		}
}

/* ---- fields of heads ---- */

static bool
type_is(const struct dsn_reader *r, const char *type)
{
	return str_eq_icase((struct str){ r->type, r->n_type }, str_of(type));
}

static void
boundary_open(struct dsn_reader *r, struct str boundary)
{
	if (r->head_has_boundary || boundary.n == 0 ||
	    boundary.n > BOUNDARY_MOST)
		return;
	if (r->n_open == DSN_NEST) {
		r->report.is_cut = true;
		return;
	}
	memcpy(r->boundary[r->n_open], boundary.p, boundary.n);
	r->n_boundary[r->n_open++] = boundary.n;
	r->head_has_boundary = true;
}

static void
multipart_open(struct dsn_reader *r, struct str params)
{
	char room[DSN_LINE];
	struct buf text = BUF_OF(room);

	r->is_report |= type_is(r, "multipart/report");
	if (content_param(params, STR("report-type"), &text) == 1 &&
	    r->report.report_type.p == NULL)
		r->report.report_type = arena_lower(r->arena, buf_str(&text));
	text.n = 0;
	if (content_param(params, STR("boundary"), &text) == 1)
		boundary_open(r, buf_str(&text));
}

static void
content_type(struct dsn_reader *r, struct str value)
{
	struct content_type t = content_type_read(value);
	struct buf type = BUF_OF(r->type);

	buf_put(&type, t.type);
	buf_putc(&type, '/');
	buf_put(&type, t.subtype);
	r->n_type = type.n;
	if (str_eq_icase(t.type, STR("multipart")))
		multipart_open(r, t.params);
}

static void
head_field(struct dsn_reader *r, enum header_name known, struct str value)
{
	if (known == HEADER_CONTENT_TYPE)
		content_type(r, value);
	else if (known == HEADER_CONTENT_TRANSFER_ENCODING) {
		(void)lex_skip_cfws(&value, NULL);
		value = str_trim(str_sub(value, 0, lex_atom(value)));
		r->encoding = str_eq_icase(value, STR("base64")) ? BASE64 :
		    str_eq_icase(value, STR("quoted-printable")) ? QUOTED :
		    PLAIN;
	}
}

/* Gateways wrap reports up: what is returned is one, and what returns it none.
 * Only who listens wants to know. */
static void
returned_report(struct dsn_reader *r, enum header_name known, struct str value)
{
	if (r->listener == NULL || r->is_report ||
	    known != HEADER_CONTENT_TYPE || !str_has_prefix_icase(value,
	    STR("multipart/report")))
		return;
	content_type(r, value);
	r->n_type = 0;
}

static void
listener_field(struct dsn_reader *r, struct str name, struct str value)
{
	static const enum dsn_where where[] = { [READ_RETURNED] = DSN_RETURNED,
		[READ_FEEDBACK] = DSN_FEEDBACK };

	if (r->listener != NULL && r->state != READ_STATUS)
		r->listener->field(r->listener->arg, r->state == READ_HEAD ?
		    (r->is_part ? DSN_PART_HEAD : DSN_TOP) : where[r->state],
		    name, value);
}

/* The field that was unfolded is whole. */
static void
field_end(struct dsn_reader *r)
{
	struct str value = { r->value, r->n_value }, name;

	if (str_find(value, ':') == value.n) {
		r->n_value = 0;
		return;
	}
	name = str_trim(str_cut(&value, ':'));
	value = str_trim(value);
	r->n_value = 0;
	listener_field(r, name, value);
	switch (r->state) {
	case READ_HEAD:
		head_field(r, header_known(name), value);
		break;
	case READ_STATUS:
		status_field(r, name, value);
		break;
	case READ_RETURNED:
		returned_report(r, header_known(name), value);
		if (header_known(name) == HEADER_MESSAGE_ID &&
		    r->report.message_id.p == NULL)
			r->report.message_id = keep(r, field_msgid(value));
		if (str_eq_icase(name, STR("Subject")) &&
		    r->report.subject.p == NULL)
			r->report.subject = subject_read(r, value);
		break;
	case READ_FEEDBACK:
	case READ_WORDS:
	case READ_SKIP:
		break;
	}
}

/* Some fold a Content-Type without the white space. */
static bool
is_lost(const struct dsn_reader *r, struct str line)
{
	return r->state == READ_HEAD && r->n_value > 0 &&
	    r->value[r->n_value - 1] == ';' &&
	    str_has_prefix_icase(line, STR("boundary="));
}

/* A line of a header section or group: begins a field or goes on with one. */
static void
field_line(struct dsn_reader *r, struct str line)
{
	struct buf b = { .p = r->value, .n = r->n_value,
		.cap = sizeof r->value };

	if (line.p[0] != ' ' && line.p[0] != '\t' && !is_lost(r, line)) {
		field_end(r);
		b.n = 0;
	} else if (r->n_value == 0)
		return;			/* goes on with nothing */
	else {
		line = str_trim(line);
		buf_putc(&b, ' ');
	}
	buf_put(&b, str_sub(line, 0, b.cap - b.n));
	r->n_value = b.n;
}

/* ---- parts ---- */

static bool
type_is_text(const struct dsn_reader *r)
{
	struct str type = { r->type, r->n_type };

	return type.n == 0 || str_has_prefix_icase(type, STR("text/"));
}

static void
decoding_begin(struct dsn_reader *r)
{
	r->qp = (struct qp_reader){ 0 };
	r->base64 = (struct base64_reader){ 0 };
	r->decoded.n = 0;
	r->decoded.has_cr = false;
}

static void
head_begin(struct dsn_reader *r)
{
	r->state = READ_HEAD;
	r->n_type = 0;
	r->encoding = PLAIN;
	r->head_has_boundary = false;
}

/* RFC 6533 4.4: the three new types stand for the three old ones. */
static void
head_end(struct dsn_reader *r)
{
	field_end(r);
	r->state = READ_SKIP;
	decoding_begin(r);
	if (type_is(r, "message/delivery-status") ||
	    type_is(r, "message/global-delivery-status")) {
		r->state = READ_STATUS;
		r->report.is_status = true;
	} else if (type_is(r, "message/rfc822") ||
	    type_is(r, "message/global") ||
	    type_is(r, "message/global-headers") ||
	    type_is(r, "text/rfc822-headers") ||
	    type_is(r, "text/rfc822-header"))
		r->state = READ_RETURNED;
	else if (r->listener != NULL && type_is(r, "message/feedback-report"))
		r->state = READ_FEEDBACK;
	else if (r->listener != NULL && (type_is_text(r) || !r->is_part))
		r->state = READ_WORDS;
}

static void
status_line(struct dsn_reader *r, struct str line)
{
	if (str_trim(line).n > 0) {
		field_line(r, line);
		return;
	}
	field_end(r);
	/* An empty line between a recipient's fields ends nothing. */
	if (r->group.final.text.n + r->group.original.text.n > 0 &&
	    r->group.action != DSN_ACTIONS && r->group.status.class != 0)
		group_end(r);
	r->group_has_gap = r->group_has_any;
}

static void
returned_line(struct dsn_reader *r, struct str line)
{
	if (str_trim(line).n > 0)
		field_line(r, line);
	else if (r->n_value > 0) {	/* not before the first field */
		field_end(r);
		r->state = READ_SKIP;
	}
}

static void
words_line(struct dsn_reader *r, struct str line)
{
	r->listener->line(r->listener->arg, type_is(r, "text/html") ? DSN_HTML :
	    type_is_text(r) ? DSN_PLAIN : DSN_PREAMBLE, line);
}

static void
part_line(struct dsn_reader *r, struct str line)
{
	switch (r->state) {
	case READ_HEAD:
		if (line.n > 0)
			field_line(r, line);
		else
			head_end(r);
		break;
	case READ_STATUS:
		status_line(r, line);
		break;
	case READ_RETURNED:
		returned_line(r, line);
		break;
	case READ_FEEDBACK:
		if (line.n > 0)
			field_line(r, line);
		break;
	case READ_WORDS:
		words_line(r, line);
		break;
	case READ_SKIP:
		break;
	}
}

/* ---- lines ---- */

/* Takes a line off the front of *s, without its end.  False: there is more to
 * come of it. */
static bool
line_take(struct line *l, struct str *s, struct str *out)
{
	struct buf b = { .p = l->room, .n = l->n, .cap = sizeof l->room };
	size_t at = str_find(*s, '\n');
	bool is_whole = at < s->n;
	struct str piece = str_cut(s, '\n');

	buf_put(&b, str_sub(piece, 0, b.cap - b.n));
	l->n = is_whole ? 0 : b.n;
	if (!is_whole)
		return false;
	if (b.n > 0 && b.p[b.n - 1] == '\r')
		b.n--;
	*out = buf_str(&b);
	return true;
}

static void
decoded_lines(struct dsn_reader *r, struct str octets)
{
	struct str line;

	while (octets.n > 0 && line_take(&r->decoded, &octets, &line))
		part_line(r, line);
}

/* The line's octets, and its end, through the part's encoding. */
static void
encoded_line(struct dsn_reader *r, struct str line)
{
	static const struct str end = STR_INIT("\r\n");
	char room[DECODED_ROOM];
	struct buf out = BUF_OF(room);
	struct str rest = end;

	if (r->encoding == QUOTED) {
		(void)qp_take(&r->qp, &line, &out);
		(void)qp_take(&r->qp, &rest, &out);
	} else
		(void)base64_take(&r->base64, &line, &out);
	decoded_lines(r, buf_str(&out));
}

static void
encoded_end(struct dsn_reader *r)
{
	char room[DECODED_ROOM];
	struct buf out = BUF_OF(room);

	if (r->encoding == QUOTED)
		(void)qp_close(&r->qp, &out);
	else if (r->encoding == BASE64)
		(void)base64_close(&r->base64, &out);
	buf_put(&out, STR("\r\n"));
	decoded_lines(r, buf_str(&out));
}

static bool
is_encoded(const struct dsn_reader *r)
{
	return r->encoding != PLAIN &&
	    r->state != READ_HEAD && r->state != READ_SKIP;
}

/* Whatever part is open has ended. */
static void
part_end(struct dsn_reader *r)
{
	if (is_encoded(r))
		encoded_end(r);
	field_end(r);
	if (r->state == READ_STATUS)
		group_end(r);
	r->state = READ_SKIP;
}

/* RFC 2046 5.1.1: "--" boundary, "--" if it is the last, white space.  The
 * number of open multiparts up to the one it belongs to; 0: no delimiter. */
static size_t
delimiter_find(const struct dsn_reader *r, struct str line, bool *is_last)
{
	if (!str_skip(&line, STR("--")))
		return 0;
	for (size_t i = r->n_open; i > 0; i--) {
		struct str rest = line;

		if (!str_skip(&rest, (struct str){ r->boundary[i - 1],
		    r->n_boundary[i - 1] }))
			continue;
		*is_last = str_skip(&rest, STR("--"));
		if (str_trim(rest).n == 0)
			return i;
	}
	return 0;
}

static void
line_read(struct dsn_reader *r, struct str line)
{
	bool is_last = false;
	size_t open = delimiter_find(r, line, &is_last);

	if (open > 0) {
		part_end(r);
		r->n_open = is_last ? open - 1 : open;
		r->is_part = true;
		if (!is_last)
			head_begin(r);
	} else if (is_encoded(r))
		encoded_line(r, line);
	else
		part_line(r, line);
}

/* ---- the whole ---- */

struct dsn_reader *
dsn_read_begin(struct arena *a)
{
	struct dsn_reader *r = arena_new(a, struct dsn_reader);

	if (r == NULL)
		return NULL;
	r->arena = a;
	r->last = &r->report.told;
	r->group.action = DSN_ACTIONS;
	head_begin(r);
	return r;
}

void
dsn_read_listen(struct dsn_reader *r, const struct dsn_listener *l)
{
	must(r->state == READ_HEAD && r->n_value == 0 && r->line.n == 0);
	r->listener = l;
}

void
dsn_read(struct dsn_reader *r, struct str octets)
{
	struct str line;

	while (octets.n > 0 && line_take(&r->line, &octets, &line))
		line_read(r, line);
}

const struct dsn_report *
dsn_read_end(struct dsn_reader *r)
{
	if (r->line.n > 0)
		dsn_read(r, STR("\n"));
	if (r->state == READ_HEAD)
		head_end(r);
	part_end(r);
	must(r->report.n <= DSN_TOLD_MOST && r->n_value == 0);
	return &r->report;
}
