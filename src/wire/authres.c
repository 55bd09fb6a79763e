/*
 * The format, RFC 8601 2.2, CFWS between any two of them:
 *
 *	payload  = authserv-id [ version ] ( ";" "none" / 1*( ";" resinfo ) )
 *	resinfo  = method [ "/" version ] "=" result [ "reason" "=" value ]
 *		   *( ptype "." property "=" pvalue )
 *	value    = token / quoted-string	(RFC 2045 5.1)
 *	pvalue   = value / [ [ local-part ] "@" ] domain-name
 *
 * What is read leniently: a value without quotes may hold all but white space,
 * CTLs and ();" as in signatures ("header.b=a/b="), and a ";" may stand at the
 * end.  Whose a field is, is not read leniently: what is not well-formed up to
 * its first ";" is nobody's.
 */
#include "wire/authres.h"

#include "base/must.h"
#include "base/num.h"
#include "wire/idna.h"
#include "wire/lex.h"

/* RFC 5321 4.1.2: Keyword = Ldh-str; some methods have "_" in their names. */
static struct str
keyword_take(struct str *s)
{
	struct str word = str_sub(*s, 0, 0);

	while (word.n < s->n && (ascii_is_alnum(s->p[word.n]) ||
	    s->p[word.n] == '-' || s->p[word.n] == '_'))
		word.n++;
	*s = str_sub(*s, word.n, s->n);
	return word;
}

static struct str
digits_take(struct str *s)
{
	struct str digits = str_sub(*s, 0, 0);

	while (digits.n < s->n && ascii_is_digit(s->p[digits.n]))
		digits.n++;
	*s = str_sub(*s, digits.n, s->n);
	return digits;
}

static bool
is_token(char c)
{
	static const struct str specials = STR_INIT("()<>@,;:\\\"/[]?=");

	return c > ' ' && c <= '~' && str_find(specials, c) == specials.n;
}

/* ---- its head ---- */

struct head {
	struct str id;			/* inside its quotes when quoted */
	bool is_quoted;
	uint64_t version;
};

/* RFC 6532 3.2: UTF-8 may stand in both forms of a value. */
static bool
head_id(struct str *s, struct head *h)
{
	size_t n = lex_quoted(*s);

	h->is_quoted = n > 0;
	if (n > 0)
		h->id = str_sub(*s, 1, n - 2);
	else {
		while (n < s->n && (is_token(s->p[n]) || s->p[n] < 0))
			n++;
		h->id = str_sub(*s, 0, n);
	}
	*s = str_sub(*s, n, s->n);
	return n > 0;
}

/* Up to the first ";", which stays. */
static bool
head_take(struct str *s, struct head *h)
{
	struct str digits;

	*h = (struct head){ .version = 1 };
	if (!lex_skip_cfws(s, NULL) || !head_id(s, h) ||
	    !lex_skip_cfws(s, NULL))
		return false;
	digits = digits_take(s);
	if (digits.n > 0 && !parse_u64(digits, UINT32_MAX, &h->version))
		return false;
	return lex_skip_cfws(s, NULL) && (s->n == 0 || s->p[0] == ';');
}

/* Folds, and white space that another reader may not see, go. */
static bool
head_domain(const struct head *h, struct buf *out)
{
	char room[AUTHRES_ID_MOST];
	struct buf plain = BUF_OF(room);
	size_t n = 0;

	lex_unquote(h->id, &plain);
	for (size_t i = 0; i < plain.n; i++)
		if ((unsigned char)room[i] > ' ' && room[i] != 0x7f)
			room[n++] = room[i];
	if (n > 0 && room[n - 1] == '.')
		n--;
	return !plain.full && n > 0 &&
	    idna_ascii((struct str){ room, n }, out);
}

static bool
head_is_one_of(const struct head *h, const struct str *ids, size_t n,
    bool *is_known)
{
	char room[AUTHRES_ID_MOST];
	struct buf domain = BUF_OF(room);

	*is_known = head_domain(h, &domain) && !domain.full;
	for (size_t i = 0; *is_known && i < n; i++)
		if (str_eq_icase(buf_str(&domain), ids[i]))
			return true;
	return false;
}

