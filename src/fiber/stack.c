#include "fiber/stack.h"

#include "base/must.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/mman.h>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102		/* Linux 6.13: no mapping of its own */
#endif

enum { STACK_RED_ZONE = 128, STACK_GAP = 2 * STACK_PAGE };

static char *
stack_base(const struct stack *s)
{
	return s->bottom - STACK_PAGE;
}

static char *
stack_top(const struct stack *s)
{
	return s->bottom + STACK_SIZE;
}

static struct stack *
stack_map(void)
{
	char *base;
	struct stack *s;

	base = mmap(NULL, STACK_PAGE + STACK_SIZE, PROT_READ | PROT_WRITE,
	    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
	if (base == MAP_FAILED)
		return NULL;
	if (madvise(base, STACK_PAGE, MADV_GUARD_INSTALL) != 0 &&
	    mprotect(base, STACK_PAGE, PROT_NONE) != 0) {
		(void)munmap(base, STACK_PAGE + STACK_SIZE);
		return NULL;
	}
	/* A huge page would hold twenty strangers' stacks in memory. */
	(void)madvise(base, STACK_PAGE + STACK_SIZE, MADV_NOHUGEPAGE);
	s = (struct stack *)(void *)(base + STACK_PAGE + STACK_SIZE) - 1;
	s->bottom = base + STACK_PAGE;
	must(stack_top(s) == (char *)(s + 1));
	return s;
}

struct stack *
stack_take(struct stack_pool *pool)
{
	struct stack *s = pool->first;

	if (s == NULL)
		return stack_map();
	must(pool->n > 0);
	pool->first = s->next;
	pool->n--;
	s->next = NULL;
	return s;
}

static void
stack_unmap(struct stack *s)
{
	int rc = munmap(stack_base(s), STACK_PAGE + STACK_SIZE);

	must(rc == 0);
}

void
stack_give(struct stack_pool *pool, struct stack *s)
{
	must(pool->n <= STACKS_KEPT && s->bottom != NULL);
	must(s->next == NULL);
	if (pool->n == STACKS_KEPT) {
		stack_unmap(s);
		return;
	}
	s->next = pool->first;
	pool->first = s;
	pool->n++;
}

void
stack_pool_clear(struct stack_pool *pool)
{
	struct stack *s;

	while ((s = pool->first) != NULL) {
		pool->first = s->next;
		pool->n--;
		stack_unmap(s);
	}
	must(pool->n == 0);
}

/* One cache line. */
__attribute__((no_sanitize("address", "thread")))
static bool
stack_is_blank(const uint64_t *p)
{
	return (p[0] | p[1] | p[2] | p[3] | p[4] | p[5] | p[6] | p[7]) == 0;
}

/*
 * Whoever goes down a stack leaves something in each page; so two pages of
 * zeros below what is known mean that nobody went further.  Reading all of it
 * would bring in pages that nobody ever needed.
 */
__attribute__((no_sanitize("address", "thread")))
size_t
stack_measure(struct stack *s)
{
	char *top = stack_top(s);
	size_t deepest = s->deep, at = deepest;

	must(s->deep <= STACK_SIZE);
	while (at + 64 <= (size_t)(top - s->bottom) && at - deepest < STACK_GAP) {
		at += 64;
		if (!stack_is_blank((const uint64_t *)(void *)(top - at)))
			deepest = at;
	}
	s->deep = deepest;
	return deepest;
}

void
stack_trim(struct stack *s, const void *sp)
{
	uintptr_t from = (uintptr_t)s->bottom;
	uintptr_t to = ((uintptr_t)sp - STACK_RED_ZONE) &
	    ~(uintptr_t)(STACK_PAGE - 1);

	must((uintptr_t)sp > from && (uintptr_t)sp <= (uintptr_t)s);
	if (to > from)
		(void)madvise(s->bottom, to - from, MADV_DONTNEED);
}
