/*
 * heap.h -- a binary heap in which every member knows its place.
 *
 * The promise: the member with the smallest key is on top; insert, remove from
 * anywhere and change of key cost log n.  Equal keys come in any order.
 * Not for: things that need order of insertion among equals.
 * Waiting: none.
 * Memory: one pointer per member, in an array that grows by half and shrinks
 * when three quarters are empty; heap_clear() frees it.
 * Errors: heap_insert() is -1 when memory is refused; nothing changed then.
 * Source: DESIGN.md section 4.
 */
#ifndef NM_BASE_HEAP_H
#define NM_BASE_HEAP_H

#include <stddef.h>
#include <stdint.h>

struct heap_node {
	int64_t key;
	size_t at;		/* 1-based place; 0: in no heap */
};

struct heap {
	struct heap_node **nodes;	/* from [1] */
	size_t n, cap;
};

void heap_clear(struct heap *);		/* members are left alone */
int heap_insert(struct heap *, struct heap_node *, int64_t key);
void heap_remove(struct heap *, struct heap_node *);	/* may be absent */
struct heap_node *heap_top(const struct heap *);	/* or NULL */

#endif
