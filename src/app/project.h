/*
 * project.h -- the spool's events go into the days' files.
 *
 * The promise: a fiber for each spool follows its log and writes each EVENT
 * record into store/eventlog once; it marks how far it came, so that segments
 * may go, and removes days older than retain.events.
 * Not for: anything a client waits for.
 * Waiting: open and stop yield; between them a fiber works.
 * Memory: one eventlog and one tail for each spool.
 * Errors: told as an event, once a minute at most; tried again each second.
 * Source: DESIGN.md section 5 (projections).
 */
#ifndef NM_APP_PROJECT_H
#define NM_APP_PROJECT_H

#include "policy/holder.h"
#include "spool/tail.h"
#include "store/eventlog.h"

enum { PROJECTION_EVENTS = 1 };

struct project {
	struct spool *spool;
	struct config_holder *holder;
	struct event_sink *sink;
	struct eventlog log;
	struct tail *tail;
	struct tail_place at, marked;	/* the spool knows of the second */
	struct mono told;		/* of the last complaint */
	struct fiber *fiber, *stopper;
	bool is_stopping, has_ended;
};

/* Between spool_open() and spool_recover(): segments wait for us. */
void project_register(struct spool *);
/* After spool_recover(). */
yields int project_open(struct project *, struct spool *, unsigned number,
    struct config_holder *, struct event_sink *);
int project_start(struct project *);
yields void project_stop(struct project *);	/* started or not */

#endif
