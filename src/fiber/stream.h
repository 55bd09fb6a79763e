/*
 * stream.h -- a buffered conversation over one connection.
 *
 * The promise: (1) output is flushed when, and only when, a read is about to
 * wait or the buffer is full, so pipelined commands are answered in one packet.
 * (2) Trouble sticks: after the peer vanished or the deadline passed every read
 * says so, and after STREAM_GONE writes do nothing.  Write without looking, look
 * at what you read.
 * Not for: datagrams, files.
 * Waiting: reads, puts and flushes may yield, until s->deadline, an absolute
 * instant the owner sets before each phase.
 * Memory: buffers (16 KiB each way) come from a pool of the core when needed and
 * go back when empty at a wait: an idle stream holds none, and one that waits for
 * the rest of a line holds about what has come of it.
 * Errors: s->trouble; STREAM_LONG is cleared by stream_skip_line().
 * Source: RFC 5321 2.3.8 (lines end in CRLF, nothing else), 4.5.3.2 (deadlines).
 */
#ifndef NM_FIBER_STREAM_H
#define NM_FIBER_STREAM_H

#include "fiber/net.h"

enum stream_trouble {
	STREAM_FINE = 0,
	STREAM_GONE,		/* the peer closed or reset, or will not read us */
	STREAM_LATE,		/* nothing in time; may still be told so, by a
				 * new deadline */
	STREAM_LONG,		/* a line did not fit `most' */
};

enum { STREAM_BUFFER = 16 * 1024 };

struct stream_buffer;
struct tls;

struct stream {
	struct net_end *end;
	struct tls *tls;			/* NULL: in clear text */
	struct mono deadline;
	enum stream_trouble trouble;
	size_t in_at, in_end, out_n;
	struct stream_buffer *in, *out;		/* NULL while empty */
	char *rest;			/* while it waits: what is unread, and
					 * `in' is NULL */
	const struct mono *pause;	/* in stream_is_silent() */
	uint64_t bytes_in, bytes_out;
};

/* Takes the end; stream_close() closes it, flushing nothing. */
void stream_init(struct stream *, struct net_end *);
void stream_close(struct stream *);

/*
 * One line up to its line feed, good until the next call on this stream.
 * `line' excludes the ending.  *ending tells how it ended: a strict caller
 * refuses all but CRLF (SECURITY.md rows 1, 3).  More than `most' octets before
 * the ending (at most STREAM_BUFFER - 2): -1 and STREAM_LONG, nothing consumed.
 */
enum line_ending { LINE_CRLF, LINE_LF };
yields int stream_line(struct stream *, size_t most, struct str *line,
    enum line_ending *ending);

/* Drop bytes through the next LF, at most `most' of them; clears STREAM_LONG.
 * -1 when there was none within most (close then). */
yields int stream_skip_line(struct stream *, size_t most);

/* What is buffered, after waiting for at least one byte.  Take it with
 * stream_consume().  0, or -1 by trouble. */
yields int stream_peek(struct stream *, struct str *bytes);
/* Wait for more than `have' buffered bytes; fails with STREAM_LONG when the
 * buffer is full. */
yields int stream_peek_more(struct stream *, size_t have, struct str *bytes);
void stream_consume(struct stream *, size_t n);
/* What was read is overwritten: it was a secret.  Lines and peeks of before are
 * gone. */
void stream_wipe(struct stream *);
size_t stream_buffered(const struct stream *);	/* unread input at hand */
/* Wait for something to read, until then at most.  True: nothing came yet, and
 * the deadline has not passed either. */
yields bool stream_is_silent(struct stream *, struct mono until);
/* Between conversations, without waiting: has the peer closed, or said what he
 * was not asked? */
bool stream_has_ended(struct stream *);
/* Without waiting: is there anything to read, were it the end? */
bool stream_has_spoken(struct stream *);
/* After STREAM_GONE: the peer takes nothing more, but may have said why.  0 when
 * there is something left to read (what was to be sent is dropped). */
int stream_last_words(struct stream *);

yields void stream_put(struct stream *, struct str);
/* At most 1 KiB: more is cut, but a CRLF at its end stays.  None is added. */
yields void stream_printf(struct stream *, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* Send what is buffered.  0, or -1 by STREAM_GONE. */
yields int stream_flush(struct stream *);
/* The same, and the stream is closed next: last words and the end are one packet
 * where nothing is known to be unread. */
yields int stream_flush_last(struct stream *);

/* By another fiber of the core: this stream's deadline is now at most `at', also
 * for whoever waits on it at this moment (a server that is short of sessions or
 * stops takes patience back).  STREAM_LATE when it has come. */
void stream_hurry(struct stream *, struct mono at);

#endif
