/*
 * eventlog.h -- the events of a spool, a file for each day.
 *
 * The promise: what eventlog_append() was given stands in the file of its day, or
 * of a later one that was begun already, exactly once, though the log it comes
 * from is read again after a crash: each batch ends with the mark of how far that
 * log was read, and opening cuts what follows the last whole mark.  Days older
 * than eventlog_expire() says go.
 * Not for: relay; nothing waits for these files.  Nor for search by index: the
 * days are read through (eventread.h).
 * Waiting: all yield (disk).
 * Memory: one batch of EVENTLOG_BATCH octets, from malloc, in the struct's care.
 * Errors: -1 and the trail; eventlog_revert() then says from which mark on the
 * log must be read again, and nothing else may be called before it said 0.
 * Source: DESIGN.md section 5 ("event tables are one file per day").  The format
 * stands at the top of eventlog.c.
 */
#ifndef NM_STORE_EVENTLOG_H
#define NM_STORE_EVENTLOG_H

#include "base/instant.h"
#include "fiber/fiber.h"

enum { EVENTLOG_BATCH = 256 * 1024, EVENTLOG_FRAME = 16 };

enum { FRAME_EVENT = 0, FRAME_MARK = 1 };

struct eventlog_mark { uint64_t segment, offset; };

struct eventlog {
	char directory[512];		/* ".../events" */
	unsigned spool;			/* in the files' names */
	int fd;				/* of the day being written; -1 */
	int64_t day;			/* since 1970; -1: none */
	uint64_t size;			/* octets in it */
	uint64_t synced;		/* of those, surely on disk */
	struct eventlog_mark mark;	/* the last that was written */
	char *batch;
	size_t n;
};

/* *mark: how far the log was read by what is here; {0, 0}: nothing is. */
yields int eventlog_open(struct eventlog *, struct str directory,
    unsigned spool, struct eventlog_mark *mark);
yields void eventlog_close(struct eventlog *);

/* One encoded event of that time; written with the batch. */
yields int eventlog_append(struct eventlog *, struct wall at, struct str event);
/* The batch is complete up to this mark. */
yields int eventlog_commit(struct eventlog *, struct eventlog_mark);
yields int eventlog_sync(struct eventlog *);
/* After trouble: back to what is surely there. */
yields int eventlog_revert(struct eventlog *, struct eventlog_mark *);
/* Remove days that ended before then. */
yields int eventlog_expire(const char *directory, struct wall before);

/* "2026-11-21.0": the file of a day; the day of a name, or -1. */
struct eventlog_name { char text[32]; };
struct eventlog_name eventlog_name(int64_t day, unsigned spool);
int64_t eventlog_day(struct str name);

/* A frame off the front of bytes: 1, 0 when it is not whole, -1 when it is none.
 * *size is what it takes. */
int eventlog_frame(struct str bytes, unsigned *kind, struct str *payload,
    size_t *size);

#endif
