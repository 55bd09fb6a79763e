#include "cli/letter.h"

#include "base/must.h"
#include "cli/cli.h"
#include "wire/address.h"
#include "wire/addrlist.h"
#include "wire/lex.h"

#include <errno.h>
#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

enum { PIECE = 64 * 1024, WORD_MOST = 75, FROM_MOST = 2048 };

/* ---- reading: any text becomes canonical lines ---- */

struct reading {
	struct letter *letter;
	int fd;
	bool dot_ends, has_ended, has_begun, in_body, was_cr, holds_dot;
	size_t line;			/* octets of the line so far */
	char *in;			/* PIECE */
	struct buf out;			/* canonical; room for twice a piece */
	struct header_scan scan;
	int rc;
};

static void
line_end(struct reading *r)
{
	if (r->holds_dot && r->line == 1) {
		r->has_ended = true;
		return;
	}
	buf_put(&r->out, STR("\r\n"));
	r->line = 0;
}

static void
octet_put(struct reading *r, char c)
{
	if (r->line == 0 && c == '.' && r->dot_ends) {
		r->holds_dot = true;
		r->line = 1;
		return;
	}
	if (r->holds_dot)
		buf_putc(&r->out, '.');
	r->holds_dot = false;
	buf_putc(&r->out, c == '\0' ? '?' : c);
	if (++r->line == LETTER_LINE_MOST)
		line_end(r);
}

/* A run of CRs before a LF is one line's end, as some programs write it. */
static void
octet_take(struct reading *r, char c)
{
	if (c == '\r') {
		r->was_cr = true;
		return;
	}
	if (r->was_cr || c == '\n')
		line_end(r);
	r->was_cr = false;
	if (c != '\n' && !r->has_ended)
		octet_put(r, c);
}

/* The last line may lack its end. */
static void
text_end(struct reading *r)
{
	if (!r->has_ended && (r->was_cr || r->line > 0))
		line_end(r);
	r->has_ended = true;
}

static int
body_write(struct letter *l, struct str s)
{
	l->body_octets += s.n;
	l->is_8bit = l->is_8bit || !str_is_ascii(s);
	while (s.n > 0) {
		ssize_t n = write(l->body_fd, s.p, s.n);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return cli_fail(EX_TEMPFAIL, "keeping the message: %s",
			    strerror(errno));
		s = str_sub(s, (size_t)n, s.n);
	}
	return 0;
}

static int
field_keep(struct letter *l, const struct field *f)
{
	struct letter_field *k = arena_new(l->arena, struct letter_field);
	struct str raw = arena_copy(l->arena, f->raw);

	if (k == NULL || raw.p == NULL)
		return cli_fail(EX_TEMPFAIL, "no memory for the header");
	*k = (struct letter_field){ .known = f->known, .raw = raw,
		.name = str_sub(raw, 0, f->name.n),
		.value = str_sub(raw, (size_t)(f->value.p - f->raw.p),
		    f->value.n) };
	*l->last = k;
	l->last = &k->next;
	l->is_8bit = l->is_8bit || !str_is_ascii(raw);
	return 0;
}

static int
header_step_take(struct reading *r, enum header_step step,
    const struct field *f, bool *more)
{
	*more = step == HEADER_FIELD;
	switch (step) {
	case HEADER_FIELD:
		return field_keep(r->letter, f);
	case HEADER_END:
		r->in_body = true;
		return body_write(r->letter, f->raw);	/* no empty line */
	case HEADER_TOO_BIG:
		return cli_fail(EX_DATAERR, "the header is too long");
	case HEADER_NO_MEMORY:
		return cli_fail(EX_TEMPFAIL, "no memory for the header");
	case HEADER_MORE:
		break;
	}
	return 0;
}

static int
canonical_take(struct reading *r, struct str s, bool is_last)
{
	struct field f;
	bool more = !r->in_body;
	int rc = 0;

	while (more && rc == 0) {
		f = (struct field){ 0 };
		rc = header_step_take(r, header_next(&r->scan, &s, &f), &f,
		    &more);
	}
	more = !r->in_body && is_last;
	while (more && rc == 0) {
		f = (struct field){ 0 };
		rc = header_step_take(r, header_finish(&r->scan, &f), &f,
		    &more);
	}
	return rc == 0 && r->in_body ? body_write(r->letter, s) : rc;
}

