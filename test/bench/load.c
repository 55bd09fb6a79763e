/*
 * load -- sends mail to a server of this machine and measures its answers.
 *
 * One thread, one epoll, connections as states:
 *
 *	STATE    left by			what is true
 *	AWAY     load_retry			no socket; waits to connect again
 *	GREETING session_greeted		connected or connecting
 *	HELLO    session_greeted		EHLO is sent
 *	STARTING session_greeted		STARTTLS is sent
 *	SHAKING  session_shake			the handshake is under way; HELLO again
 *	LOGIN    session_greeted		AUTH PLAIN is sent
 *	RESTING  load_wake			greeted, nothing under way
 *	ENVELOPE session_envelope		MAIL is sent, and what follows it
 *	CONTENT  session_content		the content is sent, and its dot
 *	RESET    session_next			RSET is sent after a refusal
 *	ENDING   session_close			QUIT is sent
 *	GONE     -				no socket, and none will be
 */
#include "histogram.h"
#include "letter.h"
#include "loopback.h"
#include "privacy.h"

#include "base/must.h"
#include "base/num.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

enum {
	IN_MOST = 2048, OUT_MOST = 1024, ID_MOST = 64, CODES = 600, EVENTS = 128,
	RCPTS_MOST = 100, CONNECTING_MOST = 128, RETRY_NS = 20000000
};

enum step {
	AWAY, GREETING, HELLO, STARTING, SHAKING, LOGIN, RESTING, ENVELOPE, CONTENT, RESET,
	ENDING, GONE
};

struct session {
	int fd;
	SSL *tls;		/* NULL: in clear */
	SSL_SESSION *ticket;	/* for the next connection; NULL: none */
	enum step step;
	unsigned replies;	/* of this ENVELOPE so far */
	unsigned sent;		/* messages in this connection */
	uint64_t number;	/* of the message under way */
	int64_t mail_at;	/* when MAIL was sent */
	char *rest;		/* what the socket did not take yet */
	size_t rest_n, in_n;
	struct session *next;	/* among those that rest or are away */
	char id[ID_MOST];
	char in[IN_MOST];
};

struct load {
	struct endpoint to;
	uint64_t n_sessions, messages, size, rcpts, rate, per_connection, seconds, domains;
	bool is_pipelined, reconnects, is_idle, starts_tls, resumes, only_greets, guesses;
	uint64_t sources;	/* networks that connections come from; 0: one */
	const char *from, *domain;
	const char *suites;	/* offered; NULL: OpenSSL's own */
	char login[512];	/* AUTH PLAIN and its line; "": none */
	struct privacy privacy;
	FILE *ledger;

	int epoll;
	struct session *session, *resting, *away;
	struct letter letter;	/* shared by all messages */
	const char *content;	/* its file; NULL: it is composed */
	char run[24];
	char group[16384];

	uint64_t begun, accepted, refused, lost, opened, failed, connecting, live, greeted;
	uint64_t codes[CODES];
	int64_t began_at, first_mail_at, last_250_at, retry_at, until;
	struct histogram latency;
};

static void session_next(struct load *, struct session *);

/* ---- connections ---- */

static void
session_open(struct load *l, struct session *s)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = s };

	s->fd = endpoint_connect(&l->to, l->sources == 0 ? 0 : 1 + l->opened % l->sources);
	if (s->fd < 0)
		exit(71);
	s->step = GREETING;
	s->in_n = 0;
	s->sent = 0;
	l->connecting++;
	l->opened++;
	must(epoll_ctl(l->epoll, EPOLL_CTL_ADD, s->fd, &e) == 0);
}

