/*
 * report.h -- reports that others sent about our domains, as they are kept.
 *
 * The promise: a report is kept whole, with its rows, or not at all; one with
 * the same kind, domain, organization and id is kept once, and apart from it one
 * whose sender was not proven, so that nobody puts a false one in the place of a
 * true one.  What was received before an instant goes with its rows.
 * Not for: reading reports (wire/report_in.h); whether they are to be believed.
 * Waiting: none yields, all block, as database.h.
 * Memory: rows are slices of the question's arena.
 * Errors: as database.h; DATABASE_TAKEN: it is kept already.
 * Source: RFC 9990 3.5.1 (ids and duplicates); RFC 8460 5.3.
 */
#ifndef NM_STORE_REPORT_H
#define NM_STORE_REPORT_H

#include "base/arena.h"
#include "base/instant.h"
#include "store/database.h"

enum { REPORT_COLUMNS = 14 };

enum report_kind { REPORT_OF_DMARC, REPORT_OF_TLS, REPORT_OF_FAILURE,
	REPORT_KINDS };

/* Rows of a kind, or the heads of all reports. */
enum report_rows { REPORT_ROWS_DMARC, REPORT_ROWS_TLS, REPORT_ROWS_FAILURE,
	REPORT_HEADS, REPORT_ROWS_KINDS };

struct report_column { const char *name; bool is_number; };
const struct report_column *report_columns(enum report_rows, size_t *n);
const char *report_kind_name(enum report_kind);

/* The place of each column, by name: v[REPORT_DMARC_source].text. */
struct report_row {
	struct { int64_t number; struct str text; } v[REPORT_COLUMNS];
};

enum report_head_column {
#define HEAD(form, name) REPORT_HEAD_##name,
#define DMARC(form, name)
#define TLS(form, name)
#define FAILURE(form, name)
#include "store/report.def"
#undef HEAD
#undef DMARC
#undef TLS
#undef FAILURE
	REPORT_HEAD_COLUMNS
};

enum report_dmarc_column {
#define HEAD(form, name)
#define DMARC(form, name) REPORT_DMARC_##name,
#define TLS(form, name)
#define FAILURE(form, name)
#include "store/report.def"
#undef HEAD
#undef DMARC
#undef TLS
#undef FAILURE
	REPORT_DMARC_COLUMNS
};

enum report_tls_column {
#define HEAD(form, name)
#define DMARC(form, name)
#define TLS(form, name) REPORT_TLS_##name,
#define FAILURE(form, name)
#include "store/report.def"
#undef HEAD
#undef DMARC
#undef TLS
#undef FAILURE
	REPORT_TLS_COLUMNS
};

enum report_failure_column {
#define HEAD(form, name)
#define DMARC(form, name)
#define TLS(form, name)
#define FAILURE(form, name) REPORT_FAILURE_##name,
#include "store/report.def"
#undef HEAD
#undef DMARC
#undef TLS
#undef FAILURE
	REPORT_FAILURE_COLUMNS
};

/* next() gives a row: 1; 0 beyond the last; -1 ends all with nothing kept. */
int report_add(struct database *, enum report_kind,
    const struct report_row *head, int (*next)(void *arg, struct report_row *),
    void *arg);

/* What was received since then about a domain (n == 0: any), largest or latest
 * first, at most REPORT_LIST_MOST.  Rows that are the same but for their counts
 * are one.  Of heads *kind is whose; of others what was asked for. */
enum { REPORT_LIST_MOST = 10000 };
int report_list(struct database *, enum report_rows, struct str domain,
    struct wall since, struct arena *, int (*each)(void *arg,
    enum report_kind, const struct report_row *), void *arg);

/* Forget what was received before. */
int report_expire(struct database *, struct wall before);

#endif
