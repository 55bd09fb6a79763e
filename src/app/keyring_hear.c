#include "app/keyring_hear.h"

#include "app/keyring_wire.h"
#include "base/must.h"

#include <errno.h>
#include <sys/socket.h>

enum { BATCH = 8, IN_FIRST = 16 * 1024, OUT_MOST = 2 * KEYRING_TELL_MOST };

static bool
request_is_sound(const struct keyring_frame *q)
{
	return q->magic == KEYRING_MAGIC && q->version == KEYRING_VERSION &&
	    q->what < KEYRING_OPS && q->length <= KEYRING_ASK_MOST;
}

static bool
octets_send(int fd, const void *p, size_t n)
{
	while (n > 0) {
		ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);

		if (sent < 0 && errno == EINTR)
			continue;
		if (sent <= 0)
			return false;
		p = (const char *)p + sent;
		n -= (size_t)sent;
	}
	return true;
}

/* What came from one core, and what goes back to it. */
struct hearing {
	int fd;
	size_t n, at;			/* octets in `in', and those that are done */
	size_t n_out, replies;		/* not sent yet */
	char in[IN_FIRST + sizeof(struct keyring_frame) + KEYRING_ASK_MOST],
	    out[BATCH * sizeof(struct keyring_frame) + OUT_MOST];
};

/* At least so many octets that are not done; the rest of what began is coming. */
static bool
hearing_has(struct hearing *h, size_t n)
{
	size_t have = h->n - h->at;

	must(h->at + n <= sizeof h->in);
	if (have >= n)
		return true;
	if (recv(h->fd, h->in + h->n, n - have, MSG_WAITALL) !=
	    (ssize_t)(n - have))
		return false;
	h->n = h->at + n;
	return true;
}

static bool
hearing_flush(struct hearing *h)
{
	bool fine = octets_send(h->fd, h->out, h->n_out);

	h->n_out = h->replies = 0;
	return fine;
}

static bool
request_take(struct keyring *k, struct hearing *h)
{
	struct keyring_frame q, r;
	struct buf out;

	if (!hearing_has(h, sizeof q))
		return false;
	memcpy(&q, h->in + h->at, sizeof q);
	if (!request_is_sound(&q) || !hearing_has(h, sizeof q + q.length))
		return false;
	if (sizeof h->out - h->n_out < sizeof r + KEYRING_TELL_MOST &&
	    !hearing_flush(h))
		return false;
	out = (struct buf){ .p = h->out + h->n_out + sizeof r,
		.cap = KEYRING_TELL_MOST };
	keyring_answer(k, &q, (struct str){ h->in + h->at + sizeof q,
	    q.length }, &r, &out);
	memcpy(h->out + h->n_out, &r, sizeof r);
	h->n_out += sizeof r + out.n;
	h->at += sizeof q + q.length;
	return ++h->replies < BATCH || hearing_flush(h);
}

bool
keyring_hear(struct keyring *k, int fd)
{
	static struct hearing h;	/* large; nothing is left in it between */
	ssize_t n = recv(fd, h.in, IN_FIRST, 0);

	if (n <= 0)
		return n < 0 && (errno == EINTR || errno == EAGAIN);
	h.fd = fd;
	h.n = (size_t)n;
	h.at = h.n_out = h.replies = 0;
	while (h.at < h.n)
		if (!request_take(k, &h))
			return false;
	return hearing_flush(&h);
}
