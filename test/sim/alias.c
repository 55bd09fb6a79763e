/*
 * Aliases and a crash before every step.  A message goes to one name, "list<m>",
 * which leads through another, and in circles, to a mailbox, to another server,
 * to somebody who refuses, and to nowhere (/dev/null, by the rule of that name).
 * Every other list has an owner: the report of who refuses is then his, and only
 * by an alias of his does it come to the sender.  The sender wants to hear of
 * success, so each list has an end of its own, after its expansion is on disk.
 *
 * Laws: the town's, with the sender told of the expansion once at least; and an
 * audit of the spool after each life, before anything is recovered, finds no
 * breach: no parent without its children, nobody with two ends.
 */
#include "town.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/core.h"
#include "spool/audit.h"

#include <stdio.h>

enum { SLICES = 40, ALIASES = 96 * 1024 };

static void
plan(struct town_message *m, unsigned number)
{
	(void)number;
	town_plan(m, WANT_DELIVERED);
	town_plan(m, WANT_MAILBOX);
	town_plan(m, WANT_REFUSED);
}

static char aliases[ALIASES];

static struct town town = { .messages = 2, .plan = plan, .tries = 9,
	.config = "outbound: { retry: [ 10s ] }\n", .aliases = aliases };

static void
aliases_write(void)
{
	struct buf b = BUF_OF(aliases);

	buf_put(&b, STR("trash: /dev/null\n"));
	for (unsigned m = 0; m < TOWN_MESSAGES; m++) {
		buf_printf(&b, "list%u: in%u, m%ur2@sink.test, loop%u\n", m, m,
		    m, m);
		buf_printf(&b, "in%u: list%u, u1, m%ur0@sink.test\n", m, m, m);
		buf_printf(&b, "loop%u: loop%u, in%u, trash\n", m, m, m);
		if (m % 2 == 1)
			buf_printf(&b, "owner-list%u: s%u@origin.test\n", m, m);
	}
	buf_putc(&b, '\0');
	must(!b.full);
}

/* ---- the audit ---- */

static void
breach_tell(struct audit *a, uint64_t segment, uint64_t at, struct str text)
{
	(void)a;
	fprintf(stderr, "%ju:%ju " STR_FMT "\n", (uintmax_t)segment,
	    (uintmax_t)at, STR_ARG(text));
}

static yields void
audit_run(void *arg)
{
	struct audit a = { .tell = breach_tell };

	(void)arg;
	/* Nothing is there before the first life has made it. */
	if (spool_audit("/spool/0", &a) != SPOOL_FINE)
		err_clear();
	must(a.totals.breaches == 0 && a.damaged == 0);
	must(ledger_ended(&a.totals) + a.totals.queued + a.totals.held ==
	    a.totals.recipients);
}

static void
audit(void *arg)
{
	must(core_run_all(1, audit_run, arg) == 0);
}

static bool
audit_holds(void)
{
	sim_crash_at(0, SIM_KILL);
	return sim_life(audit, NULL) == SIM_ENDED;
}

/* ---- the law ---- */

static bool
expansions_are_told(void)
{
	bool ok = true;

	for (unsigned m = 0; m < town_ledger->n; m++) {
		const struct town_message *t = &town_ledger->messages[m];

		if (!t->is_acked || t->expanded > 0)
			continue;
		fprintf(stderr, "seed %ju: nobody told of list%u's expansion\n",
		    (uintmax_t)sim_seed(), m);
		ok = false;
	}
	return ok;
}

static bool
law_holds(void)
{
	return audit_holds() && town_look() && town_law(&town) &&
	    expansions_are_told();
}

static uint64_t
steps_count(uint64_t world)
{
	uint64_t verbs;

	sim_begin(world);
	town_begin();
	if (town_life(&town) != SIM_ENDED)
		return 0;
	verbs = sim_verbs();
	return law_holds() ? verbs : 0;
}

static bool
crash_once(uint64_t world, uint64_t verb, enum sim_crash how)
{
	sim_begin(world);
	town_begin();
	sim_crash_at(verb, how);
	if (town_life(&town) != SIM_CRASHED)
		return false;
	if (audit_holds() && town_life(&town) == SIM_ENDED && law_holds())
		return true;
	fprintf(stderr, "a %s before verb %ju of the world %ju\n",
	    how == SIM_KILL ? "kill" : "power cut", (uintmax_t)verb,
	    (uintmax_t)world);
	return false;
}

static bool
alias_run(uint64_t seed)
{
	uint64_t world = seed / SLICES, slice = seed % SLICES, steps;

	aliases_write();
	steps = steps_count(world);
	for (uint64_t n = 1 + slice; n <= steps; n += SLICES)
		if (!crash_once(world, n, (n / SLICES) % 2 == 0 ? SIM_KILL :
		    SIM_POWER))
			return false;
	return steps > 0;
}

const struct scenario scenario_alias = {
	.name = "alias", .run = alias_run, .percent = 25 };
