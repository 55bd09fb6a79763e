/*
 * RFC 7208 12:
 *
 * record           = version terms *SP
 * version          = "v=spf1"
 * terms            = *( 1*SP ( directive / modifier ) )
 * directive        = [ qualifier ] mechanism
 * qualifier        = "+" / "-" / "?" / "~"
 * mechanism        = ( all / include / a / mx / ptr / ip4 / ip6 / exists )
 * modifier         = redirect / explanation / unknown-modifier
 * unknown-modifier = name "=" macro-string
 * name             = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." )
 */
#include "wire/spf.h"

#include "base/must.h"
#include "base/num.h"

enum { LABELS_MOST = 128 };

const char *
spf_result_name(enum spf_result result)
{
	static const char *const names[] = { "none", "neutral", "pass", "fail",
	    "softfail", "temperror", "permerror" };

	must(result <= SPF_PERMERROR);
	return names[result];
}

bool
spf_is_record(struct str txt)
{
	return str_skip_icase(&txt, STR("v=spf1")) &&
	    (txt.n == 0 || txt.p[0] == ' ');
}

/* ---- macro-strings ---- */

/*
 * macro-string  = *( macro-expand / macro-literal )
 * macro-expand  = ( "%{" macro-letter transformers *delimiter "}" )
 *               / "%%" / "%_" / "%-"
 * macro-literal = %x21-24 / %x26-7E
 * transformers  = *DIGIT [ "r" ]
 * delimiter     = "." / "-" / "+" / "," / "/" / "_" / "="
 */
struct macro {
	char letter;			/* '%': stands for `literal' */
	struct str literal;
	uint64_t keep;			/* labels on the right; 0: all */
	bool is_reversed, is_escaped;	/* upper case: for a URL */
	struct str delimiters;		/* n == 0: "." */
};

static bool
is_delimiter(char c)
{
	return c != '\0' && str_find(STR(".-+,/_="), c) < 7;
}

static bool
macro_letter(char c, enum spf_use use)
{
	struct str known = use == SPF_IN_DOMAIN ? STR("slodiphv") :
	    STR("slodiphvcrt");

	return str_find(known, ascii_lower(c)) < known.n;
}

/* Behind "%{". */
static bool
macro_braced(struct str *s, enum spf_use use, struct macro *m)
{
	struct str inside;
	size_t end = str_find(*s, '}'), digits = 0;

	if (end == s->n || end == 0 || !macro_letter(s->p[0], use))
		return false;
	inside = str_sub(*s, 1, end - 1);
	m->letter = ascii_lower(s->p[0]);
	m->is_escaped = m->letter != s->p[0];
	*s = str_sub(*s, end + 1, s->n);
	while (digits < inside.n && ascii_is_digit(inside.p[digits]))
		digits++;
	/* RFC 7208 7.3: the number of labels is not zero. */
	if (digits > 0 && (!parse_u64(str_sub(inside, 0, digits), UINT64_MAX,
	    &m->keep) || m->keep == 0))
		return false;
	inside = str_sub(inside, digits, inside.n);
	m->is_reversed = str_skip_icase(&inside, STR("r"));
	for (size_t i = 0; i < inside.n; i++)
		if (!is_delimiter(inside.p[i]))
			return false;
	m->delimiters = inside;
	return true;
}

/* The next piece of a macro-string: a macro, or as much as stands for itself. */
static bool
macro_next(struct str *s, enum spf_use use, struct macro *m)
{
	size_t at = str_find(*s, '%');

	*m = (struct macro){ .letter = '%', .literal = str_sub(*s, 0, at) };
	if (at > 0) {
		*s = str_sub(*s, at, s->n);
		return true;
	}
	if (s->n < 2)
		return false;
	*s = str_sub(*s, 1, s->n);
	m->literal = STR("%");
	if (str_skip(s, STR("{")))
		return macro_braced(s, use, m);
	if (str_skip(s, STR("%")))
		return true;
	m->literal = STR(" ");
	if (str_skip(s, STR("_")))
		return true;
	m->literal = STR("%20");
	return str_skip(s, STR("-"));
}

static bool
is_macro_string(struct str s, enum spf_use use)
{
	struct macro m;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x21 && !(use == SPF_IN_EXPLANATION &&
		    s.p[i] == ' '))
			return false;
	if (!str_is_printable(s))
		return false;
	while (s.n > 0)
		if (!macro_next(&s, use, &m))
			return false;
	return true;
}

