#include "wire/tags.h"

#include "base/must.h"

static bool
is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* FWS = [*WSP CRLF] 1*WSP: a line feed stands behind a CR and before white
 * space, or before the list's end, where a field's last CRLF may be left. */
static bool
spaces_fit(struct str list)
{
	for (size_t i = 0; i < list.n; i++) {
		if (list.p[i] == '\r' &&
		    (i + 1 == list.n || list.p[i + 1] != '\n'))
			return false;
		if (list.p[i] != '\n')
			continue;
		if (i == 0 || list.p[i - 1] != '\r')
			return false;
		if (i + 1 < list.n && list.p[i + 1] != ' ' &&
		    list.p[i + 1] != '\t')
			return false;
	}
	return true;
}

/* VALCHAR = %x21-3A / %x3C-7E, and UTF-8 (RFC 8616 5). */
static bool
value_fits(struct str value)
{
	for (size_t i = 0; i < value.n; i++)
		if ((value.p[i] >= 0 && value.p[i] < ' ' &&
		    !is_space(value.p[i])) || value.p[i] == 0x7f)
			return false;
	return str_is_utf8(value);
}

/* tag-name = ALPHA *ALNUMPUNC */
static bool
name_fits(struct str name)
{
	if (name.n == 0 || !ascii_is_alpha(name.p[0]))
		return false;
	for (size_t i = 1; i < name.n; i++)
		if (!ascii_is_alnum(name.p[i]) && name.p[i] != '_')
			return false;
	return true;
}

static const struct tag *
tags_find(const struct tags *t, struct str name)
{
	for (size_t i = 0; i < t->n; i++)
		if (str_eq(t->tag[i].name, name))
			return &t->tag[i];
	return NULL;
}

/* tag-spec = [FWS] tag-name [FWS] "=" [FWS] tag-value [FWS] */
static bool
tags_add(struct tags *t, struct str spec)
{
	size_t eq = str_find(spec, '=');
	struct str name = str_trim(str_sub(spec, 0, eq));
	struct str value = str_trim(str_sub(spec, eq + 1, spec.n));

	if (eq == spec.n || t->n == TAGS_MOST || !name_fits(name) ||
	    !value_fits(value) || tags_find(t, name) != NULL)
		return false;
	must(value.p != NULL);
	t->tag[t->n++] = (struct tag){ name, value };
	return true;
}

/* tag-list = tag-spec *( ";" tag-spec ) [ ";" ] */
bool
tags_read(struct str list, struct tags *out)
{
	out->n = 0;
	if (!spaces_fit(list))
		return false;
	while (list.n > 0) {
		struct str spec = str_cut(&list, ';');

		if (list.n == 0 && out->n > 0 && str_trim(spec).n == 0)
			break;
		if (!tags_add(out, spec))
			return false;
	}
	return out->n > 0;
}

struct str
tags_get(const struct tags *t, const char *name)
{
	const struct tag *found = tags_find(t, str_of(name));

	return found == NULL ? STR_NONE : found->value;
}

bool
tag_item(struct str *rest, char separator, struct str *item)
{
	size_t n;

	if (rest->p == NULL)
		return false;
	n = str_find(*rest, separator);
	*item = str_trim(str_sub(*rest, 0, n));
	*rest = n < rest->n ? str_sub(*rest, n + 1, rest->n) : STR_NONE;
	return true;
}
