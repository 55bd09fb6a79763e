/*
 * disk_time.h -- how long a disk takes for what the spool asks of it.
 *
 * The promise: disk_time() measures in a directory of its own below the given one,
 * and leaves nothing behind, whether it ends well, fails or is interrupted.
 * Not for: what is to be thought of it (disk_judge.h).
 * Waiting: blocks for some seconds; never on a fiber.
 * Memory: none that stays.
 * Errors: a negative errno, and the trail; -EINTR when progress() said so.
 * Source: SECURITY.md B5; the spool's own way of writing (spool/segment.h).
 */
#ifndef NM_CLI_DISK_TIME_H
#define NM_CLI_DISK_TIME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
	DISK_PIECE = 4096,		/* octets of a message that is written */
	DISK_SHARERS = 16		/* messages that share a sync */
};

struct disk_spread { int64_t p50, p99; size_t n; };	/* ns; how often */

struct disk_times {
	struct disk_spread written;	/* a piece, without a sync */
	struct disk_spread synced;	/* a piece, and fdatasync */
	struct disk_spread shared;	/* DISK_SHARERS pieces, and fdatasync */
	struct disk_spread renamed;	/* a rename, and fsync of the directory */
	uint64_t in_a_row;		/* octets a second, synced at the end */
};

struct disk_timing {
	/* What is measured, and how far it is; false: stop. */
	bool (*progress)(void *owner, const char *what, unsigned percent);
	int64_t patience;		/* ns, for each; some are made whatever */
	void *owner;
};

int disk_time(const char *dir, const struct disk_timing *, struct disk_times *);

#endif
