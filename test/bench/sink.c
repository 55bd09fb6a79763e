/*
 * sink -- takes mail from a server of this machine, and forgets it.
 *
 * One thread, one epoll.  A connection is
 *
 *	STATE    left by		what is true
 *	COMMAND  conn_command		the next octets are a command
 *	CONTENT  conn_content		the next octets are content
 *	HELD     sink_release		the reply to the dot waits (--slow); unread
 *					octets lie in held
 *
 * XSTAT answers "250 " and the counters as JSON.
 */
#include "loopback.h"

#include "base/must.h"
#include "base/str.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <unistd.h>

enum {
	LINE_MOST = 1024, IN_MOST = 65536, OUT_MOST = 16384, ID_MOST = 200, EVENTS = 128,
	ROOM = 600
};

enum state { COMMAND, CONTENT, HELD };

struct conn {
	int fd;
	enum state state;
	unsigned rcpts;
	size_t line_n;
	unsigned matched;	/* octets of CR LF . CR LF seen at the end */
	bool in_body;		/* for the ledger: behind the empty line */
	bool is_done;
	uint64_t hash;
	int64_t due;		/* when HELD ends */
	char *held;
	size_t held_n;
	struct conn *next;	/* among the held, by due */
	char id[ID_MOST];
	char line[LINE_MOST];
};

struct sink {
	struct endpoint at;
	uint64_t seconds, backlog, defer, fail, slow_ms, slow;
	bool is_pipelined, refuses_rcpt;
	FILE *ledger;

	int epoll, listener;
	struct conn *held, **held_end;
	uint64_t seed, open, connections, messages, recipients, octets, deferred, failed;
	int64_t first_at, last_at, until;
	size_t out_n;
	char in[IN_MOST], out[OUT_MOST];
};

static volatile sig_atomic_t is_ended;

static void
sink_end(int signal)
{
	(void)signal;
	is_ended = 1;
}

/* ---- replies ---- */

static void
conn_flush(struct sink *k, struct conn *c)
{
	if (k->out_n > 0 &&
	    send(c->fd, k->out, k->out_n, MSG_NOSIGNAL) != (ssize_t)k->out_n)
		c->is_done = true;	/* gone, or reads none of its replies */
	k->out_n = 0;
}

static void
conn_say(struct sink *k, struct conn *c, struct str text)
{
	if (k->out_n + text.n > sizeof(k->out))
		conn_flush(k, c);
	memcpy(k->out + k->out_n, text.p, text.n);
	k->out_n += text.n;
}

static void
conn_say_stat(struct sink *k, struct conn *c)
{
	char text[ROOM];
	int n = snprintf(text, sizeof(text), "250 {\"messages\":%llu,\"recipients\":%llu,"
	    "\"octets\":%llu,\"deferred\":%llu,\"failed\":%llu,\"connections\":%llu,"
	    "\"open\":%llu,\"first_ns\":%lld,\"last_ns\":%lld,\"cpu_us\":%llu}\r\n",
	    (unsigned long long)k->messages, (unsigned long long)k->recipients,
	    (unsigned long long)k->octets, (unsigned long long)k->deferred,
	    (unsigned long long)k->failed, (unsigned long long)k->connections,
	    (unsigned long long)k->open, (long long)k->first_at, (long long)k->last_at,
	    (unsigned long long)cpu_us());

	must(n > 0 && n < ROOM);
	conn_say(k, c, (struct str){ text, (size_t)n });
}

/* Does this one belong to a share of 1000?  (xorshift64) */
static bool
sink_draws(struct sink *k, uint64_t share)
{
	if (share == 0)
		return false;
	k->seed ^= k->seed << 13;
	k->seed ^= k->seed >> 7;
	k->seed ^= k->seed << 17;
	return k->seed % 1000 < share;
}

/* Say the refusal that was drawn, if one was. */
static bool
conn_refuses(struct sink *k, struct conn *c)
{
	if (sink_draws(k, k->fail)) {
		k->failed++;
		conn_say(k, c, STR("550 5.1.1 No such sink\r\n"));
		return true;
	}
	if (sink_draws(k, k->defer)) {
		k->deferred++;
		conn_say(k, c, STR("451 4.3.0 Later\r\n"));
		return true;
	}
	return false;
}

/* ---- content ---- */

static void
conn_ledger(struct sink *k, struct conn *c)
{
	fprintf(k->ledger, "%s %u %016llx\n", c->id[0] != '\0' ? c->id : "-", c->rcpts,
	    (unsigned long long)c->hash);
}

static void
conn_hold(struct sink *k, struct conn *c)
{
	struct epoll_event e = { .events = 0, .data.ptr = c };

	c->state = HELD;
	c->due = now_ns() + (int64_t)k->slow_ms * 1000000;
	c->next = NULL;
	*k->held_end = c;
	k->held_end = &c->next;
	must(epoll_ctl(k->epoll, EPOLL_CTL_MOD, c->fd, &e) == 0);
}

