#include "app/accept.h"


#include <stdlib.h>

/* ---- which ---- */

static struct node_door *
door_find(struct node *n, const struct address *at)
{
	for (size_t i = 0; i < n->n_doors; i++)
		if (n->doors[i].at.port == at->port &&
		    n->doors[i].at.family == at->family &&
		    address_eq_ip(&n->doors[i].at, at))
			return &n->doors[i];
	return NULL;
}

static int
door_want(struct node *n, const struct listener *l, const struct address *at)
{
	struct node_door *d = door_find(n, at);

	if (d == NULL && n->n_doors == DOORS_MOST)
		return err_set("more than %d listening addresses", DOORS_MOST);
	if (d == NULL) {
		d = &n->doors[n->n_doors++];
		d->at = *at;
	}
	(void)str_cstr(l->name, d->name, sizeof d->name);
	d->listener.name = str_of(d->name);
	d->listener.role = l->role;
	d->listener.connections = l->connections;
	d->is_wanted = true;
	return 0;
}

int
accept_doors(struct node *n, const struct config *c)
{
	for (size_t i = 0; i < n->n_doors; i++)
		n->doors[i].is_wanted = false;
	for (size_t i = 0; i < c->n_listeners; i++)
		for (size_t k = 0; k < c->listeners[i].at.n; k++)
			if (door_want(n, &c->listeners[i],
			    &c->listeners[i].at.v[k]) != 0)
				return -1;
	return 0;
}

/* ---- accepting ---- */

struct visit {
	struct node_core *core;
	struct node_door *door;
	struct net_end *end;
	struct address client;
};

static yields void
visit_run(void *arg)
{
	struct visit v = *(struct visit *)arg;

	free(arg);
	server_session(&v.core->server, &v.door->listener, v.end, &v.client);
}

static void
visit_start(struct node_core *c, struct node_door *d, struct net_end *end,
    const struct address *client)
{
	struct visit *v = malloc(sizeof *v);

	if (v != NULL)
		*v = (struct visit){ c, d, end, *client };
	if (v == NULL || fiber_go("session", visit_run, v) != 0) {
		net_close(end);		/* no memory: he may come again */
		free(v);
	}
}

struct accepting {
	struct node_core *core;
	size_t door;
	struct net_end *listener;
};

static yields void
accept_run(void *arg)
{
	struct accepting a = *(struct accepting *)arg;
	struct node_core *c = a.core;
	struct net_end *listener = a.listener, *end;
	struct address client;

	free(arg);
	while ((end = net_accept(listener, &client, MONO_NEVER)) != NULL)
		visit_start(c, &c->node->doors[a.door], end, &client);
	net_close(listener);
	if (c->listening[a.door] == listener)
		c->listening[a.door] = NULL;
	c->accepting--;
	fiber_wake(c->main);
}

static int
door_start(struct node_core *c, size_t i)
{
	const struct node_setup *s = c->node->setup;
	struct node_door *d = &c->node->doors[i];
	struct accepting *a;
	int fd = s->door_fd(s->arg, &d->at, c->index);

	c->listening[i] = fd >= 0 ? net_adopt_listener(fd) :
	    net_listen(&d->at);
	if (c->listening[i] == NULL)
		return err_add("door %s", d->name);
	a = malloc(sizeof *a);
	if (a != NULL)
		*a = (struct accepting){ c, i, c->listening[i] };
	if (a == NULL || fiber_go("accept", accept_run, a) != 0) {
		free(a);
		net_close(c->listening[i]);
		c->listening[i] = NULL;
		return err_add("door %s", d->name);
	}
	c->accepting++;
	return 0;
}

int
accept_open(struct node_core *c)
{
	int rc = 0;

	if (c->is_closing)	/* a reload that comes while we stop */
		return 0;
	for (size_t i = 0; i < c->node->n_doors; i++) {
		bool is_open = c->listening[i] != NULL;

		if (c->node->doors[i].is_wanted && !is_open)
			rc |= door_start(c, i);
		else if (!c->node->doors[i].is_wanted && is_open) {
			net_stop_listening(c->listening[i]);
			c->listening[i] = NULL;
		}
	}
	return rc;
}

yields void
accept_close(struct node_core *c)
{
	c->is_closing = true;
	for (size_t i = 0; i < c->node->n_doors; i++)
		if (c->listening[i] != NULL) {
			net_stop_listening(c->listening[i]);
			c->listening[i] = NULL;
		}
	while (c->accepting > 0)
		(void)fiber_park(MONO_NEVER);
}
