/*
 * sidecar.h -- a sealed segment's records again, without bodies.
 *
 * The promise: restart reads it instead of the segment.  It is a copy: when it
 * is missing or damaged the segment is read.
 * Not for: anything that is not in the segment too.
 * Waiting: sidecar_write() yields.
 * Memory: windows from malloc while it works.
 * Errors: -1 with a trail; nothing is lost then.
 * Source: DESIGN.md sections 4 and 5.  The bytes stand in sidecar.c.
 */
#ifndef NM_SPOOL_SIDECAR_H
#define NM_SPOOL_SIDECAR_H

#include "spool/segment.h"

enum { SIDECAR_HEAD = 64, SIDECAR_ENTRY = 8 };

struct sidecar {
	uint64_t number, salt;		/* of the segment */
	uint64_t end;			/* of its records */
	uint64_t first, sequence;	/* of its first record, of its last */
	uint64_t entries;
};

bool sidecar_decode(struct str, struct sidecar *out);

/* Eight octets before each record: where it stands in the segment. */
bool sidecar_entry_decode(struct str, uint64_t salt, uint64_t *at);

/* Of one with torn octets it is the last word on what counts: bodies are checked
 * and it is synced. */
yields int sidecar_write(const char *dir, const struct segment *, bool is_torn);

#endif