static void
session_close(struct load *l, struct session *s)
{
	bool ended_well = s->step == ENDING;

	if (s->step >= GREETING && s->step <= LOGIN && !(l->guesses && s->step == LOGIN))
		l->connecting--;
	if (s->step == ENVELOPE || s->step == CONTENT)
		l->lost++;
	if (!ended_well) {
		l->failed++;
		l->retry_at = now_ns() + RETRY_NS;
	}
	privacy_end(s->tls);
	s->tls = NULL;
	close(s->fd);
	free(s->rest);
	s->rest = NULL;
	s->fd = -1;
	s->step = GONE;
	if (l->begun < l->messages && (ended_well || l->reconnects)) {
		s->step = AWAY;
		s->next = l->away;
		l->away = s;
		return;
	}
	l->live--;
}

/* What the socket does not take now waits for EPOLLOUT. */
static void
session_keep_rest(struct load *l, struct session *s, const struct iovec *iov, int n, size_t sent)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLOUT, .data.ptr = s };
	size_t all = 0, at = 0;
	char *copy;

	for (int i = 0; i < n; i++)
		all += iov[i].iov_len;
	must(copy = malloc(all));
	for (int i = 0; i < n; at += iov[i++].iov_len)
		memcpy(copy + at, iov[i].iov_base, iov[i].iov_len);
	must(s->rest == NULL);
	memmove(copy, copy + sent, all - sent);
	s->rest = copy;
	s->rest_n = all - sent;
	must(epoll_ctl(l->epoll, EPOLL_CTL_MOD, s->fd, &e) == 0);
}

static void
session_send_rest(struct load *l, struct session *s)
{
	struct epoll_event e = { .events = EPOLLIN, .data.ptr = s };
	ssize_t n = s->tls != NULL ? privacy_send(s->tls, s->rest, s->rest_n) :
	    send(s->fd, s->rest, s->rest_n, MSG_NOSIGNAL);

	if (n < 0)
		return;			/* recv will say */
	s->rest_n -= (size_t)n;
	memmove(s->rest, s->rest + n, s->rest_n);
	if (s->rest_n > 0)
		return;
	free(s->rest);
	s->rest = NULL;
	must(epoll_ctl(l->epoll, EPOLL_CTL_MOD, s->fd, &e) == 0);
}

/* One record for each part would be many; what is small goes as one. */
static void
session_send_private(struct load *l, struct session *s, struct iovec *iov, int n)
{
	session_keep_rest(l, s, iov, n, 0);
	session_send_rest(l, s);
}

static void
session_send(struct load *l, struct session *s, struct iovec *iov, int n)
{
	struct msghdr m = { .msg_iov = iov, .msg_iovlen = (size_t)n };
	size_t all = 0;
	ssize_t sent;

	if (s->tls != NULL) {
		session_send_private(l, s, iov, n);
		return;
	}
	sent = sendmsg(s->fd, &m, MSG_NOSIGNAL);
	for (int i = 0; i < n; i++)
		all += iov[i].iov_len;
	if (sent < 0 && errno != EAGAIN)
		return;			/* recv will say */
	if (sent < (ssize_t)all)
		session_keep_rest(l, s, iov, n, sent < 0 ? 0 : (size_t)sent);
}

static void
session_say(struct load *l, struct session *s, struct str what, enum step step)
{
	struct iovec iov = { .iov_base = (char *)(uintptr_t)what.p, .iov_len = what.n };

	s->step = step;
	session_send(l, s, &iov, 1);
}

/* ---- one message ---- */

/* The command that has this place in the envelope: MAIL, RCPT ..., DATA. */
static size_t
envelope_command(struct load *l, struct session *s, unsigned at, char *to, size_t room)
{
	char domain[100];
	int n;

	if (l->domains > 1)
		snprintf(domain, sizeof(domain), "d%llu.%s",
		    (unsigned long long)(s->number % l->domains), l->domain);
	else
		snprintf(domain, sizeof(domain), "%s", l->domain);
	if (at == 0)
		n = snprintf(to, room, "MAIL FROM:<%s>\r\n", l->from);
	else if (at <= l->rcpts)
		n = snprintf(to, room, "RCPT TO:<r%u@%s>\r\n", at, domain);
	else
		n = snprintf(to, room, "DATA\r\n");
	must(n > 0 && (size_t)n < room);
	return (size_t)n;
}

