/*
 * transfer.h -- the content of one transaction, and the last word on it.
 *
 * The promise: after transfer_run() all who were in the game have the peer's
 * verdict on the content, or ours.  Content that was not whole is never ended.
 * Not for: anybody but exchange.c.
 * Waiting: yields.
 * Memory: none; the content comes from the exchange's fit.
 * Errors: verdicts.
 * Source: RFC 5321 4.1.1.4, 4.5.2; RFC 2033 4.2; RFC 2920 3.1; RFC 3030 2.
 */
#ifndef NM_SMTP_TRANSFER_H
#define NM_SMTP_TRANSFER_H

#include "smtp/exchange.h"

/* MAIL and RCPT are over, and somebody is left or DATA is said; if it is not,
 * BDAT carries the content. */
yields void transfer_run(struct exchange *);
/* RFC 2920 3.1: a server may answer 354 although nobody is left; then the data
 * are a lone dot and its answer means nothing.  (RFC 2033 4.2 has no answer to
 * that, and so no way on: the connection is over.) */
yields void transfer_nothing(struct client *);

#endif
