#include "wire/http.h"

#include "base/num.h"

static int
hex_value(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 9110 5.6.2: token */
static bool
is_token_char(char c)
{
	return ascii_is_alnum(c) || (c != '\0' &&
	    strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static bool
is_token(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_token_char(s.p[i]))
			return false;
	return s.n > 0;
}

/* RFC 9110 5.5: visible characters, SP, HTAB, and octets above 127. */
static bool
is_text(char octet)
{
	unsigned char c = (unsigned char)octet;

	return (c >= 0x20 && c != 0x7f) || c == '\t';
}

static bool
is_field_value(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!is_text(s.p[i]))
			return false;
	return true;
}

static enum http_step
bad(struct http_head *h, unsigned status)
{
	h->status = status;
	return HTTP_BAD;
}

/* RFC 9112 2.2: a line ends in CRLF; a CR or LF alone is malformed. */
static bool
line_take(struct str *rest, struct str *line)
{
	size_t at = str_find(*rest, '\n');

	if (at == rest->n || at == 0 || rest->p[at - 1] != '\r')
		return false;
	*line = str_sub(*rest, 0, at - 1);
	*rest = str_sub(*rest, at + 1, rest->n);
	return str_find(*line, '\r') == line->n;
}

struct str
http_field(const struct http_head *h, struct str name)
{
	for (size_t i = 0; i < h->n; i++)
		if (str_eq_icase(h->fields[i].name, name))
			return h->fields[i].value;
	return STR_NONE;
}

/* RFC 9110 5.6.1: is the word in that comma-separated list, in any of the
 * fields of that name? */
static bool
field_lists(const struct http_head *h, struct str name, struct str word)
{
	for (size_t i = 0; i < h->n; i++) {
		struct str list = h->fields[i].value;

		if (!str_eq_icase(h->fields[i].name, name))
			continue;
		while (list.n > 0)
			if (str_eq_icase(str_trim(str_cut(&list, ',')), word))
				return true;
	}
	return false;
}

static size_t
field_count(const struct http_head *h, struct str name)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++)
		n += str_eq_icase(h->fields[i].name, name);
	return n;
}

static enum http_step
fields_take(struct str rest, struct http_head *h)
{
	struct str line;

	while (rest.n > 0) {
		struct http_field f;
		bool has_colon;

		if (!line_take(&rest, &line))
			return bad(h, 400);
		has_colon = str_find(line, ':') < line.n;
		f.name = str_cut(&line, ':');
		if (!is_token(f.name) || !has_colon)
			return bad(h, 400);	/* also folds, "name :" */
		f.value = str_trim(line);
		if (!is_field_value(f.value))
			return bad(h, 400);
		if (h->n == HTTP_FIELDS_MOST)
			return bad(h, 431);
		h->fields[h->n++] = f;
	}
	return HTTP_DONE;
}

/* RFC 9112 6.1, 6.3, 9.3: how long the body is; ambiguity is refused. */
static enum http_step
framing_take(struct http_head *h)
{
	size_t lengths = field_count(h, STR("Content-Length"));
	size_t codings = field_count(h, STR("Transfer-Encoding"));

	h->keeps_alive = !field_lists(h, STR("Connection"), STR("close")) &&
	    (!h->is_1_0 || field_lists(h, STR("Connection"),
	    STR("keep-alive")));
	if (codings > 1 || lengths > 1 || (codings > 0 &&
	    (lengths > 0 || h->is_1_0)))
		return bad(h, 400);
	if (codings > 0) {
		if (!str_eq_icase(http_field(h, STR("Transfer-Encoding")),
		    STR("chunked")))
			return bad(h, 501);
		h->is_chunked = true;
	}
	if (lengths > 0) {
		if (!parse_u64(http_field(h, STR("Content-Length")), INT64_MAX,
		    &h->length))
			return bad(h, 400);
		h->has_length = true;
	}
	return HTTP_DONE;
}

/* A line feed without its carriage return: this never becomes a head, so
 * nobody need wait for the rest. */
static bool
has_bare_lf(struct str s)
{
	for (size_t at = 0; (at += str_find(str_sub(s, at, s.n), '\n')) < s.n;
	    at++)
		if (at == 0 || s.p[at - 1] != '\r')
			return true;
	return false;
}

