/*
 * srs.h -- local parts that hold somebody else's address.
 *
 * The promise: srs_read() takes a local part apart, or refuses it; what
 * srs_write() puts together is read back the same.  Days are numbers since 1970;
 * a stamp has them modulo SRS_DAYS.
 * Not for: whether its hash is good (trust/srs.h).
 * Waiting: none.
 * Memory: slices of the local part.
 * Errors: false.
 * Source: Sender Rewriting Scheme (Wong, 2003; Mahoney, Hirsch, 2004), the
 * guarded form, as libsrs2 and postsrsd write it.  No RFC has it.
 */
#ifndef NM_WIRE_SRS_H
#define NM_WIRE_SRS_H

#include "base/buf.h"

enum { SRS_DAYS = 1024, SRS_STAMP = 2 };

/*
 * SRS0=HASH=STAMP=DOMAIN=LOCAL	who forwards first: LOCAL@DOMAIN sent it
 * SRS1=HASH=HOST=REST		who forwards after him: HOST wrote SRS0REST
 */
struct srs {
	bool is_second;			/* SRS1 */
	struct str hash;
	struct str stamp;		/* of SRS0 */
	struct str domain;		/* of SRS1: HOST */
	struct str local;		/* of SRS1: REST, from the separator that
					 * follows "SRS0" on */
};

/* Does it begin as one, in any case, with any of the separators = + - ? */
bool srs_is_meant(struct str local);
bool srs_read(struct str local, struct srs *out);
void srs_write(const struct srs *, struct buf *out);

void srs_stamp_write(uint64_t day, struct buf *out);	/* SRS_STAMP letters */
/* The day within SRS_DAYS.  False: it is no stamp. */
bool srs_stamp_read(struct str stamp, unsigned *day);

#endif