bool
spf_is_explanation(struct str s)
{
	return is_macro_string(s, SPF_IN_EXPLANATION);
}

bool
spf_has_macro(struct str s, char letter)
{
	struct macro m;

	while (s.n > 0 && macro_next(&s, SPF_IN_EXPLANATION, &m))
		if (m.letter == letter)
			return true;
	return false;
}

/* toplabel = ( *alphanum ALPHA *alphanum ) / ( 1*alphanum "-" *( alphanum / "-" )
 * alphanum ) */
static bool
is_toplabel(struct str s)
{
	bool has_alpha = false, has_hyphen = false;

	if (s.n == 0 || s.p[0] == '-' || s.p[s.n - 1] == '-')
		return false;
	for (size_t i = 0; i < s.n; i++) {
		has_alpha = has_alpha || ascii_is_alpha(s.p[i]);
		has_hyphen = has_hyphen || s.p[i] == '-';
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-')
			return false;
	}
	return has_alpha || has_hyphen;
}

/* domain-spec = macro-string domain-end
 * domain-end  = ( "." toplabel [ "." ] ) / macro-expand */
static bool
is_domain_spec(struct str s)
{
	struct str end = s;
	bool is_expand = false;
	struct macro m;

	if (s.n == 0 || !is_macro_string(s, SPF_IN_DOMAIN))
		return false;
	while (end.n > 0) {
		is_expand = end.p[0] == '%';
		(void)macro_next(&end, SPF_IN_DOMAIN, &m);
	}
	if (is_expand)
		return true;
	if (s.p[s.n - 1] == '.')
		s.n--;
	return str_find_last(s, '.') < s.n &&
	    is_toplabel(str_sub(s, str_find_last(s, '.') + 1, s.n));
}

/* ---- expansion (7.3) ---- */

static struct str
macro_value(const struct macro *m, const struct spf_facts *f, struct buf *both)
{
	switch (m->letter) {
	case 's':
		buf_put(both, f->local);
		buf_putc(both, '@');
		buf_put(both, f->sender_domain);
		return buf_str(both);
	case 'l': return f->local;
	case 'o': return f->sender_domain;
	case 'd': return f->domain;
	case 'i': return f->ip;
	case 'p': return f->validated;
	case 'h': return f->helo;
	case 'v': return f->version;
	case 'c': return f->ip_readable;
	case 'r': return f->receiver;
	default:
		must(m->letter == 't');
		return f->time;
	}
}

/* RFC 3986 2.3: what may stand in a URL as it is. */
static void
octet_put(struct buf *out, char c, bool is_escaped)
{
	if (!is_escaped || ascii_is_alnum(c) || c == '-' || c == '.' ||
	    c == '_' || c == '~')
		buf_putc(out, c);
	else
		buf_printf(out, "%%%02X", (unsigned char)c);
}

static void
part_put(struct buf *out, struct str part, bool is_escaped)
{
	for (size_t i = 0; i < part.n; i++)
		octet_put(out, part.p[i], is_escaped);
}

/* Split at the delimiters, reverse, keep so many on the right, join with dots. */
static bool
macro_put(const struct macro *m, struct str value, struct buf *out)
{
	struct str parts[LABELS_MOST],
	    at = m->delimiters.n > 0 ? m->delimiters : STR(".");
	size_t n = 0, begun = 0, first;

	for (size_t i = 0; i <= value.n; i++)
		if (i == value.n || str_find(at, value.p[i]) < at.n) {
			if (n == LABELS_MOST)
				return false;
			parts[n++] = str_sub(value, begun, i - begun);
			begun = i + 1;
		}
	first = m->keep > 0 && m->keep < n ? n - (size_t)m->keep : 0;
	for (size_t i = first; i < n; i++) {
		if (i > first)
			buf_putc(out, '.');
		part_put(out, parts[m->is_reversed ? n - 1 - i : i],
		    m->is_escaped);
	}
	return true;
}

bool
spf_expand(struct str spec, const struct spf_facts *f, struct buf *out)
{
	char room[512];
	struct macro m;

	while (spec.n > 0) {
		struct buf both = BUF_OF(room);

		if (!macro_next(&spec, SPF_IN_EXPLANATION, &m))
			return false;
		if (m.letter == '%') {
			buf_put(out, m.literal);
			continue;
		}
		if ((m.letter == 's' || m.letter == 'l') &&
		    !str_is_ascii(f->local))
			return false;
		if (!macro_put(&m, macro_value(&m, f, &both), out) ||
		    both.full)
			return false;
	}
	return !out->full;
}

