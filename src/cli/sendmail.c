#include "cli/sendmail.h"

#include "base/id.h"
#include "base/list.h"
#include "cli/ask.h"
#include "cli/files.h"
#include "cli/submit.h"
#include "policy/holder.h"
#include "policy/problem.h"
#include "wire/http.h"
#include "wire/xtext.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

enum { SENDMAIL_MEMORY = 128 * 1024 * 1024, RCPTS_MOST = 1000000 };

enum flag_takes { TAKES_NONE, TAKES_NEEDS, TAKES_GLUED };
enum flag_does { DOES_IGNORED, DOES_ALIASES, DOES_BODY, DOES_CONFIG, DOES_ENVID,
	DOES_LOUD, DOES_MODE, DOES_NAME, DOES_NOTIFY, DOES_NO_DOT, DOES_OLD,
	DOES_QUEUE, DOES_RCPTS, DOES_RETURN, DOES_SENDER };
enum mode { MODE_SEND, MODE_SMTP, MODE_LIST, MODE_ALIASES, MODE_VERIFY,
	MODE_DAEMON, MODE_FLUSH };

static const struct flag_row {
	char letter;
	enum flag_takes takes;
	enum flag_does does;
	const char *says;
} flags[] = {
#define FLAG(letter, takes, does, says) \
	{ letter, TAKES_##takes, DOES_##does, says },
#include "cli/sendmail.def"
#undef FLAG
};

struct sendmail {
	struct cli cli;
	enum mode mode;
	bool takes_header, no_dot, is_8bit, has_sender;
	struct str sender, name, notify, ret, envid;
	struct str id, site;		/* of -qI, -qR */
	int argc, n_rcpts;		/* arguments, from first on */
	char **argv;
	int first;
	struct letter letter;
	struct letter_rcpts adder;
	struct str *rcpts;
	size_t n, room;
};

/* ---- flags ---- */

static int
usage(const char *why)
{
	fprintf(stderr, "%s: %s\n", cli_name, why);
	fprintf(stderr, "usage: sendmail [-t] [-i] [-f SENDER] [-F NAME] "
	    "[-bm|-bs|-bp|-bi|-bv] [-q[I ID|R DOMAIN]]\n"
	    "\t[-N WHEN] [-R full|hdrs] [-V ID] [-B 7BIT|8BITMIME] "
	    "[-C FILE] [-v] [RECIPIENT ...]\n");
	return EX_USAGE;
}

static int
mode_take(struct sendmail *s, struct str v)
{
	switch (v.n == 1 ? v.p[0] : '\0') {
	case 'm': s->mode = MODE_SEND; return 0;
	case 's': s->mode = MODE_SMTP; return 0;
	case 'p': s->mode = MODE_LIST; return 0;
	case 'i': s->mode = MODE_ALIASES; return 0;
	case 'v': s->mode = MODE_VERIFY; return 0;
	case 'd': case 'D': case 'l': s->mode = MODE_DAEMON; return 0;
	default: return usage("there is no such mode: -b");
	}
}

static int
queue_take(struct sendmail *s, struct str v)
{
	if (s->mode != MODE_DAEMON)	/* -bd -q30m: once is enough */
		s->mode = MODE_FLUSH;
	if (str_skip(&v, STR("I")))
		s->id = v;
	else if (str_skip(&v, STR("R")))
		s->site = v;
	else if (v.n > 0 && !ascii_is_digit(v.p[0]))
		return usage("-q is followed by I and an id, or R and a "
		    "domain, or an interval");
	return 0;
}

/* RFC 3461 4.1: "NEVER" or a list of the others. */
static int
notify_take(struct sendmail *s, struct str v)
{
	static const struct str words[] = { STR_INIT("NEVER"),
		STR_INIT("SUCCESS"), STR_INIT("FAILURE"), STR_INIT("DELAY") };
	struct buf b = { .cap = v.n + 1 };
	struct str rest = v;

	b.p = arena_alloc(&s->cli.arena, b.cap + 1);
	while (b.p != NULL && rest.n > 0) {
		struct str word = str_trim(str_cut(&rest, ','));
		size_t i = 0;

		while (i < 4 && !str_eq_icase(word, words[i]))
			i++;
		if (i == 4 || (i == 0 && word.n != str_trim(v).n))
			return usage("-N is never, or a list of failure, "
			    "delay and success");
		buf_printf(&b, "%s" STR_FMT, b.n > 0 ? "," : "",
		    STR_ARG(words[i]));
	}
	s->notify = buf_str(&b);
	return s->notify.n > 0 ? 0 : usage("-N needs a word");
}

static int
envid_take(struct sendmail *s, struct str v)
{
	struct buf b = { .cap = 3 * v.n + 1 };

	b.p = arena_alloc(&s->cli.arena, b.cap);
	if (b.p == NULL || v.n == 0 || v.n > 100)	/* RFC 3461 4.4 */
		return usage("-V is an id of at most 100 characters");
	xtext_encode(v, &b);
	s->envid = buf_str(&b);
	return 0;
}

static int
words_take(struct str v, const char *a, const char *b, bool *is_second)
{
	*is_second = str_eq_icase(v, str_of(b));
	return *is_second || str_eq_icase(v, str_of(a)) ? 0 : -1;
}

static int
flag_do(struct sendmail *s, const struct flag_row *f, struct str v)
{
	bool second = false;

	switch (f->does) {
	case DOES_ALIASES: s->mode = MODE_ALIASES; break;
	case DOES_BODY:
		if (words_take(v, "7BIT", "8BITMIME", &s->is_8bit) != 0)
			return usage("-B is 7BIT or 8BITMIME");
		break;
	case DOES_CONFIG:
		s->cli.config = v;
		s->cli.is_config_named = true;
		break;
	case DOES_ENVID: return envid_take(s, v);
	case DOES_LOUD: s->cli.is_loud = true; break;
	case DOES_MODE: return mode_take(s, v);
	case DOES_NAME: s->name = v; break;
	case DOES_NOTIFY: return notify_take(s, v);
	case DOES_OLD: s->no_dot = s->no_dot || str_eq(v, STR("i")); break;
	case DOES_NO_DOT: s->no_dot = true; break;
	case DOES_QUEUE: return queue_take(s, v);
	case DOES_RCPTS: s->takes_header = true; break;
	case DOES_RETURN:
		if (words_take(v, "FULL", "HDRS", &second) != 0)
			return usage("-R is full or hdrs");
		s->ret = second ? STR("HDRS") : STR("FULL");
		break;
	case DOES_SENDER:
		s->sender = v;
		s->has_sender = true;
		break;
	case DOES_IGNORED: break;
	}
	return 0;
}

/* One word of flags, and the next one when it is an argument. */
static int
word_take(struct sendmail *s, int *i)
{
	struct str word = str_of(s->argv[*i] + 1);
	int rc = 0;

	while (rc == 0 && word.n > 0) {
		const struct flag_row *f = flags;
		const struct flag_row *end = flags + sizeof flags / sizeof *flags;
		struct str v = str_sub(word, 1, word.n);

		while (f < end && f->letter != word.p[0])
			f++;
		if (f == end) {
			fprintf(stderr, "%s: -%c: ", cli_name, word.p[0]);
			return usage("there is no such flag");
		}
		word = f->takes == TAKES_NONE ? v : STR("");
		if (f->takes == TAKES_NEEDS && v.n == 0) {
			if (*i + 1 == s->argc)
				return usage("a flag needs an argument");
			v = str_of(s->argv[++*i]);
		}
		rc = flag_do(s, f, v);
	}
	return rc;
}

/* Flags end at the first word that is none, so that no recipient is taken for
 * one. */
static int
flags_take(struct sendmail *s)
{
	int i = 1, rc = 0;

	for (; rc == 0 && i < s->argc; i++) {
		const char *word = s->argv[i];

		if (word[0] != '-' || word[1] == '\0')
			break;
		if (strcmp(word, "--") == 0) {
			i++;
			break;
		}
		rc = word_take(s, &i);
	}
	s->first = i;
	s->n_rcpts = s->argc - i;
	return rc;
}

/* ---- sending ---- */

static int
rcpt_add(struct letter_rcpts *to, struct str address)
{
	struct sendmail *s = OWNER_OF(to, struct sendmail, adder);
	size_t room = s->room == 0 ? 64 : 2 * s->room;
	struct str *more;

	if (s->n == s->room) {
		more = arena_alloc(&s->cli.arena, room * sizeof *more);
		if (more == NULL || s->n >= RCPTS_MOST)
			return cli_fail(EX_TEMPFAIL, "too many recipients");
		if (s->n > 0)
			memcpy(more, s->rcpts, s->n * sizeof *more);
		s->rcpts = more;
		s->room = room;
	}
	s->rcpts[s->n++] = address;
	return 0;
}

static int
rcpts_gather(struct sendmail *s, struct str origin)
{
	int rc = 0;

	s->adder.add = rcpt_add;
	for (int i = s->first; rc == 0 && i < s->argc; i++)
		rc = s->argv[i][0] == '-' ?
		    usage("a recipient does not begin with -") :
		    letter_addresses(&s->cli.arena, str_of(s->argv[i]), origin,
		    &s->adder);
	if (rc == 0 && s->takes_header)
		rc = letter_recipients(&s->letter, origin, &s->adder);
	if (rc == 0 && s->n == 0)
		rc = cli_fail(EX_DATAERR, "there is no recipient in the "
		    "header");
	return rc;
}

/* One address, with the origin when it has no domain. */
static int
address_make(struct sendmail *s, struct str text, struct str origin,
    struct str *out)
{
	size_t before = s->n;
	int rc = letter_addresses(&s->cli.arena, text, origin, &s->adder);

	if (rc == 0 && s->n != before + 1)
		rc = cli_fail(EX_USAGE, "'" STR_FMT "' is not one address",
		    STR_ARG(text));
	if (rc == 0)
		*out = s->rcpts[before];
	s->n = before;
	return rc;
}

/* Who we are: login name, and the full name of GECOS. */
static struct str
login_name(struct sendmail *s, struct str *full)
{
	const struct passwd *pw = getpwuid(getuid());
	struct str gecos;

	if (pw == NULL)
		return arena_printf(&s->cli.arena, "uid%u", (unsigned)getuid());
	gecos = str_of(pw->pw_gecos);
	*full = arena_copy(&s->cli.arena, str_trim(str_cut(&gecos, ',')));
	return arena_copy(&s->cli.arena, str_of(pw->pw_name));
}

static int
sender_make(struct sendmail *s, struct str origin, struct submission *m)
{
	const char *name = getenv("NAME");
	struct str full = STR_NONE, login = login_name(s, &full);
	struct str given = str_trim(s->sender);
	int rc = address_make(s, login, origin, &m->from);

	if (rc != 0)
		return rc;
	m->name = s->name.n > 0 ? s->name : name != NULL ? str_of(name) : full;
	m->sender = s->has_sender ? STR("") : m->from;
	if (!s->has_sender || given.n == 0 || str_eq(given, STR("<>")))
		return 0;
	rc = address_make(s, given, origin, &m->sender);
	if (rc == 0)
		m->from = m->sender;
	if (rc == 0 && s->name.n == 0)
		m->name = STR_NONE;	/* somebody else's address */
	return rc;
}

static int
message_send(struct sendmail *s)
{
	struct submit *with = arena_new(&s->cli.arena, struct submit);
	struct submission m = { .notify = s->notify, .ret = s->ret,
		.envid = s->envid, .is_8bit = s->is_8bit,
		.only_ask = s->mode == MODE_VERIFY };
	int rc;

	if (with == NULL)
		return cli_fail(EX_TEMPFAIL, "no memory");
	rc = submit_open(with, &s->cli);
	if (rc == 0)
		rc = rcpts_gather(s, with->origin);
	if (rc == 0)
		rc = sender_make(s, with->origin, &m);
	if (rc == 0) {
		m.rcpts = s->rcpts;
		m.n = s->n;
		m.letter = m.only_ask ? NULL : &s->letter;
		rc = submit_send(with, &m);
	}
	submit_close(with);
	return rc;
}

static int
send_run(struct sendmail *s)
{
	int rc;

	s->adder.add = rcpt_add;
	if (s->n_rcpts == 0 && !s->takes_header)
		return usage("name recipients, or -t when they stand in the "
		    "header");
	rc = letter_read(&s->letter, &s->cli.arena, STDIN_FILENO, !s->no_dot);
	if (rc == 0)
		rc = message_send(s);
	letter_close(&s->letter);
	return rc;
}

static int
verify_run(struct sendmail *s)
{
	s->takes_header = false;
	if (s->n_rcpts == 0)
		return usage("-bv needs recipients");
	return message_send(s);
}

/* ---- -bs: our standard input and output are the client ---- */

static int
octets_pass(int fd, struct str s)
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

/* People and programs end lines as they like. */
static int
lines_pass(int fd, struct str text, char *last)
{
	while (text.n > 0) {
		size_t n = str_find(text, '\n');
		struct str line = str_sub(text, 0, n);
		bool has_cr = (n > 0 ? text.p[n - 1] : *last) == '\r';
		struct str end = n == text.n ? STR("") : has_cr ? STR("\n") :
		    STR("\r\n");

		if (octets_pass(fd, line) != 0 || octets_pass(fd, end) != 0)
			return -1;
		*last = n < text.n ? '\n' : text.p[text.n - 1];
		text = str_sub(text, n < text.n ? n + 1 : n, text.n);
	}
	return 0;
}

static bool
all_written(int fd, const char *p, ssize_t n)
{
	while (n > 0) {
		ssize_t k = write(fd, p, (size_t)n);

		if (k < 0 && errno != EINTR)
			return false;
		p += k < 0 ? 0 : k;
		n -= k < 0 ? 0 : k;
	}
	return true;
}

static void
bridge(int fd, char *room, size_t most)
{
	struct pollfd p[2] = { { fd, POLLIN, 0 }, { STDIN_FILENO, POLLIN, 0 } };
	char last = '\0';
	ssize_t n;
	int ready;

	while ((ready = poll(p, 2, SUBMIT_PATIENCE_S * 1000)) > 0 ||
	    (ready < 0 && errno == EINTR)) {
		if (ready < 0)
			continue;
		if (p[0].revents != 0) {
			n = read(fd, room, most);
			if (n <= 0 || !all_written(STDOUT_FILENO, room, n))
				return;
		}
		if (p[1].revents == 0)
			continue;
		n = read(STDIN_FILENO, room, most);
		if (n <= 0 || lines_pass(fd, (struct str){ room, (size_t)n },
		    &last) != 0) {
			(void)shutdown(fd, SHUT_WR);
			p[1].fd = -1;
		}
	}
}

static int
smtp_run(struct sendmail *s)
{
	enum { ROOM = 32 * 1024 };
	char *room = arena_alloc(&s->cli.arena, ROOM);
	int fd = -1, rc = submit_connect(&s->cli, &fd);

	if (rc != 0) {
		printf("421 4.3.2 The mail server does not run\r\n");
		return rc;
	}
	if (room != NULL)
		bridge(fd, room, ROOM);
	close(fd);
	return 0;
}

/* ---- the queue and the aliases ---- */

static int
line_pass_over(struct ask *a, struct str line)
{
	(void)a;
	(void)line;
	return 0;
}

static int
flush_run(struct sendmail *s)
{
	struct cli *c = &s->cli;
	struct ask a = { .method = "POST", .body_fd = -1,
		.line = line_pass_over, .target = STR("/v1/queue/retry?all=yes") };
	struct buf b = { .cap = 3 * s->site.n + 64 };
	uint64_t id;

	if (s->id.p != NULL && !id_parse(s->id, &id))
		return usage("-qI is followed by an id of 13 characters");
	b.p = arena_alloc(&c->arena, b.cap);
	if (b.p == NULL)
		return cli_fail(EX_TEMPFAIL, "no memory");
	if (s->id.p != NULL)
		buf_printf(&b, "/v1/queue/retry?id=%s", id_print(id).text);
	else if (s->site.p != NULL) {
		buf_put(&b, STR("/v1/queue/retry?domain="));
		http_encode(&b, s->site);
	}
	if (b.n > 0)
		a.target = buf_str(&b);
	return ask(c, &a);
}

/* Aliases are read with the configuration: by a running server now, else at its
 * start, which is no error: packages call newaliases before anything runs. */
static int
aliases_run(struct sendmail *s)
{
	struct cli *c = &s->cli;
	struct problems *p = arena_new(&c->arena, struct problems);
	struct ask a = { .method = "POST", .body_fd = -1,
		.line = line_pass_over, .target = STR("/v1/reload") };
	struct config *conf;
	char room[2048];
	struct buf b = BUF_OF(room);
	int rc;

	if (p == NULL)
		return cli_fail(EX_TEMPFAIL, "no memory");
	problems_init(p);
	conf = config_load(&files_source, c->config, p);
	if (conf == NULL)
		problems_print(p, &b);
	problems_clear(p);
	fprintf(stderr, STR_FMT, STR_ARG(buf_str(&b)));
	if (conf == NULL)
		return EX_CONFIG;
	config_release(conf);
	if (!ask_is_served(c)) {
		printf("The server does not run; it reads the aliases at its "
		    "start.\n");
		return 0;
	}
	rc = ask(c, &a);
	return rc == EX_DATAERR ? EX_CONFIG : rc;
}

static int
list_run(struct sendmail *s)
{
	return command_queue_list(&s->cli);
}

static int
daemon_run(struct sendmail *s)
{
	if (ask_is_served(&s->cli))
		return 0;
	return cli_fail(EX_UNAVAILABLE, "the server is started by nightmail "
	    "serve, or the service manager");
}

static int (*const modes[])(struct sendmail *) = {
	[MODE_SEND] = send_run, [MODE_SMTP] = smtp_run, [MODE_LIST] = list_run,
	[MODE_ALIASES] = aliases_run, [MODE_VERIFY] = verify_run,
	[MODE_DAEMON] = daemon_run, [MODE_FLUSH] = flush_run,
};

/* ---- names ---- */

static const struct { const char *name; enum mode mode; } names[] = {
	{ "mailq", MODE_LIST }, { "newaliases", MODE_ALIASES },
	{ "sendmail", MODE_SEND },
};

static size_t
name_find(const char *program)
{
	const char *slash = strrchr(program, '/');
	size_t i = 0;

	while (i < sizeof names / sizeof *names &&
	    strcmp(names[i].name, slash == NULL ? program : slash + 1) != 0)
		i++;
	return i;
}

bool
sendmail_is(const char *program)
{
	return name_find(program) < sizeof names / sizeof *names;
}

int
sendmail_main(int argc, char **argv)
{
	static struct sendmail s;
	size_t i = name_find(argv[0]);
	int rc;

	s = (struct sendmail){ .argc = argc, .argv = argv,
		.mode = names[i].mode };
	cli_name = names[i].name;
	s.cli.config = str_of(cli_default_config);
	arena_init(&s.cli.arena, SENDMAIL_MEMORY);
	rc = flags_take(&s);
	if (rc == 0)
		rc = modes[s.mode](&s);
	arena_clear(&s.cli.arena);
	if ((fflush(stdout) != 0 || ferror(stdout)) && rc == 0)
		rc = EX_IOERR;
	return rc;
}
