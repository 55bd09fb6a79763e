#include "trust/caa.h"

#include "base/err.h"
#include "fiber/fiber.h"

enum { CRITICAL = 0x80 };

/* RFC 8657 4: methods in a row, with commas. */
static bool
methods_have(struct str list, struct str method)
{
	while (list.n > 0)
		if (str_eq(str_cut(&list, ','), method))
			return true;
	return false;
}

struct parameters {
	size_t accounts, methods;	/* how often each was there */
	bool account_fits, method_fits;
};

/* RFC 8659 4.2: parameter = tag *WSP "=" *WSP value */
static bool
parameter_take(struct str one, const struct caa_ask *ask, struct parameters *p)
{
	struct str tag, value = one;
	size_t at = str_find(one, '=');

	tag = str_trim_wsp(str_cut(&value, '='));
	value = str_trim_wsp(value);
	if (at == one.n || tag.n == 0 || !str_is_printable(value) ||
	    str_find(value, ' ') < value.n)
		return false;
	for (size_t i = 0; i < tag.n; i++)
		if (!ascii_is_alnum(tag.p[i]) && tag.p[i] != '-')
			return false;
	if (str_eq_icase(tag, STR("accounturi"))) {
		p->accounts++;
		p->account_fits = str_eq(value, ask->account);
	} else if (str_eq_icase(tag, STR("validationmethods"))) {
		p->methods++;
		p->method_fits = methods_have(value, ask->method);
	}
	return true;
}

/* RFC 8659 4.2: what is malformed allows nobody.  RFC 8657 3: so does a
 * parameter that is there twice. */
static bool
issue_allows(struct str value, const struct caa_ask *ask)
{
	struct parameters p = { .accounts = 0 };
	struct str issuer = str_trim_wsp(str_cut(&value, ';'));
	bool is_ours = false;

	for (size_t i = 0; i < ask->n; i++)
		is_ours = is_ours || str_eq_icase(issuer, ask->issuers[i]);
	value = str_trim_wsp(value);
	while (is_ours && value.n > 0) {
		struct str one = str_trim_wsp(str_cut(&value, ';'));

		if (one.n == 0 && str_trim_wsp(value).n == 0)
			break;
		is_ours = parameter_take(one, ask, &p);
	}
	return is_ours && (p.accounts == 0 || (p.accounts == 1 &&
	    p.account_fits)) && (p.methods == 0 || (p.methods == 1 &&
	    p.method_fits));
}

static bool
tag_is_known(struct str tag)
{
	return str_eq_icase(tag, STR("issue")) ||
	    str_eq_icase(tag, STR("issuewild")) ||
	    str_eq_icase(tag, STR("iodef"));
}

/* RFC 8659 4.1: what is critical and unknown forbids. */
static bool
record_forbids(struct str d, struct str tag)
{
	return d.n < 2 || (((unsigned char)d.p[0] & CRITICAL) != 0 &&
	    !tag_is_known(tag));
}

static struct str
record_tag(struct str d)
{
	return str_sub(d, 2, d.n < 2 ? 0 : (unsigned char)d.p[1]);
}

enum caa_verdict
caa_judge(const struct dns_record *records, size_t n, const struct caa_ask *ask,
    struct buf *why)
{
	size_t issues = 0;
	bool allows = false;

	for (size_t i = 0; i < n; i++) {
		struct str d = records[i].data, tag = record_tag(d);
		struct str value = str_sub(d, 2 + tag.n, d.n);

		if (record_forbids(d, tag)) {
			why->n = 0;
			buf_printf(why, "a critical record \"" STR_FMT "\" "
			    "that nobody knows", STR_ARG(tag));
			return CAA_REFUSED;
		}
		if (!str_eq_icase(tag, STR("issue")))
			continue;
		allows = allows || issue_allows(value, ask);
		buf_printf(why, "%sissue \"" STR_FMT "\"", issues++ == 0 ? "" :
		    ", ", STR_ARG(value));
	}
	if (issues > 0 && !allows)
		return CAA_REFUSED;
	why->n = 0;
	return CAA_FREE;
}

/* RFC 8659 3: the first set from the name upwards counts. */
yields enum caa_verdict
caa_check(struct str name, const struct caa_ask *ask, struct arena *a,
    struct mono deadline, struct buf *why)
{
	while (name.n > 0) {
		struct dns_answer answer;
		enum caa_verdict v;

		dns_ask(name, DNS_CAA, a, deadline, &answer);
		if (answer.status == DNS_TROUBLE) {
			buf_printf(why, "the DNS does not say whether " STR_FMT
			    " has CAA records: %s", STR_ARG(name), err_text());
			err_clear();
			return CAA_TROUBLE;
		}
		if (answer.status == DNS_FOUND && answer.n > 0) {
			v = caa_judge(answer.records, answer.n, ask, why);
			if (v == CAA_REFUSED)
				buf_printf(why, " of " STR_FMT,
				    STR_ARG(name));
			return v;
		}
		(void)str_cut(&name, '.');
	}
	return CAA_FREE;
}