/* RFC 2920 3.1: MAIL, RCPT and DATA may stand in one group. */
static void
session_mail(struct load *l, struct session *s)
{
	size_t n = 0;
	unsigned last = l->is_pipelined ? (unsigned)l->rcpts + 1 : 0;

	s->number = l->begun++;
	s->sent++;
	s->replies = 0;
	for (unsigned at = 0; at <= last; at++)
		n += envelope_command(l, s, at, l->group + n, sizeof(l->group) - n);
	s->mail_at = now_ns();
	if (l->first_mail_at == 0)
		l->first_mail_at = s->mail_at;
	session_say(l, s, (struct str){ l->group, n }, ENVELOPE);
}

static void
session_send_content(struct load *l, struct session *s)
{
	char field[ID_MOST + 32];
	struct iovec iov[4];
	int id = snprintf(s->id, sizeof(s->id), "%s.%010llu@load.example", l->run,
	    (unsigned long long)s->number);
	int n = snprintf(field, sizeof(field), "Message-ID: <%s>\r\n", s->id);

	iov[0] = (struct iovec){ .iov_base = field, .iov_len = (size_t)n };
	iov[1] = (struct iovec){ .iov_base = l->letter.fields, .iov_len = l->letter.fields_n };
	iov[2] = (struct iovec){ .iov_base = s->id, .iov_len = (size_t)id };
	iov[3] = (struct iovec){ .iov_base = l->letter.filler, .iov_len = l->letter.filler_n };
	s->step = CONTENT;
	if (l->content != NULL)
		session_send(l, s, &iov[3], 1);
	else
		session_send(l, s, iov, 4);
}

static void
session_refused(struct load *l, struct session *s)
{
	l->refused++;
	session_say(l, s, STR("RSET\r\n"), RESET);
}

/* RFC 5321 4.1.1.4: the reply to DATA decides.  Of the others only a refused
 * MAIL does; refused recipients are counted by their codes. */
static void
session_envelope(struct load *l, struct session *s, unsigned code)
{
	char out[OUT_MOST];
	bool was_data = s->replies == l->rcpts + 1;
	size_t n;

	if (code >= 400)
		l->codes[code]++;
	s->replies++;
	if (was_data && code == 354) {
		session_send_content(l, s);
	} else if (was_data || (!l->is_pipelined && s->replies == 1 && code >= 400)) {
		session_refused(l, s);
	} else if (!l->is_pipelined) {
		n = envelope_command(l, s, s->replies, out, sizeof(out));
		session_say(l, s, (struct str){ out, n }, ENVELOPE);
	}
}

/* The filler ends with the dot, which is none of the content. */
static void
ledger_write(struct load *l, struct session *s)
{
	uint64_t h = fnv1a(FNV_START, s->id, strlen(s->id));

	h = fnv1a(h, l->letter.filler, l->letter.filler_n - 3);
	fprintf(l->ledger, "%s %llu %016llx\n", s->id, (unsigned long long)l->rcpts,
	    (unsigned long long)h);
}

static void
session_content(struct load *l, struct session *s, unsigned code)
{
	int64_t now = now_ns();

	if (code == 250) {
		histogram_add(&l->latency, (uint64_t)(now - s->mail_at));
		l->accepted++;
		l->last_250_at = now;
		if (l->ledger != NULL)
			ledger_write(l, s);
	} else {
		l->codes[code]++;
		l->refused++;
	}
	session_next(l, s);
}

/* ---- what comes next ---- */

/* With a rate, message k may begin k/rate seconds after the first. */
static int64_t
load_due(const struct load *l)
{
	if (l->rate == 0)
		return 0;
	return l->began_at + (int64_t)(l->begun * 1000000000 / l->rate);
}