/* The end of the head, or 0; *step says why not. */
static size_t
head_end(struct str bytes, struct http_head *h, enum http_step *step)
{
	struct str within = str_sub(bytes, 0, HTTP_HEAD_MOST);
	size_t at = str_find_str(within, STR("\r\n\r\n"));

	*step = HTTP_DONE;
	if (at < within.n)
		return at + 4;
	*step = has_bare_lf(within) ? bad(h, 400) :
	    bytes.n >= HTTP_HEAD_MOST ? bad(h, 431) : HTTP_MORE;
	return 0;
}

/* RFC 3986 2.1: "%" HEXDIG HEXDIG.  What cannot be decoded must not be taken for
 * what was not said. */
static bool
is_target(struct str s)
{
	if (s.n == 0 || s.p[0] != '/' || !str_is_printable(s) ||
	    str_find(s, '#') < s.n)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '%' && (s.n - i < 3 || hex_value(s.p[i + 1]) < 0
		    || hex_value(s.p[i + 2]) < 0))
			return false;
	return true;
}

static bool
version_take(struct str s, struct http_head *h)
{
	h->is_1_0 = str_eq(s, STR("HTTP/1.0"));
	return h->is_1_0 || str_eq(s, STR("HTTP/1.1"));
}

static enum http_step
request_line_take(struct str line, struct http_head *h)
{
	struct str target;

	h->method = str_cut(&line, ' ');
	target = str_cut(&line, ' ');
	if (!is_token(h->method) || !is_target(target))
		return bad(h, 400);
	if (target.n > HTTP_TARGET_MOST)
		return bad(h, 414);
	if (!version_take(line, h))
		return bad(h, str_has_prefix_icase(line, STR("HTTP/")) ? 505 :
		    400);
	h->path = str_cut(&target, '?');
	h->query = target;
	return HTTP_DONE;
}

/* RFC 9112 3.2: one Host.  RFC 9110 10.1.1: who speaks 1.0 cannot wait. */
static enum http_step
asking_take(struct http_head *h)
{
	size_t hosts = field_count(h, STR("Host"));

	if (hosts > 1 || (hosts == 0 && !h->is_1_0))
		return bad(h, 400);
	h->expects_continue = !h->is_1_0 &&
	    (h->is_chunked || h->length > 0) &&
	    str_eq_icase(http_field(h, STR("Expect")), STR("100-continue"));
	return HTTP_DONE;
}

/* RFC 9112 2.2: an empty line before the request is passed over; some clients send
 * one behind a body. */
enum http_step
http_request(struct str bytes, struct http_head *h, size_t *used)
{
	bool is_long = bytes.n >= HTTP_HEAD_MOST;
	size_t empty = str_skip(&bytes, STR("\r\n")) ? 2 : 0;
	enum http_step step;
	struct str rest, line;

	*h = (struct http_head){ .n = 0 };
	*used = head_end(bytes, h, &step);
	if (step == HTTP_MORE && is_long)
		return bad(h, 431);
	if (step != HTTP_DONE)
		return step;
	rest = str_sub(bytes, 0, *used - 2);
	*used += empty;
	if (!line_take(&rest, &line))
		return bad(h, 400);
	step = request_line_take(line, h);
	if (step == HTTP_DONE)
		step = fields_take(rest, h);
	if (step == HTTP_DONE)
		step = framing_take(h);
	if (step == HTTP_DONE)
		step = asking_take(h);
	return step;
}

static enum http_step
status_line_take(struct str line, struct http_head *h)
{
	struct str version = str_cut(&line, ' ');
	struct str code = str_cut(&line, ' ');
	uint64_t n;

	if (!version_take(version, h) || code.n != 3 ||
	    !parse_u64(code, 999, &n) || n < 100)
		return bad(h, 400);
	h->status = (unsigned)n;
	return HTTP_DONE;
}

enum http_step
http_response(struct str bytes, struct http_head *h, size_t *used)
{
	enum http_step step;
	struct str rest, line;

	*h = (struct http_head){ .n = 0 };
	*used = head_end(bytes, h, &step);
	if (step != HTTP_DONE)
		return step;
	rest = str_sub(bytes, 0, *used - 2);
	if (!line_take(&rest, &line))
		return bad(h, 400);
	step = status_line_take(line, h);
	if (step == HTTP_DONE)
		step = fields_take(rest, h);
	return step == HTTP_DONE ? framing_take(h) : step;
}