/* ---- terms ---- */

enum { TAKES_NOTHING = 0, MAY_DOMAIN = 1, NEEDS_DOMAIN = 2, TAKES_IP = 4,
	TAKES_CIDR = 8 };

static const struct { struct str name; unsigned takes; } mechanisms[] = {
	[SPF_ALL] = { STR_INIT("all"), TAKES_NOTHING },
	[SPF_INCLUDE] = { STR_INIT("include"), NEEDS_DOMAIN },
	[SPF_A] = { STR_INIT("a"), MAY_DOMAIN | TAKES_CIDR },
	[SPF_MX] = { STR_INIT("mx"), MAY_DOMAIN | TAKES_CIDR },
	[SPF_PTR] = { STR_INIT("ptr"), MAY_DOMAIN },
	[SPF_IP4] = { STR_INIT("ip4"), TAKES_IP },
	[SPF_IP6] = { STR_INIT("ip6"), TAKES_IP },
	[SPF_EXISTS] = { STR_INIT("exists"), NEEDS_DOMAIN },
};

/* ip4-cidr-length = "/" ( "0" / %x31-39 0*1DIGIT ), ip6 the same with 3 digits */
static bool
cidr_read(struct str s, unsigned most, unsigned *bits)
{
	uint64_t n;

	if (s.n == 0 || s.n > 3 || (s.n > 1 && s.p[0] == '0') ||
	    !parse_u64(s, most, &n))
		return false;
	*bits = (unsigned)n;
	return true;
}

/* The digits at the end of *s, if the slashes stand before them. */
static bool
cidr_cut(struct str *s, struct str slashes, struct str *digits)
{
	size_t n = s->n;

	while (n > 0 && ascii_is_digit(s->p[n - 1]))
		n--;
	if (n == s->n || n < slashes.n ||
	    !str_eq(str_sub(*s, n - slashes.n, slashes.n), slashes))
		return false;
	*digits = str_sub(*s, n, s->n);
	s->n = n - slashes.n;
	return true;
}

/* dual-cidr-length = [ ip4-cidr-length ] [ "/" ip6-cidr-length ], cut off the
 * end of *s; what is none of it stays: a "/" may be a macro's delimiter. */
static bool
dual_cidr_cut(struct str *s, struct spf_term *t)
{
	struct str digits;

	if (cidr_cut(s, STR("//"), &digits) &&
	    !cidr_read(digits, 128, &t->bits6))
		return false;
	return !cidr_cut(s, STR("/"), &digits) ||
	    cidr_read(digits, 32, &t->bits4);
}

/* qnum "." qnum "." qnum "." qnum: 0 to 255, without zeros in front */
static bool
is_ip4(struct str s)
{
	for (int i = 0; i < 4; i++) {
		bool has_more = str_find(s, '.') < s.n;
		struct str qnum = str_cut(&s, '.');
		uint64_t n;

		if (has_more != (i < 3) || qnum.n > 3 ||
		    (qnum.n > 1 && qnum.p[0] == '0') ||
		    !parse_u64(qnum, 255, &n))
			return false;
	}
	return true;
}

/* How many of eight groups it has; 9: it is malformed. */
static unsigned
ip6_groups(struct str s, bool may_end_in_ip4)
{
	unsigned n = 0;

	while (s.n > 0) {
		bool has_more = str_find(s, ':') < s.n;
		struct str group = str_cut(&s, ':');

		if (!has_more && may_end_in_ip4 && is_ip4(group))
			return n + 2;
		if (group.n == 0 || group.n > 4 || n == 8 ||
		    (has_more && s.n == 0))
			return 9;
		for (size_t i = 0; i < group.n; i++)
			if (!ascii_is_digit(group.p[i]) &&
			    (ascii_lower(group.p[i]) < 'a' ||
			    ascii_lower(group.p[i]) > 'f'))
				return 9;
		n++;
	}
	return n;
}

/* RFC 4291 2.2 */
static bool
is_ip6(struct str s)
{
	size_t gap = str_find_str(s, STR("::"));

	if (gap == s.n)
		return ip6_groups(s, true) == 8;
	return ip6_groups(str_sub(s, 0, gap), false) +
	    ip6_groups(str_sub(s, gap + 2, s.n), true) < 8;
}

