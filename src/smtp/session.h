/*
 * session.h -- one conversation's memory, and its voice.
 *
 * The promise: whatever a session says leaves through session_put(): one
 * encoder, one count of errors, and 421 always ends the conversation.  A
 * transaction ends in txn_reset() and nowhere else, and wholly.
 * Not for: anybody but server.c and its tests.
 * Waiting: what puts a reply yields.
 * Memory: struct session is on its fiber's stack; the arena holds what HELO
 * told, the transaction's arena all of the transaction.
 * Errors: trouble with the client sticks to the stream.
 * Source: RFC 5321 3.8, 4.2; SECURITY.md rows 4, 17, 24.
 */
#ifndef NM_SMTP_SESSION_H
#define NM_SMTP_SESSION_H

#include "fiber/stream.h"
#include "smtp/door.h"
#include "smtp/knock.h"
#include "smtp/toll.h"
#include "trust/client_cert.h"
#include "wire/command.h"
#include "wire/data.h"

/* A step of a verb that has its own frame, and not its caller's: who waits for a
 * slow client in between holds less stack, so that one page is enough. */
#define STEP __attribute__((noinline))

enum session_state {
	SESSION_START, SESSION_READY, SESSION_MAIL, SESSION_RCPT, SESSION_BDAT,
	SESSION_STATES
};

enum session_reply {
	REPLY_GO,			/* no reply: the verb's function decides */
#define REPLY(name, code, class, subject, detail, reason, text) REPLY_##name,
#include "smtp/replies.def"
#undef REPLY
	SESSION_REPLIES
};

enum { SESSION_TOLD = 255,		/* octets of what XCLIENT tells */
	SESSION_NAMES = 512,		/* of his certificate */
	SESSION_SUITE = 64 };		/* of a cipher suite's name */

/* All of a mail transaction.  It has no life outside txn_reset(). */
struct txn {
	struct arena arena;
	struct config *config;		/* pinned; NULL: no transaction */
	struct intake *intake;
	struct str sender;
	struct account *account;	/* s->account, settled; or NULL */
	struct toll toll;
	size_t n_rcpts;			/* accepted */
	enum body_kind body;
	bool is_utf8;			/* MAIL said SMTPUTF8 */
	struct data_reader chunks;	/* of BDAT */
	uint64_t n_chunks, octets;	/* of BDAT */
	bool is_refused;		/* intake_commit() will say why */
	struct mono began;
};

/* What a client showed when TLS began, good at that moment. */
struct session_certificate {
	char fingerprint[CLIENT_CERT_FINGERPRINT];
	struct str names;		/* when it leads to an authority, by line
					 * feeds; n == 0: it does not */
	char room[SESSION_NAMES];
};

struct session {
	struct server *server;
	const struct server_listener *listener;
	struct stream net;
	struct guest guest;
	struct waiter waiter;
	struct address peer;		/* who connected, whatever XCLIENT told */
	struct address_text client;	/* address, or "uid:1000" */
	struct str client_name;		/* told by XCLIENT, or found out; n == 0:
					 * not known */
	struct str user;		/* who he is known to be; n == 0: nobody */
	struct arena told;		/* rooms for names, which few need */
	char *told_name, *told_user;	/* of SESSION_TOLD octets; NULL: none */
	struct account *account;	/* who logged in, as his source told;
					 * NULL: nobody */
	const char *mechanism;		/* by which */
	struct knock knock;
	struct arena shown;		/* of his certificate */
	const struct session_certificate *certificate;	/* NULL: he has none */
	struct str tls;			/* cipher suite; n == 0: clear text */
	char tls_room[SESSION_SUITE];
	struct mono began;

	/* What the client told since the conversation began; a conversation
	 * that begins again (after STARTTLS) forgets all of it. */
	struct arena arena;
	enum session_state state;
	struct str helo;
	bool is_extended;		/* EHLO */
	struct txn txn;

	uint64_t errors, junk;		/* since the last message */
	uint64_t commands, messages;
	uint64_t counted;		/* octets, in server->memory */
	short code;			/* of the last reply */
	const char *stage;		/* the last verb, for events */
	bool is_heard;			/* something was read */
	bool took_data;			/* by the last command */
	bool is_over;
};

/* The transaction's pinned configuration, or the current one: not to be held
 * across a wait in the second case. */
const struct config *session_config(const struct session *);
struct judge_client session_facts(const struct session *);
struct str session_protocol(const struct session *);	/* RFC 3848, 6531 */

/* Octets that stay until the session ends; *room is taken once.  False: no
 * memory. */
bool session_room(struct session *, size_t n, char **room);

/* His name was found out; copied, for as long as he is the client.  Without
 * memory he stays nameless. */
void session_name_client(struct session *, struct str name);

/* What the arenas hold counts against limits.memory. */
void session_weigh(struct session *);

/* The conversation begins again, and what the client told is forgotten (RFC 3207
 * 4.2), and who he proved to be. */
void session_forget(struct session *);
/* Could he have begun TLS, and did not?  Of those outside trusted. */
bool session_is_clear(const struct session *);
/* Must he begin TLS, or show a certificate, before that? */
bool session_lacks_tls(const struct session *, enum verb);
bool session_lacks_certificate(const struct session *, enum verb);
/* The account whose very certificate he showed; NULL: none's. */
const struct account_rule *session_certified(const struct session *);

/* The one end of a transaction, good or bad (SECURITY.md row 17): recipients,
 * envelope and draft die with the arena, the configuration is let go. */
void txn_reset(struct session *);

/* No line came, and it was not too long: he is late, or gone. */
yields void session_lost(struct session *);

/* The banner: a conversation begins, or begins again. */
yields void session_greet(struct session *);
yields void session_put(struct session *, short code, struct esc, struct str);
yields void session_say(struct session *, enum session_reply);
yields void session_say_verdict(struct session *, const struct verdict *);
yields void session_say_refusal(struct session *, const struct refusal *);
struct verdict session_verdict(enum session_reply);
struct verdict session_verdict_of(const struct refusal *);

/* Say it, and tell that an envelope, or somebody at the door, was refused. */
yields void session_refuse(struct session *, const char *stage, struct str rcpt,
    const struct verdict *);
/* The conversation breaks off: "gone", "late", "errors", "pipelining". */
void session_tell_broken(const struct session *, const char *reason);
/* How an attempt to log in ended.  The user is cleaned by whoever prints it. */
struct session_login {
	enum { LOGIN_WAS_GOOD, LOGIN_WAS_BAD, LOGIN_WAS_UNJUDGED } end;
	struct str user;
	const char *mechanism;
	const char *why;		/* unless it was good */
	int64_t waited_ns;
};
void session_tell_login(const struct session *, const struct session_login *);
void session_tell_connected(const struct session *);
void session_tell_disconnected(const struct session *);

#endif
