/*
 * report_post.h -- each day's reports to other domains go out once.
 *
 * The promise: when a UTC day is over, between ten minutes and four hours later,
 * its kept events are made into reports of one kind, and each domain gets its own
 * once, those with most mail first, reports.*.most at most; those that failed for
 * now are tried again twice, an hour apart, and then no more.  What was sent
 * stands on disk before and behind each message, so that neither a crash nor a
 * stop repeats one or forgets the day: days that were missed are made up for, three
 * at most.  Each domain's end is an event.
 * Not for: reports to senders (deliver/bounce.h).
 * Waiting: report_post_start(), _stop() and the verbs of control yield; between
 * them a fiber of core 0 works.
 * Memory: REPORT_MAILING_MEMORY and the tallies' for as long as it works.
 * Errors: told as an event, and tried again an hour later.
 * Source: RFC 9990 3.5; RFC 8460 4.1, 5.5; SECURITY.md rows 15, 31.
 */
#ifndef NM_APP_REPORT_POST_H
#define NM_APP_REPORT_POST_H

#include "app/report_mark.h"
#include "fiber/permit.h"
#include "policy/holder.h"
#include "wire/report_mail.h"

struct intake_core;

enum { REPORT_EARLIEST_S = 600, REPORT_SPREAD_S = 14400,
	REPORT_TRIES = 3, REPORT_DAYS = 3 };

struct report_post {
	enum report_kind kind;
	struct intake_core *intake;	/* of core 0 */
	struct config_holder *holder;
	struct hash_key key;
	struct report_mark mark;
	struct permit turn;		/* one pass at a time */
	struct fiber *fiber;
	bool is_running, is_closing;
	bool begun_is_kept;		/* the message that a crash interrupted */
};

/* After recovery, and before anything is delivered. */
yields int report_post_start(struct report_post *);
yields void report_post_stop(struct report_post *);

/* For the control socket. */
struct report_ask {
	enum { REPORT_ASK_LOOK, REPORT_ASK_DOCUMENT, REPORT_ASK_SEND } verb;
	struct str day, domain;		/* as in http/control.h */
	yields int (*give)(void *to, struct str);
	void *to;
};
yields int report_post_ask(struct report_post *, const struct report_ask *);

#endif
