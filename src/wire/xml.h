/*
 * xml.h -- XML out, by one writer that cannot be talked into bad syntax.
 *
 * The promise: elements end in the order in which they began, each text stands
 * between its tags with all that has a meaning in XML escaped; what XML cannot
 * hold or a person cannot see (control characters, malformed UTF-8, marks of
 * direction) becomes U+FFFD, and TAB, CR and LF a space.  Names are ours.
 * Not for: attributes of others' choice, namespaces beyond the root's; reading.
 * Waiting: none.
 * Memory: writes into the caller's struct buf.
 * Errors: the buffer's `full'.
 * Source: XML 1.0 (fifth edition) 2.2, 2.4, 3.1.
 */
#ifndef NM_WIRE_XML_H
#define NM_WIRE_XML_H

#include "base/buf.h"

enum { XML_DEPTH = 8, XML_OCTET_MOST = 6 };	/* what one octet becomes */

struct xml {
	struct buf *out;
	unsigned depth;
	const char *open[XML_DEPTH];
};

/* "<?xml ...?>" and the root with its namespace. */
void xml_begin(struct xml *, struct buf *out, const char *root,
    const char *space);
/* Go on below a root that another began: for documents written in pieces. */
void xml_below(struct xml *, struct buf *out);
void xml_end(struct xml *, const char *root);

void xml_open(struct xml *, const char *name);
void xml_close(struct xml *);
void xml_str(struct xml *, const char *name, struct str);
void xml_num(struct xml *, const char *name, int64_t);
/* Not written when p == NULL. */
void xml_maybe(struct xml *, const char *name, struct str);

#endif
