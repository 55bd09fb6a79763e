/*
 * spf.h -- the letters of an SPF record: terms, and macros.
 *
 * The promise: spf_read() takes a whole record or refuses it, before anything of
 * it is looked up; a term that was read can be evaluated.  spf_expand() makes of
 * a macro-string what it stands for.
 * Not for: looking up and judging (trust/spf.h).
 * Waiting: none.
 * Memory: slices of the record; the terms are the caller's.
 * Errors: the sentence that says what is wrong with it, or NULL.
 * Source: RFC 7208 4.5, 5, 6, 7, 12; RFC 8616 4.
 */
#ifndef NM_WIRE_SPF_H
#define NM_WIRE_SPF_H

#include "base/buf.h"

enum spf_kind {
	SPF_ALL, SPF_INCLUDE, SPF_A, SPF_MX, SPF_PTR, SPF_IP4, SPF_IP6,
	SPF_EXISTS, SPF_MECHANISMS,
	SPF_REDIRECT = SPF_MECHANISMS, SPF_EXP, SPF_UNKNOWN
};

enum spf_result {
	SPF_NONE, SPF_NEUTRAL, SPF_PASS, SPF_FAIL, SPF_SOFTFAIL, SPF_TEMPERROR,
	SPF_PERMERROR
};
const char *spf_result_name(enum spf_result);	/* "softfail" */

struct spf_term {
	enum spf_kind kind;
	enum spf_result qualifier;	/* of a mechanism that matches */
	struct str text;		/* as written, for people */
	struct str domain;		/* domain-spec; n == 0: the current one */
	struct str ip;			/* of ip4, ip6 */
	unsigned bits4, bits6;		/* of the prefix */
};

enum { SPF_TERMS_MOST = 512 };

/* Does that TXT record say that it is one (4.5)? */
bool spf_is_record(struct str txt);
/* NULL: terms[0 .. *n) are it. */
const char *spf_read(struct str record, struct spf_term *terms, size_t most,
    size_t *n);

/* What macros stand for. */
struct spf_facts {
	struct str local, sender_domain, domain, ip, ip_readable, helo,
	    receiver, validated, version, time;
};
enum spf_use { SPF_IN_DOMAIN, SPF_IN_EXPLANATION };

/* Is there a macro of that letter (any case) in it? */
bool spf_has_macro(struct str spec, char letter);
/* False when out has no room, or when a local-part beyond ASCII is called for
 * (RFC 8616 4): what it stands in matches nothing.  The spec was read. */
bool spf_expand(struct str spec, const struct spf_facts *, struct buf *out);
/* Is that an explain-string (6.2)? */
bool spf_is_explanation(struct str);

#endif
