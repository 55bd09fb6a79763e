/*
 * A request is one packet on the porter's socket: struct porter_request with
 * two descriptors, the message and the end of a socket for the one reply.
 *
 *	   0  u32  magic    "NMP2"
 *	   4  u16  version  3
 *	   6  u16  length   of the mailbox, 1..PORTER_MAILBOX
 *	   8  u16  length   of the sender, 0..PORTER_MAILBOX
 *	  10  u16  length   of the original recipient, 0..PORTER_MAILBOX
 *	  12  u16  length   of the target, 0..PORTER_TARGET
 *	  14  u16  1: for the Junk folder; else 0
 *	  16  u64  size     octets of the message
 *	  24  ...  mailbox  "local@domain", as the envelope has it
 *	 344  ...  sender
 *	 664  ...  original recipient
 *	 984  ...  target   of the alias `mailbox': "|command", "/path/"
 *
 * What the configuration says of the mailbox is done: its Maildir is written or
 * its command run.  A target is only the name of what the configuration's alias
 * has.
 *
 * The life of a request: TAKEN (checked, looked up in the porter's own
 * configuration) -> CHILD (forked, another user) -> REPLIED by the child, or by
 * nobody when the child dies or takes too long: the closed socket tells the
 * worker.  A child outlives a porter that is replaced.
 */
#include "app/porter.h"

#include "app/passed.h"
#include "app/porter_run.h"
#include "app/report_child.h"
#include "app/rights.h"
#include "app/sandbox.h"
#include "app/signals.h"
#include "base/err.h"
#include "base/must.h"
#include "deliver/junk.h"
#include "deliver/maildir.h"
#include "deliver/porter_wire.h"
#include "fiber/core.h"
#include "fiber/disk.h"
#include "policy/place.h"
#include "policy/secrets.h"
#include "wire/address.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

enum { CHILD_SECONDS = 60, GRACE_SECONDS = 20, REAP_MS = 1000,
	ENVIRONMENT = 16 };

struct carrying {			/* one request, in the child */
	const struct config *config;
	const struct porter_request *request;
	struct str mailbox, sender, orig, target;
	struct route route;		/* of the mailbox, without target */
	struct mailbox_place place;
	struct arena *arena;
	bool is_report;			/* for reports.inbox */
	int message, reply_to;
};

/* ---- in the child: the user's own rights, one file, the end ---- */

static void
reply_send(int fd, const struct porter_reply *r)
{
	(void)!send(fd, r, sizeof *r, MSG_NOSIGNAL);
}

static void
reply_trouble(int fd, int error, const char *text)
{
	struct porter_reply r;

	porter_reply_trouble(&r, error, text);
	reply_send(fd, &r);
}

static void
reply_words(int fd, enum porter_end end, const char *text)
{
	struct porter_reply r;

	porter_reply_trouble(&r, 0, text);
	r.end = (uint16_t)end;
	reply_send(fd, &r);
}

static yields int
message_copy(struct carrying *c, struct maildir *m, char *room, size_t n)
{
	uint64_t size = c->request->size;
	int64_t got;

	for (uint64_t at = 0; at < size; at += (uint64_t)got) {
		got = disk_pread(c->message, room, n, at);
		if (got <= 0)
			return err_set("the message ends after %llu octets",
			    (unsigned long long)at);
		if (maildir_write(m, (struct str){ room, (size_t)got }) != 0)
			return -1;
	}
	return maildir_commit(m);
}

/* What an alias names is the folder itself. */
static yields struct str
carry_place(const struct carrying *c, struct arena *a)
{
	if (c->request->is_junk && c->target.n == 0)
		return junk_folder(c->place.path, a);
	return maildir_choose(c->place.path, c->place.folder);
}

static yields void
carry(void *arg)
{
	struct carrying *c = arg;
	struct maildir m = { .fd = -1 };
	struct arena a;
	struct str path;
	char *room;

	arena_init(&a, 256 * 1024);
	room = arena_alloc(&a, MAILDIR_BUFFER);
	path = carry_place(c, &a);
	if (room != NULL && path.p != NULL &&
	    maildir_open(&m, path, c->config->hostname, &a) == 0 &&
	    message_copy(c, &m, room, MAILDIR_BUFFER) == 0) {
		reply_words(c->reply_to, PORTER_KEPT, m.new_name);
	} else {
		reply_trouble(c->reply_to,
		    m.maildir_errno != 0 ? m.maildir_errno : EIO, err_text());
		maildir_abandon(&m);
	}
	arena_clear(&a);
}

