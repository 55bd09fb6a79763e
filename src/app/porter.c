/*
 * A request is one packet on the porter's socket: struct porter_request with
 * two descriptors, the message and the end of a socket for the one reply.
 *
 *	 0  u32  magic    "NMP1"
 *	 4  u16  version  1
 *	 6  u16  length   of the mailbox, 1..PORTER_MAILBOX
 *	 8  u64  size     octets of the message
 *	16  ...  mailbox  "local@domain", as the envelope has it
 *
 * The life of a request: TAKEN (checked, looked up in the porter's own
 * configuration) -> CHILD (forked, another user) -> REPLIED by the child, or by
 * nobody when the child dies or takes CHILD_SECONDS: the closed socket tells the
 * worker.  A child outlives a porter that is replaced.
 */
#include "app/porter.h"

#include "app/passed.h"
#include "base/err.h"
#include "base/must.h"
#include "deliver/maildir.h"
#include "deliver/porter_wire.h"
#include "fiber/core.h"
#include "fiber/disk.h"
#include "policy/place.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
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

enum { CHILD_SECONDS = 60, REAP_MS = 1000 };

struct carrying {			/* one request, in the child */
	struct mailbox_place place;
	struct str hostname;
	int message, reply_to;
	uint64_t size;
	int status;
};

void
signal_ignore_all(void)
{
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	sigaction(SIGPIPE, &ignore, NULL);
	sigaction(SIGUSR1, &ignore, NULL);
	sigaction(SIGUSR2, &ignore, NULL);
	sigaction(SIGXFSZ, &ignore, NULL);
}

/* ---- in the child: the user's own rights, one file, the end ---- */

static void
reply_send(int fd, const struct porter_reply *r)
{
	(void)!send(fd, r, sizeof *r, MSG_NOSIGNAL);
}

static void
reply_trouble(int fd, int error, const char *text)
{
	struct porter_reply r = { .magic = PORTER_MAGIC,
		.version = PORTER_VERSION, .error = (uint16_t)error };

	snprintf(r.text, sizeof r.text, "%s", text);
	reply_send(fd, &r);
}

static yields int
message_copy(struct carrying *c, struct maildir *m, char *room, size_t n)
{
	int64_t got;

	for (uint64_t at = 0; at < c->size; at += (uint64_t)got) {
		got = disk_pread(c->message, room, n, at);
		if (got <= 0)
			return err_set("the message ends after %llu octets",
			    (unsigned long long)at);
		if (maildir_write(m, (struct str){ room, (size_t)got }) != 0)
			return -1;
	}
	return maildir_commit(m);
}

static yields void
carry(void *arg)
{
	struct carrying *c = arg;
	struct porter_reply r = { .magic = PORTER_MAGIC,
		.version = PORTER_VERSION };
	struct maildir m = { .fd = -1 };
	struct arena a;
	char *room;

	arena_init(&a, 256 * 1024);
	room = arena_alloc(&a, MAILDIR_BUFFER);
	if (room != NULL &&
	    maildir_open(&m, c->place.path, c->hostname, &a) == 0 &&
	    message_copy(c, &m, room, MAILDIR_BUFFER) == 0) {
		snprintf(r.text, sizeof r.text, "%s", m.new_name);
		reply_send(c->reply_to, &r);
	} else {
		reply_trouble(c->reply_to,
		    m.maildir_errno != 0 ? m.maildir_errno : EIO, err_text());
		maildir_abandon(&m);
	}
	arena_clear(&a);
}

static int
become(uint32_t uid, uint32_t gid)
{
	struct rlimit seconds = { CHILD_SECONDS, CHILD_SECONDS };
	struct passwd *pw = getpwuid(uid);

	if (uid == 0)
		return err_set("mail is never delivered as root");
	if (pw != NULL ? initgroups(pw->pw_name, gid) : setgroups(0, NULL))
		return err_set("groups of uid %u: %m", uid);
	if (setgid(gid) != 0 || setuid(uid) != 0)
		return err_set("becoming uid %u: %m", uid);
	must(geteuid() == uid && getegid() == gid);
	(void)setrlimit(RLIMIT_CPU, &seconds);
	umask(077);
	return chdir("/") == 0 ? 0 : err_set("chdir: %m");
}

static _Noreturn void
child_main(struct carrying *c)
{
	(void)alarm(CHILD_SECONDS);	/* a home that hangs */
	if (become(c->place.uid, c->place.gid) != 0 ||
	    core_run_all(1, carry, c) != 0) {
		reply_trouble(c->reply_to, EPERM, err_text());
		_exit(1);
	}
	_exit(0);
}

/* ---- the porter ---- */

static int
place_look_up(const struct config *conf, struct str mailbox, struct arena *a,
    struct mailbox_place *place)
{
	struct route r = route_find(conf, STR_NONE, mailbox);

	if (r.kind != ROUTE_LOCAL)
		return err_set("'" STR_FMT "' has no mailbox here",
		    STR_ARG(mailbox));
	return place_find(conf, &r, UINT32_MAX, UINT32_MAX, a, place);
}

/* How many children it took: 1 or 0. */
static unsigned
request_serve(const struct config *conf, const struct porter_request *q,
    int message, int reply_to)
{
	struct carrying c = { .hostname = conf->hostname, .message = message,
		.reply_to = reply_to, .size = q->size };
	struct arena a;
	pid_t pid = -1;

	arena_init(&a, 64 * 1024);
	if (place_look_up(conf, (struct str){ q->mailbox, q->length }, &a,
	    &c.place) != 0)
		reply_trouble(reply_to, ENOENT, err_text());
	else if ((pid = fork()) == 0)
		child_main(&c);
	else if (pid < 0)
		reply_trouble(reply_to, EAGAIN, "fork failed");
	err_clear();
	arena_clear(&a);
	return pid > 0;
}

static bool
request_is_sound(const struct porter_request *q, unsigned n_fds)
{
	return n_fds == 2 && q->magic == PORTER_MAGIC &&
	    q->version == PORTER_VERSION && q->length > 0 &&
	    q->length <= PORTER_MAILBOX;
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

static _Noreturn void
porter_main(const struct config *conf, int socket)
{
	struct porter_request q;
	unsigned children = 0, n_fds;
	int fds[2], rc;

	socket = descriptors_shed(socket);
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

/* Mailboxes of other uids are written by root alone. */
static bool
porter_is_needed(void)
{
	return geteuid() == 0;
}

int
porter_restart(struct porter_process *p, const struct config *conf)
{
	pid_t master = getpid();
	int pair[2];

	porter_stop(p);
	if (!porter_is_needed())
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set("socketpair: %m");
	p->pid = fork();
	if (p->pid == 0) {
		sigset_t none;

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != master)
			_exit(0);
		signal_ignore_all();
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		porter_main(conf, pair[1]);
	}
	close(pair[1]);
	if (p->pid < 0) {
		close(pair[0]);
		p->pid = 0;
		return err_set("fork: %m");
	}
	p->fd = pair[0];
	return 1;
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
