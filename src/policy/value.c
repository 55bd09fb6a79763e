#include "policy/value.h"

#include "base/err.h"
#include "base/must.h"
#include "policy/account.h"
#include "policy/domain.h"
#include "policy/indirect.h"
#include "policy/pipe.h"
#include "policy/relay.h"

struct value_kind {
	/* One text into *to. */
	bool (*read)(struct value_reader *, const struct schema *, struct str,
	    void *to);
	void (*print)(const struct schema *, const void *, struct buf *);
	size_t size;			/* of one value */
	bool is_list;
	bool is_text;			/* file:, env: and cred: are followed */
};

_Static_assert(sizeof(struct wall) == sizeof(uint64_t), "dates are numbers");
_Static_assert(sizeof(enum listener_role) == sizeof(unsigned) &&
    sizeof(enum listener_tls) == sizeof(unsigned) &&
    sizeof(enum listener_certificates) == sizeof(unsigned) &&
    sizeof(enum auth_old_form) == sizeof(unsigned) &&
    sizeof(enum tls_version) == sizeof(unsigned) &&
    sizeof(enum acme_agree) == sizeof(unsigned) &&
    sizeof(enum acme_challenge) == sizeof(unsigned) &&
    sizeof(enum acme_keys) == sizeof(unsigned) &&
    sizeof(enum auth_database) == sizeof(unsigned) &&
    sizeof(enum log_format) == sizeof(unsigned) &&
    sizeof(enum ip_preference) == sizeof(unsigned) &&
    sizeof(enum detail_use) == sizeof(unsigned) &&
    sizeof(enum double_bounces) == sizeof(unsigned) &&
    sizeof(enum language) == sizeof(unsigned) &&
    sizeof(enum report_return) == sizeof(unsigned) &&
    sizeof(enum report_success) == sizeof(unsigned) &&
    sizeof(enum yes_no) == sizeof(unsigned) && sizeof(enum relay_level) == sizeof(unsigned) &&
    sizeof(enum inbound_clear) == sizeof(unsigned) &&
    sizeof(enum tls_level) == sizeof(unsigned), "enums are unsigned");

/* ---- one text of each type ---- */

static bool
str_keep(struct value_reader *r, struct str s, void *to)
{
	struct str *out = to;

	*out = arena_copy(r->arena, s);
	return out->p != NULL;
}

static bool
address_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)r, (void)row;
	return address_parse(s, 0, to);
}

static bool
network_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)r, (void)row;
	return network_parse(s, to);
}

static bool
domain_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	struct str *out = to;

	(void)row;
	return domain_canonical(r->arena, s, out);
}

static bool
date_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)r, (void)row;
	return unit_date(s, to);
}

static bool
duration_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)r, (void)row;
	return unit_duration(s, to);
}

static bool
enum_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	struct str words = str_of(row->words), word;
	unsigned *out = to;

	(void)r;
	for (*out = 0; schema_word(&words, &word); (*out)++)
		if (str_eq(word, s))
			return true;
	*out = 0;
	return false;
}

static bool
integer_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)r, (void)row;
	return parse_u64(s, UINT64_MAX, to);
}

static bool
mailbox_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	struct mailbox m;

	(void)row;
	return (local_is_safe(s) || mailbox_parse(s, MAILBOX_STRICT, &m) == NULL)
	    && str_keep(r, s, to);
}

static bool
path_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)row;
	return s.n > 0 && s.p[0] == '/' && str_keep(r, s, to);
}

static bool
pattern_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	struct str rest = s;
	struct str *out = to;

	(void)row;
	if (!str_eq(s, STR("*")) && !str_eq(s, STR("<>"))) {
		(void)str_skip(&rest, STR("*."));
		if (!domain_canonical(r->arena, rest, out))
			return false;
		*out = arena_join(r->arena, str_sub(s, 0, s.n - rest.n), *out);
		return out->p != NULL;
	}
	*out = arena_copy(r->arena, s);
	return out->p != NULL;
}

static bool
rate_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)r, (void)row;
	return unit_rate(s, to);
}

static bool
sender_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	return row->type == TYPE_SENDERS ? account_sender_read(r->arena, s, to) :
	    account_fingerprint_read(r->arena, s, to);
}

static bool
size_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)r, (void)row;
	return unit_size(s, to);
}

static bool
string_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)row;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
			return false;
	return str_keep(r, s, to);
}

/* SECURITY.md row 14: only %u, %d and %% expand, and only a checked user name
 * ever stands for %u. */
static bool
template_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	(void)row;
	if (s.n < 2 || (s.p[0] != '/' && !(s.p[0] == '~' && s.p[1] == '/')))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '%' && (++i == s.n ||
		    (s.p[i] != 'u' && s.p[i] != 'd' && s.p[i] != '%')))
			return false;
	return str_keep(r, s, to);
}

