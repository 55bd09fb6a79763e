/*
 * show.h -- the schema table and the configuration, told to people and tools.
 *
 * The promise: `config show', `config explain', the JSON Schema and the manual
 * page nightmail.yaml(5) are made from the same table that validates
 * (conf.def).  Secrets print as "‹secret›".
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
/* The differences of two configurations, one line for each key ("-", "+"). */
void show_diff(const struct config *from, const struct config *to,
    struct show_lines *);
/* Type, default, range, whether a reload changes it, and the paragraph. */
bool show_key(struct str key, struct show_lines *);
void show_json_schema(struct show_lines *);
void show_manual(struct show_lines *);		/* mdoc(7) */

#endif
