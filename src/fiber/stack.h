/*
 * stack.h -- memory for fibers to stand on, recycled.
 *
 * The promise: stack_take() gives STACK_SIZE bytes whose lowest page faults;
 * stack_give() keeps some for the next; stack_measure() tells how deep a stack
 * has been used by whoever had it.
 * Not for: anyone but fiber.c.
 * Waiting: none.
 * Memory: mappings of their own: STACK_SIZE and a guard page, of which only
 * touched pages are there.  At most STACKS_KEPT idle ones per core.
 * Errors: stack_take() is NULL when the system refuses memory or mappings.
 * Source: DESIGN.md section 3.
 */
#ifndef NM_FIBER_STACK_H
#define NM_FIBER_STACK_H

#include <stddef.h>

#ifndef __has_feature
#define __has_feature(x) 0
#endif
#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer) || \
    defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define STACK_KIB 256			/* their frames are larger */
#else
#define STACK_KIB 64
#endif

enum { STACK_PAGE = 4096, STACK_SIZE = STACK_KIB * 1024, STACKS_KEPT = 1024 };

/* At the highest address of the memory it describes. */
struct stack {
	struct stack *next;		/* while kept */
	char *bottom;			/* lowest usable byte */
	size_t deep;			/* most bytes seen in use */
};

struct stack_pool {
	struct stack *first;
	size_t n;
};

struct stack *stack_take(struct stack_pool *);
void stack_give(struct stack_pool *, struct stack *);
void stack_pool_clear(struct stack_pool *);

/* Bytes between the deepest trace of use and the top. */
size_t stack_measure(struct stack *);
/* Give the pages that lie whole below sp back to the system. */
void stack_trim(struct stack *, const void *sp);

#endif