static void
session_next(struct load *l, struct session *s)
{
	bool is_full = l->per_connection != 0 && s->sent >= l->per_connection;

	if (l->only_greets && s->sent == 0) {	/* that was the message */
		s->sent = 1;
		l->begun++;
		l->accepted++;
		session_say(l, s, STR("QUIT\r\n"), ENDING);
	} else if (!l->is_idle && (l->begun >= l->messages || is_full)) {
		session_say(l, s, STR("QUIT\r\n"), ENDING);
	} else if (!l->is_idle && load_due(l) <= now_ns()) {
		session_mail(l, s);
	} else {
		s->step = RESTING;
		s->next = l->resting;
		l->resting = s;
	}
}

static void
session_ready(struct load *l, struct session *s)
{
	l->connecting--;
	l->greeted++;
	if (l->began_at == 0)
		l->began_at = now_ns();
	session_next(l, s);
}

static void
session_shake(struct load *l, struct session *s)
{
	int rc = privacy_shake(&l->privacy, s->tls);

	if (rc < 0)
		session_close(l, s);
	else if (rc > 0)
		session_say(l, s, STR("EHLO load.example\r\n"), HELLO);
}

/* That was all he wanted to know; he does not say goodbye. */
static void
session_guessed(struct load *l, struct session *s, unsigned code)
{
	l->codes[code]++;
	l->refused++;
	s->step = ENDING;
	session_close(l, s);
}

static void
session_greeted(struct load *l, struct session *s, unsigned code)
{
	if (s->step == GREETING && code == 220) {
		session_say(l, s, STR("EHLO load.example\r\n"), HELLO);
	} else if (s->step == HELLO && code == 250 && l->starts_tls && s->tls == NULL) {
		session_say(l, s, STR("STARTTLS\r\n"), STARTING);
	} else if (s->step == STARTING && code == 220) {
		s->tls = privacy_begin(&l->privacy, s->fd, &s->ticket);
		s->step = SHAKING;
		session_shake(l, s);
	} else if (s->step == HELLO && code == 250 && l->login[0] != '\0') {
		session_say(l, s, str_of(l->login), LOGIN);
		if (l->guesses)
			l->connecting--, l->begun++;
	} else if (s->step == LOGIN && l->guesses) {
		session_guessed(l, s, code);
	} else if ((s->step == HELLO && code == 250) || (s->step == LOGIN && code == 235)) {
		session_ready(l, s);
	} else {
		l->codes[code]++;
		session_close(l, s);
	}
}

static void
session_reply(struct load *l, struct session *s, unsigned code)
{
	switch (s->step) {
	case GREETING:
	case HELLO:
	case STARTING:
	case LOGIN:
		session_greeted(l, s, code);
		break;
	case ENVELOPE:
		session_envelope(l, s, code);
		break;
	case CONTENT:
		session_content(l, s, code);
		break;
	case RESET:
		session_next(l, s);
		break;
	case ENDING:
		session_close(l, s);
		break;
	case RESTING:			/* 421, and then the end */
		l->codes[code]++;
		break;
	case AWAY:
	case SHAKING:
	case GONE:
		must(!"a reply without a connection");
	}
}

/* RFC 5321 4.2.1: the last line of a reply has a space behind its code. */
static bool
line_is_reply(struct str line, unsigned *code)
{
	uint64_t n;

	if (line.n < 3 || !parse_u64(str_sub(line, 0, 3), CODES - 1, &n) ||
	    (line.n > 3 && line.p[3] == '-'))
		return false;
	*code = (unsigned)n;
	return true;
}

static ssize_t
session_recv(struct session *s)
{
	char *to = s->in + s->in_n;
	size_t room = sizeof(s->in) - s->in_n;

	return s->tls != NULL ? privacy_recv(s->tls, to, room) :
	    recv(s->fd, to, room, 0);
}

