/*
 * advice.h -- what is allowed but hardly meant: warnings and hints.
 *
 * The promise: a configuration without errors is looked at with an operator's
 * eyes; what would lose mail, open the relay or never take effect is told.
 * Not for: errors (value.h, finish.h).
 * Waiting: none.
 * Memory: the problems'.
 * Errors: none.
 * Source: PRODUCT.md B.2 (levels of check-config); RFC 5321 4.5.3.1.8, 4.5.4.1.
 */
#ifndef NM_POLICY_ADVICE_H
#define NM_POLICY_ADVICE_H

#include "policy/config.h"

void advice_give(const struct config *, struct problems *);

#endif
