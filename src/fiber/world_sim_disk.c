/*
 * The verbs of the simulated disk, and what a scenario may do to it behind the
 * server's back.  Descriptors are of a life; everything else is in the room.
 */
#include "base/crc32c.h"
#include "base/hash.h"
#include "fiber/world.h"
#include "fiber/world_sim.h"
#include "fiber/world_sim_state.h"
#include "fiber/world_sim_tree.h"

#include "base/must.h"

#include <errno.h>
#include <stdlib.h>

enum { FDS_MOST = 4096, FD_FIRST = 100 };

static struct { struct sim_file *file; bool can_write; } fds[FDS_MOST];
static size_t n_fds;

size_t
sim_disk_left(void)
{
	return n_fds;
}

void
sim_disk_forget(void)
{
	memset(fds, 0, sizeof fds);
	n_fds = 0;
}

static struct sim_disk *
disk_get(void)
{
	return sim_mine()->disk;
}

static struct sim_file *
fd_file(int fd)
{
	must(fd >= FD_FIRST && fd < FD_FIRST + FDS_MOST);
	must(fds[fd - FD_FIRST].file != NULL);
	return fds[fd - FD_FIRST].file;
}

/* What a verb takes, added to the cost of the job that runs. */
static void
disk_cost(int64_t ns)
{
	const struct sim_disk_costs *c = &sim_mine()->costs;

	ns += sim_jitter(c->jitter_ns);
	sim_cost += sim_happens(c->slow_per_million) ? 100 * ns : ns;
}

static int
disk_step(enum sim_verb v, uint64_t about)
{
	int rc = sim_step(v, about);

	disk_cost(sim_mine()->costs.verb_ns);
	return rc;
}

static int
disk_step_path(enum sim_verb v, const char *path)
{
	return disk_step(v, hash_bytes((struct hash_key){ 3, 3 },
	    str_of(path)));
}

static int
disk_done(int64_t rc)
{
	sim_note((uint64_t)rc);
	return (int)rc;
}

/* ---- descriptors ---- */

static int
fd_make(struct sim_file *f, unsigned flags)
{
	int i = 0;

	while (i < FDS_MOST && fds[i].file != NULL)
		i++;
	if (i == FDS_MOST)
		return -EMFILE;
	fds[i].file = f;
	fds[i].can_write = (flags & DISK_WRITE) != 0;
	sim_tree_hold(f);
	n_fds++;
	return FD_FIRST + i;
}

static int
open_path(const char *path, unsigned flags, unsigned mode)
{
	struct str last;
	struct sim_file *dir = sim_tree_walk(disk_get(), str_of(path), &last);
	struct sim_file *f;

	if (dir == NULL)
		return -ENOENT;
	f = last.n == 0 ? dir : sim_tree_look(dir, last);
	if (f != NULL && (flags & DISK_CREATE) && (flags & DISK_EXCLUSIVE))
		return -EEXIST;
	if (f == NULL && !(flags & DISK_CREATE))
		return -ENOENT;
	if (f == NULL)
		f = sim_tree_create(disk_get(), dir, last, mode, false);
	if (f->is_directory && (flags & DISK_WRITE))
		return -EISDIR;
	if (!f->is_directory && (flags & DISK_DIRECTORY))
		return -ENOTDIR;
	return fd_make(f, flags);
}

int
world_disk_open(const char *path, unsigned flags, unsigned mode)
{
	int rc = disk_step_path(SIM_disk_open, path);

	return disk_done(rc != 0 ? rc : open_path(path, flags, mode));
}

void
world_disk_close(int fd)
{
	struct sim_file *f = fd_file(fd);

	if (f->locked_life == sim_mine()->life && f->locked_fd == fd)
		f->locked_fd = 0;
	fds[fd - FD_FIRST].file = NULL;
	n_fds--;
	sim_tree_drop(disk_get(), f);
}

int
world_disk_lock(int fd)
{
	struct sim_file *f = fd_file(fd);
	int rc = disk_step(SIM_disk_lock, f->number);

	if (rc != 0)
		return disk_done(rc);
	if (f->locked_life == sim_mine()->life && f->locked_fd != 0 &&
	    f->locked_fd != fd)
		return disk_done(-EWOULDBLOCK);
	f->locked_life = sim_mine()->life;
	f->locked_fd = fd;
	return disk_done(0);
}

/* ---- bytes ---- */

