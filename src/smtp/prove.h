/*
 * prove.h -- the client logs in at a relay.
 *
 * The promise: after prove_self() said DELIVERED the relay knows who we are, by
 * the best way of those it offers, that the operator allows and that the
 * credentials fit; nothing of it is ever said outside TLS, and a server that owes
 * us a proof in turn (SCRAM) has given it.
 * Not for: the mechanisms (trust/sasl_client.h), or logging in here (auth.c).
 * Waiting: yields; SCRAM's rounds run on a helper thread.
 * Memory: an arena for the length of the call, wiped.
 * Errors: DEFERRED, whatever the relay said: our password is not the mail's
 * fault.  4.7.8 when it does not take our credentials, 4.7.11 outside TLS, 4.7.0
 * when there is no way to log in.  client->breach then says so.
 * Source: RFC 4954 4, 6; RFC 4422 3; RFC 5056; RFC 9266.
 */
#ifndef NM_SMTP_PROVE_H
#define NM_SMTP_PROVE_H

#include "smtp/client.h"
#include "wire/disposition.h"

yields struct verdict prove_self(struct client *);

#endif
