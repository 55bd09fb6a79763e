#include "app/doors.h"

#include "base/err.h"
#include "fiber/net.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BACKLOG = 4096, AWAIT_MS = 50, AWAIT_TIMES = 20 };

union any_sockaddr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

struct door_name
door_name(const struct address *a)
{
	struct address_text ip = address_print(a);
	struct door_name n;

	snprintf(n.text, sizeof n.text, "%s %u", ip.text, a->port);
	return n;
}

static socklen_t
sockaddr_from(const struct address *a, union any_sockaddr *out)
{
	memset(out, 0, sizeof *out);
	if (a->family == ADDRESS_V4) {
		out->v4.sin_family = AF_INET;
		out->v4.sin_port = htons(a->port);
		memcpy(&out->v4.sin_addr, a->of.ip, 4);
		return sizeof out->v4;
	}
	out->v6.sin6_family = AF_INET6;
	out->v6.sin6_port = htons(a->port);
	memcpy(&out->v6.sin6_addr, a->of.ip, 16);
	return sizeof out->v6;
}

/* Bound, and listening only when the worker adopts it: a client that comes
 * while no worker runs waits in the backlog all the same. */
static int
socket_bind(const struct address *a)
{
	union any_sockaddr to;
	socklen_t n = sockaddr_from(a, &to);
	int on = 1, fd;

	fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC,
	    0);
	if (fd < 0)
		return err_set("socket: %m");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof on);
	if (a->family == ADDRESS_V6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	if (bind(fd, &to.any, n) != 0 || listen(fd, BACKLOG) != 0) {
		err_set("bind %s port %u: %m", address_print(a).text, a->port);
		close(fd);
		return -1;
	}
	return fd;
}

/* What to do about it, for who has just installed us. */
static const char *
door_advice(const struct address *a)
{
	return errno != EACCES || a->port >= 1024 ? "" : "; ports below 1024 "
	    "are root's: start as root (user: tells who the server becomes), "
	    "or let listen name another port";
}

/* SO_REUSEPORT would let a second server take half of our clients: ask first
 * without it. */