static void
conn_end_content(struct sink *k, struct conn *c)
{
	c->state = COMMAND;
	if (!k->refuses_rcpt && conn_refuses(k, c))
		return;
	k->last_at = now_ns();
	if (k->messages++ == 0)
		k->first_at = k->last_at;
	k->recipients += c->rcpts;
	if (k->ledger != NULL)
		conn_ledger(k, c);
	if (sink_draws(k, k->slow))
		conn_hold(k, c);
	else
		conn_say(k, c, STR("250 2.0.0 Sunk\r\n"));
}

/* One line of content, with its end, for the ledger: the id is Message-ID's, the
 * hash is that of all lines behind the empty one, without the dots that were
 * stuffed (RFC 5321 4.5.2). */
static void
conn_ledger_line(struct conn *c, struct str line)
{
	struct str text = line;

	if (text.n > 0 && text.p[0] == '.')
		text = str_sub(text, 1, text.n);
	if (c->in_body) {
		c->hash = fnv1a(c->hash, text.p, text.n);
	} else if (str_trim(text).n == 0) {
		c->in_body = true;
	} else if (str_skip_icase(&text, STR("Message-ID:"))) {
		text = str_trim(text);
		(void)str_skip(&text, STR("<"));
		text = str_cut(&text, '>');
		(void)str_cstr(text, c->id, sizeof(c->id));
	}
}

/* Content by lines.  A line that does not end within the buffer is hashed in
 * pieces; only its first piece can be a dot or a field. */
static size_t
conn_content_lines(struct sink *k, struct conn *c, struct str in)
{
	struct str rest = in, line;
	bool is_whole;

	while (rest.n > 0) {
		line = str_sub(rest, 0, str_find(rest, '\n') + 1);
		is_whole = line.p[line.n - 1] == '\n';
		if (line.n > LINE_MOST - c->line_n)
			line.n = LINE_MOST - c->line_n, is_whole = true;
		memcpy(c->line + c->line_n, line.p, line.n);
		c->line_n += line.n;
		rest = str_sub(rest, line.n, rest.n);
		if (!is_whole)
			continue;
		line = (struct str){ c->line, c->line_n };
		c->line_n = 0;
		if (str_eq(line, STR(".\r\n"))) {
			conn_end_content(k, c);
			break;
		}
		conn_ledger_line(c, line);
	}
	return in.n - rest.n;
}

/* How far CR LF . CR LF has come, octet by octet. */
static unsigned
dot_step(unsigned matched, char octet)
{
	static const char end[] = "\r\n.\r\n";

	if (octet == end[matched])
		return matched + 1;
	return octet == '\r' ? 1 : 0;
}

/* Where the content ends in in, or 0.  Looks at dots alone, which are rare, and
 * octet by octet only where two pieces meet. */
static size_t
conn_content_end(struct conn *c, struct str in)
{
	const char *p = in.p, *end = in.p + in.n, *dot, *from;

	while (p < end && c->matched > 0) {
		c->matched = dot_step(c->matched, *p++);
		if (c->matched == 5)
			return (size_t)(p - in.p);
	}
	from = end - p < 4 ? p : end - 4;
	for (; (dot = memchr(p, '.', (size_t)(end - p))) != NULL; p = dot + 1)
		if (dot - in.p >= 2 && dot[-1] == '\n' && dot[-2] == '\r') {
			if (end - dot < 3)
				break;
			if (dot[1] == '\r' && dot[2] == '\n')
				return (size_t)(dot + 3 - in.p);
		}
	for (p = from; p < end; p++)
		c->matched = dot_step(c->matched, *p);
	return 0;
}

static size_t
conn_content(struct sink *k, struct conn *c, struct str in)
{
	size_t n;

	if (k->ledger != NULL) {
		n = conn_content_lines(k, c, in);
	} else {
		n = conn_content_end(c, in);
		if (n > 0)
			conn_end_content(k, c);
		else
			n = in.n;
	}
	k->octets += n;
	return n;
}

/* ---- commands ---- */

static void
conn_data(struct sink *k, struct conn *c)
{
	if (c->rcpts == 0) {
		conn_say(k, c, STR("554 5.5.1 No valid recipients\r\n"));
		return;
	}
	conn_say(k, c, STR("354 Go\r\n"));
	c->state = CONTENT;
	c->matched = 2;			/* as behind CR LF */
	c->in_body = false;
	c->hash = FNV_START;
	c->id[0] = '\0';
}

