/*
 * orcpt.h -- the original recipient: type, semicolon, address.
 *
 * The promise: orcpt_read() makes of a parameter's value the words themselves,
 * "rfc822;bob+news@a.example" or "utf-8;" and UTF-8, without any escape; what
 * orcpt_write() makes of those is read back the same, and is ASCII unless the
 * peer speaks SMTPUTF8.
 * Not for: the fields of reports, where RFC 3464 wants it without xtext.
 * Waiting: none.
 * Memory: writes into the caller's buffer.
 * Errors: false when it is not valid or does not fit.
 * Source: RFC 3461 4.2; RFC 6533 3; SECURITY.md row 19.
 */
#ifndef NM_WIRE_ORCPT_H
#define NM_WIRE_ORCPT_H

#include "base/buf.h"

enum { ORCPT_MOST = 500 };	/* octets, written or read */

/* UTF-8 as it is only where SMTPUTF8 was said (is_utf8). */
bool orcpt_read(struct str value, bool is_utf8, struct buf *out);
void orcpt_write(struct str orcpt, bool is_utf8, struct buf *out);

#endif
