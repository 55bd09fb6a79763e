#include "fiber/world.h"

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

union two_fds {
	char bytes[CMSG_SPACE(2 * sizeof(int))];
	struct cmsghdr align;
};

static int
packet_send(int socket, struct str packet, const int fds[2])
{
	union two_fds room = { .bytes = { 0 } };
	struct iovec v = { (void *)(uintptr_t)packet.p, packet.n };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
		.msg_control = room.bytes, .msg_controllen = sizeof room.bytes };
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(2 * sizeof(int));
	memcpy(CMSG_DATA(c), fds, 2 * sizeof(int));
	while (sendmsg(socket, &m, MSG_NOSIGNAL) < 0)
		if (errno != EINTR)
			return -errno;
	return 0;
}

/* What can be read once all are to hurry; -1: there is none. */
static int
hurry_fd(void)
{
	static _Atomic int kept = -1;
	int fd = atomic_load(&kept), none = -1;

	if (fd >= 0)
		return fd;
	fd = eventfd(0, EFD_CLOEXEC);
	if (fd < 0 || atomic_compare_exchange_strong(&kept, &none, fd))
		return fd;
	close(fd);
	return none;		/* another thread's, which was first */
}

void
world_process_hurry(void)
{
	(void)eventfd_write(hurry_fd(), 1);
}

static int
reply_wait(int fd, void *reply, size_t room, int64_t wait_ns)
{
	struct pollfd p[2] = { { fd, POLLIN, 0 }, { hurry_fd(), POLLIN, 0 } };
	int64_t ms = wait_ns / NS_PER_MS + 1;
	ssize_t n;

	n = poll(p, 2, ms > 3600000 ? 3600000 : (int)ms);
	if (n == 0)
		return -ETIMEDOUT;
	if (n < 0)
		return -errno;
	if (p[0].revents == 0)
		return -ECANCELED;
	n = recv(fd, reply, room, 0);
	return n == 0 ? -EPIPE : n < 0 ? -errno : (int)n;
}

int
world_process_ask(int socket, struct str packet, int fd, void *reply,
    size_t room, int64_t wait_ns)
{
	int pair[2], rc;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return -errno;
	rc = packet_send(socket, packet, (int[2]){ fd, pair[1] });
	close(pair[1]);
	if (rc == 0)
		rc = reply_wait(pair[0], reply, room, wait_ns);
	close(pair[0]);
	return rc;
}
