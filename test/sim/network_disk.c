/*
 * What a server's disk holds, read as `nightmail audit' and `nightmail spool
 * check' read it: when a life begins, whatever ended the one before, and when the
 * last one is over.
 */
#include "network.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/disk.h"
#include "spool/audit.h"
#include "spool/check.h"

#include <stdio.h>

static unsigned server, cores;
static bool is_over;			/* nothing more will be written */
static unsigned wrong;

/* A disk that fails damages what it likes; and what a failed sync covered is
 * written again, so that an end may stand there twice. */
static void
wrong_tell(struct str text)
{
	if (network_ledger->has_disk_faults)
		return;
	wrong++;
	fprintf(stderr, "server %u, on disk: " STR_FMT "\n", server,
	    STR_ARG(text));
}

static void
audit_tell(struct audit *a, uint64_t segment, uint64_t at, struct str text)
{
	(void)a;
	if (!network_ledger->has_disk_faults)
		fprintf(stderr, "segment %llu, %llu: ",
		    (unsigned long long)segment, (unsigned long long)at);
	wrong_tell(text);
}

static void
check_tell(struct check *c, struct str text)
{
	(void)c;
	if (str_find_str(text, STR("live ")) != 0 &&
	    !network_ledger->has_disk_faults)
		fprintf(stderr, STR_FMT "\n", STR_ARG(text));
}

static yields void
audit_one(const char *path)
{
	struct audit a = { .tell = audit_tell };

	if (spool_audit(path, &a) != SPOOL_FINE)
		wrong_tell(str_of(err_text()));
}

static yields void
check_one(const char *path)
{
	struct check c = { .line = check_tell };

	if (spool_check(path, &c) != SPOOL_FINE)
		wrong_tell(str_of(err_text()));
	if (c.damaged + c.sidecars_bad > 0)
		wrong_tell(STR("damage"));
	if (c.live > 0)
		wrong_tell(STR("messages that nobody knows of"));
}

static yields void
look(void *arg)
{
	struct disk_stat st;
	char path[64];

	(void)arg;
	for (unsigned i = 0; i < cores; i++) {
		snprintf(path, sizeof path, "/spool/%u/superblock", i);
		if (disk_stat(path, &st) != 0)
			continue;	/* it never came so far */
		snprintf(path, sizeof path, "/spool/%u", i);
		audit_one(path);
		if (is_over)
			check_one(path);
	}
}

void
network_disk_look(unsigned which, bool is_last)
{
	server = which;
	cores = network_ledger->servers[which].cores;
	is_over = is_last;
	must(core_run_all(1, look, NULL) == 0);
	must(wrong == 0);
}
