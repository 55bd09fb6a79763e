#include "fiber/world.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/uio.h>
#include <unistd.h>

enum { REAL_PARTS = 64 };

int
world_disk_open(const char *path, unsigned flags, unsigned mode)
{
	int how = O_CLOEXEC | O_NOCTTY, fd;

	how |= flags & DISK_WRITE ? O_RDWR : O_RDONLY;
	how |= flags & DISK_CREATE ? O_CREAT : 0;
	how |= flags & DISK_EXCLUSIVE ? O_EXCL : 0;
	how |= flags & DISK_DIRECTORY ? O_DIRECTORY : 0;
	do
		fd = open(path, how, (mode_t)mode);
	while (fd < 0 && errno == EINTR);
	return fd < 0 ? -errno : fd;
}

void
world_disk_close(int fd)
{
	(void)close(fd);
}

int64_t
world_disk_pread(int fd, void *to, size_t n, uint64_t at)
{
	size_t got = 0;
	ssize_t some = 1;

	while (got < n && some != 0) {
		some = pread(fd, (char *)to + got, n - got, (off_t)(at + got));
		if (some < 0 && errno != EINTR)
			return -errno;
		got += some > 0 ? (size_t)some : 0;
	}
	return (int64_t)got;
}

int64_t
world_disk_pread_now(int fd, void *to, size_t n, uint64_t at)
{
	struct iovec v = { .iov_base = to, .iov_len = n };
	ssize_t got = preadv2(fd, &v, 1, (off_t)at, RWF_NOWAIT);

	return got < 0 ? -EAGAIN : got;	/* other errors: by the blocking way */
}

/* Fill v with what of the parts lies behind the first `skip' bytes. */
static int
real_gather(struct iovec *v, const struct str *parts, size_t n, size_t skip)
{
	int used = 0;

	for (size_t i = 0; i < n && used < REAL_PARTS; i++) {
		struct str s = str_sub(parts[i], skip, parts[i].n);

		skip -= parts[i].n - s.n;
		if (s.n == 0)
			continue;
		v[used].iov_base = (void *)(uintptr_t)s.p;
		v[used++].iov_len = s.n;
	}
	return used;
}

int
world_disk_pwrite(int fd, const struct str *parts, size_t n, uint64_t at)
{
	struct iovec v[REAL_PARTS];
	size_t done = 0;
	ssize_t some;
	int used;

	while ((used = real_gather(v, parts, n, done)) > 0) {
		some = pwritev(fd, v, used, (off_t)(at + done));
		if (some == 0)
			return -EIO;
		if (some < 0 && errno != EINTR)
			return -errno;
		done += some > 0 ? (size_t)some : 0;
	}
	return 0;
}

int
world_disk_fdatasync(int fd)
{
	return fdatasync(fd) == 0 ? 0 : -errno;
}

int
world_disk_fsync(int fd)
{
	return fsync(fd) == 0 ? 0 : -errno;
}

int
world_disk_truncate(int fd, uint64_t size)
{
	return ftruncate(fd, (off_t)size) == 0 ? 0 : -errno;
}

static void
real_from_stat(const struct stat *st, struct disk_stat *out)
{
	*out = (struct disk_stat){ .size = (uint64_t)st->st_size,
	    .mode = st->st_mode & 07777, .uid = st->st_uid, .gid = st->st_gid,
	    .is_directory = S_ISDIR(st->st_mode) };
	out->changed.us = (int64_t)st->st_mtim.tv_sec * US_PER_SECOND +
	    st->st_mtim.tv_nsec / NS_PER_US;
}

int
world_disk_fstat(int fd, struct disk_stat *out)
{
	struct stat st;

	if (fstat(fd, &st) != 0)
		return -errno;
	real_from_stat(&st, out);
	return 0;
}

int
world_disk_stat(const char *path, struct disk_stat *out)
{
	struct stat st;

	if (stat(path, &st) != 0)
		return -errno;
	real_from_stat(&st, out);
	return 0;
}

int
world_disk_space(const char *path, struct disk_space *out)
{
	struct statvfs s;

	if (statvfs(path, &s) != 0)
		return -errno;
	out->total = (uint64_t)s.f_blocks * s.f_frsize;
	out->free = (uint64_t)s.f_bavail * s.f_frsize;
	return 0;
}

int
world_disk_rename(const char *from, const char *to)
{
	return rename(from, to) == 0 ? 0 : -errno;
}

int
world_disk_link(const char *from, const char *to)
{
	return link(from, to) == 0 ? 0 : -errno;
}

int
world_disk_unlink(const char *path)
{
	return unlink(path) == 0 ? 0 : -errno;
}

int
world_disk_mkdir(const char *path, unsigned mode)
{
	return mkdir(path, (mode_t)mode) == 0 ? 0 : -errno;
}

int
world_disk_lock(int fd)
{
	return flock(fd, LOCK_EX | LOCK_NB) == 0 ? 0 : -errno;
}

static int
real_list(DIR *d, int (*each)(void *arg, struct str name), void *arg)
{
	struct dirent *e;
	struct str name;
	int rc = 0;

	while (rc == 0) {
		errno = 0;
		if ((e = readdir(d)) == NULL)
			return -errno;
		name = str_of(e->d_name);
		if (!str_eq(name, STR(".")) && !str_eq(name, STR("..")))
			rc = each(arg, name);
	}
	return rc;
}

int
world_disk_list(const char *path, int (*each)(void *arg, struct str name),
    void *arg)
{
	DIR *d = opendir(path);
	int rc;

	if (d == NULL)
		return -errno;
	rc = real_list(d, each, arg);
	(void)closedir(d);
	return rc;
}
