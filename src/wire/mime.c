/*
 * The walk has two floors.  Below, the input is cut into tokens: text without a
 * line end, line ends (CRLF and nothing else), and delimiters, which are whole
 * lines "--" boundary ["--"] *LWSP of any multipart that is open.  Above, each
 * token belongs to a header, a body, or what lies between:
 *
 * STATE       what is true
 * IN_HEADER   scan has a part's header; a delimiter ends it, and the part
 * IN_BODY     of a leaf; eol: a CRLF is held, for it belongs to a delimiter if
 *             one follows (RFC 2046 5.1.1)
 * IN_BETWEEN  preamble or epilogue of levels[depth - 1], or parts too many
 *
 * Text that a header's scan found to be none comes back by queue: where its
 * line began was looked at already.
 */
#include "wire/mime.h"

#include "base/must.h"

/* ---- lines ---- */

/* RFC 2046 5.1.1: delimiter := CRLF "--" boundary; transport padding may follow.
 * The innermost level counts. */
static bool
line_is_delimiter(const struct mime *m, struct mime_token *t)
{
	struct str line = { m->hold, m->hold_n }, rest;

	if (!str_skip(&line, STR("--")))
		return false;
	while (line.n > 0 && (line.p[line.n - 1] == ' ' ||
	    line.p[line.n - 1] == '\t' || line.p[line.n - 1] == '\r' ||
	    line.p[line.n - 1] == '\n'))
		line.n--;
	for (unsigned i = m->depth; i-- > 0;) {
		const struct mime_level *l = &m->levels[i];

		rest = line;
		if (!str_skip(&rest, (struct str){ l->boundary, l->n }))
			continue;
		t->is_last = str_eq(rest, STR("--"));
		t->level = i;
		if (rest.n == 0 || t->is_last)
			return true;
	}
	return false;
}

/* What is held is the beginning of a line like any other.  False: it is empty. */
static bool
line_release(struct mime *m, struct mime_token *t)
{
	m->in_line = true;
	if (m->hold_n > 0 && m->hold[m->hold_n - 1] == '\r') {
		m->has_cr = true;
		m->hold_n--;
	}
	t->kind = MIME_TEXT;
	t->text = (struct str){ m->hold, m->hold_n };
	m->hold_n = 0;
	return t->text.n > 0;
}

/* What is held ends in LF. */
static bool
line_whole(struct mime *m, struct mime_token *t)
{
	size_t n = m->hold_n;

	must(n > 0 && m->hold[n - 1] == '\n');
	if (n < 2 || m->hold[n - 2] != '\r')
		return line_release(m, t);
	if (line_is_delimiter(m, t)) {
		t->kind = MIME_DELIMITER;
		t->text = (struct str){ m->hold, n };
	} else {
		t->kind = MIME_TEXT;
		t->text = (struct str){ m->hold, n - 2 };
		m->in_line = m->owes_eol = true;
	}
	m->hold_n = 0;
	return true;
}

/* False: no token, more is needed or the line is no delimiter (in_line). */
static bool
line_begin(struct mime *m, struct str *in, struct mime_token *t)
{
	while (in->n > 0) {
		char c = in->p[0];

		if ((m->hold_n < 2 && c != '-') || m->hold_n == sizeof m->hold)
			return line_release(m, t);
		m->hold[m->hold_n++] = c;
		*in = str_sub(*in, 1, in->n);
		if (c == '\n')
			return line_whole(m, t);
	}
	return false;
}

static bool
token_eol(struct mime *m, struct mime_token *t)
{
	m->in_line = m->owes_eol = m->has_cr = false;
	t->kind = MIME_EOL;
	t->text = STR("\r\n");
	return true;
}

static bool
token_text(struct mime_token *t, struct str text)
{
	t->kind = MIME_TEXT;
	t->text = text;
	return true;
}

/* The next token off the front; false when more is needed. */
static bool
token_cut(struct mime *m, struct str *in, struct mime_token *t)
{
	size_t n;

	for (;;) {
		if (m->owes_eol)
			return token_eol(m, t);
		if (in->n == 0) {
			t->kind = MIME_NOTHING;
			return false;
		}
		if (!m->in_line && line_begin(m, in, t))
			return true;
		if (!m->in_line || in->n == 0)
			continue;
		if (m->has_cr && in->p[0] == '\n') {
			*in = str_sub(*in, 1, in->n);
			return token_eol(m, t);
		}
		if (m->has_cr) {
			m->has_cr = false;
			return token_text(t, STR("\r"));
		}
		n = str_find(*in, '\r');
		if (n > 0) {
			token_text(t, str_sub(*in, 0, n));
			*in = str_sub(*in, n, in->n);
			return true;
		}
		m->has_cr = true;
		*in = str_sub(*in, 1, in->n);
	}
}

