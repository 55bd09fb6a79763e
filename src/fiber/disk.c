#include "fiber/disk.h"

#include "base/must.h"
#include "fiber/inner.h"

#include <errno.h>
#include <stdlib.h>

enum { DISK_MARGIN = 4096, DISK_PACE = 4 << 20 };

/*
 * A verb is a struct disk_ask on the fiber's stack, filled by the verb, done on
 * a helper thread by one small function, and told by disk_tell().
 */
struct disk_ask {
	const char *verb, *path, *to;
	int fd;
	unsigned flags, mode;
	void *room;
	size_t n;
	uint64_t at, size;
	const struct str *parts;
	struct disk_stat *stat;
	struct disk_space *space;
	struct arena *arena;
	struct str out;
	struct str *names;
	int64_t result;
};

static int64_t
disk_tell(const struct disk_ask *a)
{
	if (a->result >= 0)
		return a->result;
	errno = (int)-a->result;
	if (a->path == NULL)
		err_set("%s: %m", a->verb);
	else if (a->to == NULL)
		err_set("%s %s: %m", a->verb, a->path);
	else
		err_set("%s %s to %s: %m", a->verb, a->path, a->to);
	return a->result;
}

static yields int64_t
disk_ask(struct disk_ask *a, int (*fn)(void *))
{
	must(a->verb != NULL && a->result == 0);
	(void)offload_disk(fn, a);
	return disk_tell(a);
}

#define DISK_HELPER(name, call)						\
static int								\
name(void *arg)								\
{									\
	struct disk_ask *a = arg;					\
									\
	a->result = (call);						\
	return 0;							\
}

DISK_HELPER(disk_do_open, world_disk_open(a->path, a->flags, a->mode))
DISK_HELPER(disk_do_pread, world_disk_pread(a->fd, a->room, a->n, a->at))
DISK_HELPER(disk_do_pwrite, world_disk_pwrite(a->fd, a->parts, 1, a->at))
DISK_HELPER(disk_do_fdatasync, world_disk_fdatasync(a->fd))
DISK_HELPER(disk_do_fsync, world_disk_fsync(a->fd))
DISK_HELPER(disk_do_truncate, world_disk_truncate(a->fd, a->size))
DISK_HELPER(disk_do_stat, world_disk_stat(a->path, a->stat))
DISK_HELPER(disk_do_space, world_disk_space(a->path, a->space))
DISK_HELPER(disk_do_rename, world_disk_rename(a->path, a->to))
DISK_HELPER(disk_do_link, world_disk_link(a->path, a->to))
DISK_HELPER(disk_do_unlink, world_disk_unlink(a->path))
DISK_HELPER(disk_do_mkdir, world_disk_mkdir(a->path, a->mode))
DISK_HELPER(disk_do_lock, world_disk_lock(a->fd))

yields int
disk_open(const char *path, unsigned flags, unsigned mode)
{
	struct disk_ask a = { .verb = "open", .path = path, .flags = flags,
	    .mode = mode };

	must(path != NULL);
	return (int)disk_ask(&a, disk_do_open);
}

void
disk_close(int fd)
{
	must(fd >= 0);
	world_disk_close(fd);
}

/* What the page cache has comes at once; only the rest is worth a helper. */
yields int64_t
disk_pread(int fd, void *to, size_t n, uint64_t at)
{
	struct disk_ask a = { .verb = "read", .fd = fd, .room = to, .n = n,
	    .at = at };
	int64_t now = world_disk_pread_now(fd, to, n, at);

	must(fd >= 0);
	if (now == (int64_t)n)
		return now;
	if (now < 0)
		now = 0;
	a.room = (char *)to + now;
	a.n = n - (size_t)now;
	a.at = at + (uint64_t)now;
	return disk_ask(&a, disk_do_pread) < 0 ? a.result : now + a.result;
}

