#include "wire/passwd.h"

#include "base/num.h"

/* {SCHEME}hash; no scheme: all of it is the hash. */
static bool
passwd_secret(struct str field, struct passwd *out)
{
	size_t close = str_find(field, '}');

	out->hash = field;
	if (field.n == 0 || field.p[0] != '{')
		return true;
	if (close == field.n || close == 1)
		return false;
	out->scheme = str_sub(field, 1, close - 1);
	out->hash = str_sub(field, close + 1, field.n);
	return true;
}

static bool
passwd_number(struct str field, bool *has, uint32_t *out)
{
	uint64_t v;

	*has = field.n > 0;
	if (!*has)
		return true;
	if (!parse_u64(field, UINT32_MAX - 1, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

static bool
has_control(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((s.p[i] >= 0 && s.p[i] < ' ') || s.p[i] == 0x7f)
			return true;
	return false;
}

static enum passwd_kind
passwd_bad(const char *what, const char **why)
{
	*why = what;
	return PASSWD_BAD;
}

enum passwd_kind
passwd_parse(struct str line, struct passwd *out, const char **why)
{
	*out = (struct passwd){ .has_uid = false };
	if (line.n > 0 && line.p[line.n - 1] == '\r')
		line.n--;
	if (str_trim(line).n == 0 || line.p[0] == '#')
		return PASSWD_BLANK;
	if (line.n > PASSWD_LINE_MOST)
		return passwd_bad("is longer than 4096 octets", why);
	if (has_control(line))
		return passwd_bad("holds a control character", why);
	out->user = str_cut(&line, ':');
	if (out->user.n == 0)
		return passwd_bad("names no user", why);
	if (!passwd_secret(str_cut(&line, ':'), out))
		return passwd_bad("has a scheme without its braces", why);
	if (!passwd_number(str_cut(&line, ':'), &out->has_uid, &out->uid))
		return passwd_bad("has a user id that is no number", why);
	if (!passwd_number(str_cut(&line, ':'), &out->has_gid, &out->gid))
		return passwd_bad("has a group id that is no number", why);
	str_cut(&line, ':');			/* a person's name */
	out->home = str_cut(&line, ':');
	str_cut(&line, ':');			/* a shell */
	out->extra = line;
	return PASSWD_ENTRY;
}

struct str
passwd_extra(const struct passwd *p, struct str key)
{
	struct str rest = p->extra;

	while (rest.n > 0) {
		struct str value = str_cut(&rest, ' ');
		struct str name = str_cut(&value, '=');

		if (name.n > 0 && str_eq(name, key))
			return value;
	}
	return STR_NONE;
}
