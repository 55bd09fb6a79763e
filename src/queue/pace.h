/*
 * pace.h -- how fast the far side takes mail, learnt from its replies.
 *
 * The promise: of one (source, site): no message begins before pace_when(), no
 * connection beyond pace_connections(), and no transaction has more recipients
 * than pace_recipients(), as the far side's words so far allow.  Without any
 * words against it there is no rate.  A refusal for the rate cuts the rate; if
 * those begun after the cut are refused too, one message alone tries again,
 * after 1, 2, 4 ... PACE_PAUSE_MOST seconds.  What was found to be borne is
 * sought again fast, what is beyond it in steps that double; never without use
 * of what there is, nor before PACE_WORTH messages went well for each that was
 * refused (or PACE_WAIT_MOST passed): so a limit that stands costs one refusal
 * in PACE_WORTH, and one that is lifted is found within minutes.  "Too many
 * connections" lowers connections alone, "too many recipients" recipients.
 * Not for: the operator's limits, which are kept beside this (egress.h), and
 * hosts that are down (backoff.h).
 * Waiting: none, and no clock.
 * Memory: a value.
 * Errors: none; misuse fails a must().
 * Source: RFC 5321 4.5.4.1, 4.5.3.1.10; RFC 3463 3.5; TCP's way of finding what
 * a path bears: Jacobson 1988, RFC 9438 (CUBIC: fast to what was, slow there,
 * faster beyond).
 */
#ifndef NM_QUEUE_PACE_H
#define NM_QUEUE_PACE_H

#include "base/buf.h"
#include "base/instant.h"

enum {
	PACE_WORTH = 100,		/* messages for one refused */
	PACE_WAIT_MOST = 150,		/* seconds before the next is risked */
	PACE_PAUSE_MOST = 180,		/* seconds */
	PACE_RATE_LEAST = 60,		/* messages an hour */
	PACE_RATE_MOST = 100 * 1000 * 1000,	/* beyond, there is none */
	PACE_WORDS = 96, PACE_SLOTS = 13
};

/* What a reply says of speed. */
enum pace_said {
	PACE_ANSWERED,			/* nothing: it was taken, or is no good */
	PACE_SLOWER,			/* too much in this time */
	PACE_NARROWER,			/* too many connections */
	PACE_SMALLER,			/* too many recipients at once */
	PACE_LOST			/* no reply */
};

struct pace_reply {
	enum pace_said said;
	struct mono begun;		/* when pace_begun() was told */
	uint32_t n_taken;		/* recipients of the transaction, at most */
	unsigned n_good;		/* connections that stand besides this */
	struct str words;		/* "421 4.7.28 slow down"; or none */
};

struct pace_tally {
	int64_t slot;
	uint32_t n[PACE_SLOTS];
};

struct pace {
	uint64_t rate, ceiling, good;	/* messages an hour; 0: none known */
	struct mono next;		/* the next may begin */
	struct mono cut_at;		/* what began before is no news */
	uint64_t n_taken;		/* since, of those begun since */
	uint32_t n_cost;		/* refused, for the last thing learnt */
	uint16_t level;			/* pauses in a row */
	uint16_t step;			/* beyond the ceiling */
	uint16_t n_rounds;		/* since the cut */
	bool is_held, is_fresh;		/* is_fresh: a pause was the last */
	int64_t lag_ns;			/* how long it was shut, of late */
	struct mono held_from, held_until;
	struct mono opened_at;		/* behind the last pause; or */
	int64_t opened_width_ns;	/*  so much before */
	struct pace_tally minute, hour;	/* taken of late */
	uint64_t best;			/* an hour, by the best minute */
	struct mono round_at;
	uint32_t n_round;		/* begun in this round */
	uint64_t seen;			/* messages an hour, of late */
	uint32_t n_seen;		/* begun since */
	struct mono seen_at;
	int64_t answer_ns, answer_least_ns;	/* how long a message takes */
	unsigned connections;		/* 0: as many as the operator allows */
	unsigned widen;			/* by how many next time */
	int64_t widen_ns;		/* how long to wait for it */
	struct mono narrow_at, wide_at;
	uint32_t recipients, n_full;	/* 0: as many as ...; full ones since */
	struct mono said_at, up_at;	/* last refusal; first way up since */
	char words[PACE_WORDS];
	uint64_t n_refused;		/* for speed, since ever */
};

/* The next message may begin then; MONO_NEVER is never said. */
struct mono pace_when(const struct pace *, struct mono now);
/* One does; there is more of them, or this is the last. */
void pace_begun(struct pace *, struct mono now);
void pace_replied(struct pace *, struct mono now, const struct pace_reply *);

/* Of `most' that the operator allows. */
unsigned pace_connections(const struct pace *, unsigned most);
/* All are in use, and there is more to do: may there be others now? */
void pace_press(struct pace *, struct mono now, unsigned n_open,
    unsigned most);
/* One was opened well: so many stand. */
void pace_opened(struct pace *, unsigned n_good);
uint32_t pace_recipients(const struct pace *, uint32_t most);

/* Nothing was said that is still heeded. */
bool pace_is_plain(const struct pace *);
/* The same, or it was long ago. */
bool pace_is_forgettable(const struct pace *, struct mono now);
/* An operator says: ask at once. */
void pace_ask_now(struct pace *, struct mono now);
/* How long not even one message has been taken. */
int64_t pace_shut_ns(const struct pace *, struct mono now);
/* "12/s of 40/s: 421 4.7.28 at 14:02, up again from 14:07" (UTC) */
void pace_tell(const struct pace *, struct mono now, struct wall wall,
    struct buf *);

/* What outlives a restart, as a line without its end.  False: it is none. */
void pace_print(const struct pace *, struct mono now, struct wall,
    struct buf *);
bool pace_parse(struct pace *, struct mono now, struct wall, struct str);

#endif
