/*
 * dmarc_report_read.h -- aggregate reports of others, while they stream by.
 *
 * The promise: of the XML of RFC 9990, of RFC 7489 and of the drafts before it,
 * cut anywhere, each record is told to a listener as soon as it is whole, and
 * the rest at the end.  Names count without their namespace, words in any case;
 * elements that are not known are passed over, and so are attributes, a <schema>
 * around the report, and what follows it.  There is no document type, so no
 * entity but XML's five; nesting, elements, records, lengths of texts and of
 * tokens have limits.
 * Not for: unpacking (unpack.h), nor for believing what it says.
 * Waiting: none.
 * Memory: expat's parser goes with the arena given; texts lie in it, those of a
 * record until the listener returns.
 * Errors: -1, NULL, and dmarc_report_read_why(); it sticks.  Refused is what is no
 * XML, what lacks what a report must have (org_name or email, report_id, the
 * period, the domain; of a record source_ip and count), and what is beyond the
 * limits.
 * Source: RFC 9990 3.1.1, Appendix A; RFC 7489 Appendix C; SECURITY.md row 51.
 */
#ifndef NM_WIRE_DMARC_REPORT_READ_H
#define NM_WIRE_DMARC_REPORT_READ_H

#include "base/arena.h"
#include "wire/dmarc_report.h"

enum {
	DMARC_READ_DEPTH = 32,
	DMARC_READ_ELEMENTS = 1000 * 1000,
	DMARC_READ_RECORDS = 20 * 1000,
	DMARC_READ_TEXT = 2048,			/* octets of one text */
	DMARC_READ_TOKEN = 64 * 1024,		/* of a tag, a comment */
	DMARC_READ_MEMORY = 256 * 1024		/* of the arena, which suffices */
};

struct dmarc_report_listener {
	/* Not 0: it has no room for more; the report is refused. */
	int (*record)(void *arg, const struct dmarc_report_record *);
	void *arg;
};

struct dmarc_report_read;

/* NULL: no memory. */
struct dmarc_report_read *dmarc_report_read_begin(struct arena *,
    const struct dmarc_report_listener *);
int dmarc_report_read(struct dmarc_report_read *, struct str octets);
/* The document has ended. */
const struct dmarc_report *dmarc_report_read_end(struct dmarc_report_read *);

/* Has its first element the right name? */
bool dmarc_report_read_is_one(const struct dmarc_report_read *);
const char *dmarc_report_read_why(const struct dmarc_report_read *);

#endif
