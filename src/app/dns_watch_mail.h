/*
 * dns_watch_mail.h -- changes of a domain's DNS, told to the administrator.
 *
 * The promise: after dns_watch_mail() said 0 one mail to admin is kept that says
 * of each change what was found and what to do, and each change was an event.
 * Told again, the mail has the same Message-ID.
 * Not for: deciding what is told (policy/dns_state.h).
 * Waiting: yields (intake).
 * Memory: the caller's arena.
 * Errors: -1 and the trail: nobody was told.
 * Source: RFC 5322; RFC 3834 5.
 */
#ifndef NM_APP_DNS_WATCH_MAIL_H
#define NM_APP_DNS_WATCH_MAIL_H

#include "fiber/fiber.h"
#include "intake/intake.h"
#include "policy/dns_state.h"

yields int dns_watch_mail(struct intake_core *, const struct config *,
    struct str domain, const struct dns_change *, size_t n, struct arena *);

#endif
