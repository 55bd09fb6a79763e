#include "policy/value.h"

#include "base/err.h"
#include "base/must.h"
#include "policy/config.h"
#include "policy/indirect.h"
#include "policy/pipe.h"
#include "policy/relay.h"
#include "policy/value_kind.h"

/* All lists have this shape. */
struct any_list { void *v; size_t n; };

_Static_assert(offsetof(struct any_list, n) == offsetof(struct conf_strings, n)
    && offsetof(struct any_list, n) == offsetof(struct conf_durations, n)
    && offsetof(struct any_list, n) == offsetof(struct conf_networks, n)
    && offsetof(struct any_list, n) == offsetof(struct conf_addresses, n),
    "lists look alike");

/* ---- problems ---- */

static bool
value_is_no(struct value_reader *r, const struct schema *row,
    const struct node *n, struct str text)
{
	const char *examples = schema_type_examples(row->type);
	struct str words = str_of(row->words), word;
	char list[256];
	struct buf b = BUF_OF(list);

	if (schema_type_chooses(row->type)) {
		while (schema_word(&words, &word)) {
			if (b.n > 0)
				buf_put(&b, STR(", "));
			buf_put(&b, word);
		}
		buf_putc(&b, '\0');
		problem_add(r->problems, PROBLEM_ERROR, n->at,
		    "'"STR_FMT"' is not one of %s", STR_ARG(text), list);
		return false;
	}
	if (examples != NULL)
		problem_add(r->problems, PROBLEM_ERROR, n->at,
		    "'"STR_FMT"' is not %s (examples: %s)", STR_ARG(text),
		    schema_type_says(row->type), examples);
	else
		problem_add(r->problems, PROBLEM_ERROR, n->at,
		    "'"STR_FMT"' is not %s", STR_ARG(text),
		    schema_type_says(row->type));
	return false;
}

static void
range_print(const struct schema *row, uint64_t v, struct buf *out)
{
	int64_t ns = (int64_t)v;

	if (row->type == TYPE_DURATION || row->type == TYPE_DURATIONS)
		value_kinds[row->type].print(row, &ns, out);
	else if (row->type == TYPE_SIZE)
		value_kinds[row->type].print(row, &v, out);
	else
		buf_put_u64(out, v);
}

/* What the range is about: the number itself, or the length of a text. */
static bool
range_value(const struct schema *row, const void *to, uint64_t *v)
{
	switch (row->type) {
	case TYPE_DURATION:
	case TYPE_DURATIONS:
		*v = (uint64_t)*(const int64_t *)to;
		return true;
	case TYPE_INTEGER:
	case TYPE_SIZE:
		*v = *(const uint64_t *)to;
		return true;
	case TYPE_MAILBOX:
	case TYPE_PATH:
	case TYPE_SECRET:
	case TYPE_SECRETS:
	case TYPE_STRING:
	case TYPE_TEMPLATE:
		*v = ((const struct str *)to)->n;
		return true;
	case TYPE_NONE:
	case TYPE_ADDRESSES:
	case TYPE_DATE:
	case TYPE_DOMAIN:
	case TYPE_ENUM:
	case TYPE_INCLUDE:
	case TYPE_NETWORKS:
	case TYPE_PATHS:
	case TYPE_PATTERNS:
	case TYPE_RATE:
	case TYPE_SHARES:
	case TYPE_RELAY:
	case TYPE_LMTP:
	case TYPE_PIPE:
	case TYPE_FINGERPRINTS:
	case TYPE_SENDERS:
	case TYPE_STRINGS:
	case TYPE_USERS:
	case TYPE_WORDS:
	case SCHEMA_TYPES:
		break;
	}
	return false;
}

static bool
type_is_relay(enum schema_type type)
{
	return type == TYPE_RELAY || type == TYPE_LMTP;
}

static bool
type_is_text(enum schema_type type)
{
	return type == TYPE_STRING || type == TYPE_SECRET ||
	    type == TYPE_SECRETS ||
	    type == TYPE_PATH || type == TYPE_MAILBOX || type == TYPE_TEMPLATE;
}

bool
value_range_print(const struct schema *row, struct buf *out)
{
	if (row->least == 0 && row->most == 0)
		return false;
	if (value_kinds[row->type].is_list && row->type != TYPE_DURATIONS) {
		buf_printf(out, "at most %llu", (unsigned long long)row->most);
		return true;
	}
	range_print(row, row->least, out);
	buf_put(out, STR(" to "));
	range_print(row, row->most, out);
	if (type_is_text(row->type))
		buf_put(out, STR(" octets"));
	return true;
}