enum authres_claim
authres_claim(struct str value, const struct str *ids, size_t n)
{
	bool is_known = false;
	struct head head;

	if (!head_take(&value, &head))
		return AUTHRES_UNREADABLE;
	if (head_is_one_of(&head, ids, n, &is_known))
		return AUTHRES_OURS;
	if (!is_known && !str_is_ascii(head.id))
		return AUTHRES_UNREADABLE;
	return head.version == 1 ? AUTHRES_THEIRS : AUTHRES_OTHER_VERSION;
}

/* ---- results ---- */

/* The inside of a quoted string; p == NULL: no memory. */
static struct str
unquoted(struct arena *arena, struct str inside)
{
	struct buf out = { .cap = inside.n };

	if (str_find(inside, '\\') == inside.n &&
	    str_find(inside, '\r') == inside.n)
		return inside;
	out.p = arena_alloc(arena, inside.n);
	if (out.p == NULL)
		return STR_NONE;
	lex_unquote(inside, &out);
	return buf_str(&out);
}

bool
authres_begin(struct authres *a, struct str value, struct arena *arena)
{
	struct head head;

	*a = (struct authres){ .arena = arena };
	if (!head_take(&value, &head))
		return false;
	a->id = head.is_quoted ? unquoted(arena, head.id) : head.id;
	a->version = head.version;
	a->rest = value;
	a->is_first = true;
	return a->id.p != NULL;
}

void
authres_begin_list(struct authres *a, struct str list, struct arena *arena)
{
	*a = (struct authres){ .version = 1, .rest = list, .arena = arena,
	    .is_first = true };
}

/* "=" and what may stand around it. */
static bool
equals_take(struct str *s)
{
	return lex_skip_cfws(s, NULL) && str_skip(s, STR("=")) &&
	    lex_skip_cfws(s, NULL);
}

static struct str
plain_take(struct str *s)
{
	static const struct str ends = STR_INIT("();\"");
	struct str plain = str_sub(*s, 0, 0);

	while (plain.n < s->n && (s->p[plain.n] > ' ' || s->p[plain.n] < 0) &&
	    s->p[plain.n] != 0x7f && str_find(ends, s->p[plain.n]) == ends.n)
		plain.n++;
	*s = str_sub(*s, plain.n, s->n);
	return plain;
}

/* A local part keeps its quotes: it is part of an address then. */
static enum authres_step
value_take(struct authres *a, struct str *value)
{
	struct str all = a->rest, inside;
	size_t n = lex_quoted(a->rest);

	if (n == 0) {
		*value = plain_take(&a->rest);
		return value->n > 0 ? AUTHRES_RESULT : AUTHRES_BAD;
	}
	inside = str_sub(all, 1, n - 2);
	a->rest = str_sub(all, n, all.n);
	if (a->rest.n > 0 && a->rest.p[0] == '@') {
		n += plain_take(&a->rest).n;
		*value = str_sub(all, 0, n);
		return AUTHRES_RESULT;
	}
	*value = unquoted(a->arena, inside);
	return value->p != NULL ? AUTHRES_RESULT : AUTHRES_NO_MEMORY;
}

static enum authres_step
property_take(struct authres *a, struct str ptype, struct authres_result *out)
{
	struct authres_property property = { .ptype = ptype };
	enum authres_step step;

	if (ptype.n == 0 || !lex_skip_cfws(&a->rest, NULL) ||
	    !str_skip(&a->rest, STR(".")) || !lex_skip_cfws(&a->rest, NULL))
		return AUTHRES_BAD;
	property.name = keyword_take(&a->rest);
	if (property.name.n == 0 || !equals_take(&a->rest))
		return AUTHRES_BAD;
	step = value_take(a, &property.value);
	if (step == AUTHRES_RESULT && out->n < AUTHRES_PROPERTIES)
		out->properties[out->n++] = property;
	return step;
}

/* reasonspec, or a propspec. */
static enum authres_step
detail_take(struct authres *a, struct authres_result *out)
{
	struct str word = keyword_take(&a->rest), after = a->rest;

	if (str_eq_icase(word, STR("reason")) && equals_take(&after)) {
		a->rest = after;
		return value_take(a, &out->reason);
	}
	return property_take(a, word, out);
}

