/*
 * The life of a door on one core (struct accepting):
 *
 *	COMING   accept_prepare  bound; its fiber exists and accepts nobody
 *	OPEN     accept_take     its fiber accepts
 *	CLOSED   accept_take,    nobody has it but its fiber, which closes it
 *	         accept_leave    and ends
 */
#include "app/accept.h"

#include "app/doors.h"
#include "app/local_door.h"
#include "base/err.h"
#include "base/must.h"
#include "fiber/net.h"
#include "smtp/server.h"

#include <stdatomic.h>
#include <stdlib.h>

/* ---- listeners ---- */

static struct node_listener *
listener_make(struct node_door *d, const struct listener *l)
{
	struct node_listener *made = malloc(sizeof *made);

	if (made == NULL)
		return NULL;
	*made = (struct node_listener){ .door = d, .refs = 1,
		.is = { .role = l->role, .tls = l->tls,
		    .certificates = l->certificates,
		    .connections = l->connections,
		    .sessions = &d->sessions } };
	(void)str_cstr(l->name, made->name, sizeof made->name);
	made->is.name = str_of(made->name);
	atomic_fetch_add(&d->users, 1);
	return made;
}

static struct node_listener *
listener_take(struct node_listener *l)
{
	unsigned before = atomic_fetch_add(&l->refs, 1);

	must(before > 0);
	return l;
}

/* Any core; the last one frees.  The door is not touched after that. */
static void
listener_give(struct node_listener *l)
{
	unsigned before = atomic_fetch_sub(&l->refs, 1);

	must(before > 0);
	if (before > 1)
		return;
	must(atomic_fetch_sub(&l->door->users, 1) > 0);
	free(l);
}

/* ---- which ---- */

static bool
door_is_at(const struct node_door *d, const struct address *at)
{
	return d->at.port == at->port && d->at.family == at->family &&
	    address_eq_ip(&d->at, at);
}

/* The one at this address, or else a free one; NODE_DOORS: none. */
static size_t
door_find(const struct node *n, const struct address *at)
{
	size_t free_one = NODE_DOORS;

	for (size_t i = NODE_DOORS; i-- > 0;)
		if (atomic_load(&n->doors[i].users) == 0)
			free_one = i;
		else if (door_is_at(&n->doors[i], at))
			return i;
	return free_one;
}

static int
door_want(struct node *n, const struct listener *l, const struct address *at)
{
	size_t i = door_find(n, at);

	if (i == NODE_DOORS)
		return err_set("more than %d listening addresses, with those "
		    "whose conversations go on", NODE_DOORS);
	must(n->plan[i] == NULL || door_is_at(&n->doors[i], at));
	if (n->plan[i] != NULL)		/* named twice: the later one holds */
		listener_give(n->plan[i]);
	n->doors[i].at = *at;
	n->plan[i] = listener_make(&n->doors[i], l);
	return n->plan[i] == NULL ? err_set("no memory for a listener") : 0;
}

int
accept_plan(struct node *n, const struct config *c)
{
	size_t wanted = 0;
	int rc = 0;

	for (size_t i = 0; i < NODE_DOORS; i++)
		must(n->plan[i] == NULL);
	for (size_t i = 0; i < c->n_listeners; i++)
		wanted += c->listeners[i].at.n;
	if (wanted > DOORS_MOST)
		return err_set("more than %d listening addresses", DOORS_MOST);
	for (size_t i = 0; i < c->n_listeners; i++)
		for (size_t k = 0; rc == 0 && k < c->listeners[i].at.n; k++)
			rc = door_want(n, &c->listeners[i],
			    &c->listeners[i].at.v[k]);
	if (rc != 0)
		accept_plan_end(n);
	return rc;
}

void
accept_plan_end(struct node *n)
{
	for (size_t i = 0; i < NODE_DOORS; i++) {
		if (n->plan[i] != NULL)
			listener_give(n->plan[i]);
		n->plan[i] = NULL;
	}
}

/* ---- accepting ---- */

struct visit {
	struct node_core *core;
	struct node_listener *listener;
	struct net_end *end;
	struct address client;
};

/* An authority, or whoever else tries that door. */
static yields void
visit_acme(struct visit *v)
{
	const struct node_setup *s = v->core->node->setup;
	const struct server_listener *l = &v->listener->is;
	unsigned before = atomic_fetch_add(l->sessions, 1);

	if (s->acme == NULL || before >= l->connections)
		net_close(v->end);
	else
		s->acme(s->arg, v->core, v->end, l->tls == TLS_IMPLICIT);
	(void)atomic_fetch_sub(l->sessions, 1);
}

