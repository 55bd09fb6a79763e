#include "cli/disk_time.h"

#include "base/err.h"
#include "base/instant.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

/*
 * The file is filled with zeros and synced before anything is timed, as a segment
 * is; each piece goes behind the one before.  What is written is random: some
 * filesystems make little of zeros.
 */

enum {
	SAMPLES = 2000, LEAST = 20,	/* of each */
	BLOCK = 1 << 20, ROW_MOST = 64,	/* blocks in a row */
	PIECES = SAMPLES * DISK_PIECE
};

struct measuring {
	const struct disk_timing *t;
	char dir[PATH_MAX];
	char file[PATH_MAX + 16], other[PATH_MAX + 16];
	int fd, dir_fd;
	char bytes[BLOCK];
	int64_t took[SAMPLES];
};

static int64_t
now(void)
{
	struct timespec t = { 0, 0 };

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

static int
by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static struct disk_spread
spread(struct measuring *m, size_t n)
{
	must(n > 0 && n <= SAMPLES);
	qsort(m->took, n, sizeof *m->took, by_size);
	return (struct disk_spread){ .p50 = m->took[n / 2],
		.p99 = m->took[n * 99 / 100], .n = n };
}

static int
failed(const struct measuring *m, const char *what)
{
	int error = errno;

	(void)err_set("%s in %s: %s", what, m->dir, strerror(error));
	return error == 0 ? -EIO : -error;
}

static int
write_all(struct measuring *m, size_t n, uint64_t at)
{
	size_t done = 0;
	ssize_t some;

	must(n <= sizeof m->bytes);
	while (done < n) {
		some = pwrite(m->fd, m->bytes + done, n - done,
		    (off_t)(at + done));
		if (some < 0 && errno == EINTR)
			continue;
		if (some <= 0)
			return failed(m, "writing");
		done += (size_t)some;
	}
	return 0;
}

/* ---- what is timed ---- */

static int
piece_write(struct measuring *m, size_t i)
{
	return write_all(m, DISK_PIECE, i * DISK_PIECE);
}

static int
piece_sync(struct measuring *m, size_t i)
{
	int rc = piece_write(m, i);

	if (rc == 0 && fdatasync(m->fd) != 0)
		return failed(m, "fdatasync");
	return rc;
}

static int
shared_sync(struct measuring *m, size_t i)
{
	size_t n = (size_t)DISK_SHARERS * DISK_PIECE;
	int rc = write_all(m, n, i % (PIECES / n) * n);

	if (rc == 0 && fdatasync(m->fd) != 0)
		return failed(m, "fdatasync");
	return rc;
}

static int
rename_sync(struct measuring *m, size_t i)
{
	if (rename(i % 2 == 0 ? m->file : m->other,
	    i % 2 == 0 ? m->other : m->file) != 0)
		return failed(m, "rename");
	return fsync(m->dir_fd) == 0 ? 0 : failed(m, "fsync of the directory");
}

/* Many times, until there are most or patience ends. */
static int
many(struct measuring *m, const char *what,
    int (*one)(struct measuring *, size_t), size_t most,
    struct disk_spread *out)
{
	int64_t began = now(), before, after = began;
	size_t n = 0;
	int rc;

	while (n < most && (n < LEAST || after - began < m->t->patience)) {
		if (n % 16 == 0 && !m->t->progress(m->t->owner, what,
		    (unsigned)(n * 100 / most)))
			return -EINTR;
		before = now();
		rc = one(m, n);
		after = now();
		if (rc != 0)
			return rc;
		m->took[n++] = after - before;
	}
	*out = spread(m, n);
	return 0;
}

/* As much as a quarter of what is free, at most ROW_MOST blocks. */
static int
in_a_row(struct measuring *m, uint64_t *out)
{
	int64_t began = now(), took;
	uint64_t blocks = 0, most = ROW_MOST;
	struct statvfs s;
	int rc = 0;

	if (fstatvfs(m->fd, &s) == 0 && s.f_bavail * s.f_frsize / BLOCK / 4 < most)
		most = s.f_bavail * s.f_frsize / BLOCK / 4;
	while (rc == 0 && blocks < most && now() - began < m->t->patience) {
		if (!m->t->progress(m->t->owner, "in a row",
		    (unsigned)(blocks * 100 / ROW_MOST)))
			return -EINTR;
		rc = write_all(m, BLOCK, blocks++ * BLOCK);
	}
	if (rc == 0 && fdatasync(m->fd) != 0)
		rc = failed(m, "fdatasync");
	took = now() - began;
	*out = took > 0 ? blocks * BLOCK * (NS_PER_SECOND / 1000) /
	    ((uint64_t)took / 1000 + 1) : 0;
	return rc;
}

/* ---- the whole ---- */

static int
begin(struct measuring *m)
{
	int rc = 0;

	m->dir_fd = open(m->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	m->fd = open(m->file, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (m->dir_fd < 0 || m->fd < 0)
		return failed(m, "making a file");
	for (uint64_t at = 0; rc == 0 && at < PIECES + BLOCK; at += BLOCK)
		rc = write_all(m, BLOCK, at);
	if (rc == 0 && fsync(m->fd) != 0)
		return failed(m, "fsync");
	return rc;
}

static int
measure(struct measuring *m, struct disk_times *out)
{
	int rc = begin(m);

	(void)!getrandom(m->bytes, sizeof m->bytes, 0);
	if (rc == 0)
		rc = many(m, "written", piece_write, SAMPLES / 4, &out->written);
	if (rc == 0 && fsync(m->fd) != 0)
		rc = failed(m, "fsync");
	if (rc == 0)
		rc = many(m, "synced", piece_sync, SAMPLES, &out->synced);
	if (rc == 0)
		rc = many(m, "shared", shared_sync, SAMPLES / 4, &out->shared);
	if (rc == 0)
		rc = many(m, "renamed", rename_sync, SAMPLES / 4, &out->renamed);
	if (rc == 0)
		rc = in_a_row(m, &out->in_a_row);
	return rc;
}

static void
end(struct measuring *m)
{
	if (m->fd >= 0)
		(void)close(m->fd);
	if (m->dir_fd >= 0)
		(void)close(m->dir_fd);
	(void)unlink(m->file);
	(void)unlink(m->other);
	(void)rmdir(m->dir);
}

int
disk_time(const char *dir, const struct disk_timing *t, struct disk_times *out)
{
	static struct measuring m;	/* a command has one thread */
	int n = snprintf(m.dir, sizeof m.dir, "%s/.check-disk.XXXXXX", dir);
	int rc;

	if (n < 0 || n >= (int)sizeof m.dir)
		return -ENAMETOOLONG;
	m.t = t;
	m.fd = m.dir_fd = -1;
	*out = (struct disk_times){ .in_a_row = 0 };
	if (mkdtemp(m.dir) == NULL) {
		rc = -errno;
		(void)err_set("%s: %s", dir, strerror(-rc));
		return rc;
	}
	snprintf(m.file, sizeof m.file, "%s/file", m.dir);
	snprintf(m.other, sizeof m.other, "%s/other", m.dir);
	rc = measure(&m, out);
	end(&m);
	return rc;
}
