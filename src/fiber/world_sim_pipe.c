/*
 * A connection is two pipes; a pipe is a list of segments on their way from one
 * end to the other, in order:
 *
 *	IN FLIGHT	sim_pipe_put()	arrival > now, or the way is silent
 *	ARRIVED		the clock	the reader was told (net_ready)
 *	gone		sim_pipe_take()	its bytes were taken, the sender has room
 *
 * The last segment of a pipe may be an end (FIN) or a loss (RST).
 */
#include "fiber/world_sim_pipe.h"

#include "base/must.h"
#include "fiber/world_sim_state.h"

/* ---- hosts and the ways between them ---- */

enum sim_host
sim_host_of(const struct address *a)
{
	const struct sim *s = sim_now;

	for (size_t i = 0; i < s->n_hosts; i++)
		if (address_eq_ip(&s->hosts[i].address, a))
			return s->hosts[i].is;
	return SIM_HOST_UP;
}

static bool
way_is_cut(const struct address *from, const struct address *to)
{
	const struct sim *s = sim_now;

	for (size_t i = 0; i < s->n_cuts; i++)
		if (address_eq_ip(&s->cuts[i].from, from) &&
		    address_eq_ip(&s->cuts[i].to, to))
			return true;
	return false;
}

/* A machine without power hears nothing; what it said before is on its way. */
static bool
host_is_dark(const struct address *a)
{
	const struct sim *s = sim_now;

	for (size_t i = 0; i < SIM_MACHINES; i++)
		if (s->machines[i].is_dark &&
		    address_eq_ip(&s->machines[i].address, a))
			return true;
	return false;
}

bool
sim_pipe_is_silent(const struct sim_pipe *p)
{
	return p->sender.family != ADDRESS_UNIX &&
	    (sim_host_of(&p->sender) == SIM_HOST_SILENT ||
	    sim_host_of(&p->receiver) == SIM_HOST_SILENT ||
	    host_is_dark(&p->receiver) ||
	    way_is_cut(&p->sender, &p->receiver));
}

static void
pipes_arm(void)
{
	struct list *all = &sim_now->pipes;

	for (struct link *l = list_first(all); l != NULL; l = list_next(all, l))
		sim_pipe_arm(OWNER_OF(l, struct sim_pipe, link));
}

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
	pipes_arm();
}

void
sim_cut(const char *from, const char *to)
{
	struct sim *s = sim_get();

	must(s->n_cuts < SIM_CUTS);
	must(address_parse(str_of(from), 0, &s->cuts[s->n_cuts].from));
	must(address_parse(str_of(to), 0, &s->cuts[s->n_cuts].to));
	s->n_cuts++;
}

