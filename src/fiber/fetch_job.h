/*
 * fetch_job.h -- one HTTP request on its way through the world.
 *
 * The promise: world_fetch() says the request and fills status, head and text,
 * or `why' and the trouble that it returns.
 * Not for: anyone but fetch.c and fiber/world_*; others call fetch().
 * Waiting: none; world_fetch() blocks, on a helper thread, for wait_ns at most.
 * Memory: the asking fiber's, which waits.
 * Errors: an enum fetch_trouble.
 * Source: fiber/world.h.
 */
#ifndef NM_FIBER_FETCH_JOB_H
#define NM_FIBER_FETCH_JOB_H

#include "base/buf.h"
#include "fiber/fetch.h"

struct fetch_job {
	enum fetch_method method;
	const char *url;
	bool may_be_plain;
	const char *places;		/* "host:443:192.0.2.1,[2001:db8::1]";
					 * NULL: the host is an address */
	size_t n_lines;
	const char *lines[FETCH_HEADERS_MOST];	/* "name: value" */
	struct str body;
	struct str anchors;		/* PEM; p == NULL: the system's */
	int64_t wait_ns;
	/* the reply's */
	unsigned status;
	struct buf head, text;
	char why[256];
};

#endif
