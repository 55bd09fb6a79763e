#include "fiber/stream.h"

#include "base/must.h"
#include "fiber/fiber.h"
#include "fiber/inner.h"
#include "fiber/tls_own.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { STREAM_PRINT_MOST = 1024, STREAM_BUFFERS_KEPT = 256,
	STREAM_REST_MOST = 2048 };	/* more waits in its buffer */

struct stream_buffer {
	struct stream_buffer *next;	/* while idle, in the core */
	char bytes[STREAM_BUFFER];
};

/* ---- buffers ---- */

static struct stream_buffer *
stream_buffer_take(struct stream *s)
{
	struct core *c = core_here;
	struct stream_buffer *b = c->buffers;

	must(b == NULL || c->n_buffers > 0);
	if (b != NULL) {
		c->buffers = b->next;
		c->n_buffers--;
		return b;
	}
	if ((b = malloc(sizeof *b)) == NULL) {
		err_set("no memory for a stream's buffer");
		s->trouble = STREAM_GONE;
	}
	return b;
}

static void
stream_buffer_give(struct stream_buffer **b)
{
	struct core *c = core_here;

	if (*b == NULL)
		return;
	if (c->n_buffers < STREAM_BUFFERS_KEPT) {
		(*b)->next = c->buffers;
		c->buffers = *b;
		c->n_buffers++;
	} else {
		free(*b);
	}
	*b = NULL;
}

/* It may be half of a password. */
static void
stream_rest_end(struct stream *s)
{
	if (s->rest == NULL)
		return;
	OPENSSL_cleanse(s->rest, s->in_end);
	free(s->rest);
	s->rest = NULL;
}

/* Before a wait: whoever sends a line octet by octet holds no buffer.  Without
 * memory he holds it. */
static void
stream_shrink(struct stream *s)
{
	size_t n = s->in_end - s->in_at;

	if (s->in == NULL || n > STREAM_REST_MOST)
		return;
	if (n > 0) {
		must(s->rest == NULL);
		if ((s->rest = malloc(n)) == NULL)
			return;
		memcpy(s->rest, s->in->bytes + s->in_at, n);
		OPENSSL_cleanse(s->in->bytes + s->in_at, n);
	}
	s->in_at = 0;
	s->in_end = n;
	stream_buffer_give(&s->in);
}

/* What waited small is in a buffer again, and there is one.  -1: no memory. */
static int
stream_unshrink(struct stream *s)
{
	size_t n = s->in_end - s->in_at;

	must(s->in == NULL && n <= STREAM_REST_MOST);
	if ((s->in = stream_buffer_take(s)) == NULL)
		return -1;
	if (n > 0)
		memcpy(s->in->bytes, s->rest + s->in_at, n);
	stream_rest_end(s);
	s->in_at = 0;
	s->in_end = n;
	return 0;
}

void
stream_buffers_clear(struct core *c)
{
	struct stream_buffer *b;

	while ((b = c->buffers) != NULL) {
		c->buffers = b->next;
		free(b);
	}
	c->n_buffers = 0;
}

void
stream_init(struct stream *s, struct net_end *end)
{
	must(end != NULL);
	*s = (struct stream){ .end = end, .deadline = MONO_NEVER };
}

void
stream_close(struct stream *s)
{
	stream_buffer_give(&s->in);
	stream_buffer_give(&s->out);
	stream_rest_end(s);
	if (s->tls != NULL)
		tls_end(s);
	net_close(s->end);
	*s = (struct stream){ .trouble = STREAM_GONE };
}

void
stream_hurry(struct stream *s, struct mono at)
{
	s->deadline = mono_first(s->deadline, at);
	if (s->end == NULL)
		return;
	fiber_wake(s->end->reader);
	fiber_wake(s->end->writer);
}

/* ---- output ---- */

static yields void
stream_send(struct stream *s, struct str bytes)
{
	int64_t n;

	must(s->end != NULL);
	while (bytes.n > 0 && s->trouble != STREAM_GONE) {
		if (net_await_writable(s->end, &s->deadline) != 0) {
			s->trouble = STREAM_GONE;
			return;
		}
		n = s->tls == NULL ? world_send(s->end, bytes.p, bytes.n) :
		    tls_send(s, bytes.p, bytes.n);
		if (n >= 0) {
			must((uint64_t)n <= bytes.n);
			s->bytes_out += (uint64_t)n;
			bytes = str_sub(bytes, (size_t)n, bytes.n);
		} else if (n == -EAGAIN) {
			s->end->can_write = false;
		} else {
			errno = (int)-n;
			err_set("send: %m");
			s->trouble = STREAM_GONE;
		}
	}
}

yields int
stream_flush(struct stream *s)
{
	must(s->out != NULL || s->out_n == 0);
	if (s->out != NULL) {
		stream_send(s, (struct str){ s->out->bytes, s->out_n });
		s->out_n = 0;
		stream_buffer_give(&s->out);
	}
	return s->trouble == STREAM_GONE ? -1 : 0;
}

