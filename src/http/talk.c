#include "http/talk.h"

#include "base/json.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "wire/date.h"

#include <stdarg.h>
#include <stdio.h>

void
talk_init(struct talk *t, struct net_end *end)
{
	*t = (struct talk){ .must_close = false };
	stream_init(&t->net, end);
	arena_init(&t->arena, TALK_MEMORY);
}

void
talk_close(struct talk *t)
{
	arena_clear(&t->arena);
	stream_close(&t->net);
}

static struct mono
talk_until(const struct talk *t, int64_t seconds)
{
	struct mono until = mono_add(clock_mono(), seconds * NS_PER_SECOND);

	return t->end.ns == 0 ? until : mono_first(until, t->end);
}

static void
deadline_set(struct talk *t, int64_t seconds)
{
	t->net.deadline = talk_until(t, seconds);
}

void
talk_hurry(struct talk *t, struct mono at)
{
	t->end = t->end.ns == 0 ? at : mono_first(t->end, at);
	t->must_close = true;
	stream_hurry(&t->net, at);
}

static const char *
status_word(unsigned status)
{
	switch (status) {
	case 200: return "OK";
	case 202: return "Accepted";
	case 400: return "Bad Request";
	case 403: return "Forbidden";
	case 404: return "Not Found";
	case 405: return "Method Not Allowed";
	case 409: return "Conflict";
	case 413: return "Content Too Large";
	case 414: return "URI Too Long";
	case 422: return "Unprocessable Content";
	case 431: return "Request Header Fields Too Large";
	case 501: return "Not Implemented";
	case 503: return "Service Unavailable";
	case 505: return "HTTP Version Not Supported";
	default: return "Error";
	}
}

static yields void
head_say(struct talk *t, unsigned status, const char *type)
{
	struct date_text now = date_print(clock_wall(), 0);

	must(!t->has_answered);
	t->has_answered = true;
	/* RFC 9110 6.6.1, 5.6.7: "Sat, 21 Nov 2026 09:11:45 GMT" */
	stream_printf(&t->net, "HTTP/1.1 %u %s\r\nDate: %.26sGMT\r\n"
	    "Content-Type: %s\r\n%s%s%s%s",
	    status, status_word(status), now.text, type,
	    t->allow != NULL ? "Allow: " : "", t->allow != NULL ? t->allow : "",
	    t->allow != NULL ? "\r\n" : "",
	    t->must_close ? "Connection: close\r\n" : "");
}

/* RFC 9110 9.3.2: the answer to HEAD ends with its head. */
static bool
has_no_content(const struct talk *t)
{
	return t->head != NULL && str_eq(t->head->method, STR("HEAD"));
}

yields void
talk_say(struct talk *t, unsigned status, const char *type, struct str body)
{
	deadline_set(t, TALK_BODY_S);
	head_say(t, status, type);
	stream_printf(&t->net, "Content-Length: %zu\r\n\r\n", body.n);
	if (!has_no_content(t))
		stream_put(&t->net, body);
}

yields void
talk_error(struct talk *t, unsigned status, const char *code,
    const char *fmt, ...)
{
	char text[768], room[2304];
	struct buf b = BUF_OF(room);
	struct json j;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_str(&j, "error", str_of(text));
	json_put_str(&j, "code", str_of(code));
	json_end_object(&j);
	buf_putc(&b, '\n');
	talk_say(t, status, "application/json",
	    b.full ? STR("{\"error\":\"\"}\n") : buf_str(&b));
}

yields void
talk_begin(struct talk *t, unsigned status, const char *type)
{
	deadline_set(t, TALK_BODY_S);
	t->in_chunks = !t->head->is_1_0;
	if (!t->in_chunks)
		t->must_close = true;
	head_say(t, status, type);
	stream_put(&t->net, t->in_chunks ?
	    STR("Transfer-Encoding: chunked\r\n\r\n") : STR("\r\n"));
}

yields void
talk_piece(struct talk *t, struct str s)
{
	if (s.n == 0)
		return;
	deadline_set(t, TALK_BODY_S);
	if (t->in_chunks)
		stream_printf(&t->net, "%zx\r\n", s.n);
	stream_put(&t->net, s);
	if (t->in_chunks)
		stream_put(&t->net, STR("\r\n"));
}

yields void
talk_end(struct talk *t)
{
	if (t->in_chunks)
		stream_put(&t->net, STR("0\r\n\r\n"));
	t->in_chunks = false;
}

