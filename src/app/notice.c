#include "app/notice.h"

#include "app/passed.h"
#include "base/err.h"
#include "base/must.h"

#include <errno.h>
#include <stddef.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MAGIC = 0x4e4d4e31, VERSION = 1 };	/* "NMN1" */

/* What travels: all of the struct but the descriptor. */
enum { NOTICE_BYTES = offsetof(struct notice, fd) };

union passed_fd {
	char bytes[CMSG_SPACE(sizeof(int))];
	struct cmsghdr align;
};

int
notice_pair(int pair[2], int patience_s)
{
	struct timeval patience = { .tv_sec = patience_s };

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set("socketpair: %m");
	(void)setsockopt(pair[0], SOL_SOCKET, SO_SNDTIMEO, &patience,
	    sizeof patience);
	return 0;
}

struct notice
notice_make(enum notice_kind kind, uint32_t number, struct str text)
{
	struct notice n = { .magic = MAGIC, .version = VERSION,
		.kind = (uint16_t)kind, .number = number, .fd = -1 };

	text = str_sub(text, 0, NOTICE_TEXT);
	n.length = (uint32_t)text.n;
	if (text.n > 0)
		memcpy(n.text, text.p, text.n);
	return n;
}

struct str
notice_text(const struct notice *n)
{
	must(n->length <= NOTICE_TEXT);
	return (struct str){ n->text, n->length };
}

int
notice_send(int socket, const struct notice *n)
{
	struct notice copy = *n;
	struct iovec v = { &copy, NOTICE_BYTES };
	union passed_fd room = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1 };
	struct cmsghdr *c;

	if (n->fd >= 0) {
		m.msg_control = room.bytes;
		m.msg_controllen = sizeof room.bytes;
		c = CMSG_FIRSTHDR(&m);
		c->cmsg_level = SOL_SOCKET;
		c->cmsg_type = SCM_RIGHTS;
		c->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(c), &n->fd, sizeof(int));
	}
	while (sendmsg(socket, &m, MSG_NOSIGNAL) != NOTICE_BYTES)
		if (errno != EINTR)	/* EAGAIN: SO_SNDTIMEO is over */
			return err_set("telling the other process: %m");
	return 0;
}

static bool
notice_is_sound(const struct notice *n)
{
	return n->magic == MAGIC && n->version == VERSION &&
	    n->kind < NOTICE_KINDS && n->length <= NOTICE_TEXT;
}

int
notice_receive(int socket, struct notice *n)
{
	unsigned fds;
	int rc = passed_receive(socket, n, NOTICE_BYTES, &n->fd, &fds, 1);

	if (rc == PASSED_END)
		return NOTICE_GONE;
	if (rc != 0)
		return err_set("hearing the other process: %m");
	if (notice_is_sound(n))
		return 0;
	if (n->fd >= 0)
		close(n->fd);
	n->fd = -1;
	return err_set("the other process sent nonsense");
}