/* file:PATH, system, or the name of a user. */
static bool
user_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	struct str path = s;

	(void)row;
	if (str_skip(&path, STR("file:")) ? path.n == 0 || path.p[0] != '/' :
	    !local_is_safe(s))
		return false;
	return str_keep(r, s, to);
}

/* One of the row's words. */
static bool
word_read(struct value_reader *r, const struct schema *row, struct str s,
    void *to)
{
	unsigned which;

	return enum_read(r, row, s, &which) && str_keep(r, s, to);
}

/* ---- and back ---- */

/* Plain where YAML takes it for text whatever the reader, quoted elsewhere. */
static bool
text_is_plain(struct str s)
{
	static const struct str safe = STR_INIT("-_./@+:%~");

	if (s.n == 0 || (!ascii_is_alnum(s.p[0]) && s.p[0] != '/'))
		return false;
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && str_find(safe, s.p[i]) == safe.n)
			return false;
	return s.p[s.n - 1] != ':' && str_find_str(s, STR(": ")) == s.n;
}

static void
str_print(const struct schema *row, const void *from, struct buf *out)
{
	const struct str *s = from;

	(void)row;
	if (text_is_plain(*s)) {
		buf_put(out, *s);
		return;
	}
	buf_putc(out, '"');
	for (size_t i = 0; i < s->n; i++) {
		if (s->p[i] == '"' || s->p[i] == '\\')
			buf_putc(out, '\\');
		buf_putc(out, s->p[i]);
	}
	buf_putc(out, '"');
}

static void
text_print(const char *text, struct buf *out)
{
	struct str s = str_of(text);

	str_print(NULL, &s, out);
}

void
value_print_text(struct str s, struct buf *out)
{
	str_print(NULL, &s, out);
}

static void
address_put(const struct schema *row, const void *from, struct buf *out)
{
	struct address_text t = address_print(from);

	(void)row;
	text_print(t.text, out);
}

static void
network_put(const struct schema *row, const void *from, struct buf *out)
{
	const struct network *n = from;
	struct address_text t = address_print(&n->base);
	char text[sizeof t.text + 8];
	struct buf b = BUF_OF(text);

	(void)row;
	buf_printf(&b, "%s/%u", t.text, n->bits);
	buf_putc(&b, '\0');
	text_print(text, out);
}

static void
date_put(const struct schema *row, const void *from, struct buf *out)
{
	const struct wall *at = from;

	(void)row;
	buf_put(out, str_of(unit_print_date(*at).text));
}

static void
duration_put(const struct schema *row, const void *from, struct buf *out)
{
	(void)row;
	buf_put(out, str_of(unit_print_duration(*(const int64_t *)from).text));
}

static void
enum_put(const struct schema *row, const void *from, struct buf *out)
{
	struct str words = str_of(row->words), word = STR("?");

	for (unsigned i = 0; i <= *(const unsigned *)from; i++)
		must(schema_word(&words, &word));
	buf_put(out, word);
}

static void
integer_put(const struct schema *row, const void *from, struct buf *out)
{
	(void)row;
	buf_put_u64(out, *(const uint64_t *)from);
}

static void
rate_put(const struct schema *row, const void *from, struct buf *out)
{
	(void)row;
	buf_put(out, str_of(unit_print_rate(*(const struct rate *)from).text));
}

static void
size_put(const struct schema *row, const void *from, struct buf *out)
{
	(void)row;
	buf_put(out, str_of(unit_print_size(*(const uint64_t *)from).text));
}

static void
host_put(struct buf *out, const struct relay *r, const struct relay_host *h)
{
	char room[ADDRESS_PATH_MOST + sizeof "unix:"];
	struct buf b = BUF_OF(room);
	const char *scheme = relay_scheme(r, h);

	if (h->literal.family == ADDRESS_UNIX) {
		buf_printf(&b, "unix:"STR_FMT, STR_ARG(h->host));
		must(!b.full);
		buf_putc(&b, '\0');
		text_print(room, out);
	} else if (h->literal.family == ADDRESS_V6)
		buf_printf(out, "\"%s://["STR_FMT"]:%u\"", scheme,
		    STR_ARG(h->host), h->port);
	else
		buf_printf(out, "%s://"STR_FMT":%u", scheme, STR_ARG(h->host),
		    h->port);
}

static void
pipe_put(const struct schema *row, const void *from, struct buf *out)
{
	const struct pipe *const *pipe = from;

	str_print(row, &(*pipe)->text, out);
}

static void
relay_put(const struct schema *row, const void *from, struct buf *out)
{
	const struct relay *const *relay = from;

	(void)row;
	if (*relay == NULL || (*relay)->by_mx) {
		buf_put(out, *relay == NULL ? STR("\"\"") : STR("mx"));
		return;
	}
	for (size_t i = 0; i < (*relay)->n; i++) {
		const struct relay_host *h = &(*relay)->hosts[i];

		buf_put(out, i == 0 ? STR("[ ") : STR(", "));
		host_put(out, *relay, h);
	}
	buf_put(out, STR(" ]"));
}