yields int
stream_flush_last(struct stream *s)
{
	/* a close with input unread is a reset, and would take the words along */
	s->end->has_more = !s->end->can_read && stream_buffered(s) == 0;
	return stream_flush(s);
}

static yields void
stream_put_some(struct stream *s, struct str *text)
{
	size_t room = STREAM_BUFFER - s->out_n;
	struct str part = str_sub(*text, 0, room);

	must(s->out_n < STREAM_BUFFER);
	if (s->out == NULL && (s->out = stream_buffer_take(s)) == NULL)
		return;
	memcpy(s->out->bytes + s->out_n, part.p, part.n);
	s->out_n += part.n;
	*text = str_sub(*text, part.n, text->n);
	if (s->out_n == STREAM_BUFFER)
		(void)stream_flush(s);
}

yields void
stream_put(struct stream *s, struct str text)
{
	while (text.n > 0 && s->trouble != STREAM_GONE) {
		if (s->out_n == 0 && text.n >= STREAM_BUFFER) {
			stream_send(s, text);	/* no need to copy it first */
			return;
		}
		stream_put_some(s, &text);
	}
}

yields void
stream_printf(struct stream *s, const char *fmt, ...)
{
	char text[STREAM_PRINT_MOST + 1];
	size_t n = strlen(fmt);
	bool is_line = n >= 2 && memcmp(fmt + n - 2, "\r\n", 2) == 0;
	va_list ap;
	int len;

	va_start(ap, fmt);
	len = vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	must(len >= 0);
	n = (size_t)len;
	if (n > STREAM_PRINT_MOST) {
		n = STREAM_PRINT_MOST;
		if (is_line)
			memcpy(text + n - 2, "\r\n", 2);
	}
	stream_put(s, (struct str){ text, n });
}

/* ---- input ---- */

size_t
stream_buffered(const struct stream *s)
{
	return s->in_end - s->in_at;
}

void
stream_consume(struct stream *s, size_t n)
{
	must(n <= stream_buffered(s));
	s->in_at += n;
	if (s->in_at == s->in_end && s->rest == NULL)
		s->in_at = s->in_end = 0;
}

void
stream_wipe(struct stream *s)
{
	size_t unread = stream_buffered(s);

	if (s->rest != NULL)
		OPENSSL_cleanse(s->rest, s->in_at);
	if (s->in == NULL)
		return;
	OPENSSL_cleanse(s->in->bytes, s->in_at);
	OPENSSL_cleanse(s->in->bytes + s->in_at + unread,
	    STREAM_BUFFER - s->in_at - unread);
}

static struct str
stream_at_hand(const struct stream *s)
{
	if (s->rest != NULL)
		return (struct str){ s->rest + s->in_at, stream_buffered(s) };
	if (s->in == NULL)
		return (struct str){ "", 0 };
	return (struct str){ s->in->bytes + s->in_at, stream_buffered(s) };
}

/* Room behind the unread bytes, or STREAM_LONG. */
static int
stream_make_room(struct stream *s)
{
	size_t n = stream_buffered(s);

	must(s->in_at <= s->in_end && s->in_end <= STREAM_BUFFER);
	if (n == STREAM_BUFFER) {
		s->trouble = STREAM_LONG;
		return -1;
	}
	if (s->in == NULL) {
		must(n == 0 || s->rest != NULL);
		return stream_unshrink(s);
	}
	if (s->in_at > 0) {
		memmove(s->in->bytes, s->in->bytes + s->in_at, n);
		s->in_at = 0;
		s->in_end = n;
	}
	return 0;
}

static int64_t
stream_recv(struct stream *s, void *to, size_t n)
{
	must(n > 0);
	return s->tls == NULL ? world_recv(s->end, to, n) : tls_recv(s, to, n);
}

/* Nothing to read without the network, which has nothing now. */
static bool
stream_must_wait(const struct stream *s)
{
	return !s->end->can_read && (s->tls == NULL || tls_is_dry(s));
}

/* The only place where a conversation waits for its peer's words. */
static yields int
stream_await(struct stream *s)
{
	if (stream_must_wait(s)) {
		if (stream_flush(s) != 0)
			return -1;
		stream_shrink(s);
	} else if (!s->end->can_read)
		return 0;		/* of what TLS has taken in already */
	if (net_await_readable(s->end, s->pause != NULL ? s->pause :
	    &s->deadline) == 0)
		return 0;
	if (s->pause == NULL)
		s->trouble = STREAM_LATE;
	return -1;
}

/* What has arrived goes behind what is unread: as world_recv(); there is room. */
static int64_t
stream_gather(struct stream *s)
{
	int64_t n = stream_recv(s, s->in->bytes + s->in_end,
	    STREAM_BUFFER - s->in_end);

	must(s->in != NULL && s->in_end < STREAM_BUFFER);
	if (n > 0) {
		must((uint64_t)n <= STREAM_BUFFER - s->in_end);
		s->in_end += (size_t)n;
		s->bytes_in += (uint64_t)n;
	} else if (n == -EAGAIN)
		s->end->can_read = false;
	return n;
}

