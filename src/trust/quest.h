/*
 * quest.h -- questions to the DNS that one message may cost.
 *
 * The promise: whoever checks a message asks through quest_ask(), all from one
 * budget and to one deadline, so that no message costs more than QUEST_QUESTIONS
 * questions, or makes anybody wait longer than the deadline.
 * Not for: questions that no stranger's message causes (fiber/dns.h).
 * Waiting: yields, for QUEST_SECONDS at most, and not beyond the deadline.
 * Memory: the answer is in the caller's arena; what the quest points to is the
 * caller's.
 * Errors: DNS_TROUBLE, with the reason in the trail; so it is when the budget
 * or the time is used up, and then nobody was asked.
 * Source: RFC 7208 4.6.4; RFC 6376 8.4; SECURITY.md row 29.
 */
#ifndef NM_TRUST_QUEST_H
#define NM_TRUST_QUEST_H

#include "base/instant.h"
#include "fiber/dns.h"
#include "fiber/fiber.h"

enum { QUEST_QUESTIONS = 64, QUEST_SECONDS = 10 };

struct dns_quest {
	struct mono deadline;		/* of all of them */
	unsigned *budget;		/* questions that may be asked still */
	struct wall now;		/* when the message came */
};

/* May anything be asked still? */
bool quest_is_over(const struct dns_quest *);

/* A name beyond ASCII is A-labels already (wire/idna.h).  One that the DNS can
 * not have is DNS_NO_NAME, and costs nothing. */
yields void quest_ask(const struct dns_quest *, struct str name, enum dns_type,
    struct arena *, struct dns_answer *out);

#endif
