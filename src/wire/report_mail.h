/*
 * report_mail.h -- the message that carries a report to a domain.
 *
 * The promise: report_mail_head(), then report_mail_octets() for the packed
 * report in pieces, then report_mail_end() make a whole message: subject, file
 * name and media types as RFC 9990 3.5.2 (DMARC) or RFC 8460 5.3 (TLS) have them,
 * words for a person, Auto-Submitted; of TLS also "TLS-Required: No", since such
 * a report must arrive where TLS is broken.  Lines have at most 998 octets.
 * Not for: what the report says (dmarc_report.h, tls_rpt.h), nor for posting.
 * Waiting: none.
 * Memory: writes into the caller's buffer: REPORT_MAIL_HEAD octets suffice for
 * the head, REPORT_MAIL_END for the end, and for octets twice their number.
 * Errors: `full' of the buffer.
 * Source: RFC 9990 3.5.1, 3.5.2; RFC 8460 3, 5.1, 5.3; RFC 8689 4.1; RFC 3834 5;
 * RFC 2045 6.8; RFC 2183 2.3.
 */
#ifndef NM_WIRE_REPORT_MAIL_H
#define NM_WIRE_REPORT_MAIL_H

#include "base/instant.h"
#include "wire/base64.h"

enum report_kind { REPORT_OF_DMARC, REPORT_OF_TLS };

enum { REPORT_MAIL_TO = 8, REPORT_MAIL_HEAD = 16 * 1024,
	REPORT_MAIL_END = 256 };

struct report_mail {
	enum report_kind kind;
	struct str organization;	/* of From; may be beyond ASCII */
	struct str from;		/* mailbox */
	struct str to[REPORT_MAIL_TO];	/* mailboxes */
	size_t n_to;
	struct str domain;		/* that it is about: report_domain_fits() */
	struct str submitter;		/* domain of from */
	struct str report_id;		/* "2026-11-20.a.example@mx.example" */
	struct str boundary;		/* not in base64, nor in the words */
	int64_t begin, end;		/* seconds since 1970 */
	struct wall now;
	int zone;
};

/* Fit for a file's name, a subject and a Report-ID: letters, digits, "-", "_"
 * and single dots, 253 octets at most. */
bool report_domain_fits(struct str);

void report_mail_head(struct buf *, const struct report_mail *);
/* False: there was no room; call again with what is left. */
bool report_mail_octets(struct base64_writer *, struct str *, struct buf *);
void report_mail_end(struct base64_writer *, struct buf *,
    const struct report_mail *);

#endif
