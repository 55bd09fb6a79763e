/*
 * ldap.h -- messages of LDAP that a client needs to see whether a password fits.
 *
 * The promise: requests are written as RFC 4511 has them; a filter in text
 * becomes one, or false; ldap_read() reads any message of a server or says that
 * it is none.  What comes from a user goes into filters and names only by the
 * two escapes, and then means itself.
 * Not for: the conversation (trust/ldap.h).
 * Waiting: none.
 * Memory: slices of the input; writes into the caller's buffer.
 * Errors: false, and the buffer's `full'.
 * Source: RFC 4511; RFC 4514 2.4; RFC 4515 3.
 */
#ifndef NM_WIRE_LDAP_H
#define NM_WIRE_LDAP_H

#include "base/buf.h"

/* A message must fit a stream's buffer. */
enum { LDAP_MESSAGE_MOST = 15 * 1024, LDAP_FILTER_DEPTH = 16 };

enum ldap_kind {
	LDAP_BIND_RESPONSE = 1, LDAP_SEARCH_ENTRY = 4, LDAP_SEARCH_DONE = 5,
	LDAP_SEARCH_REFERENCE = 19, LDAP_EXTENDED_RESPONSE = 24,
	LDAP_INTERMEDIATE = 25
};

/* RFC 4511 4.1.9, those that are told apart. */
enum ldap_code {
	LDAP_SUCCESS = 0, LDAP_TIME_LIMIT = 3, LDAP_SIZE_LIMIT = 4,
	LDAP_CONSTRAINT_VIOLATION = 19, LDAP_NO_SUCH_OBJECT = 32,
	LDAP_INVALID_DN = 34, LDAP_INAPPROPRIATE_AUTH = 48,
	LDAP_INVALID_CREDENTIALS = 49, LDAP_INSUFFICIENT_ACCESS = 50,
	LDAP_BUSY = 51, LDAP_UNAVAILABLE = 52, LDAP_UNWILLING = 53
};
const char *ldap_code_says(uint32_t code);	/* "busy", ...; or NULL */

struct ldap_message {
	uint32_t id;
	enum ldap_kind kind;
	uint32_t code;			/* of results */
	struct str text;		/* of results: diagnosticMessage */
	struct str dn;			/* of an entry */
	struct str attributes;		/* of an entry: ldap_attribute() */
};

/* One message, whole (ber_length()); what follows in it is an error. */
bool ldap_read(struct str octets, struct ldap_message *out);
/* The next attribute, and then its values, one by one. */
bool ldap_attribute(struct str *attributes, struct str *name,
    struct str *values);
bool ldap_value(struct str *values, struct str *value);

void ldap_put_bind(struct buf *, uint32_t id, struct str dn,
    struct str password);
void ldap_put_start_tls(struct buf *, uint32_t id);

struct ldap_search {
	struct str base;
	bool is_base_only;		/* else the whole subtree */
	uint32_t size_limit, time_limit;	/* entries, seconds */
	struct str filter;		/* as text */
	const struct str *attributes;	/* none: "1.1", no attributes */
	size_t n_attributes;
};
/* False when the filter is none. */
bool ldap_put_search(struct buf *, uint32_t id, const struct ldap_search *);

/* RFC 4515: "(&(objectClass=person)(mail=a*b))"; the parentheses around the
 * whole may miss. */
bool ldap_put_filter(struct buf *, struct str text);

/* A user's octets as they stand in a filter, or in a value of a name. */
void ldap_escape_filter(struct str, struct buf *out);
void ldap_escape_dn(struct str, struct buf *out);

#endif
