/*
 * pulse.h -- is the worker still with us?
 *
 * The promise: where the service manager wants WATCHDOG=1, it is told so as
 * often as it wants while the worker answers for each of its cores, and while
 * there is none that could; a worker in which a core hangs is not answered for,
 * so that the service manager ends it all and starts anew.  Without a watchdog
 * nothing happens.
 * Not for: a worker that died: master sees that itself.
 * Waiting: none.
 * Memory: a value.
 * Errors: none: silence is the answer.
 * Source: sd_watchdog_enabled(3); systemd.service(5), WatchdogSec=.
 */
#ifndef NM_APP_PULSE_H
#define NM_APP_PULSE_H

#include <stdbool.h>
#include <stdint.h>

struct pulse {
	int64_t every_ms;		/* 0: nobody watches */
	int64_t next_ms;		/* when to ask again; 0: never */
	bool is_asked;			/* and no answer yet */
};

void pulse_init(struct pulse *, int64_t now_ms);
/* It is time.  True: ask the worker now; it is asked again only when it answered.
 * is_serving: there is one that could. */
bool pulse_beat(struct pulse *, int64_t now_ms, bool is_serving);
void pulse_heard(struct pulse *);	/* it answered for all its cores */

#endif
