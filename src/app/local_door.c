#include "app/local_door.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/fiber.h"
#include "fiber/net.h"
#include "smtp/server.h"

#include <stdlib.h>

struct local_visit {
	struct node_core *core;
	struct net_end *end;
	struct address client;
};

static yields void
visit_run(void *arg)
{
	struct local_visit v = *(struct local_visit *)arg;

	free(arg);
	server_session(&v.core->server, &v.core->node->local, v.end, &v.client);
}

static void
visit_start(struct node_core *c, struct net_end *end,
    const struct address *client)
{
	struct local_visit *v = malloc(sizeof *v);

	if (v != NULL)
		*v = (struct local_visit){ c, end, *client };
	if (v == NULL || fiber_go("session", visit_run, v) != 0) {
		net_close(end);		/* no memory: sendmail says 75 */
		free(v);
	}
}

static yields void
local_accept(void *arg)
{
	struct node_core *c = arg;
	struct net_end *listener = c->local, *end;
	struct address client;

	while ((end = net_accept(listener, &client, MONO_NEVER)) != NULL)
		visit_start(c, end, &client);
	c->local = NULL;
	net_close(listener);
	must(c->n_accepting > 0);
	c->n_accepting--;
	fiber_wake(c->main);
}

int
local_door_open(struct node_core *c)
{
	const struct node_setup *s = c->node->setup;
	int fd = s->local_fd == NULL ? -1 : s->local_fd(s->arg, c->index);

	must(c->local == NULL);
	if (fd < 0)
		return 0;
	c->local = net_adopt_listener(fd);
	if (c->local != NULL && fiber_go("accept", local_accept, c) == 0) {
		c->n_accepting++;
		return 0;
	}
	if (c->local != NULL)
		net_close(c->local);
	c->local = NULL;
	return err_add("submit.socket");
}

void
local_door_close(struct node_core *c)
{
	if (c->local != NULL)
		net_stop_listening(c->local);
}
