#include "wire/dmarc.h"

#include "base/must.h"
#include "base/num.h"
#include "wire/address.h"

static const char *const policy_names[] = { "none", "quarantine", "reject" };

const char *
dmarc_policy_name(enum dmarc_policy p)
{
	must(p <= DMARC_POLICY_REJECT);
	return policy_names[p];
}

/* RFC 9989 4.8: dmarc-request; RFC 5234 2.3: in any case. */
static bool
policy_read(struct str value, enum dmarc_policy *out)
{
	for (unsigned i = 0; i <= DMARC_POLICY_REJECT; i++)
		if (str_eq_icase(value, str_of(policy_names[i]))) {
			*out = (enum dmarc_policy)i;
			return true;
		}
	return false;
}

/* ---- fo= ---- */

/* RFC 9989 4.8: dmarc-fo: each letter once, 0 or 1 but not both. */
static unsigned
fo_read(struct str value)
{
	unsigned all = 0;

	while (value.n > 0) {
		struct str one = str_trim_wsp(str_cut(&value, ':'));
		unsigned bit = str_eq(one, STR("0")) ? DMARC_FO_0 :
		    str_eq(one, STR("1")) ? DMARC_FO_1 :
		    str_eq_icase(one, STR("d")) ? DMARC_FO_D :
		    str_eq_icase(one, STR("s")) ? DMARC_FO_S : 0;

		if (bit == 0 || (all & bit) != 0)
			return DMARC_FO_0;
		all |= bit;
	}
	if (all == 0 || (all & (DMARC_FO_0 | DMARC_FO_1)) ==
	    (DMARC_FO_0 | DMARC_FO_1))
		return DMARC_FO_0;
	return all;
}

/* ---- URIs ---- */

static bool
is_hex(char c)
{
	return ascii_is_digit(c) || (ascii_lower(c) >= 'a' &&
	    ascii_lower(c) <= 'f');
}

/* RFC 3986: unreserved, reserved, "%" HEXDIG HEXDIG.  RFC 9989 4.8: a comma
 * ends it before; an exclamation mark must be encoded. */
static bool
uri_has_good_letters(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];

		if (c == '%') {
			struct str two = str_sub(s, i + 1, 2);

			if (two.n < 2 || !is_hex(two.p[0]) || !is_hex(two.p[1]))
				return false;
		} else if (c == '\0' || (!ascii_is_alnum(c) &&
		    strchr("-._~:/?#[]@$&'()*+;=", c) == NULL))
			return false;
	}
	return true;
}

/* RFC 9989 4.8: obs-dmarc-report-size = "!" 1*DIGIT [ "k" / "m" / "g" / "t" ].  A
 * number beyond all sizes is no limit. */
static struct str
uri_without_size(struct str s, uint64_t *most)
{
	static const char units[] = "kmgt";
	size_t at = str_find_last(s, '!');
	struct str size = str_sub(s, at + 1, s.n);
	unsigned shift = 0;

	*most = 0;
	for (unsigned i = 0; size.n > 0 && i < 4; i++)
		if (ascii_lower(size.p[size.n - 1]) == units[i])
			shift = 10 * (i + 1);
	size.n -= shift > 0;
	for (size_t i = 0; i < size.n; i++)
		if (!ascii_is_digit(size.p[i]))
			return s;
	if (size.n == 0)
		return s;
	if (parse_u64(size, UINT64_MAX >> shift, most))
		*most <<= shift;
	return str_sub(s, 0, at);
}

/* RFC 3986 3.1: scheme = ALPHA *( ALPHA / DIGIT / "+" / "-" / "." ) */
static bool
uri_read(struct str s, struct dmarc_uri *out)
{
	struct str rest, scheme;

	s = uri_without_size(str_trim_wsp(s), &out->most);
	rest = s;
	scheme = str_cut(&rest, ':');
	if (scheme.n == 0 || rest.n == 0 || !ascii_is_alpha(scheme.p[0]) ||
	    !uri_has_good_letters(rest))
		return false;
	for (size_t i = 0; i < scheme.n; i++)
		if (!ascii_is_alnum(scheme.p[i]) && (scheme.p[i] == '\0' ||
		    strchr("+-.", scheme.p[i]) == NULL))
			return false;
	out->uri = s;
	out->mailbox = STR_NONE;
	if (str_eq_icase(scheme, STR("mailto")))
		out->mailbox = str_cut(&rest, '?');
	return true;
}

bool
dmarc_uri_next(struct str *list, struct dmarc_uri *out)
{
	while (list->n > 0)
		if (uri_read(str_cut(list, ','), out))
			return true;
	return false;
}

static unsigned
hex_value(char c)
{
	return (unsigned)(ascii_is_digit(c) ? c - '0' : ascii_lower(c) - 'a' + 10);
}

