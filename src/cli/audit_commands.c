/* audit_commands.c -- audit: the law of outcomes, proven over the spools. */
#include "base/err.h"
#include "base/json.h"
#include "cli/cli.h"
#include "cli/files.h"
#include "fiber/core.h"
#include "policy/config.h"
#include "spool/audit.h"
#include "spool/outcome.h"
#include "spool/spool.h"

#include <stdio.h>
#include <sysexits.h>
#include <unistd.h>

enum { LINE = 1024 };

struct auditing {
	struct cli *cli;
	struct str *spools;		/* directories */
	size_t n, i;			/* how many, and which now */
	struct audit audit;
	bool shows_progress, has_progress;	/* on a terminal */
	enum spool_trouble trouble;
	char why[ERR_ROOM];
};

/* ---- which spools ---- */

static bool
spools_match(struct cli *c, struct auditing *a, struct str dir,
    const char *pattern)
{
	size_t cut = sizeof "/superblock" - 1;

	if (files_source.glob(&files_source, arena_join(&c->arena, dir,
	    str_of(pattern)), &c->arena, &a->spools, &a->n) != SOURCE_FOUND)
		return false;
	for (size_t i = 0; i < a->n; i++)
		a->spools[i] = arena_copy(&c->arena, str_sub(a->spools[i], 0,
		    a->spools[i].n - cut));
	return a->n > 0;
}

/* One spool, or a directory of them, as spool.path is. */
static bool
spools_find(struct cli *c, struct auditing *a)
{
	struct problems problems;
	struct config *conf;
	struct str dir = c->spool;

	if (dir.p == NULL) {
		problems_init(&problems);
		conf = config_load(&files_source, cli_config_path(c),
		    &problems);
		problems_clear(&problems);
		if (conf == NULL)
			return false;
		dir = arena_copy(&c->arena, conf->spool.path);
		config_free(conf);
	}
	c->spool = dir;
	return spools_match(c, a, dir, "/superblock") ||
	    spools_match(c, a, dir, "/[0-9]*/superblock");
}

/* ---- telling ---- */

static void
progress_wipe(struct auditing *a)
{
	if (a->has_progress)
		fprintf(stderr, "\r\033[K");
	a->has_progress = false;
}

static void
progress_show(struct audit *audit)
{
	struct auditing *a = audit->owner;

	if (!a->shows_progress)
		return;
	fprintf(stderr, "\rspool %zu of %zu: segment %llu of %llu, %llu records"
	    "\033[K", a->i + 1, a->n, (unsigned long long)audit->segments_read,
	    (unsigned long long)audit->segments,
	    (unsigned long long)audit->records);
	a->has_progress = true;
}

static void
breach_json(const struct auditing *a, uint64_t segment, uint64_t at,
    struct str text)
{
	char room[LINE];
	struct buf b = BUF_OF(room);
	struct json j;

	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_cut(&j, "spool", a->spools[a->i], 256);
	json_put_u64(&j, "segment", segment);
	json_put_u64(&j, "offset", at);
	json_put_cut(&j, "text", text, 256);
	json_end_object(&j);
	printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
}

static void
breach_tell(struct audit *audit, uint64_t segment, uint64_t at,
    struct str text)
{
	struct auditing *a = audit->owner;

	progress_wipe(a);
	if (a->cli->json)
		breach_json(a, segment, at, text);
	else
		printf(STR_FMT " %llu:%llu " STR_FMT "\n",
		    STR_ARG(a->spools[a->i]), (unsigned long long)segment,
		    (unsigned long long)at, STR_ARG(text));
}

static void
sums_json(const struct audit *a)
{
	const struct ledger_totals *t = &a->totals;
	char room[LINE];
	struct buf b = BUF_OF(room);
	struct json j;

	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_u64(&j, "messages", t->messages);
	json_put_u64(&j, "recipients", t->recipients);
	json_put_u64(&j, "queued", t->queued);
	json_put_u64(&j, "held", t->held);
	for (unsigned i = 1; i < LEDGER_KINDS; i++)
		json_put_u64(&j, outcome_word((enum outcome_kind)i),
		    t->ended[i]);
	json_put_u64(&j, "ended_before", t->ended_before);
	json_put_u64(&j, "earlier", t->earlier);
	json_put_u64(&j, "segments", a->segments);
	json_put_u64(&j, "records", a->records);
	json_put_u64(&j, "damaged", a->damaged);
	json_put_u64(&j, "breaches", t->breaches);
	json_put_bool(&j, "in_use", a->is_in_use);
	json_end_object(&j);
	printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
}

static void
sum_print(const char *what, uint64_t n)
{
	if (n > 0)
		printf("%12llu %s\n", (unsigned long long)n, what);
}

static void
sums_print(const struct audit *a)
{
	const struct ledger_totals *t = &a->totals;

	printf("%12llu recipients of %llu messages were accepted:\n",
	    (unsigned long long)t->recipients, (unsigned long long)t->messages);
	sum_print("queued", t->queued);
	sum_print("held", t->held);
	for (unsigned i = 1; i < LEDGER_KINDS; i++)
		sum_print(outcome_word((enum outcome_kind)i), t->ended[i]);
	sum_print("ended in a part of the log that is gone", t->ended_before);
	if (t->earlier > 0)
		printf("%12llu more ends are of messages whose acceptance is "
		    "gone from the log\n", (unsigned long long)t->earlier);
	if (t->breaches == 0 && a->damaged == 0)
		printf("Each is in exactly one state.\n");
	else
		printf("%llu breaches of the law of outcomes, %llu damaged "
		    "places.\n", (unsigned long long)t->breaches,
		    (unsigned long long)a->damaged);
}

/* ---- the whole ---- */

static yields void
audit_all(void *arg)
{
	struct auditing *a = arg;
	bool was_in_use = false;

	for (a->i = 0; a->i < a->n && a->trouble == SPOOL_FINE; a->i++) {
		a->trouble = spool_audit(a->spools[a->i].p, &a->audit);
		was_in_use |= a->audit.is_in_use;
	}
	a->audit.is_in_use = was_in_use;
	snprintf(a->why, sizeof a->why, "%s", err_text());
}

int
command_audit(struct cli *c)
{
	struct auditing a = { .cli = c, .audit.tell = breach_tell,
		.audit.progress = progress_show,
		.shows_progress = isatty(STDERR_FILENO) != 0 };

	a.audit.owner = &a;
	if (c->n_words > 0)
		return cli_usage("audit");
	if (!spools_find(c, &a) && c->spool.p == NULL)
		return cli_fail(EX_CONFIG, "the configuration is refused; "
		    "nightmail check-config says why, --spool goes without it");
	if (a.n == 0)
		return cli_fail(EX_NOINPUT, STR_FMT ": there is no spool, or "
		    "it may not be read", STR_ARG(c->spool));
	if (core_run_all(1, audit_all, &a) != 0)
		return cli_fail(EX_OSERR, "%s", err_text());
	progress_wipe(&a);
	if (a.trouble != SPOOL_FINE)
		return cli_fail(a.trouble == SPOOL_DISK ? EX_IOERR : EX_CONFIG,
		    "%s", a.why);
	if (c->json)
		sums_json(&a.audit);
	else
		sums_print(&a.audit);
	return a.audit.totals.breaches > 0 || a.audit.damaged > 0 ? 1 : 0;
}