static int64_t
file_pread(const struct sim_file *f, void *to, size_t n, uint64_t at)
{
	if (f->is_directory)
		return -EISDIR;
	if (at >= f->size)
		return 0;
	if (n > f->size - at)
		n = (size_t)(f->size - at);
	sim_file_read(f, to, n, at);
	return (int64_t)n;
}

int64_t
world_disk_pread(int fd, void *to, size_t n, uint64_t at)
{
	const struct sim_file *f = fd_file(fd);
	int rc = disk_step(SIM_disk_pread, f->number ^ at << 8);
	int64_t got = rc != 0 ? rc : file_pread(f, to, n, at);

	sim_note((uint64_t)got);
	return got;
}

int64_t
world_disk_pread_now(int fd, void *to, size_t n, uint64_t at)
{
	const struct sim_file *f = fd_file(fd);
	int64_t got;
	int rc;

	if (sim_happens(sim_mine()->costs.cold_per_million))
		return -EAGAIN;
	rc = sim_step(SIM_disk_pread, f->number ^ at << 8);
	got = rc != 0 ? rc : file_pread(f, to, n, at);
	sim_note((uint64_t)got);
	return got;
}

/* Make it so long, if there is room. */
static int
file_grow(struct sim_file *f, uint64_t size)
{
	struct sim_disk *d = disk_get();
	uint64_t more;

	if (size <= f->size)
		return 0;
	more = (size - f->size + SIM_PAGE - 1) / SIM_PAGE * SIM_PAGE;
	if (size > INT64_MAX || more > d->size - d->used)
		return size > INT64_MAX ? -EFBIG : -ENOSPC;
	sim_tree_resized(d, f->size, size);
	return 0;
}

static void
file_write(struct sim_file *f, struct str bytes, uint64_t at)
{
	if (at > f->size)
		sim_file_resize(f, at);
	sim_file_write(f, bytes.p, bytes.n, at);
	f->changed_us = world_wall().us;
}

static int
file_pwrite(struct sim_file *f, struct str bytes, uint64_t at)
{
	int rc = file_grow(f, add_sat(at, bytes.n));

	if (rc == 0 && bytes.n > 0)
		file_write(f, bytes, at);
	return rc;
}

/* A fault or a crash may leave some of it behind. */
static void
file_pwrite_some(struct sim_file *f, struct str bytes, uint64_t at)
{
	if (bytes.n > 0)
		(void)file_pwrite(f, str_sub(bytes, 0,
		    (size_t)sim_chance(bytes.n + 1)), at);
}

int
world_disk_pwrite(int fd, const struct str *parts, size_t n, uint64_t at)
{
	struct sim_file *f = fd_file(fd);
	int rc;

	must(fds[fd - FD_FIRST].can_write);
	for (size_t i = 0; i < n; i++) {
		if (sim_is_crash_next())
			file_pwrite_some(f, parts[i], at);
		rc = disk_step(SIM_disk_pwrite, f->number << 40 ^ at << 16 ^
		    crc32c(0, parts[i]));
		if (rc == 0)
			rc = file_pwrite(f, parts[i], at);
		if (rc != 0) {
			file_pwrite_some(f, parts[i], at);
			return disk_done(rc);
		}
		at += parts[i].n;
	}
	return disk_done(0);
}

int
world_disk_truncate(int fd, uint64_t size)
{
	struct sim_file *f = fd_file(fd);
	int rc = disk_step(SIM_disk_truncate, f->number ^ size << 8);

	if (rc == 0)
		rc = file_grow(f, size);
	if (rc != 0)
		return disk_done(rc);
	if (size < f->size)
		sim_tree_resized(disk_get(), f->size, size);
	sim_file_resize(f, size);
	f->changed_us = world_wall().us;
	return disk_done(0);
}

static int
disk_sync(int fd, enum sim_verb v)
{
	struct sim_file *f = fd_file(fd);
	int rc = disk_step(v, f->number);

	disk_cost(sim_mine()->costs.sync_ns);
	if (sim_mine()->disk_lies)
		return disk_done(rc);
	if (f->is_directory && rc == 0)
		sim_tree_sync(disk_get(), f);
	else if (rc == 0)
		sim_file_sync(f);
	else if (!f->is_directory)
		sim_file_sync_failed(f);
	return disk_done(rc);
}

