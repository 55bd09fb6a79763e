/*
 * tls_rpt_read.h -- reports of TLS by others.
 *
 * The promise: of the JSON of RFC 8460 4.4 the head is given, and each policy
 * and each failure is told to a listener in their order: a policy first without
 * a failure, then with each of its own.  What is not known is passed over; a
 * string where an array should be is one of one; a policy's type that is not
 * known counts as no policy.
 * Not for: unpacking (unpack.h), nor for believing what it says.  jansson's
 * hashes are to be seeded by whoever runs first (json_object_seed()).
 * Waiting: none.
 * Memory: jansson's, given back before it returns; lists and texts of the head
 * lie in the arena, those of policies until the listener returns.
 * Errors: -1, and a sentence: no JSON, no report, or beyond the limits.
 * Source: RFC 8460 4; erratum 6241; RFC 7493; SECURITY.md row 51.
 */
#ifndef NM_WIRE_TLS_RPT_READ_H
#define NM_WIRE_TLS_RPT_READ_H

#include "base/arena.h"
#include "wire/tls_rpt.h"

enum {
	TLS_READ_OCTETS = 2 * 1024 * 1024,
	TLS_READ_DEPTH = 16,
	TLS_READ_VALUES = 100 * 1000,
	TLS_READ_FAILURES = 20 * 1000,	/* and policies, together */
	TLS_READ_TEXT = 2048,		/* octets of one text */
	TLS_READ_LIST = 100,		/* texts of one list: more are left out */
	TLS_READ_MEMORY = 64 * 1024	/* of the arena, which suffices */
};

struct tls_rpt_listener {
	/* failure NULL: the policy alone.  Not 0: there is no room for more. */
	int (*policy)(void *arg, const struct tls_rpt_policy *,
	    const struct tls_rpt_failure *);
	void *arg;
};

int tls_rpt_read(struct str text, struct arena *,
    const struct tls_rpt_listener *, struct tls_rpt *out, const char **why);

#endif
