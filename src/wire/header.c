/*
 * The life of a header section's scan.  `carry' holds the octets of a field that
 * began in an earlier chunk; it is empty most of the time.
 *
 * STATE      what is true
 * between    carry_n == 0: the chunk begins where a field begins
 * first      carry_n > 0, !carry_checked: a part of a field's first line, of at
 *            most HEADER_LINE_MOST octets unless there was a colon in them
 * later      carry_n > 0, carry_checked: a field's first line and perhaps more
 * out        carry_is_out: the field in carry was handed out; then: between
 * ended      end != HEADER_FIELD, for good
 *
 * A field ends where the line behind it is seen not to begin with white space,
 * so one octet of the next line must be at hand.
 */
#include "wire/header.h"

#include "base/must.h"

enum { CARRY_FIRST = 256 };

static const struct str texts[] = {
	STR_INIT(""),
#define HEADER(name, text) STR_INIT(text),
#include "wire/fields.def"
#undef HEADER
};

enum header_name
header_known(struct str name)
{
	for (enum header_name h = 1; h < HEADER_NAMES; h++)
		if (name.n == texts[h].n && str_eq_icase(name, texts[h]))
			return h;
	return HEADER_OTHER;
}

const char *
header_text(enum header_name h)
{
	must(h < HEADER_NAMES);
	return texts[h].p;
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* RFC 5322 3.6.8: ftext = %d33-57 / %d59-126 */
static bool
is_ftext(char c)
{
	return c > ' ' && c <= '~' && c != ':';
}

enum look {
	NAMED,			/* field-name *WSP ":" */
	EMPTY,			/* the empty line */
	JUNK,			/* a line that is no field */
	UNDECIDED		/* more of the line is needed */
};

/* The first line so far, without its CRLF if it has ended.  RFC 5322 2.2, and
 * 4.5 for the white space before the colon. */
static enum look
look_at_line(struct str line, bool has_ended)
{
	size_t n = 0, i;

	if (!has_ended && line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;		/* perhaps half of a CRLF */
	if (line.n == 0)
		return has_ended ? EMPTY : UNDECIDED;
	if (line.n >= HEADER_LINE_MOST) {
		line.n = HEADER_LINE_MOST;
		has_ended = true;
	}
	while (n < line.n && is_ftext(line.p[n]))
		n++;
	for (i = n; i < line.n && is_blank(line.p[i]);)
		i++;
	if (i < line.n)
		return n > 0 && line.p[i] == ':' ? NAMED : JUNK;
	return has_ended ? JUNK : UNDECIDED;
}

/* Just behind the next CRLF that stands at or after `from'; 0: there is none.
 * What ends at `from' was a line. */
static size_t
line_end(struct str s, size_t from)
{
	while (from < s.n) {
		size_t lf = from + str_find(str_sub(s, from, s.n), '\n');

		if (lf < s.n && lf > 0 && s.p[lf - 1] == '\r')
			return lf + 1;
		from = lf + 1;
	}
	return 0;
}

/* The same of s, which begins where a field may begin. */
static enum look
look_at(struct str s)
{
	size_t end = line_end(s, 0);

	return look_at_line(str_sub(s, 0, end > 0 ? end - 2 : s.n), end > 0);
}

void
header_begin(struct header_scan *h, struct arena *arena)
{
	*h = (struct header_scan){ .arena = arena, .end = HEADER_FIELD };
}

static enum header_step
header_stop(struct header_scan *h, enum header_step why)
{
	h->end = why;
	return why;
}

static bool
header_fits(const struct header_scan *h)
{
	return h->octets <= HEADER_OCTETS_MOST && h->lines <= HEADER_LINES_MOST;
}

/* Hand out a whole field. */
static enum header_step
header_field(struct header_scan *h, struct str raw, struct field *out)
{
	struct str value = raw, name = str_cut(&value, ':');

	must(raw.n > 0);
	if (value.n >= 2 && value.p[value.n - 1] == '\n' &&
	    value.p[value.n - 2] == '\r')
		value.n -= 2;
	while (name.n > 0 && is_blank(name.p[name.n - 1]))
		name.n--;
	out->known = header_known(name);
	out->name = name;
	out->value = value;
	out->raw = raw;
	h->count[out->known]++;
	return HEADER_FIELD;
}

/* It ended by an empty line that was counted already. */
static enum header_step
header_empty(struct header_scan *h)
{
	if (!header_fits(h))
		return header_stop(h, HEADER_TOO_BIG);
	h->has_empty_line = true;
	return header_stop(h, HEADER_END);
}

static enum header_step
header_junk(struct header_scan *h)
{
	h->ended_by_junk = true;
	return header_stop(h, HEADER_END);
}

/* ---- a field that straddles chunks ---- */

static int
carry_put(struct header_scan *h, struct str s)
{
	size_t cap = h->carry_cap == 0 ? CARRY_FIRST : h->carry_cap;
	char *more;

	while (cap < h->carry_n + s.n)
		cap *= 2;
	if (cap != h->carry_cap) {
		if ((more = arena_alloc(h->arena, cap)) == NULL)
			return -1;
		if (h->carry_n > 0)
			memcpy(more, h->carry, h->carry_n);
		h->carry = more;
		h->carry_cap = cap;
	}
	memcpy(h->carry + h->carry_n, s.p, s.n);
	h->carry_n += s.n;
	return 0;
}

static struct str
carry_str(const struct header_scan *h)
{
	return (struct str){ h->carry, h->carry_n };
}

static bool
carry_ends_line(const struct header_scan *h)
{
	return h->carry_n >= 2 && h->carry[h->carry_n - 2] == '\r' &&
	    h->carry[h->carry_n - 1] == '\n';
}

/* What was taken of the body's first line goes back out as `raw'. */
static enum header_step
carry_junk(struct header_scan *h, struct field *out)
{
	h->octets -= h->carry_n;
	h->lines -= carry_ends_line(h);
	out->raw = carry_str(h);
	return header_junk(h);
}

/* Is what grew in the carry a field, or not yet, or too much? */
static enum header_step
carry_judge(struct header_scan *h, struct field *out)
{
	enum look look = h->carry_checked ? NAMED : look_at(carry_str(h));

	if (look == EMPTY)
		return header_empty(h);
	if (look == JUNK)
		return carry_junk(h, out);
	h->carry_checked = look == NAMED;
	if (h->carry_checked && !header_fits(h))
		return header_stop(h, HEADER_TOO_BIG);
	return HEADER_MORE;
}

static enum header_step
carry_next(struct header_scan *h, struct str *chunk, struct field *out)
{
	enum header_step step = HEADER_MORE;

	while (chunk->n > 0 && step == HEADER_MORE) {
		struct str piece;

		if (carry_ends_line(h) && !is_blank(chunk->p[0])) {
			h->carry_is_out = true;
			return header_field(h, carry_str(h), out);
		}
		piece = str_sub(*chunk, 0, str_find(*chunk, '\n') + 1);
		h->octets += piece.n;
		if (h->carry_checked && !header_fits(h))
			return header_stop(h, HEADER_TOO_BIG);
		if (carry_put(h, piece) != 0)
			return header_stop(h, HEADER_NO_MEMORY);
		*chunk = str_sub(*chunk, piece.n, chunk->n);
		h->lines += carry_ends_line(h);
		step = carry_judge(h, out);
	}
	return step;
}

/* ---- a field that stands whole in the chunk ---- */

/* How many octets of whole lines a field has at the front of s; *ended when the
 * line behind them is seen not to be its own. */
static size_t
field_extent(struct str s, unsigned *lines, bool *ended)
{
	size_t octets = 0, end;

	*ended = false;
	for (*lines = 0; !*ended && (end = line_end(s, octets)) > 0; ++*lines) {
		octets = end;
		*ended = end < s.n && !is_blank(s.p[end]);
	}
	return octets;
}

static enum header_step
chunk_next(struct header_scan *h, struct str *chunk, struct field *out)
{
	enum look look = look_at(*chunk);
	struct str raw = *chunk;
	unsigned lines = 0;
	bool ended = look == EMPTY;
	size_t n = 2;

	if (look == JUNK)
		return header_junk(h);
	if (look == NAMED)
		n = field_extent(*chunk, &lines, &ended);
	if (ended)
		raw.n = n;
	*chunk = str_sub(*chunk, raw.n, chunk->n);
	h->octets += raw.n;
	h->lines += lines;
	if (look == EMPTY) {
		h->lines++;
		return header_empty(h);
	}
	if (look == NAMED && !header_fits(h))
		return header_stop(h, HEADER_TOO_BIG);
	if (ended)
		return header_field(h, raw, out);
	h->carry_checked = look == NAMED;
	return carry_put(h, raw) == 0 ? HEADER_MORE :
	    header_stop(h, HEADER_NO_MEMORY);
}

/* What was handed out last is over. */
static void
header_forget(struct header_scan *h)
{
	if (!h->carry_is_out)
		return;
	h->carry_is_out = h->carry_checked = false;
	h->carry_n = 0;
}

enum header_step
header_next(struct header_scan *h, struct str *chunk, struct field *out)
{
	*out = (struct field){ .known = HEADER_OTHER };
	header_forget(h);
	if (h->end != HEADER_FIELD)
		return h->end;
	if (chunk->n == 0)
		return HEADER_MORE;
	return h->carry_n > 0 ? carry_next(h, chunk, out) :
	    chunk_next(h, chunk, out);
}

enum header_step
header_finish(struct header_scan *h, struct field *out)
{
	*out = (struct field){ .known = HEADER_OTHER };
	header_forget(h);
	if (h->end != HEADER_FIELD)
		return h->end;
	if (h->carry_n == 0)
		return header_stop(h, HEADER_END);
	if (!h->carry_checked)
		return carry_junk(h, out);
	h->carry_is_out = true;
	return header_field(h, carry_str(h), out);
}

/* ---- values ---- */

/* RFC 5322 2.2.3: a CRLF that white space follows is not there. */
void
field_unfold(struct str value, struct buf *out)
{
	value = str_trim(value);
	while (value.n > 0) {
		size_t n = str_find(value, '\r');

		buf_put(out, str_sub(value, 0, n));
		value = str_sub(value, n, value.n);
		if (!str_skip(&value, STR("\r\n")) && value.n > 0) {
			buf_putc(out, '\r');
			value = str_sub(value, 1, value.n);
		}
	}
}

/* RFC 5322 3.6.4: msg-id = [CFWS] "<" id-left "@" id-right ">" [CFWS] */
struct str
field_msgid(struct str value)
{
	struct str id;

	str_cut(&value, '<');
	id = str_sub(value, 0, str_find(value, '>'));
	if (id.n == 0 || id.n == value.n)
		return STR_NONE;
	for (size_t i = 0; i < id.n; i++)
		if ((id.p[i] >= 0 && id.p[i] <= ' ') || id.p[i] == 0x7f)
			return STR_NONE;
	return id;
}

/* RFC 3834 5: auto-submitted-field = "no" / "auto-generated" / "auto-replied" /
 * extension, then perhaps ";" parameters or a comment. */
bool
field_is_auto(struct str value)
{
	struct str word = str_cut(&value, ';');

	word = str_trim(str_cut(&word, '('));
	return word.n > 0 && !str_eq_icase(word, STR("no"));
}

/* ---- writing ---- */

/* The next word of s with the white space before it, off its front. */
static struct str
take_word(struct str *s)
{
	struct str word = *s;
	size_t n = 0;

	while (n < s->n && is_blank(s->p[n]))
		n++;
	while (n < s->n && !is_blank(s->p[n]))
		n++;
	word.n = n;
	*s = str_sub(*s, n, s->n);
	return word;
}

/* No CTL but tabs, no malformed UTF-8, no word that no line holds: that a name
 * and the longest first word fit one line is the stricter of the two. */
static bool
can_put(struct str name, struct str value)
{
	for (size_t i = 0; i < name.n; i++)
		if (!is_ftext(name.p[i]))
			return false;
	if (name.n == 0 || name.n > HEADER_LINE || !str_is_utf8(value))
		return false;
	for (size_t i = 0; i < value.n; i++)
		if ((value.p[i] >= 0 && value.p[i] < ' ' &&
		    value.p[i] != '\t') || value.p[i] == 0x7f)
			return false;
	while (value.n > 0)
		if (take_word(&value).n + name.n + 2 > HEADER_LINE_MOST)
			return false;
	return true;
}

bool
header_put(struct buf *out, struct str name, struct str value)
{
	size_t column = name.n + 2;

	while (value.n > 0 && is_blank(value.p[0]))
		value = str_sub(value, 1, value.n);
	while (value.n > 0 && is_blank(value.p[value.n - 1]))
		value.n--;
	if (!can_put(name, value))
		return false;
	buf_put(out, name);
	buf_put(out, STR(": "));
	for (bool first = true; value.n > 0; first = false) {
		struct str word = take_word(&value);

		if (!first && column + word.n > HEADER_LINE) {
			buf_put(out, STR("\r\n"));
			column = 0;
		}
		buf_put(out, word);
		column += word.n;
	}
	buf_put(out, STR("\r\n"));
	return !out->full;
}
