/*
 * utf8.h -- one character at a time, and whether a person may see it.
 *
 * The promise: utf8_next() reads one well-formed character or says 0; overlong
 * forms, surrogates and code points above U+10FFFF are malformed.  What
 * utf8_is_visible() allows can neither end a line, nor move a cursor, nor turn
 * the direction of what follows it: it is fit for a log and a terminal.
 * Not for: case, width or normal forms.
 * Waiting: none.
 * Memory: none.
 * Errors: 0 octets for malformed or cut-off characters, and for no octets.
 * Source: RFC 3629; SECURITY.md row 37.
 */
#ifndef NM_BASE_UTF8_H
#define NM_BASE_UTF8_H

#include "base/buf.h"

enum { UTF8_MOST = 4 };			/* octets of a character */

/* How many octets the first character of s takes. */
size_t utf8_next(struct str s, uint32_t *code);
bool utf8_is_visible(uint32_t code);
/* How many octets at the front are ASCII's visible ones and spaces: most text
 * is nothing else, and can be taken in one piece. */
size_t utf8_plain(struct str s);
/* A character that Unicode has (RFC 3629 3). */
void utf8_put(struct buf *, uint32_t code);

#endif
