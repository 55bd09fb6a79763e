/*
 * key.h -- what the queue calls a destination.
 *
 * The promise: recipients of one message with the same key travel together.
 * The key is the recipient's domain; only where a route rule asks for this
 * sender is "!" and the sender's domain added (nothing, for the null sender).
 * Which recipients belong to a key does not depend on the configuration, so that
 * a reload strands nobody; where the key leads is asked anew each time, as far
 * as the key knows the sender.
 * Not for: the far side's name (site.h).
 * Waiting: none.
 * Memory: keys in the arena given.
 * Errors: STR_NONE when the arena is full.
 * Source: DESIGN.md section 4.
 */
#ifndef NM_DELIVER_KEY_H
#define NM_DELIVER_KEY_H

#include "policy/route.h"

enum { KEY_MOST = 255 };

/* The domain of a mailbox as text: what follows its last '@'. */
struct str mailbox_domain(struct str mailbox);

struct str key_make(const struct config *, struct str sender, struct str rcpt,
    struct arena *);
/* Does a recipient belong to this key? */
bool key_has(struct str key, struct str rcpt);
/* Where it leads now. */
struct route key_route(const struct config *, struct str key, struct arena *);

#endif
