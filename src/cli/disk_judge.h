/*
 * disk_judge.h -- does a disk keep what it says that it has?
 *
 * The promise: disk_judge() tells what speaks against it, each with how sure that
 * is; the same place and times give the same findings.
 * Not for: proof.  Nothing that can be measured without cutting the power proves
 * that a disk keeps what it was told to sync.
 * Waiting: none.
 * Memory: none.
 * Errors: none.
 * Source: SECURITY.md B5, threat 43; disk_finding.def.
 */
#ifndef NM_CLI_DISK_JUDGE_H
#define NM_CLI_DISK_JUDGE_H

#include "cli/disk_place.h"
#include "cli/disk_time.h"

enum disk_certainty { DISK_POSSIBLE, DISK_LIKELY, DISK_CERTAIN };

enum disk_finding {
#define FINDING(name, certainty, text, advice) DISK_##name,
#include "cli/disk_finding.def"
#undef FINDING
	DISK_FINDINGS
};

struct disk_verdict {
	bool found[DISK_FINDINGS];
	bool is_warned;			/* one of them is LIKELY or CERTAIN */
	enum disk_certainty worst;
};

struct disk_verdict disk_judge(const struct disk_place *,
    const struct disk_times *);
enum disk_certainty disk_finding_certainty(enum disk_finding);
const char *disk_finding_name(enum disk_finding);
const char *disk_finding_text(enum disk_finding);
const char *disk_finding_advice(enum disk_finding);
const char *disk_certainty_word(enum disk_certainty);

#endif
