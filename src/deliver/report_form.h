/*
 * report_form.h -- rows of a report as octets, from process to process.
 *
 * The promise: what report_form_put() wrote, report_form_next() gives back; it
 * believes nothing: lengths, numbers, kinds of rows and texts are checked, and
 * what does not fit to the octet is refused.
 * Not for: storage; both sides are one binary.
 * Waiting: none.
 * Memory: texts are slices of the form.
 * Errors: false, -1.
 * Source: the format stands at the top of report_form.c.
 */
#ifndef NM_DELIVER_REPORT_FORM_H
#define NM_DELIVER_REPORT_FORM_H

#include "deliver/report_row.h"

enum {
	REPORT_FORM_MOST = 8 * 1024 * 1024,
	REPORT_FORM_ROW = 1 + REPORT_COLUMNS * (2 + REPORT_TEXT)
};

/* False, and nothing written, when there is no room. */
bool report_form_put(struct buf *, enum report_rows, const struct report_row *);

/* The next off the front: 1, 0 at the end, -1 when it is none. */
int report_form_next(struct str *form, enum report_rows *,
    struct report_row *out);

#endif