/* More may be at hand than the socket tells: what TLS has decrypted. */
static bool
session_read_some(struct load *l, struct session *s)
{
	ssize_t n = session_recv(s);
	struct str in, line;
	unsigned code;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		session_close(l, s);
		return false;
	}
	in = (struct str){ s->in, s->in_n + (size_t)n };
	while (s->fd >= 0 && str_find(in, '\n') < in.n) {
		line = str_cut(&in, '\n');
		if (line_is_reply(line, &code))
			session_reply(l, s, code);
	}
	must(in.n < sizeof(s->in));
	memmove(s->in, in.p, in.n);
	s->in_n = in.n;
	return s->fd >= 0 && s->tls != NULL && s->step != SHAKING;
}

static void
session_read(struct load *l, struct session *s)
{
	if (s->step == SHAKING)
		session_shake(l, s);
	else
		while (session_read_some(l, s))
			continue;
}

/* ---- the loop ---- */

/* Who guesses keeps his rate by the connections that he opens. */
static bool
load_may_open(struct load *l, int64_t now)
{
	if (!l->guesses || l->rate == 0)
		return true;
	if (l->began_at == 0)
		l->began_at = now;
	return l->began_at + (int64_t)(l->opened * 1000000000 / l->rate) <= now;
}

/* Those away connect, a few at a time; those at rest begin when it is time. */
static void
load_wake(struct load *l, int64_t now)
{
	struct session *s;

	while (l->away != NULL && l->connecting < CONNECTING_MOST && now >= l->retry_at &&
	    load_may_open(l, now)) {
		s = l->away;
		l->away = s->next;
		if (l->begun < l->messages || l->is_idle)
			session_open(l, s);
		else
			l->live--, s->step = GONE;
	}
	if (l->is_idle || l->began_at == 0)
		return;
	while (l->resting != NULL && (l->begun >= l->messages || load_due(l) <= now)) {
		s = l->resting;
		l->resting = s->next;
		session_next(l, s);
	}
}

static int
load_patience(const struct load *l)
{
	if ((l->resting != NULL && !l->is_idle) || l->guesses)
		return 1;
	return l->away != NULL ? RETRY_NS / 1000000 : 100;
}

static void
load_turn(struct load *l)
{
	struct epoll_event e[EVENTS];
	struct session *s;
	int n = epoll_wait(l->epoll, e, EVENTS, load_patience(l));

	for (int i = 0; i < n; i++) {
		s = e[i].data.ptr;
		if (s == NULL) {	/* standard input: whoever idles may go */
			l->until = 0;
			continue;
		}
		if ((e[i].events & EPOLLOUT) && s->rest != NULL)
			session_send_rest(l, s);
		if (e[i].events & (EPOLLIN | EPOLLERR | EPOLLHUP))
			session_read(l, s);
	}
}

static void
load_tell(const struct load *l)
{
	const struct histogram *h = &l->latency;
	const char *comma = "";

	printf("{\"messages\":%llu,\"accepted\":%llu,\"refused\":%llu,\"lost\":%llu,"
	    "\"greeted\":%llu,\"open\":%llu,\"failed\":%llu,",
	    (unsigned long long)l->messages, (unsigned long long)l->accepted,
	    (unsigned long long)l->refused, (unsigned long long)l->lost,
	    (unsigned long long)l->greeted, (unsigned long long)l->live,
	    (unsigned long long)l->failed);
	printf("\"first_mail_ns\":%lld,\"last_250_ns\":%lld,", (long long)l->first_mail_at,
	    (long long)l->last_250_at);
	printf("\"p50_us\":%.1f,\"p90_us\":%.1f,\"p99_us\":%.1f,\"max_us\":%.1f,",
	    (double)histogram_at(h, 0.5) / 1000, (double)histogram_at(h, 0.9) / 1000,
	    (double)histogram_at(h, 0.99) / 1000, (double)h->most / 1000);
	printf("\"handshakes\":%llu,\"resumed\":%llu,\"suite\":\"%s\",", l->privacy.shaken,
	    l->privacy.resumed, l->privacy.suite);
	printf("\"cpu_us\":%llu,\"codes\":{", (unsigned long long)cpu_us());
	for (unsigned i = 0; i < CODES; i++)
		if (l->codes[i] > 0) {
			printf("%s\"%u\":%llu", comma, i, (unsigned long long)l->codes[i]);
			comma = ",";
		}
	printf("}}\n");
	fflush(stdout);
}

