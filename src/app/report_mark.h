/*
 * report_mark.h -- which reports of a day have been sent, on disk.
 *
 * The promise: what report_mark_done() was told stands in a file beside the
 * spools before it returns; report_mark_begin() likewise names the message that
 * is about to be kept, so that after a crash between the two there is one domain
 * of which it must be found out whether its message was kept, and no more.
 * Not for: the reports (they are made anew from the kept events).
 * Waiting: all but report_mark_has() yield (disk).
 * Memory: an arena of REPORT_MARK_MOST with the domains of the day.
 * Errors: -1 and the trail: then nothing must be sent.
 * Source: DESIGN.md section 1 (law of 250); RFC 9990 3.5.4.  The format stands at
 * the top of report_mark.c.
 */
#ifndef NM_APP_REPORT_MARK_H
#define NM_APP_REPORT_MARK_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/table.h"
#include "fiber/fiber.h"

enum { REPORT_MARK_MOST = 64 * 1024 * 1024 };

struct report_mark {
	struct hash_key key;
	struct arena arena;
	struct table domains;
	size_t n;			/* domains that are done */
	char path[1200];
	int fd;				/* -1: none */
	uint64_t size;			/* whole lines in the file */
	int64_t day;			/* since 1970; -1: none was ever begun */
	bool is_over;			/* all of the day was done */
	/* Begun and not done, at the last life's end or now. */
	struct str begun;		/* domain; n == 0: none */
	uint64_t begun_id;		/* 0: of no message */
};

/* name: "dmarc".  What is there already is read. */
yields int report_mark_open(struct report_mark *, struct hash_key,
    struct str directory, const char *name);
void report_mark_close(struct report_mark *);

/* Another day begins. */
yields int report_mark_day(struct report_mark *, int64_t day);
yields int report_mark_begin(struct report_mark *, struct str domain,
    uint64_t id);
yields int report_mark_done(struct report_mark *, struct str domain);
yields int report_mark_over(struct report_mark *);

bool report_mark_has(const struct report_mark *, struct str domain);

#endif
