/*
 * report_row.h -- what was read of a report, as it is kept.
 *
 * The promise: the rows of store/report.h out of what wire/ reads: every text is
 * printable UTF-8 of at most REPORT_TEXT octets, whatever the report had.
 * Not for: reading (wire/report_in.h), keeping (store/report.h).
 * Waiting: none.
 * Memory: texts lie in the arena given.
 * Errors: -1: no memory.
 * Source: RFC 9990 3.1.1; RFC 8460 4.4; RFC 6591 3; RFC 9991 4.
 */
#ifndef NM_DELIVER_REPORT_ROW_H
#define NM_DELIVER_REPORT_ROW_H

#include "store/report.h"
#include "wire/report_in.h"

enum { REPORT_TEXT = 2048 };

int report_row_record(struct report_row *, const struct dmarc_report_record *,
    struct arena *);
/* failure NULL: the policy alone. */
int report_row_policy(struct report_row *, const struct tls_rpt_policy *,
    const struct tls_rpt_failure *, struct arena *);
int report_row_feedback(struct report_row *, const struct arf *,
    struct arena *);

/* The head of what is a report; the domain is the caller's where it is TLS's,
 * whose policies have one each. */
int report_row_head(struct report_row *, const struct report_in *,
    struct arena *);

/* May a text be kept as it is? */
bool report_row_text_fits(struct str);

#endif
