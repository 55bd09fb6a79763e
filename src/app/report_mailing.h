/*
 * report_mailing.h -- one report on its way to a domain.
 *
 * The promise: report_mailing() packs the report of a domain, finds out where it
 * is wanted, and hands it to intake as a message of stream `reports' that is given
 * up after a day and of which nobody is told; or, of TLS and where no mailbox is
 * named, to the first address of the web that takes it.  `keeping' is called with
 * the message's id when all of it is there and nothing is kept yet.
 * Not for: which domains, and when (report_post.h).
 * Waiting: yields: the DNS, the disk, others' web servers.
 * Memory: REPORT_MAILING_MEMORY, for the call; what is told is in the struct.
 * Errors: REPORT_LATER: another time it may go; REPORT_FAILED: it will not.
 * Source: RFC 9990 3.5; RFC 8460 3, 5; RFC 3461 4.1 (NEVER).
 */
#ifndef NM_APP_REPORT_MAILING_H
#define NM_APP_REPORT_MAILING_H

#include "app/report_day.h"
#include "app/report_where.h"
#include "intake/intake.h"

enum report_end {
	REPORT_SENT,
	REPORT_NOBODY,			/* nobody wants it, or may have it */
	REPORT_LATER,
	REPORT_FAILED
};
const char *report_end_name(enum report_end);	/* "sent" */

enum { REPORT_MAILING_MEMORY = 64 * 1024 * 1024,
	REPORT_PACKED_MOST = 20 * 1024 * 1024,
	REPORT_TEXT_MOST = REPORT_WHERE_WHY + 400 };

struct report_mailing {
	struct intake_core *intake;
	const struct config *config;
	const struct reporter *by;
	struct report_day *day;
	size_t i;
	bool is_dry;			/* look only: nothing is kept or sent */
	/* -1: do not keep it.  NULL: nobody asks. */
	yields int (*keeping)(void *arg, uint64_t id);
	void *arg;
	/* What came of it. */
	enum report_end end;
	uint64_t id;			/* of the message; 0: none */
	size_t octets;			/* packed */
	char to[1200];			/* where it goes: "a@b.example, ..." */
	char text[REPORT_TEXT_MOST];	/* whatever there is to say; "": nothing */
};

yields void report_mailing(struct report_mailing *);

#endif
