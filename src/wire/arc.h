/*
 * arc.h -- the three fields of an ARC set.
 *
 * The promise: arc_kind() tells them by name; each reader takes a field's value
 * or refuses it whole.
 * Not for: chains and signatures (trust/arc.h).
 * Waiting: none.
 * Memory: slices of the value.
 * Errors: the sentence that says what is wrong with it, or NULL.
 * Source: RFC 8617 3.9, 4.1, 4.2.1; RFC 6376 3.2, 3.5.
 */
#ifndef NM_WIRE_ARC_H
#define NM_WIRE_ARC_H

#include "base/str.h"

enum { ARC_SETS_MOST = 50 };		/* RFC 8617 4.2.1 */

/* In the order in which a seal covers them (RFC 8617 5.1.1). */
enum arc_kind { ARC_RESULTS, ARC_SIGNATURE, ARC_SEAL, ARC_KINDS };

enum arc_result { ARC_NONE, ARC_PASS, ARC_FAIL };
const char *arc_result_name(enum arc_result);	/* "pass" */

enum arc_kind arc_kind(struct str name);	/* ARC_KINDS: it is none */

/* i=1; authserv-id; ... : results is what stands behind the first semicolon. */
const char *arc_results_read(struct str value, unsigned *instance,
    struct str *results);

#endif
