/*
 * queue_row.h -- a queued message as one line of JSON.
 *
 * The promise: queue_row() appends a message with those of its destinations that
 * pass the filter: the fields of postqueue -j, with the last reply for each
 * recipient, then ours.  A line has QUEUE_ROW_MOST octets at most; recipients
 * that have no room are counted in recipients_left_out.
 * Not for: walking the queue (route_queue_list.c).
 * Waiting: queue_row() yields (disk); the rest does not.
 * Memory: an arena of QUEUE_ROW_MEMORY for the call.
 * Errors: nothing is appended when the message has ended meanwhile, or cannot be
 * read.
 * Source: postqueue(1) of Postfix, JSON OBJECT FORMAT; PRODUCT.md A.1.
 */
#ifndef NM_HTTP_QUEUE_ROW_H
#define NM_HTTP_QUEUE_ROW_H

#include "base/json.h"
#include "fiber/fiber.h"
#include "http/control.h"
#include "queue/view.h"

enum { QUEUE_ROW_MOST = 192 * 1024, QUEUE_ROW_MEMORY = 16 * 1024 * 1024 };

/* On the core where it lives. */
yields void queue_row(const struct control_core *, const struct view_filter *,
    uint64_t id, struct buf *out);

void queue_row_destination(const struct control_core *, struct json *,
    const struct view_item *);

#endif
