/*
 * disk.h -- files, without ever blocking a core.
 *
 * The promise: each verb does what its system call does, on a helper thread (or
 * a given lane), while the fiber waits.  Short reads and writes and EINTR are
 * dealt with here: disk_pwrite() wrote all or failed.
 * Not for: sockets, pipes (process.h).
 * Waiting: every verb but disk_close() yields; disk_pread() first tries what is
 * in the page cache without leaving the core (RWF_NOWAIT).
 * Memory: buffers are the caller's until the call returned.
 * Errors: a negative errno (-ENOSPC, -EIO, ...), and the trail.  After a failed
 * sync never sync that descriptor again (SECURITY.md row 43).
 * Source: DESIGN.md section 3; SECURITY.md B.
 */
#ifndef NM_FIBER_DISK_H
#define NM_FIBER_DISK_H

#include "base/arena.h"
#include "fiber/fiber.h"

/* DISK_WRITE reads too. */
enum disk_flags {
	DISK_READ = 0, DISK_WRITE = 1, DISK_CREATE = 2, DISK_EXCLUSIVE = 4,
	DISK_DIRECTORY = 8
};

struct disk_stat {
	uint64_t size;			/* bytes */
	unsigned mode, uid, gid;
	bool is_directory;
	struct wall changed;
};
struct disk_space { uint64_t total, free; };	/* bytes, for us */

/* The descriptor, or a negative errno. */
yields int disk_open(const char *path, unsigned flags, unsigned mode);
void disk_close(int fd);
yields int64_t disk_pread(int fd, void *to, size_t n, uint64_t at);
yields int disk_pwrite(int fd, struct str bytes, uint64_t at);
yields int disk_fdatasync(int fd);
yields int disk_fsync(int fd);			/* a file or a directory */
yields int disk_sync_directory(const char *path);
yields int disk_truncate(int fd, uint64_t size);
/* Make [0, size) exist and be zero, written, not merely reserved. */
yields int disk_zero_fill(int fd, uint64_t size);
yields int disk_stat(const char *path, struct disk_stat *);
yields int disk_space(const char *path, struct disk_space *);
yields int disk_rename(const char *from, const char *to);
yields int disk_link(const char *from, const char *to);
yields int disk_unlink(const char *path);
yields int disk_mkdir(const char *path, unsigned mode);
/* Take the file's lock, or -EWOULDBLOCK; held until the descriptor closes. */
yields int disk_lock(int fd);
/* Names in a directory but . and .., sorted; in the arena. */
yields int disk_list(const char *path, struct arena *, struct str **names,
    size_t *n);
/* A whole file of at most `most' bytes, in the arena. */
yields int disk_read_file(const char *path, struct arena *, size_t most,
    struct str *out);

/*
 * For the spool's own lane: the same system calls without a fiber, to be called
 * only inside a function given to lane_run() or offload().
 */
int disk_pwrite_here(int fd, const struct str *parts, size_t n, uint64_t at);
int disk_fdatasync_here(int fd);

#endif
