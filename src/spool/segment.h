/*
 * segment.h -- one file of the log.
 *
 * The promise: a segment has its name only when it is whole, zero where nothing
 * was written, and surely on disk (file and directory synced); its salt is new
 * for each turn of its file.
 * Not for: what stands in it (scan.h, walk.h), or when it may go (keeper.h).
 * Waiting: what touches the file yields.
 * Memory: the struct is the caller's.
 * Errors: a negative errno, with a trail.
 * Source: SECURITY.md B6.  The bytes stand in segment.c.
 */
#ifndef NM_SPOOL_SEGMENT_H
#define NM_SPOOL_SEGMENT_H

#include "base/str.h"
#include "fiber/fiber.h"

enum {
	SEGMENT_HEAD = 4096,		/* bytes before the first record */
	SEGMENT_PATH_MOST = 256
};

struct segment {
	uint64_t number, salt, instance;
	uint64_t size;			/* of the file, bytes */
	uint64_t size_made;		/* of the file when it was; 0: not known */
	uint64_t end;			/* where the next record goes */
	uint64_t settled;		/* below it all is surely on disk */
	uint64_t first_sequence;	/* of its first record; 0: none yet */
	uint64_t sequence;		/* of its last record */
	uint64_t live_bytes;		/* of records that still matter */
	uint64_t freed_at;		/* index.given when something in it died: it
					 * stays until that many are synced */
	size_t refs;			/* messages, chunks, drafts, tails, entries
					 * on their way: not to be let go */
	int fd;				/* immutable while refs > 0 */
	bool is_sealed;			/* takes no more */
	bool is_suspect;		/* a write or sync failed: never sync again,
					 * move what lives away */
	bool has_sidecar;
	bool is_header_bad;		/* damaged: the salt is not known */
	bool has_junk;			/* damage was met in it at recovery */
	bool is_told;			/* that it cannot be emptied */
	bool is_going;			/* dead, and about to lose its name */
};

/* Part of a body: a CHUNK record. */
struct extent {
	struct segment *segment;	/* NULL: lost */
	uint32_t at;			/* offset / RECORD_ALIGN */
	uint32_t n;			/* octets of body */
};

enum segment_kind {
	SEGMENT_LOG, SEGMENT_SIDECAR, SEGMENT_NEW, SEGMENT_NEW_SIDECAR
};

/* "dir/0000000012.log" (.idx, .tmp, .new). */
void segment_path(char to[SEGMENT_PATH_MOST], const char *dir, uint64_t number,
    enum segment_kind);
/* The other way, from a name without directory. */
bool segment_name(struct str name, uint64_t *number, enum segment_kind *);

/* Make dir/number.log, from dir/number.tmp when `is_recycled' (then of the right
 * size already), and open it. */
yields int segment_prepare(const char *dir, uint64_t number, uint64_t size,
    uint64_t instance, bool is_recycled, struct segment *out);
/* An existing one, of this instance (0: of any); its end is not known yet.
 * -EBADMSG: its header is damaged (size and descriptor are set). */
yields int segment_open(const char *dir, uint64_t number, uint64_t instance,
    bool for_writing, struct segment *out);
void segment_close(struct segment *);

#endif
