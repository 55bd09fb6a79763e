#include "wire/ber.h"
#include "wire/ldap.h"

/*
 * RFC 4515 3:
 *	filter     = LPAREN filtercomp RPAREN
 *	filtercomp = and / or / not / item
 *	and        = AMPERSAND filterlist	or = VERTBAR filterlist
 *	not        = EXCLAMATION filter		filterlist = 1*filter (RFC 4526: *)
 *	item       = simple / present / substring / extensible
 * An element is opened for each parenthesis with &, | or !, at most
 * LDAP_FILTER_DEPTH within each other.
 */
enum { FILTER_AND = 0, FILTER_OR = 1, FILTER_NOT = 2, FILTER_EQUAL = 3,
	FILTER_SUBSTRINGS = 4, FILTER_GREATER = 5, FILTER_LESS = 6,
	FILTER_PRESENT = 7, FILTER_APPROX = 8, FILTER_EXTENSIBLE = 9 };

struct filter_level { size_t at; bool is_not; unsigned members; };

struct filter {
	struct buf *out;
	struct str text;		/* unread */
	struct filter_level levels[LDAP_FILTER_DEPTH];
	size_t depth;
};

static int
hex_value(char c)
{
	return ascii_is_digit(c) ? c - '0' : c >= 'a' && c <= 'f' ?
	    c - 'a' + 10 : c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* assertionvalue: octets as they are but for NUL ( ) * \, which are \xx. */
static bool
value_put(struct buf *b, unsigned char tag, struct str s)
{
	size_t at = ber_open(b, tag);

	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\0' || s.p[i] == '(' || s.p[i] == '*')
			return false;
		if (s.p[i] != '\\') {
			buf_putc(b, s.p[i]);
			continue;
		}
		if (s.n - i < 3 || hex_value(s.p[i + 1]) < 0 ||
		    hex_value(s.p[i + 2]) < 0)
			return false;
		buf_putc(b, (char)(hex_value(s.p[i + 1]) * 16 +
		    hex_value(s.p[i + 2])));
		i += 2;
	}
	ber_close(b, at);
	return true;
}

/* RFC 4512 2.5: attributedescription = attributetype options */
static bool
attribute_fits(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '.' &&
		    s.p[i] != ';')
			return false;
	return s.n > 0;
}

/* substring = attr EQUALS [initial] any [final]; any = ASTERISK *(value ASTERISK)
 * SubstringFilter ::= SEQUENCE { type, substrings SEQUENCE OF CHOICE {
 *	initial [0], any [1], final [2] } } */
static bool
substring_put(struct buf *b, struct str name, struct str value)
{
	size_t op = ber_open(b, BER_CONTEXT_SET(FILTER_SUBSTRINGS)), list;
	bool is_first = true, is_last = false;
	unsigned parts = 0;

	ber_put(b, BER_OCTETS, name);
	list = ber_open(b, BER_SEQUENCE);
	while (!is_last) {
		struct str part;
		size_t at = str_find(value, '*');

		is_last = at == value.n;
		part = str_sub(value, 0, at);
		value = str_sub(value, at + 1, value.n);
		if (part.n > 0 && !value_put(b, BER_CONTEXT(is_first ? 0 :
		    is_last ? 2 : 1), part))
			return false;
		parts += part.n > 0;
		is_first = false;
	}
	ber_close(b, list);
	ber_close(b, op);
	return parts > 0;
}

/* MatchingRuleAssertion ::= SEQUENCE { matchingRule [1] OPTIONAL, type [2]
 *	OPTIONAL, matchValue [3], dnAttributes [4] BOOLEAN DEFAULT FALSE }
 * extensible = ( attr [":dn"] [":" rule] ":=" value ) / ( [":dn"] ":" rule ":="
 *	value ) */
