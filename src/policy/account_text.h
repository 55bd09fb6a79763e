/*
 * account_text.h -- rights of an account as a line of text.
 *
 * The promise: what people write behind an option, and what stands in a column
 * of the database, becomes the struct of account.h, or is refused:
 *	senders   "bob@a.example @b.example"
 *	networks  "192.0.2.0/24 2001:db8::/32"
 *	limits    "messages_per_hour=100 bytes_per_day=1G"
 * Parts are separated by spaces or commas; no text says nothing.
 * Not for: the configuration file (value.h).
 * Waiting: none.
 * Memory: the arena's.
 * Errors: -1 and the trail, in words for who wrote it.
 * Source: policy/account.h; conf.def, accounts.*.
 */
#ifndef NM_POLICY_ACCOUNT_TEXT_H
#define NM_POLICY_ACCOUNT_TEXT_H

#include "policy/account.h"

int account_text_senders(struct arena *, struct str, struct conf_strings *);
int account_text_networks(struct arena *, struct str, struct conf_networks *);
int account_text_limits(struct str, struct quota limits[ACCOUNT_MEASURES]);

#endif
