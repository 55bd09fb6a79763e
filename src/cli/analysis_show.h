/*
 * analysis_show.h -- an analysis, for people and for programs.
 *
 * The promise: everything that an analysis found is shown, as lines or as one
 * JSON object; what a message says of itself can move no cursor.  Fields longer
 * than ANALYSIS_FIELD octets are cut.
 * Not for: finding it (analysis.h, analysis_check.h).
 * Waiting: none; standard output.
 * Memory: the command's arena.
 * Errors: an exit status.
 * Source: PRODUCT.md C.
 */
#ifndef NM_CLI_ANALYSIS_SHOW_H
#define NM_CLI_ANALYSIS_SHOW_H

#include "cli/analysis_check.h"
#include "cli/cli.h"

enum { ANALYSIS_FIELD = 4096 };

struct analysis_shown {
	const struct analysis *analysis;
	const struct analysis_answer *answers;	/* ANALYSIS_RULES */
};

int analysis_print(struct cli *, const struct analysis_shown *);
int analysis_json(struct cli *, const struct analysis_shown *);

#endif
