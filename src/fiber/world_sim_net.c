/*
 * The verbs of the simulated network: ends, listeners, connections under way.
 * A connection under way: CALLING (an event will decide), then DECIDED with its
 * result.
 */
#include "base/hash.h"
#include "base/list.h"
#include "fiber/world.h"
#include "fiber/world_sim_state.h"
#include "fiber/world_sim_pipe.h"

#include "base/must.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { BACKLOG_MOST = 128, PORT_FIRST = 32768, PORTS = 28000 };
#define GIVE_UP_NS (127 * NS_PER_SECOND)	/* as tcp_syn_retries = 6 does */
#define AGAIN_NS NS_PER_SECOND

struct sim_end {
	struct net_end end;
	struct link link;		/* in all */
	struct address local, peer;
	struct sim_door *door;		/* of a listener */
	struct sim_pipe *in, *out;
	struct sim_event arrival, loss;	/* of what `in' brings */
	struct sim_event room;		/* in `out' */
	int result;			/* of connect; -EINPROGRESS: calling */
	struct sim_event call;
	struct mono give_up;
	struct mono moved;		/* the last octet, either way */
};

static struct list all;
static size_t n_all;
static unsigned port_last;

static struct list *
ends_all(void)
{
	if (all.head.next == NULL)
		list_init(&all);
	return &all;
}

size_t
sim_net_left(void)
{
	return n_all;
}

static uint64_t
address_number(const struct address *a)
{
	return hash_bytes((struct hash_key){ 1, a->port },
	    a->family == ADDRESS_UNIX ? str_of(a->of.path) :
	    (struct str){ (const char *)a->of.ip,
	    a->family == ADDRESS_V4 ? 4 : 16 });
}

/* ---- what becomes ready ---- */

static struct mono
mono_last(struct mono a, struct mono b)
{
	return mono_is_before(a, b) ? b : a;
}

static void
end_ready(struct sim_end *e, bool readable, bool writable)
{
	core_enter(e->end.home);
	net_ready(&e->end, readable, writable);
	core_enter(NULL);
}

static void
end_has_arrival(struct sim_event *event)
{
	end_ready(OWNER_OF(event, struct sim_end, arrival), true, false);
}

static void
end_has_loss(struct sim_event *event)
{
	end_ready(OWNER_OF(event, struct sim_end, loss), true, true);
}

static void
end_has_room(struct sim_event *event)
{
	end_ready(OWNER_OF(event, struct sim_end, room), false, true);
}

/* Tell the reader when the first segment is there, both sides when an RST is,
 * whatever was not read before it. */
void
sim_end_arrival(void *arg, int64_t at)
{
	struct sim_end *e = arg;
	const struct sim_segment *g = sim_pipe_first(e->in);

	(void)at;
	sim_event_cancel(&e->arrival);
	sim_event_cancel(&e->loss);
	if (g == NULL || sim_pipe_is_silent(e->in))
		return;
	sim_event_set(&e->arrival, mono_last(g->arrives, sim_now->mono));
	if (e->in->is_lost)
		sim_event_set(&e->loss, mono_last(e->in->last, sim_now->mono));
}

void
sim_end_room(void *arg, int64_t at)
{
	struct sim_end *e = arg;

	sim_event_set(&e->room, mono_last((struct mono){ at }, sim_now->mono));
}

/* Somebody is in a listener's backlog. */
void
sim_end_called(void *arg, int64_t at)
{
	struct sim_end *e = arg;

	sim_event_set(&e->arrival, mono_last((struct mono){ at },
	    sim_now->mono));
}

/* ---- ends ---- */

static struct sim_end *
end_new(const struct address *local, const struct address *peer)
{
	struct sim_end *e = calloc(1, sizeof *e);

	if (e == NULL)
		return NULL;
	e->local = *local;
	if (peer != NULL)
		e->peer = *peer;
	e->arrival.fire = end_has_arrival;
	e->loss.fire = end_has_loss;
	e->room.fire = end_has_room;
	e->moved = sim_now->mono;
	net_end_init(&e->end);
	list_append(ends_all(), &e->link);
	n_all++;
	return e;
}

static void
end_free(struct sim_end *e)
{
	sim_event_cancel(&e->arrival);
	sim_event_cancel(&e->loss);
	sim_event_cancel(&e->room);
	sim_event_cancel(&e->call);
	list_remove(&e->link);
	n_all--;
	free(e);
}

static struct sim_end *
end_of(struct net_end *e)
{
	must(e != NULL);
	return OWNER_OF(e, struct sim_end, end);
}

