/*
 * shim.c -- LD_PRELOADed into the server: parts of the system that fail.
 *
 * SHIM_LEAVE_OUT=sync            fsync and fdatasync do nothing
 * SHIM_LEAVE_OUT=directory-sync  fsync of a directory does nothing
 * SHIM_CONTROL=FILE              a page that the test and all processes of the
 *                                server share: which call fails, the how manieth,
 *                                once or from then on
 * SHIM_BELOW=PATH                only files whose path begins so
 *
 * A sync that fails takes what was written since the last good one with it: those
 * octets become zeros, as if their pages had been dropped and the disk had never
 * had them.  A 250 for them is thereby a loss that the sink will notice.
 *
 * What is asked of the page is said in fault.py, in the same order.
 */
/* The functions of the C library, as the linker knows them. */
#undef _FILE_OFFSET_BITS
#undef _FORTIFY_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

enum op { OP_NONE, OP_WRITE, OP_SYNC, OP_OPEN, OP_RENAME, OP_UNLINK, OP_MEMORY,
	OP_READ, OPS };
enum act { ACT_FAIL, ACT_KILL, ACT_LIE, ACT_SHORT };

struct control {
	_Atomic int64_t op, act, error;
	_Atomic int64_t nth, width;	/* calls nth to nth + width - 1, from 0 */
	_Atomic int64_t pid;		/* only there; 0: everywhere */
	_Atomic int64_t count, fired;	/* calls of op, and those that failed */
	_Atomic int64_t seen[OPS];
};

enum { FDS = 4096, RANGES = 2048 };

struct range { int64_t from, to; };

/* What was written and not synced. */
struct file {
	bool is_ours;
	size_t n;
	struct range *unsynced;		/* RANGES of them */
};

static struct control *control;
static bool no_sync, no_directory_sync;
static const char *below;
static struct file files[FDS];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

extern void *__libc_malloc(size_t);
extern void *__libc_calloc(size_t, size_t);
extern void *__libc_realloc(void *, size_t);

#define REAL(name) \
	static __typeof__(&name) real; \
	if (real == NULL) \
		real = (__typeof__(&name))(uintptr_t)dlsym(RTLD_NEXT, #name)

__attribute__((constructor)) static void
begin(void)
{
	const char *path = getenv("SHIM_CONTROL"), *out = getenv("SHIM_LEAVE_OUT");
	int fd = path == NULL ? -1 : open64(path, O_RDWR | O_CLOEXEC);
	void *p;

	no_sync = out != NULL && strcmp(out, "sync") == 0;
	no_directory_sync = out != NULL && strcmp(out, "directory-sync") == 0;
	below = getenv("SHIM_BELOW");
	if (fd < 0)
		return;
	p = mmap(NULL, sizeof *control, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p != MAP_FAILED)
		control = p;
	(void)close(fd);
}

/* Is this a call that fails?  Counts. */
static bool
is_hit(enum op op)
{
	int64_t nth;

	if (control == NULL || (control->pid != 0 && control->pid != getpid()))
		return false;
	control->seen[op]++;
	if (control->op != (int64_t)op)
		return false;
	nth = control->count++;
	if (nth < control->nth || nth - control->nth >= control->width)
		return false;
	control->fired++;
	if (control->act == ACT_KILL)
		(void)raise(SIGKILL);
	errno = (int)control->error;
	return true;
}

/* ---- files ---- */

static bool
is_below(const char *path)
{
	return path != NULL && (below == NULL ||
	    strncmp(path, below, strlen(below)) == 0);
}

static bool
is_ours(int fd)
{
	return fd >= 0 && fd < FDS && files[fd].is_ours;
}

static int
opened(int fd, bool is_one)
{
	if (fd < 0 || fd >= FDS)
		return fd;
	pthread_mutex_lock(&lock);
	files[fd].is_ours = is_one;
	files[fd].n = 0;
	pthread_mutex_unlock(&lock);
	return fd;
}

static void
wrote(int fd, int64_t at, int64_t n)
{
	struct file *f = &files[fd];
	struct range *last;

	if (n <= 0 || !is_ours(fd))
		return;
	pthread_mutex_lock(&lock);
	if (f->unsynced == NULL)
		f->unsynced = __libc_malloc(RANGES * sizeof *f->unsynced);
	last = f->n > 0 ? &f->unsynced[f->n - 1] : NULL;
	if (last != NULL && last->to == at)
		last->to += n;
	else if (f->unsynced != NULL && f->n < RANGES)
		f->unsynced[f->n++] = (struct range){ at, at + n };
	pthread_mutex_unlock(&lock);
}

/* The disk never had it. */
static void
drop(int fd)
{
	static const char zeros[65536];
	static ssize_t (*real)(int, const void *, size_t, off64_t);
	struct file *f = &files[fd];

	if (real == NULL)
		real = (__typeof__(real))(uintptr_t)dlsym(RTLD_NEXT, "pwrite64");
	pthread_mutex_lock(&lock);
	for (size_t i = 0; i < f->n; i++)
		for (int64_t at = f->unsynced[i].from; at < f->unsynced[i].to;
		    at += (int64_t)sizeof zeros) {
			int64_t n = f->unsynced[i].to - at;

			(void)!real(fd, zeros, n < (int64_t)sizeof zeros ?
			    (size_t)n : sizeof zeros, at);
		}
	f->n = 0;
	pthread_mutex_unlock(&lock);
}

static bool
is_directory(int fd)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISDIR(st.st_mode);
}

