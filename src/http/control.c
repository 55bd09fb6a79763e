#include "http/control.h"

#include "base/id.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "http/control_inner.h"

#include <stdlib.h>

enum { CONNECTIONS_MOST = 64 };

struct visitor {
	struct link link;
	struct control *control;
	struct talk talk;
};

static const struct route {
	struct str method, path;
	yields void (*serve)(struct request *);
} routes[] = {
#define ROUTE(method, path, name, says) \
	{ { method, sizeof method - 1 }, { path, sizeof path - 1 }, route_##name },
#include "http/route.def"
#undef ROUTE
};

yields void
control_each(struct control *c, yields void (*fn)(void *),
    struct control_work *work)
{
	work->control = c;
	for (unsigned i = 0; i < c->setup.n_cores; i++) {
		work->index = i;
		work->core = &c->setup.cores[i];
		(void)core_call(i, fn, work);
	}
}

struct spool *
control_spool(const struct control_core *core, uint64_t id)
{
	return core->spools[id_spool(id)];
}

yields bool
control_at_home(struct control *c, uint64_t id, yields void (*fn)(void *),
    struct control_work *work)
{
	unsigned i = id_spool(id) % c->setup.n_cores;

	*work = (struct control_work){ c, &c->setup.cores[i], i };
	return core_call(i, fn, work) == 0;
}

/* ---- routes ---- */

static bool
path_matches(const struct route *r, struct str path, struct str *argument)
{
	struct str fixed = r->path;

	*argument = STR_NONE;
	if (fixed.p[fixed.n - 1] != '*')
		return str_eq(fixed, path);
	fixed.n--;
	*argument = str_sub(path, fixed.n, path.n);
	return str_eq(str_sub(path, 0, fixed.n), fixed) && argument->n > 0;
}

/* "GET, POST": what this path takes; RFC 9110 10.2.1. */
static const char *
methods_of(struct talk *t)
{
	struct buf b = { .p = arena_alloc(&t->arena, 64), .cap = 63 };
	struct str argument;

	if (b.p == NULL)
		return "";
	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++)
		if (path_matches(&routes[i], t->head->path, &argument))
			buf_printf(&b, "%s" STR_FMT, b.n > 0 ? ", " : "",
			    STR_ARG(routes[i].method));
	b.p[b.n] = '\0';
	return b.p;
}

static yields void
request_serve(struct visitor *v)
{
	struct request q = { v->control, &v->talk, STR_NONE };
	struct http_head *h = v->talk.head;
	bool is_known = false;

	for (size_t i = 0; i < sizeof routes / sizeof *routes; i++) {
		if (!path_matches(&routes[i], h->path, &q.argument))
			continue;
		is_known = true;
		if (str_eq(routes[i].method, h->method)) {
			routes[i].serve(&q);
			must(v->talk.has_answered);
			return;
		}
	}
	if (is_known)
		v->talk.allow = methods_of(&v->talk);
	if (is_known)
		talk_error(&v->talk, 405, "method", "this path does not take "
		    STR_FMT, STR_ARG(str_sub(h->method, 0, 32)));
	else
		talk_error(&v->talk, 404, "not_found", "there is nothing at "
		    STR_FMT, STR_ARG(str_sub(h->path, 0, 200)));
}

/* ---- connections ---- */

/* With a group the socket's mode, set before anybody could connect, is the
 * judge: SO_PEERCRED knows only a process's first group. */
static bool
is_allowed(const struct control *c, const struct net_end *end)
{
	unsigned uid, gid;

	return net_peer_uid(end, &uid, &gid) && (c->setup.group_may ||
	    uid == 0 || uid == c->setup.owner_uid);
}

static void
visitor_free(struct visitor *v)
{
	must(v->control->connections > 0);
	v->control->connections--;
	list_remove(&v->link);
	talk_close(&v->talk);
	free(v);
}

static yields void
visitor_run(void *arg)
{
	struct visitor *v = arg;
	struct control *c = v->control;
	bool allowed = is_allowed(c, v->talk.net.end);

	while (talk_hear(&v->talk) == 0) {
		if (allowed)
			request_serve(v);
		else
			talk_error(&v->talk, 403, "not_allowed", "only root and "
			    "the server's own user may ask this");
	}
	visitor_free(v);
	fiber_wake(c->closer);
}

static void
visitor_start(struct control *c, struct net_end *end)
{
	struct visitor *v = c->connections < CONNECTIONS_MOST ?
	    calloc(1, sizeof *v) : NULL;

	if (v == NULL) {
		net_close(end);
		return;
	}
	v->control = c;
	talk_init(&v->talk, end);
	list_append(&c->visitors, &v->link);
	c->connections++;
	if (fiber_go("control", visitor_run, v) != 0)
		visitor_free(v);
}

static yields void
control_accept(void *arg)
{
	struct control *c = arg;
	struct net_end *end;
	struct address peer;

	while ((end = net_accept(c->listener, &peer, MONO_NEVER)) != NULL)
		visitor_start(c, end);
	net_close(c->listener);
	c->listener = NULL;
	c->is_accepting = false;
	fiber_wake(c->closer);
}

int
control_open(struct control *c, int fd)
{
	list_init(&c->visitors);
	c->listener = net_adopt_listener(fd);
	if (c->listener == NULL)
		return -1;
	c->is_accepting = true;
	if (fiber_go("control", control_accept, c) == 0)
		return 0;
	net_close(c->listener);
	c->listener = NULL;
	c->is_accepting = false;
	return -1;
}

/* Half of the grace is the requests' own; then nobody waits for a client any
 * more. */
yields int
control_close(struct control *c)
{
	int64_t grace = CONTROL_GRACE_S * NS_PER_SECOND;
	struct mono now = clock_mono(), until = mono_add(now, grace);
	struct link *k;

	if (c->listener == NULL)
		return 0;
	c->is_closing = true;
	net_stop_listening(c->listener);
	for (k = list_first(&c->visitors); k != NULL;
	    k = list_next(&c->visitors, k))
		talk_hurry(&OWNER_OF(k, struct visitor, link)->talk,
		    mono_add(now, grace / 2));
	c->closer = fiber_self();
	while (c->is_accepting || c->connections > 0)
		if (fiber_park(until) != 0)
			break;
	c->closer = NULL;
	return c->connections > 0 || c->is_accepting ? -1 : 0;
}
