/*
 * keyring_link.h -- a core's line to the keyring.
 *
 * The promise: a fiber that asks parks until the reply is there, many at a time;
 * who asks longer than KEYRING_PATIENCE, or a keyring that is gone, is an error
 * of that question alone: what was said is said whole, whenever the keyring reads
 * again.  A line that is gone while somebody has it, or by which nothing was
 * answered for KEYRING_HANGS, is told.  A link is a tls_signer, too.
 * Not for: the keys (keyring.h).
 * Waiting: keyring_link_ask() and the signer's sign() yield.
 * Memory: counted: whoever made a key of it keeps it, the fibers that listen
 * and tell, too.  What is not sent yet: less than half a mebibyte.
 * Errors: -1 and the trail, which is the keyring's own words.
 * Source: DESIGN.md section 7.
 */
#ifndef NM_APP_KEYRING_LINK_H
#define NM_APP_KEYRING_LINK_H

#include "app/keyring_wire.h"
#include "fiber/net.h"
#include "fiber/tls_key.h"

enum { KEYRING_PATIENCE = 10, KEYRING_HANGS = 60 };	/* seconds */

struct keyring_link;

/* On its core, once or a second time when it hung first: another is needed. */
typedef void keyring_lost(void *arg, bool hangs);

/* Takes the end.  NULL and the trail when memory is refused. */
struct keyring_link *keyring_link_open(struct net_end *, keyring_lost *,
    void *arg);
struct tls_signer *keyring_link_signer(struct keyring_link *);
/* The reply's body is appended to out. */
yields int keyring_link_ask(struct keyring_link *, enum keyring_op,
    uint64_t key, const struct str *fields, size_t n, struct buf *out);
struct keyring_link *keyring_link_keep(struct keyring_link *);
void keyring_link_drop(struct keyring_link *);

#endif
