/*
 * pipe.h -- a command as configured: words without a shell.
 *
 * The promise: a command was cut into words once, when it was read: its program
 * is an absolute path without variables, and each ${variable} stays within the
 * word it stands in, whatever it holds.  No word that begins with a variable
 * ever begins with '-': such mail is refused, since a program would take an
 * address for an option.
 * Not for: running it (app/porter), or who may name one (alias_set.c).
 * Waiting: none.
 * Memory: the arena given.
 * Errors: a sentence why; NULL: none.
 * Source: the quoting is our own: white space parts words; '...' is literal;
 * in "..." a backslash takes the meaning of " \ and $; outside of quotes it
 * takes that of any octet.  SECURITY.md row 14.
 */
#ifndef NM_POLICY_PIPE_H
#define NM_POLICY_PIPE_H

#include "policy/value.h"

enum { PIPE_MOST = 1000, PIPE_WORDS = 64, PIPE_PARTS = 256 };

enum pipe_var {
#define PIPE_VAR(name_, doc_) PIPE_##name_,
#include "policy/pipe.def"
#undef PIPE_VAR
	PIPE_VARS,
	PIPE_TEXT = PIPE_VARS
};

struct pipe_part {
	enum pipe_var var;		/* or PIPE_TEXT: text */
	bool begins;			/* a word */
	struct str text;
};

struct pipe {
	struct str text;		/* as configured */
	size_t n_words, n;
	struct pipe_part *parts;
};

/* NULL, or why it is no command. */
const char *pipe_parse(struct pipe *, struct str text, struct arena *);

/* The words, for execve(): argv has room for PIPE_WORDS + 1.  NULL, or why this
 * message cannot be given to it. */
const char *pipe_words(const struct pipe *, const struct str values[PIPE_VARS],
    struct arena *, const char *argv[]);

/* A value of the configuration. */
bool pipe_read(struct value_reader *, const struct schema *,
    const struct node *, struct pipe **out);

#endif