static struct address
address_any_port(struct address a)
{
	if (a.port == 0 && a.family != ADDRESS_UNIX) {
		if (port_last == 0)
			port_last = (unsigned)sim_chance(PORTS);
		port_last = (port_last + 1) % PORTS;
		a.port = (uint16_t)(PORT_FIRST + port_last);
	}
	return a;
}

static int
end_make_listener(const struct address *at, struct net_end **out)
{
	struct address local = address_any_port(*at);
	struct sim_end *e = end_new(&local, NULL);
	struct sim_door *d;

	if (e == NULL)
		return -ENOMEM;
	d = e->door = sim_room_take(sizeof *d);
	d->at = local;
	d->owner = (struct sim_party){ e, sim_me, false };
	list_init(&d->backlog);
	list_append(&sim_now->doors, &d->link);
	*out = &e->end;
	return 0;
}

int
world_listen(const struct address *at, struct net_end **out)
{
	int rc = sim_step(SIM_listen, address_number(at));

	return rc != 0 ? rc : end_make_listener(at, out);
}

/* No descriptors come from a master here. */
int
world_adopt_listener(int fd, struct net_end **out)
{
	*out = NULL;
	return fd < 0 ? -EBADF : -ENOTSOCK;
}

int
world_adopt(int fd, struct net_end **out)
{
	*out = NULL;
	return fd < 0 ? -EBADF : -ENOTSOCK;
}

static bool
address_is_any(const struct address *a)
{
	static const unsigned char zero[16];

	return a->family != ADDRESS_UNIX && memcmp(a->of.ip, zero,
	    a->family == ADDRESS_V4 ? 4 : 16) == 0;
}

/* Paths and the loopback are of a machine alone. */
static bool
door_serves(const struct sim_door *d, const struct address *to)
{
	bool is_here = sim_is_mine(d->owner.machine);

	if (d->at.family != to->family ||
	    (is_here && d->owner.end->end.is_stopped))
		return false;
	if (to->family == ADDRESS_UNIX)
		return is_here && strcmp(d->at.of.path, to->of.path) == 0;
	if (d->at.port != to->port)
		return false;
	return address_is_any(&d->at) || address_is_loopback(to) ?
	    is_here : address_eq_ip(&d->at, to);
}

/* SO_REUSEPORT: one of those that listen there, by the seed. */
static struct sim_door *
door_find(const struct address *to)
{
	struct list *doors = &sim_now->doors;
	struct sim_door *found = NULL;
	uint64_t n = 0;

	for (struct link *l = list_first(doors); l != NULL;
	    l = list_next(doors, l)) {
		struct sim_door *d = OWNER_OF(l, struct sim_door, link);

		if (door_serves(d, to) && sim_chance(++n) == 0)
			found = d;
	}
	return found;
}

int
world_accept(struct net_end *listener, struct net_end **out,
    struct address *peer)
{
	struct sim_end *e = end_of(listener), *made;
	struct sim_caller *c;
	struct link *l;
	int rc;

	must(e->door != NULL);
	l = list_first(&e->door->backlog);
	if (l == NULL) {
		listener->can_read = false;
		return -EAGAIN;
	}
	rc = sim_step(SIM_accept, address_number(&e->local));
	if (rc != 0)
		return rc;
	c = OWNER_OF(l, struct sim_caller, link);
	made = end_new(&c->in->receiver, &c->in->sender);
	if (made == NULL)
		return -ENOBUFS;
	list_remove(l);
	e->door->n_backlog--;
	made->in = c->in;
	made->out = c->out;
	made->in->to.end = made->out->from.end = made;
	sim_room_give(c, sizeof *c);
	made->end.can_write = true;
	sim_pipe_arm(made->in);
	*out = &made->end;
	*peer = made->peer;
	return 0;
}

/* ---- connections ---- */

static void
call_decide(struct sim_end *e, int result)
{
	e->result = result;
	e->moved = sim_now->mono;
	end_ready(e, result != 0, true);
}

/* A caller in the backlog: the far end comes to be when it is accepted. */
static int
call_answer(struct sim_end *e, struct sim_door *d)
{
	struct sim_caller *c = sim_room_take(sizeof *c);

	e->out = sim_pipe_pair(e, &e->local, d, &e->peer);
	e->in = e->out->other;
	c->in = e->out;
	c->out = e->in;
	list_append(&d->backlog, &c->link);
	d->n_backlog++;
	if (sim_is_mine(d->owner.machine))
		end_ready(d->owner.end, true, false);
	else
		sim_ring(d->owner.machine, sim_end_called, d->owner.end,
		    sim_now->mono.ns);
	return 0;
}