int
world_disk_fdatasync(int fd)
{
	return disk_sync(fd, SIM_disk_fdatasync);
}

int
world_disk_fsync(int fd)
{
	return disk_sync(fd, SIM_disk_fsync);
}

void
sim_disk_lies(bool lies)
{
	sim_meant()->disk_lies = lies;
}

/* ---- facts ---- */

static void
file_stat(const struct sim_file *f, struct disk_stat *out)
{
	*out = (struct disk_stat){ .size = f->size, .mode = f->mode,
		.is_directory = f->is_directory,
		.changed = { f->changed_us } };
}

int
world_disk_fstat(int fd, struct disk_stat *out)
{
	struct sim_file *f = fd_file(fd);
	int rc = disk_step(SIM_disk_stat, f->number);

	file_stat(f, out);
	return disk_done(rc);
}

int
world_disk_stat(const char *path, struct disk_stat *out)
{
	int rc = disk_step_path(SIM_disk_stat, path);
	const struct sim_file *f = sim_tree_find(disk_get(), str_of(path));

	if (rc != 0 || f == NULL)
		return disk_done(rc != 0 ? rc : -ENOENT);
	file_stat(f, out);
	return disk_done(0);
}

int
world_disk_space(const char *path, struct disk_space *out)
{
	int rc = disk_step_path(SIM_disk_space, path);
	const struct sim_disk *d = disk_get();

	if (rc == 0 && sim_tree_find(disk_get(), str_of(path)) == NULL)
		rc = -ENOENT;
	*out = (struct disk_space){ d->size, d->size - d->used };
	return disk_done(rc);
}

int
world_disk_list(const char *path, int (*each)(void *, struct str), void *arg)
{
	int rc = disk_step_path(SIM_disk_list, path);
	const struct sim_file *dir = sim_tree_find(disk_get(), str_of(path));

	if (rc == 0 && dir == NULL)
		rc = -ENOENT;
	if (rc == 0 && !dir->is_directory)
		rc = -ENOTDIR;
	for (size_t i = 0; i < SIM_BUCKETS && rc == 0; i++)
		for (const struct sim_name *n = dir->live[i];
		    n != NULL && rc == 0; n = n->next)
			rc = each(arg, (struct str){ n->text, n->n });
	return disk_done(rc);
}

/* ---- names ---- */

int
world_disk_mkdir(const char *path, unsigned mode)
{
	int rc = disk_step_path(SIM_disk_mkdir, path);
	struct str last;
	struct sim_file *dir = sim_tree_walk(disk_get(), str_of(path), &last);

	if (rc != 0 || dir == NULL)
		return disk_done(rc != 0 ? rc : -ENOENT);
	if (last.n == 0 || sim_tree_look(dir, last) != NULL)
		return disk_done(-EEXIST);
	sim_tree_create(disk_get(), dir, last, mode, true);
	return disk_done(0);
}

int
world_disk_unlink(const char *path)
{
	int rc = disk_step_path(SIM_disk_unlink, path);
	struct str last;
	struct sim_file *dir = sim_tree_walk(disk_get(), str_of(path), &last);
	struct sim_file *f = dir == NULL || last.n == 0 ? NULL :
	    sim_tree_look(dir, last);

	if (rc != 0 || f == NULL)
		return disk_done(rc != 0 ? rc : -ENOENT);
	if (f->is_directory)
		return disk_done(-EISDIR);
	sim_tree_unlink(disk_get(), dir, last);
	return disk_done(0);
}

int
world_disk_link(const char *from, const char *to)
{
	int rc = disk_step_path(SIM_disk_link, to);
	struct sim_file *f = sim_tree_find(disk_get(), str_of(from));
	struct str last;
	struct sim_file *dir = sim_tree_walk(disk_get(), str_of(to), &last);

	if (rc != 0 || f == NULL || dir == NULL)
		return disk_done(rc != 0 ? rc : -ENOENT);
	if (f->is_directory)
		return disk_done(-EPERM);
	if (last.n == 0 || sim_tree_look(dir, last) != NULL)
		return disk_done(-EEXIST);
	sim_tree_link(disk_get(), dir, last, f);
	return disk_done(0);
}

