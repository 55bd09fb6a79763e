/*
 * A line is what pace_print() made of it, behind the names, which have no tab:
 *	source TAB site TAB pace LF
 */
#include "deliver/pace_file.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "queue/ready.h"

enum { PATH_ROOM = 1200, NAMES_MOST = 1024 * 1024, LINE_MOST = 1024,
	SITES_AT_ONCE = 64 };

static const struct str prefix = STR_INIT("pace.");

static bool
line_take(struct ready *r, struct str line)
{
	struct str source = str_cut(&line, '\t'), site = str_cut(&line, '\t');
	struct mono now = clock_mono();
	struct pace p;

	if (source.n == 0 || source.n > 255 || site.n == 0 || site.n > 255 ||
	    !pace_parse(&p, now, clock_wall(), line))
		return false;
	ready_remember(r, now, site, source, &p);
	return true;
}

static yields void
file_take(struct ready *r, struct str directory, struct str name,
    bool *is_there)
{
	struct str bytes;
	struct arena a;
	const char *path;
	size_t n = 0;

	arena_init(&a, PACE_FILE_MOST);
	path = arena_printf(&a, STR_FMT "/" STR_FMT, STR_ARG(directory),
	    STR_ARG(name)).p;
	if (path == NULL || disk_read_file(path, &a, PACE_FILE_MOST / 2,
	    &bytes) != 0)
		bytes = STR("");
	while (bytes.n > 0) {
		*is_there |= line_take(r, str_cut(&bytes, '\n'));
		if (++n % SITES_AT_ONCE == 0)
			fiber_yield();
	}
	arena_clear(&a);
	err_clear();
}

/* pace.7, and no pace.7.new */
static bool
name_is_ours(struct str name)
{
	uint64_t number;

	return str_skip(&name, prefix) && parse_u64(name, UINT16_MAX, &number);
}

yields int
pace_file_read(struct ready *r, struct str directory, bool *is_there)
{
	struct str *names;
	struct arena a;
	size_t count = 0;
	const char *path;
	int rc = -1;

	must(r != NULL && directory.n > 0);
	*is_there = false;
	arena_init(&a, NAMES_MOST);
	path = arena_cstr(&a, directory);
	if (path != NULL)
		rc = disk_list(path, &a, &names, &count) == 0 ? 0 : -1;
	for (size_t i = 0; rc == 0 && i < count; i++)
		if (name_is_ours(names[i]))
			file_take(r, directory, names[i], is_there);
	arena_clear(&a);
	return rc;
}

static bool
name_is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] < ' ')
			return false;
	return s.n > 0;
}

/* Without a wait, so that it is one moment's. */
static void
lines_make(const struct ready *r, struct buf *b)
{
	struct ready_cursor at = { 0 };
	struct mono now = clock_mono();
	struct wall wall = clock_wall();
	struct ready_site s;

	while (b->cap - b->n > LINE_MOST && ready_site_next(r, &at, &s)) {
		if (pace_is_plain(s.pace) || !name_is_plain(s.site) ||
		    !name_is_plain(s.source))
			continue;
		buf_printf(b, STR_FMT "\t" STR_FMT "\t", STR_ARG(s.source),
		    STR_ARG(s.site));
		pace_print(s.pace, now, wall, b);
		buf_putc(b, '\n');
	}
	must(!b->full);
}

static yields int
file_write(const char *path, const char *aside, struct str bytes)
{
	int fd = disk_open(aside, DISK_WRITE | DISK_CREATE, 0600), rc;

	if (fd < 0)
		return -1;
	rc = disk_truncate(fd, 0) == 0 && disk_pwrite(fd, bytes, 0) == 0 &&
	    disk_fdatasync(fd) == 0 ? 0 : -1;
	disk_close(fd);
	return rc == 0 ? disk_rename(aside, path) : -1;
}

yields int
pace_file_write(const struct ready *r, struct str directory, unsigned index,
    bool *is_there)
{
	char path[PATH_ROOM], aside[PATH_ROOM];
	struct buf b = BUF_OF(path), c = BUF_OF(aside), lines;
	size_t room = ready_counts(r).sites * LINE_MOST + 2 * LINE_MOST;
	struct arena a;
	int rc = 0;

	buf_printf(&b, STR_FMT "/" STR_FMT "%u", STR_ARG(directory),
	    STR_ARG(prefix), index);
	buf_printf(&c, STR_FMT ".new", STR_ARG(buf_str(&b)));
	buf_putc(&b, '\0');
	buf_putc(&c, '\0');
	if (b.full || c.full)
		return err_set("the path of the spool is too long");
	if (room > PACE_FILE_MOST / 2)
		room = PACE_FILE_MOST / 2;
	arena_init(&a, PACE_FILE_MOST);
	lines = (struct buf){ .p = arena_alloc(&a, room), .cap = room };
	if (lines.p == NULL) {
		arena_clear(&a);
		return err_set("no memory");
	}
	lines_make(r, &lines);
	if (lines.n > 0 || *is_there)
		rc = file_write(path, aside, buf_str(&lines));
	*is_there = lines.n > 0;
	arena_clear(&a);
	return rc == 0 ? 0 : err_add("write %s", path);
}