void
talk_cut(struct talk *t)
{
	t->in_chunks = false;
	t->must_close = true;
}

/* ---- hearing ---- */

static yields int
chunk_take(struct talk *t, struct str *out)
{
	struct str bytes, rest;

	while (!t->chunks.has_ended) {
		bool got;

		if (stream_peek(&t->net, &bytes) != 0)
			return -1;
		rest = bytes;
		got = http_chunks_next(&t->chunks, &rest, out);
		if (t->chunks.is_bad)
			return -1;
		if (got) {
			t->body_given = bytes.n - rest.n;
			return 1;
		}
		stream_consume(&t->net, bytes.n - rest.n);
	}
	return 0;
}

static yields int
body_next(struct talk *t, struct mono deadline, struct str *out)
{
	struct str bytes;

	stream_consume(&t->net, t->body_given);
	t->body_given = 0;
	t->net.deadline = deadline;
	if (t->head->is_chunked)
		return chunk_take(t, out);
	if (t->body_left == 0)
		return 0;
	if (stream_peek(&t->net, &bytes) != 0)
		return -1;
	*out = str_sub(bytes, 0, t->body_left < bytes.n ?
	    (size_t)t->body_left : bytes.n);
	t->body_left -= out->n;
	t->body_given = out->n;
	return 1;
}

yields int
talk_body(struct talk *t, struct str *out)
{
	return body_next(t, talk_until(t, TALK_BODY_S), out);
}

/* What the client has still to say of the last request's body, all of it within
 * TALK_BODY_S. */
static yields void
body_drop(struct talk *t)
{
	enum { DROPPED_MOST = 64 };
	struct mono until = talk_until(t, TALK_BODY_S);
	struct str piece;
	unsigned pieces = 0;
	int rc;

	do
		rc = body_next(t, until, &piece);
	while (rc == 1 && ++pieces < DROPPED_MOST);
	if (rc != 0)
		t->must_close = true;
}

static yields int
head_refuse(struct talk *t, unsigned status)
{
	t->must_close = true;
	t->has_answered = false;
	t->allow = NULL;
	t->head->method = STR_NONE;	/* whatever it was */
	talk_error(t, status, "malformed", "the request is not HTTP/1.1 as "
	    "RFC 9112 has it");
	(void)stream_flush(&t->net);
	return -1;
}

/* The head's slices must outlive the stream's buffer: parsed from a copy. */
static yields int
head_take(struct talk *t, size_t used)
{
	struct str bytes, copy;

	(void)stream_peek(&t->net, &bytes);
	copy = arena_copy(&t->arena, str_sub(bytes, 0, used));
	if (copy.p == NULL)
		return -1;
	stream_consume(&t->net, used);
	must(http_request(copy, t->head, &used) == HTTP_DONE);
	t->body_left = t->head->has_length ? t->head->length : 0;
	t->chunks = (struct http_chunks){ .state = 0 };
	t->must_close = t->must_close || !t->head->keeps_alive;
	t->has_answered = t->lacks_memory = false;
	t->allow = NULL;
	if (t->head->expects_continue)
		stream_put(&t->net, STR("HTTP/1.1 100 Continue\r\n\r\n"));
	return 0;
}

yields int
talk_hear(struct talk *t)
{
	enum http_step step = HTTP_MORE;
	size_t have = 0, used = 0;
	struct str bytes;

	if (t->head != NULL)
		body_drop(t);
	if (t->must_close) {
		(void)stream_flush(&t->net);
		return -1;
	}
	arena_clear(&t->arena);
	t->head = arena_new(&t->arena, struct http_head);
	if (t->head == NULL)
		return -1;
	deadline_set(t, TALK_HEAD_S);
	while (step == HTTP_MORE) {
		must(have <= HTTP_HEAD_MOST);
		if (stream_peek_more(&t->net, have, &bytes) != 0)
			return -1;
		have = bytes.n;
		step = http_request(bytes, t->head, &used);
	}
	return step == HTTP_BAD ? head_refuse(t, t->head->status) :
	    head_take(t, used);
}

struct str
talk_query(struct talk *t, struct str key)
{
	struct str raw = t->head->query;
	struct buf b = { .p = arena_alloc(&t->arena, raw.n + 1),
		.cap = raw.n + 1 };

	t->lacks_memory |= b.p == NULL;
	return b.p != NULL && http_query(raw, key, &b) ? buf_str(&b) : STR_NONE;
}
