/*
 * quarantine.h -- what is damaged or deadly is set aside, not thrown away.
 *
 * The promise: quarantine_put() leaves a copy of the bytes in quarantine/, once
 * for each place, at most QUARANTINE_FILES of them.  While a log is read, a note
 * on disk says how far; a record at which reading died three times is set aside
 * as poison and passed over from then on.
 * Not for: deciding what is damaged (scan.h).
 * Waiting: all but quarantine_is_poison() yield.
 * Memory: the names of poison, 64 at most, in the struct.
 * Errors: told to the sink; the log is read all the same.
 * Source: DESIGN.md section 5; SECURITY.md B5.
 */
#ifndef NM_SPOOL_QUARANTINE_H
#define NM_SPOOL_QUARANTINE_H

#include "spool/segment.h"

struct spool;

enum {
	QUARANTINE_FILES = 1000, QUARANTINE_BYTES = 16 << 20,
	POISON_MOST = 64, POISON_DEATHS = 3
};

struct quarantine {
	struct { uint64_t segment, at; } poison[POISON_MOST];
	size_t n_poison, n_files;
	/* the note: where the last recovery died */
	uint64_t note_segment, note_at, note_deaths;
	bool is_careful;		/* note each record before it is believed */
	int note_fd;			/* -1: none */
};

yields void quarantine_open(struct quarantine *, struct spool *);
/* Recovery has ended well. */
yields void quarantine_close(struct quarantine *, struct spool *);

enum quarantine_kind { QUARANTINE_BAD, QUARANTINE_POISON };
yields void quarantine_put(struct quarantine *, struct spool *,
    const struct segment *, uint64_t from, uint64_t to, enum quarantine_kind);

/* The file of a segment that cannot be one leaves the log, whole. */
yields void quarantine_take(struct spool *, uint64_t number);

bool quarantine_is_poison(const struct quarantine *, uint64_t segment,
    uint64_t at);
/* Nothing is read now: a death here is no record's fault. */
yields void quarantine_rest(struct quarantine *);
/* About to believe this record.  False: it has killed us often enough. */
yields bool quarantine_note(struct quarantine *, uint64_t segment, uint64_t at);

#endif