/* ---- RFC 9112 7.1: chunked ---- */

enum chunk_state {
	CHUNK_SIZE, CHUNK_EXTENSION, CHUNK_SIZE_LF, CHUNK_DATA, CHUNK_DATA_CR,
	CHUNK_DATA_LF, CHUNK_TRAILER, CHUNK_TRAILER_LF
};

enum { CHUNK_LINE_MOST = 1024 };

static bool
size_digit(struct http_chunks *k, char c)
{
	int v = hex_value(c);

	if (v < 0 || k->digits == 15)
		return false;
	k->left = k->left << 4 | (unsigned)v;
	k->digits++;
	return true;
}

/* One octet that is not data.  False: malformed. */
static bool
chunk_step(struct http_chunks *k, char c)
{
	if (++k->line > CHUNK_LINE_MOST)
		return false;
	switch ((enum chunk_state)k->state) {
	case CHUNK_SIZE:
		if (size_digit(k, c))
			return true;
		if (k->digits == 0 || (c != '\r' && c != ';'))
			return false;
		k->state = c == '\r' ? CHUNK_SIZE_LF : CHUNK_EXTENSION;
		return true;
	case CHUNK_EXTENSION:
		if (c == '\r')
			k->state = CHUNK_SIZE_LF;
		return c == '\r' || is_text(c);
	case CHUNK_SIZE_LF:
		k->state = k->left > 0 ? CHUNK_DATA : CHUNK_TRAILER;
		k->line = 0;
		return c == '\n';
	case CHUNK_DATA_CR:
		k->state = CHUNK_DATA_LF;
		return c == '\r';
	case CHUNK_DATA_LF:
		*k = (struct http_chunks){ .state = CHUNK_SIZE };
		return c == '\n';
	case CHUNK_TRAILER:	/* k->left: is this line not empty? */
		if (c == '\r')
			k->state = CHUNK_TRAILER_LF;
		else
			k->left = 1;
		return c == '\r' || is_text(c);
	case CHUNK_TRAILER_LF:
		k->has_ended = k->left == 0;
		k->left = 0;
		k->state = CHUNK_TRAILER;
		return c == '\n';
	case CHUNK_DATA:
		break;
	}
	return false;
}

bool
http_chunks_next(struct http_chunks *k, struct str *in, struct str *out)
{
	while (in->n > 0 && !k->has_ended && !k->is_bad) {
		if (k->state == CHUNK_DATA) {
			*out = str_sub(*in, 0, k->left < in->n ?
			    (size_t)k->left : in->n);
			*in = str_sub(*in, out->n, in->n);
			k->left -= out->n;
			if (k->left == 0) {
				k->state = CHUNK_DATA_CR;
				k->line = 0;
			}
			return true;
		}
		k->is_bad = !chunk_step(k, in->p[0]);
		*in = str_sub(*in, 1, in->n);
	}
	return false;
}

/* ---- RFC 3986 2.1 ---- */

bool
http_decode(struct str s, bool plus_is_space, struct buf *out)
{
	for (; s.n > 0; s = str_sub(s, 1, s.n)) {
		char c = s.p[0];

		if (c == '%') {
			int high = s.n < 3 ? -1 : hex_value(s.p[1]);
			int low = s.n < 3 ? -1 : hex_value(s.p[2]);

			if (high < 0 || low < 0)
				return false;
			c = (char)(high << 4 | low);
			s = str_sub(s, 2, s.n);
		} else if (c == '+' && plus_is_space)
			c = ' ';
		buf_putc(out, c);
	}
	return !out->full;
}

bool
http_query(struct str query, struct str key, struct buf *out)
{
	while (query.n > 0) {
		struct str value = str_cut(&query, '&');
		struct str name = str_cut(&value, '=');

		if (str_eq(name, key))
			return http_decode(value, true, out);
	}
	return false;
}

void
http_encode(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (ascii_is_alnum(c) || (c != '\0' && strchr("-._~", c)))
			buf_putc(out, c);
		else
			buf_printf(out, "%%%02X", (unsigned)(unsigned char)c);
	}
}