/* Programs that forward what lies in an mbox. */
static struct str
without_mbox_line(struct str s)
{
	struct str rest = s;

	if (!str_has_prefix_icase(s, STR("From ")) &&
	    !str_has_prefix_icase(s, STR(">From ")))
		return s;
	(void)str_cut(&rest, '\n');
	return rest.p == NULL ? STR("") : rest;
}

/* Who ends his message by a dot may wait for us before he closes anything. */
static bool
dot_is_last(const struct reading *r, size_t have)
{
	struct str s = { r->in, have };

	if (!r->dot_ends)
		return false;
	if (r->line == 0 && !r->was_cr && (str_eq(s, STR(".\n")) ||
	    str_eq(s, STR(".\r\n"))))
		return true;
	return str_has_suffix_icase(s, STR("\n.\n")) ||
	    str_has_suffix_icase(s, STR("\n.\r\n"));
}

/* A whole piece, but at the end. */
static ssize_t
piece_read(struct reading *r)
{
	size_t have = 0;
	ssize_t n = 1;

	while (have < PIECE && n != 0 && !dot_is_last(r, have)) {
		n = read(r->fd, r->in + have, PIECE - have);
		if (n < 0 && errno != EINTR)
			return -1;
		have += n > 0 ? (size_t)n : 0;
	}
	return (ssize_t)have;
}

static int
piece_take(struct reading *r, struct str s)
{
	struct str text;

	r->out.n = 0;
	for (size_t i = 0; i < s.n && !r->has_ended; i++)
		octet_take(r, s.p[i]);
	if (s.n < PIECE)
		text_end(r);
	must(!r->out.full);
	text = buf_str(&r->out);
	if (!r->has_begun)
		text = without_mbox_line(text);
	r->has_begun = true;
	return canonical_take(r, text, r->has_ended);
}

static int
text_read(struct reading *r)
{
	int rc = 0;

	while (rc == 0 && !r->has_ended) {
		ssize_t n = piece_read(r);

		if (n < 0)
			return cli_fail(EX_NOINPUT, "reading the message: %s",
			    strerror(errno));
		rc = piece_take(r, (struct str){ r->in, (size_t)n });
	}
	return rc;
}

/* RFC 5322 3.6.6: each resending puts its fields on top, in one block; a name
 * that comes again, or a trace field, begins an older one. */
static void
resent_mark(struct letter *l)
{
	bool seen[HEADER_NAMES] = { false };

	for (struct letter_field *f = l->fields; f != NULL; f = f->next) {
		bool is_resent = str_has_prefix_icase(f->name, STR("Resent-"));
		bool is_trace = f->known == HEADER_RECEIVED ||
		    f->known == HEADER_RETURN_PATH;

		if (l->is_resent && (is_trace || (is_resent &&
		    f->known != HEADER_OTHER && seen[f->known])))
			return;
		f->is_resent = is_resent;
		l->is_resent = l->is_resent || is_resent;
		seen[f->known] = seen[f->known] || is_resent;
	}
}

int
letter_read(struct letter *l, struct arena *a, int fd, bool dot_ends)
{
	struct reading *r = arena_new(a, struct reading);
	FILE *file = tmpfile();

	*l = (struct letter){ .arena = a, .last = &l->fields, .body_fd = -1 };
	if (file != NULL) {
		l->body_fd = dup(fileno(file));
		fclose(file);
	}
	if (l->body_fd < 0)
		return cli_fail(EX_TEMPFAIL, "a temporary file: %s",
		    strerror(errno));
	if (r == NULL)
		return cli_fail(EX_TEMPFAIL, "no memory");
	*r = (struct reading){ .letter = l, .fd = fd, .dot_ends = dot_ends,
		.in = arena_alloc(a, PIECE), .out = { .cap = 2 * PIECE + 8 } };
	r->out.p = arena_alloc(a, r->out.cap);
	if (r->in == NULL || r->out.p == NULL)
		return cli_fail(EX_TEMPFAIL, "no memory");
	header_begin(&r->scan, a);
	r->rc = text_read(r);
	resent_mark(l);
	return r->rc;
}

void
letter_close(struct letter *l)
{
	if (l->body_fd >= 0)
		close(l->body_fd);
	l->body_fd = -1;
}

/* ---- addresses ---- */

/* atext and dots, or a quoted string, off the front. */
static struct str
local_take(struct str *s)
{
	size_t n = lex_quoted(*s), more = 1;

	for (; n == 0 || (s->p[0] != '"' && more > 0 && n < s->n); n += more) {
		more = lex_atom(str_sub(*s, n, s->n));
		if (more == 0 && n < s->n && s->p[n] == '.')
			more = 1;
		if (more == 0)
			break;
	}
	*s = str_sub(*s, n, s->n);
	return (struct str){ s->p - n, n };
}

