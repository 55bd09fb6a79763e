/*
 * sasl.h -- who are you, and how would I know?  The server's questions.
 *
 * The promise: struct sasl takes a client's messages, decoded, and says what to
 * do next: say something, have credentials checked, fetch a verifier, or that
 * it is over.  Nobody is SASL_DONE whose proof was not judged right in this
 * exchange; a certificate's name comes from the certificate, never from the wire;
 * who asks to be taken for somebody else than he proved to be is refused.
 * Not for: the wire's letters and replies (smtp/auth.c), knowing accounts
 * (policy/login.h), proving who we are to others (sasl_client.h).
 * Waiting: none: pure steps, which may happen minutes apart.
 * Memory: the caller's arena, until it is taken back; secrets in it are wiped
 * then.  Messages handed to sasl_take() must live as long: they are not copied.
 * Errors: SASL_BAD and SASL_REFUSED, with `why' for the log; SASL_FULL.
 * Source: RFC 4422; RFC 4616 (PLAIN); draft-murchison-sasl-login-00; RFC 5802 and
 * 7677 (SCRAM); RFC 5929 4, RFC 9266 (channel bindings); RFC 7628 (OAUTHBEARER);
 * Google's XOAUTH2 protocol.
 */
#ifndef NM_TRUST_SASL_H
#define NM_TRUST_SASL_H

#include "trust/scram.h"

#include "base/arena.h"

enum sasl_mechanism {
#define MECHANISM(id, name, proof, hash, more) SASL_##id,
#include "trust/sasl.def"
#undef MECHANISM
	SASL_MECHANISMS,
	SASL_UNKNOWN = SASL_MECHANISMS
};

#define SASL_BIT(id) (UINT32_C(1) << (id))

/* What shows who somebody is. */
enum sasl_proof {
	SASL_CERTIFICATE,	/* of the client's end of TLS, verified */
	SASL_PASSWORD,
	SASL_TOKEN,		/* a bearer token of OAuth */
	SASL_VERIFIER		/* a proof of the password, without it */
};

enum { SASL_NOTHING = 0, SASL_OPEN = 1, SASL_BOUND = 2, SASL_CLIENT = 4,
	SASL_SERVER = 8 };

enum { SASL_NAME_MOST = 255, SASL_PASSWORD_MOST = 1024,
	SASL_NONCE = 18 };	/* random octets */

struct sasl_traits {
	struct str name;
	enum sasl_proof proof;
	enum scram_hash hash;
	unsigned more;
};
const struct sasl_traits *sasl_traits(enum sasl_mechanism);
/* In any case; SASL_UNKNOWN. */
enum sasl_mechanism sasl_find(struct str name);

/* What ties an exchange to this connection and no other (RFC 5056).  In clear
 * text there is neither. */
struct sasl_binding {
	unsigned char exporter[32];	/* tls-exporter, RFC 9266 */
	bool has_exporter;
	unsigned char end_point[64];	/* tls-server-end-point, RFC 5929 4 */
	size_t end_point_n;
};

enum sasl_step {
	SASL_SAY,		/* say `out', empty or not; the reply is for
				 * sasl_take() */
	SASL_CHECK,		/* are `user' and `secret' right?  sasl_judge() */
	SASL_VERIFY,		/* `user's verifier is for sasl_verify() */
	SASL_DONE,		/* he is `user' */
	SASL_REFUSED,		/* he is not who he says, or may not be */
	SASL_BAD,		/* not the mechanism's grammar */
	SASL_FULL		/* the arena is */
};

struct sasl {
	enum sasl_mechanism mechanism;
	struct arena *arena;
	struct sasl_binding binding;
	bool offers_bound;		/* EHLO told of SCRAM-SHA-256-PLUS */
	struct str nonce;		/* our half */

	/* In SASL_CHECK, _VERIFY, _DONE: who, prepared (saslprep.h); n == 0 with
	 * a token or a certificate: whoever these name. */
	struct str user;
	struct str secret;		/* password as sent, or token */
	const char *why;		/* _BAD, _REFUSED */

	unsigned stage;			/* the mechanism's */
	struct {
		struct str header;	/* gs2-header */
		struct str first;	/* client-first-message-bare */
		struct str challenge;	/* server-first-message */
		struct str binding;	/* what c= must hold, in octets */
		struct str nonce;	/* both halves */
		const struct scram_verifier *verifiers;
		size_t n_verifiers;
		size_t proved;		/* which of them */
	} scram;
};

/* Letters for a nonce, from SASL_NONCE random octets; absent: no memory. */
struct str sasl_nonce(struct arena *, const unsigned char *octets);

/* nonce: printable, without commas; binding: NULL in clear text. */
void sasl_begin(struct sasl *, enum sasl_mechanism, struct arena *,
    const struct sasl_binding *, struct str nonce);

/* The client's next message; p == NULL: he sent no initial response.  `out': room
 * for a challenge, SASL_CHALLENGE_MOST octets. */
enum { SASL_CHALLENGE_MOST = 1024 };
enum sasl_step sasl_take(struct sasl *, struct str message, struct buf *out);

/* After SASL_CHECK: is he right?  `about' is told to who has a bad token: a JSON
 * object with status, scope and openid-configuration (RFC 7628 3.2.2), or
 * absent. */
enum sasl_step sasl_judge(struct sasl *, bool is_right, struct str about,
    struct buf *out);
/* After SASL_VERIFY: the verifiers, of which he may prove any, with one salt and
 * one number of rounds; true ones or a false one (scram_false()).  They live as
 * long as the arena. */
enum sasl_step sasl_verify(struct sasl *, const struct scram_verifier *,
    size_t n, struct buf *out);

/* He proved to know the secret of a verifier (scram.proved), whatever comes
 * next. */
bool sasl_is_proved(const struct sasl *);

#endif
