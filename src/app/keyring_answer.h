/*
 * keyring_answer.h -- what the keyring does when it is asked.
 *
 * The promise: a key signs what its purpose allows (keyring_purpose.def) and
 * nothing else: for handshakes of TLS what has their form to the octet; for ACME
 * a header that is written here, so that it is a JWS and no other thing; in
 * requests for certificates names that are asked for; for DKIM, see
 * keyring_dkim.h.  Nothing that is answered
 * holds a private key.  What must outlast this process is in the store before
 * the reply.
 * Not for: who asks (keyring.c).
 * Waiting: blocks on the store's disk.
 * Memory: keys, for the life of the process; at most KEYRING_PROOFS proofs, the
 * oldest goes first.
 * Errors: a reply of status 1 whose body is the trail.
 * Source: DESIGN.md section 7; RFC 8446 4.4.3; RFC 8422 5.4; RFC 5246 7.4.3;
 * RFC 8555 6.2, 7.3.5, 7.4; RFC 8737 3.
 */
#ifndef NM_APP_KEYRING_ANSWER_H
#define NM_APP_KEYRING_ANSWER_H

#include "app/keyring_dkim.h"
#include "app/keyring_store.h"
#include "app/keyring_wire.h"
#include "policy/config.h"
#include "trust/certificate.h"

enum { KEYRING_PROOFS = 128 };

enum keyring_purpose {
#define PURPOSE(name, op, says) PURPOSE_##name,
#include "app/keyring_purpose.def"
#undef PURPOSE
	KEYRING_PURPOSES
};

struct keyring_held {
	uint64_t id;
	EVP_PKEY *key;			/* NULL: an empty place */
	enum keyring_purpose purpose;
	struct certificate cert;	/* that is shown; leaf NULL: none */
	enum keyring_source source;
	struct str file;		/* where it came from */
};

struct keyring {
	struct keyring_held *held;	/* shown ones, then those below */
	size_t n_shown, n;
	size_t next_proof;
	struct keyring_store store;
	struct keyring_dkim dkim;
};

/* With master's rights: what the configuration names, what the store has, or
 * else what it makes itself.  The store is open. */
int keyring_read(struct keyring *, const struct config *);

/* Those that are shown: fields source, file, PEM; again and again. */
int keyring_tell_shown(const struct keyring *, int fd);

/* The reply's body in *out, its head in *r. */
void keyring_answer(struct keyring *, const struct keyring_frame *q,
    struct str body, struct keyring_frame *r, struct buf *out);

extern const char *const keyring_kind_names[KEYRING_KINDS];

#endif
