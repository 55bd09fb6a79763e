#include "wire/arc.h"

#include "base/must.h"
#include "base/num.h"
#include "wire/lex.h"

const char *
arc_result_name(enum arc_result result)
{
	static const char *const names[] = {
		[ARC_NONE] = "none", [ARC_PASS] = "pass", [ARC_FAIL] = "fail",
	};

	must((unsigned)result < sizeof(names) / sizeof(names[0]));
	return names[result];
}

enum arc_kind
arc_kind(struct str name)
{
	static const struct str names[ARC_KINDS] = {
		[ARC_RESULTS] = STR_INIT("ARC-Authentication-Results"),
		[ARC_SIGNATURE] = STR_INIT("ARC-Message-Signature"),
		[ARC_SEAL] = STR_INIT("ARC-Seal"),
	};
	unsigned kind = 0;

	while (kind < ARC_KINDS && !str_eq_icase(names[kind], name))
		kind++;
	return (enum arc_kind)kind;
}

/*
 * RFC 8617 3.9, 4.1.1:
 *
 * position           = 1*2DIGIT                         ; 1 - 50
 * instance           = [CFWS] %s"i" [CFWS] "=" [CFWS] position
 * arc-info           = instance [CFWS] ";" authres-payload
 */
static bool
instance_take(struct str *s, unsigned *instance)
{
	uint64_t position;
	size_t digits = 0;

	if (!lex_skip_cfws(s, NULL) || !str_skip(s, STR("i")) ||
	    !lex_skip_cfws(s, NULL) || !str_skip(s, STR("=")) ||
	    !lex_skip_cfws(s, NULL))
		return false;
	while (digits < s->n && ascii_is_digit(s->p[digits]))
		digits++;
	if (!parse_u64(str_sub(*s, 0, digits), ARC_SETS_MOST, &position) ||
	    position == 0 || digits > 2)
		return false;
	*s = str_sub(*s, digits, s->n);
	*instance = (unsigned)position;
	return true;
}

const char *
arc_results_read(struct str value, unsigned *instance, struct str *results)
{
	if (!instance_take(&value, instance))
		return "It does not begin with an instance, i=1 to i=50";
	if (!lex_skip_cfws(&value, NULL) || !str_skip(&value, STR(";")))
		return "No semicolon follows its instance";
	*results = str_trim(value);
	return NULL;
}
