/*
 * dkim_published.h -- the public side of our DKIM keys.
 *
 * The promise: struct dkim_published is what may be known of a key that the
 * keyring holds: whose, in which state, and the record that belongs into the DNS
 * while it is next, active or retiring.  dkim_published_put() writes one as an
 * object of JSON, as the control socket's /v1/dkim does; dkim_published_read()
 * reads that back.
 * Not for: private keys.
 * Waiting: none.
 * Memory: what was read is in the arena.
 * Errors: -1 and the trail.
 * Source: RFC 6376 3.6.1; RFC 8463 4.
 */
#ifndef NM_TRUST_DKIM_PUBLISHED_H
#define NM_TRUST_DKIM_PUBLISHED_H

#include "base/instant.h"
#include "base/json.h"
#include "wire/dkim.h"

enum dkim_state {
	DKIM_NEXT,			/* to be published; does not sign yet */
	DKIM_ACTIVE,			/* its record was seen; it signs */
	DKIM_RETIRING,			/* signs no more; its record stays until all
					 * that it signed has arrived */
	DKIM_STATES
};
const char *dkim_state_name(enum dkim_state);		/* "next" */

/* What the DNS said of its record when we last asked. */
enum dkim_seen { DKIM_UNASKED, DKIM_SEEN, DKIM_MISSING, DKIM_OTHER,
	DKIM_UNKNOWN, DKIM_SEENS };

struct dkim_published {
	struct str domain, selector;	/* A-labels, lower case */
	enum dkim_algorithm algorithm;
	unsigned bits;
	enum dkim_state state;
	struct wall made, since;	/* since: it has this state */
	struct str name;		/* SELECTOR._domainkey.DOMAIN */
	struct str text;		/* "v=DKIM1; k=rsa; p=..." */
	enum dkim_seen seen;
	struct wall asked;		/* us == 0: never */
};

enum { DKIM_PUBLISHED_MOST = 1024 };	/* octets of `text' */

/* The record of a public key: of RSA its SubjectPublicKeyInfo, of Ed25519 the 32
 * octets (RFC 8463 4.2). */
void dkim_record_put(struct buf *, enum dkim_algorithm, struct str key);

void dkim_published_put(struct json *, const struct dkim_published *);
/* text: {"keys": [...]}; *out has *n of them. */
int dkim_published_read(struct str text, struct arena *,
    struct dkim_published **out, size_t *n);

#endif