/* ---- a command's words and environment ---- */

static struct str
mailbox_local_part(struct str mailbox)
{
	return str_sub(mailbox, 0, str_find_last(mailbox, '@'));
}

static void
values_take(const struct carrying *c, struct str values[PIPE_VARS])
{
	const struct user *u = c->route.user;

	values[PIPE_recipient] = c->mailbox;
	values[PIPE_original_recipient] = c->orig.n > 0 ? c->orig : c->mailbox;
	values[PIPE_sender] = c->sender;
	values[PIPE_user] = u != NULL ? u->name : mailbox_local_part(c->mailbox);
	values[PIPE_home] = u != NULL ? u->home : STR_NONE;
	values[PIPE_domain] = c->route.home != NULL ? c->route.home->name :
	    c->route.domain;
	values[PIPE_extension] = route_detail(&c->route);
}

struct environment {
	struct arena *arena;
	size_t n;
	const char *list[ENVIRONMENT + 1];
	bool is_full;
};

static void
environment_add(struct environment *e, const char *name, struct str value)
{
	const char *line = arena_printf(e->arena, "%s="STR_FMT, name,
	    STR_ARG(value)).p;

	must(e->n < ENVIRONMENT);
	e->is_full |= line == NULL;
	e->list[e->n++] = line;
}

static const char *
environment_make(const struct carrying *c, const struct str *values,
    struct environment *e)
{
	const struct passwd *pw = getpwuid(c->place.uid);
	struct str home = values[PIPE_home];
	struct str user = pw != NULL ? str_of(pw->pw_name) : values[PIPE_user];

	if (home.n == 0 && pw != NULL)
		home = str_of(pw->pw_dir);
	environment_add(e, "PATH", STR("/usr/local/bin:/usr/bin:/bin"));
	environment_add(e, "LANG", STR("C"));
	environment_add(e, "HOME", home.n > 0 ? home : STR("/"));
	environment_add(e, "LOGNAME", user);
	environment_add(e, "USER", user);
	environment_add(e, "SENDER", values[PIPE_sender]);
	environment_add(e, "RECIPIENT", values[PIPE_recipient]);
	environment_add(e, "ORIGINAL_RECIPIENT",
	    values[PIPE_original_recipient]);
	environment_add(e, "DOMAIN", values[PIPE_domain]);
	environment_add(e, "EXTENSION", values[PIPE_extension]);
	environment_add(e, "LOCAL", mailbox_local_part(c->mailbox));
	return arena_cstr(e->arena, home);
}

static void
command_run(const struct carrying *c)
{
	struct str values[PIPE_VARS] = { STR_NONE };
	struct environment e = { .arena = c->arena };
	const char *argv[PIPE_WORDS + 1], *why;
	struct porter_run run = { .argv = argv, .environ = e.list,
		.message = c->message, .size = c->request->size,
		.asker = c->reply_to,
		.most_ms = c->config->timeouts.pipe / NS_PER_MS };
	struct porter_reply reply;

	values_take(c, values);
	run.home = environment_make(c, values, &e);
	why = pipe_words(c->place.pipe, values, c->arena, argv);
	if (why == NULL && e.is_full)
		why = "there is no memory for its environment";
	if (why != NULL) {
		reply_words(c->reply_to, PORTER_UNFIT, why);
		return;
	}
	porter_run(&run, &reply);
	reply_send(c->reply_to, &reply);
}

/* ---- becoming the user ---- */

/* Who is not root is himself already, and nobody else. */
static int
become_nobody_else(uint32_t uid)
{
	if (uid == geteuid() || uid == PLACE_NOBODY)
		return 0;
	return err_set("it belongs to uid %u; only a server started as root "
	    "can become that", uid);
}

