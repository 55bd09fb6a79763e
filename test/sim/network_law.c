/*
 * A copy too many is right only where two servers, or a server and who took the
 * copy, were parted right after the first was taken: the receiver had it and the
 * sender did not know (RFC 1047).  Where the ways of two copies part is in their
 * Received fields; when the next one took them, in the ledger.
 */
#include "network.h"

#include <stdio.h>

/* From taking a copy to knowing that it was taken: the reply's way, and the
 * record of the outcome, on a disk that is only slow. */
#define WINDOW_NS (5 * NS_PER_SECOND)

static unsigned
server_of(uint64_t id, int64_t *at)
{
	for (size_t i = 0; i < network_ledger->n_kept; i++)
		if (network_ledger->kept[i].id == id) {
			*at = network_ledger->kept[i].at;
			return network_ledger->kept[i].server;
		}
	return 0;
}

static bool
was_in_trouble(unsigned server, int64_t from, int64_t to)
{
	for (size_t i = 0; i < network_ledger->n_troubles; i++) {
		const struct network_trouble *t = &network_ledger->troubles[i];

		if (t->server == server && t->from <= to && t->to >= from)
			return true;
	}
	return server != NETWORK_OTHERS && sim_was_lost(network_ledger->servers[server].ip,
	    (struct mono){ from }, (struct mono){ to });
}

/* How many servers the two went by together. */
static size_t
common(const struct town_copy *a, const struct town_copy *b)
{
	size_t n = 0;

	while (n < a->n_hops && n < b->n_hops && a->hops[n] == b->hops[n])
		n++;
	return n;
}

/* r: whose copies they are; of a Maildir's nobody knows when. */
static bool
has_reason(const struct town_rcpt *r, const struct town_copy *a,
    const struct town_copy *b)
{
	size_t n = common(a, b);
	int64_t taken = a->at.ns, other = b->at.ns, when = 0;
	unsigned sender, receiver = NETWORK_OTHERS, to = NETWORK_OTHERS;

	if (n == 0)
		return false;		/* it was sent once */
	sender = server_of(a->hops[n - 1], &when);
	if (n == a->n_hops && n == b->n_hops && r->want == WANT_MAILBOX)
		return was_in_trouble(sender, when, INT64_MAX);
	if (n < a->n_hops)
		receiver = server_of(a->hops[n], &taken);
	if (n < b->n_hops)
		to = server_of(b->hops[n], &other);
	/* it crashed between keeping it and telling so: nobody knows when */
	if (sender == 0 || receiver == 0 || to == 0)
		return true;
	if (other < taken) {
		taken = other;
		receiver = to;
	}
	return was_in_trouble(sender, taken - NS_PER_SECOND,
	    taken + WINDOW_NS) || was_in_trouble(receiver,
	    taken - NS_PER_SECOND, taken + WINDOW_NS);
}

static void
copies_tell(const struct town_rcpt *r)
{
	for (unsigned i = 0; i < r->copies; i++) {
		const struct town_copy *c = &r->copy[i];

		fprintf(stderr, "copy %u at %.6f:", i, (double)c->at.ns /
		    (double)NS_PER_SECOND);
		for (size_t k = 0; k < c->n_hops; k++) {
			int64_t at = 0;
			unsigned server = server_of(c->hops[k], &at);

			fprintf(stderr, " h%u/%llx at %.6f", server,
			    (unsigned long long)c->hops[k], (double)at /
			    (double)NS_PER_SECOND);
		}
		fprintf(stderr, "\n");
	}
	for (size_t i = 0; i < network_ledger->n_troubles; i++) {
		const struct network_trouble *t = &network_ledger->troubles[i];

		fprintf(stderr, "trouble of %u: %.6f to %.6f\n", t->server,
		    (double)t->from / (double)NS_PER_SECOND,
		    (double)t->to / (double)NS_PER_SECOND);
	}
}

bool
network_copies_are_right(const struct town_rcpt *r)
{
	if (network_ledger->has_disk_faults || r->copies > TOWN_COPIES)
		return true;
	if (r->want == WANT_EVIL)
		return true;		/* who says what he likes */
	for (unsigned i = 1; i < r->copies; i++) {
		bool ok = false;

		for (unsigned k = 0; k < i && !ok; k++)
			ok = has_reason(r, &r->copy[k], &r->copy[i]);
		if (!ok) {
			copies_tell(r);
			return false;
		}
	}
	return true;
}

/* A crash may bring one again at each server on its way, and lost replies too;
 * but without any there is one. */
unsigned
network_reports_most(void)
{
	unsigned troubles = (unsigned)network_ledger->n_troubles +
	    sim_losses();

	return troubles == 0 && !network_ledger->has_disk_faults ? 1 :
	    2 + troubles;
}
