#include "cli/submit.h"

#include "base/must.h"
#include "cli/cli.h"
#include "cli/configured.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#define DEFAULT_SUBMIT "/run/nightmail/submit.sock"

enum { PIECE = 32 * 1024, PAUSE_MS = 200, DOMAIN_ROOM = 256 };

/* ---- where ---- */

static int
path_connect(struct str path, int *fd, struct sockaddr_un *to)
{
	*to = (struct sockaddr_un){ .sun_family = AF_UNIX };
	if (path.n == 0 || !str_cstr(path, to->sun_path, sizeof to->sun_path))
		return ENAMETOOLONG;
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (*fd < 0)
		return errno;
	if (connect(*fd, (void *)to, sizeof *to) == 0)
		return 0;
	close(*fd);
	*fd = -1;
	return errno;
}

/* $NIGHTMAIL_SUBMIT, the configuration that -C names, the usual place, or where
 * the configuration says when nothing is there: it may not be ours to read. */
static int
socket_try(struct cli *c, int *fd, struct sockaddr_un *to)
{
	const char *env = getenv("NIGHTMAIL_SUBMIT");
	struct str path = env != NULL ? str_of(env) : c->is_config_named ?
	    configured_socket(c, CONFIGURED_SUBMIT) : STR(DEFAULT_SUBMIT);
	int error = path_connect(path, fd, to);

	if (error != ENOENT || env != NULL || c->is_config_named)
		return error;
	path = configured_socket(c, CONFIGURED_SUBMIT);
	return path.n > 0 && !str_eq(path, STR(DEFAULT_SUBMIT)) ?
	    path_connect(path, fd, to) : error;
}

/* A server that is being restarted is waited for. */
int
submit_connect(struct cli *c, int *fd)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	struct timeval patience = { .tv_sec = SUBMIT_PATIENCE_S };
	struct sockaddr_un to;
	int error;

	for (unsigned i = 0; (error = socket_try(c, fd, &to)) != 0; i++) {
		if ((error != ENOENT && error != ECONNREFUSED) ||
		    i * PAUSE_MS >= SUBMIT_RESTART_S * 1000)
			return cli_fail(EX_TEMPFAIL, "the mail server does not "
			    "run, and the message is not sent: %s: %s",
			    to.sun_path, strerror(error));
		(void)nanosleep(&pause, NULL);
	}
	(void)setsockopt(*fd, SOL_SOCKET, SO_RCVTIMEO, &patience,
	    sizeof patience);
	(void)setsockopt(*fd, SOL_SOCKET, SO_SNDTIMEO, &patience,
	    sizeof patience);
	return 0;
}

/* ---- lines ---- */

