/*
 * report_control.h -- what the control socket asks of reports to other domains.
 *
 * The promise: report_control() connects the control socket with the posts of
 * both kinds.
 * Not for: reports to senders.
 * Waiting: what it gives yields.
 * Memory: the posts are borrowed for as long as the control socket is open.
 * Errors: of report_post_ask().
 * Source: http/control.h.
 */
#ifndef NM_APP_REPORT_CONTROL_H
#define NM_APP_REPORT_CONTROL_H

#include "app/report_post.h"
#include "http/control.h"

/* posts: by enum report_kind. */
struct control_reports report_control(struct report_post *posts);

#endif
