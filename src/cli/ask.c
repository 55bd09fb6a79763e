#include "cli/ask.h"

#include "cli/configured.h"
#include "wire/http.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#define DEFAULT_SOCKET "/run/nightmail/control.sock"

enum { PIECE = 64 * 1024 };

/* ---- where ---- */

/* --socket, $NIGHTMAIL_SOCKET, the configuration's, the usual place. */
static struct str
socket_path(struct cli *c)
{
	const char *env = getenv("NIGHTMAIL_SOCKET");
	struct str path = c->socket;

	if (path.n == 0 && env != NULL)
		path = str_of(env);
	if (path.n == 0)
		path = configured_socket(c, CONFIGURED_CONTROL);
	return path.n == 0 ? STR(DEFAULT_SOCKET) : path;
}

static int
server_connect(struct cli *c, int *fd)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	struct str path = socket_path(c);
	int error;

	if (!str_cstr(path, to.sun_path, sizeof to.sun_path))
		return cli_fail(EX_USAGE, "the socket's path is too long");
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return cli_fail(EX_OSERR, "socket: %s", strerror(errno));
	if (connect(*fd, (void *)&to, sizeof to) == 0)
		return 0;
	error = errno;
	close(*fd);
	*fd = -1;
	if (error == EACCES || error == EPERM)
		return cli_fail(EX_NOPERM, "%s: you may not ask the server; "
		    "be root or in its control.group", to.sun_path);
	return cli_fail(EX_UNAVAILABLE, "%s: %s; is the server running?",
	    to.sun_path, strerror(error));
}

bool
ask_is_served(struct cli *c)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool is = fd >= 0 && str_cstr(socket_path(c), to.sun_path,
	    sizeof to.sun_path) && (connect(fd, (void *)&to, sizeof to) == 0 ||
	    errno == EACCES || errno == EPERM);

	if (fd >= 0)
		close(fd);
	return is;
}

/* ---- asking ---- */