static bool
range_check(struct value_reader *r, const struct schema *row,
    const struct node *n, struct str text, const void *to)
{
	char range[96];
	struct buf b = BUF_OF(range);
	uint64_t v;

	if ((row->least == 0 && row->most == 0) || !range_value(row, to, &v) ||
	    (v >= row->least && v <= row->most))
		return true;
	value_range_print(row, &b);
	buf_putc(&b, '\0');
	if (type_is_text(row->type))
		problem_add(r->problems, PROBLEM_ERROR, n->at,
		    "this text has %llu octets; it may have %s",
		    (unsigned long long)v, range);
	else
		problem_add(r->problems, PROBLEM_ERROR, n->at,
		    "'"STR_FMT"' is out of range (%s)", STR_ARG(text), range);
	return false;
}

/* ---- reading ---- */

bool
value_file(struct value_reader *r, struct str path, struct place at,
    struct source_file *out)
{
	switch (r->source->read(r->source, path, r->scratch, out)) {
	case SOURCE_FOUND:
		if (!out->is_world_writable)
			return true;
		problem_add(r->problems, PROBLEM_ERROR, at, "everybody may change "
		    STR_FMT ", and with it who is who here: say chmod o-w",
		    STR_ARG(path));
		return false;
	case SOURCE_ABSENT:
		problem_add(r->problems, PROBLEM_ERROR, at,
		    "there is no file "STR_FMT, STR_ARG(path));
		return false;
	case SOURCE_TROUBLE:
		break;
	}
	problem_add(r->problems, PROBLEM_ERROR, at, "%s", err_text());
	return false;
}

static bool
word_is_nothing(const struct schema *row, struct str text)
{
	return row->words != NULL && !schema_type_chooses(row->type) &&
	    str_eq(text, str_of(row->words));
}

static bool
text_read(struct value_reader *r, const struct schema *row,
    const struct node *n, void *to, bool *is_secret)
{
	const struct value_kind *kind = &value_kinds[row->type];
	struct str text = n->text;

	if (word_is_nothing(row, text)) {
		memset(to, 0, kind->size);
		return true;
	}
	if (!indirect_read(r, row, n, kind->is_text, &text, is_secret))
		return false;
	if (!kind->read(r, row, text, to))
		return value_is_no(r, row, n, *is_secret ? n->text : text);
	return range_check(r, row, n, *is_secret ? n->text : text, to);
}

static bool
member_read(struct value_reader *r, const struct schema *row,
    const struct node *n, void *to)
{
	bool is_secret = false;

	if (n->is_broken)
		return false;
	if (n->kind == NODE_TEXT)
		return text_read(r, row, n, to, &is_secret);
	problem_add(r->problems, PROBLEM_ERROR, n->at, "this must be %s",
	    schema_type_says(row->type));
	return false;
}

static bool
list_read(struct value_reader *r, const struct schema *row,
    const struct node *n, struct any_list *out)
{
	size_t size = value_kinds[row->type].size;
	size_t most = row->type == TYPE_DURATIONS ? VALUE_DURATIONS_MOST :
	    row->most;
	const struct node *m = n->kind == NODE_LIST ? n->first : n;
	bool fine = true;

	*out = (struct any_list){ NULL, n->kind == NODE_LIST ? n->n : 1 };
	if (out->n > most) {
		problem_add(r->problems, PROBLEM_ERROR, n->key_at,
		    "these are %zu; there may be %zu", out->n, most);
		return false;
	}
	out->v = arena_alloc(r->arena, out->n * size);
	for (size_t i = 0; i < out->n && out->v != NULL; i++, m = m->next)
		fine &= member_read(r, row, m, (char *)out->v + i * size);
	return fine && out->v != NULL;
}

/* Each of them a name with a weight of the row's range. */
static bool
shares_read(struct value_reader *r, const struct schema *row,
    const struct node *n, struct conf_shares *out)
{
	const struct node *m = n->first;
	bool fine = n->n > 0;

	if (!fine)
		problem_add(r->problems, PROBLEM_ERROR, n->key_at,
		    "there is nothing in it");
	out->n = 0;
	out->v = arena_alloc(r->arena, n->n * sizeof *out->v);
	for (; m != NULL && out->v != NULL; m = m->next) {
		struct conf_share *s = &out->v[out->n++];

		s->source = arena_copy(r->arena, m->key);
		s->place = m->key_at;
		if (m->is_broken || s->source.p == NULL) {
			fine = false;
		} else if (m->kind != NODE_TEXT || !parse_u64(m->text, row->most,
		    &s->weight) || s->weight < row->least) {
			problem_add(r->problems, PROBLEM_ERROR, m->at,
			    "a weight is a number of %llu to %llu",
			    (unsigned long long)row->least,
			    (unsigned long long)row->most);
			fine = false;
		}
	}
	return fine && out->v != NULL;
}

