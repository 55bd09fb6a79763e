#include "wire/address.h"

#include "base/must.h"
#include "base/num.h"

/* A grammar's answer inside this file; REFUSALS stands for none. */
#define FINE REFUSALS

static bool
at(struct str s, char c)
{
	return s.n > 0 && s.p[0] == c;
}

static void
drop(struct str *s, size_t n)
{
	must(n <= s->n);
	*s = str_sub(*s, n, s->n);
}

/* RFC 6531 3.3: UTF8-non-ascii; C1 controls (U+0080 to U+009F) stay out. */
static size_t
utf8_char(struct str s, unsigned flags)
{
	size_t n = (flags & MAILBOX_UTF8) == 0 ? 0 : str_utf8_char(s);

	if (n < 2 || (s.p[0] == '\xc2' && (unsigned char)s.p[1] < 0xa0))
		return 0;
	return n;
}

/* RFC 5322 3.2.3: how many octets an atext takes at the front of s. */
static size_t
atext(struct str s, unsigned flags)
{
	static const struct str marks = STR_INIT("!#$%&'*+-/=?^_`{|}~");

	if (s.n == 0)
		return 0;
	if (ascii_is_alnum(s.p[0]) || str_find(marks, s.p[0]) < marks.n)
		return 1;
	return utf8_char(s, flags);
}

/* RFC 5321 4.1.2: Dot-string = Atom *("." Atom).  Its length, 0: none. */
static size_t
dot_string(struct str s, unsigned flags)
{
	struct str rest = s;
	size_t n, in_atom = 0;

	for (;;) {
		if ((n = atext(rest, flags)) > 0)
			in_atom += n;
		else if (in_atom > 0 && at(rest, '.')) {
			n = 1;
			in_atom = 0;
		} else
			break;
		drop(&rest, n);
	}
	return in_atom > 0 ? s.n - rest.n : 0;
}

/* RFC 5321 4.1.2: Quoted-string = DQUOTE *QcontentSMTP DQUOTE
 *	qtextSMTP = %d32-33 / %d35-91 / %d93-126
 *	quoted-pairSMTP = %d92 %d32-126
 * Its length with the quotes, 0: none. */
static size_t
quoted_string(struct str s, unsigned flags)
{
	struct str rest = s;

	if (!at(rest, '"'))
		return 0;
	drop(&rest, 1);
	while (rest.n > 0 && rest.p[0] != '"') {
		size_t n = 1;

		if (rest.p[0] == '\\') {
			if (rest.n < 2 || rest.p[1] < 0x20 || rest.p[1] > 0x7e)
				return 0;
			n = 2;
		} else if (rest.p[0] < 0x20 || rest.p[0] > 0x7e)
			n = utf8_char(rest, flags);
		if (n == 0)
			return 0;
		drop(&rest, n);
	}
	return rest.n == 0 ? 0 : s.n - rest.n + 1;
}

/* IDNA's other full stops would be dots to some and letters to others. */
static bool
is_strange_dot(struct str s)
{
	return str_skip(&s, STR("\xe3\x80\x82")) ||	/* U+3002 */
	    str_skip(&s, STR("\xef\xbc\x8e")) ||	/* U+FF0E */
	    str_skip(&s, STR("\xef\xbd\xa1"));		/* U+FF61 */
}

/* RFC 5321 4.1.2: sub-domain = Let-dig [Ldh-str]; RFC 6531: / U-label. */
static size_t
label(struct str s, unsigned flags)
{
	struct str rest = s;
	size_t n;

	while (rest.n > 0) {
		if (ascii_is_alnum(rest.p[0]) || rest.p[0] == '-')
			n = 1;
		else if ((n = utf8_char(rest, flags)) == 0 ||
		    is_strange_dot(rest))
			break;
		drop(&rest, n);
	}
	n = s.n - rest.n;
	if (n == 0 || s.p[0] == '-' || s.p[n - 1] == '-' || n > LABEL_MOST)
		return 0;
	return n;
}

/* Domain = sub-domain *("." sub-domain).  Its length, 0: none. */
static size_t
domain_length(struct str s, unsigned flags)
{
	struct str rest = s;
	size_t n;

	for (;;) {
		if ((n = label(rest, flags)) == 0)
			return 0;
		drop(&rest, n);
		if (!at(rest, '.'))
			return s.n - rest.n;
		drop(&rest, 1);
	}
}

bool
domain_is_valid(struct str s, unsigned flags)
{
	return s.n > 0 && s.n <= DOMAIN_MOST && domain_length(s, flags) == s.n;
}

/* ---- address literals, RFC 5321 4.1.3 ---- */

/* IPv4-address-literal = Snum 3("." Snum); Snum = 1*3DIGIT, 0..255. */
static bool
literal_v4(struct str s, unsigned char ip[4])
{
	for (int i = 0; i < 4; i++) {
		bool has_more = str_find(s, '.') < s.n;
		struct str snum = str_cut(&s, '.');
		uint64_t v;

		if (has_more != (i < 3) || snum.n > 3 ||
		    !parse_u64(snum, 255, &v))
			return false;
		ip[i] = (unsigned char)v;
	}
	return true;
}

