/*
 * liar.h -- hosts that do not know what they offer.
 *
 * The promise: what was noted of a host is recalled for LIAR_HOURS, of its
 * STARTTLS for LIAR_CLEAR_HOURS; when more
 * than LIARS_MOST are known, the one noted longest ago is forgotten.  Nothing is
 * lost by that but one more attempt.
 * Not for: judging (smtp/ finds out), or what a restart must know.
 * Waiting: none.
 * Memory: struct liars is its owner's, and begins as {0}.
 * Errors: none.
 * Source: RFC 7435 3; RFC 3030 2; RFC 5321 4.2.3 (555).
 */
#ifndef NM_DELIVER_LIAR_H
#define NM_DELIVER_LIAR_H

#include "fiber/net.h"

/* TLS that does not work is tried again sooner: what mends it is worth more. */
enum { LIARS_MOST = 128, LIAR_HOURS = 24, LIAR_CLEAR_HOURS = 1 };

struct liar {
	struct address address;		/* ADDRESS_NONE: a free place */
	uint32_t bits;			/* CAPABILITY_BITs of wire/reply.h */
	struct mono until;
	struct mono clear_until;	/* of STARTTLS among them */
};

struct liars {
	struct liar v[LIARS_MOST];
};

/* bits 0: nothing is to be noted. */
void liar_note(struct liars *, struct mono now, const struct address *,
    uint32_t bits);
uint32_t liar_recall(const struct liars *, struct mono now,
    const struct address *);

#endif
