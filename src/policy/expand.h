/*
 * expand.h -- a recipient becomes those it stands for.
 *
 * The promise: aliases are followed to their ends, each end once, however they
 * are nested or loop; an alias that names itself, by whatever name of its domain,
 * means the user of that name, and so does \name.  A domain that is alias_of
 * another is replaced by it, catch-all and roles by their targets.  What is not
 * ours, or a plain user, comes back as it is.  Whatever a list leads to has that
 * list's owner: owner-NAME beside NAME, of the innermost list that has one.
 * Not for: mailing lists with many members (EXPAND_MOST).
 * Waiting: none.
 * Memory: results in the caller's arena.
 * Errors: a verdict that is not DELIVERED: 550 5.1.1 unknown, 550 5.4.6 only a
 * loop, 550 5.2.4 too many results, 452 4.3.1 arena full.
 * Source: aliases(5); RFC 5321 3.9, 3.9.1, 3.9.2; SECURITY.md rows 14, 16.
 */
#ifndef NM_POLICY_EXPAND_H
#define NM_POLICY_EXPAND_H

#include "base/str.h"
#include "wire/disposition.h"

struct arena;
struct config;
struct path;


enum { EXPAND_DEPTH = 32, EXPAND_MOST = 1000 };

struct expansion_end {
	struct str address;		/* mailbox as text; of a transport and of
					 * nobody the alias that leads there */
	struct str transport;		/* "|command", "/path/"; or absent */
	struct str rule;		/* it is discarded, by this rule; or absent */
	struct str owner;		/* reports about it go there; or absent */
};

struct expansion {
	struct verdict verdict;		/* DELIVERED: the list stands */
	size_t n;
	struct expansion_end *to;
	bool is_same;			/* one result, the recipient itself */
	bool is_list;			/* some result has an owner */
};

struct expansion expand(const struct config *, const struct path *rcpt,
    struct arena *);

#endif
