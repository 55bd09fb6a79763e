/*
 * The life of a body: `out' has what is sure.  What could be the end is held
 * back, in the order lines, space, CR:
 *
 * lines      CRLFs that may be the empty lines at the end
 * has_space  white space that may be the end of a line (relaxed)
 * has_cr     a CR that may begin a CRLF
 *
 * An octet that is none of these sets all of it free.
 */
#include "wire/canon.h"

#include "base/must.h"

const char *
canon_name(enum canon canon)
{
	must(canon == CANON_SIMPLE || canon == CANON_RELAXED);
	return canon == CANON_SIMPLE ? "simple" : "relaxed";
}

static bool
is_blank(char c)
{
	return c == ' ' || c == '\t';
}

/* ---- pieces ---- */

static void
out_flush(struct canon_out *o)
{
	if (o->n > 0)
		o->sink.take(o->sink.arg, (struct str){ o->room, o->n });
	o->n = 0;
}

static void
out_put(struct canon_out *o, struct str s)
{
	must(o->n <= sizeof o->room);
	o->octets += s.n;
	if (s.n > sizeof o->room - o->n)
		out_flush(o);
	if (s.n > sizeof o->room) {
		o->sink.take(o->sink.arg, s);
		return;
	}
	if (s.n > 0)
		memcpy(o->room + o->n, s.p, s.n);
	o->n += s.n;
}

/* ---- fields ---- */

/* RFC 6376 3.4.2: the value; white space that something follows is one SP. */
static void
value_put(struct canon_out *o, struct str value, bool *has_space, bool *begun)
{
	while (value.n > 0) {
		size_t n = 0;

		if (str_skip(&value, STR("\r\n")))
			continue;
		if (is_blank(value.p[0])) {
			*has_space = true;
			value = str_sub(value, 1, value.n);
			continue;
		}
		while (n < value.n && !is_blank(value.p[n]) &&
		    (n == 0 || value.p[n] != '\r'))
			n++;
		if (*has_space && *begun)
			out_put(o, STR(" "));
		*has_space = false;
		*begun = true;
		out_put(o, str_sub(value, 0, n));
		value = str_sub(value, n, value.n);
	}
}

static void
name_put(struct canon_out *o, struct str name)
{
	while (name.n > 0 && is_blank(name.p[name.n - 1]))
		name.n--;
	for (size_t i = 0; i < name.n; i++) {
		char c = ascii_lower(name.p[i]);

		out_put(o, (struct str){ &c, 1 });
	}
	out_put(o, STR(":"));
}

/* A field in two parts, without its last CRLF. */
static void
field_put(struct canon_out *o, enum canon canon, struct str head,
    struct str tail)
{
	bool has_space = false, begun = false;

	if (canon == CANON_SIMPLE) {
		out_put(o, head);
		out_put(o, tail);
		return;
	}
	name_put(o, str_cut(&head, ':'));
	value_put(o, head, &has_space, &begun);
	value_put(o, tail, &has_space, &begun);
}

static struct str
without_crlf(struct str raw)
{
	if (raw.n >= 2 && raw.p[raw.n - 2] == '\r' && raw.p[raw.n - 1] == '\n')
		raw.n -= 2;
	return raw;
}

/* Where the value of b= stands in the field, white space and all; n == 0 at the
 * end of raw when there is none. */
static struct str
signature_value(struct str raw)
{
	size_t at = str_find(raw, ':') + 1;

	while (at < raw.n) {
		struct str spec = str_sub(raw, at, raw.n);
		size_t eq;

		spec.n = str_find(spec, ';');
		eq = str_find(spec, '=');
		if (eq < spec.n &&
		    str_eq(str_trim(str_sub(spec, 0, eq)), STR("b")))
			return str_sub(spec, eq + 1, spec.n);
		at += spec.n + 1;
	}
	return str_sub(raw, raw.n, 0);
}

void
canon_field_to(enum canon canon, struct str raw, struct canon_sink sink)
{
	struct canon_out o;

	o.sink = sink;
	o.n = 0;
	o.octets = 0;
	field_put(&o, canon, without_crlf(raw), STR_NONE);
	out_put(&o, STR("\r\n"));
	out_flush(&o);
}

void
canon_signature_to(enum canon canon, struct str raw, struct canon_sink sink)
{
	struct str whole = without_crlf(raw), value = signature_value(whole);
	size_t at = (size_t)(value.p - whole.p);
	struct canon_out o;

	must(at + value.n <= whole.n);
	o.sink = sink;
	o.n = 0;
	o.octets = 0;
	field_put(&o, canon, str_sub(whole, 0, at),
	    str_sub(whole, at + value.n, whole.n));
	out_flush(&o);
}

static void
buf_take(void *arg, struct str octets)
{
	buf_put(arg, octets);
}

void
canon_field(enum canon canon, struct str raw, struct buf *out)
{
	canon_field_to(canon, raw, (struct canon_sink){ buf_take, out });
}

void
canon_signature(enum canon canon, struct str raw, struct buf *out)
{
	canon_signature_to(canon, raw, (struct canon_sink){ buf_take, out });
}

/* ---- bodies ---- */

void
canon_body_begin(struct canon_body *b, enum canon canon, struct canon_sink sink)
{
	b->canon = canon;
	b->has_cr = b->has_space = false;
	b->lines = 0;
	b->out.sink = sink;
	b->out.n = 0;
	b->out.octets = 0;
}

/* What was held back, and then these. */
static void
body_free(struct canon_body *b, struct str octets)
{
	for (; b->lines > 0; b->lines--)
		out_put(&b->out, STR("\r\n"));
	if (b->has_space)
		out_put(&b->out, STR(" "));
	b->has_space = false;
	out_put(&b->out, octets);
}

static void
body_line(struct canon_body *b)
{
	b->lines++;
	b->has_space = false;
}

static bool
is_text(char c)
{
	return c != '\r' && c != ' ' && c != '\t';
}

/* How many octets at the front stay as they are: up to a CR, and, if relaxed, up
 * to white space, but for one SP between two octets of text. */
static size_t
body_plain(const struct canon_body *b, struct str s)
{
	bool begun = !b->has_space;
	size_t n = 0;

	if (b->canon == CANON_SIMPLE)
		return str_find(s, '\r');
	for (;;) {
		while (n < s.n && is_text(s.p[n])) {
			begun = true;
			n++;
		}
		if (!begun || n + 1 >= s.n || s.p[n] != ' ' ||
		    !is_text(s.p[n + 1]))
			return n;
		n += 2;
	}
}

void
canon_body_put(struct canon_body *b, struct str s)
{
	while (s.n > 0) {
		size_t n;

		if (b->has_cr) {
			b->has_cr = false;
			if (str_skip(&s, STR("\n")))
				body_line(b);
			else
				body_free(b, STR("\r"));
			continue;
		}
		if ((n = body_plain(b, s)) > 0)
			body_free(b, str_sub(s, 0, n));
		else {
			b->has_cr = s.p[0] == '\r';
			b->has_space = b->has_space || !b->has_cr;
			n = 1;
		}
		s = str_sub(s, n, s.n);
	}
}

/* RFC 6376 3.4.3: "*CRLF" at the end becomes one CRLF; 3.4.4: the same, but
 * nothing stays nothing. */
void
canon_body_end(struct canon_body *b)
{
	if (b->has_cr)
		body_free(b, STR("\r"));
	if (b->canon == CANON_SIMPLE || b->out.octets > 0)
		out_put(&b->out, STR("\r\n"));
	out_flush(&b->out);
}
