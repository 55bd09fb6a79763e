#include "policy/quota_file.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/disk.h"

enum { NAMES_AT_ONCE = 128, PATH_ROOM = 1200, FILE_AT_ONCE = 64 * 1024,
	NAMES_MOST = 1024 * 1024 };

static const struct str prefix = STR_INIT("quota.");

/* ---- reading ---- */

struct reading {
	struct quota_table *table;
	struct hash_key key;
	unsigned index, n;
};

static void
line_take(const struct reading *r, struct str line)
{
	char room[QUOTA_NAME_MOST];
	struct buf b = BUF_OF(room);
	struct quota_name who;

	if (quota_line_name(line, &b, &who) &&
	    quota_owner(r->key, who, r->n) == r->index)
		(void)quota_read(r->table, line);
}

static yields void
file_take(const struct reading *r, struct str directory, struct str name)
{
	struct str bytes;
	struct arena a;
	const char *path;
	size_t n = 0;

	arena_init(&a, QUOTA_FILE_MOST);
	path = arena_printf(&a, STR_FMT "/" STR_FMT, STR_ARG(directory),
	    STR_ARG(name)).p;
	if (path == NULL || disk_read_file(path, &a, QUOTA_FILE_MOST / 2,
	    &bytes) != 0)
		bytes = STR("");
	while (bytes.n > 0) {
		line_take(r, str_cut(&bytes, '\n'));
		if (++n % NAMES_AT_ONCE == 0)
			fiber_yield();
	}
	arena_clear(&a);
	err_clear();
}

/* quota.7, and no quota.7.new */
static bool
name_is_ours(struct str name)
{
	uint64_t number;

	return str_skip(&name, prefix) && parse_u64(name, UINT16_MAX, &number);
}

yields int
quota_file_read(struct quota_table *t, struct str directory,
    struct hash_key key, unsigned index, unsigned n)
{
	struct reading r = { t, key, index, n };
	struct str *names;
	struct arena a;
	size_t count = 0;
	const char *path;
	int rc = -1;

	arena_init(&a, NAMES_MOST);
	path = arena_cstr(&a, directory);
	if (path != NULL)
		rc = disk_list(path, &a, &names, &count) == 0 ? 0 : -1;
	for (size_t i = 0; rc == 0 && i < count; i++)
		if (name_is_ours(names[i]))
			file_take(&r, directory, names[i]);
	arena_clear(&a);
	(void)quota_is_changed(t);
	return rc;
}

/* ---- writing ---- */

struct writing {
	int fd;
	uint64_t at;
	struct buf lines;
};

static void
line_add(void *arg, struct str line)
{
	struct writing *w = arg;

	buf_put(&w->lines, line);
	buf_putc(&w->lines, '\n');
}

/* A name's line has 4 KiB at most, so this many fit. */
static yields int
lines_write(const struct quota_table *t, struct writing *w)
{
	size_t at = 0;
	bool more = true;

	while (more) {
		w->lines.n = 0;
		more = quota_print(t, &at, FILE_AT_ONCE / 8192, line_add, w);
		must(!w->lines.full);
		if (disk_pwrite(w->fd, buf_str(&w->lines), w->at) != 0)
			return -1;
		w->at += w->lines.n;
	}
	return disk_fdatasync(w->fd) == 0 ? 0 : -1;
}

static yields int
aside_write(const struct quota_table *t, const char *path, struct arena *a)
{
	struct writing w = { .lines = { .p = arena_alloc(a, 2 * FILE_AT_ONCE),
		.cap = 2 * FILE_AT_ONCE } };
	int rc;

	if (w.lines.p == NULL)
		return err_set("no memory");
	w.fd = disk_open(path, DISK_WRITE | DISK_CREATE, 0600);
	if (w.fd < 0)
		return -1;
	rc = disk_truncate(w.fd, 0) == 0 ? lines_write(t, &w) : -1;
	disk_close(w.fd);
	return rc;
}

yields int
quota_file_write(const struct quota_table *t, struct str directory,
    unsigned index)
{
	char path[PATH_ROOM], aside[PATH_ROOM];
	struct buf b = BUF_OF(path), c = BUF_OF(aside);
	struct arena a;
	int rc;

	buf_printf(&b, STR_FMT "/" STR_FMT "%u", STR_ARG(directory),
	    STR_ARG(prefix), index);
	buf_printf(&c, STR_FMT ".new", STR_ARG(buf_str(&b)));
	buf_putc(&b, '\0');
	buf_putc(&c, '\0');
	if (b.full || c.full)
		return err_set("the path of the spool is too long");
	arena_init(&a, 4 * FILE_AT_ONCE);
	rc = aside_write(t, aside, &a);
	arena_clear(&a);
	if (rc != 0 || disk_rename(aside, path) != 0)
		return err_add("write %s", path);
	return 0;
}
