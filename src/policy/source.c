/*
 * A memory source as bytes, little-endian:
 *	"NMSRC1\0\0"	8 octets
 *	u32 n		items
 *	n times:
 *		u8 kind		1 file, 2 glob, 3 variable
 *		u8 status	0 found, 1 absent, 2 trouble
 *		u8 readable	1: a file that everybody may read
 *		u32 + octets	name: path, pattern, variable
 *		u32 + octets	contents; of a glob: paths, each ending in NUL;
 *				of trouble: the reason
 */
#include "policy/source.h"

#include "base/err.h"
#include "base/list.h"
#include "base/must.h"
#include "base/num.h"

#include <fnmatch.h>

enum item_kind { ITEM_FILE = 1, ITEM_GLOB, ITEM_ENV, ITEM_KINDS };

enum { ITEMS_MOST = 100000, PATTERN_MOST = 1024 };

struct source_item {
	struct source_item *next;
	enum item_kind kind;
	enum source_status status;
	bool is_world_readable, is_trusted;
	bool is_world_writable;		/* does not travel: it is no configuration */
	struct str name, bytes;
};

static const struct str magic = STR_INIT("NMSRC1\0\0");

static struct source_item *
item_find(const struct source_memory *m, enum item_kind kind, struct str name)
{
	struct source_item *item = m->items;

	while (item != NULL && (item->kind != kind || !str_eq(item->name, name)))
		item = item->next;
	return item;
}

static struct source_item *
item_add(struct source_memory *m, enum item_kind kind,
    enum source_status status, struct str name, struct str bytes)
{
	struct source_item *item = arena_new(m->arena, struct source_item);

	if (item == NULL)
		return NULL;
	item->kind = kind;
	item->status = status;
	item->name = arena_copy(m->arena, name);
	item->bytes = arena_copy(m->arena, bytes);
	if (item->name.p == NULL || item->bytes.p == NULL)
		return NULL;
	item->next = m->items;
	m->items = item;
	return item;
}

static enum source_status
source_is_full(void)
{
	err_set("no room to keep a file of the configuration");
	return SOURCE_TROUBLE;
}

/* What an item answers: its trouble becomes the trail again. */
static enum source_status
item_answer(const struct source_item *item)
{
	if (item->status == SOURCE_TROUBLE)
		err_set(STR_FMT, STR_ARG(item->bytes));
	return item->status;
}

/* ---- files ---- */

static enum source_status
memory_ask_file(struct source_memory *m, struct str path, struct arena *a,
    struct source_item **item)
{
	struct source_file file = { .bytes = STR("") };
	enum source_status status = SOURCE_ABSENT;

	*item = item_find(m, ITEM_FILE, path);
	if (*item != NULL || m->behind == NULL)
		return SOURCE_FOUND;
	status = m->behind->read(m->behind, path, a, &file);
	*item = item_add(m, ITEM_FILE, status, path,
	    status == SOURCE_TROUBLE ? str_of(err_text()) : file.bytes);
	if (*item == NULL)
		return source_is_full();
	(*item)->is_world_readable = file.is_world_readable;
	(*item)->is_trusted = file.is_trusted;
	(*item)->is_world_writable = file.is_world_writable;
	return SOURCE_FOUND;
}

static enum source_status
memory_read(struct conf_source *s, struct str path, struct arena *a,
    struct source_file *out)
{
	struct source_memory *m = OWNER_OF(s, struct source_memory, source);
	struct source_item *item;

	*out = (struct source_file){ .name = STR(""), .bytes = STR("") };
	if (memory_ask_file(m, path, a, &item) != SOURCE_FOUND)
		return SOURCE_TROUBLE;
	if (item == NULL)
		return SOURCE_ABSENT;
	if (item->status != SOURCE_FOUND)
		return item_answer(item);
	out->name = arena_copy(a, item->name);
	out->bytes = arena_copy(a, item->bytes);
	out->is_world_readable = item->is_world_readable;
	out->is_trusted = item->is_trusted;
	out->is_world_writable = item->is_world_writable;
	return out->name.p == NULL || out->bytes.p == NULL ? source_is_full() :
	    SOURCE_FOUND;
}