static int
become(uint32_t uid, uint32_t gid)
{
	struct passwd *pw;

	if (uid == 0)
		return err_set("mail is never delivered as root");
	if (!rights_may_become())
		return become_nobody_else(uid);
	pw = getpwuid(uid);
	return rights_become(uid, gid, pw == NULL ? NULL : pw->pw_name);
}

static int
maildir_carry(struct carrying *c)
{
	struct rlimit seconds = { CHILD_SECONDS, CHILD_SECONDS };

	(void)setrlimit(RLIMIT_CPU, &seconds);
	return core_run_all(1, carry, c);
}

static void
report_carry(const struct carrying *c)
{
	struct porter_reply reply;

	report_child_run(c->message, c->request->size, &reply);
	reply_send(c->reply_to, &reply);
}

/* The alarm is for a home that hangs. */
static _Noreturn void
child_main(struct carrying *c)
{
	bool is_maildir = c->place.pipe == NULL && !c->is_report;
	int64_t seconds = c->place.pipe == NULL ? CHILD_SECONDS :
	    c->config->timeouts.pipe / NS_PER_SECOND + GRACE_SECONDS;

	(void)alarm((unsigned)seconds);
	umask(077);
	if (chdir("/") != 0 || become(c->place.uid, c->place.gid) != 0 ||
	    (is_maildir && maildir_carry(c) != 0)) {
		reply_trouble(c->reply_to, EPERM, err_text());
		_exit(1);
	}
	if (c->is_report)
		report_carry(c);
	else if (c->place.pipe != NULL)
		command_run(c);
	_exit(0);
}

/* ---- the porter ---- */

static int
place_look_up(struct carrying *c)
{
	if (c->target.n > 0) {
		c->route.domain = mailbox_domain(c->mailbox);
		c->route.home = config_domain(c->config, c->route.domain);
		return place_of_alias(c->config, c->mailbox, c->target,
		    c->arena, &c->place);
	}
	c->route = route_find(c->config, STR_NONE, c->mailbox);
	if (c->route.kind == ROUTE_REPORTS) {
		c->is_report = true;
		c->place = (struct mailbox_place){ .uid = PLACE_NOBODY,
			.gid = PLACE_NOBODY };
		return 0;
	}
	if (c->route.kind != ROUTE_LOCAL)
		return err_set("'" STR_FMT "' has no mailbox here",
		    STR_ARG(c->mailbox));
	return place_find(c->config, &c->route, UINT32_MAX, UINT32_MAX,
	    c->arena, &c->place);
}

/* How many children it took: 1 or 0. */
static unsigned
request_serve(const struct config *conf, const struct porter_request *q,
    int message, int reply_to)
{
	struct arena a;
	struct carrying c = { .config = conf, .request = q,
		.mailbox = { q->mailbox, q->length },
		.sender = { q->sender, q->sender_length },
		.orig = { q->orig, q->orig_length },
		.target = { q->target, q->target_length },
		.message = message, .reply_to = reply_to, .arena = &a };
	pid_t pid = -1;

	arena_init(&a, 256 * 1024);
	if (place_look_up(&c) != 0)
		reply_trouble(reply_to, ENOENT, err_text());
	else if ((pid = fork()) == 0)
		child_main(&c);
	else if (pid < 0)
		reply_trouble(reply_to, EAGAIN, "fork failed");
	err_clear();
	arena_clear(&a);
	return pid > 0;
}

/* No NUL may end an address early, no control character reach an environment. */
static bool
text_is_sound(const char *text, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			return false;
	return true;
}

static bool
request_is_sound(const struct porter_request *q, unsigned n_fds)
{
	return n_fds == 2 && q->magic == PORTER_MAGIC &&
	    q->version == PORTER_VERSION && q->length > 0 &&
	    q->length <= PORTER_MAILBOX &&
	    q->sender_length <= PORTER_MAILBOX &&
	    q->orig_length <= PORTER_MAILBOX &&
	    q->target_length <= PORTER_TARGET && q->is_junk <= 1 &&
	    text_is_sound(q->mailbox, q->length) &&
	    text_is_sound(q->sender, q->sender_length) &&
	    text_is_sound(q->orig, q->orig_length);
}

