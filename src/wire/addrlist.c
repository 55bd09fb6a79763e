#include "wire/addrlist.h"

#include "base/buf.h"
#include "base/must.h"
#include "wire/lex.h"

#define OPEN SIZE_MAX		/* a quote, comment or bracket does not end */

/* How many octets the token at the front is that hides what is in it: a quoted
 * string, comment or literal; 0: there is none; OPEN. */
static size_t
hidden(struct str s)
{
	size_t n;

	switch (s.p[0]) {
	case '"':
		n = lex_quoted(s);
		break;
	case '(':
		n = lex_comment(s);
		break;
	case '[':
		n = str_find(s, ']');
		n = n < s.n ? n + 1 : 0;
		break;
	default:
		return 0;
	}
	return n == 0 ? OPEN : n;
}

/* Where the first of the marks stands that nothing hides; s.n: nowhere. */
static size_t
find_mark(struct str s, struct str marks)
{
	size_t i = 0, n;

	while (i < s.n && str_find(marks, s.p[i]) == marks.n) {
		if ((n = hidden(str_sub(s, i, s.n))) == OPEN)
			return OPEN;
		i += n == 0 ? 1 : n;
	}
	return i;
}

/* How long the member at the front is: to a comma or semicolon outside < >.
 * What a < opens ends before the next one, so each octet is seen twice at most.
 */
static size_t
member_length(struct str s)
{
	size_t i = 0, n, close;

	while ((n = find_mark(str_sub(s, i, s.n), STR(",;<"))) != OPEN) {
		i += n;
		if (i == s.n || s.p[i] != '<')
			return i;
		i++;
		close = find_mark(str_sub(s, i, s.n), STR("<>;"));
		if (close != OPEN && i + close < s.n && s.p[i + close] == '>')
			i += close;
	}
	return s.n;
}

/* ---- one region: a name, a local part, a domain ---- */

enum region { NAME, LOCAL, DOMAIN };

/* One word off the front of *s, written out. */
static bool
word_put(struct str *s, enum region kind, struct buf *out)
{
	size_t n;

	if (s->p[0] == '"' && kind != DOMAIN) {
		if ((n = lex_quoted(*s)) == 0)
			return false;
		lex_unquote(str_sub(*s, 1, n - 2), out);
	} else if (s->p[0] == '[' && kind == DOMAIN && out->n == 0) {
		if ((n = str_find(*s, ']') + 1) > s->n)
			return false;
		buf_put(out, str_sub(*s, 0, n));
	} else {
		if ((n = lex_atom(*s)) == 0)
			return false;
		buf_put(out, str_sub(*s, 0, n));
	}
	*s = str_sub(*s, n, s->n);
	return true;
}

/*
 * RFC 5322 4.1, 4.4:	obs-phrase = word *(word / "." / CFWS)
 *			obs-local-part = word *("." word)
 *			obs-domain = atom *("." atom)
 * with dots anywhere in a local part, as some providers hand them out.
 */
static bool
flatten(struct str s, enum region kind, struct buf *out, struct str *comment)
{
	bool after_word = false, any = false;

	for (;;) {
		struct str was = s;

		if (!lex_skip_cfws(&s, comment))
			return false;
		if (s.n == 0)
			break;
		if (kind == NAME && out->n > 0 && s.n < was.n)
			buf_putc(out, ' ');
		if (str_skip(&s, STR("."))) {
			if (kind == DOMAIN && !after_word)
				return false;
			buf_putc(out, '.');
			after_word = false;
			continue;
		}
		if ((kind != NAME && after_word) || !word_put(&s, kind, out))
			return false;
		after_word = any = true;
	}
	return kind == NAME || (any && (after_word || kind == LOCAL));
}

enum outcome { FINE, BAD, NO_MEMORY };

/* The region as one string: a slice of it where that says the same. */
static enum outcome
region_read(struct arena *a, struct str s, enum region kind, struct str *out,
    struct str *comment)
{
	struct arena_mark mark = arena_mark(a);
	struct buf b = { .cap = s.n };

	s = str_trim(s);
	if ((b.p = arena_alloc(a, s.n + 1)) == NULL)
		return NO_MEMORY;
	if (!flatten(s, kind, &b, comment)) {
		arena_back(a, mark);
		return BAD;
	}
	must(!b.full);
	*out = buf_str(&b);
	if (str_eq(*out, s)) {
		arena_back(a, mark);
		*out = s;
	}
	return FINE;
}

/* addr-spec = local-part "@" domain */
static enum outcome
spec_read(struct arena *a, struct str s, struct addrlist_item *out,
    struct str *comment)
{
	size_t sign = find_mark(s, STR("@"));
	enum outcome o;