/* The same at the end of the input. */
static bool
token_last(struct mime *m, struct mime_token *t)
{
	if (m->owes_eol)
		return token_eol(m, t);
	if (m->hold_n > 0) {
		token_text(t, (struct str){ m->hold, m->hold_n });
		if (line_is_delimiter(m, t))
			t->kind = MIME_DELIMITER;
		m->hold_n = 0;
		return true;
	}
	if (m->has_cr) {
		m->has_cr = false;
		return token_text(t, STR("\r"));
	}
	return false;
}

/* ---- parts ---- */

static void
part_begin(struct mime *m)
{
	must(m->parts < MIME_PARTS_MOST);
	/* What came back of an outer header lies in its memory. */
	if (m->queue[0].kind == MIME_NOTHING)
		arena_back(m->arena, m->mark);
	m->part = (struct mime_part){ .index = m->parts++,
		.root = m->next_root,
		.encoding = MIME_7BIT,
		.is_sealed = m->depth > 0 &&
		    m->levels[m->depth - 1].is_sealed };
	header_begin(&m->scan, m->arena);
	m->state = MIME_IN_HEADER;
	m->eol = m->begins = false;
}

void
mime_begin(struct mime *m, struct arena *arena)
{
	*m = (struct mime){ .arena = arena, .mark = arena_mark(arena),
		.end = MIME_MORE };
	part_begin(m);
}

static enum mime_encoding
encoding_read(struct str value)
{
	static const struct str names[] = {
		[MIME_7BIT] = STR_INIT("7bit"), [MIME_8BIT] = STR_INIT("8bit"),
		[MIME_BINARY] = STR_INIT("binary"),
		[MIME_QP] = STR_INIT("quoted-printable"),
		[MIME_BASE64] = STR_INIT("base64"),
	};
	struct str token = content_token(value, NULL);
	enum mime_encoding e = MIME_7BIT;

	while (e < MIME_UNKNOWN && !str_eq_icase(token, names[e]))
		e++;
	return e;
}

static int
type_read(struct mime *m, struct str value)
{
	struct mime_part *p = &m->part;

	p->is_odd |= p->has_type || value.n > MIME_VALUE_MOST;
	if (p->is_odd)
		value = str_sub(value, 0, MIME_VALUE_MOST);
	if (p->has_type)
		return 0;
	p->has_type = true;
	value = arena_copy(m->arena, value);
	if (value.p == NULL)
		return -1;
	p->type = content_type_read(value);
	/* RFC 2045 5.2: what cannot be read is text; but not when others may
	 * find parts in it. */
	p->is_odd |= !p->type.is_valid && (str_eq_icase(p->type.type,
	    STR("multipart")) || str_eq_icase(p->type.type, STR("message")));
	return 0;
}

static int
field_note(struct mime *m, const struct field *f)
{
	struct mime_part *p = &m->part;

	/* RFC 5322 4.5: to some "Name :" is a field, to others no header. */
	p->is_odd |= f->raw.p[f->name.n] != ':';
	if (f->known == HEADER_CONTENT_TYPE)
		return type_read(m, f->value);
	if (f->known == HEADER_MIME_VERSION)
		p->has_version = true;
	if (f->known == HEADER_CONTENT_TRANSFER_ENCODING) {
		p->is_odd |= p->has_encoding;
		p->has_encoding = true;
		p->encoding = encoding_read(f->value);
	}
	return 0;
}

/* False: it has no boundary that all would read alike, or lies too deep. */
static bool
level_push(struct mime *m)
{
	const struct content_type *type = &m->part.type;
	struct mime_level *l = &m->levels[m->depth];
	struct buf b;

	if (m->depth == MIME_DEPTH_MOST)
		return false;
	b = BUF_OF(l->boundary);
	if (content_param(type->params, STR("boundary"), &b) != 1)
		return false;
	while (b.n > 0 && b.p[b.n - 1] == ' ')	/* padding would look alike */
		b.n--;
	if (b.n == 0)
		return false;
	l->n = (unsigned)b.n;
	l->root = m->part.root;
	l->is_digest = str_eq_icase(type->subtype, STR("digest"));
	l->is_sealed = m->part.is_sealed ||
	    str_eq_icase(type->subtype, STR("signed")) ||
	    str_eq_icase(type->subtype, STR("encrypted"));
	m->depth++;
	return true;
}

