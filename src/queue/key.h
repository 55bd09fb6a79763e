/*
 * key.h -- what the name of a destination says.
 *
 * The promise: a destination is called by its domain ("b.example", or
 * "b.example!s.example" where the sender's domain matters), by one mailbox
 * ("ann@b.example"), or by the domain of aliases that give to commands and
 * directories ("|b.example"); key_is_for() and key_domain() tell the forms
 * apart.
 * Not for: making them (deliver/key.h).
 * Waiting: none.
 * Memory: slices of the key.
 * Errors: none.
 * Source: DESIGN.md section 4.
 */
#ifndef NM_QUEUE_KEY_H
#define NM_QUEUE_KEY_H

#include "base/str.h"

/* The recipients' domain. */
struct str key_domain(struct str key);

/* Is it for this mailbox?  by_alias: for what the alias of that name gives to a
 * command or a directory. */
bool key_is_for(struct str key, struct str mailbox, bool by_alias);

#endif
