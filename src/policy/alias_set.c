#include "policy/alias_set.h"

#include "base/list.h"
#include "wire/aliases.h"

static const struct hash_key no_key;	/* only the operator adds names */

/* One file while it is read. */
struct alias_reading {
	struct value_reader *reader;
	struct alias_set *set;
	struct alias_entry *entry;	/* being filled */
	struct str *targets;		/* room for ALIAS_TARGETS_MOST */
	enum problem_level level;	/* of what is not in this version */
	unsigned line;
	bool is_left_out, has_failed;
};

const struct alias_entry *
alias_find(const struct alias_set *set, struct str name)
{
	char lower[LOCAL_MOST];
	struct table_node *t;

	if (name.n > sizeof lower)
		return NULL;
	for (size_t i = 0; i < name.n; i++)
		lower[i] = ascii_lower(name.p[i]);
	name.p = lower;
	t = table_find(&set->entries, hash_bytes(no_key, name));
	for (; t != NULL; t = table_again(t))
		if (str_eq(OWNER_OF(t, struct alias_entry, node)->name, name))
			return OWNER_OF(t, struct alias_entry, node);
	return NULL;
}

static void
table_drop(void *arg)
{
	table_clear(arg);
}

static void
alias_tell(struct alias_reading *a, enum problem_level level, const char *what,
    struct str text)
{
	problem_add(a->reader->problems, level, (struct place){
	    .file = a->set->path, .line = a->line, .column = 1 },
	    "'"STR_FMT"' %s", STR_ARG(text), what);
	if (level == PROBLEM_ERROR)
		a->has_failed = true;
	a->is_left_out = true;
}

/* A target is a local part or a mailbox, nothing else. */
static void
alias_address(struct alias_reading *a, struct str text)
{
	struct mailbox m;

	if (mailbox_parse(text, MAILBOX_STRICT, &m) != NULL &&
	    (text.n > LOCAL_MOST || !local_is_safe(text))) {
		alias_tell(a, PROBLEM_ERROR, "is not a mail address", text);
		return;
	}
	if (a->entry->n == ALIAS_TARGETS_MOST) {
		alias_tell(a, PROBLEM_ERROR, "is one target too many (1000)",
		    text);
		return;
	}
	a->targets[a->entry->n] = arena_copy(a->reader->arena, text);
	a->has_failed |= a->targets[a->entry->n].p == NULL;
	a->entry->n++;
}

/* An included file: targets on lines, no aliases, no further includes. */
static void
alias_include(struct alias_reading *a, struct str path)
{
	struct value_reader *r = a->reader;
	struct alias_target t;
	struct source_file file;

	if (r->source->read(r->source, path, r->scratch, &file) != SOURCE_FOUND) {
		alias_tell(a, PROBLEM_ERROR, "cannot be read", path);
		return;
	}
	while (file.bytes.n > 0) {
		struct str line = str_trim(str_cut(&file.bytes, '\n'));

		if (line.n == 0 || line.p[0] == '#')
			continue;
		while (alias_target(&line, &t)) {
			if (t.kind == ALIAS_ADDRESS)
				alias_address(a, t.text);
			else
				alias_tell(a, PROBLEM_ERROR, "stands in an "
				    "included file; only addresses may", t.text);
		}
	}
}

static void
alias_take(struct alias_reading *a, const struct alias_target *t)
{
	char room[MAILBOX_TEXT];
	struct buf b = BUF_OF(room);
	struct str text = t->text;

	if (t->quoted) {
		alias_unquote(t->text, &b);
		text = b.full ? t->text : buf_str(&b);
	}
	switch (t->kind) {
	case ALIAS_ADDRESS:
		alias_address(a, text);
		break;
	case ALIAS_INCLUDE:
		alias_include(a, text);
		break;
	case ALIAS_COMMAND:
		alias_tell(a, a->level, "is known but not in this version: "
		    "aliases lead to addresses, not to commands", text);
		break;
	case ALIAS_FILE:
		alias_tell(a, a->level, "is known but not in this version: "
		    "aliases lead to addresses, not to files", text);
		break;
	case ALIAS_BAD:
		alias_tell(a, PROBLEM_ERROR, "is not a target", text);
		break;
	}
}

static bool
alias_name(struct alias_reading *a, struct str raw)
{
	char room[2 * LOCAL_MOST];
	struct buf b = BUF_OF(room);
	struct str name = raw;

	if (raw.n > 0 && raw.p[0] == '"') {
		alias_unquote(raw, &b);
		name = buf_str(&b);
	}
	if (name.n == 0 || name.n > LOCAL_MOST || b.full) {
		alias_tell(a, PROBLEM_ERROR, "is no name for an alias", raw);
		return false;
	}
	if (alias_find(a->set, name) != NULL) {
		alias_tell(a, PROBLEM_ERROR, "stands here twice", raw);
		return false;
	}
	a->entry->name = arena_lower(a->reader->arena, name);
	return a->entry->name.p != NULL;
}

static void
alias_keep(struct alias_reading *a)
{
	struct alias_entry *e = a->entry;
	size_t size = e->n * sizeof e->targets[0];

	if (e->n == 0 && !a->is_left_out)
		alias_tell(a, PROBLEM_ERROR, "has no targets", e->name);
	if (a->is_left_out)
		return;
	e->targets = arena_alloc(a->reader->arena, size);
	if (e->targets == NULL || table_insert(&a->set->entries, &e->node,
	    hash_bytes(no_key, e->name)) != 0) {
		a->has_failed = true;
		return;
	}
	memcpy(e->targets, a->targets, size);
}

static void
alias_read(struct alias_reading *a, const struct alias *from)
{
	struct str targets = from->targets;
	struct alias_target t;

	a->entry = arena_new(a->reader->arena, struct alias_entry);
	a->is_left_out = false;
	a->line = from->line;
	if (a->entry == NULL) {
		a->has_failed = true;
		return;
	}
	a->entry->line = from->line;
	if (from->why != NULL) {
		alias_tell(a, PROBLEM_ERROR, from->why, from->name);
		return;
	}
	if (!alias_name(a, from->name))
		return;
	while (alias_target(&targets, &t))
		alias_take(a, &t);
	alias_keep(a);
}

static struct alias_set *
alias_set_read(struct value_reader *r, struct alias_set *set, struct str bytes,
    enum problem_level level)
{
	struct alias_reading a = { .reader = r, .set = set, .level = level };
	struct arena scratch;
	struct aliases walk;
	struct alias one;

	arena_init(&scratch, ALIAS_TARGETS_MOST * sizeof(struct str) + 64);
	a.targets = arena_alloc(&scratch,
	    ALIAS_TARGETS_MOST * sizeof(struct str));
	a.has_failed = a.targets == NULL;
	aliases_begin(&walk, bytes);
	while (a.targets != NULL && aliases_next(&walk, &one))
		alias_read(&a, &one);
	arena_clear(&scratch);
	return a.has_failed ? NULL : set;
}

struct alias_set *
alias_set_file(struct value_reader *r, struct str path, struct place at,
    bool is_implied)
{
	struct alias_set *set = arena_new(r->arena, struct alias_set);
	struct source_file file;

	if (set == NULL || arena_defer(r->arena, table_drop, &set->entries) != 0)
		return NULL;
	set->path = path;
	if (is_implied && r->source->read(r->source, path, r->scratch, &file) ==
	    SOURCE_ABSENT)
		return set;
	if (!value_file(r, path, at, &file))
		return NULL;
	return alias_set_read(r, set, file.bytes,
	    is_implied ? PROBLEM_WARNING : PROBLEM_ERROR);
}
