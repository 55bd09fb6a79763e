#include "base/must.h"
#include "fiber/net.h"
#include "fiber/world.h"
#include "fiber/world_real.h"

#include "base/list.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

/*
 * SECURITY.md row 26: descriptors are given out from the lowest number up, so
 * the number of a new one tells how many are left.  Clients leave some to next
 * hops and files, next hops leave some to files.
 */
enum { REAL_BACKLOG = 4096, REAL_KEPT_FROM_CLIENTS = 64,
	REAL_KEPT_FROM_HOSTS = 32 };

struct real_end {
	struct net_end end;
	struct real_watch watch;
	bool has_ended;			/* the peer will send no more */
	bool is_shared;			/* another process has it too */
};

union real_sockaddr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
	struct sockaddr_un un;
};

static struct real_end *
real_end(const struct net_end *e)
{
	return OWNER_OF((uintptr_t)e, struct real_end, end);
}

/* ---- addresses ---- */

static socklen_t
real_to_sockaddr(const struct address *a, union real_sockaddr *sa)
{
	memset(sa, 0, sizeof *sa);
	switch (a->family) {
	case ADDRESS_V4:
		sa->v4.sin_family = AF_INET;
		sa->v4.sin_port = htons(a->port);
		memcpy(&sa->v4.sin_addr, a->of.ip, 4);
		return sizeof sa->v4;
	case ADDRESS_V6:
		sa->v6.sin6_family = AF_INET6;
		sa->v6.sin6_port = htons(a->port);
		memcpy(&sa->v6.sin6_addr, a->of.ip, 16);
		return sizeof sa->v6;
	case ADDRESS_UNIX:
		sa->un.sun_family = AF_UNIX;
		memcpy(sa->un.sun_path, a->of.path, sizeof a->of.path - 1);
		return sizeof sa->un;
	case ADDRESS_NONE:
		break;
	}
	return 0;
}

static void
real_from_sockaddr(const union real_sockaddr *sa, socklen_t n,
    struct address *a)
{
	struct address_text t = { "" };
	size_t path_n;

	*a = (struct address){ .family = ADDRESS_NONE };
	if (sa->any.sa_family == AF_INET) {
		a->family = ADDRESS_V4;
		a->port = ntohs(sa->v4.sin_port);
		memcpy(a->of.ip, &sa->v4.sin_addr, 4);
	} else if (sa->any.sa_family == AF_INET6) {
		a->family = ADDRESS_V6;
		memcpy(a->of.ip, &sa->v6.sin6_addr, 16);
		/* Through text, for one place knows mapped addresses. */
		t = address_print(a);
		(void)address_parse(str_of(t.text), ntohs(sa->v6.sin6_port), a);
	} else if (sa->any.sa_family == AF_UNIX) {
		a->family = ADDRESS_UNIX;
		path_n = (size_t)n > offsetof(struct sockaddr_un, sun_path) ?
		    (size_t)n - offsetof(struct sockaddr_un, sun_path) : 0;
		if (path_n >= sizeof a->of.path)
			path_n = sizeof a->of.path - 1;
		memcpy(a->of.path, sa->un.sun_path, path_n);
	}
}

/* ---- ends ---- */

static void
real_end_ready(struct real_watch *w, uint32_t events)
{
	struct real_end *e = OWNER_OF(w, struct real_end, watch);

	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		e->has_ended = true;
	net_ready(&e->end,
	    (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0,
	    (events & (EPOLLOUT | EPOLLHUP | EPOLLERR)) != 0);
}

/* Takes the descriptor in any case. */
static int
real_end_open(int fd, uint32_t events, struct net_end **out)
{
	struct real_end *e = calloc(1, sizeof *e);
	int rc = -ENOMEM;

	must(fd >= 0);
	if (e != NULL) {
		net_end_init(&e->end);
		e->watch.fd = fd;
		e->watch.ready = real_end_ready;
		rc = real_watch_add(&e->watch, events);
	}
	if (rc != 0) {
		(void)close(fd);
		free(e);
		return rc;
	}
	*out = &e->end;
	return 0;
}

/* Master binds a socket of a port for each core.  One without that flag is for
 * all cores, and the service manager's, which goes on listening without us. */
static bool
real_is_ours_alone(int fd)
{
	int family = AF_UNIX, is_one_of_many = 0;
	socklen_t n = sizeof family;

	if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &family, &n) != 0 ||
	    family == AF_UNIX)
		return true;
	n = sizeof is_one_of_many;
	return getsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &is_one_of_many,
	    &n) != 0 || is_one_of_many != 0;
}