/* All are greeted or gave up: say so, and hold them until standard input ends. */
static void
load_idle(struct load *l)
{
	struct epoll_event e = { .events = EPOLLIN | EPOLLHUP };

	while (l->live > l->greeted && now_ns() < l->until) {
		load_wake(l, now_ns());
		load_turn(l);
	}
	load_tell(l);
	must(epoll_ctl(l->epoll, EPOLL_CTL_ADD, STDIN_FILENO, &e) == 0);
	while (now_ns() < l->until)
		load_turn(l);
}

static int
load_run(struct load *l)
{
	l->epoll = epoll_create1(EPOLL_CLOEXEC);
	l->until = now_ns() + (int64_t)l->seconds * 1000000000;
	l->live = l->n_sessions;
	must(l->session = calloc(l->n_sessions, sizeof(*l->session)));
	for (uint64_t i = 0; i < l->n_sessions; i++) {
		l->session[i].fd = -1;
		l->session[i].next = l->away;
		l->away = &l->session[i];
	}
	if (l->is_idle) {
		load_idle(l);
		return 0;
	}
	while (l->live > 0 && now_ns() < l->until) {
		load_wake(l, now_ns());
		load_turn(l);
	}
	load_tell(l);
	return l->accepted == l->messages ? 0 : 1;
}

/* ---- the command line ---- */

static void
load_usage(void)
{
	fprintf(stderr, "usage: load --to ADDRESS:PORT [--connections N] [--messages N]\n"
	    "  [--size OCTETS] [--rcpts N] [--no-pipelining] [--rate PER_SECOND]\n"
	    "  [--per-connection N] [--reconnect] [--seconds N] [--from ADDRESS]\n"
	    "  [--domain NAME] [--domains N] [--ledger FILE] [--idle]\n"
	    "  [--starttls] [--resume] [--login USER:PASSWORD] [--only-greet]\n"
	    "  [--guess] [--sources N] [--content FILE] [--suites NAMES]\n"
	    "test/bench/README.md says more.\n");
	exit(64);
}

enum option_name {
	CONNECTIONS = 'a', CONTENT_OF, DOMAIN, DOMAINS, FROM, GUESS, IDLE, LEDGER, LOG_IN, MESSAGES,
	NO_PIPELINING, ONLY_GREET, PER_CONNECTION, RATE, RCPTS, RECONNECT, RESUME, SECONDS, SIZE,
	SOURCES, START_TLS, SUITES, TO
};

static const struct option options[] = {
	{ "connections", required_argument, NULL, CONNECTIONS },
	{ "content", required_argument, NULL, CONTENT_OF },
	{ "domain", required_argument, NULL, DOMAIN },
	{ "domains", required_argument, NULL, DOMAINS },
	{ "from", required_argument, NULL, FROM },
	{ "guess", no_argument, NULL, GUESS },
	{ "idle", no_argument, NULL, IDLE },
	{ "ledger", required_argument, NULL, LEDGER },
	{ "login", required_argument, NULL, LOG_IN },
	{ "messages", required_argument, NULL, MESSAGES },
	{ "no-pipelining", no_argument, NULL, NO_PIPELINING },
	{ "only-greet", no_argument, NULL, ONLY_GREET },
	{ "per-connection", required_argument, NULL, PER_CONNECTION },
	{ "rate", required_argument, NULL, RATE },
	{ "rcpts", required_argument, NULL, RCPTS },
	{ "reconnect", no_argument, NULL, RECONNECT },
	{ "resume", no_argument, NULL, RESUME },
	{ "seconds", required_argument, NULL, SECONDS },
	{ "size", required_argument, NULL, SIZE },
	{ "sources", required_argument, NULL, SOURCES },
	{ "starttls", no_argument, NULL, START_TLS },
	{ "suites", required_argument, NULL, SUITES },
	{ "to", required_argument, NULL, TO },
	{ NULL, 0, NULL, 0 }
};

