/*
 * ledger.h -- the law of outcomes, proven over a log.
 *
 * The promise: given the records of a log in order, ledger_take() counts each
 * accepted recipient in exactly one state, and tells each breach of the law with
 * its place: an end of nobody, a second end, a message accepted twice or back
 * from its end, an expansion without children, a child without a parent.
 * Not for: whether the octets are whole (check.h), or reading them (audit.h).
 * Waiting: none; `breach' may not wait either.
 * Memory: about 100 octets for each message that has not ended at this place of
 * the log, one bit for each that has; from malloc, until ledger_clear().
 * Errors: enum ledger_result.
 * Source: DESIGN.md law 2.
 */
#ifndef NM_SPOOL_LEDGER_H
#define NM_SPOOL_LEDGER_H

#include "base/arena.h"
#include "base/table.h"
#include "spool/outcome.h"
#include "spool/record.h"

enum { LEDGER_KINDS = OUTCOME_EXPANDED + 1 };

struct ledger_totals {
	uint64_t messages;		/* accepted, as far as the log reaches */
	uint64_t recipients;		/* of these; children count too */
	uint64_t queued, held;		/* recipients that have not ended */
	uint64_t ended[LEDGER_KINDS];	/* by enum outcome_kind */
	uint64_t ended_before;		/* how, the log holds no longer */
	uint64_t earlier;		/* ends of messages whose acceptance the log
					 * holds no longer */
	uint64_t breaches;
};

struct ledger {
	/* One breach of the law, in words. */
	void (*breach)(struct ledger *, uint64_t segment, uint64_t at,
	    struct str text);
	void *owner;			/* the caller's own */
	bool is_whole;			/* the log begins with the spool: whatever
					 * is unknown was never accepted */
	struct ledger_totals totals;
	/* private */
	struct table accounts, over;
	struct arena scratch;
	uint64_t segment, at;		/* of the record in hand */
};

enum ledger_result {
	LEDGER_FINE,
	LEDGER_MALFORMED,		/* the record makes no sense */
	LEDGER_FOREIGN,			/* a type that this version does not know */
	LEDGER_NO_MEMORY
};

void ledger_init(struct ledger *, bool is_whole);
void ledger_clear(struct ledger *);

enum ledger_result ledger_take(struct ledger *, const struct record *,
    uint64_t segment, uint64_t at);

/* What has been read so far is gone from the log meanwhile: all that it held
 * has ended, or comes again further on. */
void ledger_forget(struct ledger *);

/* The log ends here: who is queued, who is held. */
void ledger_end(struct ledger *);

/* Recipients that have ended, in all. */
uint64_t ledger_ended(const struct ledger_totals *);

#endif
