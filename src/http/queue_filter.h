/*
 * queue_filter.h -- which of the queue a request is about.
 *
 * The promise: id, domain, site, tenant, stream, status, older and limit of the
 * query become a filter, or were answered with 422.
 * Not for: which messages those are (queue/view.h).
 * Waiting: queue_filter_take() may yield, when it answers.
 * Memory: strings in the talk's arena.
 * Errors: false: an answer was given.
 * Source: PRODUCT.md C.
 */
#ifndef NM_HTTP_QUEUE_FILTER_H
#define NM_HTTP_QUEUE_FILTER_H

#include "fiber/fiber.h"
#include "http/talk.h"
#include "queue/view.h"

struct queue_filter {
	struct view_filter view;
	uint64_t limit;
};

yields bool queue_filter_take(struct talk *, struct queue_filter *);
bool queue_filter_is_empty(const struct queue_filter *);

#endif
