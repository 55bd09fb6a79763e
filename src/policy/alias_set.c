#include "policy/alias_set.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/list.h"
#include "base/utf8.h"
#include "policy/pipe.h"
#include "policy/problem.h"
#include "policy/source.h"
#include "wire/address.h"
#include "wire/aliases.h"

enum {
	EXCERPT_MOST = 160,		/* octets of a line that are shown */
	KEY_ROOM = LOCAL_MOST + 1 + DOMAIN_MOST
};

static const struct hash_key no_key;	/* only the operator adds names */

/* A file while it is read; an included one within another. */
struct alias_file {
	const struct alias_file *by;	/* that includes it; NULL: none does */
	struct str path, bytes;
	bool is_trusted;
	unsigned depth;
};

/* A line of a file, where it begins. */
struct alias_spot {
	const char *file, *line;
	unsigned number;
};

/* One set while it is read. */
struct alias_reading {
	struct value_reader *reader;
	struct alias_set *set;
	const struct alias_file *file;	/* where we are */
	struct alias_spot spot;		/* what was told last stands there */
	struct alias_entry *entry;	/* being filled */
	struct alias_to *to;		/* room for ALIAS_TARGETS_MOST */
	enum problem_level level;	/* of what may not be in such a file */
	bool is_left_out, has_failed;
};

/* ---- finding ---- */

/* A local part may hold any octet but NUL. */
static struct str
alias_key(struct str local, struct str domain, char room[KEY_ROOM])
{
	struct buf b = { .p = room, .cap = KEY_ROOM };

	buf_put(&b, local);
	if (domain.n > 0) {
		buf_putc(&b, '\0');
		buf_put(&b, domain);
	}
	for (size_t i = 0; i < b.n; i++)
		b.p[i] = ascii_lower(b.p[i]);
	return b.full ? STR_NONE : buf_str(&b);
}

static const struct alias_entry *
alias_look_up(const struct alias_set *set, struct str local, struct str domain)
{
	char room[KEY_ROOM];
	struct str key = alias_key(local, domain, room);
	struct table_node *t;

	if (key.p == NULL)
		return NULL;
	t = table_find(&set->entries, hash_bytes(no_key, key));
	for (; t != NULL; t = table_again(t)) {
		const struct alias_entry *e = OWNER_OF(t, struct alias_entry,
		    node);

		if (str_eq_icase(e->local, local) &&
		    str_eq_icase(e->domain, domain))
			return e;
	}
	return NULL;
}

const struct alias_entry *
alias_find(const struct alias_set *set, struct str local, struct str domain)
{
	const struct alias_entry *e = alias_look_up(set, local, domain);

	return e != NULL || local.n == 0 ? e :
	    alias_look_up(set, local, STR(""));
}

bool
alias_has_transport(const struct alias_entry *e, struct str transport)
{
	for (size_t i = 0; i < e->n; i++)
		if (e->to[i].kind == ALIAS_TO_TRANSPORT &&
		    str_eq(e->to[i].text, transport))
			return true;
	return false;
}

static void
table_drop(void *arg)
{
	table_clear(arg);
}

/* ---- telling ---- */

/* Where this part of the file's bytes stands.  Parts are asked for one behind the
 * other, so that the file is looked through once. */
static struct place
alias_place(struct alias_reading *a, struct str part)
{
	struct str bytes = a->file->bytes, line;
	struct place at = { .file = a->file->path, .line = 1, .column = 1 };
	struct alias_spot *spot = &a->spot;

	if (part.p < bytes.p || part.p > bytes.p + bytes.n)
		return at;
	if (spot->file != bytes.p || part.p < spot->line)
		*spot = (struct alias_spot){ bytes.p, bytes.p, 1 };
	bytes = str_sub(bytes, (size_t)(spot->line - bytes.p), bytes.n);
	for (;;) {
		line = str_sub(bytes, 0, str_find(bytes, '\n'));
		if (part.p <= line.p + line.n || line.n == bytes.n)
			break;
		bytes = str_sub(bytes, line.n + 1, bytes.n);
		spot->number++;
	}
	spot->line = line.p;
	at.line = spot->number;
	at.column = (unsigned)(part.p - line.p) + 1;
	if (line.n <= EXCERPT_MOST) {
		at.line_text = line;
		at.width = (unsigned)str_find(part, '\n');
	}
	return at;
}

