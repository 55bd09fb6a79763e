/*
 * problem.h -- what is wrong with a configuration, shown where it stands.
 *
 * The promise: problems are kept in the order of file and line, several a run,
 * and printed in the compilers' form, so that editors jump to them:
 *	t.yaml:3:3: error: unknown key 'queue.retri'; did you mean 'retry'?
 *	  retri: [5m, 15m]
 *	  ^~~~~
 * A problem that stands nowhere (a default, the command line) has no line and
 * prints without excerpt.
 * Not for: troubles of the machine (err.h).
 * Waiting: none.
 * Memory: texts live in the arena of the list; at most PROBLEMS_MOST are kept,
 * the rest is counted.
 * Errors: a full arena loses the problem's text but not its count.
 * Source: PRODUCT.md B.2 (levels), B.3 (form).
 */
#ifndef NM_POLICY_PROBLEM_H
#define NM_POLICY_PROBLEM_H

#include "base/arena.h"
#include "base/buf.h"

enum problem_level { PROBLEM_ERROR, PROBLEM_WARNING, PROBLEM_HINT,
	PROBLEM_LEVELS };

enum { PROBLEMS_MOST = 100 };

/* A place in a file; line 0: nowhere. */
struct place {
	struct str file;
	struct str line_text;		/* the whole line, without its end */
	unsigned line, column;		/* from 1; column in characters */
	unsigned width;			/* characters to underline */
};

struct problem {
	enum problem_level level;
	struct place at;
	struct str text;
};

struct problems {
	struct arena arena;
	size_t n;			/* kept */
	size_t counts[PROBLEM_LEVELS];	/* found */
	struct problem *list;		/* NULL before the first */
};

void problems_init(struct problems *);
void problems_clear(struct problems *);

void problem_add(struct problems *, enum problem_level, struct place,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* Printed into out, one after the other, each ending in a newline. */
void problems_print(const struct problems *, struct buf *out);
const char *problem_level_name(enum problem_level);

#endif
