/*
 * jwt.h -- is this token signed by that issuer, for us, and not too old?
 *
 * The promise: jwt_check() says JWT_FINE only of a token in compact form whose
 * signature by RS256, PS256, ES256 or EdDSA (Ed25519) is right under one of the
 * issuer's public keys of that very kind, and whose issuer, audience, times,
 * type and scope are as the rules want.  What the token says of keys is not
 * looked at, but for their name.
 * Not for: encrypted tokens; tokens that only the issuer can read (oauth.h asks
 * it).
 * Waiting: none; a signature costs a core tens of microseconds.
 * Memory: keys are OpenSSL's, jwks_free(); what is told of a token is in the
 * arena.
 * Errors: jwks_read() is NULL with the trail; of a token `why' tells.
 * Source: RFC 7515; RFC 7517; RFC 7518; RFC 7519; RFC 8037; RFC 8725; RFC 9068.
 */
#ifndef NM_TRUST_JWT_H
#define NM_TRUST_JWT_H

#include "base/arena.h"
#include "base/instant.h"

enum { JWT_MOST = 9216, JWKS_MOST = 256 * 1024, JWKS_KEYS = 64,
	JWT_LEEWAY_S = 60 };

struct jwks;

/* Keys of other kinds and uses are let by; without any that can be used, NULL. */
struct jwks *jwks_read(struct str json);
void jwks_free(struct jwks *);

enum jwt_verdict {
	JWT_FINE,
	JWT_REFUSED,
	JWT_UNKNOWN_KEY,	/* the issuer may have newer ones */
	JWT_LACKS_SCOPE
};

struct jwt_rules {
	struct str issuer;		/* "iss", octet by octet */
	struct str audience;		/* is, or is among, "aud" */
	struct str scope;		/* words that must be there; or empty */
	struct str claim;		/* who it is: a string */
};

struct jwt_facts {
	struct str name;
	struct wall expires;
	const char *why;		/* not FINE: for the log */
};

enum jwt_verdict jwt_check(struct str token, const struct jwks *,
    const struct jwt_rules *, struct wall now, struct arena *,
    struct jwt_facts *out);

/* The signature alone: RFC 7515.  The payload's octets are in the arena. */
enum jwt_verdict jwt_signed(struct str token, const struct jwks *,
    struct arena *, struct str *payload, const char **why);

/* The same rules for a set of claims that came another way, by introspection:
 * those claims that are there must be right. */
enum jwt_verdict jwt_claims(struct str json, const struct jwt_rules *,
    bool is_whole, struct wall now, struct arena *, struct jwt_facts *out);

#endif