static void
conn_rcpt(struct sink *k, struct conn *c)
{
	if (k->refuses_rcpt && conn_refuses(k, c))
		return;
	c->rcpts++;
	conn_say(k, c, STR("250 2.1.5 Ok\r\n"));
}

static void
conn_command(struct sink *k, struct conn *c, struct str line)
{
	if (str_has_prefix_icase(line, STR("RCPT"))) {
		conn_rcpt(k, c);
	} else if (str_has_prefix_icase(line, STR("MAIL"))) {
		c->rcpts = 0;
		conn_say(k, c, STR("250 2.1.0 Ok\r\n"));
	} else if (str_has_prefix_icase(line, STR("DATA"))) {
		conn_data(k, c);
	} else if (str_has_prefix_icase(line, STR("EHLO"))) {
		conn_say(k, c, k->is_pipelined ?
		    STR("250-sink.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n"
		    "250 ENHANCEDSTATUSCODES\r\n") :
		    STR("250-sink.example\r\n250-8BITMIME\r\n250 ENHANCEDSTATUSCODES\r\n"));
	} else if (str_has_prefix_icase(line, STR("XSTAT"))) {
		conn_say_stat(k, c);
	} else if (str_has_prefix_icase(line, STR("QUIT"))) {
		conn_say(k, c, STR("221 2.0.0 Bye\r\n"));
		c->is_done = true;
	} else {			/* HELO, RSET, NOOP, VRFY ... */
		c->rcpts = 0;
		conn_say(k, c, STR("250 2.0.0 Ok\r\n"));
	}
}

/* One command off the front of in; a part of one is kept. */
static size_t
conn_take_command(struct sink *k, struct conn *c, struct str in)
{
	size_t n = str_find(in, '\n');
	bool is_whole = n < in.n;

	n = is_whole ? n + 1 : n;
	if (c->line_n == 0 && is_whole) {
		conn_command(k, c, (struct str){ in.p, n });
		return n;
	}
	if (n > sizeof(c->line) - c->line_n) {
		c->is_done = true;
		return in.n;
	}
	memcpy(c->line + c->line_n, in.p, n);
	c->line_n += n;
	if (is_whole) {
		size_t line_n = c->line_n;

		c->line_n = 0;
		conn_command(k, c, (struct str){ c->line, line_n });
	}
	return n;
}

/* ---- connections ---- */

static void
conn_close(struct sink *k, struct conn *c)
{
	k->open--;
	close(c->fd);
	free(c->held);
	free(c);
}

/* All of in, or up to a reply that is held: then the rest is kept. */
static void
conn_feed(struct sink *k, struct conn *c, struct str in)
{
	size_t n;

	while (in.n > 0 && !c->is_done && c->state != HELD) {
		n = c->state == COMMAND ? conn_take_command(k, c, in) :
		    conn_content(k, c, in);
		in = str_sub(in, n, in.n);
	}
	conn_flush(k, c);
	if (c->state == HELD && in.n > 0) {
		must(c->held = malloc(in.n));
		memcpy(c->held, in.p, in.n);
		c->held_n = in.n;
	}
	if (c->is_done && c->state != HELD)
		conn_close(k, c);
}

static void
conn_read(struct sink *k, struct conn *c)
{
	ssize_t n;

	if (c->state == HELD)
		return;			/* EPOLLHUP; its time will come */
	n = recv(c->fd, k->in, sizeof(k->in), 0);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0)
		conn_close(k, c);
	else
		conn_feed(k, c, (struct str){ k->in, (size_t)n });
}

static void
sink_accept(struct sink *k)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct conn *c;
	int fd;

	while ((fd = accept4(k->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC)) >= 0) {
		must(c = calloc(1, sizeof(*c)));
		c->fd = fd;
		e.data.ptr = c;
		k->open++;
		k->connections++;
		must(epoll_ctl(k->epoll, EPOLL_CTL_ADD, fd, &e) == 0);
		conn_say(k, c, STR("220 sink.example ESMTP\r\n"));
		conn_flush(k, c);
	}
}

/* ---- the loop ---- */

static void
sink_release(struct sink *k)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct conn *c;
	char *held;
	int64_t now = now_ns();

	while (k->held != NULL && k->held->due <= now) {
		c = k->held;
		k->held = c->next;
		if (k->held == NULL)
			k->held_end = &k->held;
		c->state = COMMAND;
		e.data.ptr = c;
		must(epoll_ctl(k->epoll, EPOLL_CTL_MOD, c->fd, &e) == 0);
		conn_say(k, c, STR("250 2.0.0 Sunk, slowly\r\n"));
		held = c->held;
		c->held = NULL;
		conn_feed(k, c, (struct str){ held, held == NULL ? 0 : c->held_n });
		free(held);
	}
}

