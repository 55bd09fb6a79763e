/*
 * line.h -- one connection to another server, from finding it to its greeting.
 *
 * The promise: line_open() tries the hosts of a destination, best first, and
 * stops at the first that greets us as security.h demands; where clear text will
 * do and TLS does not work, the same host is asked once more without, and that
 * is told and remembered.  If none will have us, line->verdict says why.
 * Not for: what is sent over it (remote.c).
 * Waiting: line_open(), line_open_relay(), line_hang_up() yield.
 * Memory: a struct line is its fiber's, on the stack; the demand is in its
 * arena, made by its owner with LINE_MEMORY.
 * Errors: the verdict.
 * Source: RFC 5321 5.1; RFC 7504 3; RFC 3207 4; RFC 7435 3.
 */
#ifndef NM_DELIVER_LINE_H
#define NM_DELIVER_LINE_H

#include "deliver/connection.h"
#include "fiber/net.h"
#include "smtp/client.h"
#include "wire/disposition.h"

enum { LINE_MEMORY = 256 * 1024 };

/* How long a source that does not get to a site is left out there. */
#define LINE_SOURCE_REST_NS (60 * NS_PER_SECOND)

/* What the sender of a message wishes (RFC 8689). */
enum line_wish {
	LINE_AS_IT_IS,
	LINE_RELAXED,			/* TLS-Required: No */
	LINE_REQUIRED			/* REQUIRETLS */
};

/* What one connection is made of. */
struct line {
	struct connection *c;		/* NULL: for one recipient alone */
	struct deliver *d;
	const struct config *conf;	/* pinned while the line stands */
	const struct relay *hop;	/* the route's; NULL: MX */
	const struct relay *rule;	/* that hop, or the rule that says mx */
	const struct source_rule *source;	/* NULL: outbound.bind */
	struct str domain;		/* whose MX it is; n == 0: a relay's */
	struct client_patience patience;
	struct net_end *end;
	struct stream net;
	struct client client;
	struct arena arena;
	struct tls_demand demand;
	struct client_login login;
	enum line_wish wish;
	struct str key;			/* of the message that wishes; n == 0:
					 * c->ready.domain's */
	bool lacks_requiretls;		/* the host that was asked last */
	struct verdict verdict;		/* why there is no connection */
	bool is_untrusted;		/* ... and TLS was at fault */
	bool is_sourceless;		/* ... or the source: another may do */
	bool is_mute;			/* it stood, but took nothing for long:
					 * the verdict of all that wait */
	struct str remote;		/* the host that said so */
	struct str relay;		/* "mx.example[192.0.2.1]:25" */
	char relay_text[320], remote_text[256];
	struct address address;		/* of the host */
};

/* Where c->ready.domain leads now: a reload may have come since the queue asked.
 * False: not opened. */
yields bool line_open(struct line *);
yields bool line_open_relay(struct line *, const struct relay *);
/* What it showed of its host is remembered, and told: once greeted or refused,
 * and again when more was sent over it. */
void line_learn(struct line *);
/* QUIT, and close. */
yields void line_hang_up(struct line *);
/* is_sourceless: the operator hears of it, once in a while for all sites. */
void line_tell_source(struct line *);
/* Another server wants less of us, in these words. */
void line_tell_slowed(struct line *, struct str words);

/* How sites are asked for under this configuration. */
void site_policy_make(struct site_policy *, const struct config *,
    uint16_t port);

#endif
