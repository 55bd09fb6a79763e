/*
 * sts_file.h -- one MTA-STS policy on disk.
 *
 * The promise: a file is written aside, synced and renamed: it is whole, old or
 * new.  What is no policy, or not ours, is as if it were not there.
 * Not for: anybody but sts.c.
 * Waiting: all yield (disk).
 * Memory: the arena's.
 * Errors: -1 and the trail; reading: -1.
 * Source: RFC 8461 5.1.
 */
#ifndef NM_DELIVER_STS_FILE_H
#define NM_DELIVER_STS_FILE_H

#include "base/arena.h"
#include "base/instant.h"
#include "fiber/fiber.h"
#include "wire/mta_sts.h"

struct sts_file {
	char id[STS_ID_MOST + 1];
	struct wall fetched;
	struct str text;
	struct sts_policy *policy;	/* of the text */
};

/* Is it a name that a file may have? */
bool sts_file_fits(struct str domain);

yields int sts_file_read(struct str directory, struct str domain,
    struct arena *, struct sts_file *out);
yields int sts_file_write(struct str directory, struct str domain,
    const struct sts_file *);
yields void sts_file_remove(struct str directory, struct str name);

#endif