void
world_close(struct net_end *end)
{
	struct real_end *e = real_end(end);

	/* close() leaves the epoll too, but only where nobody else has it open:
	 * the events of a listener that master keeps would come to a dead end,
	 * and its clients wait for ever.  Who adopts it again listens again. */
	if (e->is_shared) {
		real_watch_remove(&e->watch);
		if (real_is_ours_alone(e->watch.fd))
			(void)shutdown(e->watch.fd, SHUT_RDWR);
	}
	(void)close(e->watch.fd);
	free(e);
}

static int
real_family(const struct address *a)
{
	return a->family == ADDRESS_V4 ? AF_INET :
	    a->family == ADDRESS_V6 ? AF_INET6 : AF_UNIX;
}

static int
real_socket(const struct address *a)
{
	int fd = socket(real_family(a),
	    SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	return fd < 0 ? -errno : fd;
}

static void
real_option(int fd, int level, int option)
{
	int one = 1;

	(void)setsockopt(fd, level, option, &one, sizeof one);
}

static bool
real_is_spare(int fd, unsigned kept)
{
	unsigned most = world_descriptors();

	return kept > most / 4 || (unsigned)fd < most - kept;
}

/* ---- listeners ---- */

/* Accepted connections inherit TCP_NODELAY: streams know when to send. */
static int
real_listen(int fd, const struct address *a)
{
	union real_sockaddr sa;
	socklen_t n = real_to_sockaddr(a, &sa);
	struct stat st;

	if (a->family == ADDRESS_UNIX) {
		if (lstat(a->of.path, &st) == 0 && S_ISSOCK(st.st_mode))
			(void)unlink(a->of.path);
	} else {
		real_option(fd, SOL_SOCKET, SO_REUSEADDR);
		real_option(fd, SOL_SOCKET, SO_REUSEPORT);
		real_option(fd, IPPROTO_TCP, TCP_NODELAY);
	}
	if (a->family == ADDRESS_V6)
		real_option(fd, IPPROTO_IPV6, IPV6_V6ONLY);
	if (bind(fd, &sa.any, n) != 0 || listen(fd, REAL_BACKLOG) != 0)
		return -errno;
	return 0;
}

int
world_listen(const struct address *a, struct net_end **out)
{
	int fd, rc;

	if (a->family == ADDRESS_NONE)
		return -EAFNOSUPPORT;
	if ((fd = real_socket(a)) < 0)
		return fd;
	if ((rc = real_listen(fd, a)) != 0) {
		(void)close(fd);
		return rc;
	}
	return real_end_open(fd, EPOLLIN, out);
}

int
world_adopt_listener(int fd, struct net_end **out)
{
	int is_listening = 0, rc;
	socklen_t n = sizeof is_listening;

	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &is_listening, &n) != 0)
		return -errno;
	if (!is_listening && listen(fd, REAL_BACKLOG) != 0)
		return -errno;
	real_option(fd, IPPROTO_TCP, TCP_NODELAY);
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return -errno;
	rc = real_end_open(fd, EPOLLIN, out);
	if (rc == 0)
		real_end(*out)->is_shared = true;
	return rc;
}

int
world_adopt(int fd, struct net_end **out)
{
	if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 ||
	    fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
		return -errno;
	return real_end_open(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, out);
}

