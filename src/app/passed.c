#include "app/passed.h"

#include "base/must.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Room for one more than anybody may send: the kernel installs what fits. */
union passed_room {
	char bytes[CMSG_SPACE((PASSED_MOST + 1) * sizeof(int))];
	struct cmsghdr align;
};

static void
passed_keep(const struct cmsghdr *c, int *fds, unsigned *n, unsigned most)
{
	size_t count = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

	for (size_t i = 0; i < count; i++) {
		int fd;

		memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
		if (*n < most)
			fds[(*n)++] = fd;
		else {
			close(fd);
			*n = most + 1;		/* too many */
		}
	}
}

static unsigned
passed_gather(struct msghdr *m, int *fds, unsigned most)
{
	unsigned n = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c != NULL;
	    c = CMSG_NXTHDR(m, c))
		if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS)
			passed_keep(c, fds, &n, most);
	return n;
}

static void
passed_drop(int *fds, unsigned most)
{
	for (unsigned i = 0; i < most; i++) {
		if (fds[i] >= 0)
			close(fds[i]);
		fds[i] = -1;
	}
}

int
passed_receive(int socket, void *packet, size_t n, int *fds, unsigned *n_fds,
    unsigned most)
{
	struct iovec v = { packet, n };
	union passed_room room = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
		.msg_control = room.bytes, .msg_controllen = sizeof room.bytes };
	ssize_t got;

	must(most <= PASSED_MOST);
	for (unsigned i = 0; i < most; i++)
		fds[i] = -1;
	*n_fds = 0;
	do
		got = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got < 0 && errno != ECONNRESET)
		return -1;
	*n_fds = got < 0 ? 0 : passed_gather(&m, fds, most);
	if (got == (ssize_t)n && *n_fds <= most &&
	    (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) == 0)
		return 0;
	passed_drop(fds, most);
	*n_fds = 0;
	errno = EPROTO;
	return got <= 0 ? PASSED_END : -1;
}
