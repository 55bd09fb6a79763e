/*
 * report_where.h -- where a domain wants its reports.
 *
 * The promise: report_where() asks the DNS anew and gives the mailboxes and
 * addresses of the web that a report may go to: of DMARC those that the record
 * names and that agree (RFC 9990 4), of TLS those that the record at _smtp._tls
 * names.  Whoever was left out is told in `why'.
 * Not for: deciding whether there is anything to report.
 * Waiting: yields, for the DNS, REPORT_WHERE_S at most.
 * Memory: the arena.
 * Errors: is_later: the DNS did not tell, another time it may.
 * Source: RFC 9990 3.4, 3.5, 4; RFC 8460 3; RFC 9989 4.7.
 */
#ifndef NM_APP_REPORT_WHERE_H
#define NM_APP_REPORT_WHERE_H

#include "base/arena.h"
#include "fiber/fiber.h"
#include "wire/report_mail.h"

enum { REPORT_WHERE_S = 30, REPORT_WHERE_QUESTIONS = 64, REPORT_WHERE_URLS = 4,
	REPORT_WHERE_WHY = 800 };

struct report_where {
	struct str to[REPORT_MAIL_TO];	/* mailboxes */
	uint64_t most[REPORT_MAIL_TO];	/* octets that each takes; 0: not said */
	size_t n_to;
	struct str urls[REPORT_WHERE_URLS];	/* https: of TLS alone */
	size_t n_urls;
	bool is_later;
	char why[REPORT_WHERE_WHY];	/* "": all that are named are there */
};

/* NULL: no memory. */
yields struct report_where *report_where(enum report_kind, struct str domain,
    struct arena *);

#endif