static void
alias_tell(struct alias_reading *a, enum problem_level level, struct str part,
    const char *what)
{
	struct str shown = str_sub(part, 0, str_find(part, '\n'));

	problem_add(a->reader->problems, level, alias_place(a, part),
	    "'"STR_FMT"' %s", STR_ARG(shown), what);
	if (level == PROBLEM_ERROR)
		a->has_failed = true;
	a->is_left_out = true;
}

static void
alias_refuse(struct alias_reading *a, struct str part, const char *what)
{
	alias_tell(a, PROBLEM_ERROR, part, what);
}

/* ---- targets ---- */

static void
alias_add(struct alias_reading *a, enum alias_to_kind kind, struct str part,
    struct str text)
{
	struct alias_to *to;

	if (a->entry->n == ALIAS_TARGETS_MOST) {
		alias_refuse(a, part, "is one target too many (1000)");
		return;
	}
	to = &a->to[a->entry->n++];
	*to = (struct alias_to){ .kind = kind, .file = a->file->path,
		.line = alias_place(a, part).line,
		.text = arena_copy(a->reader->arena, text) };
	a->has_failed |= to->text.p == NULL;
}

/* Nobody has a name with these; they only come by mistake. */
static bool
local_is_odd(struct str local)
{
	uint32_t code;
	size_t n;

	if (local.n == 0 || local.n > LOCAL_MOST)
		return true;
	for (; local.n > 0; local = str_sub(local, n, local.n)) {
		n = utf8_next(local, &code);
		if (n == 0 || code < ' ' || code == 0x7f || code == '@')
			return true;
	}
	return false;
}

/* From here on its domain is ASCII. */
static bool
alias_lower_domain(struct alias_reading *a, const struct mailbox *m,
    struct str *text)
{
	struct str domain;

	if (str_is_ascii(m->domain))
		return true;
	if (!domain_canonical(a->reader->scratch, m->domain, &domain))
		return false;
	*text = arena_join(a->reader->scratch, str_sub(m->text, 0,
	    m->text.n - m->domain.n), domain);
	return text->p != NULL;
}

/* A mailbox, a local part, or "@domain" behind "@domain:". */
static void
alias_address(struct alias_reading *a, const struct alias_target *t,
    struct str text)
{
	struct mailbox m;
	struct str domain = text;

	if (str_skip(&domain, STR("@")) && domain_is_valid(domain,
	    MAILBOX_STRICT)) {
		if (a->entry->local.n > 0 || t->is_final)
			alias_refuse(a, t->text, "stands for a whole domain, "
			    "and only an alias like '@domain' may lead there");
		else
			alias_add(a, ALIAS_TO_ADDRESS, t->text, text);
		return;
	}
	if (mailbox_parse(text, MAILBOX_UTF8, &m) == NULL ?
	    !alias_lower_domain(a, &m, &text) :
	    t->quoted ? local_is_odd(text) :
	    text.n > LOCAL_MOST || !local_is_safe(text))
		alias_refuse(a, t->text, "is not a mail address");
	else
		alias_add(a, t->is_final ? ALIAS_TO_USER : ALIAS_TO_ADDRESS,
		    t->text, text);
}

/* SECURITY.md row 14: who can write the file could else become whom the command
 * runs as. */
static bool
alias_may_lead_out(struct alias_reading *a, struct str part)
{
	if (a->file->by != NULL)
		alias_tell(a, a->level, part, "stands in an included file; "
		    "only addresses may");
	else if (!a->file->is_trusted)
		alias_tell(a, a->level, part, "may stand only in a file of "
		    "root's (or of who starts the server) that nobody else "
		    "may write");
	else
		return true;
	return false;
}

static void
alias_command(struct alias_reading *a, struct str part, struct str text)
{
	struct pipe pipe;
	const char *why;

	if (!alias_may_lead_out(a, part))
		return;
	why = pipe_parse(&pipe, text, a->reader->arena);
	if (why != NULL) {
		alias_tell(a, a->level, part, why);
		return;
	}
	text = arena_join(a->reader->arena, STR("|"), text);
	a->has_failed |= text.p == NULL;
	a->set->has_transports = true;
	alias_add(a, ALIAS_TO_TRANSPORT, part, text);
}

