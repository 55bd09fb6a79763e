/*
 * The simulated network.  A connection is two pipes; a pipe is a list of
 * segments on their way from one end to the other, in order:
 *
 *	IN FLIGHT	sim_pipe_put()	arrival > now, or the host is silent
 *	ARRIVED		the clock	the reader was told (net_ready)
 *	gone		world_recv()	its bytes were taken, the sender has room
 *
 * The last segment of a pipe may be an end (FIN) or a loss (RST).  A connection
 * under way: CALLING (an event will decide), then DECIDED with its result.
 */
#include "base/hash.h"
#include "base/list.h"
#include "fiber/world.h"
#include "fiber/world_sim_state.h"

#include "base/must.h"

#include <errno.h>
#include <stdlib.h>

enum { BACKLOG_MOST = 128, PORT_FIRST = 32768, PORTS = 28000 };
#define GIVE_UP_NS (127 * NS_PER_SECOND)	/* as tcp_syn_retries = 6 does */
#define AGAIN_NS NS_PER_SECOND

enum segment_kind { SEGMENT_BYTES, SEGMENT_FIN, SEGMENT_RST };

struct segment {
	struct link link;
	struct mono arrives;
	enum segment_kind kind;
	size_t n, at;
	char bytes[];
};

struct sim_end;

/* One direction.  Freed when neither end holds it. */
struct sim_pipe {
	struct list segments;
	struct sim_end *from, *to;	/* NULL: closed */
	struct sim_event arrival, room, loss;
	size_t unread;			/* bytes in segments */
	struct mono last;		/* arrival of the newest segment */
	bool is_lost;			/* its last segment is an RST */
	bool is_cut;			/* writing it fails: RST was met */
	struct address sender, receiver;	/* for their hosts' state */
};

