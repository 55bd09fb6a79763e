/*
 * sync_bench -- what it costs to make 4 KiB safe, by each way to do so.
 *
 *	sync_bench FILE [TURNS]
 *
 * Each way writes TURNS times 4,352 octets (a message) one behind the other into
 * a file on a real disk and makes them safe each time: the time of one, p50 and
 * p99, and its CPU.  The ways take turns, so that noise falls on all alike.  The
 * spool's way is the first (fiber/disk.c); the others are why.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum { PIECE = 4352, ROUND = 50, TURNS_MOST = 20000, RING = 8 };

/* ---- io_uring, by hand: no library is worth two calls ---- */

struct ring {
	int fd;
	unsigned *sq_tail, *sq_mask, *sq_array, *cq_head, *cq_tail, *cq_mask;
	struct io_uring_sqe *sqes;
	struct io_uring_cqe *cqes;
};

static struct ring ring = { .fd = -1 };

static bool
ring_open(void)
{
	struct io_uring_params p = { 0 };
	char *sq, *cq;

	ring.fd = (int)syscall(SYS_io_uring_setup, RING, &p);
	if (ring.fd < 0)
		return false;
	sq = mmap(NULL, p.sq_off.array + p.sq_entries * sizeof(unsigned),
	    PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQ_RING);
	cq = mmap(NULL, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe),
	    PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_CQ_RING);
	ring.sqes = mmap(NULL, p.sq_entries * sizeof(struct io_uring_sqe),
	    PROT_READ | PROT_WRITE, MAP_SHARED, ring.fd, IORING_OFF_SQES);
	if (sq == MAP_FAILED || cq == MAP_FAILED || ring.sqes == MAP_FAILED)
		return false;
	ring.sq_tail = (unsigned *)(void *)(sq + p.sq_off.tail);
	ring.sq_mask = (unsigned *)(void *)(sq + p.sq_off.ring_mask);
	ring.sq_array = (unsigned *)(void *)(sq + p.sq_off.array);
	ring.cq_head = (unsigned *)(void *)(cq + p.cq_off.head);
	ring.cq_tail = (unsigned *)(void *)(cq + p.cq_off.tail);
	ring.cq_mask = (unsigned *)(void *)(cq + p.cq_off.ring_mask);
	ring.cqes = (struct io_uring_cqe *)(void *)(cq + p.cq_off.cqes);
	return true;
}

static void
ring_put(const struct io_uring_sqe *e)
{
	unsigned tail = *ring.sq_tail, at = tail & *ring.sq_mask;

	ring.sqes[at] = *e;
	ring.sq_array[at] = at;
	__atomic_store_n(ring.sq_tail, tail + 1, __ATOMIC_RELEASE);
}

/* A write and a sync behind it: one call for both. */
static bool
ring_write(int fd, const char *p, off_t at)
{
	struct io_uring_sqe write = { .opcode = IORING_OP_WRITE, .fd = fd,
		.flags = IOSQE_IO_LINK, .addr = (uint64_t)(uintptr_t)p,
		.len = PIECE, .off = (uint64_t)at };
	struct io_uring_sqe sync = { .opcode = IORING_OP_FSYNC, .fd = fd,
		.fsync_flags = IORING_FSYNC_DATASYNC };
	unsigned head = *ring.cq_head;
	bool fine;

	ring_put(&write);
	ring_put(&sync);
	if (syscall(SYS_io_uring_enter, ring.fd, 2, 2, IORING_ENTER_GETEVENTS,
	    NULL, 0) < 0 ||
	    __atomic_load_n(ring.cq_tail, __ATOMIC_ACQUIRE) - head < 2)
		return false;
	fine = ring.cqes[head & *ring.cq_mask].res == PIECE &&
	    ring.cqes[(head + 1) & *ring.cq_mask].res == 0;
	__atomic_store_n(ring.cq_head, head + 2, __ATOMIC_RELEASE);
	return fine;
}

/* ---- the ways ---- */

enum prepare { ZEROS, FALLOCATED, APPENDED };

struct way {
	const char *name;
	enum prepare prepare;
	int flags;
	bool (*put)(int fd, const char *p, off_t at);
	int fd;
	off_t at;
	uint64_t cpu_ns;
	size_t n;
	uint64_t took[TURNS_MOST];
};

