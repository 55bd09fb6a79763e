#include "wire/mta_sts.h"

#include "base/must.h"
#include "base/num.h"

enum { NAME_MOST = 32, LABEL_MOST = 63, DOMAIN_MOST = 253, AGE_DIGITS = 10 };

/* (ALPHA / DIGIT) *31(ALPHA / DIGIT / "_" / "-" / ".") */
static bool
extension_fits(struct str name)
{
	if (name.n == 0 || name.n > NAME_MOST || !ascii_is_alnum(name.p[0]))
		return false;
	for (size_t i = 1; i < name.n; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '_' &&
		    name.p[i] != '-' && name.p[i] != '.')
			return false;
	return true;
}

/* ---- the TXT record ---- */

/* sts-id = %s"id=" 1*32(ALPHA / DIGIT) */
static bool
id_fits(struct str id)
{
	if (id.n == 0 || id.n > STS_ID_MOST)
		return false;
	for (size_t i = 0; i < id.n; i++)
		if (!ascii_is_alnum(id.p[i]))
			return false;
	return true;
}

/* sts-ext-value = 1*(%x21-3A / %x3C / %x3E-7E) */
static bool
extension_value_fits(struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		if (value.p[i] <= ' ' || value.p[i] > '~' ||
		    value.p[i] == ';' || value.p[i] == '=')
			return false;
	return value.n > 0;
}

/* 1*(*WSP ";" *WSP sts-field) [*WSP ";" *WSP]; of an id that is there twice the
 * first counts. */
static bool
record_read(struct str fields, struct str *id)
{
	struct str found = STR_NONE;

	while (fields.n > 0) {
		struct str value = str_trim_wsp(str_cut(&fields, ';')), name;

		if (value.n == 0 && fields.n == 0)
			break;
		if (str_find(value, '=') == value.n)
			return false;
		name = str_cut(&value, '=');
		if (!extension_fits(name) || !extension_value_fits(value))
			return false;
		if (!str_eq(name, STR("id")) || found.p != NULL)
			continue;
		if (!id_fits(value))
			return false;
		found = value;
	}
	*id = found;
	return found.p != NULL;
}

/* "records that do not begin with "v=STSv1;" are discarded.  If the number of
 * resulting records is not one ..." */
bool
sts_record_choose(const struct str *texts, size_t n, struct str *id)
{
	struct str chosen = STR_NONE;
	size_t found = 0;

	for (size_t i = 0; i < n; i++) {
		struct str rest = texts[i];

		if (!str_skip(&rest, STR("v=STSv1")))
			continue;
		rest = str_trim_wsp(rest);
		if (!str_skip(&rest, STR(";")))
			continue;
		chosen = rest;
		found++;
	}
	return found == 1 && record_read(chosen, id);
}

/* ---- the policy ---- */

/* ["*."] Domain */
static bool
pattern_fits(struct str mx)
{
	(void)str_skip(&mx, STR("*."));
	if (mx.n == 0 || mx.n > DOMAIN_MOST || mx.p[mx.n - 1] == '.')
		return false;
	while (mx.n > 0) {
		struct str label = str_cut(&mx, '.');

		if (label.n == 0 || label.n > LABEL_MOST)
			return false;
		for (size_t i = 0; i < label.n; i++)
			if (!ascii_is_alnum(label.p[i]) && label.p[i] != '-' &&
			    label.p[i] != '_')
				return false;
	}
	return true;
}

/* vchar, with spaces inside. */
static bool
value_fits(struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		if ((unsigned char)value.p[i] < ' ' || value.p[i] == 0x7f)
			return false;
	return value.n > 0 && str_is_utf8(value);
}

static const char *
mode_read(struct str value, enum sts_mode *out)
{
	if (str_eq(value, STR("enforce")))
		*out = STS_ENFORCE;
	else if (str_eq(value, STR("testing")))
		*out = STS_TESTING;
	else if (str_eq(value, STR("none")))
		*out = STS_NONE;
	else
		return "its mode is none that there is";
	return NULL;
}

static const char *
age_read(struct str value, uint32_t *out)
{
	uint64_t age;

	if (value.n > AGE_DIGITS || !parse_u64(value, STS_AGE_MOST, &age))
		return "its max_age is no number up to 31557600";
	*out = (uint32_t)age;
	return NULL;
}

static const char *
mx_read(struct str value, struct sts_policy *p)
{
	if (!pattern_fits(value))
		return "an mx of it is no name";
	if (p->n == STS_MX_MOST)
		return "it has too many mx";
	p->mx[p->n++] = value;
	return NULL;
}

/* What was there already. */
struct seen { bool version, mode, age; };

/* Of a field that is there twice the first counts, but for mx. */
static const char *
field_read(struct str name, struct str value, struct seen *seen,
    struct sts_policy *p)
{
	if (str_eq(name, STR("mx")))
		return mx_read(value, p);
	if (str_eq(name, STR("version")) && !seen->version) {
		seen->version = true;
		return str_eq(value, STR("STSv1")) ? NULL :
		    "its version is not STSv1";
	}
	if (str_eq(name, STR("mode")) && !seen->mode) {
		seen->mode = true;
		return mode_read(value, &p->mode);
	}
	if (str_eq(name, STR("max_age")) && !seen->age) {
		seen->age = true;
		return age_read(value, &p->max_age);
	}
	return NULL;
}

static const char *
line_read(struct str line, struct seen *seen, struct sts_policy *p)
{
	struct str name, value = line;

	if (str_find(line, ':') == line.n)
		return "a line of it is no field";
	name = str_cut(&value, ':');
	value = str_trim_wsp(value);
	if (!extension_fits(name) || !value_fits(value))
		return "a field of it is malformed";
	return field_read(name, value, seen, p);
}

/* Lines end with LF or CRLF; that the text ends with several is let by. */
const char *
sts_policy_read(struct str text, struct sts_policy *out)
{
	struct seen seen = { .version = false };
	const char *wrong = NULL;

	*out = (struct sts_policy){ .mode = STS_NONE };
	if (text.n > STS_POLICY_MOST)
		return "it is too big";
	while (text.n > 0 && (text.p[text.n - 1] == '\n' ||
	    text.p[text.n - 1] == '\r'))
		text.n--;
	while (text.n > 0 && wrong == NULL) {
		struct str line = str_cut(&text, '\n');

		if (line.n > 0 && line.p[line.n - 1] == '\r')
			line.n--;
		wrong = line_read(line, &seen, out);
	}
	if (wrong != NULL)
		return wrong;
	if (!seen.version || !seen.mode || !seen.age)
		return "version, mode or max_age is missing";
	must(out->n <= STS_MX_MOST);
	return out->n == 0 && out->mode != STS_NONE ? "it has no mx" : NULL;
}

/* RFC 8461 4.1: "*.a.example" is one label more than "a.example". */
bool
sts_policy_has(const struct sts_policy *p, struct str host)
{
	if (host.n > 0 && host.p[host.n - 1] == '.')
		host.n--;
	for (size_t i = 0; i < p->n; i++) {
		struct str rest = host, mx = p->mx[i];

		if (str_skip(&mx, STR("*."))) {
			if (str_cut(&rest, '.').n == 0)
				continue;
		}
		if (rest.n > 0 && str_eq_icase(rest, mx))
			return true;
	}
	return false;
}

const char *
sts_mode_name(enum sts_mode mode)
{
	static const char *const names[] = { [STS_NONE] = "none",
		[STS_TESTING] = "testing", [STS_ENFORCE] = "enforce" };

	must(mode <= STS_ENFORCE);
	return names[mode];
}
