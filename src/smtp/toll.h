/*
 * toll.h -- what an account and its tenant pay for a message.
 *
 * The promise: what was paid for every message that was kept stays within the
 * limits by hour and by day, of the account and of its tenant, exactly, whatever
 * the number of cores and of conversations: a message is paid for as a whole,
 * before it is kept, and given back when it was not.  MAIL and RCPT already say
 * what would not fit, so that a client hears it before it sends the content.
 * Who has no limits costs nothing.
 * Not for: networks (door.h), the counting itself (policy/quota.h).
 * Waiting: all yield, for the core that counts.
 * Memory: names in the mail arena.
 * Errors: a verdict that is not DELIVERED is the reply: 452 4.2.2 with the time
 * from which on it would fit, 552 5.3.4 when it never will.  A core that is
 * stopping counts nobody.
 * Source: RFC 3463 3.3; RFC 6409 4.2; SECURITY.md row 12.
 */
#ifndef NM_SMTP_TOLL_H
#define NM_SMTP_TOLL_H

#include "base/str.h"
#include "fiber/fiber.h"
#include "wire/disposition.h"

struct tenant_rule;

struct session;

/* Of a transaction; begins as { 0 }. */
struct toll {
	struct str name;		/* account_key(); n == 0: no limits */
	const struct tenant_rule *tenant;	/* NULL: it has none */
	uint64_t recipients;		/* so many will fit, as MAIL knew */
};

yields struct verdict toll_mail(struct session *, uint64_t size);
/* One more recipient. */
yields struct verdict toll_rcpt(struct session *);
/* All of it: the recipients that were accepted, and so many octets. */
yields struct verdict toll_pay(struct session *, uint64_t octets);
yields void toll_back(struct session *, uint64_t octets);

#endif