static bool
way_is_silent(const struct sim_end *e)
{
	struct sim_pipe there = { .sender = e->local, .receiver = e->peer };
	struct sim_pipe back = { .sender = e->peer, .receiver = e->local };

	return sim_pipe_is_silent(&there) || sim_pipe_is_silent(&back);
}

static void
call_fire(struct sim_event *event)
{
	struct sim_end *e = OWNER_OF(event, struct sim_end, call);
	struct sim_door *d = door_find(&e->peer);
	enum sim_host is = sim_host_of(&e->peer);

	if (!mono_is_before(sim_now->mono, e->give_up))
		call_decide(e, -ETIMEDOUT);
	else if (is == SIM_HOST_UNREACHABLE)
		call_decide(e, -EHOSTUNREACH);
	else if (way_is_silent(e) ||
	    (d != NULL && d->n_backlog >= BACKLOG_MOST))
		sim_event_set(event, mono_first(e->give_up,
		    mono_add(sim_now->mono, AGAIN_NS)));
	else if (is == SIM_HOST_CLOSED || d == NULL)
		call_decide(e, e->peer.family == ADDRESS_UNIX ? -ENOENT :
		    -ECONNREFUSED);
	else
		call_decide(e, call_answer(e, d));
}

static struct address
address_whence(const struct address *to, const struct address *source)
{
	struct address a = *to;

	if (source != NULL && source->family != ADDRESS_NONE)
		a = *source;
	else if (to->family == ADDRESS_UNIX)
		return (struct address){ .family = ADDRESS_UNIX };
	else if (to->family == ADDRESS_V4 && !address_is_loopback(to) &&
	    sim_mine()->address.family == ADDRESS_V4)
		a = sim_mine()->address;
	else if (!address_is_loopback(to))
		a = to->family == ADDRESS_V4 ? sim_now->net.self_v4 :
		    sim_now->net.self_v6;
	if (source == NULL || source->family == ADDRESS_NONE)
		a.port = 0;
	return address_any_port(a);
}

int
world_connect(const struct address *to, const struct address *source,
    struct net_end **out)
{
	int rc = sim_step(SIM_connect, address_number(to));
	struct address local;
	struct sim_end *e;

	if (rc != 0)
		return rc;
	local = address_whence(to, source);
	if (local.family != to->family)
		return -EAFNOSUPPORT;
	e = end_new(&local, to);
	if (e == NULL)
		return -ENOMEM;
	e->result = -EINPROGRESS;
	e->call.fire = call_fire;
	e->give_up = mono_add(sim_now->mono, GIVE_UP_NS);
	sim_event_in(&e->call, to->family == ADDRESS_UNIX ? 0 :
	    2 * sim_now->net.delay_ns + sim_jitter(sim_now->net.jitter_ns));
	*out = &e->end;
	return -EINPROGRESS;
}

int
world_connect_result(struct net_end *end)
{
	return end_of(end)->result;
}

static size_t
size_cut_short(size_t n)
{
	return n > 1 && sim_happens(sim_now->net.split_per_million) ?
	    1 + (size_t)sim_chance(n) : n;
}

/* As recv() on Linux: what arrived before a reset can still be read. */
static int64_t
end_recv(struct sim_end *e, char *to, size_t n)
{
	struct sim_pipe *p = e->in;
	size_t got = 0, most = size_cut_short(n);

	while (got < most && sim_pipe_has_arrived(p)) {
		struct sim_segment *g = sim_pipe_first(p);
		size_t part = g->n - g->at;

		if (g->kind != SIM_BYTES)
			break;
		if (part > most - got)
			part = most - got;
		memcpy(to + got, g->bytes + g->at, part);
		got += part;
		g->at += part;
		p->unread -= part;
		if (g->at == g->n)
			sim_pipe_take(p);
	}
	if (got > 0)
		return (int64_t)got;
	if (!sim_pipe_has_arrived(p))
		return -EAGAIN;
	return sim_pipe_first(p)->kind == SIM_FIN ? 0 : -ECONNRESET;
}

int64_t
world_recv(struct net_end *end, void *to, size_t n)
{
	struct sim_end *e = end_of(end);
	int64_t got;
	int rc;

	must(e->in != NULL && n > 0);
	if (!sim_pipe_has_arrived(e->in)) {
		end->can_read = false;
		sim_pipe_arm(e->in);
		return -EAGAIN;
	}
	rc = sim_step(SIM_recv, n);
	if (rc != 0)
		return rc;
	got = end_recv(e, to, n);
	sim_note((uint64_t)got);
	e->moved = sim_now->mono;
	if (got > 0)
		sim_pipe_room(e->in, sim_pipe_delay(e->in));
	if (got > 0 && (size_t)got < n) {
		end->can_read = false;
		sim_pipe_arm(e->in);
	}
	if (got == -ECONNRESET)
		e->out->is_cut = true;
	return got;
}

