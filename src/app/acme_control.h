/*
 * acme_control.h -- certificates for the control socket.
 *
 * The promise: struct control_tls is what http/ may ask about certificates.
 * Not for: anyone but worker.c.
 * Waiting: its verbs yield as theirs do.
 * Memory: none.
 * Errors: theirs.
 * Source: http/control.h.
 */
#ifndef NM_APP_ACME_CONTROL_H
#define NM_APP_ACME_CONTROL_H

#include "app/acme.h"
#include "http/control.h"

struct control_tls acme_control(struct acme *);

#endif