static bool
path_climbs(struct str path)
{
	while (path.n > 0)
		if (str_eq(str_cut(&path, '/'), STR("..")))
			return true;
	return false;
}

static void
alias_path(struct alias_reading *a, struct str part, struct str text)
{
	if (str_eq(text, STR("/dev/null"))) {
		alias_add(a, ALIAS_TO_NOBODY, part, text);
		return;
	}
	if (!alias_may_lead_out(a, part))
		return;
	if (!alias_target_is_place(text))
		alias_tell(a, a->level, part, "is no Maildir; its name ends "
		    "with a '/', and files of the mbox kind are not written");
	else if (path_climbs(text))
		alias_tell(a, a->level, part, "climbs by '..'");
	else {
		a->set->has_transports = true;
		alias_add(a, ALIAS_TO_TRANSPORT, part, text);
	}
}

/* ---- included files ---- */

static bool
alias_is_inside(const struct alias_reading *a, struct str path)
{
	for (const struct alias_file *f = a->file; f != NULL; f = f->by)
		if (str_eq(f->path, path))
			return true;
	return false;
}

/* Found, opened, and not within itself. */
static bool
alias_open(struct alias_reading *a, struct str part, struct str path,
    struct alias_file *out)
{
	struct value_reader *r = a->reader;
	struct source_file file;
	const char *why = NULL;

	if (path.n == 0 || path.p[0] != '/')
		why = "is not an absolute path";
	else if (alias_is_inside(a, path))
		why = "includes itself";
	else if (a->file->depth == ALIAS_INCLUDES_DEEP)
		why = "is included too deep (8)";
	if (why != NULL) {
		alias_refuse(a, part, why);
		return false;
	}
	switch (r->source->read(r->source, path, r->scratch, &file)) {
	case SOURCE_FOUND:
		break;
	case SOURCE_ABSENT:
		alias_refuse(a, part, "cannot be read: there is no such file");
		return false;
	case SOURCE_TROUBLE:
		alias_refuse(a, part, err_text());
		err_clear();
		return false;
	}
	*out = (struct alias_file){ .by = a->file, .bytes = file.bytes,
		.path = arena_copy(r->arena, path),
		.depth = a->file->depth + 1 };
	a->has_failed |= out->path.p == NULL;
	return out->path.p != NULL;
}

/* Which files are being read, innermost last; no file is there twice. */
struct alias_nest {
	struct alias_file files[ALIAS_INCLUDES_DEEP + 1];
	struct str rest[ALIAS_INCLUDES_DEEP + 1];
	size_t n;
};

static void
alias_include(struct alias_reading *a, struct alias_nest *nest,
    struct str part, struct str path)
{
	if (!alias_open(a, part, path, &nest->files[nest->n]))
		return;
	nest->rest[nest->n] = alias_list(nest->files[nest->n].bytes);
	a->file = &nest->files[nest->n++];
}

static void
alias_take(struct alias_reading *a, struct alias_nest *nest,
    const struct alias_target *t)
{
	char room[PIPE_MOST + 2];
	struct buf b = BUF_OF(room);
	struct str text = t->text;

	if (t->quoted) {
		alias_unquote(t->text, &b);
		text = buf_str(&b);
	}
	if (b.full) {
		alias_refuse(a, t->text, "is too long");
		return;
	}
	switch (t->kind) {
	case ALIAS_ADDRESS:
		alias_address(a, t, text);
		break;
	case ALIAS_INCLUDE:
		alias_include(a, nest, t->text, text);
		break;
	case ALIAS_COMMAND:
		alias_command(a, t->text, text);
		break;
	case ALIAS_FILE:
		alias_path(a, t->text, text);
		break;
	case ALIAS_BAD:
		alias_refuse(a, t->text, "is not a target");
		break;
	}
}

/* All targets of an alias, and of the files it includes, where they stand. */
static void
alias_targets(struct alias_reading *a, struct str targets)
{
	const struct alias_file *file = a->file;
	struct alias_nest nest = { .rest[0] = targets, .n = 1 };
	struct alias_target t;

	nest.files[0] = *file;
	a->file = &nest.files[0];
	while (nest.n > 0) {
		if (alias_target(&nest.rest[nest.n - 1], &t))
			alias_take(a, &nest, &t);
		else if (--nest.n > 0)
			a->file = &nest.files[nest.n - 1];
	}
	a->file = file;
}

