/*
 * server.h -- one SMTP conversation, from the banner to the goodbye.
 *
 * The promise: server_session() speaks RFC 5321 with whoever connected until
 * one side has enough, and gives everything back.  A 250 after the dot means
 * intake_commit() said the message is on disk.  Nothing a client sends makes it
 * wait longer than a deadline, hold more than its arenas, or answer other than
 * from the table of verbs and states.
 * Not for: accepting connections (app/listen), LMTP, TLS.
 * Waiting: server_session() yields all the time; the configuration is pinned
 * from MAIL to the transaction's end and not otherwise.
 * Memory: the session lives on its fiber's stack and in two arenas: session
 * 64 KiB, mail 256 KiB; both are empty while the client idles before MAIL.
 * Errors: told to the client and to the events; none are returned.
 * Source: RFC 5321; RFC 1870; RFC 2034; RFC 2920; RFC 6152; SECURITY.md part A.
 */
#ifndef NM_SMTP_SERVER_H
#define NM_SMTP_SERVER_H

#include "fiber/net.h"
#include "intake/intake.h"

enum server_role { SERVER_MX, SERVER_SUBMISSION };

struct server_listener {
	struct str name;		/* "mx:25", for events */
	enum server_role role;
};

struct server_counts {			/* of one core, since its start */
	uint64_t connections, refused;	/* refused: before the banner */
	uint64_t messages, commands;
	unsigned sessions;		/* now */
};

/* The SMTP server of one core; app/ makes one for each. */
struct server;
struct server *server_open(struct intake_core *);
void server_close(struct server *);	/* after its last session */
const struct server_counts *server_counts(const struct server *);

/* Speak with the client at `end', which is closed on return. */
yields void server_session(struct server *, const struct server_listener *,
    struct net_end *end, const struct address *client);

/* No new sessions or transactions: sessions say 421 4.3.2 at their next
 * command, and those that wait for one are woken to say it. */
void server_shut(struct server *);

#endif