yields int
disk_pwrite(int fd, struct str bytes, uint64_t at)
{
	struct disk_ask a = { .verb = "write", .fd = fd, .parts = &bytes,
	    .at = at };

	must(fd >= 0);
	return (int)disk_ask(&a, disk_do_pwrite);
}

yields int
disk_fdatasync(int fd)
{
	struct disk_ask a = { .verb = "fdatasync", .fd = fd };

	must(fd >= 0);
	return (int)disk_ask(&a, disk_do_fdatasync);
}

yields int
disk_fsync(int fd)
{
	struct disk_ask a = { .verb = "fsync", .fd = fd };

	must(fd >= 0);
	return (int)disk_ask(&a, disk_do_fsync);
}

static int
disk_do_sync_directory(void *arg)
{
	struct disk_ask *a = arg;
	int fd = world_disk_open(a->path, DISK_READ | DISK_DIRECTORY, 0);

	a->result = fd;
	if (fd < 0)
		return 0;
	a->result = world_disk_fsync(fd);
	world_disk_close(fd);
	return 0;
}

yields int
disk_sync_directory(const char *path)
{
	struct disk_ask a = { .verb = "sync directory", .path = path };

	return (int)disk_ask(&a, disk_do_sync_directory);
}

yields int
disk_truncate(int fd, uint64_t size)
{
	struct disk_ask a = { .verb = "truncate", .fd = fd, .size = size };

	must(fd >= 0);
	return (int)disk_ask(&a, disk_do_truncate);
}

/* A hole or an unwritten extent would change metadata at each first write, and
 * fdatasync would have to wait for the journal.  What is written goes to the disk
 * bit by bit: the syncs of others would wait for all of it at once. */
static int
disk_do_zero_fill(void *arg)
{
	static const char zeros[64 * 1024];
	struct disk_ask *a = arg;
	uint64_t at = 0;
	struct str part;

	a->result = world_disk_truncate(a->fd, 0);
	while (at < a->size && a->result == 0) {
		part = str_sub((struct str){ zeros, sizeof zeros }, 0,
		    a->size - at < sizeof zeros ? (size_t)(a->size - at) :
		    sizeof zeros);
		a->result = world_disk_pwrite(a->fd, &part, 1, at);
		at += part.n;
		if (a->result == 0 && at % DISK_PACE == 0 && at < a->size)
			a->result = world_disk_fdatasync(a->fd);
	}
	return 0;
}

yields int
disk_zero_fill(int fd, uint64_t size)
{
	struct disk_ask a = { .verb = "zero", .fd = fd, .size = size };

	must(fd >= 0);
	return (int)disk_ask(&a, disk_do_zero_fill);
}

yields int
disk_stat(const char *path, struct disk_stat *out)
{
	struct disk_ask a = { .verb = "stat", .path = path, .stat = out };

	return (int)disk_ask(&a, disk_do_stat);
}

yields int
disk_space(const char *path, struct disk_space *out)
{
	struct disk_ask a = { .verb = "statvfs", .path = path, .space = out };

	return (int)disk_ask(&a, disk_do_space);
}

yields int
disk_rename(const char *from, const char *to)
{
	struct disk_ask a = { .verb = "rename", .path = from, .to = to };

	return (int)disk_ask(&a, disk_do_rename);
}

yields int
disk_link(const char *from, const char *to)
{
	struct disk_ask a = { .verb = "link", .path = from, .to = to };

	return (int)disk_ask(&a, disk_do_link);
}

yields int
disk_unlink(const char *path)
{
	struct disk_ask a = { .verb = "unlink", .path = path };

	return (int)disk_ask(&a, disk_do_unlink);
}

yields int
disk_mkdir(const char *path, unsigned mode)
{
	struct disk_ask a = { .verb = "mkdir", .path = path, .mode = mode };

	return (int)disk_ask(&a, disk_do_mkdir);
}

