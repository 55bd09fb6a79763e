/*
 * tls_report.h -- what TLS reports are made of, told as it happens.
 *
 * The promise: tls_report_tell() writes one event for each connection to another
 * server that was asked for TLS, or that was not made because its domain's own
 * policy forbids it; from these events a day's report is made (cli/tls_commands).
 * Not for: connections that failed before TLS was spoken of (RFC 8460 4.3.4).
 * Waiting: none.
 * Memory: none kept.
 * Errors: none.
 * Source: RFC 8460 4.2, 4.3.
 */
#ifndef NM_DELIVER_TLS_REPORT_H
#define NM_DELIVER_TLS_REPORT_H

#include "fiber/net.h"
#include "intake/intake.h"
#include "trust/tls_demand.h"

struct tls_report {
	const struct tls_demand *demand;
	const struct tls_judgment *judgment;	/* NULL: it was not made */
	struct str relay;		/* "mx.example[192.0.2.1]:25" */
	const struct address *self;	/* ours; NULL: not known */
};

void tls_report_tell(struct intake_core *, const struct tls_report *);

#endif
