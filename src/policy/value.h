/*
 * value.h -- one value: from text to its type by the schema, and back.
 *
 * The promise: a value is stored only when it is of its type and in its range;
 * otherwise one problem says what is wrong, with examples.  Text that begins
 * with file:, env: or cred: is read from there where a text is expected.
 * Printing gives the same value back when it is read.
 * Not for: what several values mean together (finish.h).
 * Waiting: none.
 * Memory: what a value points to is in the reader's arena.
 * Errors: false, and a problem at the node's place.
 * Source: PRODUCT.md B.2.
 */
#ifndef NM_POLICY_VALUE_H
#define NM_POLICY_VALUE_H

#include "policy/schema.h"
#include "policy/yaml.h"

enum { VALUE_DURATIONS_MOST = 32 };

struct value_reader {
	struct arena *arena;		/* the configuration's */
	struct arena *scratch;		/* ends when it is loaded */
	struct problems *problems;
	struct conf_source *source;
};

/* base: the struct of the row's scope.  name: how people call the key. */
bool value_read(struct value_reader *, const struct schema *, struct str name,
    const struct node *, void *base, bool *is_secret);

/* Store the defaults of all rows of this scope.  Only for want of memory:
 * false. */
bool value_defaults(struct value_reader *, enum schema_scope, void *base);

/* A file that a value names, in the scratch arena. */
bool value_file(struct value_reader *, struct str path, struct place at,
    struct source_file *out);

/* As YAML in one line: 15m, [ 5m, 15m ], "text", none. */
void value_print(const struct schema *, const void *base, struct buf *out);

/* A text, quoted where YAML would take it for something else. */
void value_print_text(struct str, struct buf *out);

/* "1 to 64", "at most 16", or false when there is no range to tell. */
bool value_range_print(const struct schema *, struct buf *out);

/* Nothing was given: the empty text, the empty list, no relay. */
bool value_is_absent(const struct schema *, const void *base);

#endif
