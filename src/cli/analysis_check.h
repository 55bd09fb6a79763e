/*
 * analysis_check.h -- would a large receiver take this message?
 *
 * The promise: each rule of analysis_rule.def is answered once, with a sentence
 * of what is so, and where it is not as it should be, with one that mends it.
 * Not for: finding things out (analysis.h), printing (analysis_show.h).
 * Waiting: none.
 * Memory: sentences are in the analysis' arena.
 * Errors: none; without memory a sentence is empty.
 * Source: analysis_rule.def; RFC 5322 2.1.1, 3.6; RFC 8058 3, 4; RFC 8301 3.2;
 * RFC 9989; RFC 5321 2.3.5.
 */
#ifndef NM_CLI_ANALYSIS_CHECK_H
#define NM_CLI_ANALYSIS_CHECK_H

#include "cli/analysis.h"

enum analysis_rule {
#define RULE(name, who, what) ANALYSIS_##name,
#include "cli/analysis_rule.def"
#undef RULE
	ANALYSIS_RULES
};

enum analysis_mark {
	ANALYSIS_GOOD,			/* ✓ */
	ANALYSIS_FAIR,			/* ~ it could be better, or is not known */
	ANALYSIS_BAD			/* ✖ */
};
const char *analysis_mark_name(enum analysis_mark);	/* "good" */

struct analysis_answer {
	const char *name, *who, *what;
	enum analysis_mark mark;
	struct str is;			/* what was found */
	struct str mend;		/* n == 0: nothing to mend */
};

void analysis_check(const struct analysis *, struct wall now,
    struct analysis_answer out[ANALYSIS_RULES]);

#endif
