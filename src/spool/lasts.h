/*
 * lasts.h -- why recipients were put off, while a spool is recovered.
 *
 * The promise: of each recipient's ATTEMPT records that recovery passes, the text
 * of the last is there until recovery ends, so that the queue can show it after a
 * restart.  Texts that are the same are kept once.
 * Not for: the running server, where the queue knows (queue/queue.h).
 * Waiting: none.
 * Memory: an arena of LASTS_MEMORY; beyond it recipients have none.
 * Errors: none: a reason that is not known is shown as none.
 * Source: postqueue(1) of Postfix.
 */
#ifndef NM_SPOOL_LASTS_H
#define NM_SPOOL_LASTS_H

#include "base/arena.h"
#include "base/hash.h"
#include "base/table.h"

enum { LASTS_MEMORY = 64 * 1024 * 1024 };

struct lasts {
	struct arena arena;
	struct hash_key key;		/* texts are of others' servers */
	struct table texts, rcpts;
};

void lasts_begin(struct lasts *, size_t memory);
void lasts_end(struct lasts *);
/* recipients: indexes as the record has them, 32 bits, little-endian. */
void lasts_note(struct lasts *, uint64_t id, struct str recipients,
    struct str text);
struct str lasts_find(const struct lasts *, uint64_t id, uint32_t recipient);

#endif
