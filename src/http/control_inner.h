/*
 * control_inner.h -- what the control socket's handlers share.
 *
 * The promise: a handler answers its request exactly once; where it must look
 * at another core it goes there by control_each() and copies what it brings.
 * Not for: anyone outside http/.
 * Waiting: handlers and control_each() yield.
 * Memory: the talk's arena.
 * Errors: talk_error().
 * Source: http/control.h.
 */
#ifndef NM_HTTP_CONTROL_INNER_H
#define NM_HTTP_CONTROL_INNER_H

#include "fiber/fiber.h"
#include "http/control.h"
#include "http/talk.h"

struct request {
	struct control *control;
	struct talk *talk;
	struct str argument;		/* what '*' stood for */
};

#define ROUTE(method, path, name, says) \
	yields void route_##name(struct request *);
#include "http/route.def"
#undef ROUTE

/* Run fn(work) on each core in turn; work begins with struct control_work. */
struct control_work {
	struct control *control;
	struct control_core *core;	/* set for each */
	unsigned index;
};
yields void control_each(struct control *, yields void (*fn)(void *),
    struct control_work *);
/* On the core where a message lives: false when no core has it. */
yields bool control_at_home(struct control *, uint64_t id,
    yields void (*fn)(void *), struct control_work *);
/* On that core: its spool. */
struct spool *control_spool(const struct control_core *, uint64_t id);

#endif
