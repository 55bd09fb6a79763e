/*
 * extension.h -- what this server offers to this client, now.
 *
 * The promise: EHLO, HELP, the verbs and the parameters of MAIL and RCPT all
 * follow one table, extensions.def: what is not offered is not done either.
 * Not for: what other servers offer (wire/reply.h).
 * Waiting: none.
 * Memory: none.
 * Errors: none.
 * Source: RFC 5321 2.2, 4.1.1.1; RFC 1870; RFC 1985; RFC 2034; RFC 2920; RFC 3030;
 * RFC 3461; RFC 6152; RFC 6531; RFC 9422.
 */
#ifndef NM_SMTP_EXTENSION_H
#define NM_SMTP_EXTENSION_H

#include "smtp/session.h"
#include "wire/command.h"

/* The lines of EHLO behind the first, each with a line feed before it. */
void extension_list(const struct session *, struct buf *out);
/* PARAM_BITs of what MAIL and RCPT may bring. */
uint32_t extension_params(const struct session *);
/* REPLY_GO: the verb is of RFC 5321, or of an extension that is offered. */
enum session_reply extension_reply(const struct session *, enum verb);

#endif
