/*
 * The laws, held against the ledger when nothing is left in the queue:
 *
 *	(1) of each message answered with 250 every recipient was delivered, or
 *	    his sender was told, as the plan says; nobody both
 *	(2) nothing came that was not sent to its final dot
 *	(3) each copy is what was sent, octet by octet
 *	(4) there is a second copy, or a second report, only where a crash stood
 *	    between the first and its record on disk
 *	(5) reports are about planned mail, and from the null sender
 */
#include "town.h"

#include <stdio.h>

/* How long a copy may be taken before its outcome is surely on disk, with a
 * network and a disk that are only slow. */
#define WINDOW_NS (2 * NS_PER_SECOND)

static bool
breaks(unsigned m, size_t r, const char *what)
{
	const struct town_message *t = &town_ledger->messages[m];
	const struct town_rcpt *one = &t->rcpts[r];

	if (!town_now->is_quiet)
		fprintf(stderr, "seed %ju: message %u%s%s recipient %zu (want %d): %s; "
	    "%u copies, %u wrong, %u failed, %u delayed, %u attempts, "
	    "%u lives\n", (uintmax_t)sim_seed(), m,
	    t->is_dotted ? " sent" : "", t->is_acked ? " acknowledged" : "",
	    r, (int)one->want, what, one->copies, one->wrong, one->failed,
	    one->delayed, one->attempts, town_ledger->lives);
	return false;
}

static bool
is_delivered(enum town_want w)
{
	return w == WANT_DELIVERED || w == WANT_LATER || w == WANT_MAILBOX ||
	    w == WANT_BOX;
}

/* Was this copy's life cut off right after it? */
static bool
was_cut(const struct town_copy *c)
{
	return town_ledger->ends[c->life].is_crash && mono_is_before(
	    town_ledger->ends[c->life].at, mono_add(c->at, WINDOW_NS));
}

static unsigned
crashes(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < town_ledger->lives; i++)
		n += town_ledger->ends[i].is_crash;
	return n;
}

/* Maildirs are looked at when all is over, so nobody knows when. */
static bool
copies_are_few(const struct town *t, const struct town_rcpt *r)
{
	unsigned cut = 0;

	if (t->copies_are_right != NULL && r->copies > 1)
		return t->copies_are_right(r);
	if (r->copies <= 1 || t->may_lose_replies)
		return true;
	if (r->want == WANT_MAILBOX || r->copies > TOWN_COPIES)
		return r->copies <= 1 + crashes();
	for (unsigned i = 0; i < r->copies; i++)
		cut += was_cut(&r->copy[i]);
	return r->copies <= 1 + cut;
}

/* A power cut may take back both that he failed and that the report of it was
 * delivered: the report comes again, and another. */
static bool
reports_are_few(const struct town *t, const struct town_rcpt *r)
{
	if (t->reports_most != NULL)
		return r->failed <= t->reports_most();
	return t->may_lose_replies || r->failed <= 1 + 2 * crashes();
}

static bool
outcome_is_right(const struct town_message *m, const struct town_rcpt *r)
{
	bool is_told = m->is_null || m->is_gone || r->failed > 0;


	if (r->want == WANT_EVIL)
		return r->copies > 0 || is_told;
	if (is_delivered(r->want))
		return r->copies > 0 && r->failed == 0;
	return r->copies == 0 && is_told && (!m->is_null || r->failed == 0);
}

static bool
rcpt_is_right(const struct town *t, unsigned m, size_t i)
{
	const struct town_message *msg = &town_ledger->messages[m];
	const struct town_rcpt *r = &msg->rcpts[i];

	if (r->wrong > 0)
		return breaks(m, i, "a copy is not what was sent");
	if (!msg->is_dotted && r->copies + r->failed + r->delayed > 0)
		return breaks(m, i, "something came of what was never sent");
	if (!copies_are_few(t, r))
		return breaks(m, i, "too many copies");
	if (!reports_are_few(t, r))
		return breaks(m, i, "too many reports");
	if (msg->is_acked && !outcome_is_right(msg, r))
		return breaks(m, i, "not what becomes of a 250");
	return true;
}

bool
town_law(const struct town *t)
{
	bool ok = town_ledger->strange == 0 &&
	    town_ledger->reports_from_somebody == 0;

	if (!ok && !t->is_quiet)
		fprintf(stderr, "seed %ju: %u that nobody planned, %u reports "
		    "from somebody\n", (uintmax_t)sim_seed(),
		    town_ledger->strange, town_ledger->reports_from_somebody);
	if (!town_ledger->is_drained && !t->is_quiet)
		fprintf(stderr, "seed %ju: the last life left something "
		    "behind\n", (uintmax_t)sim_seed());
	ok &= town_ledger->is_drained;
	for (unsigned m = 0; m < town_ledger->n; m++)
		for (size_t i = 0; i < town_ledger->messages[m].n; i++)
			ok &= rcpt_is_right(t, m, i);
	return ok;
}
