/*
 * exchange.h -- one mail transaction, as the client has it.
 *
 * The promise: after exchange_run() every recipient has a verdict.
 * Not for: anybody but the client's files; others call client_send().
 * Waiting: exchange_run() yields.
 * Memory: the caller's, for the length of the call.
 * Errors: verdicts.
 * Source: RFC 5321 3.3, 4.1.1; RFC 1870 6; RFC 2920 3.1; RFC 3461 4, 5.2;
 * RFC 6531 3.2; RFC 9422 4.
 */
#ifndef NM_SMTP_EXCHANGE_H
#define NM_SMTP_EXCHANGE_H

#include "fiber/fiber.h"
#include "smtp/fit.h"

struct exchange {
	struct client *client;
	const struct client_message *message;
	struct verdict *verdicts;
	struct fit fit;
	size_t said, heard;		/* recipients */
	bool mail_is_heard, mail_is_good, data_is_said;
	bool is_repeated;		/* from MAIL on, without parameters */
};

yields void exchange_run(struct exchange *);

/* Everybody who is still in the game gets this verdict. */
void exchange_settle(struct exchange *, const struct verdict *);
/* How many are in the game. */
size_t exchange_count(const struct exchange *);
/* Is there an answer to what was not said yet?  Then nobody knows any more what
 * the next one is about: all are deferred, the connection is over. */
bool exchange_is_answered_early(struct exchange *);

#endif
