#include "memory.h"

#include "base/must.h"
#include "fiber/world_sim.h"

#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

/* What has been given back lies here for a while, spoilt. */
enum { DEAD_MOST = 4096, DEAD_OCTETS = 1 << 20, SPOILT = 0xa5, FRESH = 0x5a };

/* By the linker's --wrap: of whoever is linked statically, which is us. */
void *__wrap_malloc(size_t);
void *__wrap_calloc(size_t, size_t);
void *__wrap_realloc(void *, size_t);
void *__wrap_aligned_alloc(size_t, size_t);
int __wrap_posix_memalign(void **, size_t, size_t);
void __wrap_free(void *);
void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
void *__real_realloc(void *, size_t);
void *__real_aligned_alloc(size_t, size_t);
int __real_posix_memalign(void **, size_t, size_t);
void __real_free(void *);

static size_t live;
static uint64_t asked, refused, refused_from, refused_to;
static bool is_spoilt;
static void *dead[DEAD_MOST];		/* a ring */
static size_t dead_first, n_dead, dead_octets;

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

/* ---- what was given back ---- */

void
memory_spoil(void)
{
	is_spoilt = true;
}

/* The one that has lain longest; nobody may have written to it. */
static void
dead_bury(void)
{
	unsigned char *p = dead[dead_first];
	size_t n = malloc_usable_size(p);

	for (size_t i = 0; i < n; i++)
		must(p[i] == SPOILT);
	dead_first = (dead_first + 1) % DEAD_MOST;
	n_dead--;
	dead_octets -= n;
	__real_free(p);
}

void
memory_bury(void)
{
	while (n_dead > 0)
		dead_bury();
}

static void
give_back(void *p)
{
	size_t n = p == NULL ? 0 : malloc_usable_size(p);

	if (p == NULL || !is_spoilt || n > DEAD_OCTETS / 4) {
		__real_free(p);
		return;
	}
	memset(p, SPOILT, n);
	dead[(dead_first + n_dead++) % DEAD_MOST] = p;
	dead_octets += n;
	while (n_dead == DEAD_MOST || dead_octets > DEAD_OCTETS)
		dead_bury();
}

/* ---- the verbs ---- */

void *
__wrap_malloc(size_t n)
{
	void *p = is_refused() ? NULL : __real_malloc(n);

	if (p != NULL && is_spoilt)
		memset(p, FRESH, n);
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

/* Always elsewhere, so that who still looks where it was is found. */
static void *
move(void *old, size_t n)
{
	size_t before = malloc_usable_size(old);
	void *p = __real_malloc(n);

	if (p != NULL) {
		memcpy(p, old, before < n ? before : n);
		give_back(old);
	}
	return p;
}

void *
__wrap_realloc(void *old, size_t n)
{
	void *p;

	if (is_refused())
		return NULL;
	if (old != NULL && is_spoilt)
		return move(old, n);
	p = __real_realloc(old, n);
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

int
__wrap_posix_memalign(void **out, size_t to, size_t n)
{
	int rc = is_refused() ? ENOMEM : __real_posix_memalign(out, to, n);

	live += rc == 0;
	return rc;
}

void
__wrap_free(void *p)
{
	live -= p != NULL;
	give_back(p);
}