/* "root", "root (Charlie)", "Charlie <root>": a local part without a domain, as
 * people of one machine write it; a slice of s. */
static bool
bare_local(struct str s, struct str *out)
{
	struct str word;

	if (!lex_skip_cfws(&s, NULL))
		return false;
	*out = local_take(&s);
	if (!lex_skip_cfws(&s, NULL))
		return false;
	if (out->n > 0 && s.n == 0)
		return true;
	do {
		word = local_take(&s);
		if (!lex_skip_cfws(&s, NULL))
			return false;
	} while (word.n > 0);
	if (!str_skip(&s, STR("<")) || !lex_skip_cfws(&s, NULL))
		return false;
	*out = local_take(&s);
	return out->n > 0 && lex_skip_cfws(&s, NULL) &&
	    str_skip(&s, STR(">")) && lex_skip_cfws(&s, NULL) && s.n == 0;
}

static int
address_give(struct arena *a, struct str local, struct str domain,
    struct letter_rcpts *to)
{
	char room[MAILBOX_TEXT];
	struct buf b = BUF_OF(room);
	struct mailbox m;
	struct str text;

	mailbox_print(local, domain, &b);
	if (b.full || mailbox_parse(buf_str(&b), MAILBOX_UTF8, &m) != NULL)
		return cli_fail(EX_DATAERR, "'" STR_FMT "@" STR_FMT "' is not "
		    "an address", STR_ARG(str_sub(local, 0, LOCAL_MOST)),
		    STR_ARG(str_sub(domain, 0, DOMAIN_MOST)));
	text = arena_copy(a, buf_str(&b));
	return text.p == NULL ? cli_fail(EX_TEMPFAIL, "no memory") :
	    to->add(to, text);
}

static int
bare_give(struct arena *a, struct str raw, struct str origin,
    struct letter_rcpts *to)
{
	struct str local;
	struct buf b = { .p = arena_alloc(a, raw.n + 1), .cap = raw.n };

	if (b.p == NULL)
		return cli_fail(EX_TEMPFAIL, "no memory");
	if (!bare_local(raw, &local))
		return cli_fail(EX_DATAERR, "'" STR_FMT "' is not an address",
		    STR_ARG(str_sub(raw, 0, 200)));
	if (local.p[0] == '"')
		lex_unquote(str_sub(local, 1, local.n - 2), &b);
	else
		buf_put(&b, local);
	return address_give(a, buf_str(&b), origin, to);
}

int
letter_addresses(struct arena *a, struct str list, struct str origin,
    struct letter_rcpts *to)
{
	struct addrlist l;
	struct addrlist_item item;
	int rc = 0;

	addrlist_begin(&l, list, a);
	while (rc == 0 && addrlist_next(&l, &item))
		switch (item.kind) {
		case ADDRLIST_MAILBOX:
			rc = address_give(a, item.local, item.domain, to);
			break;
		case ADDRLIST_BAD:
			rc = bare_give(a, item.raw, origin, to);
			break;
		case ADDRLIST_NO_MEMORY:
			rc = cli_fail(EX_TEMPFAIL, "no memory");
			break;
		case ADDRLIST_GROUP:
		case ADDRLIST_GROUP_END:
			break;
		}
	return rc;
}

/* ---- fields ---- */

enum rule { RULE_COMPLETE = 1, RULE_RCPTS = 2, RULE_RESENT = 4, RULE_DROP = 8 };

static unsigned
rules_of(const struct letter_field *f)
{
	static const struct { enum header_name name; unsigned rules; } all[] = {
		{ HEADER_BCC, RULE_RCPTS | RULE_DROP },
		{ HEADER_CC, RULE_RCPTS | RULE_COMPLETE },
		{ HEADER_FROM, RULE_COMPLETE },
		{ HEADER_REPLY_TO, RULE_COMPLETE },
		{ HEADER_RESENT_BCC, RULE_RCPTS | RULE_RESENT | RULE_DROP },
		{ HEADER_RESENT_CC, RULE_RCPTS | RULE_RESENT | RULE_COMPLETE },
		{ HEADER_RESENT_FROM, RULE_COMPLETE },
		{ HEADER_RESENT_SENDER, RULE_COMPLETE },
		{ HEADER_RESENT_TO, RULE_RCPTS | RULE_RESENT | RULE_COMPLETE },
		{ HEADER_RETURN_PATH, RULE_DROP },
		{ HEADER_SENDER, RULE_COMPLETE },
		{ HEADER_TO, RULE_RCPTS | RULE_COMPLETE },
	};

	for (size_t i = 0; i < sizeof all / sizeof *all; i++)
		if (all[i].name == f->known)
			return all[i].rules;
	return str_eq_icase(f->name, STR("Content-Length")) ? RULE_DROP : 0;
}