static int
hex_digit(char c)
{
	if (ascii_is_digit(c))
		return c - '0';
	c = ascii_lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* IPv6-hex = 1*4HEXDIG */
static bool
literal_group(struct str s, unsigned char two[2])
{
	unsigned v = 0;

	if (s.n < 1 || s.n > 4)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int d = hex_digit(s.p[i]);

		if (d < 0)
			return false;
		v = v << 4 | (unsigned)d;
	}
	two[0] = (unsigned char)(v >> 8);
	two[1] = (unsigned char)(v & 0xff);
	return true;
}

/* Groups between colons, an IPv4 address perhaps as the last two: how many
 * octets, or -1.  Empty is 0 groups. */
static int
literal_groups(struct str s, bool v4_may_end, unsigned char out[16])
{
	int n = 0;

	if (s.n > 0 && s.p[s.n - 1] == ':')
		return -1;
	while (s.n > 0) {
		struct str group = str_cut(&s, ':');

		if (s.n == 0 && v4_may_end && str_find(group, '.') < group.n)
			return n <= 12 && literal_v4(group, out + n) ? n + 4 :
			    -1;
		if (n >= 16 || !literal_group(group, out + n))
			return -1;
		n += 2;
	}
	return n;
}

/* IPv6-addr = IPv6-full / IPv6-comp / IPv6v4-full / IPv6v4-comp: eight groups,
 * or at most six with a "::" that stands for two at least. */
static bool
literal_v6(struct str s, unsigned char ip[16])
{
	size_t gap = str_find_str(s, STR("::"));
	unsigned char tail[16] = { 0 };
	int head_n, tail_n;

	memset(ip, 0, 16);
	if (gap == s.n)
		return literal_groups(s, true, ip) == 16;
	head_n = literal_groups(str_sub(s, 0, gap), false, ip);
	tail_n = literal_groups(str_sub(s, gap + 2, s.n), true, tail);
	if (head_n < 0 || tail_n < 0 || head_n + tail_n > 12)
		return false;
	memset(ip + head_n, 0, (size_t)(16 - head_n));
	memcpy(ip + 16 - tail_n, tail, (size_t)tail_n);
	return true;
}

size_t
literal_parse(struct str s, unsigned char ip[16])
{
	if (s.n < 2 || s.p[0] != '[' || s.p[s.n - 1] != ']')
		return 0;
	s = str_sub(s, 1, s.n - 2);
	if (str_skip_icase(&s, STR("IPv6:")))
		return literal_v6(s, ip) ? 16 : 0;
	return literal_v4(s, ip) ? 4 : 0;
}

void
literal_print(struct str ip, struct buf *out)
{
	if (at(ip, '[')) {
		buf_put(out, ip);
		return;
	}
	buf_put(out, str_find(ip, ':') < ip.n ? STR("[IPv6:") : STR("["));
	buf_put(out, ip);
	buf_putc(out, ']');
}

/* ---- mailboxes ---- */

static enum refusal_name
take_local(struct str *s, unsigned flags, struct mailbox *out)
{
	size_t n = at(*s, '"') ? quoted_string(*s, flags) :
	    dot_string(*s, flags);

	if (n == 0)
		return REFUSAL_BAD_RECIPIENT;
	if (n > LOCAL_MOST)
		return REFUSAL_LONG_LOCAL;
	out->quoted = at(*s, '"');
	out->local = out->quoted ? str_sub(*s, 1, n - 2) : str_sub(*s, 0, n);
	drop(s, n);
	return FINE;
}

static enum refusal_name
take_domain(struct str *s, unsigned flags, struct mailbox *out)
{
	unsigned char ip[16];
	size_t n;

	out->domain_is_literal = at(*s, '[');
	if (out->domain_is_literal) {
		n = str_find(*s, ']') + 1;
		if (n > s->n || literal_parse(str_sub(*s, 0, n), ip) == 0)
			return REFUSAL_BAD_RECIPIENT;
	} else if ((n = domain_length(*s, flags)) == 0)
		return REFUSAL_BAD_RECIPIENT;
	if (n > DOMAIN_MOST)
		return REFUSAL_LONG_DOMAIN;
	out->domain = str_sub(*s, 0, n);
	drop(s, n);
	return FINE;
}

/* Mailbox = Local-part "@" ( Domain / address-literal ), at the front. */
static enum refusal_name
take_mailbox(struct str *s, unsigned flags, struct mailbox *out)
{
	struct str whole = *s;
	enum refusal_name no = take_local(s, flags, out);

	if (no != FINE)
		return no;
	if (!at(*s, '@'))
		return REFUSAL_BAD_RECIPIENT;
	drop(s, 1);
	if ((no = take_domain(s, flags, out)) != FINE)
		return no;
	out->text = str_sub(whole, 0, whole.n - s->n);
	out->has_utf8 = !str_is_ascii(out->text);
	return out->text.n > PATH_MOST - 2 ? REFUSAL_LONG_PATH : FINE;
}