/* ---- globs ---- */

static size_t
paths_count(struct str bytes)
{
	size_t n = 0;

	for (size_t i = 0; i < bytes.n; i++)
		n += bytes.p[i] == '\0';
	return n;
}

static enum source_status
paths_split(struct str bytes, struct arena *a, struct str **paths, size_t *n)
{
	*n = paths_count(bytes);
	*paths = arena_alloc(a, (*n + 1) * sizeof **paths);
	if (*paths == NULL)
		return source_is_full();
	for (size_t i = 0; i < *n; i++) {
		(*paths)[i] = arena_copy(a, str_cut(&bytes, '\0'));
		if ((*paths)[i].p == NULL)
			return source_is_full();
	}
	return SOURCE_FOUND;
}

static struct str
paths_join(struct arena *a, const struct str *paths, size_t n)
{
	struct buf b = { .cap = 0 };

	for (size_t i = 0; i < n; i++)
		b.cap += paths[i].n + 1;
	b.p = arena_alloc(a, b.cap + 1);
	if (b.p == NULL)
		return STR_NONE;
	for (size_t i = 0; i < n; i++) {
		buf_put(&b, paths[i]);
		buf_putc(&b, '\0');
	}
	return buf_str(&b);
}

/* Of what is kept here: in the order of names. */
static enum source_status
memory_match(const struct source_memory *m, const char *pattern,
    struct arena *a, struct str **paths, size_t *n)
{
	size_t most = 0, at;

	for (struct source_item *i = m->items; i != NULL; i = i->next)
		most += i->kind == ITEM_FILE;
	*n = 0;
	*paths = arena_alloc(a, (most + 1) * sizeof **paths);
	if (*paths == NULL)
		return source_is_full();
	for (struct source_item *i = m->items; i != NULL; i = i->next) {
		const char *name = arena_cstr(a, i->name);

		if (name == NULL)
			return source_is_full();
		if (i->kind != ITEM_FILE || i->status != SOURCE_FOUND ||
		    fnmatch(pattern, name, FNM_PATHNAME | FNM_PERIOD) != 0)
			continue;
		for (at = (*n)++; at > 0 &&
		    str_order(i->name, (*paths)[at - 1]) < 0; at--)
			(*paths)[at] = (*paths)[at - 1];
		(*paths)[at] = i->name;
	}
	return SOURCE_FOUND;
}

static enum source_status
memory_glob(struct conf_source *s, struct str pattern, struct arena *a,
    struct str **paths, size_t *n)
{
	struct source_memory *m = OWNER_OF(s, struct source_memory, source);
	struct source_item *item = item_find(m, ITEM_GLOB, pattern);
	enum source_status status;
	char text[PATTERN_MOST];
	struct str joined;

	*n = 0;
	if (item != NULL)
		return item->status != SOURCE_FOUND ? item_answer(item) :
		    paths_split(item->bytes, a, paths, n);
	if (!str_cstr(pattern, text, sizeof text)) {
		err_set("this pattern is too long");
		return SOURCE_TROUBLE;
	}
	if (m->behind == NULL)
		return memory_match(m, text, a, paths, n);
	status = m->behind->glob(m->behind, pattern, a, paths, n);
	joined = status == SOURCE_FOUND ? paths_join(a, *paths, *n) :
	    str_of(err_text());
	if (item_add(m, ITEM_GLOB, status, pattern, joined) == NULL)
		return source_is_full();
	return status;
}

/* ---- the environment ---- */

static enum source_status
memory_env(struct conf_source *s, struct str name, struct arena *a,
    struct str *value)
{
	struct source_memory *m = OWNER_OF(s, struct source_memory, source);
	struct source_item *item = item_find(m, ITEM_ENV, name);
	enum source_status status;

