/*
 * sasl_client.h -- proving to a smarthost who we are.
 *
 * The promise: the strongest mechanism of those offered is chosen that fits the
 * credentials; a secret itself is said inside TLS only, and a server that must
 * prove in turn to know us (SCRAM) and did not is not believed.
 * Not for: the wire's letters (smtp/), who may ask us for a login (trust/sasl.h).
 * Waiting: none; sasl_client_hash() takes as long as the server's number of
 * rounds wants: on a helper thread, please.
 * Memory: the caller's arena; secrets in it are wiped when it is taken back.  The
 * challenges, user and secret live as long: they are not copied.
 * Errors: SASL_BAD with `why': cancel ("*"), and do not believe a 235.
 * Source: RFC 4954 4; RFC 4616; RFC 5802; RFC 7677; RFC 7628; RFC 9266.
 */
#ifndef NM_TRUST_SASL_CLIENT_H
#define NM_TRUST_SASL_CLIENT_H

#include "trust/sasl.h"

enum sasl_client_step {
	SASL_CLIENT_SAY,	/* say `out', empty or not */
	SASL_CLIENT_WAIT,	/* no initial response: hear a challenge first */
	SASL_CLIENT_HASH,	/* sasl_client_hash(), then sasl_client_proof() */
	SASL_CLIENT_BAD
};

struct sasl_credentials {
	struct str user;
	struct str secret;		/* password, or token */
	bool is_token;
	struct str host;		/* OAUTHBEARER tells them; or absent */
	uint16_t port;
};

/* What EHLO's reply offers, as SASL_BITs, and whether any of it binds to the
 * connection, were it by a hash that we do not know. */
#define SASL_SOME_BOUND (UINT32_C(1) << 31)
uint32_t sasl_offered(struct str words);

/* binding: NULL in clear text.  SASL_UNKNOWN: nothing that is offered fits. */
enum sasl_mechanism sasl_choose(uint32_t offered,
    const struct sasl_credentials *, const struct sasl_binding *);

struct sasl_client {
	enum sasl_mechanism mechanism;
	struct arena *arena;
	const struct sasl_credentials *credentials;
	const struct sasl_binding *binding;
	uint32_t offered;
	struct str nonce;		/* our half: sasl_nonce() */
	unsigned stage;
	struct str user, secret;	/* prepared (saslprep.h) */
	struct str error;		/* what a token's judge said, or absent */
	const char *why;
	struct {
		struct str header;	/* gs2-header */
		struct str first, challenge, final, nonce, salt;
		uint32_t rounds;
		struct scram_key client, server;
	} scram;
};

/* Begin with mechanism, arena, credentials, binding, offered and nonce
 * set, and nothing else.  out: the initial response; it needs SASL_CLIENT_MOST
 * octets, and room for the token. */
enum { SASL_CLIENT_MOST = 2048 };
enum sasl_client_step sasl_client_begin(struct sasl_client *, struct buf *out);
enum sasl_client_step sasl_client_take(struct sasl_client *,
    struct str challenge, struct buf *out);
int sasl_client_hash(struct sasl_client *);
enum sasl_client_step sasl_client_proof(struct sasl_client *, struct buf *out);

/* The server said 235: is there nothing it still owes us? */
bool sasl_client_is_done(const struct sasl_client *);

#endif
