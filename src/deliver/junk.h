/*
 * junk.h -- the Junk folder of a Maildir.
 *
 * The promise: junk_folder() gives the path of .Junk in a Maildir, as Maildir++
 * has it.  When there is none yet, the user sees it in his client all the same:
 * "Junk" is written into the Maildir's `subscriptions', as Dovecot reads them,
 * once; who unsubscribes from it later stays so.
 * Not for: making its tmp, new and cur (maildir_open() does).
 * Waiting: yields (disk).
 * Memory: the arena.
 * Errors: STR_NONE: no memory.  A folder that nobody subscribed to has its mail
 * nevertheless, so of other troubles nobody is told.
 * Source: Maildir++; RFC 3501 6.3.6; RFC 6154 2.
 */
#ifndef NM_DELIVER_JUNK_H
#define NM_DELIVER_JUNK_H

#include "base/arena.h"
#include "fiber/fiber.h"

enum { JUNK_SUBSCRIPTIONS = 64 * 1024 };	/* octets that are looked at */

yields struct str junk_folder(struct str maildir, struct arena *);

#endif
