/*
 * dmarc.h -- a DMARC policy record, read.
 *
 * The promise: dmarc_read() says whether a TXT record is a DMARC policy record,
 * and gives every tag a value that holds: the default where the tag is missing or
 * wrong, "none" where nothing can be enforced.  Records of RFC 7489 are read: pct,
 * rf, ri and all unknown tags are passed over.
 * Not for: finding the record that counts (trust/dmarc.h).
 * Waiting: none.
 * Memory: slices of the record; a value of fixed size.
 * Errors: DMARC_NO_RECORD, DMARC_NO_POLICY.
 * Source: RFC 9989 4.7, 4.8, 4.10.1; RFC 9990 4; RFC 6068; RFC 7489 6.3.
 */
#ifndef NM_WIRE_DMARC_H
#define NM_WIRE_DMARC_H

#include "base/buf.h"

enum dmarc_policy { DMARC_POLICY_NONE, DMARC_POLICY_QUARANTINE,
	DMARC_POLICY_REJECT };
const char *dmarc_policy_name(enum dmarc_policy);	/* "quarantine" */

enum dmarc_psd { DMARC_PSD_U, DMARC_PSD_Y, DMARC_PSD_N };

/* fo=, as bits. */
enum { DMARC_FO_0 = 1, DMARC_FO_1 = 2, DMARC_FO_D = 4, DMARC_FO_S = 8 };

struct dmarc_record {
	struct str text;
	enum dmarc_policy p, sp, np;	/* np falls back on sp, sp on p */
	bool has_p, has_sp, has_np;	/* they stand there, and are valid */
	bool is_strict_dkim, is_strict_spf;	/* adkim=s, aspf=s */
	bool is_testing;		/* t=y */
	enum dmarc_psd psd;
	unsigned fo;			/* DMARC_FO_0 when there is no ruf */
	struct str rua, ruf;		/* lists of URIs; p == NULL: no such tag */
};

enum dmarc_reading {
	DMARC_RECORD,
	DMARC_NO_RECORD,		/* its first tag is not v=DMARC1 */
	/* One, with no p or a wrong p, sp or np, and nobody to tell: DMARC does
	 * not apply (RFC 9989 4.10.1).  All other tags were read. */
	DMARC_NO_POLICY
};

enum dmarc_reading dmarc_read(struct str text, struct dmarc_record *out);

struct dmarc_uri {
	struct str uri;			/* without an old record's "!10m" */
	struct str mailbox;		/* of mailto:, percent-encoded still, without
					 * "?..."; p == NULL: another scheme */
	uint64_t most;			/* octets of a message, by an old record's
					 * "!10m"; 0: not said */
};

/* The next valid URI off the front of a list; wrong ones are passed over. */
bool dmarc_uri_next(struct str *list, struct dmarc_uri *out);
/* "local@domain" of a mailto: URI, decoded; false: it is no mailbox of RFC 5321,
 * or out has no room.  *domain is a slice of out. */
bool dmarc_uri_mailbox(const struct dmarc_uri *, struct buf *out,
    struct str *domain);

#endif