/* RFC 4616: no authorization identity, the name, the password. */
static void
load_login(struct load *l, const char *text)
{
	unsigned char plain[256], coded[400];
	size_t n = strlen(text), at = str_find((struct str){ text, n }, ':');

	if (at == n || n + 1 > sizeof(plain))
		load_usage();
	plain[0] = '\0';
	memcpy(plain + 1, text, n);
	plain[1 + at] = '\0';
	EVP_EncodeBlock(coded, plain, (int)n + 1);
	snprintf(l->login, sizeof(l->login), "AUTH PLAIN %s\r\n", (char *)coded);
}

static void
load_option(struct load *l, int name)
{
	switch (name) {
	case CONNECTIONS: l->n_sessions = option_number("--connections", optarg, 60000); break;
	case CONTENT_OF: l->content = optarg; break;
	case DOMAIN: l->domain = optarg; break;
	case DOMAINS: l->domains = option_number("--domains", optarg, 1000000); break;
	case FROM: l->from = optarg; break;
	case GUESS: l->guesses = true; break;
	case IDLE: l->is_idle = true; break;
	case LEDGER:
		if ((l->ledger = fopen(optarg, "we")) == NULL) {
			perror(optarg);
			exit(73);
		}
		break;
	case LOG_IN: load_login(l, optarg); break;
	case MESSAGES: l->messages = option_number("--messages", optarg, 1000000000); break;
	case NO_PIPELINING: l->is_pipelined = false; break;
	case ONLY_GREET: l->only_greets = true; break;
	case PER_CONNECTION:
		l->per_connection = option_number("--per-connection", optarg, 1000000);
		break;
	case RATE: l->rate = option_number("--rate", optarg, 1000000); break;
	case RCPTS: l->rcpts = option_number("--rcpts", optarg, RCPTS_MOST); break;
	case RECONNECT: l->reconnects = true; break;
	case RESUME: l->resumes = true; break;
	case SECONDS: l->seconds = option_number("--seconds", optarg, 86400); break;
	case SIZE: l->size = option_number("--size", optarg, 1 << 30); break;
	case SOURCES: l->sources = option_number("--sources", optarg, 60000); break;
	case START_TLS: l->starts_tls = true; break;
	case SUITES: l->suites = optarg; break;
	case TO:
		if (endpoint_parse(&l->to, optarg) != 0)
			exit(64);
		break;
	default:
		load_usage();
	}
}

int
main(int argc, char **argv)
{
	static struct load l = {
		.n_sessions = 64, .messages = 1000, .size = 4096, .rcpts = 1, .domains = 1,
		.seconds = 60, .is_pipelined = true, .from = "sender@load.example",
		.domain = "sink.example"
	};
	int name, status;

	while ((name = getopt_long(argc, argv, "", options, NULL)) != -1)
		load_option(&l, name);
	if (optind != argc || l.to.n == 0 || l.rcpts == 0 || l.domains == 0 ||
	    strlen(l.from) > 100 || strlen(l.domain) > 60 ||
	    (l.content != NULL && l.ledger != NULL))
		load_usage();
	files_raise();
	privacy_init(&l.privacy, l.resumes, l.suites);
	snprintf(l.run, sizeof(l.run), "%llx", (unsigned long long)now_ns());
	if (l.content == NULL)
		letter_compose(&l.letter, l.from, l.domain, l.size);
	else
		letter_read(&l.letter, l.content);
	status = load_run(&l);
	if (l.ledger != NULL && fclose(l.ledger) != 0)
		return 74;
	return status;
}
