/*
 * cage.h -- which directories a worker keeps.
 *
 * The promise: cage_enter() lays the sandbox so that the worker writes only in
 * the spool, below the fixed part of each Maildir template, in the homes of
 * mailbox owners who have its own uid, and beside its log file; and in the
 * database's directory, if it was not there to be opened before.  Those
 * directories are made first.  What a reload names later is not among them: it
 * needs a restart.
 * Not for: the rules themselves (sandbox.h).
 * Waiting: blocks; call it before the cores run.
 * Memory: an arena for the length of the call.
 * Errors: -1 and the trail.
 * Source: DESIGN.md section 7.
 */
#ifndef NM_APP_CAGE_H
#define NM_APP_CAGE_H

#include "policy/config.h"

/* is_laid: else the directories are made, and no rule is laid.  has_database: it
 * is open. */
int cage_enter(const struct config *, bool is_laid, bool has_database);

#endif
