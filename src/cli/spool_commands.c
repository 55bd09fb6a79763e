/* spool_commands.c -- spool check, spool dump: a spool seen from outside. */
#include "base/err.h"
#include "cli/cli.h"
#include "fiber/core.h"
#include "spool/check.h"

#include <stdio.h>
#include <sysexits.h>

struct looking {
	const char *path;
	bool is_dump;
	struct check check;
	enum spool_trouble trouble;
	char why[ERR_ROOM];
};

static void
line_print(struct check *c, struct str line)
{
	(void)c;
	printf(STR_FMT "\n", STR_ARG(line));
}

static yields void
look(void *arg)
{
	struct looking *l = arg;

	l->trouble = l->is_dump ? spool_dump(l->path, &l->check) :
	    spool_check(l->path, &l->check);
	snprintf(l->why, sizeof l->why, "%s", err_text());
}

static void
sums_json(const struct check *c)
{
	printf("{\"segments\":%llu,\"records\":%llu,\"octets\":%llu,"
	    "\"live\":%llu,\"damaged\":%llu,\"in_use\":%s,\"clean\":%s}\n",
	    (unsigned long long)c->segments, (unsigned long long)c->records,
	    (unsigned long long)c->bytes, (unsigned long long)c->live,
	    (unsigned long long)c->damaged, c->is_in_use ? "true" : "false",
	    c->was_clean ? "true" : "false");
}

/* The damage, line by line, stands on standard error. */
static void
line_complain(struct check *c, struct str line)
{
	(void)c;
	fprintf(stderr, STR_FMT "\n", STR_ARG(line));
}

static void
sums_print(const struct check *c)
{
	printf("%llu segments, %llu records, %llu octets; %llu messages not "
	    "ended; %llu damaged places; %s\n",
	    (unsigned long long)c->segments, (unsigned long long)c->records,
	    (unsigned long long)c->bytes, (unsigned long long)c->live,
	    (unsigned long long)c->damaged,
	    c->is_in_use ? "in use" : c->was_clean ? "stopped cleanly" :
	    "not stopped cleanly");
}

static int
spool_look(struct cli *c, bool is_dump)
{
	struct looking l = { .is_dump = is_dump,
		.check.line = c->json ? line_complain : line_print };

	if (c->n_words != 1)
		return cli_usage(is_dump ? "spool dump" : "spool check");
	l.path = arena_cstr(&c->arena, c->words[0]);
	if (core_run_all(1, look, &l) != 0)
		return cli_fail(EX_OSERR, "%s", err_text());
	if (l.trouble != SPOOL_FINE)
		return cli_fail(l.trouble == SPOOL_DISK ? EX_IOERR : EX_CONFIG,
		    "%s: %s", l.path, l.why);
	if (c->json)
		sums_json(&l.check);
	else
		sums_print(&l.check);
	return l.check.damaged > 0 ? EX_DATAERR : 0;
}

int
command_spool_check(struct cli *c)
{
	return spool_look(c, false);
}

int
command_spool_dump(struct cli *c)
{
	return spool_look(c, true);
}