static int
port_is_free(const struct address *a)
{
	union any_sockaddr to;
	socklen_t n = sockaddr_from(a, &to);
	int on = 1, rc, error;
	int fd = socket(to.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return err_set("socket: %m");
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (a->family == ADDRESS_V6)
		(void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
	rc = bind(fd, &to.any, n);
	if (rc != 0)
		err_set("bind %s port %u: %m%s", address_print(a).text, a->port,
		    door_advice(a));
	error = errno;
	close(fd);
	errno = error;
	return rc;
}

/* A server that was killed just now holds its sockets until its last thread has
 * ended. */
static int
port_await(const struct address *a)
{
	struct timespec nap = { .tv_nsec = AWAIT_MS * NS_PER_MS };

	for (int i = 0; i < AWAIT_TIMES; i++) {
		if (port_is_free(a) == 0)
			return 0;
		if (errno != EADDRINUSE)
			return -1;
		(void)nanosleep(&nap, NULL);
	}
	return port_is_free(a);
}

static void
door_close(struct door *d)
{
	for (unsigned i = 0; i < d->n_fds; i++)
		close(d->fds[i]);
	d->n_fds = 0;
}

/* "All addresses" and one of them share a port: then it is not free, but ours.
 * A stranger's socket still refuses our bind(). */
static bool
port_is_ours(const struct doors *ds, const struct address *a)
{
	for (size_t i = 0; i < ds->n; i++)
		if (ds->list[i].at.family == a->family && a->port != 0 &&
		    ds->list[i].at.port == a->port)
			return true;
	return false;
}

/* ---- sockets of the service manager ---- */

/* A socket of IPv6 that hears IPv4 too stands for "all addresses" of both. */
static bool
given_fits(const struct systemd_socket *s, const struct address *a)
{
	static const unsigned char zero[16];
	bool is_all = memcmp(s->at.of.ip, zero, sizeof zero) == 0;

	if (s->at.port != a->port)
		return false;
	if (s->at.family == a->family)
		return address_eq_ip(&s->at, a);
	return s->is_dual && is_all && a->family == ADDRESS_V4 &&
	    memcmp(a->of.ip, zero, 4) == 0;
}

static const struct systemd_socket *
given_at(const struct doors *ds, const struct address *a)
{
	for (size_t i = 0; ds->given != NULL && i < ds->given->n; i++)
		if (given_fits(&ds->given->list[i], a))
			return &ds->given->list[i];
	return NULL;
}

static bool
given_is_of(const struct systemd_socket *s, const struct listener *l)
{
	for (size_t k = 0; k < l->at.n; k++)
		if (given_fits(s, &l->at.v[k]))
			return true;
	return false;
}

/* Both say where mail comes in: they must say the same. */
static int
given_check_one(const struct systemd_socket *s, const struct config *c)
{
	const struct listener *named = NULL;
	bool fits = false;

	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct listener *l = &c->listeners[i];

		fits |= given_is_of(s, l);
		if (str_eq(l->name, str_of(s->name)))
			named = l;
	}
	if (s->name[0] == '\0')
		return fits ? 0 : err_set("the service manager listens at %s, "
		    "where listen has nothing", door_name(&s->at).text);
	if (named == NULL)
		return err_set("the service manager passed a socket '%s' (%s), "
		    "and no listener has that name (listen[].name)", s->name,
		    door_name(&s->at).text);
	return given_is_of(s, named) ? 0 : err_set("the service manager "
	    "listens for '%s' at %s; listen has that name elsewhere", s->name,
	    door_name(&s->at).text);
}

static int
given_check(const struct doors *ds, const struct config *c)
{
	for (size_t i = 0; ds->given != NULL && i < ds->given->n; i++)
		if (given_check_one(&ds->given->list[i], c) != 0)
			return -1;
	return 0;
}

/* ---- a door ---- */

static int
door_socket(const struct systemd_socket *given, const struct address *a)
{
	int fd;

	if (given == NULL)
		return socket_bind(a);
	fd = fcntl(given->fd, F_DUPFD_CLOEXEC, 0);
	return fd >= 0 ? fd : err_set("socket '%s': %m", given->name);
}

static int
door_open(struct door *d, const struct address *a, unsigned cores,
    const struct systemd_socket *given)
{
	*d = (struct door){ .at = *a, .is_wanted = true, .is_new = true };
	for (; d->n_fds < cores; d->n_fds++) {
		int fd = door_socket(given, a);

		if (fd < 0) {
			door_close(d);
			return -1;
		}
		d->fds[d->n_fds] = fd;
	}
	return 0;
}

static struct door *
door_find(struct doors *ds, const struct address *a)
{
	for (size_t i = 0; i < ds->n; i++)
		if (ds->list[i].at.port == a->port &&
		    ds->list[i].at.family == a->family &&
		    address_eq_ip(&ds->list[i].at, a))
			return &ds->list[i];
	return NULL;
}

static int
door_want(struct doors *ds, const struct address *a, unsigned cores)
{
	const struct systemd_socket *given = given_at(ds, a);
	struct door *d = door_find(ds, a);

	if (d != NULL) {
		d->is_wanted = true;
		return 0;
	}
	if (ds->n == DOORS_MOST)
		return err_set("more than %d listening addresses", DOORS_MOST);
	if ((given == NULL && !port_is_ours(ds, a) && port_await(a) != 0) ||
	    door_open(&ds->list[ds->n], a, cores, given) != 0)
		return -1;
	ds->n++;
	return 0;
}

int
doors_open(struct doors *ds, const struct config *c, unsigned cores)
{
	for (size_t i = 0; i < ds->n; i++)
		ds->list[i].is_wanted = ds->list[i].is_new = false;
	if (given_check(ds, c) != 0)
		return -1;
	for (size_t i = 0; i < c->n_listeners; i++) {
		const struct conf_addresses *at = &c->listeners[i].at;

		for (size_t k = 0; k < at->n; k++)
			if (door_want(ds, &at->v[k], cores) != 0) {
				doors_undo(ds);
				return -1;
			}
	}
	return 0;
}

static void
doors_drop(struct doors *ds, bool (*which)(const struct door *))
{
	size_t kept = 0;

	for (size_t i = 0; i < ds->n; i++) {
		if (which(&ds->list[i]))
			door_close(&ds->list[i]);
		else if (kept++ != i)
			ds->list[kept - 1] = ds->list[i];
	}
	ds->n = kept;
}

static bool
is_new(const struct door *d)
{
	return d->is_new;
}

static bool
is_unwanted(const struct door *d)
{
	return !d->is_wanted;
}

void
doors_undo(struct doors *ds)
{
	doors_drop(ds, is_new);
}

static bool
is_any(const struct door *d)
{
	return d->n_fds > 0;
}

void
doors_close(struct doors *ds)
{
	doors_drop(ds, is_any);
}

void
doors_prune(struct doors *ds)
{
	doors_drop(ds, is_unwanted);
	for (size_t i = 0; i < ds->n; i++)
		ds->list[i].is_new = false;
}
