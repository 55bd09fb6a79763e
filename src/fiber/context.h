/*
 * context.h -- a place to continue: one stack and where it stands.
 *
 * The promise: context_switch(from, to) saves where `from' stands and goes on
 * at `to'; it returns when somebody switches back to `from'.  ASan and TSan are
 * told of each switch.
 * Not for: anyone but fiber.c.
 * Waiting: the switch is what waiting is made of.
 * Memory: the stack is the caller's.
 * Errors: none.
 * Source: Boost.Context's C entry points (jump_fcontext, make_fcontext).
 */
#ifndef NM_FIBER_CONTEXT_H
#define NM_FIBER_CONTEXT_H

#include <stddef.h>

struct context {
	void *at;			/* stack pointer, while not running */
	const void *bottom;		/* lowest byte of its stack */
	size_t size;
	void *fake, *tsan;		/* the sanitizers' words */
	void (*fn)(void);
	struct context *to;		/* where it last went */
};

/* The thread's own stack, to come back to. */
void context_init_loop(struct context *);
/* Begin fn() on [bottom, bottom+size) at the first switch; fn must not return
 * but end with context_end(). */
void context_init(struct context *, void *bottom, size_t size,
    void (*fn)(void));
void context_clear(struct context *);	/* after its end */
void context_switch(struct context *from, struct context *to);
_Noreturn void context_end(struct context *from, struct context *to);

#endif
