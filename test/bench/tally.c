/*
 * tally -- counts what a program asks of the heap, and the octets it copies.
 *
 * Loaded before libc (LD_PRELOAD) by test/bench/calls, which gives the file with
 * the counters in NM_TALLY.  Children share them.  Copies that the compiler made
 * a few instructions of are not seen; they are shorter than SHORT, and neither
 * are those below SHORT counted here: what is looked for is bodies.
 */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SHORT = 256 };

struct tally {
	_Atomic uint64_t allocations, allocated, freed, copies, copied;
};

void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);
void *__memcpy_chk(void *, const void *, size_t, size_t);
void *__memmove_chk(void *, const void *, size_t, size_t);

static struct tally nobody, *tally = &nobody;
static void *(*real_memcpy)(void *, const void *, size_t);
static void *(*real_memmove)(void *, const void *, size_t);

static void __attribute__((constructor))
tally_open(void)
{
	const char *path = getenv("NM_TALLY");
	int fd = path == NULL ? -1 : open(path, O_RDWR | O_CLOEXEC);
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof *tally, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (p != MAP_FAILED)
		tally = p;
}

static void
tally_add(_Atomic uint64_t *to, uint64_t n)
{
	atomic_fetch_add_explicit(to, n, memory_order_relaxed);
}

/* ---- the heap ---- */

static void *
tally_allocated(void *p, size_t n)
{
	tally_add(&tally->allocations, 1);
	tally_add(&tally->allocated, n);
	return p;
}

void *
malloc(size_t n)
{
	return tally_allocated(__libc_malloc(n), n);
}

void *
calloc(size_t n, size_t size)
{
	return tally_allocated(__libc_calloc(n, size), n * size);
}

void *
realloc(void *p, size_t n)
{
	return tally_allocated(__libc_realloc(p, n), n);
}

void *
aligned_alloc(size_t align, size_t n)
{
	return tally_allocated(__libc_memalign(align, n), n);
}

void
free(void *p)
{
	if (p != NULL)
		tally_add(&tally->freed, 1);
	__libc_free(p);
}

/* ---- copies ---- */

static void
tally_copied(size_t n)
{
	if (n < SHORT)
		return;
	tally_add(&tally->copies, 1);
	tally_add(&tally->copied, n);
}

/* Before libc can be asked, octet by octet. */
static void *
plain_copy(void *to, const void *from, size_t n)
{
	volatile char *t = to;
	const char *f = from;

	if ((uintptr_t)to <= (uintptr_t)from)
		for (size_t i = 0; i < n; i++)
			t[i] = f[i];
	else
		while (n-- > 0)
			t[n] = f[n];
	return to;
}

static void __attribute__((constructor))
tally_find(void)
{
	*(void **)&real_memcpy = dlsym(RTLD_NEXT, "memcpy");
	*(void **)&real_memmove = dlsym(RTLD_NEXT, "memmove");
}

void *
memcpy(void *restrict to, const void *restrict from, size_t n)
{
	tally_copied(n);
	return real_memcpy != NULL ? real_memcpy(to, from, n) :
	    plain_copy(to, from, n);
}

void *
memmove(void *to, const void *from, size_t n)
{
	tally_copied(n);
	return real_memmove != NULL ? real_memmove(to, from, n) :
	    plain_copy(to, from, n);
}

void *
__memcpy_chk(void *restrict to, const void *restrict from, size_t n, size_t room)
{
	if (n > room)
		abort();
	return memcpy(to, from, n);
}

void *
__memmove_chk(void *to, const void *from, size_t n, size_t room)
{
	if (n > room)
		abort();
	return memmove(to, from, n);
}