static yields void
visit_run(void *arg)
{
	struct visit v = *(struct visit *)arg;

	free(arg);
	if (v.listener->is.role == ROLE_ACME)
		visit_acme(&v);
	else
		server_session(&v.core->server, &v.listener->is, v.end,
		    &v.client);
	listener_give(v.listener);
}

static void
visit_start(struct node_core *c, struct node_listener *l, struct net_end *end,
    const struct address *client)
{
	struct visit *v = malloc(sizeof *v);

	if (v != NULL)
		*v = (struct visit){ c, listener_take(l), end, *client };
	if (v == NULL || fiber_go("session", visit_run, v) != 0) {
		net_close(end);		/* no memory: he may come again */
		if (v != NULL)
			listener_give(l);
		free(v);
	}
}

struct accepting {
	struct node_core *core;
	size_t door;
	struct node_listener *listener;	/* now; a reload changes it */
	struct net_end *end;
	struct fiber *fiber;		/* while it waits to be open */
	bool is_open, is_closed;
};

static yields void
accept_run(void *arg)
{
	struct accepting *a = arg;
	struct node_core *c = a->core;
	struct address client;
	struct net_end *end;

	a->fiber = fiber_self();
	while (!a->is_open && !a->is_closed)
		(void)fiber_park(MONO_NEVER);
	a->fiber = NULL;
	while (!a->is_closed &&
	    (end = net_accept(a->end, &client, MONO_NEVER)) != NULL)
		visit_start(c, a->listener, end, &client);
	if (c->open[a->door] == a)	/* the next reload opens it again */
		c->open[a->door] = NULL;
	net_close(a->end);
	listener_give(a->listener);
	free(a);
	must(c->n_accepting > 0);
	c->n_accepting--;
	fiber_wake(c->main);
}

static void
accepting_open(struct accepting *a)
{
	must(!a->is_open && !a->is_closed);
	a->is_open = true;
	fiber_wake(a->fiber);
}

/* It is its fiber's alone from here on. */
static void
accepting_close(struct accepting **slot)
{
	struct accepting *a = *slot;

	*slot = NULL;
	if (a == NULL)
		return;
	must(!a->is_closed);
	a->is_closed = true;
	net_stop_listening(a->end);
	fiber_wake(a->fiber);
}

static struct net_end *
door_bind(struct node_core *c, const struct address *at)
{
	const struct node_setup *s = c->node->setup;
	int fd = s->door_fd(s->arg, at, c->index);

	return fd >= 0 ? net_adopt_listener(fd) : net_listen(at);
}

static int
door_prepare(struct node_core *c, size_t i)
{
	struct node_listener *l = c->node->plan[i];
	struct accepting *a = malloc(sizeof *a);

	must(c->coming[i] == NULL);
	if (a == NULL)
		return err_set("door %s: no memory", l->name);
	*a = (struct accepting){ .core = c, .door = i,
		.listener = listener_take(l),
		.end = door_bind(c, &l->door->at) };
	if (a->end == NULL || fiber_go("accept", accept_run, a) != 0) {
		if (a->end != NULL)
			net_close(a->end);
		listener_give(l);
		free(a);
		return err_add("door %s", l->name);
	}
	c->coming[i] = a;
	c->n_accepting++;
	return 0;
}

int
accept_prepare(struct node_core *c)
{
	int rc = 0;

	if (c->is_closing)	/* a reload that comes while we stop */
		return 0;
	for (size_t i = 0; i < NODE_DOORS && rc == 0; i++)
		if (c->node->plan[i] != NULL && c->open[i] == NULL)
			rc = door_prepare(c, i);
	if (rc != 0)
		accept_leave(c);
	return rc;
}

static void
door_change(struct accepting *a, struct node_listener *l)
{
	struct node_listener *old = a->listener;

	must(old->door == l->door);
	a->listener = listener_take(l);
	listener_give(old);
}

void
accept_take(struct node_core *c)
{
	if (c->is_closing)
		return;
	for (size_t i = 0; i < NODE_DOORS; i++) {
		struct node_listener *l = c->node->plan[i];

		if (l == NULL)
			accepting_close(&c->open[i]);
		else if (c->open[i] != NULL)
			door_change(c->open[i], l);
		else {
			must(c->coming[i] != NULL);
			c->open[i] = c->coming[i];
			c->coming[i] = NULL;
			accepting_open(c->open[i]);
		}
	}
}

void
accept_leave(struct node_core *c)
{
	for (size_t i = 0; i < NODE_DOORS; i++)
		accepting_close(&c->coming[i]);
}

yields void
accept_close(struct node_core *c)
{
	c->is_closing = true;
	accept_leave(c);
	for (size_t i = 0; i < NODE_DOORS; i++)
		accepting_close(&c->open[i]);
	local_door_close(c);
	while (c->n_accepting > 0)
		(void)fiber_park(MONO_NEVER);
}