/* RFC 6068 2; uri_has_good_letters() saw both digits. */
bool
dmarc_uri_mailbox(const struct dmarc_uri *uri, struct buf *out,
    struct str *domain)
{
	struct str s = uri->mailbox, text;
	struct mailbox m;
	size_t from = out->n;

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '%') {
			must(i + 2 < s.n);
			buf_putc(out, (char)(hex_value(s.p[i + 1]) << 4 |
			    hex_value(s.p[i + 2])));
			i += 2;
		} else
			buf_putc(out, s.p[i]);
	text = str_sub(buf_str(out), from, out->n - from);
	if (out->full || mailbox_parse(text, MAILBOX_STRICT, &m) != NULL ||
	    m.domain_is_literal)
		return false;
	*domain = m.domain;
	return true;
}

/* ---- the record ---- */

static bool
has_uri(struct str list)
{
	struct dmarc_uri uri;

	return dmarc_uri_next(&list, &uri);
}

/* Values as they stood there. */
struct tags {
	struct str p, sp, np, adkim, aspf, psd, t, fo, rua, ruf;
};

/*
 * RFC 9989 4.8: dmarc-tag = 1*ALPHA equals 1*dmarc-value.  Its ABNF has names in
 * any case (RFC 5234 2.3; only DMARC1 is %s).  A name that comes again is a
 * syntax error "in the remainder of the record": the first one stands.
 */
static void
tags_take(struct tags *tags, struct str one)
{
	const struct { const char *name; struct str *value; } known[] = {
		{ "adkim", &tags->adkim }, { "aspf", &tags->aspf },
		{ "fo", &tags->fo }, { "np", &tags->np }, { "p", &tags->p },
		{ "psd", &tags->psd }, { "rua", &tags->rua },
		{ "ruf", &tags->ruf }, { "sp", &tags->sp }, { "t", &tags->t } };
	struct str value = one, name = str_trim_wsp(str_cut(&value, '='));

	if (str_find(one, '=') == one.n)
		return;
	value = str_trim_wsp(value);
	for (size_t i = 0; i < sizeof known / sizeof *known; i++)
		if (known[i].value->p == NULL &&
		    str_eq_icase(name, str_of(known[i].name)))
			*known[i].value = value;
}

/* RFC 9989 4.7 v: first, and exactly DMARC1. */
static bool
version_take(struct str *text)
{
	struct str value = str_cut(text, ';');
	struct str name = str_trim_wsp(str_cut(&value, '='));

	return str_eq_icase(name, STR("v")) &&
	    str_eq(str_trim_wsp(value), STR("DMARC1"));
}

/*
 * RFC 9989 4.10.1: without a valid p, or with an sp or np that is not valid, it
 * is p=none when somebody wants reports, else nothing.
 */
static enum dmarc_reading
policies_take(const struct tags *tags, struct dmarc_record *out)
{
	bool is_wrong;

	out->has_p = policy_read(tags->p, &out->p);
	out->has_sp = policy_read(tags->sp, &out->sp);
	out->has_np = policy_read(tags->np, &out->np);
	is_wrong = !out->has_p || (tags->sp.p != NULL && !out->has_sp) ||
	    (tags->np.p != NULL && !out->has_np);
	if (is_wrong) {
		out->p = out->sp = out->np = DMARC_POLICY_NONE;
		out->has_sp = out->has_np = false;
		return has_uri(tags->rua) ? DMARC_RECORD : DMARC_NO_POLICY;
	}
	if (!out->has_sp)
		out->sp = out->p;
	if (!out->has_np)
		out->np = out->sp;
	return DMARC_RECORD;
}

enum dmarc_reading
dmarc_read(struct str text, struct dmarc_record *out)
{
	struct tags tags = { .p = STR_NONE };

	*out = (struct dmarc_record){ .text = text, .fo = DMARC_FO_0 };
	if (!version_take(&text))
		return DMARC_NO_RECORD;
	while (text.n > 0)
		tags_take(&tags, str_cut(&text, ';'));
	out->is_strict_dkim = str_eq_icase(tags.adkim, STR("s"));
	out->is_strict_spf = str_eq_icase(tags.aspf, STR("s"));
	out->is_testing = str_eq_icase(tags.t, STR("y"));
	out->psd = str_eq_icase(tags.psd, STR("y")) ? DMARC_PSD_Y :
	    str_eq_icase(tags.psd, STR("n")) ? DMARC_PSD_N : DMARC_PSD_U;
	out->rua = tags.rua;
	out->ruf = tags.ruf;
	if (out->ruf.p != NULL && tags.fo.p != NULL)
		out->fo = fo_read(tags.fo);
	return policies_take(&tags, out);
}
