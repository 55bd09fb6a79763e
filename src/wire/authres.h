/*
 * authres.h -- the field Authentication-Results.
 *
 * The promise: authres_claim() says whose a field claims to be, however its
 * authserv-id is folded, quoted, commented or cased, as A-labels or as U-labels.
 * authres_next() takes results apart one by one, with their reason and
 * properties, as strictly as RFC 8601 2.2 has them; what authres_put() wrote it
 * reads back.  What is written is printable ASCII without line ends, and no word
 * of it is longer than a line may be.
 * Not for: what results mean (trust/proof.h writes ours).
 * Waiting: none.
 * Memory: values are slices of the text where they are contiguous, else copies
 * in the arena given.
 * Errors: AUTHRES_BAD ends the walk, AUTHRES_NO_MEMORY too.  The buffer's `full'.
 * Source: RFC 8601 2.2, 2.5, 5; RFC 8617 4.1.1; SECURITY.md row 30.
 */
#ifndef NM_WIRE_AUTHRES_H
#define NM_WIRE_AUTHRES_H

#include "base/arena.h"
#include "base/buf.h"

enum { AUTHRES_PROPERTIES = 16,
	AUTHRES_ID_MOST = 1024,		/* octets of an authserv-id */
	AUTHRES_VALUE_MOST = 320 };	/* of a value that is written */

/* ---- whose is it ---- */

enum authres_claim {
	AUTHRES_THEIRS,			/* of another authserv-id */
	AUTHRES_OURS,			/* of one of ours */
	AUTHRES_OTHER_VERSION,		/* not of version 1: RFC 8601 5 */
	AUTHRES_UNREADABLE		/* who knows what others read there */
};

/* ids: ours, lower case, A-labels. */
enum authres_claim authres_claim(struct str value, const struct str *ids,
    size_t n);

/* ---- reading ---- */

struct authres_property { struct str ptype, name, value; };

struct authres_result {
	struct str method, result;	/* lower case */
	struct str reason;		/* n == 0: none */
	uint64_t version;		/* of the method; 1 when absent */
	size_t n;			/* properties; those beyond
					 * AUTHRES_PROPERTIES are passed over */
	struct authres_property properties[AUTHRES_PROPERTIES];
};

enum authres_step { AUTHRES_RESULT, AUTHRES_END, AUTHRES_BAD,
	AUTHRES_NO_MEMORY };

struct authres {
	struct str id;			/* authserv-id; p == NULL: a bare list */
	uint64_t version;		/* 1 when absent */
	struct str rest;
	struct arena *arena;
	bool is_first, is_over;
};

/* A field's value, from the authserv-id on.  False: its head is malformed, or
 * there is no memory. */
bool authres_begin(struct authres *, struct str value, struct arena *);
/* A bare list of results, as authres_put() writes and the event `checked' has. */
void authres_begin_list(struct authres *, struct str list, struct arena *);
/* "none" is no result: AUTHRES_END at once. */
enum authres_step authres_next(struct authres *, struct authres_result *out);
/* "smtp", "mailfrom"; STR_NONE when it is not there. */
struct str authres_get(const struct authres_result *, const char *ptype,
    const char *name);

/* ---- writing ---- */

/* "spf=fail reason="no"", behind "; " when the buffer holds something.  Octets
 * that are no printable ASCII become '?', values are cut at AUTHRES_VALUE_MOST.
 * n == 0: no reason. */
void authres_put(struct buf *, const char *method, const char *result,
    struct str reason);
/* As token, or else as quoted string. */
void authres_put_value(struct buf *, struct str value);
/* " smtp.mailfrom=a.example", quoted where it must be; nothing when n == 0. */
void authres_put_property(struct buf *, const char *property, struct str value);

#endif