/* "192.0.2.0/24", "2001:db8::/32" */
static bool
ip_read(struct str s, struct spf_term *t)
{
	size_t slash = str_find(s, '/');
	bool is_four = t->kind == SPF_IP4;

	t->ip = str_sub(s, 0, slash);
	if (is_four ? !is_ip4(t->ip) : !is_ip6(t->ip))
		return false;
	return slash == s.n || cidr_read(str_sub(s, slash + 1, s.n),
	    is_four ? 32 : 128, is_four ? &t->bits4 : &t->bits6);
}

static const char *
mechanism_read(struct str s, struct spf_term *t)
{
	unsigned takes = mechanisms[t->kind].takes;
	bool has_domain = str_skip(&s, STR(":"));

	if ((takes & TAKES_IP) != 0)
		return has_domain && ip_read(s, t) ? NULL :
		    "is not an address, or a network";
	if ((takes & TAKES_CIDR) != 0 && !dual_cidr_cut(&s, t))
		return "has a prefix that is none";
	t->domain = s;
	if (!has_domain)
		return s.n > 0 ? "is followed by what means nothing" :
		    (takes & NEEDS_DOMAIN) != 0 ? "needs a domain" : NULL;
	if ((takes & (MAY_DOMAIN | NEEDS_DOMAIN)) == 0)
		return "takes no domain";
	return is_domain_spec(s) ? NULL : "has a domain that is none";
}

static enum spf_result
qualifier_cut(struct str *s)
{
	if (str_skip(s, STR("-")))
		return SPF_FAIL;
	if (str_skip(s, STR("~")))
		return SPF_SOFTFAIL;
	if (str_skip(s, STR("?")))
		return SPF_NEUTRAL;
	(void)str_skip(s, STR("+"));
	return SPF_PASS;
}

/* The letters and digits in front. */
static struct str
word_cut(struct str *s)
{
	size_t n = 0;
	struct str word;

	while (n < s->n && (ascii_is_alnum(s->p[n]) || s->p[n] == '-' ||
	    s->p[n] == '_' || s->p[n] == '.'))
		n++;
	word = str_sub(*s, 0, n);
	*s = str_sub(*s, n, s->n);
	return word;
}

static const char *
modifier_read(struct str name, struct str value, struct spf_term *t)
{
	t->domain = value;
	t->kind = str_eq_icase(name, STR("redirect")) ? SPF_REDIRECT :
	    str_eq_icase(name, STR("exp")) ? SPF_EXP : SPF_UNKNOWN;
	if (name.n == 0 || !ascii_is_alpha(name.p[0]))
		return "is no name";
	if (t->kind == SPF_UNKNOWN)
		return is_macro_string(value, SPF_IN_EXPLANATION) ? NULL :
		    "has a value that is no macro-string";
	return is_domain_spec(value) ? NULL : "has a domain that is none";
}

static const char *
term_read(struct str text, struct spf_term *t)
{
	struct str s = text, name = word_cut(&s);

	*t = (struct spf_term){ .text = text, .bits4 = 32, .bits6 = 128 };
	if (str_skip(&s, STR("=")))
		return modifier_read(name, s, t);
	s = text;
	t->qualifier = qualifier_cut(&s);
	name = word_cut(&s);
	for (int k = 0; k < SPF_MECHANISMS; k++)
		if (str_eq_icase(name, mechanisms[k].name)) {
			t->kind = (enum spf_kind)k;
			return mechanism_read(s, t);
		}
	return "is unknown";
}

const char *
spf_read(struct str record, struct spf_term *terms, size_t most, size_t *n)
{
	unsigned redirects = 0, exps = 0;
	const char *wrong;

	*n = 0;
	must(spf_is_record(record));
	record = str_sub(record, 6, record.n);
	while (record.n > 0) {
		struct str text = str_cut(&record, ' ');

		if (text.n == 0)
			continue;
		if (*n == most)
			return "has too many terms";
		wrong = term_read(text, &terms[*n]);
		redirects += wrong == NULL && terms[*n].kind == SPF_REDIRECT;
		exps += wrong == NULL && terms[*n].kind == SPF_EXP;
		++*n;
		if (wrong != NULL)
			return wrong;
		if (redirects > 1 || exps > 1)
			return "is there twice";
	}
	return NULL;
}