int
world_accept(struct net_end *listener, struct net_end **out,
    struct address *peer)
{
	union real_sockaddr sa;
	socklen_t n = sizeof sa;
	int rc, fd;

	memset(&sa, 0, sizeof sa);
	fd = accept4(real_end(listener)->watch.fd, &sa.any, &n,
	    SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0)
		return -errno;
	real_from_sockaddr(&sa, n, peer);
	if (peer->family != ADDRESS_UNIX &&
	    !real_is_spare(fd, REAL_KEPT_FROM_CLIENTS)) {
		(void)close(fd);
		return -EMFILE;
	}
	rc = real_end_open(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, out);
	if (rc == 0)
		(*out)->can_write = true;
	return rc;
}

/* ---- connections ---- */

static int
real_connect(int fd, const struct address *to, const struct address *source)
{
	union real_sockaddr sa;
	socklen_t n;

	if (to->family != ADDRESS_UNIX)
		real_option(fd, IPPROTO_TCP, TCP_NODELAY);
	if (source != NULL) {
		/* The port is chosen at connect, for it alone. */
		real_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT);
		n = real_to_sockaddr(source, &sa);
		if (bind(fd, &sa.any, n) != 0)
			return -errno;
	}
	n = real_to_sockaddr(to, &sa);
	return connect(fd, &sa.any, n) == 0 ? 0 : -errno;
}

int
world_connect(const struct address *to, const struct address *source,
    struct net_end **out)
{
	int fd, rc, begun;

	if (to->family == ADDRESS_NONE)
		return -EAFNOSUPPORT;
	if ((fd = real_socket(to)) < 0)
		return fd;
	if (!real_is_spare(fd, REAL_KEPT_FROM_HOSTS)) {
		(void)close(fd);
		return -EMFILE;
	}
	begun = real_connect(fd, to, source);
	if (begun != 0 && begun != -EINPROGRESS) {
		(void)close(fd);
		return begun;
	}
	rc = real_end_open(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP, out);
	return rc != 0 ? rc : begun;
}

int
world_connect_result(struct net_end *e)
{
	int error = 0;
	socklen_t n = sizeof error;

	if (getsockopt(real_end(e)->watch.fd, SOL_SOCKET, SO_ERROR, &error,
	    &n) != 0)
		return -errno;
	return -error;
}

int64_t
world_recv(struct net_end *end, void *to, size_t n)
{
	struct real_end *e = real_end(end);
	ssize_t got;

	do
		got = recv(e->watch.fd, to, n, 0);
	while (got < 0 && errno == EINTR);
	/* Less than asked for: the next bytes will make an edge.  The end of
	 * input has made its own, which may be past. */
	if ((got < 0 || (size_t)got < n) && !e->has_ended)
		end->can_read = false;
	return got < 0 ? -errno : got;
}

int64_t
world_send(struct net_end *end, const void *bytes, size_t n)
{
	struct real_end *e = real_end(end);
	int how = MSG_NOSIGNAL | (end->has_more ? MSG_MORE : 0);
	ssize_t sent;

	do
		sent = send(e->watch.fd, bytes, n, how);
	while (sent < 0 && errno == EINTR);
	if (sent < 0 || (size_t)sent < n)
		end->can_write = false;
	return sent < 0 ? -errno : sent;
}

int
world_local(const struct net_end *e, struct address *out)
{
	union real_sockaddr sa;
	socklen_t n = sizeof sa;

	memset(&sa, 0, sizeof sa);
	if (getsockname(real_end(e)->watch.fd, &sa.any, &n) != 0)
		return -errno;
	real_from_sockaddr(&sa, n, out);
	return 0;
}

int
world_peer_uid(const struct net_end *e, unsigned *uid, unsigned *gid)
{
	struct ucred who;
	socklen_t n = sizeof who;

	if (getsockopt(real_end(e)->watch.fd, SOL_SOCKET, SO_PEERCRED, &who,
	    &n) != 0)
		return -errno;
	*uid = who.uid;
	*gid = who.gid;
	return 0;
}
