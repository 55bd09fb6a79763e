/*
 * unitext.h -- addresses beyond ASCII where only ASCII may stand.
 *
 * The promise: encode gives the utf-8-addr-xtext form, which is printable ASCII
 * without SP, '\', '+' and '='; decode gives back the address, and takes raw
 * UTF-8 too (utf-8-addr-unitext).
 * Not for: the "rfc822" address type (xtext.h).
 * Waiting: none.
 * Memory: writes into the caller's buffer.
 * Errors: false when it is not such a form, or does not fit.
 * Source: RFC 6533 3.
 */
#ifndef NM_WIRE_UNITEXT_H
#define NM_WIRE_UNITEXT_H

#include "base/buf.h"

bool unitext_decode(struct str, struct buf *out);
/* Malformed octets become U+FFFD. */
void unitext_encode(struct str, struct buf *out);

#endif