static const struct refusal *
answer(enum refusal_name name)
{
	return name == FINE ? NULL : refusal_get(name);
}

const struct refusal *
mailbox_parse(struct str text, unsigned flags, struct mailbox *out)
{
	enum refusal_name no;

	*out = (struct mailbox){ .quoted = false };
	no = take_mailbox(&text, flags, out);
	return answer(no == FINE && text.n > 0 ? REFUSAL_BAD_RECIPIENT : no);
}

/* ---- paths ---- */

/* A-d-l = At-domain *( "," At-domain ), and the colon behind it. */
static bool
take_route(struct str *s, unsigned flags, struct str *route)
{
	struct str rest = *s;
	size_t n;

	do {
		drop(&rest, 1);			/* '@', ',' before it checked */
		if ((n = domain_length(rest, flags)) == 0 || n > DOMAIN_MOST)
			return false;
		drop(&rest, n);
		if (str_skip(&rest, STR(":"))) {
			*route = str_sub(*s, 0, s->n - rest.n - 1);
			*s = rest;
			return true;
		}
	} while (str_skip(&rest, STR(",")) && at(rest, '@'));
	return false;
}

/* "Postmaster" and then nothing of an address. */
static bool
take_postmaster(struct str *s, struct path *out)
{
	struct str rest = *s;

	if (!str_skip_icase(&rest, STR("Postmaster")) ||
	    (rest.n > 0 && rest.p[0] != '>' && rest.p[0] != ' '))
		return false;
	out->is_postmaster = true;
	out->mailbox.text = out->mailbox.local =
	    str_sub(*s, 0, s->n - rest.n);
	*s = rest;
	return true;
}

enum direction { FORWARD, REVERSE };

/* Path = "<" [ A-d-l ":" ] Mailbox ">"; "<>"; "<Postmaster>" (4.1.1.3). */
static enum refusal_name
take_path(struct str *s, unsigned flags, enum direction way, struct path *out)
{
	struct str whole = *s;
	bool has_bracket = str_skip(s, STR("<"));
	enum refusal_name no;

	*out = (struct path){ .is_null = false };
	if (way == REVERSE && has_bracket && str_skip(s, STR(">"))) {
		out->is_null = true;
		return FINE;
	}
	if (has_bracket && at(*s, '@') && !take_route(s, flags, &out->route))
		return REFUSAL_BAD_RECIPIENT;
	if (way == REVERSE || !take_postmaster(s, out)) {
		no = take_mailbox(s, flags, &out->mailbox);
		if (no != FINE)
			return no;
	}
	if (has_bracket && !str_skip(s, STR(">")))
		return REFUSAL_BAD_RECIPIENT;
	if (!has_bracket && s->n > 0 && s->p[0] != ' ')
		return REFUSAL_BAD_RECIPIENT;
	return whole.n - s->n > PATH_MOST ? REFUSAL_LONG_PATH : FINE;
}

const struct refusal *
path_take_reverse(struct str *s, unsigned flags, struct path *out)
{
	enum refusal_name no = take_path(s, flags, REVERSE, out);

	return answer(no == REFUSAL_BAD_RECIPIENT ? REFUSAL_BAD_SENDER : no);
}

const struct refusal *
path_take_forward(struct str *s, unsigned flags, struct path *out)
{
	return answer(take_path(s, flags, FORWARD, out));
}

/* ---- forms ---- */

void
mailbox_local(const struct mailbox *m, struct buf *out)
{
	for (size_t i = 0; i < m->local.n; i++) {
		if (m->quoted && m->local.p[i] == '\\' && i + 1 < m->local.n)
			i++;
		buf_putc(out, m->local.p[i]);
	}
}

void
mailbox_key(const struct mailbox *m, struct buf *out)
{
	mailbox_local(m, out);
	if (m->domain.n == 0)
		return;
	buf_putc(out, '@');
	for (size_t i = 0; i < m->domain.n; i++)
		buf_putc(out, ascii_lower(m->domain.p[i]));
}

struct str
mailbox_domain(struct str text)
{
	return str_sub(text, str_find_last(text, '@') + 1, text.n);
}

void
mailbox_print(struct str local, struct str domain, struct buf *out)
{
	bool plain = local.n > 0 && dot_string(local, MAILBOX_UTF8) == local.n;

	if (!plain)
		buf_putc(out, '"');
	for (size_t i = 0; i < local.n; i++) {
		if (local.p[i] == '"' || local.p[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, local.p[i]);
	}
	if (!plain)
		buf_putc(out, '"');
	if (domain.n > 0) {
		buf_putc(out, '@');
		buf_put(out, domain);
	}
}

enum host_kind
host_parse(struct str s, unsigned flags)
{
	unsigned char ip[16];

	if (s.n == 0 || s.n > DOMAIN_MOST || str_find(s, ' ') < s.n)
		return HOST_BAD;
	if (domain_is_valid(s, flags))
		return HOST_DOMAIN;
	if (literal_parse(s, ip) > 0)
		return HOST_LITERAL;
	return str_is_printable(s) ? HOST_LOOSE : HOST_BAD;
}