static bool
put_sync(int fd, const char *p, off_t at)
{
	return pwrite(fd, p, PIECE, at) == PIECE && fdatasync(fd) == 0;
}

static bool
put_only(int fd, const char *p, off_t at)
{
	return pwrite(fd, p, PIECE, at) == PIECE;
}

static bool
put_dsync(int fd, const char *p, off_t at)
{
	struct iovec v = { (void *)(uintptr_t)p, PIECE };

	return pwritev2(fd, &v, 1, at, RWF_DSYNC) == PIECE;
}

static struct way ways[] = {
	{ .name = "zeros before, pwrite, fdatasync", .put = put_sync },
	{ .name = "fallocate before, the same", .prepare = FALLOCATED,
	    .put = put_sync },
	{ .name = "appended, the same", .prepare = APPENDED, .put = put_sync },
	{ .name = "zeros before, pwritev2 RWF_DSYNC", .put = put_dsync },
	{ .name = "zeros before, O_DSYNC", .flags = O_DSYNC, .put = put_only },
	{ .name = "zeros before, io_uring, linked", .put = ring_write },
};
enum { WAYS = sizeof ways / sizeof *ways };

static uint64_t
clock_of(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static bool
way_prepare(struct way *w, const char *path, off_t size)
{
	static const char zeros[65536];
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	if (fd < 0)
		return false;
	for (off_t at = 0; w->prepare == ZEROS && at < size;
	    at += (off_t)sizeof zeros)
		if (pwrite(fd, zeros, sizeof zeros, at) != (ssize_t)sizeof zeros)
			return false;
	if (w->prepare == FALLOCATED && fallocate(fd, 0, 0, size) != 0)
		return false;
	if (fsync(fd) != 0 || close(fd) != 0)
		return false;
	w->fd = open(path, O_RDWR | O_CLOEXEC | w->flags);
	return w->fd >= 0;
}

static bool
way_run(struct way *w, const char *piece)
{
	uint64_t cpu = clock_of(CLOCK_PROCESS_CPUTIME_ID);

	for (int i = 0; i < ROUND && w->n < TURNS_MOST; i++) {
		uint64_t began = clock_of(CLOCK_MONOTONIC);

		if (!w->put(w->fd, piece, w->at))
			return false;
		w->took[w->n++] = clock_of(CLOCK_MONOTONIC) - began;
		w->at += PIECE;
	}
	w->cpu_ns += clock_of(CLOCK_PROCESS_CPUTIME_ID) - cpu;
	return true;
}

static int
order(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

static void
way_tell(struct way *w)
{
	if (w->n == 0) {
		printf("%-36s not here\n", w->name);
		return;
	}
	qsort(w->took, w->n, sizeof *w->took, order);
	printf("%-36s p50 %6.0f us  p99 %7.0f us  CPU %5.1f us\n", w->name,
	    (double)w->took[w->n / 2] / 1e3,
	    (double)w->took[w->n * 99 / 100] / 1e3,
	    (double)w->cpu_ns / 1e3 / (double)w->n);
}

int
main(int argc, char **argv)
{
	static char piece[PIECE];
	long turns = argc > 2 ? strtol(argv[2], NULL, 10) : 1000;
	char path[1024];

	if (argc < 2 || turns < ROUND || turns > TURNS_MOST) {
		fprintf(stderr, "usage: sync_bench FILE [%d-%d]\n", ROUND,
		    TURNS_MOST);
		return 64;
	}
	memset(piece, 'x', sizeof piece);
	(void)ring_open();
	for (int i = 0; i < WAYS; i++) {
		snprintf(path, sizeof path, "%s.%d", argv[1], i);
		if (!way_prepare(&ways[i], path, (off_t)turns * PIECE + 65536)) {
			fprintf(stderr, "%s: %s\n", path, strerror(errno));
			return 71;
		}
		unlink(path);
	}
	for (long t = 0; t < turns; t += ROUND)
		for (int i = 0; i < WAYS; i++)
			(void)way_run(&ways[i], piece);
	for (int i = 0; i < WAYS; i++)
		way_tell(&ways[i]);
	return 0;
}