	*value = STR("");
	if (item == NULL && m->behind == NULL)
		return SOURCE_ABSENT;
	if (item == NULL) {
		status = m->behind->env(m->behind, name, a, value);
		if (item_add(m, ITEM_ENV, status, name, status ==
		    SOURCE_TROUBLE ? str_of(err_text()) : *value) == NULL)
			return source_is_full();
		return status;
	}
	if (item->status != SOURCE_FOUND)
		return item_answer(item);
	*value = arena_copy(a, item->bytes);
	return value->p == NULL ? source_is_full() : SOURCE_FOUND;
}

/* ---- making one ---- */

void
source_memory_init(struct source_memory *m, struct arena *a)
{
	*m = (struct source_memory){ .arena = a,
		.source = { memory_read, memory_glob, memory_env } };
}

void
source_record(struct source_memory *m, struct arena *a,
    struct conf_source *behind)
{
	source_memory_init(m, a);
	m->behind = behind;
}

int
source_memory_file(struct source_memory *m, struct str path, struct str bytes)
{
	struct source_item *item = item_add(m, ITEM_FILE, SOURCE_FOUND, path,
	    bytes);

	if (item == NULL)
		return -1;
	item->is_trusted = true;	/* whoever gave it has all of us */
	return 0;
}

int
source_memory_env(struct source_memory *m, struct str name, struct str value)
{
	return item_add(m, ITEM_ENV, SOURCE_FOUND, name, value) == NULL ? -1 :
	    0;
}

/* ---- as bytes ---- */

size_t
source_encoded_size(const struct source_memory *m)
{
	size_t n = magic.n + 4;

	for (const struct source_item *i = m->items; i != NULL; i = i->next)
		n += 3 + 4 + i->name.n + 4 + i->bytes.n;
	return n;
}

static void
put_bytes(struct buf *out, struct str s)
{
	must(s.n <= UINT32_MAX);
	buf_le32(out, (uint32_t)s.n);
	buf_put(out, s);
}

void
source_encode(const struct source_memory *m, struct buf *out)
{
	uint32_t n = 0;

	for (const struct source_item *i = m->items; i != NULL; i = i->next)
		n++;
	buf_put(out, magic);
	buf_le32(out, n);
	for (const struct source_item *i = m->items; i != NULL; i = i->next) {
		buf_putc(out, (char)i->kind);
		buf_putc(out, (char)i->status);
		buf_putc(out, (char)(i->is_world_readable | i->is_trusted << 1));
		put_bytes(out, i->name);
		put_bytes(out, i->bytes);
	}
}

static bool
take_item(struct str *s, struct source_item *out)
{
	struct str three;
	uint32_t n;

	if (!take_bytes(s, 3, &three) || !take_le32(s, &n) ||
	    !take_bytes(s, n, &out->name) || !take_le32(s, &n) ||
	    !take_bytes(s, n, &out->bytes))
		return false;
	out->kind = (enum item_kind)(unsigned char)three.p[0];
	out->status = (enum source_status)(unsigned char)three.p[1];
	out->is_world_readable = (three.p[2] & 1) != 0;
	out->is_trusted = (three.p[2] & 2) != 0;
	return out->kind >= ITEM_FILE && out->kind < ITEM_KINDS &&
	    out->status <= SOURCE_TROUBLE && (unsigned char)three.p[2] <= 3;
}

int
source_decode(struct source_memory *m, struct arena *a, struct str bytes)
{
	uint32_t n;

	source_memory_init(m, a);
	if (!str_skip(&bytes, magic) || !take_le32(&bytes, &n) ||
	    n > ITEMS_MOST)
		return err_set("this is no configuration");
	for (uint32_t i = 0; i < n; i++) {
		struct source_item item;

		if (!take_item(&bytes, &item))
			return err_set("the configuration is cut short");
		if (item_add(m, item.kind, item.status, item.name,
		    item.bytes) == NULL)
			return err_set("the configuration is too large");
		m->items->is_world_readable = item.is_world_readable;
		m->items->is_trusted = item.is_trusted;
	}
	return bytes.n == 0 ? 0 : err_set("bytes behind the configuration");
}
