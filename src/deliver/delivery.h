/*
 * delivery.h -- one message on its way, held where it is being delivered.
 *
 * The promise: between delivery_open() and delivery_finish() the envelope is in
 * memory and the body can be read, whichever core the message lives on; the
 * recipients are those of the handoff's key that have not ended.  Everything
 * learnt goes home by delivery_finish(), which settles the handoff in any case;
 * so do the handoff_ verbs.
 * Not for: deciding when (queue/), speaking (remote.c, local.c).
 * Waiting: all yield, across cores.
 * Memory: an arena of DELIVERY_MEMORY, made by open and cleared by finish.  No
 * string of the handoff is used once it is settled.
 * Errors: open is -1 with nothing to deliver: the handoff has been settled.
 * Source: DESIGN.md section 4 ("outcomes go home"); SECURITY.md B2, B5.
 */
#ifndef NM_DELIVER_DELIVERY_H
#define NM_DELIVER_DELIVERY_H

#include "deliver/deliver.h"
#include "fiber/fiber.h"
#include "queue/handoff.h"
#include "spool/body.h"
#include "spool/envelope.h"
#include "wire/disposition.h"

struct delivery_recipient {
	uint32_t index;			/* in the envelope */
	struct str address;
	struct str sender;		/* to whom reports go; n == 0: the null
					 * sender */
	struct str from;		/* what MAIL says; the same, unless it was
					 * rewritten to be sent on */
	bool is_from_list;		/* sender is a list's owner: ENVID and RET
					 * are not the list's (RFC 3461 5.2.7.1) */
	struct str orig;		/* as given; p == NULL: the same */
	unsigned notify;		/* enum notify; 0: not given */
	struct str orcpt;		/* p == NULL: none */
	struct str transport;		/* of the alias `address'; p == NULL: as
					 * the configuration says */
	bool is_tried;			/* verdict stands */
	bool is_discarded;		/* DELIVERED means: dropped by a rule */
	bool is_expanded;		/* DELIVERED means: others stand for him; was
					 * tried from the start */
	bool is_list;			/* is_expanded, with an owner */
	struct verdict verdict;
	struct str remote;		/* host that said it; or absent */
	struct str file;		/* local: where it went; or absent */
};

/* What DELIVERED says: who has it, and whether he will tell the sender. */
enum delivery_reach {
	REACH_RELAY,			/* a server without RFC 3461 */
	REACH_REPORTER,			/* one that was told the sender's wishes */
	REACH_MAILBOX			/* its end: no one else will tell */
};

struct delivery_times {			/* Postfix's delays=a/b/c/d */
	struct mono taken, connect_from, sent_from, done;
};

struct delivery {
	struct deliver *at;		/* where it is being delivered */
	struct deliver *home;
	struct handoff handoff;		/* its strings are copies in the arena */
	struct arena arena;
	struct envelope envelope;
	struct pin pin;
	bool is_pinned;
	int poison;
	size_t n;
	struct delivery_recipient *rcpts;
	struct str relay;		/* "mx.example[192.0.2.1]:25" for events */
	struct str tls;			/* "TLSv1.3/verify", "clear"; or absent */
	struct delivery_times times;
	bool is_damaged;		/* the body is not what was written */
	enum queue_duty duty;		/* to do without an attempt */
	enum delivery_reach reach;
};

yields int delivery_open(struct delivery *, struct deliver *at,
    const struct handoff *);
/* All verdicts are in (untried ones count as put off): record, report, settle,
 * and let go. */
yields void delivery_finish(struct delivery *);

/* Nothing was tried: give it back home. */
yields void handoff_return(struct deliver *at, const struct handoff *,
    enum queue_end);
/* Its source does not get there: by another of its pool if there is one, and the
 * first is left out until then; else it fails so. */
yields void handoff_divert(struct deliver *at, const struct handoff *,
    struct mono until, const struct verdict *, struct str remote);
/* DUTY_EXPIRE: it was held for too long; DUTY_CANCEL: it was cancelled. */
yields void handoff_end(struct deliver *at, const struct handoff *,
    enum queue_duty);
/* One verdict, not DELIVERED, for all recipients of the handoff, as when no
 * host answers. */
yields void handoff_fail(struct deliver *at, const struct handoff *,
    const struct verdict *, struct str remote);

#endif
