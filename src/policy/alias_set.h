/*
 * alias_set.h -- the aliases of a domain, read from a file of aliases(5).
 *
 * The promise: each name once, each target what expand.h can follow, taken out of
 * its quotes; :include: files are read here, and within them further ones.  Only
 * a file that nobody but root (or who started the server) may change leads to
 * |commands and /directories/; an included one never does.  What is wrong is
 * told with file, line and column, and none of that file counts then: half an
 * alias would lose mail.
 * Not for: following aliases (expand.h); running commands.
 * Waiting: none.
 * Memory: the configuration's arena.
 * Errors: among the problems; NULL when there is no set.
 * Source: aliases(5); virtual(5); wire/aliases.h; SECURITY.md row 14.
 */
#ifndef NM_POLICY_ALIAS_SET_H
#define NM_POLICY_ALIAS_SET_H

#include "policy/domain.h"
#include "policy/problem.h"
#include "policy/value.h"

enum { ALIAS_TARGETS_MOST = 1000, ALIAS_INCLUDES_DEEP = 8 };

/* is_implied: the file may be absent, and what may not be in it is a warning
 * instead of an error; that alias is left out. */
struct alias_set *alias_set_file(struct value_reader *, struct str path,
    struct place at, bool is_implied);

#endif