static int
all_write(int fd, struct str s)
{
	while (s.n > 0) {
		ssize_t n = send(fd, s.p, s.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		s = str_sub(s, (size_t)n, s.n);
	}
	return 0;
}

static int
body_send(struct cli *c, int fd, int from)
{
	char *room = arena_alloc(&c->arena, PIECE), size[32];
	ssize_t n;

	if (room == NULL)
		return cli_fail(EX_OSERR, "no memory");
	while ((n = read(from, room, PIECE)) > 0) {
		int k = snprintf(size, sizeof size, "%zx\r\n", (size_t)n);

		if (all_write(fd, (struct str){ size, (size_t)k }) != 0 ||
		    all_write(fd, (struct str){ room, (size_t)n }) != 0 ||
		    all_write(fd, STR("\r\n")) != 0)
			return 0;	/* it answers early: hear why */
	}
	if (n < 0)
		return cli_fail(EX_NOINPUT, "reading the message: %s",
		    strerror(errno));
	(void)all_write(fd, STR("0\r\n\r\n"));
	return 0;
}

static int
request_send(struct cli *c, int fd, const struct ask *a)
{
	struct buf b = { .cap = HTTP_TARGET_MOST + 256 };

	b.p = arena_alloc(&c->arena, b.cap);
	if (b.p == NULL)
		return cli_fail(EX_OSERR, "no memory");
	buf_printf(&b, "%s " STR_FMT " HTTP/1.1\r\nHost: nightmail\r\n"
	    "Connection: close\r\n%s\r\n", a->method, STR_ARG(a->target),
	    a->body_fd >= 0 ? "Transfer-Encoding: chunked\r\n" : "");
	if (b.full)
		return cli_fail(EX_USAGE, "too long a question");
	if (all_write(fd, buf_str(&b)) != 0)
		return cli_fail(EX_UNAVAILABLE, "the server hung up");
	return a->body_fd >= 0 ? body_send(c, fd, a->body_fd) : 0;
}

/* ---- hearing ---- */

struct answer {
	struct ask *ask;
	struct http_head head;
	struct http_chunks chunks;
	uint64_t content;		/* octets, when not in chunks */
	char *line;			/* gathered, ASK_LINE */
	size_t n;
	int rc;
};

/* {"error": text}, or lines of text as reload has them. */
static void
refusal_print(struct cli *c, struct str line)
{
	json_error_t error;
	json_t *j = json_loadb(line.p, line.n, 0, &error);
	const char *text = json_string_value(json_object_get(j, "error"));

	if (text != NULL)
		(void)cli_fail(0, "%s", cli_visible(c, text));
	else
		fprintf(stderr, STR_FMT "\n", STR_ARG(line));
	json_decref(j);
}

static void
line_give(struct answer *w)
{
	struct str line = { w->line, w->n };

	w->n = 0;
	if (w->ask->status >= 300)
		refusal_print(w->ask->cli, line);
	else if (w->ask->line != NULL)
		w->rc = w->ask->line(w->ask, line);
	else
		printf(STR_FMT "\n", STR_ARG(line));
}

static void
content_take(struct answer *w, struct str s)
{
	while (s.n > 0 && w->rc == 0) {
		size_t n = str_find(s, '\n');
		size_t room = ASK_LINE - w->n;

		memcpy(w->line + w->n, s.p, n < room ? n : room);
		w->n += n < room ? n : room;
		if (n < s.n)
			line_give(w);
		s = str_sub(s, n < s.n ? n + 1 : n, s.n);
	}
}

static void
body_take(struct answer *w, struct str s)
{
	struct str piece;

	if (!w->head.is_chunked) {
		w->content += s.n;
		content_take(w, s);
		return;
	}
	while (http_chunks_next(&w->chunks, &s, &piece))
		content_take(w, piece);
}

static int
status_exit(unsigned status)
{
	if (status < 300)
		return 0;
	return status == 403 ? EX_NOPERM : status == 503 ? EX_TEMPFAIL :
	    EX_DATAERR;
}

static int
head_read(int fd, struct answer *w, char *room, size_t most, size_t *have,
    size_t *used)
{
	for (;;) {
		enum http_step step = http_response((struct str){ room, *have },
		    &w->head, used);
		ssize_t n;

		if (step == HTTP_DONE && w->head.status != 100)
			return 0;
		if (step == HTTP_DONE) {
			memmove(room, room + *used, *have - *used);
			*have -= *used;
			continue;
		}
		if (step == HTTP_BAD || *have == most)
			return cli_fail(EX_PROTOCOL, "the answer is no HTTP");
		n = read(fd, room + *have, most - *have);
		if (n < 0 && errno == EAGAIN)
			return cli_fail(EX_TEMPFAIL, "the server has not "
			    "answered for %d seconds; see its log",
			    ASK_PATIENCE);
		if (n <= 0)
			return cli_fail(EX_UNAVAILABLE, "the server hung up");
		*have += (size_t)n;
	}
}

/* The head comes soon, or something is wrong; what follows it may take as long
 * as it likes (log -f). */
static void
patience_set(int fd, time_t seconds)
{
	struct timeval t = { .tv_sec = seconds };

	(void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
}

static int
answer_hear(struct cli *c, int fd, struct answer *w)
{
	char *room = arena_alloc(&c->arena, PIECE);
	size_t have = 0, used = 0;
	int rc = room == NULL ? cli_fail(EX_OSERR, "no memory") : 0;
	ssize_t n;

	patience_set(fd, ASK_PATIENCE);
	if (rc == 0)
		rc = head_read(fd, w, room, PIECE, &have, &used);
	if (rc != 0)
		return rc;
	patience_set(fd, 0);
	w->ask->status = w->head.status;
	body_take(w, (struct str){ room + used, have - used });
	while (w->rc == 0 && !w->chunks.has_ended &&
	    (n = read(fd, room, PIECE)) > 0)
		body_take(w, (struct str){ room, (size_t)n });
	if (w->n > 0)
		line_give(w);
	if (w->rc == 0 && (w->head.is_chunked ? !w->chunks.has_ended :
	    w->head.has_length && w->content != w->head.length))
		return cli_fail(EX_TEMPFAIL, "the answer ended early");
	return w->rc != 0 ? w->rc : status_exit(w->head.status);
}

int
ask(struct cli *c, struct ask *a)
{
	struct answer *w = arena_new(&c->arena, struct answer);
	int fd = -1, rc;

	if (w == NULL || (w->line = arena_alloc(&c->arena, ASK_LINE)) == NULL)
		return cli_fail(EX_OSERR, "no memory");
	w->ask = a;
	a->cli = c;
	rc = server_connect(c, &fd);
	if (rc != 0)
		return rc;
	rc = request_send(c, fd, a);
	if (rc == 0)
		rc = answer_hear(c, fd, w);
	close(fd);
	return rc;
}