/* method [ "/" version ] "=" result */
static bool
method_take(struct authres *a, struct authres_result *out)
{
	struct str digits;

	out->method = keyword_take(&a->rest);
	out->version = 1;
	if (out->method.n == 0 || !lex_skip_cfws(&a->rest, NULL))
		return false;
	if (str_skip(&a->rest, STR("/"))) {
		if (!lex_skip_cfws(&a->rest, NULL))
			return false;
		digits = digits_take(&a->rest);
		if (!parse_u64(digits, UINT32_MAX, &out->version))
			return false;
	}
	if (!equals_take(&a->rest))
		return false;
	out->result = keyword_take(&a->rest);
	return out->result.n > 0;
}

static enum authres_step
result_take(struct authres *a, struct authres_result *out)
{
	enum authres_step step = AUTHRES_RESULT;

	if (!method_take(a, out))
		return AUTHRES_BAD;
	out->method = arena_lower(a->arena, out->method);
	out->result = arena_lower(a->arena, out->result);
	if (out->method.p == NULL || out->result.p == NULL)
		return AUTHRES_NO_MEMORY;
	while (step == AUTHRES_RESULT) {
		if (!lex_skip_cfws(&a->rest, NULL))
			return AUTHRES_BAD;
		if (a->rest.n == 0 || a->rest.p[0] == ';')
			return AUTHRES_RESULT;
		step = detail_take(a, out);
	}
	return step;
}

static bool
list_is_none(struct str rest)
{
	return str_skip_icase(&rest, STR("none")) &&
	    lex_skip_cfws(&rest, NULL) && rest.n == 0;
}

enum authres_step
authres_next(struct authres *a, struct authres_result *out)
{
	enum authres_step step = AUTHRES_END;
	bool is_bare = a->is_first && a->id.p == NULL;

	*out = (struct authres_result){ .version = 1 };
	if (a->is_over)
		return AUTHRES_END;
	if (!lex_skip_cfws(&a->rest, NULL))
		step = AUTHRES_BAD;
	else if (a->rest.n > 0) {
		if (!is_bare && !str_skip(&a->rest, STR(";")))
			step = AUTHRES_BAD;
		else if (!lex_skip_cfws(&a->rest, NULL))
			step = AUTHRES_BAD;
		else if (a->rest.n > 0 &&
		    !(a->is_first && list_is_none(a->rest)))
			step = result_take(a, out);
	}
	a->is_first = false;
	a->is_over = step != AUTHRES_RESULT;
	return step;
}

struct str
authres_get(const struct authres_result *r, const char *ptype, const char *name)
{
	for (size_t i = 0; i < r->n; i++)
		if (str_eq_icase(r->properties[i].ptype, str_of(ptype)) &&
		    str_eq_icase(r->properties[i].name, str_of(name)))
			return r->properties[i].value;
	return STR_NONE;
}

/* ---- writing ---- */

void
authres_put_value(struct buf *out, struct str value)
{
	bool is_plain = value.n > 0;
	char c;

	value = str_sub(value, 0, AUTHRES_VALUE_MOST);
	for (size_t i = 0; i < value.n; i++)
		is_plain = is_plain && is_token(value.p[i]);
	if (is_plain) {
		buf_put(out, value);
		return;
	}
	buf_putc(out, '"');
	for (size_t i = 0; i < value.n; i++) {
		c = value.p[i] >= ' ' && value.p[i] <= '~' ? value.p[i] : '?';
		if (c == '"' || c == '\\')
			buf_putc(out, '\\');
		buf_putc(out, c);
	}
	buf_putc(out, '"');
}

void
authres_put(struct buf *out, const char *method, const char *result,
    struct str reason)
{
	if (out->n > 0)
		buf_put(out, STR("; "));
	buf_printf(out, "%s=%s", method, result);
	if (reason.n == 0)
		return;
	buf_put(out, STR(" reason="));
	authres_put_value(out, reason);
}

void
authres_put_property(struct buf *out, const char *property, struct str value)
{
	must(strchr(property, '.') != NULL);
	if (value.n == 0)
		return;
	buf_printf(out, " %s=", property);
	authres_put_value(out, value);
}
