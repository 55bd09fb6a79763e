#include "fiber/context.h"

#include "base/must.h"

#ifndef __has_feature
#define __has_feature(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#define START_SWITCH __sanitizer_start_switch_fiber
#define FINISH_SWITCH __sanitizer_finish_switch_fiber
#define UNPOISON __asan_unpoison_memory_region
#else
#define START_SWITCH(fake, bottom, size) (void)(fake)
#define FINISH_SWITCH(fake, bottom, size) (void)(fake)
#define UNPOISON(p, size) (void)(p)
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#include <sanitizer/tsan_interface.h>
#define TSAN_CREATE() __tsan_create_fiber(0)
#define TSAN_CURRENT() __tsan_get_current_fiber()
#define TSAN_DESTROY __tsan_destroy_fiber
#define TSAN_SWITCH(to) __tsan_switch_to_fiber((to), 0)
#else
#define TSAN_CREATE() NULL
#define TSAN_CURRENT() NULL
#define TSAN_DESTROY(f) (void)(f)
#define TSAN_SWITCH(to) (void)(to)
#endif

struct transfer { void *from; void *data; };
struct transfer jump_fcontext(void *to, void *data);
void *make_fcontext(void *top, size_t size, void (*fn)(struct transfer));

void
context_init_loop(struct context *c)
{
	*c = (struct context){ .tsan = TSAN_CURRENT() };
}

/* What is true once a switch arrived at `to': the other's place is known. */
static void
context_arrive(struct context *to, struct transfer t)
{
	struct context *from = t.data;

	from->at = t.from;
	FINISH_SWITCH(to->fake, &from->bottom, &from->size);
	(void)to;
}

static void
context_entry(struct transfer t)
{
	struct context *from = t.data, *to = from->to;

	context_arrive(to, t);
	to->fn();
	must(!"a context returned");
}

void
context_init(struct context *c, void *bottom, size_t size, void (*fn)(void))
{
	/* The last user of the stack never left its frames. */
	UNPOISON(bottom, size);
	*c = (struct context){ .bottom = bottom, .size = size, .fn = fn,
	    .tsan = TSAN_CREATE() };
	c->at = make_fcontext((char *)bottom + size, size, context_entry);
}

void
context_clear(struct context *c)
{
	TSAN_DESTROY(c->tsan);
	c->at = c->tsan = NULL;
}

static void
context_jump(struct context *from, struct context *to, void **fake)
{
	from->to = to;
	START_SWITCH(fake, to->bottom, to->size);
	TSAN_SWITCH(to->tsan);
	context_arrive(from, jump_fcontext(to->at, from));
}

void
context_switch(struct context *from, struct context *to)
{
	context_jump(from, to, &from->fake);
}

_Noreturn void
context_end(struct context *from, struct context *to)
{
	context_jump(from, to, NULL);
	must_failed("an ended context ran", __FILE__, __LINE__);
}
