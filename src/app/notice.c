#include "app/notice.h"

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
		if (errno != EINTR)
			return err_set("telling the other process: %m");
	return 0;
}

static int
passed_fd_of(struct msghdr *m)
{
	struct cmsghdr *c = CMSG_FIRSTHDR(m);
	int fd = -1;

	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof fd))
		memcpy(&fd, CMSG_DATA(c), sizeof fd);
	return fd;
}

static bool
notice_is_sound(const struct notice *n, ssize_t got)
{
	return got == NOTICE_BYTES && n->magic == MAGIC &&
	    n->version == VERSION && n->kind < NOTICE_KINDS &&
	    n->length <= NOTICE_TEXT;
}

int
notice_receive(int socket, struct notice *n)
{
	struct iovec v = { n, NOTICE_BYTES };
	union passed_fd room = { .bytes = { 0 } };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
		.msg_control = room.bytes, .msg_controllen = sizeof room.bytes };
	ssize_t got;

	do
		got = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	while (got < 0 && errno == EINTR);
	if (got == 0 || (got < 0 && errno == ECONNRESET))
		return NOTICE_GONE;
	if (got < 0)
		return err_set("hearing the other process: %m");
	n->fd = passed_fd_of(&m);
	if (notice_is_sound(n, got))
		return 0;
	if (n->fd >= 0)
		close(n->fd);
	return err_set("the other process sent nonsense (%zd octets)", got);
}