yields int
disk_lock(int fd)
{
	struct disk_ask a = { .verb = "lock", .fd = fd };

	must(fd >= 0);
	return (int)disk_ask(&a, disk_do_lock);
}

/* ---- directories ---- */

struct disk_name { struct disk_name *next; struct str name; };

struct disk_names { struct arena *arena; struct disk_name *first; size_t n; };

static int
disk_name_each(void *arg, struct str name)
{
	struct disk_names *all = arg;
	struct disk_name *one = arena_new(all->arena, struct disk_name);

	must(all->arena != NULL);
	if (one == NULL)
		return -ENOMEM;
	one->name = arena_copy(all->arena, name);
	if (one->name.p == NULL)
		return -ENOMEM;
	one->next = all->first;
	all->first = one;
	all->n++;
	return 0;
}

static int
disk_name_order(const void *a, const void *b)
{
	const struct str *x = a, *y = b;

	return str_order(*x, *y);
}

static int
disk_do_list(void *arg)
{
	struct disk_ask *a = arg;
	struct disk_names all = { .arena = a->arena };
	size_t i = 0;

	a->result = world_disk_list(a->path, disk_name_each, &all);
	if (a->result != 0)
		return 0;
	a->n = all.n;
	a->names = arena_alloc(a->arena, (all.n + 1) * sizeof *a->names);
	if (a->names == NULL) {
		a->result = -ENOMEM;
		return 0;
	}
	for (struct disk_name *one = all.first; one != NULL; one = one->next)
		a->names[i++] = one->name;
	must(i == all.n);
	qsort(a->names, all.n, sizeof *a->names, disk_name_order);
	return 0;
}

yields int
disk_list(const char *path, struct arena *arena, struct str **names, size_t *n)
{
	struct disk_ask a = { .verb = "list", .path = path, .arena = arena };
	int rc = (int)disk_ask(&a, disk_do_list);

	*names = a.names;
	*n = rc == 0 ? a.n : 0;
	return rc;
}

/* ---- whole files ---- */

static int64_t
disk_read_open_file(struct disk_ask *a, int fd)
{
	struct disk_stat st;
	int64_t n = world_disk_fstat(fd, &st);
	size_t room;
	char *p;

	must(fd >= 0 && a->arena != NULL);
	if (n < 0)
		return n;
	if (st.is_directory)
		return -EISDIR;
	if (st.size > a->n)
		return -EFBIG;
	/* Files of /proc say 0; any file may grow meanwhile. */
	room = st.size + DISK_MARGIN > a->n ? a->n + 1 :
	    (size_t)st.size + DISK_MARGIN;
	if ((p = arena_alloc(a->arena, room)) == NULL)
		return -ENOMEM;
	n = world_disk_pread(fd, p, room, 0);
	if (n == (int64_t)room)
		return -EFBIG;
	a->out = (struct str){ p, n < 0 ? 0 : (size_t)n };
	return n;
}

static int
disk_do_read_file(void *arg)
{
	struct disk_ask *a = arg;
	int fd = world_disk_open(a->path, DISK_READ, 0);

	a->result = fd;
	if (fd < 0)
		return 0;
	a->result = disk_read_open_file(a, fd);
	world_disk_close(fd);
	return 0;
}

yields int
disk_read_file(const char *path, struct arena *arena, size_t most,
    struct str *out)
{
	struct disk_ask a = { .verb = "read", .path = path, .arena = arena,
	    .n = most };
	int64_t rc = disk_ask(&a, disk_do_read_file);

	*out = a.out;
	return rc < 0 ? (int)rc : 0;
}

/* ---- for lanes ---- */

int
disk_pwrite_here(int fd, const struct str *parts, size_t n, uint64_t at)
{
	must(fiber_self() == NULL);
	return world_disk_pwrite(fd, parts, n, at);
}

int
disk_fdatasync_here(int fd)
{
	must(fiber_self() == NULL);
	return world_disk_fdatasync(fd);
}