int
letter_recipients(const struct letter *l, struct str origin,
    struct letter_rcpts *to)
{
	int rc = 0;

	for (struct letter_field *f = l->fields; f != NULL && rc == 0;
	    f = f->next) {
		unsigned rules = rules_of(f);

		if ((rules & RULE_RCPTS) == 0 || ((rules & RULE_RESENT) != 0) !=
		    l->is_resent || f->is_resent != l->is_resent)
			continue;
		rc = letter_addresses(l->arena, f->value, origin, to);
	}
	return rc;
}

/* The field with the origin put behind each address that has no domain. */
static void
field_complete(const struct letter *l, const struct letter_field *f,
    struct str origin, struct buf *out)
{
	struct addrlist list;
	struct addrlist_item item;
	struct str local, rest = f->raw;

	addrlist_begin(&list, f->value, l->arena);
	while (addrlist_next(&list, &item)) {
		size_t before;

		if (item.kind != ADDRLIST_BAD || !bare_local(item.raw, &local))
			continue;
		before = (size_t)(local.p + local.n - rest.p);
		must(local.p >= rest.p && before <= rest.n);
		buf_put(out, str_sub(rest, 0, before));
		buf_putc(out, '@');
		buf_put(out, origin);
		rest = str_sub(rest, before, rest.n);
	}
	buf_put(out, rest);
}

/* RFC 2047 4.2: encoded words of whole characters, none longer than 75. */
static void
name_encode(struct str name, struct buf *out)
{
	size_t word = WORD_MOST;

	while (name.n > 0) {
		size_t n = str_utf8_char(name);

		n = n == 0 ? 1 : n;
		if (word + 3 * n + 2 > WORD_MOST) {
			buf_printf(out, "%s=?UTF-8?Q?", out->n > 0 ? "?= " : "");
			word = 10;
		}
		for (size_t i = 0; i < n; i++)
			buf_printf(out, ascii_is_alnum(name.p[i]) ? "%c" :
			    "=%02X", (unsigned char)name.p[i]);
		word += 3 * n;
		name = str_sub(name, n, name.n);
	}
	buf_put(out, STR("?="));
}

static void
name_put(struct str name, struct buf *out)
{
	if (!str_is_printable(name)) {
		name_encode(name, out);
		return;
	}
	buf_putc(out, '"');
	for (size_t i = 0; i < name.n; i++) {
		if (name.p[i] == '"' || name.p[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, name.p[i]);
	}
	buf_putc(out, '"');
}

static void
from_put(struct str from, struct str name, struct buf *out)
{
	char room[FROM_MOST];
	struct buf b = BUF_OF(room);

	name = str_sub(name, 0, 256);
	if (name.n > 0) {
		name_put(name, &b);
		buf_printf(&b, " <" STR_FMT ">", STR_ARG(from));
	} else
		buf_put(&b, from);
	if (!b.full)
		(void)header_put(out, STR("From"), buf_str(&b));
}

struct str
letter_header(const struct letter *l, struct str origin, struct str from,
    struct str name)
{
	struct buf out = { .cap = FROM_MOST + 2 };
	bool has_from = false;

	for (struct letter_field *f = l->fields; f != NULL; f = f->next)
		/* at most every second octet is an address of its own */
		out.cap += (rules_of(f) & RULE_COMPLETE) != 0 ?
		    f->raw.n + (f->raw.n / 2 + 1) * (origin.n + 1) : f->raw.n;
	out.p = arena_alloc(l->arena, out.cap);
	if (out.p == NULL)
		return STR_NONE;
	for (struct letter_field *f = l->fields; f != NULL; f = f->next) {
		has_from = has_from || f->known == HEADER_FROM;
		if ((rules_of(f) & RULE_COMPLETE) != 0)
			field_complete(l, f, origin, &out);
		else if ((rules_of(f) & RULE_DROP) == 0)
			buf_put(&out, f->raw);
	}
	if (!has_from)
		from_put(from, name, &out);
	buf_put(&out, STR("\r\n"));
	must(!out.full);
	return buf_str(&out);
}
