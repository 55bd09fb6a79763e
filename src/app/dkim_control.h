/*
 * dkim_control.h -- keys of DKIM for the control socket.
 *
 * The promise: struct control_dkim is what http/ may ask about them.
 * Not for: anyone but worker.c.
 * Waiting: its verbs yield as theirs do.
 * Memory: none.
 * Errors: theirs.
 * Source: http/control.h.
 */
#ifndef NM_APP_DKIM_CONTROL_H
#define NM_APP_DKIM_CONTROL_H

#include "app/dkim.h"
#include "http/control.h"

struct control_dkim dkim_control(struct dkim *);

#endif
