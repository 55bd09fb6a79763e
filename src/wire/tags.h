/*
 * tags.h -- lists of tags: "v=1; a=rsa-sha256; ...".
 *
 * The promise: tags_read() takes a list as RFC 6376 3.2 has it, or refuses it
 * whole; a name comes once, and is compared with case.  Values are without the
 * white space around them; white space inside stays, folds and all.
 * Not for: what tags mean (wire/dkim.h, dmarc.h, arc.h).
 * Waiting: none.
 * Memory: slices of the list.
 * Errors: false.
 * Source: RFC 6376 3.2; RFC 8616 5 (UTF-8 in values); RFC 9989 4.8.
 */
#ifndef NM_WIRE_TAGS_H
#define NM_WIRE_TAGS_H

#include "base/str.h"

enum { TAGS_MOST = 64 };

struct tag {
	struct str name, value;		/* an empty value has p != NULL */
};

struct tags {
	size_t n;
	struct tag tag[TAGS_MOST];	/* in the order of the list */
};

/* False: malformed, a name twice, or more than TAGS_MOST. */
bool tags_read(struct str list, struct tags *out);

/* STR_NONE (p == NULL) when it is not there. */
struct str tags_get(const struct tags *, const char *name);

/* The next item of a list within a value, "a : b", off its front and without
 * the white space around it; false when there is none.  *rest begins as the
 * value; at the end its p is NULL. */
bool tag_item(struct str *rest, char separator, struct str *item);

#endif
