/*
 * say.h -- what the server does at each verb.
 *
 * The promise: each of these answers its command, with one reply, and leaves the
 * session in a state of the table at the top of server.c.  states.def has judged
 * before that the verb may come now, and whether it has an argument; what is not
 * offered (extension.h) never comes here.
 * Not for: anybody but server.c.
 * Waiting: all yield.
 * Memory: the command's strings are the stream's, and gone once it is read.
 * Errors: told to the client.
 * Source: RFC 5321 4.1.1; RFC 1985; RFC 3030; Postfix XCLIENT_README.
 */
#ifndef NM_SMTP_SAY_H
#define NM_SMTP_SAY_H

#include "fiber/fiber.h"
#include "smtp/session.h"
#include "wire/command.h"

/* greeting.c */
yields void say_ehlo(struct session *, const struct command *);
yields void say_helo(struct session *, const struct command *);

/* transaction.c */
yields void say_mail(struct session *, const struct command *);
yields void say_rcpt(struct session *, const struct command *);

/* content.c, bdat.c */
yields void say_data(struct session *, const struct command *);
yields void say_bdat(struct session *, const struct command *);

/* auth.c */
enum { AUTH_LINE_MOST = COMMAND_AUTH_MOST + 64 };
yields void say_auth(struct session *, const struct command *);
/* What AUTH may speak now, as SASL_BITs; 0: there is no AUTH. */
uint32_t auth_mechanisms(const struct session *);
/* What AUTH hears where there is none. */
enum session_reply auth_otherwise(const struct session *);

/* starttls.c */
yields void say_starttls(struct session *, const struct command *);
/* The handshake; -1 and the trail: nothing can be said to him any more. */
yields int session_secure(struct session *);

/* etrn.c, xclient.c */
yields void say_etrn(struct session *, const struct command *);
yields void say_xclient(struct session *, const struct command *);

#endif
