/*
 * log.h -- events as lines, on standard error, in a file or to syslog.
 *
 * The promise: each event given to log_event() becomes one line, in order for
 * its core, in the form and place the configuration says.  The core never waits
 * for the place: lines gather in memory, for 10 ms at most if no trouble is among
 * them, and a fiber writes them on a helper thread.
 * Not for: what must survive (the spool keeps its own EVENT records).
 * Waiting: log_run() is a fiber; log_event() does not wait; log_place_open() may
 * block (offload() it).
 * Memory: two buffers of LOG_BUFFER bytes for each core.
 * Errors: when the place is slower than the events, or refuses them, lines are
 * dropped and their number is written as an event as soon as there is room.
 * Source: PRODUCT.md A.5; SECURITY.md row 37.
 */
#ifndef NM_APP_LOG_H
#define NM_APP_LOG_H

#include "base/event.h"
#include "fiber/fiber.h"
#include "policy/config.h"

enum { LOG_BUFFER = 512 * 1024, LOG_LINE = EVENT_LINE_MOST };

/* Where lines go; shared by all cores and never changed.  A reload opens another
 * (which is how logrotate's file is begun) and moves the cores to it. */
struct log_place {
	enum log_format format;
	enum log_target target;
	int fd;				/* stderr, the file, syslog's socket */
	bool has_time;			/* journald puts its own */
	char host[256], ident[64];
	int pid;
};
int log_place_open(struct log_place *, const struct config *);
void log_place_close(struct log_place *);

struct log {				/* of one core */
	struct event_sink sink;		/* give events here */
	const struct log_place *place;
	char *gathering, *writing;
	size_t n;
	struct mono due;		/* to be written then, if any gathered */
	uint64_t dropped, lines;
	int64_t stamped;		/* the second that `stamp' tells of */
	char stamp[32];			/* "Nov 21 05:18:01", or "" */
	struct fiber *writer;
	bool is_writing, is_ending, has_ended;
	struct fiber *ender;
};
int log_open(struct log *, const struct log_place *);
yields void log_run(void *log);
yields void log_end(struct log *);	/* writes what is left */
void log_close(struct log *);

/* On its core: lines go to another place from now on.  0: the old one is used
 * no more; -1: at the deadline it still was. */
yields int log_move(struct log *, const struct log_place *to,
    struct mono deadline);

#endif
