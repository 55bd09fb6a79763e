/*
 * The format, RFC 2045 5.1 and RFC 2231 7:
 *
 *	content   = type "/" subtype *( ";" parameter )
 *	parameter = attribute [ "*" section ] [ "*" ] "=" value
 *	value     = token / quoted-string; with the last "*" it is
 *		    [ charset "'" language "'" ] *( attribute-char / "%" 2HEX ),
 *		    charset and language only in section 0
 *	token     = 1*<any ASCII but SPACE, CTLs and ()<>@,;:\"/[]?=>
 *
 * An unquoted value may here hold all but white space, CTLs and ();".
 */
#include "wire/content_type.h"

#include "base/num.h"
#include "wire/lex.h"

static size_t
token_length(struct str s)
{
	static const struct str specials = STR_INIT("()<>@,;:\\\"/[]?=");
	size_t n = 0;

	while (n < s.n && s.p[n] > ' ' && s.p[n] <= '~' &&
	    str_find(specials, s.p[n]) == specials.n)
		n++;
	return n;
}

/* Unquoted values are written with "=", "/" and more by many. */
static size_t
value_length(struct str s)
{
	static const struct str ends = STR_INIT("();\"");
	size_t n = 0;

	while (n < s.n && (s.p[n] > ' ' || s.p[n] < 0) && s.p[n] != 0x7f &&
	    str_find(ends, s.p[n]) == ends.n)
		n++;
	return n;
}

static struct str
token_take(struct str *s)
{
	struct str token = str_sub(*s, 0, token_length(*s));

	*s = str_sub(*s, token.n, s->n);
	return token;
}

/* Only white space, comments or parameters may follow. */
static bool
rest_is_params(struct str *s)
{
	return lex_skip_cfws(s, NULL) && (s->n == 0 || s->p[0] == ';');
}

struct content_type
content_type_read(struct str value)
{
	struct content_type c = { .is_valid = false };

	if (!lex_skip_cfws(&value, NULL))
		return c;
	c.type = token_take(&value);
	if (c.type.n == 0 || !lex_skip_cfws(&value, NULL) ||
	    !str_skip(&value, STR("/")) || !lex_skip_cfws(&value, NULL))
		return c;
	c.subtype = token_take(&value);
	c.is_valid = c.subtype.n > 0 && rest_is_params(&value);
	c.params = c.is_valid ? value : STR("");
	return c;
}

bool
content_type_is(const struct content_type *c, struct str type,
    struct str subtype)
{
	return c->is_valid && str_eq_icase(c->type, type) &&
	    (subtype.n == 0 || str_eq_icase(c->subtype, subtype));
}

struct str
content_token(struct str value, struct str *params)
{
	struct str token;

	if (!lex_skip_cfws(&value, NULL))
		return STR_NONE;
	token = token_take(&value);
	if (token.n == 0 || !rest_is_params(&value))
		return STR_NONE;
	if (params != NULL)
		*params = value;
	return token;
}

/* ---- parameters ---- */

struct param {
	struct str name;		/* without its asterisks */
	struct str value;		/* inside the quotes when quoted */
	uint64_t section;
	bool has_section, is_extended, is_quoted;
};

/* "title*1*" is title, section 1, extended. */
static bool
param_name(struct str name, struct param *p)
{
	struct str section = name;

	p->name = str_cut(&section, '*');
	p->has_section = p->is_extended = false;
	p->section = 0;
	if (p->name.n == name.n)
		return true;
	if (section.n == 0) {
		p->is_extended = true;
		return true;
	}
	if (section.p[section.n - 1] == '*') {
		p->is_extended = true;
		section.n--;
	}
	p->has_section = true;
	return parse_u64(section, CONTENT_SECTIONS_MOST, &p->section);
}

static bool
param_value(struct str *s, struct param *p)
{
	size_t n = lex_quoted(*s);

	p->is_quoted = n > 0;
	if (n > 0) {
		p->value = str_sub(*s, 1, n - 2);
		*s = str_sub(*s, n, s->n);
		return true;
	}
	p->value = str_sub(*s, 0, value_length(*s));
	*s = str_sub(*s, p->value.n, s->n);
	return p->value.n > 0;
}

/* The next parameter off the front: 1, 0 at the end, -1 unreadable. */
static int
param_take(struct str *s, struct param *p)
{
	do {
		if (!lex_skip_cfws(s, NULL))
			return -1;
		if (s->n == 0)
			return 0;
	} while (str_skip(s, STR(";")));
	if (!param_name(token_take(s), p) || p->name.n == 0 ||
	    !lex_skip_cfws(s, NULL) || !str_skip(s, STR("=")) ||
	    !lex_skip_cfws(s, NULL) || !param_value(s, p))
		return -1;
	return rest_is_params(s) ? 1 : -1;
}

static int
hex_value(char c)
{
	c = ascii_lower(c);
	if (ascii_is_digit(c))
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 2231 4 */
static int
percent_read(struct str s, struct buf *out)
{
	while (s.n > 0) {
		if (s.p[0] != '%') {
			buf_putc(out, s.p[0]);
			s = str_sub(s, 1, s.n);
			continue;
		}
		if (s.n < 3 || hex_value(s.p[1]) < 0 || hex_value(s.p[2]) < 0)
			return -1;
		buf_putc(out, (char)(hex_value(s.p[1]) << 4 |
		    hex_value(s.p[2])));
		s = str_sub(s, 3, s.n);
	}
	return 0;
}

static int
param_write(const struct param *p, struct buf *out)
{
	struct str value = p->value;

	if (!p->is_extended) {
		if (p->is_quoted)
			lex_unquote(value, out);
		else
			buf_put(out, value);
		return 0;
	}
	if (p->section == 0) {
		(void)str_cut(&value, '\'');	/* charset, language */
		if (value.p == NULL || str_find(value, '\'') == value.n)
			return -1;
		(void)str_cut(&value, '\'');
	}
	return percent_read(value, out);
}

/* The parameter with that section: how many there are, -1 when unreadable. */
static int
param_find(struct str params, struct str name, bool has_section,
    uint64_t section, struct param *out)
{
	struct param p;
	unsigned n = 0;
	int found = 0, rc;

	while ((rc = param_take(&params, &p)) > 0) {
		if (++n > CONTENT_PARAMS_MOST)
			return -1;
		if (!str_eq_icase(p.name, name) ||
		    p.has_section != has_section || p.section != section)
			continue;
		found++;
		*out = p;
	}
	return rc < 0 ? -1 : found;
}

/* RFC 2231 3: section after section until one is missing. */
static int
sections_write(struct str params, struct str name, struct buf *out)
{
	struct param p;
	int found;

	for (uint64_t i = 0; i <= CONTENT_SECTIONS_MOST; i++) {
		found = param_find(params, name, true, i, &p);
		if (found < 0 || found > 1)
			return -1;
		if (found == 0)
			return i > 0;
		if (param_write(&p, out) != 0)
			return -1;
	}
	return -1;
}

int
content_param(struct str params, struct str name, struct buf *out)
{
	struct param p;
	int found = param_find(params, name, false, 0, &p), rc;

	if (found < 0 || found > 1)
		return -1;
	if (found == 1)
		rc = param_write(&p, out) == 0 ? 1 : -1;
	else
		rc = sections_write(params, name, out);
	return out->full ? -1 : rc;
}
