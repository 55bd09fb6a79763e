/*
 * oauth.h -- does the issuer vouch for whoever bears this token?
 *
 * The promise: a token is either checked here against the issuer's public keys
 * (jwt.h), which are fetched when they are first needed, again after an hour, and
 * when a token names a key that is not among them, at most twice a minute; or the
 * issuer is asked about each token (RFC 7662).  What was found good is remembered
 * until the token expires, and at most as long as the setup says.
 * Not for: getting tokens.
 * Waiting: oauth_check() yields, to its deadline; of those who need keys one
 * fetches and the others wait for him.
 * Memory: its own; answers are in the asker's arena.
 * Errors: DIRECTORY_LATER with the trail.
 * Source: RFC 6749; RFC 6750; RFC 7517; RFC 7519; RFC 7628 3.2.2; RFC 7662;
 * RFC 8414; OpenID Connect Discovery 1.0 4; RFC 8725.
 */
#ifndef NM_TRUST_OAUTH_H
#define NM_TRUST_OAUTH_H

#include "base/buf.h"
#include "fiber/fiber.h"
#include "trust/directory.h"
#include "trust/jwt.h"

struct oauth;

/* All of it stays the caller's, for as long as the client lives. */
struct oauth_setup {
	struct jwt_rules rules;
	struct str jwks;		/* URL; n == 0: the issuer tells */
	struct str introspect;		/* URL; n == 0: tokens are JWTs */
	struct str client_id, client_secret;
	struct str anchors;		/* PEM; p == NULL: the system's */
	int64_t timeout, cache;		/* ns; cache 0: none */
	void (*tell)(void *arg, struct str name, struct str why);
	void *arg;
};

struct oauth *oauth_new(const struct oauth_setup *);
void oauth_close(struct oauth *);	/* nobody is asking */
const struct directory_health *oauth_health(const struct oauth *);

/* user: who the bearer says he is; n == 0: not said. */
yields enum directory_says oauth_check(struct oauth *, struct str user,
    struct str token, struct mono deadline, struct arena *,
    struct directory_person *);

/* What who bore a bad token is told (RFC 7628 3.2.2): status, scope, where the
 * issuer tells about itself. */
void oauth_about(const struct oauth_setup *, bool lacks_scope,
    struct buf *out);

/* How person.why says that only the scope is missing. */
extern const char oauth_lacks_scope[];

#endif