/* ---- names ---- */

/* "@a.example", "bob@a.example" (its local part quoted or not), "bob". */
static bool
alias_split(struct alias_reading *a, struct str raw)
{
	char room[2 * LOCAL_MOST + 2];
	struct buf b = BUF_OF(room);
	struct str domain = raw;
	struct arena *arena = a->reader->arena;
	struct mailbox m;

	a->entry->domain = STR("");
	if (str_skip(&domain, STR("@"))) {
		if (!domain_is_valid(domain, MAILBOX_STRICT))
			return false;
		a->entry->domain = arena_lower(arena, domain);
	} else if (mailbox_parse(raw, MAILBOX_STRICT, &m) == NULL) {
		mailbox_local(&m, &b);
		a->entry->domain = arena_lower(arena, m.domain);
	} else {
		alias_unquote(raw, &b);
		if (b.full || local_is_odd(buf_str(&b)))
			return false;
	}
	a->entry->local = arena_lower(arena, buf_str(&b));
	a->entry->name = arena_lower(arena, a->entry->domain.n > 0 ? raw :
	    buf_str(&b));
	a->has_failed |= a->entry->local.p == NULL ||
	    a->entry->domain.p == NULL || a->entry->name.p == NULL;
	return true;
}

static bool
alias_name(struct alias_reading *a, struct str raw)
{
	const struct alias_entry *e = a->entry, *other;

	if (!alias_split(a, raw)) {
		alias_refuse(a, raw, "is no name for an alias");
		return false;
	}
	if (e->local.p == NULL || e->domain.p == NULL || e->name.p == NULL)
		return false;
	other = alias_look_up(a->set, e->local, e->domain);
	if (other != NULL)
		alias_refuse(a, raw, arena_printf(a->reader->arena,
		    "stands here twice; first in line %u", other->line).p);
	return other == NULL;
}

static void
alias_keep(struct alias_reading *a, struct str raw)
{
	struct alias_entry *e = a->entry;
	size_t size = e->n * sizeof e->to[0];
	char room[KEY_ROOM];

	if (e->n == 0 && !a->is_left_out)
		alias_refuse(a, raw, "has no targets");
	if (a->is_left_out)
		return;
	e->to = arena_alloc(a->reader->arena, size);
	if (e->to == NULL || table_insert(&a->set->entries, &e->node,
	    hash_bytes(no_key, alias_key(e->local, e->domain, room))) != 0) {
		a->has_failed = true;
		return;
	}
	memcpy(e->to, a->to, size);
}

static void
alias_read(struct alias_reading *a, const struct alias *from)
{
	a->entry = arena_new(a->reader->arena, struct alias_entry);
	a->is_left_out = false;
	if (a->entry == NULL) {
		a->has_failed = true;
		return;
	}
	a->entry->line = from->line;
	if (from->why != NULL) {
		alias_refuse(a, from->name, from->why);
		return;
	}
	if (!alias_name(a, from->name))
		return;
	alias_targets(a, from->targets);
	alias_keep(a, from->name);
}

static struct alias_set *
alias_set_read(struct value_reader *r, struct alias_set *set,
    const struct source_file *from, enum problem_level level)
{
	struct alias_file file = { .path = set->path, .bytes = from->bytes,
		.is_trusted = from->is_trusted };
	struct alias_reading a = { .reader = r, .set = set, .file = &file,
		.level = level };
	struct arena scratch;
	struct aliases walk;
	struct alias one;

	arena_init(&scratch, ALIAS_TARGETS_MOST * sizeof *a.to + 64);
	a.to = arena_alloc(&scratch, ALIAS_TARGETS_MOST * sizeof *a.to);
	a.has_failed = a.to == NULL;
	aliases_begin(&walk, file.bytes);
	while (a.to != NULL && aliases_next(&walk, &one))
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
	return alias_set_read(r, set, &file,
	    is_implied ? PROBLEM_WARNING : PROBLEM_ERROR);
}