#define ONE(type) sizeof(type), false, false
#define LIST(type) sizeof(type), true, false
#define TEXT sizeof(struct str), false, true

static const struct value_kind kinds[SCHEMA_TYPES] = {
	[TYPE_NONE] = { NULL, NULL, 0, false, false },
	[TYPE_ADDRESSES] = { address_read, address_put, LIST(struct address) },
	[TYPE_DATE] = { date_read, date_put, ONE(struct wall) },
	[TYPE_DOMAIN] = { domain_read, str_print, TEXT },
	[TYPE_DURATION] = { duration_read, duration_put, ONE(int64_t) },
	[TYPE_DURATIONS] = { duration_read, duration_put, LIST(int64_t) },
	[TYPE_ENUM] = { enum_read, enum_put, ONE(unsigned) },
	[TYPE_INCLUDE] = { NULL, NULL, 0, false, false },
	[TYPE_INTEGER] = { integer_read, integer_put, ONE(uint64_t) },
	[TYPE_LMTP] = { NULL, relay_put, ONE(struct relay *) },
	[TYPE_MAILBOX] = { mailbox_read, str_print, TEXT },
	[TYPE_NETWORKS] = { network_read, network_put, LIST(struct network) },
	[TYPE_PATH] = { path_read, str_print, ONE(struct str) },
	[TYPE_PATHS] = { path_read, str_print, LIST(struct str) },
	[TYPE_PATTERNS] = { pattern_read, str_print, LIST(struct str) },
	[TYPE_PIPE] = { NULL, pipe_put, ONE(struct pipe *) },
	[TYPE_RATE] = { rate_read, rate_put, ONE(struct rate) },
	[TYPE_RELAY] = { NULL, relay_put, ONE(struct relay *) },
	[TYPE_SECRET] = { string_read, str_print, TEXT },
	[TYPE_FINGERPRINTS] = { sender_read, str_print, LIST(struct str) },
	[TYPE_SENDERS] = { sender_read, str_print, LIST(struct str) },
	[TYPE_SIZE] = { size_read, size_put, ONE(uint64_t) },
	[TYPE_STRING] = { string_read, str_print, TEXT },
	[TYPE_STRINGS] = { string_read, str_print, LIST(struct str) },
	[TYPE_TEMPLATE] = { template_read, str_print, ONE(struct str) },
	[TYPE_USERS] = { user_read, str_print, LIST(struct str) },
	[TYPE_WORDS] = { word_read, str_print, LIST(struct str) },
};

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
		duration_put(row, &ns, out);
	else if (row->type == TYPE_SIZE)
		size_put(row, &v, out);
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
	    type == TYPE_PATH || type == TYPE_MAILBOX || type == TYPE_TEMPLATE;
}

bool
value_range_print(const struct schema *row, struct buf *out)
{
	if (row->least == 0 && row->most == 0)
		return false;
	if (kinds[row->type].is_list && row->type != TYPE_DURATIONS) {
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
		return true;
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
	const struct value_kind *kind = &kinds[row->type];
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
	size_t size = kinds[row->type].size;
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

static bool
kind_check(struct value_reader *r, const struct schema *row, struct str name,
    const struct node *n)
{
	bool may_list = kinds[row->type].is_list || type_is_relay(row->type);

	if (n->is_broken)
		return false;
	if (n->kind == NODE_TEXT && n->is_empty) {
		problem_add(r->problems, PROBLEM_ERROR, n->key_at,
		    "'"STR_FMT"' has no value", STR_ARG(name));
		return false;
	}
	if (n->kind == NODE_TEXT || (n->kind == NODE_LIST && may_list))
		return true;
	problem_add(r->problems, PROBLEM_ERROR, n->key_at,
	    "'"STR_FMT"' must be %s%s, not a %s", STR_ARG(name),
	    schema_type_says(row->type), may_list ? " or a list of them" : "",
	    n->kind == NODE_LIST ? "list" : "map");
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
	if (!kinds[row->type].is_list)
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

	if (!kinds[row->type].is_list) {
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
	const struct value_kind *kind = &kinds[row->type];

	if (type_is_relay(row->type) || row->type == TYPE_PIPE)
		return *(void *const *)from == NULL;
	if (kind->is_list)
		return ((const struct any_list *)from)->n == 0;
	if (row->fallback == NULL && row->words != NULL &&
	    value_is_zero(row, from))
		return true;
	return kind->print == str_print && ((const struct str *)from)->n == 0;
}

void
value_print(const struct schema *row, const void *base, struct buf *out)
{
	const void *from = (const char *)base + row->at;
	const struct value_kind *kind = &kinds[row->type];
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
