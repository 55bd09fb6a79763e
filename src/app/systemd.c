#include "app/systemd.h"

#include "base/err.h"
#include "base/num.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { FIRST_FD = 3, TELL_MOST = 512 };

/* ---- telling ---- */

static void
tell(const char *state, size_t length)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	size_t n = path == NULL ? 0 : strlen(path);
	socklen_t room = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n);
	int fd;

	if (n == 0 || n >= sizeof to.sun_path)
		return;
	memcpy(to.sun_path, path, n);
	if (to.sun_path[0] == '@')
		to.sun_path[0] = '\0';
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return;
	(void)!sendto(fd, state, length, MSG_NOSIGNAL | MSG_DONTWAIT,
	    (void *)&to, room);
	close(fd);
}

void
systemd_tell(const char *fmt, ...)
{
	char text[TELL_MOST];
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	if (n > 0)
		tell(text, (size_t)n < sizeof text ? (size_t)n :
		    sizeof text - 1);
}

/* sd_notify(3): the clock's word is what Type=notify-reload goes by. */
void
systemd_tell_reloading(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	systemd_tell("RELOADING=1\nMONOTONIC_USEC=%lld\nSTATUS=reading the "
	    "configuration", (long long)t.tv_sec * US_PER_SECOND +
	    t.tv_nsec / NS_PER_US);
}

/* ---- is it meant for us? ---- */

static bool
number_of(const char *name, uint64_t most, uint64_t *out)
{
	const char *text = getenv(name);

	return text != NULL && parse_u64(str_of(text), most, out);
}

/* A child inherits the words of its parent, and must not believe them. */
static bool
is_meant_for_us(const char *name)
{
	uint64_t pid;

	return number_of(name, INT32_MAX, &pid) && (pid_t)pid == getpid();
}

int64_t
systemd_watchdog_ms(void)
{
	uint64_t us = 0;
	bool is_ours = getenv("WATCHDOG_PID") == NULL ||
	    is_meant_for_us("WATCHDOG_PID");

	if (!number_of("WATCHDOG_USEC", INT64_MAX, &us) || !is_ours)
		us = 0;
	(void)unsetenv("WATCHDOG_USEC");
	(void)unsetenv("WATCHDOG_PID");
	return us == 0 ? 0 : us < 1000 ? 1 : (int64_t)(us / 1000);
}

/* ---- sockets ---- */

union any_sockaddr {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static int
option_of(int fd, int level, int name)
{
	int value = 0;
	socklen_t n = sizeof value;

	return getsockopt(fd, level, name, &value, &n) == 0 ? value : -1;
}

static int
address_of(struct systemd_socket *s)
{
	union any_sockaddr a;
	socklen_t n = sizeof a;

	if (getsockname(s->fd, &a.any, &n) != 0)
		return -1;
	if (a.any.sa_family == AF_INET) {
		s->at.family = ADDRESS_V4;
		s->at.port = ntohs(a.v4.sin_port);
		memcpy(s->at.of.ip, &a.v4.sin_addr, 4);
	} else if (a.any.sa_family == AF_INET6) {
		s->at.family = ADDRESS_V6;
		s->at.port = ntohs(a.v6.sin6_port);
		memcpy(s->at.of.ip, &a.v6.sin6_addr, 16);
		s->is_dual = option_of(s->fd, IPPROTO_IPV6, IPV6_V6ONLY) == 0;
	} else
		return -1;
	return 0;
}

static int
socket_look(struct systemd_socket *s)
{
	if (option_of(s->fd, SOL_SOCKET, SO_TYPE) != SOCK_STREAM ||
	    address_of(s) != 0)
		return err_set("descriptor %d ('%s') from the service manager "
		    "is no TCP socket: ListenStream= wants an address or a "
		    "port", s->fd, s->name);
	if (option_of(s->fd, SOL_SOCKET, SO_ACCEPTCONN) != 1)
		return err_set("descriptor %d ('%s') from the service manager "
		    "does not listen: Accept= must be no", s->fd, s->name);
	/* fiber/world_real_net.c: by that a core knows its own from others'. */
	if (setsockopt(s->fd, SOL_SOCKET, SO_REUSEPORT, &(int){ 0 },
	    sizeof(int)) != 0 ||
	    fcntl(s->fd, F_SETFD, FD_CLOEXEC) != 0 ||
	    fcntl(s->fd, F_SETFL, O_NONBLOCK) != 0)
		return err_set("descriptor %d from the service manager: %m",
		    s->fd);
	return 0;
}

/* sd_listen_fds_with_names(3): "unknown" where no name was given; a name that
 * was not is the unit's. */
static void
name_take(struct systemd_socket *s, struct str *names)
{
	struct str name = str_cut(names, ':');

	if (str_eq(name, STR("unknown")) || str_eq(name, STR("stored")) ||
	    (name.n > 7 && str_eq(str_sub(name, name.n - 7, 7),
	    STR(".socket"))) || !str_cstr(name, s->name, sizeof s->name))
		s->name[0] = '\0';
}

static int
sockets_take(struct systemd_sockets *out, uint64_t n)
{
	const char *text = getenv("LISTEN_FDNAMES");
	struct str names = text == NULL ? STR_NONE : str_of(text);

	for (uint64_t i = 0; i < n; i++) {
		struct systemd_socket *s = &out->list[out->n];

		*s = (struct systemd_socket){ .fd = FIRST_FD + (int)i };
		name_take(s, &names);
		if (socket_look(s) != 0)
			return -1;
		out->n++;
	}
	return 0;
}

int
systemd_take(struct systemd_sockets *out)
{
	uint64_t n = 0;
	int rc = 0;

	out->n = 0;
	if (is_meant_for_us("LISTEN_PID") &&
	    !number_of("LISTEN_FDS", SYSTEMD_SOCKETS, &n))
		rc = err_set("LISTEN_FDS is no number up to %d",
		    SYSTEMD_SOCKETS);
	else if (n > 0)
		rc = sockets_take(out, n);
	(void)unsetenv("LISTEN_PID");
	(void)unsetenv("LISTEN_FDS");
	(void)unsetenv("LISTEN_FDNAMES");
	return rc;
}

/* 0, 1, 2 and those that are passed: no shell's leftovers come to a worker. */
void
systemd_shed_others(void)
{
	uint64_t n = 0;

	if (is_meant_for_us("LISTEN_PID"))
		(void)number_of("LISTEN_FDS", SYSTEMD_SOCKETS, &n);
	(void)close_range((unsigned)(FIRST_FD + n), ~0u, 0);
}

void
systemd_close(struct systemd_sockets *s)
{
	for (size_t i = 0; i < s->n; i++)
		close(s->list[i].fd);
	s->n = 0;
}
