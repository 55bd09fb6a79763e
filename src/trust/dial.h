/*
 * dial.h -- a connection to a server that the configuration names.
 *
 * The promise: dial() tries the target's addresses in turn, IPv6 first, each
 * for its share of the time that is left; names are asked of our own DNS, and
 * "localhost" is this machine without a question (RFC 6761 6.3).
 * dial_secure() is 0 only when the server showed a certificate for that very
 * name, from an issuer among the context's anchors.
 * Not for: mail's way to other servers (deliver/).
 * Waiting: both yield, to the deadline.
 * Memory: a struct dial_target's text is its owner's.
 * Errors: NULL or -1, and the trail.
 * Source: RFC 6125 6.4; RFC 2818 3.1 (addresses in certificates); RFC 6761 6.3.
 */
#ifndef NM_TRUST_DIAL_H
#define NM_TRUST_DIAL_H

#include "fiber/tls.h"

enum { DIAL_ADDRESSES = 8 };

struct dial_target {
	struct str path;		/* of a Unix socket; n == 0: by host */
	struct str host;		/* a name, or an address without [] */
	uint16_t port;
};

/* "/path", "unix:/path", "host:port", "[2001:db8::1]:port", and "host" where
 * there is a port by default (else 0). */
bool dial_parse(struct str, uint16_t port, struct dial_target *out);

yields struct net_end *dial(const struct dial_target *, struct mono deadline);
yields int dial_secure(struct stream *, struct tls_context *, struct str host);

/* Is it a socket of this machine, or a loopback address? */
bool dial_is_local(const struct dial_target *);

/* The certificates in a PEM file as what a client trusts; NULL and the trail
 * when there is none in it, or one is malformed. */
X509_STORE *dial_anchors(struct str pem);

#endif