static bool
extensible_put(struct buf *b, struct str left, struct str value)
{
	size_t op = ber_open(b, BER_CONTEXT_SET(FILTER_EXTENSIBLE));
	struct str name = str_cut(&left, ':'), rule = left;
	bool has_dn = str_skip_icase(&rule, STR("dn"));

	/* "dn" is the word, or the beginning of a rule's name. */
	if (has_dn && rule.n > 0 && !str_skip(&rule, STR(":"))) {
		has_dn = false;
		rule = left;
	}
	if ((rule.n > 0 && !attribute_fits(rule)) ||
	    (name.n > 0 && !attribute_fits(name)) || name.n + rule.n == 0)
		return false;
	if (rule.n > 0)
		ber_put(b, BER_CONTEXT(1), rule);
	if (name.n > 0)
		ber_put(b, BER_CONTEXT(2), name);
	if (!value_put(b, BER_CONTEXT(3), value))
		return false;
	if (has_dn)
		ber_put(b, BER_CONTEXT(4), STR("\xff"));
	ber_close(b, op);
	return true;
}

static bool
simple_put(struct buf *b, unsigned kind, struct str name, struct str value)
{
	size_t op = ber_open(b, BER_CONTEXT_SET(kind));

	ber_put(b, BER_OCTETS, name);
	if (!value_put(b, BER_OCTETS, value))
		return false;
	ber_close(b, op);
	return true;
}

/* What stands between parentheses. */
static bool
item_put(struct buf *b, struct str item)
{
	size_t at = str_find(item, '=');
	struct str left = str_sub(item, 0, at), name;
	struct str value = str_sub(item, at + 1, item.n);
	unsigned kind = FILTER_EQUAL;
	char before;

	if (at == item.n || at == 0)
		return false;
	before = left.p[at - 1];
	name = str_sub(left, 0, at - 1);
	if (before == ':')
		return extensible_put(b, name, value);
	if (before == '~')
		kind = FILTER_APPROX;
	else if (before == '>')
		kind = FILTER_GREATER;
	else if (before == '<')
		kind = FILTER_LESS;
	else
		name = left;
	if (!attribute_fits(name))
		return false;
	if (kind == FILTER_EQUAL && str_eq(value, STR("*"))) {
		ber_put(b, BER_CONTEXT(FILTER_PRESENT), name);
		return true;
	}
	if (kind == FILTER_EQUAL && str_find(value, '*') < value.n)
		return substring_put(b, name, value);
	return simple_put(b, kind, name, value);
}

static bool
level_open(struct filter *f, char sign)
{
	unsigned kind = sign == '&' ? FILTER_AND : sign == '|' ? FILTER_OR :
	    FILTER_NOT;

	if (f->depth == LDAP_FILTER_DEPTH)
		return false;
	f->levels[f->depth++] = (struct filter_level){
		ber_open(f->out, BER_CONTEXT_SET(kind)), kind == FILTER_NOT, 0 };
	return true;
}

/* "(" has been read. */
static bool
filter_begin(struct filter *f)
{
	struct str item;
	size_t end;

	if (f->depth > 0 && f->levels[f->depth - 1].members++ > 0 &&
	    f->levels[f->depth - 1].is_not)
		return false;
	if (f->text.n > 0 && str_find(STR("&|!"), f->text.p[0]) < 3) {
		char sign = f->text.p[0];

		f->text = str_sub(f->text, 1, f->text.n);
		return level_open(f, sign);
	}
	end = str_find(f->text, ')');
	if (end == f->text.n)
		return false;
	item = str_sub(f->text, 0, end);
	f->text = str_sub(f->text, end + 1, f->text.n);
	return item_put(f->out, item);
}

/* ")" has been read. */
static bool
filter_end(struct filter *f)
{
	struct filter_level *l;

	if (f->depth == 0)
		return false;
	l = &f->levels[--f->depth];
	ber_close(f->out, l->at);
	/* RFC 4526: an empty & is true, an empty | is false. */
	return !l->is_not || l->members == 1;
}

bool
ldap_put_filter(struct buf *out, struct str text)
{
	struct filter f = { .out = out, .text = str_trim(text) };

	if (f.text.n > 0 && f.text.p[0] != '(')
		return str_find(f.text, ')') == f.text.n &&
		    item_put(out, f.text);
	do {
		if (str_skip(&f.text, STR("("))) {
			if (!filter_begin(&f))
				return false;
		} else if (!str_skip(&f.text, STR(")")) || !filter_end(&f)) {
			return false;
		}
		f.text = f.depth > 0 ? str_trim(f.text) : f.text;
	} while (f.depth > 0);
	return f.text.n == 0;
}