static bool
kind_check(struct value_reader *r, const struct schema *row, struct str name,
    const struct node *n)
{
	bool may_list = value_kinds[row->type].is_list || type_is_relay(row->type);

	if (n->is_broken)
		return false;
	if (n->kind == NODE_TEXT && n->is_empty) {
		problem_add(r->problems, PROBLEM_ERROR, n->key_at,
		    "'"STR_FMT"' has no value", STR_ARG(name));
		return false;
	}
	if (row->type == TYPE_SHARES ? n->kind == NODE_MAP :
	    n->kind == NODE_TEXT || (n->kind == NODE_LIST && may_list))
		return true;
	problem_add(r->problems, PROBLEM_ERROR, n->key_at,
	    "'"STR_FMT"' must be %s%s, not a %s", STR_ARG(name),
	    schema_type_says(row->type), may_list ? " or a list of them" : "",
	    n->kind == NODE_LIST ? "list" : n->kind == NODE_MAP ? "map" : "text");
	return false;
}

bool
value_read(struct value_reader *r, const struct schema *row, struct str name,
    const struct node *n, void *base, bool *is_secret)
{
	void *to = (char *)base + row->at;
	struct any_list list;

	*is_secret = false;
	if (!kind_check(r, row, name, n))
		return false;
	if (type_is_relay(row->type))
		return relay_read(r, row, n, to);
	if (row->type == TYPE_PIPE)
		return pipe_read(r, row, n, to);
	if (row->type == TYPE_SHARES)
		return shares_read(r, row, n, to);
	if (!value_kinds[row->type].is_list)
		return text_read(r, row, n, to, is_secret);
	if (!list_read(r, row, n, &list))
		return false;
	memcpy(to, &list, sizeof list);
	return true;
}

enum { FALLBACK_MOST = 8 };

static bool
value_default(struct value_reader *r, const struct schema *row, void *base)
{
	struct node members[FALLBACK_MOST] = { { .kind = NODE_TEXT } };
	struct node list = { .kind = NODE_LIST, .first = members };
	struct str rest = str_of(row->fallback);
	bool is_secret;

	if (!value_kinds[row->type].is_list) {
		members[0].text = rest;
		return value_read(r, row, schema_name(row), members, base,
		    &is_secret);
	}
	for (; rest.n > 0; list.n++) {
		must(list.n < FALLBACK_MOST);
		members[list.n].text = str_trim(str_cut(&rest, ','));
		if (list.n > 0)
			members[list.n - 1].next = &members[list.n];
	}
	return value_read(r, row, schema_name(row), &list, base, &is_secret);
}

bool
value_defaults(struct value_reader *r, enum schema_scope scope, void *base)
{
	bool fine = true;

	for (size_t i = 0; i < schema_n; i++) {
		const struct schema *row = &schema_rows[i];

		if (row->kind == SCHEMA_KEY && row->scope == scope &&
		    row->fallback != NULL)
			fine &= value_default(r, row, base);
	}
	return fine;
}

/* ---- printing ---- */

static bool
value_is_zero(const struct schema *row, const void *from)
{
	return (row->type == TYPE_INTEGER || row->type == TYPE_SIZE ||
	    row->type == TYPE_DURATION || row->type == TYPE_DATE) &&
	    *(const uint64_t *)from == 0;
}

bool
value_is_absent(const struct schema *row, const void *base)
{
	const void *from = (const char *)base + row->at;
	const struct value_kind *kind = &value_kinds[row->type];

	if (type_is_relay(row->type) || row->type == TYPE_PIPE)
		return *(void *const *)from == NULL;
	if (kind->is_list)
		return ((const struct any_list *)from)->n == 0;
	if (row->fallback == NULL && row->words != NULL &&
	    value_is_zero(row, from))
		return true;
	return kind->print == value_put_text && ((const struct str *)from)->n == 0;
}

void
value_print(const struct schema *row, const void *base, struct buf *out)
{
	const void *from = (const char *)base + row->at;
	const struct value_kind *kind = &value_kinds[row->type];
	const struct any_list *list = from;

	if (kind->print == NULL)
		return;
	if (row->words != NULL && row->type != TYPE_ENUM &&
	    (value_is_zero(row, from) || value_is_absent(row, base))) {
		buf_put(out, str_of(row->words));
	} else if (!kind->is_list) {
		kind->print(row, from, out);
	} else if (list->n == 0) {
		buf_put(out, STR("[]"));
	} else {
		for (size_t i = 0; i < list->n; i++) {
			buf_put(out, i == 0 ? STR("[ ") : STR(", "));
			kind->print(row, (const char *)list->v + i * kind->size,
			    out);
		}
		buf_put(out, STR(" ]"));
	}
}