static int
sink_patience(const struct sink *k)
{
	int64_t left;

	if (k->held == NULL)
		return 200;
	left = (k->held->due - now_ns()) / 1000000 + 1;
	return left < 0 ? 0 : left > 200 ? 200 : (int)left;
}

static void
sink_run(struct sink *k)
{
	struct epoll_event e[EVENTS];
	int n;

	while (!is_ended && now_ns() < k->until) {
		n = epoll_wait(k->epoll, e, EVENTS, sink_patience(k));
		for (int i = 0; i < n; i++)
			if (e[i].data.ptr == NULL)
				sink_accept(k);
			else
				conn_read(k, e[i].data.ptr);
		sink_release(k);
	}
}

static int
sink_open(struct sink *k)
{
	struct epoll_event e = { .events = EPOLLIN };
	struct sigaction end = { .sa_handler = sink_end };

	sigaction(SIGTERM, &end, NULL);
	sigaction(SIGINT, &end, NULL);
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	k->held_end = &k->held;
	k->until = now_ns() + (int64_t)k->seconds * 1000000000;
	k->epoll = epoll_create1(EPOLL_CLOEXEC);
	k->listener = endpoint_listen(&k->at, (int)k->backlog);
	if (k->listener < 0 || epoll_ctl(k->epoll, EPOLL_CTL_ADD, k->listener, &e) != 0)
		return -1;
	printf("%u\n", endpoint_port(k->listener));
	fflush(stdout);
	return 0;
}

static void
sink_usage(void)
{
	fprintf(stderr, "usage: sink [--at ADDRESS:PORT] [--seconds N] [--no-pipelining]\n"
	    "  [--defer N] [--fail N] [--refuse-rcpt] [--slow N] [--slow-ms N] (N of 1000)\n"
	    "  [--backlog N] [--seed N] [--ledger FILE]\n"
	    "Prints its port at once, and its counters as JSON at the end.\n");
	exit(64);
}

enum option_name {
	AT = 'a', BACKLOG, DEFER, FAIL, LEDGER, NO_PIPELINING, REFUSE_RCPT, SECONDS, SEED,
	SLOW, SLOW_MS
};

static const struct option options[] = {
	{ "at", required_argument, NULL, AT },
	{ "backlog", required_argument, NULL, BACKLOG },
	{ "defer", required_argument, NULL, DEFER },
	{ "fail", required_argument, NULL, FAIL },
	{ "ledger", required_argument, NULL, LEDGER },
	{ "no-pipelining", no_argument, NULL, NO_PIPELINING },
	{ "refuse-rcpt", no_argument, NULL, REFUSE_RCPT },
	{ "seconds", required_argument, NULL, SECONDS },
	{ "seed", required_argument, NULL, SEED },
	{ "slow", required_argument, NULL, SLOW },
	{ "slow-ms", required_argument, NULL, SLOW_MS },
	{ NULL, 0, NULL, 0 }
};

static void
sink_option(struct sink *k, int name)
{
	switch (name) {
	case AT:
		if (endpoint_parse(&k->at, optarg) != 0)
			exit(64);
		break;
	case BACKLOG: k->backlog = option_number("--backlog", optarg, 65535); break;
	case DEFER: k->defer = option_number("--defer", optarg, 1000); break;
	case FAIL: k->fail = option_number("--fail", optarg, 1000); break;
	case LEDGER:
		if ((k->ledger = fopen(optarg, "we")) == NULL) {
			perror(optarg);
			exit(73);
		}
		break;
	case NO_PIPELINING: k->is_pipelined = false; break;
	case REFUSE_RCPT: k->refuses_rcpt = true; break;
	case SECONDS: k->seconds = option_number("--seconds", optarg, 86400); break;
	case SEED: k->seed = option_number("--seed", optarg, 1ull << 62) | 1; break;
	case SLOW: k->slow = option_number("--slow", optarg, 1000); break;
	case SLOW_MS: k->slow_ms = option_number("--slow-ms", optarg, 600000); break;
	default:
		sink_usage();
	}
}

int
main(int argc, char **argv)
{
	static struct sink k = {
		.seconds = 600, .backlog = 4096, .is_pipelined = true, .slow_ms = 1000,
		.seed = 1
	};
	struct conn teller = { .fd = STDOUT_FILENO };
	int name;

	must(endpoint_parse(&k.at, "127.0.0.1:0") == 0);
	while ((name = getopt_long(argc, argv, "", options, NULL)) != -1)
		sink_option(&k, name);
	if (optind != argc)
		sink_usage();
	files_raise();
	if (sink_open(&k) != 0)
		return 71;
	sink_run(&k);
	conn_say_stat(&k, &teller);
	fwrite(k.out + 4, 1, k.out_n - 6, stdout);
	printf("\n");
	return k.ledger != NULL && fclose(k.ledger) != 0 ? 74 : 0;
}