static yields int
stream_receive(struct stream *s)
{
	int64_t n;

	if (stream_make_room(s) != 0)
		return -1;
	n = stream_gather(s);
	if (n > 0 || n == -EAGAIN)
		return 0;
	/* He has said all; he may still be listening, in clear text. */
	if (n == 0 && s->tls == NULL)
		(void)stream_flush(s);
	errno = (int)-n;
	err_set(n == 0 ? "the peer closed" : "receive: %m");
	s->trouble = STREAM_GONE;
	return -1;
}

bool
stream_has_ended(struct stream *s)
{
	char octet;
	int64_t n;

	if (s->trouble != STREAM_FINE || stream_buffered(s) > 0)
		return true;
	if (stream_must_wait(s))
		return false;
	n = stream_recv(s, &octet, 1);
	if (n != -EAGAIN)
		return true;
	s->end->can_read = false;
	return false;
}

bool
stream_has_spoken(struct stream *s)
{
	int64_t n;

	if (s->trouble != STREAM_FINE || stream_buffered(s) > 0)
		return true;
	if (stream_must_wait(s) || stream_make_room(s) != 0)
		return s->trouble != STREAM_FINE;
	n = stream_gather(s);
	if (n <= 0)
		stream_buffer_give(&s->in);
	return n != -EAGAIN;
}

int
stream_last_words(struct stream *s)
{
	if (s->trouble != STREAM_GONE || s->end == NULL)
		return -1;
	s->trouble = STREAM_FINE;
	s->out_n = 0;
	stream_buffer_give(&s->out);
	if (stream_make_room(s) == 0)
		(void)stream_gather(s);
	s->trouble = stream_buffered(s) > 0 ? STREAM_FINE : STREAM_GONE;
	return s->trouble == STREAM_FINE ? 0 : -1;
}

/* At least one byte more than now. */
static yields int
stream_fill(struct stream *s)
{
	size_t had = stream_buffered(s);

	if (had == STREAM_BUFFER)
		return stream_make_room(s);
	while (s->trouble == STREAM_FINE && stream_buffered(s) == had) {
		if (stream_await(s) != 0 || stream_receive(s) != 0)
			break;
	}
	return s->trouble == STREAM_FINE ? 0 : -1;
}

yields bool
stream_is_silent(struct stream *s, struct mono until)
{
	if (stream_buffered(s) > 0 || !mono_is_before(until, s->deadline))
		return false;
	s->pause = &until;
	(void)stream_fill(s);
	s->pause = NULL;
	return s->trouble == STREAM_FINE && stream_buffered(s) == 0;
}

/*
 * RFC 5321 2.3.8: lines end in CRLF and nothing else; what ended here by LF
 * alone is told so, for the caller to refuse.
 */
static int
stream_take_line(struct stream *s, size_t n, size_t most, struct str *line,
    enum line_ending *ending)
{
	struct str have = stream_at_hand(s);
	bool is_crlf = n > 0 && have.p[n - 1] == '\r';

	must(n < have.n);
	*line = str_sub(have, 0, is_crlf ? n - 1 : n);
	*ending = is_crlf ? LINE_CRLF : LINE_LF;
	if (line->n > most) {
		s->trouble = STREAM_LONG;
		return -1;
	}
	/* Not stream_consume(): the line stays where it is until the next. */
	s->in_at += n + 1;
	return 0;
}

yields int
stream_line(struct stream *s, size_t most, struct str *line,
    enum line_ending *ending)
{
	size_t scanned = 0;
	struct str have, rest;

	must(most <= STREAM_BUFFER - 2);
	for (;;) {
		if (s->trouble != STREAM_FINE)
			return -1;
		have = stream_at_hand(s);
		rest = str_sub(have, scanned, have.n);
		scanned += str_find(rest, '\n');
		if (scanned < have.n)
			return stream_take_line(s, scanned, most, line,
			    ending);
		if (have.n >= most + 2)
			s->trouble = STREAM_LONG;
		else
			(void)stream_fill(s);
	}
}

yields int
stream_skip_line(struct stream *s, size_t most)
{
	struct str have;
	size_t at;

	must(most > 0);
	if (s->trouble == STREAM_LONG)
		s->trouble = STREAM_FINE;
	for (; s->trouble == STREAM_FINE; (void)stream_fill(s)) {
		have = str_sub(stream_at_hand(s), 0, most);
		at = str_find(have, '\n');
		if (at < have.n) {
			stream_consume(s, at + 1);
			return 0;
		}
		stream_consume(s, have.n);
		most -= have.n;
		if (most == 0)
			return err_set("no end of line in what may be skipped");
	}
	return -1;
}

yields int
stream_peek_more(struct stream *s, size_t have, struct str *bytes)
{
	while (s->trouble == STREAM_FINE && stream_buffered(s) <= have)
		(void)stream_fill(s);
	*bytes = stream_at_hand(s);
	return s->trouble == STREAM_FINE ? 0 : -1;
}

yields int
stream_peek(struct stream *s, struct str *bytes)
{
	return stream_peek_more(s, 0, bytes);
}
