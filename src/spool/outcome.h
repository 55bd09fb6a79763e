/*
 * outcome.h -- what became of recipients, written down.
 *
 * The promise: memory knows at once; the record is written at once and on disk
 * with the next commit or within outcome_delay_ns.  kill -9 forgets nothing that
 * was written; a power cut at most that window (the recipient is then tried
 * again, never lost).  When the last recipient has ended the message is gone.
 * Not for: events nobody's fate depends on (spool_event() is for them, below).
 * Waiting: the verbs yield only while the buffer of unwritten records is full;
 * spool_event() never does.
 * Memory: copied before they return.
 * Errors: -1 when the message has ended already or never was, or the spool is
 * broken (memory knows nevertheless: nothing is tried twice by this process).
 * Source: DESIGN.md laws 2 and section 5; SECURITY.md B2, B3.
 */
#ifndef NM_SPOOL_OUTCOME_H
#define NM_SPOOL_OUTCOME_H

#include "spool/spool.h"

enum outcome_kind {
#define OUTCOME(name, number, word) OUTCOME_##name = number,
#include "spool/outcome.def"
#undef OUTCOME
};

enum { OUTCOME_TEXT_MOST = 512 };	/* longer text is cut */

struct outcome {
	uint32_t recipient;		/* index in the envelope */
	enum outcome_kind kind;
	unsigned code;			/* reply code; 0: none */
	struct str text;		/* the reply, or the rule's name */
};

/* Recipients have ended; those that had already are passed over. */
yields int spool_outcome(struct spool *, uint64_t id, const struct outcome *,
    size_t n);

/* Recipients (NULL: all that are left) were tried and put off. */
struct attempt {
	const uint32_t *recipients;
	size_t n;
	unsigned attempts;		/* so far, with this one */
	unsigned warned;		/* warnings of delay so far, to be given
					 * behind this record */
	struct wall due;		/* the next one */
	unsigned code;
	struct str text;
};
yields int spool_attempt(struct spool *, uint64_t id, const struct attempt *);

yields int spool_hold(struct spool *, uint64_t id, struct str reason);
yields int spool_release(struct spool *, uint64_t id);
yields int spool_reschedule(struct spool *, uint64_t id, struct wall due);
/* All that are left end as cancelled. */
yields int spool_cancel(struct spool *, uint64_t id, struct str reason);

/* Wait until kill -9 cannot take back what was recorded so far (at most a
 * second: then it counts as the disk's trouble, and is known as such). */
yields void spool_await_written(struct spool *);

/* One step of the mail's way, written with what comes next, and within 5 ms; lost,
 * and counted, when the buffer is full. */
void spool_event(struct spool *, const struct event *);

const char *outcome_word(enum outcome_kind);

#endif
