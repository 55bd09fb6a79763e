#include "fiber/net.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/inner.h"

#include <errno.h>

enum { NET_MAGIC = 0x4e657445, NET_BURST = 32 };

#define NET_PAUSE_NS (100 * NS_PER_MS)

void (*net_tell)(const char *text);

/* ---- edges ---- */

void
net_end_init(struct net_end *e)
{
	*e = (struct net_end){ .magic = NET_MAGIC, .home = core_here };
	must(e->home != NULL);
}

void
net_ready(struct net_end *e, bool readable, bool writable)
{
	must(e->magic == NET_MAGIC && e->home == core_here);
	if (readable) {
		e->can_read = true;
		fiber_wake(e->reader);
	}
	if (writable) {
		e->can_write = true;
		fiber_wake(e->writer);
	}
}

/* The deadline is looked at anew after each wake: stream_hurry() moves it. */
static yields int
net_wait(struct net_end *e, const bool *can, struct fiber **seat,
    const struct mono *deadline)
{
	int rc;

	must(e->magic == NET_MAGIC && e->home == core_here);
	must(*seat == NULL);	/* one reader and one writer */
	while (!*can) {
		if (e->is_stopped)
			return err_set("no longer listening");
		*seat = fiber_self();
		rc = fiber_park(*deadline);
		*seat = NULL;
		if (rc != 0 && !*can)
			return err_set("nothing in time");
	}
	return 0;
}

/* Who never has to wait for this end lets others run all the same. */
static yields void
net_share(struct net_end *e)
{
	if (++e->burst < NET_BURST)
		return;
	e->burst = 0;
	fiber_yield();
}

yields int
net_await_readable(struct net_end *e, const struct mono *deadline)
{
	if (e->can_read) {
		net_share(e);
		return 0;
	}
	e->burst = 0;
	return net_wait(e, &e->can_read, &e->reader, deadline);
}

yields int
net_await_writable(struct net_end *e, const struct mono *deadline)
{
	if (e->can_write) {
		net_share(e);
		return 0;
	}
	return net_wait(e, &e->can_write, &e->writer, deadline);
}

yields int
net_wait_readable(struct net_end *e, struct mono deadline)
{
	return net_await_readable(e, &deadline);
}

yields int
net_wait_writable(struct net_end *e, struct mono deadline)
{
	return net_await_writable(e, &deadline);
}

/* ---- listeners ---- */

static struct net_end *
net_made(int rc, struct net_end *e, const char *what, const struct address *a)
{
	must(rc <= 0 && (rc != 0 || e != NULL));
	if (rc == 0)
		return e;
	errno = -rc;
	if (a == NULL)
		err_set("%s: %m", what);
	else
		err_set("%s %s port %u: %m", what, address_print(a).text,
		    (unsigned)a->port);
	return NULL;
}

struct net_end *
net_listen(const struct address *a)
{
	struct net_end *e = NULL;
	int rc = world_listen(a, &e);

	return net_made(rc, e, "listen on", a);
}

struct net_end *
net_adopt_listener(int fd)
{
	struct net_end *e = NULL;
	int rc = world_adopt_listener(fd, &e);

	return net_made(rc, e, "adopt a listener", NULL);
}

struct net_end *
net_adopt(int fd)
{
	struct net_end *e = NULL;
	int rc = world_adopt(fd, &e);

	return net_made(rc, e, "adopt a connection", NULL);
}

/* accept(2): what befell the connection while it waited is not ours. */
static bool
net_is_passing(int rc)
{
	return rc == -ECONNABORTED || rc == -EINTR || rc == -EPROTO ||
	    rc == -ENETDOWN || rc == -ENETUNREACH || rc == -EHOSTUNREACH ||
	    rc == -EHOSTDOWN || rc == -ENOPROTOOPT || rc == -ENONET ||
	    rc == -EOPNOTSUPP || rc == -EPERM;
}

static bool
net_is_shortage(int rc)
{
	return rc == -EMFILE || rc == -ENFILE || rc == -ENOBUFS ||
	    rc == -ENOMEM || rc == -ENOSPC;
}

/* SECURITY.md row 26: no spin, and one line in the log. */
static yields int
net_pause(struct net_end *l, int rc, struct mono deadline)
{
	struct mono until = mono_add(clock_mono(), NET_PAUSE_NS);

	must(rc < 0);
	errno = -rc;
	err_set("accept: %m; pausing for 100 ms at a time");
	if (!l->is_told && net_tell != NULL)
		net_tell(err_text());
	l->is_told = true;
	fiber_sleep(mono_first(until, deadline));
	return mono_is_before(clock_mono(), deadline) ? 0 : -1;
}

yields struct net_end *
net_accept(struct net_end *l, struct address *peer, struct mono deadline)
{
	struct net_end *e = NULL;
	int rc;

	must(l->magic == NET_MAGIC);
	while (!l->is_stopped) {
		if ((rc = world_accept(l, &e, peer)) == 0) {
			l->is_told = false;
			net_share(l);
			return e;
		}
		if (rc == -EAGAIN) {
			l->can_read = false;
			if (net_wait_readable(l, deadline) != 0)
				return NULL;
		} else if (net_is_shortage(rc)) {
			if (net_pause(l, rc, deadline) != 0)
				return NULL;
		} else if (!net_is_passing(rc)) {
			return net_made(rc, NULL, "accept", NULL);
		}
	}
	err_set("no longer listening");
	return NULL;
}

void
net_stop_listening(struct net_end *l)
{
	must(l->magic == NET_MAGIC);
	l->is_stopped = true;
	fiber_wake(l->reader);
}

unsigned
net_descriptors(void)
{
	return world_descriptors();
}

/* ---- connections ---- */

static yields int
net_connected(struct net_end *e, struct mono deadline)
{
	must(e->home == core_here);
	if (net_wait_writable(e, deadline) != 0)
		return -ETIMEDOUT;
	return world_connect_result(e);
}

yields struct net_end *
net_connect(const struct address *to, const struct address *source,
    struct mono deadline)
{
	struct net_end *e = NULL;
	int rc;

	if (source != NULL && source->family == ADDRESS_NONE)
		source = NULL;
	rc = world_connect(to, source, &e);
	if (rc == -EINPROGRESS) {
		rc = net_connected(e, deadline);
		if (rc != 0)
			net_close(e);
	}
	return net_made(rc, e, "connect to", to);
}

void
net_close(struct net_end *e)
{
	must(e->magic == NET_MAGIC && e->home == core_here);
	must(e->reader == NULL && e->writer == NULL);
	e->magic = 0;
	world_close(e);
}

bool
net_local(const struct net_end *e, struct address *out)
{
	must(e->magic == NET_MAGIC);
	return world_local(e, out) == 0;
}

bool
net_peer_uid(const struct net_end *e, unsigned *uid, unsigned *gid)
{
	must(e->magic == NET_MAGIC);
	return world_peer_uid(e, uid, gid) == 0;
}
