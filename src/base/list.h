/*
 * list.h -- a doubly linked list whose links live in its members.
 *
 * The promise: adding, removing and asking whether a link is in a list cost the
 * same for any length; a link removed twice does no harm.
 * Not for: what is looked up by key (table.h) or by order (heap.h).
 * Waiting: none; but a list may change under whoever waits while walking it.
 * Memory: none; the links are the members' own.
 * Errors: none; misuse fails a must().
 * Source: HOUSE.md 7.7 (intrusive list).
 */
#ifndef NM_BASE_LIST_H
#define NM_BASE_LIST_H

#include <stdbool.h>
#include <stddef.h>

struct link {
	struct link *prev, *next;	/* both NULL: in no list */
};

struct list {
	struct link head;		/* a ring through the head */
};

/* The struct of type whose member is the link l. */
#define OWNER_OF(l, type, member) \
	((type *)(void *)((char *)(l) - offsetof(type, member)))

void list_init(struct list *);
bool list_is_empty(const struct list *);
bool link_is_in(const struct link *);
void list_push(struct list *, struct link *);		/* at the front */
void list_append(struct list *, struct link *);		/* at the end */
void list_remove(struct link *);			/* from whichever */
struct link *list_first(const struct list *);		/* or NULL */
struct link *list_next(const struct list *, const struct link *);
struct link *list_pop(struct list *);			/* first, removed */
/* All of `from' goes to the end of `to', in order, in one step. */
void list_take_all(struct list *to, struct list *from);

#endif