/* What fits, perhaps in two segments, cut anywhere. */
static void
end_send(struct sim_end *e, const char *bytes, size_t n)
{
	size_t first = size_cut_short(n);

	if (sim_happens(sim_now->net.reset_per_million)) {
		sim_pipe_reset(e->out);
		sim_pipe_reset(e->in);
		sim_loss_note(e->out);
		return;
	}
	sim_pipe_put(e->out, SIM_BYTES, bytes, first);
	if (n > first)
		sim_pipe_put(e->out, SIM_BYTES, bytes + first, n - first);
}

/* Who is gone answers RST, unless his machine is dark. */
static void
end_send_to_nobody(struct sim_end *e, const char *bytes, size_t n)
{
	if (sim_pipe_is_silent(e->out))
		sim_pipe_put(e->out, SIM_BYTES, bytes, n);
	else
		sim_pipe_reset(e->in);
}

static void (*tap)(const struct address *, const struct address *, struct str);

void
sim_tap(void (*hear)(const struct address *, const struct address *,
    struct str))
{
	tap = hear;
}

int64_t
world_send(struct net_end *end, const void *bytes, size_t n)
{
	struct sim_end *e = end_of(end);
	size_t room, fits;
	int rc;

	must(e->out != NULL && n > 0);
	room = e->out->unread >= sim_now->net.window ? 0 :
	    sim_now->net.window - e->out->unread;
	if (room == 0 && !e->out->is_cut && !sim_pipe_has_rst(e->in)) {
		end->can_write = false;
		return -EAGAIN;
	}
	rc = sim_step(SIM_send, hash_bytes((struct hash_key){ 2, 3 },
	    (struct str){ bytes, n }));
	if (rc == 0 && e->out->is_cut)
		rc = -EPIPE;
	else if (rc == 0 && sim_pipe_has_rst(e->in))
		rc = -ECONNRESET;
	if (rc != 0) {
		e->out->is_cut = true;
		return rc;
	}
	e->moved = sim_now->mono;
	fits = size_cut_short(n < room ? n : room);
	if (tap != NULL)
		tap(&e->local, &e->peer, (struct str){ bytes, fits });
	if (e->out->to.is_gone)
		end_send_to_nobody(e, bytes, fits);
	else
		end_send(e, bytes, fits);
	if (fits < n) {
		end->can_write = false;
		if (fits < room)
			sim_end_room(e, sim_now->mono.ns);
	}
	sim_note(fits);
	return (int64_t)fits;
}

void
world_close(struct net_end *end)
{
	struct sim_end *e = end_of(end);

	(void)sim_step(SIM_close, address_number(&e->local));
	if (e->door != NULL)
		sim_door_close(e->door, SIM_KILL);
	else if (e->in != NULL)
		sim_pipes_close(e->in, e->out);
	end_free(e);
}

void
sim_half_close(struct net_end *end)
{
	struct sim_pipe *out = end_of(end)->out;

	must(out != NULL);
	(void)sim_step(SIM_close, 0);
	if (!out->to.is_gone && !out->is_cut && !out->is_lost)
		sim_pipe_put(out, SIM_FIN, NULL, 0);
}

/* An end on which nothing will have moved for so long at `next'. */
void
sim_net_watch(int64_t next)
{
	int64_t most = sim_mine()->silence_most;
	char text[200];

	for (struct link *l = list_first(ends_all()); l != NULL && most > 0;
	    l = list_next(&all, l)) {
		struct sim_end *e = OWNER_OF(l, struct sim_end, link);

		if (e->door != NULL || next < mono_add(e->moved, most).ns)
			continue;
		snprintf(text, sizeof text, "waits too long, for %s port %u",
		    address_print(&e->peer).text, (unsigned)e->peer.port);
		sim_broken(text);
	}
}

int
world_local(const struct net_end *end, struct address *out)
{
	const struct sim_end *e = (const void *)end;

	*out = e->local;
	return 0;
}

int
world_peer_uid(const struct net_end *end, unsigned *uid, unsigned *gid)
{
	const struct sim_end *e = (const void *)end;

	if (e->local.family != ADDRESS_UNIX || e->door != NULL)
		return -EOPNOTSUPP;
	*uid = sim_now->net.uid;
	*gid = sim_now->net.gid;
	return 0;
}

/* Pipes and doors went with the room. */
void
sim_net_forget(void)
{
	struct link *l;

	while ((l = list_first(ends_all())) != NULL)
		end_free(OWNER_OF(l, struct sim_end, link));
	port_last = 0;
}
