/* route_emails.c -- a message handed in over the control socket. */
#include "base/id.h"
#include "http/control_inner.h"
#include "intake/intake.h"
#include "policy/holder.h"
#include "spool/envelope.h"
#include "wire/disposition.h"
#include "wire/http.h"
#include "wire/idna.h"

enum { MAIL_MEMORY = 1024 * 1024, TEXT_MOST = MAILBOX_TEXT + 3 };

struct sending {
	struct request *q;
	struct arena arena;
	struct config *config;
	struct intake *intake;
	struct verdict verdict;
	bool after_cr;
	bool in_line;			/* what came last ended no line */
	bool is_odd;			/* it holds what no text holds */
};

/* SECURITY.md rows 2 and 21: neither NUL nor a carriage return within a line has
 * a place in the spool. */
static bool
line_is_clean(const struct sending *s, struct str line)
{
	size_t at = str_find(line, '\r');

	return str_find(line, '\0') == line.n && at + 1 >= line.n &&
	    !(s->after_cr && line.n > 0);
}

/* Text as people and programs have it: LF ends a line, and so does CRLF. */
static yields int
piece_keep(struct sending *s, struct str piece)
{
	while (piece.n > 0) {
		size_t n = str_find(piece, '\n');
		struct str line = str_sub(piece, 0, n);

		s->is_odd = s->is_odd || !line_is_clean(s, line);
		if (s->is_odd)
			return -1;
		if (line.n > 0)
			s->after_cr = line.p[line.n - 1] == '\r';
		s->in_line = n == piece.n;
		if (line.n > 0 && intake_content(s->intake, line) != 0)
			return -1;
		if (n == piece.n)
			return 0;
		if (intake_content(s->intake, s->after_cr ? STR("\n") :
		    STR("\r\n")) != 0)
			return -1;
		s->after_cr = false;
		piece = str_sub(piece, n + 1, piece.n);
	}
	return 0;
}

static bool
path_of(struct sending *s, struct str mailbox, bool is_reverse,
    struct path *out)
{
	struct str text = arena_printf(&s->arena, "<" STR_FMT ">",
	    STR_ARG(mailbox));
	struct buf room = { .p = arena_alloc(&s->arena, MAILBOX_ROOM),
		.cap = MAILBOX_ROOM };
	const struct refusal *no;

	if (text.p == NULL || room.p == NULL || text.n > TEXT_MOST)
		return false;
	no = is_reverse ? path_take_reverse(&text, MAILBOX_UTF8, out) :
	    path_take_forward(&text, MAILBOX_UTF8, out);
	return no == NULL && text.n == 0 && (out->is_null ||
	    idna_mailbox(&out->mailbox, &room));
}

/* Each "to=" of the query. */
static bool
recipients_add(struct sending *s)
{
	struct str rest = s->q->talk->head->query;
	size_t n = 0;

	while (rest.n > 0) {
		struct str value = str_cut(&rest, '&');
		struct buf b = { .p = arena_alloc(&s->arena, value.n + 1),
			.cap = value.n + 1 };
		struct path to;

		if (!str_eq(str_cut(&value, '='), STR("to")))
			continue;
		if (b.p == NULL || !http_decode(value, true, &b) ||
		    !path_of(s, buf_str(&b), false, &to)) {
			s->verdict = verdict_make(FAILED, 501, "5.1.3",
			    "'" STR_FMT "' is not an address",
			    STR_ARG(str_sub(value, 0, 80)));
			return false;
		}
		s->verdict = intake_recipient(s->intake, &to, NULL);
		if (s->verdict.disposition != DELIVERED)
			return false;
		n++;
	}
	if (n == 0)
		s->verdict = verdict_make(FAILED, 501, "5.5.4",
		    "there is no recipient: to=");
	return n > 0;
}

/* RFC 6531 3.4: asked for when an address is beyond ASCII. */
static bool
is_wide(struct sending *s)
{
	struct str query = s->q->talk->head->query;
	struct buf b = { .p = arena_alloc(&s->arena, query.n + 1),
		.cap = query.n + 1 };

	return b.p != NULL && http_decode(query, true, &b) &&
	    !str_is_ascii(buf_str(&b));
}

static yields bool
envelope_begin(struct sending *s, struct intake_core *core)
{
	struct str from = talk_query(s->q->talk, STR("from"));
	struct intake_origin o = { .protocol = STR("local"),
		.listener = STR("control"), .is_submission = true,
		.flags = is_wide(s) ? ENVELOPE_SMTPUTF8 : 0 };
	struct path p;

	if (from.p == NULL || !path_of(s, from, true, &p)) {
		s->verdict = verdict_make(FAILED, 501, "5.1.7",
		    "from= is not an address");
		return false;
	}
	o.sender = p.is_null ? STR("") : p.mailbox.text;
	s->verdict = intake_has_room(core, s->config);
	if (s->verdict.disposition != DELIVERED)
		return false;
	s->intake = intake_new(core, s->config, &s->arena, &o);
	if (s->intake == NULL) {
		s->verdict = verdict_make(DEFERRED, 452, "4.3.1", "no memory");
		return false;
	}
	if (!recipients_add(s))
		return false;
	s->verdict = intake_open(s->intake);
	return s->verdict.disposition == DELIVERED;
}

static yields void
message_take(struct sending *s, struct intake_core *core)
{
	struct str piece;
	int rc;

	if (!envelope_begin(s, core))
		return;
	while ((rc = talk_body(s->q->talk, &piece)) == 1)
		if (piece_keep(s, piece) != 0)
			break;
	if (rc < 0) {
		s->verdict = verdict_make(DEFERRED, 400, "4.4.2",
		    "the body ended early");
		return;
	}
	if (s->is_odd) {
		s->verdict = verdict_make(FAILED, 550, "5.6.0", "NUL, or a "
		    "carriage return within a line");
		return;
	}
	if (rc == 0 && s->in_line)	/* a text's last line may lack its end */
		(void)intake_content(s->intake, s->after_cr ? STR("\n") :
		    STR("\r\n"));
	s->verdict = intake_commit(s->intake);
}

static unsigned
status_for(const struct verdict *v)
{
	return v->disposition == DELIVERED ? 202 :
	    v->disposition == DEFERRED ? 503 : 422;
}

yields void
route_email_send(struct request *q)
{
	struct control_core *core = &q->control->setup.cores[0];
	struct sending s = { .q = q };
	struct id_text id;

	arena_init(&s.arena, MAIL_MEMORY);
	s.config = config_pin(core->holder);
	message_take(&s, core->intake);
	if (s.verdict.disposition == DELIVERED) {
		id = id_print(intake_id(s.intake));
		talk_say(q->talk, 202, "application/json",
		    arena_printf(&s.arena, "{\"id\":\"%s\"}\n", id.text));
	} else
		talk_error(q->talk, status_for(&s.verdict), "refused",
		    "%d %s %s", s.verdict.code, esc_print(s.verdict.esc).text,
		    s.verdict.text);
	arena_clear(&s.arena);		/* what ends with it may need it */
	config_unpin(core->holder, s.config);
}
