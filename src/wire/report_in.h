/*
 * report_in.h -- the report within a message that streams by.
 *
 * The promise: of a message cut anywhere, the first report in it that can be
 * read: an aggregate report (XML), a report of TLS (JSON), packed or not, as an
 * attachment of whatever declared type or as the message's body itself; or a
 * feedback report (its type must be declared).  A message within the message is
 * not looked into, but for what a feedback report is about.
 * Not for: processes that hold anything: what is read here was packed by
 * strangers (app/report_child.h).
 * Waiting: none.
 * Memory: REPORT_IN_MEMORY of the arena given, besides what expat and jansson
 * take; records are told to the listener while they are read, so nothing grows
 * with their number.
 * Errors: REPORT_IN_NONE: there is no report in it.  REPORT_IN_BROKEN: there was
 * something meant to be one; `why' says what is wrong.
 * Source: RFC 9990 3.2; RFC 8460 5; RFC 5965 2; RFC 2045; SECURITY.md rows 28,
 * 51.
 */
#ifndef NM_WIRE_REPORT_IN_H
#define NM_WIRE_REPORT_IN_H

#include "wire/arf.h"
#include "wire/dmarc_report_read.h"
#include "wire/mime.h"
#include "wire/tls_rpt_read.h"
#include "wire/unpack.h"

enum {
	REPORT_IN_PACKED_MOST = 50,	/* parts that are unpacked */
	REPORT_IN_RESULTS = 8 * 1024,	/* octets of Authentication-Results */
	REPORT_IN_WHY = 200,
	REPORT_IN_MEMORY = MIME_ARENA + UNPACK_MEMORY + DMARC_READ_MEMORY +
	    TLS_READ_OCTETS + TLS_READ_MEMORY + ARF_MEMORY + HEADER_ARENA +
	    256 * 1024
};

enum report_in_kind {
	REPORT_IN_NONE, REPORT_IN_BROKEN, REPORT_IN_DMARC, REPORT_IN_TLS,
	REPORT_IN_FEEDBACK
};

struct report_in_listener {
	/* Not 0: there is no room for more. */
	int (*record)(void *arg, const struct dmarc_report_record *);
	int (*policy)(void *arg, const struct tls_rpt_policy *,
	    const struct tls_rpt_failure *);
	/* What was told so far belongs to no report. */
	void (*forget)(void *arg);
	void *arg;
};

struct report_in {
	enum report_in_kind kind;
	char why[REPORT_IN_WHY];	/* BROKEN */
	struct dmarc_report dmarc;
	struct tls_rpt tls;
	struct arf arf;
	struct str results;		/* the topmost Authentication-Results */
	struct str from;		/* the message's From, on one line */
	struct str message_id;
};

struct report_in_read;

struct report_in_read *report_in_begin(struct arena *,
    const struct report_in_listener *);			/* NULL: no memory */
void report_in_take(struct report_in_read *, struct str octets);
const struct report_in *report_in_end(struct report_in_read *);

#endif
