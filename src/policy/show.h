/*
 * show.h -- the configuration and its keys, told to people.
 *
 * The promise: what is shown is what holds: every value, the defaults too, each
 * with the place it was set.  show_config() is itself a configuration that
 * loads to the same values.  What came by cred: or env: prints as "‹secret›".
 * Not for: hot paths.
 * Waiting: none.
 * Memory: lines go to the caller one by one, without newline.
 * Errors: false when there is no such key.
 * Source: PRODUCT.md B.2, "one C table, five outputs".
 */
#ifndef NM_POLICY_SHOW_H
#define NM_POLICY_SHOW_H

#include "policy/config.h"

struct show_lines {
	void (*line)(struct show_lines *, struct str);
};

/* Every effective value as YAML, with "# file:line" or "# default" behind. */
void show_config(const struct config *, struct show_lines *);

/* What a reload from one to the other changes, a line for each value: "- path:
 * old", "+ path: new"; "! path" in front of what only a restart changes. */
void show_diff(const struct config *from, const struct config *to,
    struct show_lines *);

/* Type, default, range, whether a reload changes it, and the paragraph.  The
 * key as people write it: limits.size, listen.port, domains.example.org.users.
 */
bool show_key(struct str key, struct show_lines *);

#endif