static enum mime_kind
part_kind(struct mime *m)
{
	struct mime_part *p = &m->part;
	bool is_plain = p->encoding <= MIME_BINARY;

	if (content_type_is(&p->type, STR("multipart"), STR(""))) {
		if (!p->is_odd && is_plain && level_push(m))
			return MIME_MULTIPART;
		p->is_odd = true;
	} else if (content_type_is(&p->type, STR("message"), STR("rfc822"))) {
		if (!p->is_odd && is_plain && m->parts < MIME_PARTS_MOST)
			return MIME_MESSAGE;
		p->is_odd = true;
	}
	return MIME_LEAF;
}

/* The header is over.  RFC 2046 5.1.5: in a digest the default is another. */
static void
part_headed(struct mime *m)
{
	struct mime_part *p = &m->part;
	bool is_digest = m->depth > 0 && m->levels[m->depth - 1].is_digest &&
	    p->index != p->root;

	if (!p->has_type)
		p->type = content_type_read(is_digest ?
		    STR("message/rfc822") : STR("text/plain"));
	p->has_empty_line = m->scan.has_empty_line;
	p->kind = part_kind(m);
	m->begins = p->kind == MIME_MESSAGE;
	m->next_root = m->begins ? m->parts : p->root;
	m->state = p->kind == MIME_LEAF ? MIME_IN_BODY : MIME_IN_BETWEEN;
}

/* ---- tokens ---- */

static void
queue_put(struct mime_token queue[], size_t *n, struct mime_token t)
{
	if (t.kind == MIME_NOTHING || t.text.n == 0)
		return;
	must(*n < MIME_QUEUE);
	queue[(*n)++] = t;
}

/*
 * The scan stopped within this token: what it did not take is none of the header
 * and goes before what was to come.  A token that was a line end is one again.
 * There is room: what came from the queue goes back in no more pieces.
 */
static void
junk_queue(struct mime *m, struct str carried)
{
	struct mime_token queue[MIME_QUEUE] = { { .kind = MIME_NOTHING } };
	struct mime_token text = { .kind = MIME_TEXT, .text = carried };
	struct str rest = m->feed;
	bool is_eol = m->token.kind == MIME_EOL;
	size_t n = 0;

	if (m->scan.has_empty_line)
		return;
	if (is_eol) {
		must(carried.n + rest.n >= 2);
		text.text.n -= rest.n < 2 ? 2 - rest.n : 0;
		rest.n -= rest.n < 2 ? rest.n : 2;
	}
	queue_put(queue, &n, text);
	text.text = rest;
	queue_put(queue, &n, text);
	if (is_eol)
		queue_put(queue, &n, m->token);
	for (size_t i = 0; i < MIME_QUEUE; i++)
		queue_put(queue, &n, m->queue[i]);
	memcpy(m->queue, queue, sizeof queue);
}

/*
 * A header of a multipart that ended by junk: only now its boundary is known, and
 * the junk may be its first delimiter.  Such a line comes in one piece.
 */
static void
queue_look(struct mime *m, bool is_last)
{
	struct mime_token *t = &m->queue[0];
	bool has_eol = m->queue[1].kind == MIME_EOL;

	if (t->kind != MIME_TEXT || t->text.n + 2 > sizeof m->hold ||
	    !(has_eol || m->owes_eol || is_last))
		return;
	must(m->hold_n == 0);
	memmove(m->hold, t->text.p, t->text.n);
	memcpy(m->hold + t->text.n, "\r\n", 2);
	m->hold_n = (unsigned)t->text.n + (has_eol || m->owes_eol ? 2 : 0);
	if (line_is_delimiter(m, t)) {
		t->kind = MIME_DELIMITER;
		t->text = (struct str){ m->hold, m->hold_n };
		if (has_eol)
			memmove(t + 1, t + 2, (MIME_QUEUE - 2) * sizeof *t);
		else
			m->owes_eol = m->in_line = false;
		m->queue[MIME_QUEUE - 1].kind = MIME_NOTHING;
	}
	m->hold_n = 0;
}

static enum mime_step
mime_fail(struct mime *m)
{
	m->end = MIME_FAILED;
	return MIME_FAILED;
}

static enum mime_step
mime_put(struct mime_out *out, enum mime_step step, struct str raw)
{
	out->raw = raw;
	return step;
}

