#include "policy/yaml.h"

#include "base/hash.h"
#include "base/list.h"
#include "base/must.h"

#include <libfyaml.h>

enum { EXCERPT_MOST = 160 };

/* One file while it is read. */
struct reading {
	struct yaml *yaml;
	struct str file, bytes;
	size_t *lines;			/* where each begins */
	size_t n_lines;
	struct node *stack[YAML_DEPTH];
	size_t depth;
	struct node *root;
	struct node *key;		/* read, its value is awaited */
	unsigned skipped;		/* containers open inside a bad one */
	unsigned documents;
	bool is_over;
};

void
yaml_begin(struct yaml *y, struct arena *a, struct problems *ps)
{
	*y = (struct yaml){ .arena = a, .problems = ps };
}

void
yaml_end(struct yaml *y)
{
	table_clear(&y->members);
}

/* ---- places ---- */

static bool
reading_index(struct reading *r)
{
	size_t n = 1, at = 0;

	for (size_t i = 0; i < r->bytes.n; i++)
		n += r->bytes.p[i] == '\n';
	r->lines = arena_alloc(r->yaml->arena, n * sizeof r->lines[0]);
	if (r->lines == NULL)
		return false;
	r->n_lines = n;
	for (size_t i = 0, k = 1; i < r->bytes.n && k < n; i++)
		if (r->bytes.p[i] == '\n') {
			at = i + 1;
			r->lines[k++] = at;
		}
	return true;
}

/* Line from 0, without its end. */
static struct str
reading_line(const struct reading *r, size_t line)
{
	struct str s;

	if (line >= r->n_lines)
		return STR_NONE;
	s = str_sub(r->bytes, r->lines[line], r->bytes.n);
	s = str_cut(&s, '\n');
	if (s.n > 0 && s.p[s.n - 1] == '\r')
		s.n--;
	return s;
}

