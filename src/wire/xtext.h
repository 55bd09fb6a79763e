/*
 * xtext.h -- octets that must survive as ESMTP parameter values.
 *
 * The promise: decode(encode(x)) is x for every octet string; decode takes only
 * what the grammar allows, hex digits in capitals.
 * Not for: percent encoding of URLs.
 * Waiting: none.
 * Memory: writes into the caller's buffer.
 * Errors: false when it is not xtext or does not fit.
 * Source: RFC 3461 4; SECURITY.md row 19.
 */
#ifndef NM_WIRE_XTEXT_H
#define NM_WIRE_XTEXT_H

#include "base/buf.h"

bool xtext_decode(struct str, struct buf *out);
void xtext_encode(struct str, struct buf *out);

#endif
