/*
 * base64url.h -- octets in the alphabet of URLs, without padding.
 *
 * The promise: base64url_put() writes what base64url_read() reads back the same;
 * what is not whole, of another alphabet, padded, or has bits too many is
 * refused, so a value has one spelling.
 * Not for: mail (base64.h).
 * Waiting: none.
 * Memory: writes into the caller's buffer.
 * Errors: the buffer's `full'; false.
 * Source: RFC 4648 5; RFC 7515 2.
 */
#ifndef NM_WIRE_BASE64URL_H
#define NM_WIRE_BASE64URL_H

#include "base/buf.h"

/* Letters for n octets. */
static inline size_t
base64url_room(size_t n)
{
	return n / 3 * 4 + (n % 3 > 0 ? n % 3 + 1 : 0);
}

void base64url_put(struct buf *, struct str octets);
bool base64url_read(struct str letters, struct buf *out);

#endif