void
sim_cuts_heal(void)
{
	sim_get()->n_cuts = 0;
	pipes_arm();
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

/* ---- pipes ---- */

int64_t
sim_pipe_delay(const struct sim_pipe *p)
{
	if (p->sender.family == ADDRESS_UNIX)
		return 10 * NS_PER_US;
	return sim_now->net.delay_ns + sim_jitter(sim_now->net.jitter_ns);
}

struct sim_segment *
sim_pipe_first(const struct sim_pipe *p)
{
	struct link *l = list_first(&p->segments);

	return l == NULL ? NULL : OWNER_OF(l, struct sim_segment, link);
}

bool
sim_pipe_has_arrived(const struct sim_pipe *p)
{
	const struct sim_segment *g = sim_pipe_first(p);

	return g != NULL && g->arrives.ns <= sim_now->mono.ns &&
	    !sim_pipe_is_silent(p);
}

bool
sim_pipe_has_rst(const struct sim_pipe *p)
{
	return p->is_lost && p->last.ns <= sim_now->mono.ns &&
	    !sim_pipe_is_silent(p);
}

static struct sim_pipe *
pipe_new(const struct address *sender, const struct address *receiver)
{
	struct sim_pipe *p = sim_room_take(sizeof *p);

	list_init(&p->segments);
	p->sender = *sender;
	p->receiver = *receiver;
	p->last = sim_now->mono;
	list_append(&sim_now->pipes, &p->link);
	return p;
}

struct sim_pipe *
sim_pipe_pair(struct sim_end *caller, const struct address *local,
    const struct sim_door *door, const struct address *peer)
{
	struct sim_pipe *out = pipe_new(local, peer), *in = pipe_new(peer, local);

	out->other = in;
	in->other = out;
	out->from = in->to = (struct sim_party){ caller, sim_me, false };
	out->to = in->from = (struct sim_party){ NULL, door->owner.machine,
		false };
	return out;
}

void
sim_pipe_arm(struct sim_pipe *p)
{
	const struct sim_segment *g = sim_pipe_first(p);

	if (p->to.is_gone || p->to.end == NULL)
		return;
	if (sim_is_mine(p->to.machine))
		sim_end_arrival(p->to.end, 0);
	else if (g != NULL && !sim_pipe_is_silent(p))
		sim_ring(p->to.machine, sim_end_arrival, p->to.end,
		    g->arrives.ns > sim_now->mono.ns ? g->arrives.ns :
		    sim_now->mono.ns);
}

void
sim_pipe_room(struct sim_pipe *p, int64_t in_ns)
{
	int64_t at = mono_add(sim_now->mono, in_ns).ns;

	if (p->from.is_gone || p->from.end == NULL)
		return;
	if (sim_is_mine(p->from.machine))
		sim_end_room(p->from.end, at);
	else
		sim_ring(p->from.machine, sim_end_room, p->from.end, at);
}

void
sim_pipe_take(struct sim_pipe *p)
{
	struct sim_segment *g = sim_pipe_first(p);

	list_remove(&g->link);
	sim_room_give(g, sizeof *g + g->n);
}

static void
pipe_drain(struct sim_pipe *p)
{
	while (sim_pipe_first(p) != NULL)
		sim_pipe_take(p);
	p->unread = 0;
}

static void
pipe_free_if_done(struct sim_pipe *p)
{
	if (!p->from.is_gone || !p->to.is_gone)
		return;
	pipe_drain(p);
	list_remove(&p->link);
	if (p->other != NULL)
		p->other->other = NULL;
	sim_room_give(p, sizeof *p);
}

void
sim_pipe_put(struct sim_pipe *p, enum sim_segment_kind kind, const char *bytes,
    size_t n)
{
	struct sim_segment *g = sim_room_take(sizeof *g + n);

	g->kind = kind;
	g->n = n;
	if (n > 0)
		memcpy(g->bytes, bytes, n);
	g->arrives = mono_add(sim_now->mono, sim_pipe_delay(p));
	if (mono_is_before(g->arrives, p->last))
		g->arrives = p->last;
	p->last = g->arrives;
	p->unread += n;
	list_append(&p->segments, &g->link);
	if (sim_pipe_first(p) == g)
		sim_pipe_arm(p);
}

void
sim_pipe_reset(struct sim_pipe *p)
{
	if (p->to.is_gone || p->is_lost)
		return;
	p->is_lost = true;
	sim_pipe_put(p, SIM_RST, NULL, 0);
	sim_pipe_arm(p);
}

void
sim_loss_note(const struct sim_pipe *p)
{
	size_t i = sim_now->n_losses++ % SIM_LOSSES;

	sim_now->losses[i].at = sim_now->mono.ns;
	sim_now->losses[i].a = p->sender;
	sim_now->losses[i].b = p->receiver;
}

unsigned
sim_losses(void)
{
	return (unsigned)sim_get()->n_losses;
}

bool
sim_was_lost(const char *ip, struct mono from, struct mono to)
{
	const struct sim *s = sim_now;
	struct address a;

	must(address_parse(str_of(ip), 0, &a));
	for (size_t i = 0; i < SIM_LOSSES && i < s->n_losses; i++)
		if (s->losses[i].at >= from.ns && s->losses[i].at <= to.ns &&
		    (address_eq_ip(&s->losses[i].a, &a) ||
		    address_eq_ip(&s->losses[i].b, &a)))
			return true;
	return false;
}

/* RFC 9293 3.6: unread bytes at close mean a reset for the peer. */
void
sim_pipes_close(struct sim_pipe *in, struct sim_pipe *out)
{
	if (in->unread > 0)
		sim_pipe_reset(out);
	else if (!out->to.is_gone && !out->is_cut && !out->is_lost)
		sim_pipe_put(out, SIM_FIN, NULL, 0);
	sim_pipes_vanish(in, out);
}

/* What had arrived was acknowledged, and is gone; what is under way is not. */
void
sim_pipes_vanish(struct sim_pipe *in, struct sim_pipe *out)
{
	in->to.is_gone = out->from.is_gone = true;
	in->to.end = out->from.end = NULL;
	while (sim_pipe_has_arrived(in)) {
		in->unread -= sim_pipe_first(in)->n - sim_pipe_first(in)->at;
		sim_pipe_take(in);
	}
	pipe_free_if_done(in);
	pipe_free_if_done(out);
}

/* ---- doors ---- */

void
sim_door_close(struct sim_door *d, enum sim_crash how)
{
	struct link *l;

	while ((l = list_pop(&d->backlog)) != NULL) {
		struct sim_caller *c = OWNER_OF(l, struct sim_caller, link);

		if (how == SIM_KILL)
			sim_pipe_reset(c->out);
		sim_pipes_vanish(c->in, c->out);
		sim_room_give(c, sizeof *c);
	}
	list_remove(&d->link);
	sim_room_give(d, sizeof *d);
}

/* ---- a process that is gone ---- */

static void
pipe_crash(struct sim_pipe *out, unsigned machine, enum sim_crash how)
{
	if (out->from.machine != machine || out->from.is_gone)
		return;
	must(out->other != NULL);
	if (how == SIM_KILL)
		sim_pipes_close(out->other, out);
	else
		sim_pipes_vanish(out->other, out);
}

/* The first that is of this machine and not yet gone; NULL: none is. */
static struct sim_pipe *
pipe_of(unsigned machine)
{
	struct list *all = &sim_now->pipes;

	for (struct link *l = list_first(all); l != NULL; l = list_next(all, l)) {
		struct sim_pipe *p = OWNER_OF(l, struct sim_pipe, link);

		if (p->from.machine == machine && !p->from.is_gone)
			return p;
	}
	return NULL;
}

static struct sim_door *
door_of(unsigned machine)
{
	struct list *all = &sim_now->doors;

	for (struct link *l = list_first(all); l != NULL; l = list_next(all, l)) {
		struct sim_door *d = OWNER_OF(l, struct sim_door, link);

		if (d->owner.machine == machine)
			return d;
	}
	return NULL;
}

void
sim_net_crash(unsigned machine, enum sim_crash how)
{
	struct sim_door *d;
	struct sim_pipe *p;

	while ((d = door_of(machine)) != NULL)
		sim_door_close(d, how);
	while ((p = pipe_of(machine)) != NULL)
		pipe_crash(p, machine, how);
}

/* A machine is up again: who still speaks to its former life is reset. */
void
sim_net_return(unsigned machine)
{
	struct list *all = &sim_now->pipes;

	for (struct link *l = list_first(all); l != NULL; l = list_next(all, l)) {
		struct sim_pipe *p = OWNER_OF(l, struct sim_pipe, link);

		if (p->to.machine == machine && p->to.is_gone &&
		    p->unread > 0 && p->other != NULL)
			sim_pipe_reset(p->other);
	}
	pipes_arm();
}