/* At most `most' stay. */
static void
children_wait(unsigned *children, unsigned most)
{
	while (*children > 0) {
		pid_t pid = waitpid(-1, NULL, *children > most ? 0 : WNOHANG);

		if (pid == 0)
			return;
		if (pid > 0)
			--*children;
		else if (errno != EINTR)
			*children = 0;		/* ECHILD */
	}
}

/* A packet is there; meanwhile the dead do not lie about for long. */
static void
request_await(int socket, unsigned *children)
{
	struct pollfd p = { socket, POLLIN, 0 };

	do
		children_wait(children, PORTER_CHILDREN - 1);
	while (poll(&p, 1, *children > 0 ? REAP_MS : -1) <= 0);
}

/* Listening sockets, master's signals, the worker's ear: none of them is ours,
 * nor our children's. */
static int
descriptors_shed(int socket)
{
	enum { FIRST = STDERR_FILENO + 1 };

	if (socket != FIRST && dup3(socket, FIRST, O_CLOEXEC) < 0)
		_exit(EX_OSERR);
	if (close_range(FIRST + 1, ~0u, 0) != 0)
		_exit(EX_OSERR);
	return FIRST;
}

/* Root in a container may not lay a filter that leaves programs their rights. */
static void
root_refuse(void)
{
	if (geteuid() != 0 || sandbox_porter_enter() == 0)
		return;
	fprintf(stderr, "nightmail: porter: nothing but its uid keeps it from "
	    "being root: %s\n", err_text());
	err_clear();
}

/* prctl(2): another uid forgets that it is to die with its parent. */
static void
rights_take(pid_t master)
{
	root_refuse();
	if (rights_keep_becoming() != 0)
		_exit(EX_OSERR);
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != master)
		_exit(0);
}

static _Noreturn void
porter_main(const struct config *conf, int socket, pid_t master)
{
	static struct porter_request q;	/* one at a time, one thread */
	unsigned children = 0, n_fds;
	int fds[2], rc;

	socket = descriptors_shed(socket);
	rights_take(master);
	for (;;) {
		request_await(socket, &children);
		rc = passed_receive(socket, &q, sizeof q, fds, &n_fds, 2);
		if (rc == PASSED_END)
			_exit(0);	/* nobody is left to ask */
		if (rc == 0 && request_is_sound(&q, n_fds))
			children += request_serve(conf, &q, fds[0], fds[1]);
		for (int i = 0; i < 2; i++)
			if (fds[i] >= 0)
				close(fds[i]);
	}
}

/* Mailboxes of other uids are written by root alone; commands are started, and
 * reports read, by nobody else. */
static bool
porter_is_needed(const struct config *conf)
{
	return geteuid() == 0 || place_has_commands(conf) ||
	    conf->reports.inbox.n > 0;
}

static _Noreturn void
porter_child(const struct config *conf, const struct config *other,
    int socket, pid_t master)
{
	secrets_forget(conf);
	if (other != NULL)
		secrets_forget(other);
	rights_forget_environment();
	(void)prctl(PR_SET_NAME, "nm-porter");
	signal_ignore_all();
	signals_free();
	porter_main(conf, socket, master);
}

/* Where it could not be forked its end is gone already, and who asks tries again
 * as for one that died. */
int
porter_start(struct porter_process *p, const struct config *conf,
    const struct config *other)
{
	pid_t master = getpid();
	int pair[2];

	*p = PORTER_NONE;
	if (!porter_is_needed(conf))
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set("socketpair: %m");
	p->pid = fork();
	if (p->pid == 0)
		porter_child(conf, other, pair[1], master);
	close(pair[1]);
	p->fd = pair[0];
	if (p->pid > 0)
		return 1;
	p->pid = 0;
	return err_set("fork: %m");
}

void
porter_died(struct porter_process *p)
{
	p->pid = 0;
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
}

/* Closing the last end of its socket is the word to go. */
void
porter_stop(struct porter_process *p)
{
	if (p->fd >= 0)
		close(p->fd);
	p->fd = -1;
	if (p->pid > 0) {
		kill(p->pid, SIGTERM);
		while (waitpid(p->pid, NULL, 0) < 0 && errno == EINTR)
			;
	}
	p->pid = 0;
}