static size_t
characters(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

/* Line and column from 0, as libfyaml counts. */
static struct place
reading_place(const struct reading *r, size_t line, size_t column, size_t width)
{
	struct place at = { .file = r->file };
	struct str text = reading_line(r, line);
	size_t room = characters(text);

	at.line = (unsigned)line + 1;
	at.column = (unsigned)column + 1;
	if (column + width > room)
		width = room > column ? room - column : 1;
	at.width = width == 0 ? 1 : (unsigned)width;
	if (column + width <= EXCERPT_MOST && text.n <= 2 * EXCERPT_MOST)
		at.line_text = text;
	return at;
}

static struct place
reading_token_place(const struct reading *r, struct fy_token *t)
{
	const struct fy_mark *from = t == NULL ? NULL : fy_token_start_mark(t);
	const struct fy_mark *to = t == NULL ? NULL : fy_token_end_mark(t);
	size_t width = 1;

	if (from == NULL || to == NULL || from->line < 0 || from->column < 0)
		return (struct place){ .file = r->file };
	if (to->line == from->line && to->column > from->column)
		width = (size_t)(to->column - from->column);
	else if (to->line > from->line)
		width = SIZE_MAX / 2;
	return reading_place(r, (size_t)from->line, (size_t)from->column, width);
}

/* ---- what is refused before parsing ---- */

static bool
reading_octet_is_bad(struct str line, size_t i, const char **why)
{
	unsigned char c = (unsigned char)line.p[i];

	if (c == '\t') {
		*why = "a tab; indent and separate with spaces";
		return str_trim(line).p[0] != '#';
	}
	*why = "a control character";
	return c < 0x20 || c == 0x7f;
}

static bool
reading_line_is_clean(struct reading *r, size_t line)
{
	struct str s = reading_line(r, line);
	const char *why = NULL;

	if (!str_is_utf8(s)) {
		problem_add(r->yaml->problems, PROBLEM_ERROR,
		    (struct place){ .file = r->file, .line = (unsigned)line + 1,
		    .column = 1 }, "this line is not UTF-8");
		return false;
	}
	for (size_t i = 0; i < s.n; i++)
		if (reading_octet_is_bad(s, i, &why)) {
			problem_add(r->yaml->problems, PROBLEM_ERROR,
			    reading_place(r, line,
			    characters(str_sub(s, 0, i)), 1), "%s", why);
			return false;
		}
	return true;
}

static bool
reading_is_clean(struct reading *r)
{
	bool clean = true;

	for (size_t i = 0; i < r->n_lines; i++)
		clean &= reading_line_is_clean(r, i);
	return clean;
}

/* ---- the tree ---- */

static struct node *
node_new(struct reading *r, enum node_kind kind, struct place at)
{
	struct node *n = arena_new(r->yaml->arena, struct node);

	if (n == NULL) {
		problem_add(r->yaml->problems, PROBLEM_ERROR, at,
		    "the configuration is too large");
		r->is_over = true;
		return NULL;
	}
	n->kind = kind;
	n->at = at;
	n->serial = ++r->yaml->serial;
	return n;
}

static uint64_t
member_hash(const struct node *map, struct str key)
{
	return hash_bytes((struct hash_key){ map->serial, 0 }, key);
}

struct node *
yaml_get(const struct yaml *y, const struct node *map, struct str key)
{
	struct table_node *t = table_find(&y->members, member_hash(map, key));

	for (; t != NULL; t = table_again(t)) {
		struct node *n = OWNER_OF(t, struct node, in_map);

		if (n->parent == map && str_eq(n->key, key))
			return n;
	}
	return NULL;
}

static void
node_append(struct node *parent, struct node *n)
{
	n->parent = parent;
	n->next = NULL;
	if (parent->last == NULL)
		parent->first = n;
	else
		parent->last->next = n;
	parent->last = n;
	parent->n++;
}

static void
map_add(struct yaml *y, struct node *map, struct node *n)
{
	node_append(map, n);
	if (table_insert(&y->members, &n->in_map, member_hash(map, n->key)) != 0)
		problem_add(y->problems, PROBLEM_ERROR, n->key_at,
		    "out of memory");
}

/* A value came: hang it where it belongs. */
static void
reading_hang(struct reading *r, struct node *n)
{
	struct node *top = r->depth == 0 ? NULL : r->stack[r->depth - 1];

	if (top == NULL) {
		must(r->root == NULL);
		r->root = n;
	} else if (top->kind == NODE_LIST) {
		node_append(top, n);
	} else {
		must(r->key != NULL);
		n->key = r->key->text;
		n->key_at = r->key->at;
		if (n->at.line == 0)
			n->at = n->key_at;
		n->is_broken |= r->key->is_broken;
		map_add(r->yaml, top, n);
		r->key = NULL;
	}
}

static bool
reading_wants_key(const struct reading *r)
{
	return r->depth > 0 && r->stack[r->depth - 1]->kind == NODE_MAP &&
	    r->key == NULL;
}

static void
reading_key(struct reading *r, struct node *n)
{
	struct node *top = r->stack[r->depth - 1];
	struct node *other = yaml_get(r->yaml, top, n->text);

	r->key = n;
	if (n->is_broken)
		return;
	if (str_eq(n->text, STR("<<"))) {
		n->is_broken = true;
		problem_add(r->yaml->problems, PROBLEM_ERROR, n->at,
		    "merge keys (<<) are not allowed here");
	} else if (other != NULL) {
		n->is_broken = true;
		problem_add(r->yaml->problems, PROBLEM_ERROR, n->at,
		    "key '"STR_FMT"' stands here twice; first in line %u",
		    STR_ARG(n->text), other->key_at.line);
	}
}

/* libfyaml's place of a name is behind its & or *. */
static struct place
place_with_sign(struct place at)
{
	if (at.column > 1) {
		at.column--;
		at.width++;
	}
	return at;
}

/* Anchors and tags: on any event. */
static bool
reading_is_plain(struct reading *r, struct fy_event *e)
{
	struct fy_token *anchor = e->type == FYET_ALIAS ? NULL :
	    fy_event_get_anchor_token(e);
	struct fy_token *tag = e->type == FYET_ALIAS ? NULL :
	    fy_event_get_tag_token(e);

	if (anchor != NULL)
		problem_add(r->yaml->problems, PROBLEM_ERROR,
		    place_with_sign(reading_token_place(r, anchor)),
		    "anchors (&name) are not allowed here");
	if (tag != NULL)
		problem_add(r->yaml->problems, PROBLEM_ERROR,
		    reading_token_place(r, tag),
		    "tags (!name) are not allowed here");
	return anchor == NULL && tag == NULL;
}

/* ---- texts: one line, taken from the file by their place.  (libfyaml 0.7.12
 * loses memory over texts with many escapes, its issue 233.) ---- */

static struct str
text_unquote(struct reading *r, struct str raw, char escape)
{
	struct buf b = { .p = arena_alloc(r->yaml->arena, raw.n + 1),
		.cap = raw.n };

	if (b.p == NULL)
		return STR_NONE;
	for (size_t i = 0; i < raw.n; i++) {
		if (raw.p[i] == escape)
			i++;
		if (i < raw.n)
			buf_putc(&b, raw.p[i]);
	}
	return buf_str(&b);
}

/* YAML 1.2.2 5.7 has eighteen more; no value of ours may hold what they say. */
static bool
escapes_are_known(struct str raw)
{
	for (size_t i = 0; i < raw.n; i++)
		if (raw.p[i] == '\\' && (++i == raw.n || (raw.p[i] != '"' &&
		    raw.p[i] != '\\' && raw.p[i] != '/')))
			return false;
	return true;
}

static bool
text_is_bad(struct reading *r, struct node *n, const char *why)
{
	problem_add(r->yaml->problems, PROBLEM_ERROR, n->at, "%s", why);
	return false;
}

static bool
text_take(struct reading *r, struct fy_token *t, struct node *n)
{
	enum fy_scalar_style style = fy_token_scalar_style(t);
	const struct fy_mark *from = fy_token_start_mark(t);
	const struct fy_mark *to = fy_token_end_mark(t);
	struct str raw;

	if (style == FYSS_LITERAL || style == FYSS_FOLDED ||
	    from->line != to->line)
		return text_is_bad(r, n, "a text stands on one line");
	must(from->input_pos <= to->input_pos && to->input_pos <= r->bytes.n);
	raw = str_sub(r->bytes, from->input_pos,
	    to->input_pos - from->input_pos);
	if (style == FYSS_DOUBLE_QUOTED && !escapes_are_known(raw))
		return text_is_bad(r, n,
		    "in quotes only \\\" and \\\\ have a meaning here");
	if (style == FYSS_SINGLE_QUOTED || style == FYSS_DOUBLE_QUOTED)
		raw = text_unquote(r, raw,
		    style == FYSS_SINGLE_QUOTED ? '\'' : '\\');
	else
		n->is_empty = raw.n == 0;
	n->text = raw;
	return true;
}

static void
reading_scalar(struct reading *r, struct fy_event *e)
{
	struct fy_token *t = fy_event_get_token(e);
	struct node *n = node_new(r, NODE_TEXT, reading_token_place(r, t));

	if (n == NULL)
		return;
	n->is_broken = !reading_is_plain(r, e);
	n->is_empty = n->at.line == 0;
	if (e->type == FYET_ALIAS) {
		n->is_broken = true;
		problem_add(r->yaml->problems, PROBLEM_ERROR,
		    place_with_sign(n->at),
		    "aliases (*name) are not allowed here");
	} else if (n->at.line > 0) {
		n->is_broken |= !text_take(r, t, n);
	}
	if (reading_wants_key(r))
		reading_key(r, n);
	else
		reading_hang(r, n);
}

static void
reading_open(struct reading *r, struct fy_event *e, enum node_kind kind)
{
	struct place at = reading_token_place(r, fy_event_get_token(e));
	struct node *n;

	if (r->skipped > 0 || reading_wants_key(r) || r->depth == YAML_DEPTH) {
		if (r->skipped++ == 0)
			problem_add(r->yaml->problems, PROBLEM_ERROR, at,
			    r->depth == YAML_DEPTH ? "this is nested too deep" :
			    "a key must be a text");
		return;
	}
	at.width = 1;
	n = node_new(r, kind, at);
	if (n == NULL)
		return;
	n->is_broken = !reading_is_plain(r, e);
	reading_hang(r, n);
	r->stack[r->depth++] = n;
}

/* After what was skipped as a key or value, something must stand for it. */
static void
reading_close(struct reading *r)
{
	struct node *n;

	if (r->skipped == 0) {
		must(r->depth > 0);
		r->depth--;
		return;
	}
	if (--r->skipped > 0)
		return;
	n = node_new(r, NODE_TEXT, (struct place){ .file = r->file });
	if (n == NULL)
		return;
	n->is_broken = true;
	if (reading_wants_key(r))
		r->key = n;
	else
		reading_hang(r, n);
}

static void
reading_document(struct reading *r, struct fy_event *e)
{
	if (++r->documents < 2)
		return;
	problem_add(r->yaml->problems, PROBLEM_ERROR,
	    reading_token_place(r, fy_event_get_token(e)),
	    "a second document (---) is not allowed here");
	r->is_over = true;
}

static void
reading_event(struct reading *r, struct fy_event *e)
{
	switch (e->type) {
	case FYET_DOCUMENT_START:
		reading_document(r, e);
		break;
	case FYET_MAPPING_START:
		reading_open(r, e, NODE_MAP);
		break;
	case FYET_SEQUENCE_START:
		reading_open(r, e, NODE_LIST);
		break;
	case FYET_MAPPING_END:
	case FYET_SEQUENCE_END:
		reading_close(r);
		break;
	case FYET_SCALAR:
	case FYET_ALIAS:
		if (r->skipped == 0)
			reading_scalar(r, e);
		break;
	case FYET_NONE:
	case FYET_STREAM_START:
	case FYET_STREAM_END:
	case FYET_DOCUMENT_END:
		break;
	}
}

/* ---- libfyaml ---- */

static void
diag_swallow(struct fy_diag *d, void *user, const char *text, size_t n)
{
	(void)d;
	(void)user;
	(void)text;
	(void)n;
}

static struct fy_diag *
diag_open(void)
{
	struct fy_diag_cfg cfg;
	struct fy_diag *d;

	fy_diag_cfg_default(&cfg);
	cfg.fp = NULL;
	cfg.output_fn = diag_swallow;
	cfg.colorize = false;
	d = fy_diag_create(&cfg);
	if (d != NULL)
		fy_diag_set_collect_errors(d, true);
	return d;
}

/* libfyaml stops at its first error; its lines and columns are from 1. */
static void
diag_tell(struct reading *r, struct fy_diag *d, bool failed)
{
	void *iter = NULL;
	struct fy_diag_error *e;
	size_t told = 0;

	while ((e = fy_diag_errors_iterate(d, &iter)) != NULL) {
		struct place at = { .file = r->file };

		if (e->line > 0 && e->column > 0)
			at = reading_place(r, (size_t)e->line - 1,
			    (size_t)e->column - 1, 1);
		problem_add(r->yaml->problems, PROBLEM_ERROR, at,
		    "this is not YAML: %s", e->msg);
		told++;
	}
	if (failed && told == 0)
		problem_add(r->yaml->problems, PROBLEM_ERROR,
		    (struct place){ .file = r->file }, "this is not YAML");
}

static void
reading_events(struct reading *r, struct fy_parser *p)
{
	struct fy_event *e;

	while (!r->is_over && (e = fy_parser_parse(p)) != NULL) {
		reading_event(r, e);
		fy_parser_event_free(p, e);
	}
}

static bool
reading_run(struct reading *r)
{
	struct fy_diag *d = diag_open();
	struct fy_parse_cfg cfg = { .diag = d, .flags = FYPCF_QUIET |
		FYPCF_DEFAULT_VERSION_1_2 | FYPCF_JSON_NONE };
	struct fy_parser *p = d == NULL ? NULL : fy_parser_create(&cfg);
	bool fine = p != NULL &&
	    fy_parser_set_string(p, r->bytes.p, r->bytes.n) == 0;

	if (fine) {
		reading_events(r, p);
		fine = !fy_parser_get_stream_error(p);
		diag_tell(r, d, !fine);
	} else {
		problem_add(r->yaml->problems, PROBLEM_ERROR,
		    (struct place){ .file = r->file }, "out of memory");
	}
	if (p != NULL)
		fy_parser_destroy(p);
	if (d != NULL)
		fy_diag_destroy(d);
	return fine && !r->is_over;
}

static struct node *
reading_result(struct reading *r)
{
	if (r->root != NULL && r->root->kind == NODE_MAP)
		return r->root;
	if (r->root == NULL || (r->root->is_empty && !r->root->is_broken))
		return node_new(r, NODE_MAP, (struct place){ .file = r->file });
	problem_add(r->yaml->problems, PROBLEM_ERROR, r->root->at,
	    "a configuration is a map of keys, as 'hostname: mx1.example.com'");
	return NULL;
}

struct node *
yaml_parse(struct yaml *y, const struct source_file *file)
{
	struct reading r = { .yaml = y };

	r.file = arena_copy(y->arena, file->name);
	r.bytes = arena_copy(y->arena, file->bytes);
	if (r.bytes.p == NULL || !reading_index(&r)) {
		problem_add(y->problems, PROBLEM_ERROR,
		    (struct place){ .file = r.file }, "the file is too large");
		return NULL;
	}
	if (!reading_is_clean(&r) || !reading_run(&r))
		return NULL;
	return reading_result(&r);
}

/* ---- merging ---- */


static void
merge_twice(struct yaml *y, const struct node *a, const struct node *b)
{
	problem_add(y->problems, PROBLEM_ERROR, b->key_at,
	    "'"STR_FMT"' is set already in "STR_FMT":%u", STR_ARG(b->key),
	    STR_ARG(a->key_at.file), a->key_at.line);
}

static void
merge_list(struct node *into, struct node *from)
{
	struct node *next;

	for (struct node *n = from->first; n != NULL; n = next) {
		next = n->next;
		node_append(into, n);
	}
	from->first = from->last = NULL;
}

/* Members of both maps that are maps themselves wait in `todo': a chain through
 * the emptied maps of `from', whose parents say where they belong. */
static void
merge_member(struct yaml *y, struct node *into, struct node *n,
    struct node **todo)
{
	struct node *mine = yaml_get(y, into, n->key);

	if (mine == NULL) {
		table_remove(&y->members, &n->in_map);
		map_add(y, into, n);
	} else if (mine->kind == NODE_LIST && n->kind == NODE_LIST) {
		merge_list(mine, n);
	} else if (mine->kind == NODE_MAP && n->kind == NODE_MAP) {
		n->parent = mine;
		n->next = *todo;
		*todo = n;
	} else {
		merge_twice(y, mine, n);
	}
}

void
yaml_merge(struct yaml *y, struct node *into, struct node *from)
{
	struct node *todo = from, *next;

	from->parent = into;
	from->next = NULL;
	while (todo != NULL) {
		struct node *map = todo;

		todo = todo->next;
		for (struct node *n = map->first; n != NULL; n = next) {
			next = n->next;
			merge_member(y, map->parent, n, &todo);
		}
		map->first = map->last = NULL;
	}
}
