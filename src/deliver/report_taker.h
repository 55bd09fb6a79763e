/*
 * report_taker.h -- a message at reports.inbox, read and kept.
 *
 * The promise: the report in a message is read by a process that holds nothing
 * (app/report_child.h); what that says is checked, and kept if it is about us
 * (policy/about.h), with what our own checks said of its sender; it is kept once,
 * however often it comes.  Whatever becomes of it is an event, and never a report
 * to its sender, but for what expired in the queue.
 * Not for: mail that is no report.
 * Waiting: yields: disk, the porter, the database's thread.
 * Memory: a copy in a file without a name, and the rows, at most
 * REPORT_FORM_MOST.
 * Errors: in the verdict: DEFERRED while porter or database are not there.
 * Source: RFC 9990 3.1.1, 3.5.1; RFC 8460 5; RFC 5965 4; SECURITY.md row 51.
 */
#ifndef NM_DELIVER_REPORT_TAKER_H
#define NM_DELIVER_REPORT_TAKER_H

#include "deliver/delivery.h"
#include "policy/config.h"

/* False: there is no report in it, and r->verdict says nothing. */
yields bool report_take(struct delivery *, struct delivery_recipient *,
    const struct config *);

#endif