static int
rename_path(const char *from, const char *to)
{
	struct str from_last, to_last;
	struct sim_disk *d = disk_get();
	struct sim_file *from_dir = sim_tree_walk(d, str_of(from), &from_last);
	struct sim_file *to_dir = sim_tree_walk(d, str_of(to), &to_last);
	struct sim_file *f, *old;

	if (from_dir == NULL || to_dir == NULL || from_last.n == 0)
		return -ENOENT;
	f = sim_tree_look(from_dir, from_last);
	if (f == NULL)
		return -ENOENT;
	old = to_last.n == 0 ? to_dir : sim_tree_look(to_dir, to_last);
	if (old == f)
		return 0;
	if (old != NULL && old->is_directory)
		return f->is_directory ? -ENOTEMPTY : -EISDIR;
	if (old != NULL && f->is_directory)
		return -ENOTDIR;
	sim_tree_rename(d, from_dir, from_last, to_dir, to_last);
	return 0;
}

int
world_disk_rename(const char *from, const char *to)
{
	int rc = disk_step_path(SIM_disk_rename, to);

	return disk_done(rc != 0 ? rc : rename_path(from, to));
}

/* ---- crashes ---- */

/* The dead life's descriptors are gone; what nobody names goes too. */
void
sim_disk_crash(struct sim_disk *d, enum sim_crash kind)
{
	enum sim_keeps keeps = (enum sim_keeps)sim_chance(4);
	bool is_journal = sim_happens(500000);

	if (keeps > SIM_KEEPS_SOME)
		keeps = SIM_KEEPS_SOME;
	if (kind == SIM_POWER) {
		for (struct link *l = list_first(&d->files); l != NULL;
		    l = list_next(&d->files, l)) {
			struct sim_file *f = OWNER_OF(l, struct sim_file, link);
			uint64_t before = f->size;

			sim_file_crash(f, keeps);
			sim_tree_resized(d, before, f->size);
		}
		sim_tree_crash(d, keeps, is_journal);
	}
	sim_tree_sweep(d);
}

/* ---- a scenario's hand ---- */

void
sim_disk_costs(struct sim_disk_costs costs)
{
	sim_meant()->costs = costs;
}

void
sim_disk_size(uint64_t bytes)
{
	must(bytes >= sim_meant()->disk->used);
	sim_meant()->disk->size = bytes;
}

void
sim_disk_mkdir(const char *path)
{
	struct sim_file *dir = disk_get()->root, *next;
	struct str rest = str_of(path), name;

	while (rest.n > 0) {
		name = str_cut(&rest, '/');
		if (name.n == 0)
			continue;
		next = sim_tree_look(dir, name);
		if (next == NULL)
			next = sim_tree_create(disk_get(), dir, name, 0755,
			    true);
		must(next->is_directory);
		sim_tree_sync(disk_get(), dir);
		dir = next;
	}
}

void
sim_disk_put(const char *path, struct str content)
{
	char above[1024];
	struct str last, whole = str_of(path);
	struct sim_file *dir, *f;

	must(str_cstr(str_sub(whole, 0, str_find_last(whole, '/')), above,
	    sizeof above));
	if (str_find(whole, '/') < whole.n)
		sim_disk_mkdir(above);
	dir = sim_tree_walk(disk_get(), whole, &last);
	must(dir != NULL && last.n > 0);
	f = sim_tree_look(dir, last);
	if (f == NULL)
		f = sim_tree_create(disk_get(), dir, last, 0644, false);
	must(!f->is_directory);
	sim_tree_resized(disk_get(), f->size, 0);
	sim_file_resize(f, 0);
	must(file_pwrite(f, content, 0) == 0);
	sim_file_sync(f);
	sim_tree_sync(disk_get(), dir);
}

struct str
sim_disk_get(const char *path, struct arena *a)
{
	const struct sim_file *f = sim_tree_find(disk_get(), str_of(path));
	char *p;

	if (f == NULL || f->is_directory)
		return STR_NONE;
	p = arena_alloc(a, (size_t)f->size + 1);
	must(p != NULL);
	sim_file_read(f, p, (size_t)f->size, 0);
	return (struct str){ p, (size_t)f->size };
}

void
sim_disk_rot(const char *path, uint64_t at, unsigned char xor_with)
{
	struct sim_file *f = sim_tree_find(disk_get(), str_of(path));
	char octet;

	must(f != NULL && !f->is_directory && at < f->size);
	sim_file_read(f, &octet, 1, at);
	octet = (char)((unsigned char)octet ^ xor_with);
	sim_file_write(f, &octet, 1, at);
	sim_file_sync(f);
}
