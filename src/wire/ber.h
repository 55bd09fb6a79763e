/*
 * ber.h -- tagged, counted octets: as much of BER as LDAP needs.
 *
 * The promise: ber_take() cuts one element off the front, whole, or says false
 * and takes nothing; lengths are definite and of at most four octets, tags of
 * one.  ber_open() and ber_close() write one around what is put between.
 * Not for: certificates and keys (OpenSSL reads those).
 * Waiting: none.
 * Memory: slices of the input; writes into the caller's buffer.
 * Errors: false, the buffer's `full'.
 * Source: ITU-T X.690 8.1; RFC 4511 5.1.
 */
#ifndef NM_WIRE_BER_H
#define NM_WIRE_BER_H

#include "base/buf.h"

enum { BER_BOOLEAN = 0x01, BER_INTEGER = 0x02, BER_OCTETS = 0x04,
	BER_ENUMERATED = 0x0a, BER_SEQUENCE = 0x30, BER_SET = 0x31 };

/* [APPLICATION n], [n]; the constructed ones hold elements. */
#define BER_APPLICATION(n) ((unsigned char)(0x40 | (n)))
#define BER_APPLICATION_SET(n) ((unsigned char)(0x60 | (n)))
#define BER_CONTEXT(n) ((unsigned char)(0x80 | (n)))
#define BER_CONTEXT_SET(n) ((unsigned char)(0xa0 | (n)))

bool ber_take(struct str *s, unsigned char *tag, struct str *content);
/* Only an element with this tag. */
bool ber_take_tag(struct str *s, unsigned char tag, struct str *content);
/* An INTEGER or ENUMERATED that is not negative, at most INT32_MAX. */
bool ber_take_number(struct str *s, unsigned char tag, uint32_t *out);

/* Is the element at the front of s whole?  How long it is, header and all; 0:
 * not told yet by what is there; -1: it is none, or longer than most. */
int64_t ber_length(struct str s, size_t most);

size_t ber_open(struct buf *, unsigned char tag);
void ber_close(struct buf *, size_t opened);
void ber_put(struct buf *, unsigned char tag, struct str content);
void ber_put_number(struct buf *, unsigned char tag, uint32_t);
void ber_put_boolean(struct buf *, bool);

#endif
