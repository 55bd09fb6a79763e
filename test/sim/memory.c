#include "memory.h"

#include "fiber/world_sim.h"

#include <stdlib.h>

/* By the linker's --wrap: of whoever is linked statically, which is us. */
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void *__wrap_aligned_alloc(size_t, size_t);
void __wrap_free(void *);
void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__real_aligned_alloc(size_t, size_t);
void __real_free(void *);

static size_t live;
static uint64_t asked, refused, refused_from, refused_to;

size_t
memory_live(void)
{
	return live;
}

uint64_t
memory_asked(void)
{
	return asked;
}

uint64_t
memory_refused(void)
{
	return refused;
}

void
memory_refuse(uint64_t nth, uint64_t times)
{
	refused_from = nth == 0 ? 0 : asked + nth;
	refused_to = refused_from + times;
}

static bool
is_refused(void)
{
	asked++;
	if (sim_is_at_work || refused_from == 0 || asked < refused_from ||
	    asked >= refused_to)
		return false;
	refused++;
	return true;
}

void *
__wrap_malloc(size_t n)
{
	void *p = is_refused() ? NULL : __real_malloc(n);

	live += p != NULL;
	return p;
}

void *
__wrap_calloc(size_t n, size_t size)
{
	void *p = is_refused() ? NULL : __real_calloc(n, size);

	live += p != NULL;
	return p;
}

void *
__wrap_realloc(void *old, size_t n)
{
	void *p = is_refused() ? NULL : __real_realloc(old, n);

	live += old == NULL && p != NULL;
	return p;
}

void *
__wrap_aligned_alloc(size_t to, size_t n)
{
	void *p = is_refused() ? NULL : __real_aligned_alloc(to, n);

	live += p != NULL;
	return p;
}

void
__wrap_free(void *p)
{
	live -= p != NULL;
	__real_free(p);
}
