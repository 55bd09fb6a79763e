/*
 * aliases.h -- the grammar of aliases(5).
 *
 * The promise: a file comes apart into names and their targets: addresses,
 * :include: files, |commands and /files, each recognised as its kind, quoted or
 * not, over continuation lines and between comments.
 * Not for: following anything: what a kind may do is policy's to say.
 * Waiting: none.
 * Memory: slices of the file's text; alias_unquote() writes into a buffer.
 * Errors: an alias with `why' set; the walk goes on behind it.
 * Source: Postfix aliases(5); sendmail's.
 */
#ifndef NM_WIRE_ALIASES_H
#define NM_WIRE_ALIASES_H

#include "base/buf.h"

enum alias_kind {
	ALIAS_ADDRESS,			/* "bob" or "bob@example.org" */
	ALIAS_INCLUDE,			/* :include:/file; text is the file */
	ALIAS_COMMAND,			/* |command; text is the command */
	ALIAS_FILE,			/* /file */
	ALIAS_BAD
};

struct aliases {
	struct str rest;
	unsigned line;			/* of what was handed out, from 1 */
	unsigned next_line;
};

struct alias {
	struct str name;		/* may be quoted: alias_unquote() */
	struct str targets;		/* walk with alias_target() */
	unsigned line;
	const char *why;		/* NULL: fine */
};

struct alias_target {
	enum alias_kind kind;
	struct str text;		/* without :include:, | or \bob's \ */
	bool quoted;			/* text was between quotes: unquote */
	bool is_final;			/* \bob: no alias of his counts */
};

void aliases_begin(struct aliases *, struct str file);
bool aliases_next(struct aliases *, struct alias *out);
/* The next target off the front of *targets; false at the end. */
bool alias_target(struct str *targets, struct alias_target *out);
/* An included file is a list of targets, on lines and between commas: what
 * alias_target() goes through, from its first target on. */
struct str alias_list(struct str file);
/* Without the quotes around and the backslashes before characters. */
void alias_unquote(struct str raw, struct buf *out);

#endif
