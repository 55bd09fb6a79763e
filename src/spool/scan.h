/*
 * scan.h -- walking a segment's bytes from record to record, over damage too.
 *
 * The promise: every whole record is given, in order, and nothing else; what
 * lies between two of them is told as damage.  What lies behind the last one is
 * not: it may be zeros, what an earlier turn of the file left, or torn.  It
 * always moves on, never looks outside the window, and asks for what it needs.
 * Not for: what records mean (index.h).
 * Waiting: none: whoever has the bytes pushes them and pulls results.
 * Memory: the window is the caller's; slices of records point into it.
 * Errors: SCAN_DAMAGE.
 * Source: SECURITY.md B5, B6, B7 T3.
 */
#ifndef NM_SPOOL_SCAN_H
#define NM_SPOOL_SCAN_H

#include "spool/record.h"

struct scan {
	/* the caller sets these before the first call */
	uint64_t salt;
	uint64_t at, end;		/* next byte to look at; of the segment */
	bool wants_bodies;		/* check them (and give them) */
	/* window: bytes of the segment from window_at */
	struct str window;
	uint64_t window_at;
	/* SCAN_MORE: load a window that has want_n bytes from want_at on (fewer
	 * only when the segment ends before); more is better */
	uint64_t want_at, want_n;
	/* SCAN_RECORD, where it stands; SCAN_DAMAGE, the bytes concerned */
	uint64_t from, to;
	enum record_fault fault;	/* SCAN_DAMAGE: what was met first */
	/* of the records so far; damage below `settled' is no torn write, those
	 * octets were on disk once */
	uint64_t first_sequence, sequence, records, settled;
	/* private */
	uint64_t record_end;
	uint64_t junk_from, junk_end;
	enum record_fault junk_fault;
	bool in_junk;
};

enum scan_result {
	SCAN_RECORD, SCAN_DAMAGE, SCAN_MORE,
	SCAN_END		/* `from' is the end of the last record, `to' that
				 * of what is not zero behind it */
};

void scan_init(struct scan *, uint64_t salt, uint64_t from, uint64_t end,
    bool wants_bodies);
enum scan_result scan_next(struct scan *, struct record *out);

#endif
