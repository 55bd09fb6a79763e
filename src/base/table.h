/*
 * table.h -- a hash table whose entries live in their owners.
 *
 * The promise: insert, find and remove cost the same for any size, each time:
 * the table grows by one bucket at a time and never stops to rehash; no owner
 * is moved.  Walking order is the same for the same history.
 * Not for: ordered walks.
 * Waiting: none; a walk must not cross a wait.
 * Memory: one pointer per bucket, at a load of one; room for them is doubled.
 * When few entries are left, each insert gives some buckets back: never a
 * removal, so that a walk may remove.
 * Errors: table_insert() is -1 when memory is refused for the first buckets;
 * later growth that is refused only makes chains longer.
 * Source: Litwin, "Linear hashing", 1980.
 */
#ifndef NM_BASE_TABLE_H
#define NM_BASE_TABLE_H

#include <stddef.h>
#include <stdint.h>


struct table_node {
	struct table_node *next;
	uint64_t hash;
};

struct table {
	struct table_node **buckets;
	size_t n, n_buckets, room;
};

void table_clear(struct table *);	/* entries are left alone */
int table_insert(struct table *, struct table_node *, uint64_t hash);
void table_remove(struct table *, struct table_node *);	/* must be in it */

/* The first entry with this hash, then the next with the same; or NULL.  The
 * caller compares keys. */
struct table_node *table_find(const struct table *, uint64_t hash);
struct table_node *table_again(const struct table_node *);

/* Walk: start with at = 0; NULL at the end.  Removing the returned entry is
 * allowed, inserting is not. */
struct table_walk { size_t bucket; struct table_node *next; };
struct table_node *table_walk(const struct table *, struct table_walk *);

#endif
