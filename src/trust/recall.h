/*
 * recall.h -- good answers, remembered for a while by what was shown.
 *
 * The promise: recall_find() gives back what recall_keep() was given for the very
 * same secret words, until the time that was said, and no longer; at most
 * RECALL_MOST answers, of which the oldest go first.  Kept is a keyed hash of
 * the words, never the words: from it nobody finds a password without the key,
 * which is this process's and made by chance.
 * Not for: refusals; those are asked again.
 * Waiting: none.
 * Memory: its own, RECALL_ROOM octets for each answer; a longer one is not kept.
 * Errors: what cannot be kept is asked again.
 * Source: RFC 2104 (HMAC).
 */
#ifndef NM_TRUST_RECALL_H
#define NM_TRUST_RECALL_H

#include "trust/directory.h"

enum { RECALL_MOST = 512, RECALL_ROOM = 512, RECALL_KEY = 32 };

struct recall;

struct recall *recall_new(void);		/* or NULL */
void recall_free(struct recall *);

/* What was shown, as parts; their borders count. */
struct recall_mark { unsigned char octets[32]; };
struct recall_mark recall_mark(const struct recall *, const struct str *parts,
    size_t n);

void recall_keep(struct recall *, const struct recall_mark *, struct mono until,
    const struct directory_person *);
bool recall_find(struct recall *, const struct recall_mark *, struct mono now,
    struct arena *, struct directory_person *out);

#endif