/* 0: well, and nothing is to be done; -1: errno; 1: do it. */
static int
sync_goes(int fd)
{

	if (no_sync || (no_directory_sync && is_directory(fd)))
		return 0;
	if (!is_ours(fd))
		return 1;
	if (!is_hit(OP_SYNC))
		return 1;
	if (!is_directory(fd))
		drop(fd);
	return control->act == ACT_LIE ? 0 : -1;
}

static void
synced(int fd)
{
	if (!is_ours(fd))
		return;
	pthread_mutex_lock(&lock);
	files[fd].n = 0;
	pthread_mutex_unlock(&lock);
}

#define SYNC(name) \
	int \
	name(int fd) \
	{ \
		int goes = sync_goes(fd), rc; \
		\
		REAL(name); \
		if (goes <= 0) \
			return goes; \
		rc = real(fd); \
		if (rc == 0) \
			synced(fd); \
		return rc; \
	}

SYNC(fsync)
SYNC(fdatasync)

/* How many of n octets are written: all, half of them, none (-1). */
static ssize_t
write_goes(int fd, size_t n)
{
	if (!is_ours(fd) || !is_hit(OP_WRITE))
		return (ssize_t)n;
	return control->act == ACT_SHORT && n > 1 ? (ssize_t)(n / 2) : -1;
}

ssize_t
pwrite64(int fd, const void *from, size_t n, off64_t at)
{
	ssize_t goes = write_goes(fd, n), done;

	REAL(pwrite64);
	if (goes < 0)
		return -1;
	done = real(fd, from, (size_t)goes, at);
	wrote(fd, at, done);
	return done;
}

ssize_t
pwritev64(int fd, const struct iovec *v, int n, off64_t at)
{
	ssize_t goes, done;
	size_t all = 0;

	REAL(pwritev64);
	for (int i = 0; i < n; i++)
		all += v[i].iov_len;
	goes = write_goes(fd, all);
	if (goes < 0)
		return -1;
	if ((size_t)goes < all)
		return pwrite64(fd, v[0].iov_base, v[0].iov_len / 2 + 1, at);
	done = real(fd, v, n, at);
	wrote(fd, at, done);
	return done;
}

ssize_t
write(int fd, const void *from, size_t n)
{
	ssize_t goes = write_goes(fd, n), done;

	REAL(write);
	if (goes < 0)
		return -1;
	done = real(fd, from, (size_t)goes);
	if (is_ours(fd))
		wrote(fd, lseek64(fd, 0, SEEK_CUR) - done, done);
	return done;
}

int
open64(const char *path, int flags, ...)
{
	bool is_one = is_below(path);
	mode_t mode = 0;
	va_list ap;

	REAL(open64);
	va_start(ap, flags);
	if ((flags & (O_CREAT | O_TMPFILE)) != 0)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	if (is_one && is_hit(OP_OPEN))
		return -1;
	return opened(real(path, flags, mode), is_one);
}

int
openat64(int dir, const char *path, int flags, ...)
{
	bool is_one = is_ours(dir);
	mode_t mode = 0;
	va_list ap;

	REAL(openat64);
	va_start(ap, flags);
	if ((flags & (O_CREAT | O_TMPFILE)) != 0)
		mode = va_arg(ap, mode_t);
	va_end(ap);
	if (is_one && is_hit(OP_OPEN))
		return -1;
	return opened(real(dir, path, flags, mode), is_one);
}

int
rename(const char *from, const char *to)
{
	REAL(rename);
	return is_below(from) && is_hit(OP_RENAME) ? -1 : real(from, to);
}

int
renameat(int a, const char *from, int b, const char *to)
{
	REAL(renameat);
	return is_ours(a) && is_hit(OP_RENAME) ? -1 : real(a, from, b, to);
}

int
link(const char *from, const char *to)
{
	REAL(link);
	return is_below(from) && is_hit(OP_RENAME) ? -1 : real(from, to);
}

int
unlink(const char *path)
{
	REAL(unlink);
	return is_below(path) && is_hit(OP_UNLINK) ? -1 : real(path);
}

ssize_t
pread64(int fd, void *to, size_t n, off64_t at)
{
	REAL(pread64);
	return is_ours(fd) && is_hit(OP_READ) ? -1 : real(fd, to, n, at);
}

/* ---- memory ---- */

void *
malloc(size_t n)
{
	return is_hit(OP_MEMORY) ? NULL : __libc_malloc(n);
}

void *
calloc(size_t n, size_t size)
{
	return is_hit(OP_MEMORY) ? NULL : __libc_calloc(n, size);
}

void *
realloc(void *p, size_t n)
{
	return n > 0 && is_hit(OP_MEMORY) ? NULL : __libc_realloc(p, n);
}
