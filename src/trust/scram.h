/*
 * scram.h -- what a server keeps instead of a password, and its arithmetic.
 *
 * The promise: scram_make() turns a password into a verifier by which its owner
 * can be known, and which alone lets nobody in; print and read return the same.
 * Verifiers that are read have at least 4,096 rounds (RFC 7677 4), those made for
 * our own accounts SCRAM_ROUNDS.  What the messages are is sasl.h's.
 * Not for: passwords that are sent (they want argon2).
 * Waiting: none; but scram_make() and scram_salt() take tens of milliseconds: on
 * a helper thread, please.
 * Memory: values.  They are secrets: OPENSSL_cleanse() them.
 * Errors: -1 and the trail; false for what is no verifier.
 * Source: RFC 5802 2.2, 3; RFC 7677; RFC 5803 (the form printed); RFC 8018 5.2.
 */
#ifndef NM_TRUST_SCRAM_H
#define NM_TRUST_SCRAM_H

#include "base/buf.h"

enum scram_hash { SCRAM_SHA_1, SCRAM_SHA_256 };

enum {
	SCRAM_KEY = 32,			/* octets of the longest key */
	SCRAM_SALT = 16,		/* of ours */
	SCRAM_SALT_MOST = 64,
	SCRAM_ROUNDS = 100000,		/* of ours */
	SCRAM_ROUNDS_LEAST = 4096,
	SCRAM_ROUNDS_MOST = 10000000,
	SCRAM_TEXT = 256		/* printed */
};

struct scram_key { unsigned char octets[SCRAM_KEY]; };

struct scram_verifier {
	enum scram_hash hash;
	uint32_t rounds;
	unsigned char salt[SCRAM_SALT_MOST];
	size_t salt_n;
	struct scram_key stored, server;
};

/* salt: 1 to SCRAM_SALT_MOST random octets.  The password is prepared
 * (saslprep.h); -1 when it cannot be. */
int scram_make(enum scram_hash, struct str password, struct str salt,
    uint32_t rounds, struct scram_verifier *out);

/* "SCRAM-SHA-256$100000:SALT$STORED:SERVER".  Dovecot's form is read too:
 * "{SCRAM-SHA-256}100000,SALT,STORED,SERVER". */
void scram_print(const struct scram_verifier *, struct buf *out);
bool scram_read(struct str, struct scram_verifier *out);

/* For a name that has none: the same each time for the same name and key, and
 * nothing proves it. */
void scram_false(const unsigned char key[32], struct str name,
    struct scram_verifier *out);

/* ---- arithmetic of both sides ---- */

size_t scram_key_size(enum scram_hash);
/* RFC 5802 3: SaltedPassword; the password is prepared already. */
int scram_salt(enum scram_hash, struct str prepared, struct str salt,
    uint32_t rounds, struct scram_key *salted);
/* HMAC(salted, "Client Key"), HMAC(salted, "Server Key") */
void scram_keys(enum scram_hash, const struct scram_key *salted,
    struct scram_key *client, struct scram_key *server);
void scram_digest(enum scram_hash, const struct scram_key *in,
    struct scram_key *out);			/* H() */
void scram_sign(enum scram_hash, const struct scram_key *, struct str text,
    struct scram_key *out);			/* HMAC() */

#endif
