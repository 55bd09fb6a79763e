/*
 * alias_set.h -- the aliases of a domain, read from a file of aliases(5).
 *
 * The promise: each name once, each target a mailbox or a local part, taken out
 * of its quotes; :include: files are read here.  |commands and /files are told
 * and their alias is left out whole: half an alias would lose mail.
 * Not for: following aliases (expand.h).
 * Waiting: none.
 * Memory: the configuration's arena.
 * Errors: among the problems; NULL when there is no set.
 * Source: aliases(5); wire/aliases.h; SECURITY.md row 14.
 */
#ifndef NM_POLICY_ALIAS_SET_H
#define NM_POLICY_ALIAS_SET_H

#include "policy/domain.h"
#include "policy/value.h"

enum { ALIAS_TARGETS_MOST = 1000 };

/* is_implied: the file may be absent, and what is not in this version is a
 * warning instead of an error. */
struct alias_set *alias_set_file(struct value_reader *, struct str path,
    struct place at, bool is_implied);

#endif
