/*
 * key.h -- what the queue calls a destination.
 *
 * The promise: recipients of one message with the same key travel together, and
 * each recipient belongs to one key of those that were made for his message.
 * The key is the recipient's domain; only where a route rule asks for this
 * sender is "!" and the sender's domain added (nothing, for the null sender).
 * Where users of a domain are delivered in several ways each has a key of his
 * own, his mailbox; what an alias gives to commands and directories is "|" and
 * the alias's domain.  Which recipients belong to a key does not depend on the
 * configuration, so that a reload strands nobody; where the key leads is asked
 * anew each time, as far as the key knows the sender.
 * Not for: the far side's name (site.h).
 * Waiting: none.
 * Memory: keys in the arena given.
 * Errors: STR_NONE when the arena is full.
 * Source: DESIGN.md section 4.
 */
#ifndef NM_DELIVER_KEY_H
#define NM_DELIVER_KEY_H

#include "policy/route.h"
#include "spool/envelope.h"

enum { KEY_MOST = 255 };

struct str key_make(const struct config *, struct str sender,
    const struct recipient *, struct arena *);
/* Does a recipient belong to this key? */
bool key_has(struct str key, const struct recipient *);
/* Where it leads now, or most of it: what is put here goes by each recipient's
 * own route. */
struct route key_route(const struct config *, struct str key, struct arena *);
/* Of a route that ends here: does it need one of deliver.pipes? */
bool key_has_commands(struct str key, const struct route *);

#endif
