/*
 * secure.h -- the client's way from clear text into TLS.
 *
 * The promise: after secure_begin() or secure_offer() said DELIVERED, the
 * connection is what client->demand asks for, and client->security says what
 * that came to; what was heard in clear text is forgotten.  Text behind the
 * answer to STARTTLS is never read.
 * Not for: anybody but the client's files.
 * Waiting: both yield.
 * Memory: none.
 * Errors: DEFERRED, 4.7.4 or 4.7.5 for what TLS is at fault for; then the
 * connection is over.  client->breach names the kind of trouble, without the
 * host, and client->lies has STARTTLS when it was offered and does not work.
 * Source: RFC 3207 4, 6; RFC 8314 3.3; RFC 7435; SECURITY.md row 5.
 */
#ifndef NM_SMTP_SECURE_H
#define NM_SMTP_SECURE_H

#include "smtp/client.h"
#include "wire/disposition.h"

/* TLS from the first octet. */
yields struct verdict secure_begin(struct client *);

/* Behind EHLO: STARTTLS, if it is wanted and offered, or needed.  *begun: EHLO is
 * to be said again. */
yields struct verdict secure_offer(struct client *, bool *begun);

#endif
