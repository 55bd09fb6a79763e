#include "deliver/connection.h"

#include "base/must.h"
#include "deliver/local.h"
#include "deliver/remote.h"
#include "fiber/clock.h"
#include "fiber/fetch.h"
#include "fiber/process.h"
#include "policy/holder.h"
#include "queue/ready.h"

#include <limits.h>
#include <stdlib.h>

static struct ready *
connection_ready(const struct connection *c)
{
	return c->is_local ? c->deliver->mailboxes : c->deliver->ready;
}

static void
connection_count(struct connection *c, unsigned one)
{
	struct deliver_counts *n = &c->deliver->counts;
	unsigned *which = c->is_local ? &n->locals : &n->connections;

	must(one == 1 || *which > 0);
	*which += one;
}

static void
connection_free(struct deliver *d, struct connection *c)
{
	must(!link_is_in(&c->link) && c->net == NULL);
	if (d->spare == NULL)
		d->spare = c;
	else
		free(c);
}

static void
connection_close(struct connection *c)
{
	must(link_is_in(&c->link) && !c->is_idle);
	ready_closed(connection_ready(c), clock_mono(), &c->ready);
	connection_count(c, UINT_MAX);	/* minus one */
	list_remove(&c->link);
	connection_free(c->deliver, c);
}

void
connection_end(struct connection *c)
{
	struct deliver *d = c->deliver;

	connection_close(c);
	deliver_wake(d);
}

/* Which site is next?  NULL: none, or no memory. */
static struct connection *
connection_next(struct deliver *d, bool is_local)
{
	struct connection *c = d->spare;

	if (c == NULL)
		c = malloc(sizeof *c);
	if (c == NULL)
		return NULL;
	d->spare = NULL;
	*c = (struct connection){ .deliver = d, .is_local = is_local };
	if (ready_next_site(connection_ready(c), clock_mono(), &c->ready))
		return c;
	connection_free(d, c);
	return NULL;
}

/* False: there is no memory for another fiber. */
static bool
connection_start(struct connection *c)
{
	struct deliver *d = c->deliver;

	must(!link_is_in(&c->link) && c->fiber == NULL);
	list_append(&d->connections, &c->link);
	connection_count(c, 1);
	if (fiber_go(c->is_local ? "local" : "remote",
	    c->is_local ? local_run : remote_run, c) == 0)
		return true;
	connection_close(c);
	return false;
}

static unsigned
permits(const struct deliver *d)
{
	uint64_t all = config_now(d->holder)->outbound.connections_total;

	return (unsigned)((all + d->n_cores - 1) / d->n_cores);
}

/* The permits of as many as only wait for more of the same as there are sites
 * that could begin.  Who was told before may still be saying goodbye. */
static void
connections_give_way(struct deliver *d, size_t sites)
{
	struct link *k;

	for (k = list_first(&d->connections); k != NULL && sites > 0;
	    k = list_next(&d->connections, k))
		sites -= OWNER_OF(k, struct connection, link)->is_unwanted;
	for (k = list_first(&d->connections); k != NULL && sites > 0;
	    k = list_next(&d->connections, k)) {
		struct connection *c = OWNER_OF(k, struct connection, link);

		if (!c->is_idle || c->is_local || c->is_unwanted)
			continue;
		c->is_unwanted = true;
		fiber_wake(c->fiber);
		sites--;
	}
}

bool
connections_start(struct deliver *d)
{
	struct connection *c;
	size_t sites;

	must(!d->is_stopping);
	while ((c = connection_next(d, true)) != NULL)
		if (!connection_start(c))
			return true;
	while (d->counts.connections < permits(d)) {
		c = connection_next(d, false);
		if (c == NULL)
			return false;
		if (!connection_start(c))
			return true;
	}
	sites = ready_wanting(d->ready, clock_mono(), permits(d));
	connections_give_way(d, sites);
	return sites > 0;
}

void
connections_wake(struct deliver *d)
{
	struct link *k = list_first(&d->connections);

	for (; k != NULL; k = list_next(&d->connections, k)) {
		struct connection *c = OWNER_OF(k, struct connection, link);

		if (c->is_idle)
			fiber_wake(c->fiber);
	}
}

void
connections_hurry(struct deliver *d)
{
	struct link *k = list_first(&d->connections);

	process_hurry();
	fetch_hurry();
	for (; k != NULL; k = list_next(&d->connections, k)) {
		struct connection *c = OWNER_OF(k, struct connection, link);

		if (c->net != NULL)
			stream_hurry(c->net, clock_mono());
	}
}
