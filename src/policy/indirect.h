/*
 * indirect.h -- values that stand somewhere else: file:, env:, cred:.
 *
 * The promise: a text that begins with one of the three becomes what stands
 * there, without white space around it, and is a secret by the last two; any
 * other text stays, but where a secret is wanted: that must stand elsewhere.  A
 * path that begins with cred: becomes that credential's path: what is in it is
 * read by who reads the path.
 * Not for: paths as they are.
 * Waiting: none of its own; the source may block.
 * Memory: the reader's scratch.
 * Errors: false, and a problem that says what is missing.
 * Source: PRODUCT.md B.2; systemd.exec(5), LoadCredential=.
 */
#ifndef NM_POLICY_INDIRECT_H
#define NM_POLICY_INDIRECT_H

#include "policy/value.h"

/* is_text: all three may stand in the place of the value. */
bool indirect_read(struct value_reader *, const struct schema *,
    const struct node *, bool is_text, struct str *text, bool *is_secret);

#endif
