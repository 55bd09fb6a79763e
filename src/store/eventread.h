/*
 * eventread.h -- the kept events, of all spools, in the order of their time.
 *
 * The promise: eventread_next() gives each event since an instant once, oldest
 * first as far as the files go now; called again later it gives what came
 * since.
 * Not for: writing (eventlog.h).
 * Waiting: yields (disk).
 * Memory: a window for each day's file, from malloc, freed by eventread_close().
 * Errors: -1 and the trail; damage ends a file for the reader.
 * Source: PRODUCT.md C (log), D.1 (events).
 */
#ifndef NM_STORE_EVENTREAD_H
#define NM_STORE_EVENTREAD_H

#include "base/event.h"
#include "fiber/fiber.h"

struct eventread;

yields struct eventread *eventread_open(struct str directory,
    struct wall since);
/* 1 and the event, whose strings last until the next call; 0: no more now. */
yields int eventread_next(struct eventread *, struct event *);
void eventread_close(struct eventread *);

#endif