/* MIME_MORE: the token is used up. */
static enum mime_step
token_in_header(struct mime *m, struct mime_out *out)
{
	bool is_over = m->token.kind == MIME_DELIMITER ||
	    m->token.kind == MIME_NOTHING;
	enum header_step step;

	out->field = (struct field){ .known = HEADER_OTHER };
	if (is_over)
		m->feed = STR("");
	step = is_over ? header_finish(&m->scan, &out->field) :
	    header_next(&m->scan, &m->feed, &out->field);
	switch (step) {
	case HEADER_FIELD:
		if (field_note(m, &out->field) != 0)
			return mime_fail(m);
		return mime_put(out, MIME_FIELD, out->field.raw);
	case HEADER_END:
		junk_queue(m, out->field.raw);
		part_headed(m);
		if (m->part.kind == MIME_MULTIPART)
			queue_look(m, m->token.kind == MIME_NOTHING);
		if (!is_over)
			m->token.kind = MIME_NOTHING;
		return mime_put(out, MIME_HEADED,
		    m->part.has_empty_line ? STR("\r\n") : STR(""));
	case HEADER_MORE:
		m->token.kind = MIME_NOTHING;
		return MIME_MORE;
	case HEADER_TOO_BIG:
	case HEADER_NO_MEMORY:
		break;
	}
	return mime_fail(m);
}

static enum mime_step
token_delimiter(struct mime *m, struct mime_out *out)
{
	const struct mime_token t = m->token;

	must(t.level < m->depth);
	if (m->state == MIME_IN_BODY && m->eol) {
		m->eol = false;
		return mime_put(out, MIME_BETWEEN, STR("\r\n"));
	}
	m->depth = t.level + (t.is_last ? 0 : 1);
	m->next_root = m->levels[t.level].root;
	m->state = MIME_IN_BETWEEN;
	m->begins = !t.is_last && m->parts < MIME_PARTS_MOST;
	m->token.kind = MIME_NOTHING;
	return mime_put(out, MIME_BETWEEN, t.text);
}

static enum mime_step
token_in_body(struct mime *m, struct mime_out *out)
{
	struct str text = m->token.text;

	if (m->token.kind == MIME_EOL) {
		m->token.kind = MIME_NOTHING;
		if (m->eol)
			return mime_put(out, MIME_BODY, text);
		m->eol = true;
		return MIME_MORE;
	}
	if (m->eol) {
		m->eol = false;
		return mime_put(out, MIME_BODY, STR("\r\n"));
	}
	m->token.kind = MIME_NOTHING;
	return mime_put(out, MIME_BODY, text);
}

static enum mime_step
token_use(struct mime *m, struct mime_out *out)
{
	if (m->state == MIME_IN_HEADER)
		return token_in_header(m, out);
	if (m->token.kind == MIME_DELIMITER)
		return token_delimiter(m, out);
	if (m->state == MIME_IN_BODY)
		return token_in_body(m, out);
	m->token.kind = MIME_NOTHING;
	return mime_put(out, MIME_BETWEEN, m->token.text);
}

static bool
token_queued(struct mime *m)
{
	if (m->queue[0].kind == MIME_NOTHING)
		return false;
	m->token = m->queue[0];
	memmove(m->queue, m->queue + 1, (MIME_QUEUE - 1) * sizeof *m->queue);
	m->queue[MIME_QUEUE - 1].kind = MIME_NOTHING;
	return true;
}

enum mime_step
mime_next(struct mime *m, struct str *chunk, struct mime_out *out)
{
	enum mime_step step = MIME_MORE;

	while (step == MIME_MORE && m->end == MIME_MORE) {
		if (m->begins)
			part_begin(m);
		if (m->token.kind == MIME_NOTHING) {
			if (!token_queued(m) &&
			    !token_cut(m, chunk, &m->token))
				return MIME_MORE;
			m->feed = m->token.text;
		}
		step = token_use(m, out);
	}
	return m->end != MIME_MORE ? m->end : step;
}

/* Nothing is left to look at: end what is open. */
static enum mime_step
mime_close(struct mime *m, struct mime_out *out)
{
	if (m->begins)
		part_begin(m);
	if (m->state == MIME_IN_HEADER)
		return token_in_header(m, out);
	if (m->eol) {
		m->eol = false;
		return mime_put(out, MIME_BODY, STR("\r\n"));
	}
	m->end = MIME_END;
	return MIME_END;
}

enum mime_step
mime_finish(struct mime *m, struct mime_out *out)
{
	struct str nothing = STR("");
	enum mime_step step = mime_next(m, &nothing, out);

	while (step == MIME_MORE && m->end == MIME_MORE) {
		if (!token_last(m, &m->token))
			return mime_close(m, out);
		m->feed = m->token.text;
		step = mime_next(m, &nothing, out);
	}
	return step;
}
