/*
 * value_kind.h -- how one text of each type is read, and printed again.
 *
 * The promise: value_kinds has a row for each type of the schema; what a row's
 * print() writes its read() takes, and gives the same.
 * Not for: lists, ranges, defaults, problems (value.h), which use these rows.
 * Waiting: none.
 * Memory: what a value points to is in the reader's arena.
 * Errors: read() is false; the caller tells why.
 * Source: PRODUCT.md B.2.
 */
#ifndef NM_POLICY_VALUE_KIND_H
#define NM_POLICY_VALUE_KIND_H

#include "policy/value.h"

struct value_kind {
	/* One text into *to.  NULL: the type is read elsewhere. */
	bool (*read)(struct value_reader *, const struct schema *, struct str,
	    void *to);
	void (*print)(const struct schema *, const void *, struct buf *);
	size_t size;			/* of one value */
	bool is_list;
	bool is_text;			/* file:, env: and cred: are followed */
};

extern const struct value_kind value_kinds[SCHEMA_TYPES];

/* The print() of texts. */
void value_put_text(const struct schema *, const void *from, struct buf *out);

#endif