	if (sign == OPEN || sign == s.n)
		return BAD;
	o = region_read(a, str_sub(s, 0, sign), LOCAL, &out->local, NULL);
	if (o != FINE)
		return o;
	return region_read(a, str_sub(s, sign + 1, s.n), DOMAIN, &out->domain,
	    comment);
}

/* obs-angle-addr = [CFWS] "<" obs-route addr-spec ">" [CFWS]; the route goes. */
static struct str
without_route(struct str s)
{
	size_t colon;

	if (!lex_skip_cfws(&s, NULL) || s.n == 0 || s.p[0] != '@')
		return s;
	colon = find_mark(s, STR(":"));
	return colon == OPEN ? s : str_sub(s, colon + 1, s.n);
}

/* A name that the grammar would not have is shown as it stands: the address
 * behind it counts. */
static enum outcome
name_read(struct arena *a, struct str s, struct str *out)
{
	enum outcome o;

	s = str_trim(s);
	if (s.n == 0)
		return FINE;
	o = region_read(a, s, NAME, out, NULL);
	if (o == BAD)
		*out = s;
	return o == NO_MEMORY ? o : FINE;
}

/* name-addr = [display-name] angle-addr */
static enum outcome
angle_read(struct arena *a, struct str s, size_t open,
    struct addrlist_item *out)
{
	struct str inside = str_sub(s, open + 1, s.n), behind;
	size_t close = find_mark(inside, STR(">"));
	enum outcome o;

	if (close == OPEN || close == inside.n)
		return BAD;
	behind = str_sub(inside, close + 1, inside.n);
	if (!lex_skip_cfws(&behind, NULL) || behind.n > 0)
		return BAD;
	inside = without_route(str_sub(inside, 0, close));
	if ((o = spec_read(a, inside, out, NULL)) != FINE)
		return o;
	return name_read(a, str_sub(s, 0, open), &out->name);
}

/* mailbox = name-addr / addr-spec */
static enum outcome
mailbox_read(struct arena *a, struct str s, struct addrlist_item *out)
{
	size_t open = find_mark(s, STR("<"));
	struct str comment = STR_NONE;
	enum outcome o;

	if (open == OPEN)
		return BAD;
	if (open < s.n)
		return angle_read(a, s, open, out);
	o = spec_read(a, s, out, &comment);
	if (o == FINE && comment.p != NULL)
		out->name = str_trim(comment);
	return o;
}

/* ---- the walk ---- */

void
addrlist_begin(struct addrlist *l, struct str value, struct arena *arena)
{
	*l = (struct addrlist){ .rest = value, .arena = arena };
}

static bool
item_end(struct addrlist *l, enum outcome o, struct addrlist_item *out)
{
	if (o == FINE)
		return true;
	*out = (struct addrlist_item){ .raw = out->raw,
		.kind = o == BAD ? ADDRLIST_BAD : ADDRLIST_NO_MEMORY };
	if (o == NO_MEMORY)
		l->rest = STR_NONE;
	return true;
}

/* group = display-name ":" [group-list] ";" [CFWS]; n octets stand before the
 * colon. */
static bool
group_begin(struct addrlist *l, size_t n, struct addrlist_item *out)
{
	out->kind = ADDRLIST_GROUP;
	out->raw = str_trim(str_sub(l->rest, 0, n + 1));
	l->in_group = true;
	l->rest = str_sub(l->rest, n + 1, l->rest.n);
	return item_end(l, name_read(l->arena, str_sub(out->raw, 0,
	    out->raw.n - 1), &out->name), out);
}

/* Is there anything?  Commas and white space that stand for nothing go. */
static bool
skip_to_member(struct addrlist *l)
{
	do {
		if (!lex_skip_cfws(&l->rest, NULL))
			return true;	/* a comment that does not end: bad */
	} while (str_skip(&l->rest, STR(",")) ||
	    (!l->in_group && str_skip(&l->rest, STR(";"))));
	return l->rest.n > 0;
}

bool
addrlist_next(struct addrlist *l, struct addrlist_item *out)
{
	size_t n;

	*out = (struct addrlist_item){ .kind = ADDRLIST_MAILBOX };
	if (!skip_to_member(l))
		return false;
	if (str_skip(&l->rest, STR(";"))) {
		out->kind = ADDRLIST_GROUP_END;
		l->in_group = false;
		return true;
	}
	n = find_mark(l->rest, STR(":<@,;"));
	if (!l->in_group && n < l->rest.n && l->rest.p[n] == ':')
		return group_begin(l, n, out);
	n = member_length(l->rest);
	out->raw = str_trim(str_sub(l->rest, 0, n));
	l->rest = str_sub(l->rest, n, l->rest.n);
	return item_end(l, mailbox_read(l->arena, out->raw, out), out);
}
