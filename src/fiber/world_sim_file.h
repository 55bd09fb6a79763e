/*
 * world_sim_file.h -- what files of the simulated disk hold, twice.
 *
 * The promise: a file has bytes as programs see them and bytes as a power cut
 * would leave them; a write changes the first, a sync carries them over to the
 * second, a crash takes the second and, sector by sector of 512 bytes and by
 * the seed, what had not been synced: nothing of it, all, or some version that
 * once stood there.  A sync that failed carries over some, and what it did not
 * no later sync will (as Linux does).
 * Not for: names (world_sim_tree.h).
 * Waiting: none.
 * Memory: the shared room; a page of zeros costs nothing.
 * Errors: none; space is the disk's affair.
 * Source: SECURITY.md B (T4, row 43); sqlite's "torn page".
 */
#ifndef NM_FIBER_WORLD_SIM_FILE_H
#define NM_FIBER_WORLD_SIM_FILE_H

#include <stdint.h>

#include "base/list.h"

enum { SIM_PAGE = 4096, SIM_SECTOR = 512, SIM_SIZES = 8, SIM_BUCKETS = 64 };

/* How much of what was not synced a power cut keeps. */
enum sim_keeps { SIM_KEEPS_NONE, SIM_KEEPS_ALL, SIM_KEEPS_SOME };

struct sim_page;
struct sim_name;

struct sim_file {
	struct link link;		/* of all files */
	size_t refs;			/* names, orders for names, descriptors */
	unsigned mode;
	bool is_directory;
	int64_t changed_us;
	uint64_t number;
	uint64_t locked_life;
	int locked_fd;
	/* bytes */
	uint64_t size, stable_size;
	uint64_t sizes[SIM_SIZES];	/* since the sync, oldest first */
	size_t n_sizes;
	struct sim_page **pages;
	size_t n_pages;
	struct sim_page *dirty;		/* list of pages with versions */
	/* names in a directory, as seen and as a power cut leaves them */
	struct sim_name **live, **stable;
};

void sim_file_write(struct sim_file *, const char *, size_t n, uint64_t at);
void sim_file_read(const struct sim_file *, char *, size_t n, uint64_t at);
void sim_file_resize(struct sim_file *, uint64_t size);
void sim_file_sync(struct sim_file *);
void sim_file_sync_failed(struct sim_file *);
void sim_file_crash(struct sim_file *, enum sim_keeps);
void sim_file_clear(struct sim_file *);	/* its bytes' memory */

#endif
