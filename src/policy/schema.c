#include "policy/schema.h"

#include "base/must.h"
#include "base/near.h"
#include "policy/account.h"
#include "policy/domain.h"

/* load.c finds the origins of any struct of values at its beginning. */
_Static_assert(offsetof(struct config, origins) == 0 &&
    offsetof(struct account_rule, origins) == 0 &&
    offsetof(struct tenant_rule, origins) == 0 &&
    offsetof(struct domain, origins) == 0 &&
    offsetof(struct listener, origins) == 0 &&
    offsetof(struct pool_rule, origins) == 0 &&
    offsetof(struct route_rule, origins) == 0 &&
    offsetof(struct source_rule, origins) == 0 &&
    offsetof(struct provider, origins) == 0 &&
    offsetof(struct transport, origins) == 0, "origins stand first");

#define KIB (UINT64_C(1) << 10)
#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)
#define MILLISECOND ((uint64_t)NS_PER_MS)
#define SECOND ((uint64_t)NS_PER_SECOND)
#define MINUTE (60 * SECOND)
#define HOUR (60 * MINUTE)
#define DAY (24 * HOUR)

#define KEY(path_, type_, scope_, field_, fallback_, least_, most_, words_, \
	when_, doc_) { .kind = SCHEMA_KEY, .path = (path_), \
	.type = TYPE_##type_, .scope = SCOPE_##scope_, \
	.at = offsetof(struct scope_, field_), .fallback = (fallback_), \
	.least = (least_), .most = (most_), .words = (words_), \
	.when = (when_), .doc = (doc_) },
#define SECTION(path_, doc_) \
	{ .kind = SCHEMA_SECTION, .path = (path_), .doc = (doc_) },
#define EACH(path_, scope_, doc_) { .kind = SCHEMA_EACH, .path = (path_), \
	.scope = SCOPE_##scope_, .doc = (doc_) },
#define SAME(path_, as_) \
	{ .kind = SCHEMA_SAME, .path = (path_), .doc = (as_) },
#define LATER(path_, without_) \
	{ .kind = SCHEMA_LATER, .path = (path_), .doc = (without_) },

const struct schema schema_rows[] = {
#include "policy/conf.def"
};
const size_t schema_n = sizeof schema_rows / sizeof schema_rows[0];

struct type_words {
	const char *says, *examples;
};

static const struct type_words type_words[SCHEMA_TYPES] = {
	[TYPE_NONE] = { "a map", NULL },
	[TYPE_ADDRESSES] = { "an IP address", "192.0.2.1, 2001:db8::1" },
	[TYPE_DATE] = { "a date", "2026-12-31, 2026-12-31T18:00Z" },
	[TYPE_DOMAIN] = { "a domain name", "example.org" },
	[TYPE_DURATION] = { "a duration", "30s, 15m, 4h, 5d" },
	[TYPE_DURATIONS] = { "a duration", "30s, 15m, 4h, 5d" },
	[TYPE_ENUM] = { "one of the words", NULL },
	[TYPE_INCLUDE] = { "a path", "conf.d/*.yaml" },
	[TYPE_INTEGER] = { "a number", NULL },
	[TYPE_FINGERPRINTS] = { "a SHA-256 fingerprint",
		"AB:CD:... of 32 octets, as openssl x509 -fingerprint -sha256 "
		"prints it" },
	[TYPE_LMTP] = { "an LMTP server",
		"unix:/run/dovecot/lmtp, localhost:24" },
	[TYPE_MAILBOX] = { "a mail address", "alice@example.org, alice" },
	[TYPE_NETWORKS] = { "a network", "192.0.2.0/24, 2001:db8::/32" },
	[TYPE_PATH] = { "an absolute path", NULL },
	[TYPE_PATHS] = { "an absolute path", NULL },
	[TYPE_PATTERNS] = { "a domain pattern",
		"example.org, *.example.org, *" },
	[TYPE_PIPE] = { "a command",
		"/usr/local/bin/take-mail --to ${recipient}" },
	[TYPE_RATE] = { "a rate", "100/s, 60/min, 10000/h, none" },
	[TYPE_RELAY] = { "a relay", "mx, smtp://mail.example.org:2525, "
		"lmtp://localhost:24" },
	[TYPE_SECRET] = { "a secret", "cred:NAME, env:NAME, file:PATH" },
	[TYPE_SECRETS] = { "secrets, a line each",
		"cred:NAME, env:NAME, file:PATH" },
	[TYPE_SENDERS] = { "a sender",
		"bob@example.org, @example.org, @*.example.org, *, <>" },
	[TYPE_SHARES] = { "a map of sources and weights", "{ ip-a: 2, ip-b: 1 }" },
	[TYPE_SIZE] = { "a size", "512, 64K, 50M, 2G" },
	[TYPE_STRING] = { "a text", NULL },
	[TYPE_STRINGS] = { "a text", NULL },
	[TYPE_TEMPLATE] = { "a path of a Maildir",
		"~/Maildir, /var/mail/%d/%u" },
	[TYPE_USERS] = { "a user", "file:/etc/nightmail/users, system, alice" },
	[TYPE_WORDS] = { "one of the words", NULL },
};

