/*
 * keyring_link.h -- a core's line to the keyring.
 *
 * The promise: a fiber that asks parks until the reply is there, many at a time;
 * who asks longer than KEYRING_PATIENCE, or a keyring that is gone, is an error
 * of that question alone.  A link is a tls_signer, too.
 * Not for: the keys (keyring.h).
 * Waiting: keyring_link_ask() and the signer's sign() yield.
 * Memory: counted: whoever made a key of it keeps it, the fiber that listens
 * too.
 * Errors: -1 and the trail, which is the keyring's own words.
 * Source: DESIGN.md section 7.
 */
#ifndef NM_APP_KEYRING_LINK_H
#define NM_APP_KEYRING_LINK_H

#include "app/keyring_wire.h"
#include "fiber/tls_key.h"

enum { KEYRING_PATIENCE = 10 };		/* seconds */

struct keyring_link;

/* Takes the descriptor.  NULL and the trail when that cannot be had. */
struct keyring_link *keyring_link_open(int fd);
struct tls_signer *keyring_link_signer(struct keyring_link *);
/* The reply's body is appended to out. */
yields int keyring_link_ask(struct keyring_link *, enum keyring_op,
    uint64_t key, const struct str *fields, size_t n, struct buf *out);
struct keyring_link *keyring_link_keep(struct keyring_link *);
void keyring_link_drop(struct keyring_link *);

#endif
