/*
 * digest.h -- the hashes that signatures of a message are made over.
 *
 * The promise: fed with the fields as they pass and then with the body in any
 * pieces, it gives for each wish (canonicalization, length) the body's SHA-256,
 * and for a list of names what of their fields is signed, the last ones first.
 * The body is not kept, and goes through at most one SHA-256 for each of the two
 * canonicalizations, however many wishes there are.  A list of names costs as
 * much as it and the header are long, whatever stands in them.
 * Not for: whose signature it is (dkim_verify.h, dkim_sign.h, arc.h).
 * Waiting: none.
 * Memory: a copy of the header section, in the arena (DIGEST_ARENA at most), and
 * OpenSSL's contexts, which end with the arena; nothing of the body.
 * Errors: false: no memory, or more fields than HEADER_LINES_MOST, or octets
 * than HEADER_OCTETS_MOST.  It sticks: nothing is hashed any more.
 * Source: RFC 6376 3.4, 3.7, 5.4.2; RFC 8617 4.1.2.
 */
#ifndef NM_TRUST_DIGEST_H
#define NM_TRUST_DIGEST_H

#include "base/arena.h"
#include "wire/canon.h"
#include "wire/header.h"

struct digest;

enum {
	DIGEST_WISHES = 16,
	DIGEST_OCTETS = 32,
	DIGEST_ALL = -1,		/* the length of a whole body */
	DIGEST_ARENA = 1024 * 1024	/* ceiling that always suffices */
};

/* NULL: no memory. */
struct digest *digest_new(struct arena *);

/* In order, the topmost first; copied. */
bool digest_field(struct digest *, const struct field *);
size_t digest_fields(const struct digest *);
struct str digest_raw(const struct digest *, size_t i);	/* 0: the topmost */
struct str digest_name(const struct digest *, size_t i);	/* as written */
/* No octets of value end with a CRLF. */
struct str digest_value(const struct digest *, size_t i);

/* Before the first octet of the body: its number, or -1 when there are
 * DIGEST_WISHES already, or no memory, which fails the digest.  Equal wishes are
 * one. */
int digest_want(struct digest *, enum canon, int64_t length);
void digest_body(struct digest *, struct str octets);
bool digest_end(struct digest *);		/* the body is over */

/* After the end.  *octets (may be NULL): of the whole canonical body.  When that
 * is less than was wished, all of it was hashed. */
bool digest_body_hash(const struct digest *, int wish,
    unsigned char out[DIGEST_OCTETS], uint64_t *octets);

/*
 * What is signed of the header (RFC 6376 3.7): the fields named in `names' (a
 * colon list, as h= has it, FWS allowed), then `last', the signature's own field
 * (raw), its b= emptied and without a CRLF.  skip: the field that is never taken,
 * which is `last' when it stands in the header, or SIZE_MAX.
 */
struct digest_ask {
	enum canon canon;
	struct str names, last;
	size_t skip;
};
/* The octets; at most digest_signed_most() of them, else out is full. */
bool digest_signed(struct digest *, const struct digest_ask *, struct buf *out);
size_t digest_signed_most(const struct digest *, struct str last);
/* Their SHA-256, without a place for them. */
bool digest_signed_hash(struct digest *, const struct digest_ask *,
    unsigned char out[DIGEST_OCTETS]);

#endif