bool
schema_type_chooses(enum schema_type type)
{
	return type == TYPE_ENUM || type == TYPE_WORDS;
}

bool
schema_is_secret(const struct schema *row)
{
	struct str name = schema_name(row);

	return row->type == TYPE_STRING && (str_eq(name, STR("password")) ||
	    str_eq(name, STR("token")) ||
	    str_eq(name, STR("login")) || str_eq(name, STR("secret")));
}

const char *
schema_type_says(enum schema_type type)
{
	must(type < SCHEMA_TYPES);
	return type_words[type].says;
}

const char *
schema_type_examples(enum schema_type type)
{
	must(type < SCHEMA_TYPES);
	return type_words[type].examples;
}

const struct schema *
schema_find(struct str path)
{
	size_t low = 0, high = schema_n;

	while (low < high) {
		size_t middle = (low + high) / 2;
		int c = str_order(path, str_of(schema_rows[middle].path));

		if (c == 0)
			return &schema_rows[middle];
		if (c < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return NULL;
}

/* The path above: "a.b" of "a.b.c", "a" of "a[]" and of "a.*". */
static struct str
path_parent(struct str path)
{
	size_t dot = str_find_last(path, '.'), list;

	list = str_find_last(path, '[');
	if (list != path.n && (dot == path.n || list > dot))
		return str_sub(path, 0, list);
	return dot == path.n ? STR("") : str_sub(path, 0, dot);
}

bool
schema_is_below(const struct schema *row, struct str parent)
{
	return str_find(str_of(row->path), '=') == strlen(row->path) &&
	    str_eq(path_parent(str_of(row->path)), parent);
}

const struct schema *
schema_next(struct str path, const struct schema *row)
{
	while (++row < schema_rows + schema_n)
		if (schema_is_below(row, path))
			return row;
	return NULL;
}

const struct schema *
schema_first(struct str path)
{
	return schema_is_below(&schema_rows[0], path) ? &schema_rows[0] :
	    schema_next(path, &schema_rows[0]);
}

struct str
schema_name(const struct schema *row)
{
	struct str path = str_of(row->path);
	size_t dot = str_find_last(path, '.');

	return dot == path.n ? path : str_sub(path, dot + 1, path.n);
}

const struct schema *
schema_any(const struct schema *each)
{
	const struct schema *row = schema_first(str_of(each->path));

	return row != NULL && row->kind == SCHEMA_KEY &&
	    str_eq(schema_name(row), STR("*")) ? row : NULL;
}

bool
schema_word(struct str *words, struct str *word)
{
	if (words->p == NULL || words->n == 0)
		return false;
	*word = str_cut(words, '|');
	return true;
}

/* ---- paths as people write them ---- */

enum { LOOSE_MOST = 512 };

/* One step down from the pattern in b; false when there is no such key. */
static bool
loose_step(struct buf *b, struct str name)
{
	const struct schema *row;
	size_t before = b->n;

	if (b->n > 0)
		buf_putc(b, '.');
	buf_put(b, name);
	if (!b->full && (row = schema_find(buf_str(b))) != NULL) {
		if (row->kind == SCHEMA_SAME) {
			b->n = 0;
			buf_put(b, str_of(row->doc));
		}
		return true;
	}
	b->n = before;
	b->full = false;
	return false;
}

/* domains.<name with dots>.key: the longest end of it that is a key. */
static bool
loose_member(struct buf *b, struct str rest)
{
	size_t before = b->n;

	buf_put(b, STR(".*"));
	(void)str_cut(&rest, '.');
	for (; rest.n > 0; (void)str_cut(&rest, '.')) {
		size_t name = b->n;

		buf_putc(b, '.');
		buf_put(b, rest);
		if (!b->full && schema_find(buf_str(b)) != NULL)
			return true;
		b->n = name;
		b->full = false;
	}
	return b->n > before;		/* or its name's own end */
}

static bool
loose_descend(struct buf *b, struct str *rest)
{
	struct str name, index;

	if (str_eq(buf_str(b), STR("domains")) ||
	    str_eq(buf_str(b), STR("pools")) ||
	    str_eq(buf_str(b), STR("shaping")) ||
	    str_eq(buf_str(b), STR("sources")) ||
	    str_eq(buf_str(b), STR("transports"))) {
		name = *rest;
		*rest = STR("");
		return loose_member(b, name);
	}
	name = str_cut(rest, '.');
	index = name;
	name = str_cut(&index, '[');
	if (!loose_step(b, name))
		return false;
	if (rest->n > 0 || index.n > 0) {
		size_t before = b->n;

		buf_put(b, STR("[]"));
		if (schema_find(buf_str(b)) == NULL)
			b->n = before;
	}
	return true;
}

const struct schema *
schema_find_loose(struct str path)
{
	char room[LOOSE_MOST];
	struct buf b = BUF_OF(room);

	if (path.n == 0 || path.p[path.n - 1] == '.')
		return NULL;
	if (schema_find(path) != NULL)
		return schema_find(path);
	while (path.n > 0)
		if (!loose_descend(&b, &path))
			return NULL;
	return schema_find(buf_str(&b));
}

/* ---- did you mean ---- */

static bool
row_can_be_meant(const struct schema *row)
{
	struct str name = schema_name(row);

	return (row->kind == SCHEMA_KEY || row->kind == SCHEMA_SECTION) &&
	    name.p[name.n - 1] != ']' && !str_eq(name, STR("*"));
}

/* The one key that begins with what was written. */
static const struct schema *
guess_longer(struct str parent, struct str name)
{
	const struct schema *found = NULL;

	for (const struct schema *row = schema_first(parent); row != NULL &&
	    name.n >= 3; row = schema_next(parent, row))
		if (row_can_be_meant(row) &&
		    str_has_prefix_icase(schema_name(row), name)) {
			if (found != NULL)
				return NULL;
			found = row;
		}
	return found;
}

static const struct schema *
guess_elsewhere(struct str name)
{
	const struct schema *found = NULL;

	for (size_t i = 0; i < schema_n; i++)
		if (row_can_be_meant(&schema_rows[i]) &&
		    str_eq_icase(schema_name(&schema_rows[i]), name)) {
			if (found != NULL)
				return NULL;	/* too many to guess */
			found = &schema_rows[i];
		}
	return found;
}

const struct schema *
schema_guess(struct str parent, struct str name)
{
	const struct schema *best = NULL, *same = guess_elsewhere(name);
	size_t least = near_least(name);

	for (const struct schema *row = schema_first(parent); row != NULL;
	    row = schema_next(parent, row)) {
		size_t d = near_distance(name, schema_name(row));

		if (row_can_be_meant(row) && d <= least) {
			best = row;
			least = d == 0 ? 0 : d - 1;
		}
	}
	/* the very name in another place goes before what is only like it */
	if (best != NULL && least >= 1 && same != NULL)
		return same;
	if (best == NULL)
		best = guess_longer(parent, name);
	return best != NULL ? best : same;
}
