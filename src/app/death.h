/*
 * death.h -- how a child of master ended, and when the next may come.
 *
 * The promise: death_text() says it in words; death_was_its_own() is true when
 * the end says something about what was worked on: a fault, and no kill from
 * outside.  backoff_after() is how long to wait: 100 ms at first, twice as long
 * after each early death up to ten seconds, from the beginning again after one
 * that lived ten seconds.
 * Not for: starting anybody.
 * Waiting: none.
 * Memory: values.
 * Errors: none.
 * Source: wait(2); signal(7); DESIGN.md section 7.
 */
#ifndef NM_APP_DEATH_H
#define NM_APP_DEATH_H

#include <stdbool.h>
#include <stdint.h>

struct death_text { char text[96]; };
struct death_text death_text(int wait_status);
bool death_was_its_own(int wait_status);

struct backoff {
	int64_t pause_ms;		/* the last one; 0: none yet */
	unsigned deaths;		/* since master began */
};
/* One died that had lived so long; how long to wait now. */
int64_t backoff_after(struct backoff *, int64_t lived_ms);

#endif