static void
out_flush(struct submit *s)
{
	struct str octets = { s->out, s->out_n };

	s->out_n = 0;
	while (octets.n > 0 && !s->is_deaf) {
		ssize_t n = send(s->fd, octets.p, octets.n, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		s->is_deaf = n < 0;	/* its last words may say why */
		octets = str_sub(octets, n < 0 ? 0 : (size_t)n, octets.n);
	}
}

static void
octets_send(struct submit *s, struct str octets)
{
	while (octets.n > 0 && !s->is_deaf) {
		struct str piece = str_sub(octets, 0, sizeof s->out - s->out_n);

		memcpy(s->out + s->out_n, piece.p, piece.n);
		s->out_n += piece.n;
		octets = str_sub(octets, piece.n, octets.n);
		if (s->out_n == sizeof s->out)
			out_flush(s);
	}
}

static bool
line_hear(struct submit *s, struct str *line)
{
	for (;;) {
		struct str all = { s->room + s->used, s->have - s->used };
		size_t n = str_find(all, '\n');
		ssize_t got;

		if (n < all.n) {
			s->used += n + 1;
			*line = str_sub(all, 0, n);
			if (n > 0 && all.p[n - 1] == '\r')
				line->n--;
			return true;
		}
		memmove(s->room, all.p, all.n);
		s->have = all.n;
		s->used = 0;
		if (all.n == sizeof s->room)
			return false;
		got = read(s->fd, s->room + all.n, sizeof s->room - all.n);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return false;
		s->have += (size_t)got;
	}
}

/* A whole reply; to EHLO also what it tells. */
static int
reply_hear(struct submit *s, struct reply *r, struct ehlo *ehlo)
{
	enum reply_state state = REPLY_MORE;
	struct str line, rest;

	out_flush(s);
	reply_begin(r);
	while (state == REPLY_MORE) {
		if (!line_hear(s, &line))
			return cli_fail(EX_TEMPFAIL, "the mail server hung up, "
			    "and the message is not sent");
		if (s->is_loud)
			fprintf(stderr, "S: " STR_FMT "\n", STR_ARG(line));
		state = reply_push(r, line, &rest);
		if (ehlo != NULL && r->lines == 1)
			s->origin = arena_copy(s->arena, str_cut(&rest, ' '));
		else if (ehlo != NULL)
			ehlo_push(ehlo, rest);
	}
	return state == REPLY_DONE ? 0 : cli_fail(EX_PROTOCOL,
	    "that is no mail server: %s", r->text);
}

static int
command_say(struct submit *s, struct str line, struct reply *r)
{
	if (s->is_loud)
		fprintf(stderr, "C: " STR_FMT "\n", STR_ARG(line));
	octets_send(s, line);
	octets_send(s, STR("\r\n"));
	return reply_hear(s, r, NULL);
}

/* What sysexits(3) calls such a refusal; RFC 3463 3. */
static int
refusal_exit(const struct reply *r)
{
	if (r->code < 500)
		return EX_TEMPFAIL;
	if (r->esc.subject == 1 && (r->esc.detail == 2 || r->esc.detail == 10))
		return EX_NOHOST;
	if (r->esc.subject == 1)
		return EX_NOUSER;
	if (r->esc.subject == 7)
		return EX_NOPERM;
	if (r->esc.subject == 6 || (r->esc.subject == 3 && r->esc.detail == 4))
		return EX_DATAERR;
	return EX_UNAVAILABLE;
}

static int
refusal_say(const struct reply *r, const char *about)
{
	return cli_fail(refusal_exit(r), "%s%s%d %s", about,
	    about[0] == '\0' ? "" : ": ", r->code, r->text);
}

/* ---- the beginning ---- */

static int
greeting_hear(struct submit *s, struct reply *r)
{
	int rc = reply_hear(s, r, NULL);

	if (rc != 0 || r->code != 220)
		return rc;
	if (s->is_loud)
		fprintf(stderr, "C: EHLO localhost\n");
	octets_send(s, STR("EHLO localhost\r\n"));
	rc = reply_hear(s, r, &s->ehlo);
	return rc == 0 && r->code != 250 ? refusal_say(r, "EHLO") : rc;
}

int
submit_open(struct submit *s, struct cli *c)
{
	const struct timespec pause = { .tv_nsec = PAUSE_MS * 1000000L };
	struct reply r;
	int rc;

	for (unsigned i = 0;; i++) {
		*s = (struct submit){ .arena = &c->arena, .fd = -1,
			.is_loud = c->is_loud };
		rc = submit_connect(c, &s->fd);
		if (rc == 0)
			rc = greeting_hear(s, &r);
		if (rc != 0 || r.code == 250)
			return rc;
		submit_close(s);
		if (r.code != 421 || i * PAUSE_MS > SUBMIT_BUSY_S * 1000)
			return refusal_say(&r, "the mail server");
		(void)nanosleep(&pause, NULL);
	}
}

void
submit_close(struct submit *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* ---- a transaction ---- */

static bool
offers(const struct submit *s, enum capability c)
{
	return (s->ehlo.has & UINT32_C(1) << c) != 0;
}

static bool
needs_utf8(const struct submission *m)
{
	if (!str_is_ascii(m->sender))
		return true;
	for (size_t i = 0; i < m->n; i++)
		if (!str_is_ascii(m->rcpts[i]))
			return true;
	return false;
}

static void
parameter_put(struct buf *b, const char *name, struct str value)
{
	if (value.n > 0)
		buf_printf(b, " %s=" STR_FMT, name, STR_ARG(value));
}

static int
mail_say(struct submit *s, const struct submission *m, uint64_t octets)
{
	char room[1024];
	struct buf b = BUF_OF(room);
	struct reply r;
	int rc;

	buf_printf(&b, "MAIL FROM:<" STR_FMT ">", STR_ARG(m->sender));
	if (offers(s, CAPABILITY_SIZE))
		buf_printf(&b, " SIZE=%" PRIu64, octets);
	if (offers(s, CAPABILITY_EIGHTBITMIME) &&
	    (m->is_8bit || (m->letter != NULL && m->letter->is_8bit)))
		buf_put(&b, STR(" BODY=8BITMIME"));
	if (offers(s, CAPABILITY_SMTPUTF8) && needs_utf8(m))
		buf_put(&b, STR(" SMTPUTF8"));
	if (offers(s, CAPABILITY_DSN)) {
		parameter_put(&b, "RET", m->ret);
		parameter_put(&b, "ENVID", m->envid);
	}
	if (b.full)
		return cli_fail(EX_USAGE, "the sender or its parameters are "
		    "too long");
	rc = command_say(s, buf_str(&b), &r);
	return rc != 0 || r.code / 100 == 2 ? rc : refusal_say(&r, "");
}

/* RFC 5321 4.5.3.1.10: 452 to one of many means: these first. */
static int
rcpts_say(struct submit *s, const struct submission *m, size_t from, size_t *to)
{
	char room[1024];
	struct reply r;
	int rc, worst = 0;

	for (*to = from; *to < m->n; ++*to) {
		struct buf b = BUF_OF(room);

		buf_printf(&b, "RCPT TO:<" STR_FMT ">", STR_ARG(m->rcpts[*to]));
		if (offers(s, CAPABILITY_DSN))
			parameter_put(&b, "NOTIFY", m->notify);
		must(!b.full);
		rc = command_say(s, buf_str(&b), &r);
		if (rc != 0)
			return rc;
		if (r.code == 452 && r.esc.subject == 5 && *to > from &&
		    worst == 0)
			return 0;
		if (r.code / 100 != 2) {
			b = BUF_OF(room);
			buf_put(&b, m->rcpts[*to]);
			buf_putc(&b, '\0');
			rc = refusal_say(&r, room);
			worst = worst == 0 || rc != EX_TEMPFAIL ? rc : worst;
		} else if (m->only_ask)
			printf(STR_FMT ": %d %s\n", STR_ARG(m->rcpts[*to]),
			    r.code, r.text);
	}
	return worst;
}

/* RFC 5321 4.5.2: a line's first dot becomes two.  *at_start: a line begins. */
static void
text_send(struct submit *s, struct str text, bool *at_start)
{
	while (text.n > 0) {
		size_t n = str_find(text, '\n');
		struct str line = str_sub(text, 0, n < text.n ? n + 1 : n);

		if (*at_start && line.p[0] == '.')
			octets_send(s, STR("."));
		octets_send(s, line);
		*at_start = n < text.n;
		text = str_sub(text, line.n, text.n);
	}
}

static int
body_send(struct submit *s, const struct letter *l)
{
	char *room = arena_alloc(s->arena, PIECE);
	bool at_start = true;
	uint64_t at = 0;

	if (room == NULL)
		return cli_fail(EX_TEMPFAIL, "no memory");
	while (at < l->body_octets && !s->is_deaf) {
		ssize_t n = pread(l->body_fd, room, PIECE, (off_t)at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)		/* no dot follows: nothing is kept */
			return cli_fail(EX_TEMPFAIL, "reading the message "
			    "again: %s", n < 0 ? strerror(errno) : "it ends");
		text_send(s, (struct str){ room, (size_t)n }, &at_start);
		at += (uint64_t)n;
	}
	return 0;
}

static int
content_send(struct submit *s, const struct submission *m, struct str header)
{
	struct reply r;
	bool at_start = true;
	int rc = command_say(s, STR("DATA"), &r);

	if (rc != 0 || r.code != 354)
		return rc != 0 ? rc : refusal_say(&r, "");
	text_send(s, header, &at_start);
	rc = body_send(s, m->letter);
	if (rc != 0)
		return rc;
	rc = command_say(s, STR("."), &r);
	return rc != 0 || r.code / 100 == 2 ? rc : refusal_say(&r, "");
}

static int
transaction(struct submit *s, const struct submission *m, struct str header,
    size_t *next)
{
	size_t from = *next;
	struct reply r;
	int rc = mail_say(s, m, header.n +
	    (m->only_ask ? 0 : m->letter->body_octets));

	if (rc == 0)
		rc = rcpts_say(s, m, from, next);
	if (rc == 0 && m->only_ask)
		return command_say(s, STR("RSET"), &r);
	return rc == 0 ? content_send(s, m, header) : rc;
}

int
submit_send(struct submit *s, const struct submission *m)
{
	struct str header = STR("");
	size_t next = 0;
	int rc = 0;

	must(m->n > 0);
	if (!m->only_ask)
		header = letter_header(m->letter, s->origin, m->from, m->name);
	if (header.p == NULL)
		return cli_fail(EX_TEMPFAIL, "no memory");
	while (rc == 0 && next < m->n)
		rc = transaction(s, m, header, &next);
	octets_send(s, STR("QUIT\r\n"));
	out_flush(s);
	return rc;
}
