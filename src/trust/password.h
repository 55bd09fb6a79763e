/*
 * password.h -- stored passwords: made, judged, compared.
 *
 * The promise: password_verify() says whether a password is the one behind a
 * stored text "{SCHEME}text", or "$6$..." without a scheme; the comparison takes
 * as long whatever differs.  New ones are argon2id, with salt and parameters in
 * the text.  password_check() refuses what is too weak to keep, what cannot be
 * read, and what would take a processor longer than seconds; what it took can be
 * verified.
 * Not for: passwords that we made ourselves out of 100 random bits: a plain hash
 * will do (password_digest()).  Verifiers of SCRAM: scram.h.
 * Waiting: none yields; password_verify() and password_make() compute for 2 to
 * 3,000 ms and take up to 256 MiB meanwhile: on a thread of their own, please.
 * Memory: the scratch arena, PASSWORD_SCRATCH at most; secrets in it are wiped
 * when it is cleared.  libargon2 and libcrypt take and wipe their own.
 * Errors: -1 and the trail, in words for who wrote the stored text.
 * Source: RFC 9106 (argon2); OWASP Password Storage (19 MiB, 2 passes); crypt(5);
 * RFC 8018 (PBKDF2); Dovecot, password schemes; SECURITY.md row 38.
 */
#ifndef NM_TRUST_PASSWORD_H
#define NM_TRUST_PASSWORD_H

#include "base/arena.h"
#include "base/buf.h"

enum {
	PASSWORD_MOST = 512,		/* octets of a password; longer ones fit
					 * nothing */
	PASSWORD_STORED_MOST = 512,	/* octets of a stored text */
	PASSWORD_TEXT = 128,		/* of what password_make() prints */
	PASSWORD_SCRATCH = 96 * 1024,
	PASSWORD_DIGEST = 32
};

/* Nobody's: "", "x", "*", "!", "!..." and "*..." */
bool password_is_none(struct str stored);

/* 0, or -1 when it may not stand there.  is_plain: it is the password itself. */
int password_check(struct str stored, bool *is_plain);

/* 1: it fits; 0: it does not; -1: not a stored text that password_check() takes,
 * or no memory. */
int password_verify(struct str stored, struct str password,
    struct arena *scratch);

/* At least PASSWORD_TEXT of room. */
int password_make(struct str password, struct buf *out);

/* What nobody's password fits, but takes as long as one of ours. */
extern const char password_dummy[];

/* SHA-256, for secrets that nobody can guess. */
void password_digest(struct str secret, unsigned char out[PASSWORD_DIGEST]);

#endif