struct sim_end {
	struct net_end end;
	struct link link;		/* in all[] */
	bool is_listener, is_inited;
	struct address local, peer;
	struct link waiting;		/* of a listener, until accepted */
	struct list backlog;
	size_t n_backlog;
	struct sim_pipe *in, *out;
	int result;			/* of connect; -EINPROGRESS: calling */
	struct sim_event call;
	struct mono give_up;
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

/* ---- hosts ---- */

static enum sim_host
host_of(const struct address *a)
{
	const struct sim *s = sim_now;

	for (size_t i = 0; i < s->n_hosts; i++)
		if (address_eq_ip(&s->hosts[i].address, a))
			return s->hosts[i].is;
	return SIM_HOST_UP;
}

static bool
pipe_is_silent(const struct sim_pipe *p)
{
	return host_of(&p->sender) == SIM_HOST_SILENT ||
	    host_of(&p->receiver) == SIM_HOST_SILENT;
}

static void pipe_arm(struct sim_pipe *);

void
sim_host_set(const char *ip, enum sim_host is)
{
	struct sim *s = sim_get();
	struct address a;
	size_t i = 0;

	must(address_parse(str_of(ip), 0, &a));
	while (i < s->n_hosts && !address_eq_ip(&s->hosts[i].address, &a))
		i++;
	must(i < SIM_HOSTS);
	if (i == s->n_hosts)
		s->n_hosts++;
	s->hosts[i].address = a;
	s->hosts[i].is = is;
	for (struct link *l = list_first(ends_all()); l != NULL;
	    l = list_next(&all, l)) {
		struct sim_end *e = OWNER_OF(l, struct sim_end, link);

		if (e->in != NULL)
			pipe_arm(e->in);
	}
}

struct sim_net
sim_net(void)
{
	return sim_get()->net;
}

void
sim_net_set(struct sim_net net)
{
	must(net.window > 0);
	sim_get()->net = net;
}

static uint64_t
address_number(const struct address *a)
{
	return hash_bytes((struct hash_key){ 1, a->port },
	    a->family == ADDRESS_UNIX ? str_of(a->of.path) :
	    (struct str){ (const char *)a->of.ip,
	    a->family == ADDRESS_V4 ? 4 : 16 });
}

/* ---- pipes ---- */

static int64_t
pipe_delay(const struct sim_pipe *p)
{
	if (p->sender.family == ADDRESS_UNIX)
		return 10 * NS_PER_US;
	return sim_now->net.delay_ns + sim_jitter(sim_now->net.jitter_ns);
}

static struct segment *
pipe_first(const struct sim_pipe *p)
{
	struct link *l = list_first(&p->segments);

	return l == NULL ? NULL : OWNER_OF(l, struct segment, link);
}

static bool
pipe_has_arrived(const struct sim_pipe *p)
{
	const struct segment *g = pipe_first(p);

	return g != NULL && g->arrives.ns <= sim_now->mono.ns &&
	    !pipe_is_silent(p);
}

static struct mono
mono_last(struct mono a, struct mono b)
{
	return mono_is_before(a, b) ? b : a;
}

/* Tell the reader when the first segment is there, both sides when an RST is,
 * whatever was not read before it. */
static void
pipe_arm(struct sim_pipe *p)
{
	struct segment *g = pipe_first(p);

	sim_event_cancel(&p->arrival);
	sim_event_cancel(&p->loss);
	if (g == NULL || p->to == NULL || pipe_is_silent(p))
		return;
	sim_event_set(&p->arrival, mono_last(g->arrives, sim_now->mono));
	if (p->is_lost)
		sim_event_set(&p->loss, mono_last(p->last, sim_now->mono));
}

static bool
pipe_has_rst(const struct sim_pipe *p)
{
	return p->is_lost && p->last.ns <= sim_now->mono.ns &&
	    !pipe_is_silent(p);
}

static void
end_ready(struct sim_end *e, bool readable, bool writable)
{
	if (e == NULL || !e->is_inited)
		return;
	core_enter(e->end.home);
	net_ready(&e->end, readable, writable);
	core_enter(NULL);
}

static void
pipe_arrived(struct sim_event *event)
{
	end_ready(OWNER_OF(event, struct sim_pipe, arrival)->to, true, false);
}

static void
pipe_lost(struct sim_event *event)
{
	end_ready(OWNER_OF(event, struct sim_pipe, loss)->to, true, true);
}

static void
pipe_has_room(struct sim_event *event)
{
	struct sim_pipe *p = OWNER_OF(event, struct sim_pipe, room);

	end_ready(p->from, false, true);
}

static struct sim_pipe *
pipe_new(struct sim_end *from, struct sim_end *to)
{
	struct sim_pipe *p = calloc(1, sizeof *p);

	if (p == NULL)
		return NULL;
	list_init(&p->segments);
	p->from = from;
	p->to = to;
	p->sender = from->local;
	p->receiver = to->local;
	p->arrival.fire = pipe_arrived;
	p->room.fire = pipe_has_room;
	p->loss.fire = pipe_lost;
	p->last = sim_now->mono;
	return p;
}

static void
pipe_drain(struct sim_pipe *p)
{
	struct link *l;

	while ((l = list_pop(&p->segments)) != NULL)
		free(OWNER_OF(l, struct segment, link));
	p->unread = 0;
}

static void
pipe_free_if_done(struct sim_pipe *p)
{
	if (p->from != NULL || p->to != NULL)
		return;
	sim_event_cancel(&p->arrival);
	sim_event_cancel(&p->room);
	sim_event_cancel(&p->loss);
	pipe_drain(p);
	free(p);
}

static int
pipe_put(struct sim_pipe *p, enum segment_kind kind, const char *bytes,
    size_t n)
{
	struct segment *g = calloc(1, sizeof *g + n);

	if (g == NULL)
		return -ENOBUFS;
	g->kind = kind;
	g->n = n;
	if (n > 0)
		memcpy(g->bytes, bytes, n);
	g->arrives = mono_add(sim_now->mono, pipe_delay(p));
	if (mono_is_before(g->arrives, p->last))
		g->arrives = p->last;
	p->last = g->arrives;
	p->unread += n;
	list_append(&p->segments, &g->link);
	if (pipe_first(p) == g)
		pipe_arm(p);
	return 0;
}

/* The connection is lost in this direction: nothing more after it. */
static void
pipe_reset(struct sim_pipe *p)
{
	if (p->to == NULL || p->is_lost)
		return;
	p->is_lost = pipe_put(p, SEGMENT_RST, NULL, 0) == 0;
	pipe_arm(p);
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
	list_init(&e->backlog);
	list_append(ends_all(), &e->link);
	n_all++;
	return e;
}

static void
end_init(struct sim_end *e)
{
	net_end_init(&e->end);
	e->is_inited = true;
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

	if (e == NULL)
		return -ENOMEM;
	e->is_listener = true;
	end_init(e);
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

static bool
listener_serves(const struct sim_end *e, const struct address *to)
{
	if (!e->is_listener || e->end.is_stopped ||
	    e->local.family != to->family)
		return false;
	if (to->family == ADDRESS_UNIX)
		return strcmp(e->local.of.path, to->of.path) == 0;
	return e->local.port == to->port && (address_is_any(&e->local) ||
	    address_eq_ip(&e->local, to));
}

/* SO_REUSEPORT: one of those that listen there, by the seed. */
static struct sim_end *
listener_find(const struct address *to)
{
	struct sim_end *found = NULL;
	uint64_t n = 0;

	for (struct link *l = list_first(ends_all()); l != NULL;
	    l = list_next(&all, l)) {
		struct sim_end *e = OWNER_OF(l, struct sim_end, link);

		if (listener_serves(e, to) && sim_chance(++n) == 0)
			found = e;
	}
	return found;
}

int
world_accept(struct net_end *listener, struct net_end **out,
    struct address *peer)
{
	struct sim_end *e = end_of(listener), *made;
	struct link *l = list_first(&e->backlog);
	int rc;

	must(e->is_listener);
	if (l == NULL) {
		listener->can_read = false;
		return -EAGAIN;
	}
	rc = sim_step(SIM_accept, address_number(&e->local));
	if (rc != 0)
		return rc;
	list_remove(l);
	e->n_backlog--;
	made = OWNER_OF(l, struct sim_end, waiting);
	end_init(made);
	made->end.can_write = true;
	pipe_arm(made->in);
	*out = &made->end;
	*peer = made->peer;
	return 0;
}

/* ---- connections ---- */

static void
call_decide(struct sim_end *e, int result)
{
	e->result = result;
	end_ready(e, result != 0, true);
}

static void
call_free(struct sim_end *e)
{
	list_remove(&e->link);
	n_all--;
	free(e);
}

/* The far end comes to be, in the listener's backlog. */
static int
call_answer(struct sim_end *e, struct sim_end *listener)
{
	struct sim_end *far = end_new(&e->peer, &e->local);

	if (far == NULL)
		return -ENOBUFS;
	e->out = pipe_new(e, far);
	e->in = pipe_new(far, e);
	if (e->out == NULL || e->in == NULL) {
		free(e->out);
		free(e->in);
		e->out = e->in = NULL;
		call_free(far);
		return -ENOBUFS;
	}
	far->in = e->out;
	far->out = e->in;
	list_append(&listener->backlog, &far->waiting);
	listener->n_backlog++;
	end_ready(listener, true, false);
	return 0;
}

static void
call_fire(struct sim_event *event)
{
	struct sim_end *e = OWNER_OF(event, struct sim_end, call);
	struct sim_end *listener = listener_find(&e->peer);
	enum sim_host is = host_of(&e->peer);

	if (!mono_is_before(sim_now->mono, e->give_up))
		call_decide(e, -ETIMEDOUT);
	else if (is == SIM_HOST_UNREACHABLE)
		call_decide(e, -EHOSTUNREACH);
	else if (is == SIM_HOST_SILENT ||
	    host_of(&e->local) == SIM_HOST_SILENT ||
	    (listener != NULL && listener->n_backlog >= BACKLOG_MOST))
		sim_event_set(event, mono_first(e->give_up,
		    mono_add(sim_now->mono, AGAIN_NS)));
	else if (is == SIM_HOST_CLOSED || listener == NULL)
		call_decide(e, e->peer.family == ADDRESS_UNIX ? -ENOENT :
		    -ECONNREFUSED);
	else
		call_decide(e, call_answer(e, listener));
}

static struct address
address_whence(const struct address *to, const struct address *source)
{
	struct address a = *to;

	if (source != NULL && source->family != ADDRESS_NONE)
		a = *source;
	else if (to->family == ADDRESS_UNIX)
		return (struct address){ .family = ADDRESS_UNIX };
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
	end_init(e);
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

	while (got < most && pipe_has_arrived(p)) {
		struct segment *g = pipe_first(p);
		size_t part = g->n - g->at;

		if (g->kind != SEGMENT_BYTES)
			break;
		if (part > most - got)
			part = most - got;
		memcpy(to + got, g->bytes + g->at, part);
		got += part;
		g->at += part;
		p->unread -= part;
		if (g->at < g->n)
			continue;
		list_remove(&g->link);
		free(g);
	}
	if (got > 0)
		return (int64_t)got;
	if (!pipe_has_arrived(p))
		return -EAGAIN;
	return pipe_first(p)->kind == SEGMENT_FIN ? 0 : -ECONNRESET;
}

int64_t
world_recv(struct net_end *end, void *to, size_t n)
{
	struct sim_end *e = end_of(end);
	int64_t got;
	int rc;

	must(e->in != NULL && n > 0);
	if (!pipe_has_arrived(e->in)) {
		end->can_read = false;
		pipe_arm(e->in);
		return -EAGAIN;
	}
	rc = sim_step(SIM_recv, n);
	if (rc != 0)
		return rc;
	got = end_recv(e, to, n);
	sim_note((uint64_t)got);
	if (got > 0 && e->in->from != NULL)
		sim_event_in(&e->in->room, pipe_delay(e->in));
	if (got > 0 && (size_t)got < n) {
		end->can_read = false;
		pipe_arm(e->in);
	}
	if (got == -ECONNRESET && e->out != NULL)
		e->out->is_cut = true;
	return got;
}

/* What fits, perhaps in two segments, cut anywhere. */
static int
end_send(struct sim_end *e, const char *bytes, size_t n)
{
	size_t first = size_cut_short(n);
	int rc;

	if (sim_happens(sim_now->net.reset_per_million)) {
		pipe_reset(e->out);
		pipe_reset(e->in);
		return 0;
	}
	rc = pipe_put(e->out, SEGMENT_BYTES, bytes, first);
	if (rc == 0 && n > first)
		rc = pipe_put(e->out, SEGMENT_BYTES, bytes + first, n - first);
	return rc;
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
	if (room == 0 && !e->out->is_cut && !pipe_has_rst(e->in)) {
		end->can_write = false;
		return -EAGAIN;
	}
	rc = sim_step(SIM_send, hash_bytes((struct hash_key){ 2, 3 },
	    (struct str){ bytes, n }));
	if (rc == 0 && e->out->is_cut)
		rc = -EPIPE;
	else if (rc == 0 && pipe_has_rst(e->in))
		rc = -ECONNRESET;
	if (rc != 0) {
		e->out->is_cut = true;
		return rc;
	}
	fits = size_cut_short(n < room ? n : room);
	if (e->out->to == NULL)		/* closed there: it will answer RST */
		pipe_reset(e->in);
	else
		rc = end_send(e, bytes, fits);
	if (rc != 0)
		return rc;
	if (fits < n) {
		end->can_write = false;
		if (fits < room)
			sim_event_in(&e->out->room, 0);
	}
	sim_note(fits);
	return (int64_t)fits;
}

static void
listener_close(struct sim_end *e)
{
	struct link *l;

	while ((l = list_pop(&e->backlog)) != NULL) {
		struct sim_end *far = OWNER_OF(l, struct sim_end, waiting);

		pipe_reset(far->out);
		far->in->to = far->out->from = NULL;
		pipe_free_if_done(far->in);
		pipe_free_if_done(far->out);
		call_free(far);
	}
}

/* RFC 9293 3.6: unread bytes at close mean a reset for the peer. */
static void
connection_close(struct sim_end *e)
{
	if (e->in->unread > 0)
		pipe_reset(e->out);
	else if (e->out->to != NULL && !e->out->is_cut && !e->out->is_lost)
		(void)pipe_put(e->out, SEGMENT_FIN, NULL, 0);
	sim_event_cancel(&e->in->arrival);
	sim_event_cancel(&e->in->loss);
	e->in->to = NULL;
	pipe_drain(e->in);
	e->out->from = NULL;
	pipe_free_if_done(e->in);
	pipe_free_if_done(e->out);
}

void
world_close(struct net_end *end)
{
	struct sim_end *e = end_of(end);

	(void)sim_step(SIM_close, address_number(&e->local));
	sim_event_cancel(&e->call);
	if (e->is_listener)
		listener_close(e);
	else if (e->in != NULL)
		connection_close(e);
	call_free(e);
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

	if (e->local.family != ADDRESS_UNIX || e->is_listener)
		return -EOPNOTSUPP;
	*uid = sim_now->net.uid;
	*gid = sim_now->net.gid;
	return 0;
}

void
sim_net_forget(void)
{
	struct link *l;

	while ((l = list_first(ends_all())) != NULL) {
		struct sim_end *e = OWNER_OF(l, struct sim_end, link);

		if (e->in != NULL) {
			e->in->to = e->out->from = NULL;
			pipe_free_if_done(e->in);
			pipe_free_if_done(e->out);
		}
		sim_event_cancel(&e->call);
		call_free(e);
	}
	port_last = 0;
}
