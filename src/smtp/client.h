/*
 * client.h -- hand messages to another server over one connection.
 *
 * The promise: client_send() gives every recipient exactly one verdict, made of
 * the peer's own reply where there was one.  A recipient is DELIVERED only when
 * the peer answered 2xx to the end of the data, by LMTP for this very recipient;
 * a connection lost after the dot is DEFERRED (RFC 1047: he may get it twice,
 * never not at all).  Commands go in one packet when the peer offers PIPELINING.
 * Not for: finding the host, connecting, retrying (deliver/), or choosing whom
 * to send together.
 * Waiting: all but client_init() yield.  Each phase has the deadline of RFC
 * 5321 4.5.3.2, set here on the stream; the whole body must keep
 * CLIENT_RATE_LEAST octets a second.
 * Memory: struct client is the caller's and holds the peer's capabilities; no
 * reply is kept but the sanitised text in a verdict.  Verdicts, recipients and
 * what read() needs are the caller's for the length of the call.
 * Errors: all in verdicts.  After trouble client_is_usable() is false: close
 * the stream.
 * Source: RFC 5321 3.3, 4.2, 4.5.3.2; RFC 1870; RFC 2033; RFC 3207; RFC 4954; RFC 2034; RFC 2920;
 * RFC 3030; RFC 3461; RFC 6152; RFC 6531; RFC 9422; SECURITY.md rows 2, 49.
 */
#ifndef NM_SMTP_CLIENT_H
#define NM_SMTP_CLIENT_H

#include "base/notify.h"
#include "fiber/fiber.h"
#include "fiber/stream.h"
#include "policy/config.h"
#include "trust/tls_demand.h"
#include "wire/reply.h"

enum { CLIENT_RATE_LEAST = 500, CLIENT_BREACH_MOST = 120 };

/* How long each phase may take, in ns; phases.def says which is whose. */
struct client_patience {
	int64_t greeting;		/* the 220, and EHLO's reply */
	int64_t command;		/* MAIL, RCPT, RSET */
	int64_t data;			/* the 354 */
	int64_t block;			/* a full buffer of the body */
	int64_t end;			/* the reply to the dot */
	int64_t quit;
};
struct client_patience client_patience_of(const struct config *);

/* LMTP: LHLO, and each recipient has his own reply after the data. */
enum client_kind { CLIENT_SMTP, CLIENT_LMTP };

/* Who we are to a relay. */
struct client_login {
	struct str user, secret;	/* a password, or a token */
	bool is_token;
	struct conf_strings mechanisms;	/* that may be used; n == 0: any */
	struct str host;		/* whom we log in at */
	uint16_t port;
};

enum client_offer { OFFER_UNKNOWN, OFFER_NONE, OFFER_TLS };

struct client {
	struct stream *net;
	enum client_kind kind;
	const struct client_patience *patience;
	struct ehlo ehlo;		/* what the peer offered */
	uint32_t distrust;		/* CAPABILITY_BITs that are not believed:
					 * the caller's, from other connections */
	uint32_t lies;			/* and found out here: for the caller to
					 * remember */
	/* The caller's, between client_init() and client_greet(); NULL: clear
	 * text, and nothing is asked of it. */
	struct tls_context *tls;
	const struct tls_demand *demand;
	bool is_implicit;		/* TLS from the first octet */
	const struct client_login *login;	/* NULL: we are nobody there */
	struct tls_judgment security;	/* what came of the demand */
	enum client_offer offer;	/* of STARTTLS, in clear text */
	char breach[CLIENT_BREACH_MOST];	/* how it broke, without names;
					 * "": it did not */
	unsigned transactions;		/* begun on this connection */
	bool is_greeted;
	bool must_reset;		/* a transaction was left half-way */
	bool is_over;			/* no more commands on this connection */
};

/* What stands in the body. */
enum client_body {
	CLIENT_BODY_7BIT,
	CLIENT_BODY_8BIT,		/* octets above 127 */
	CLIENT_BODY_BINARY		/* any octets, lines or none (RFC 3030) */
};

struct client_recipient {
	struct str address;		/* a mailbox without <> */
	unsigned notify;		/* enum notify; 0: not given */
	struct str orcpt;		/* "rfc822;bob@a.example", decoded; p ==
					 * NULL: none */
};

/* One message to some of its recipients. */
struct client_message {
	struct str sender;		/* without <>; n == 0: the null sender */
	const struct client_recipient *recipients;
	size_t n;
	struct str envid;		/* decoded; n == 0: none */
	enum ret_kind ret;
	uint64_t size;			/* octets the body has */
	enum client_body body;
	bool is_utf8;			/* came by SMTPUTF8 */
	bool requires_tls;		/* said on to who offers REQUIRETLS: whether
					 * he may have it is the caller's to know */
	/* The next octets of the body (n is at least 4 KiB), canonical CRLF
	 * lines unless it is binary: how many, 0 at the end, negative when it
	 * cannot be read (then: DEFERRED for all, and the connection is dropped
	 * before the end). */
	yields int64_t (*read)(void *arg, char *to, size_t n);
	/* Read from its first octet again. */
	void (*rewind)(void *arg);
	void *arg;
};

/* The stream and the patience stay the caller's, longer than the client. */
void client_init(struct client *, struct stream *, enum client_kind,
    const struct client_patience *);

/* Hear the greeting, say EHLO (or HELO when that is not understood) or LHLO with
 * our name, begin TLS as client->demand wants it, and greet again; log in.
 * DELIVERED: ready to send. */
yields struct verdict client_greet(struct client *, struct str hostname);

/* One transaction; verdicts[i] is for recipients[i]; n is at least 1. */
yields void client_send(struct client *, const struct client_message *,
    struct verdict verdicts[]);

/* Were NOTIFY, ORCPT, RET and ENVID passed on?  If not, nobody beyond tells of
 * success.  (RFC 3461 5.2.2) */
bool client_passes_dsn(const struct client *);

/* Is the peer proven to be who he should be, and does he promise the same of
 * whom he passes mail to?  (RFC 8689 4.2.1) */
bool client_keeps_tls(const struct client *);

/* May another message go over this connection?  (RFC 9422 4.1 too) */
bool client_is_usable(const struct client *);

/* Say QUIT and hear the answer, briefly.  Harmless at any time. */
yields void client_quit(struct client *);

#endif
