/*
 * idna.h -- domain names beyond ASCII become A-labels.
 *
 * The promise: idna_ascii() gives the one form by which a domain is looked up
 * and compared: ASCII in lower case, U-labels mapped (case, NFC), checked by
 * IDNA2008 and written as A-labels.  What is ASCII already is only lowered.
 * Not for: local parts, which have no such form.
 * Waiting: none; libidn2 takes memory, and 3.3 KiB of stack.
 * Memory: writes into the caller's buffer.
 * Errors: false when it is no such domain, or does not fit.
 * Source: RFC 5890 2.3; RFC 5891 5; RFC 6531 3.2; UTS 46 (nontransitional).
 */
#ifndef NM_WIRE_IDNA_H
#define NM_WIRE_IDNA_H

#include "wire/address.h"

bool idna_ascii(struct str domain, struct buf *out);

/* The same mailbox, with its domain in that form; written to out (MAILBOX_ROOM)
 * when it was not ASCII.  The local part stays as it is. */
enum { MAILBOX_ROOM = LOCAL_MOST + 2 + DOMAIN_MOST };
bool idna_mailbox(struct mailbox *, struct buf *out);

#endif
