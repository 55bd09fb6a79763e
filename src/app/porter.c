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
 * nobody when the child dies: the closed socket tells the worker.
 */
#include "app/porter.h"

#include "base/err.h"
#include "base/must.h"
#include "deliver/maildir.h"
#include "deliver/porter_wire.h"
#include "fiber/core.h"
#include "fiber/disk.h"
#include "policy/place.h"

#include <errno.h>
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
#include <unistd.h>

enum { CHILD_SECONDS = 60 };

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
	prctl(PR_SET_PDEATHSIG, SIGKILL);
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

static void
request_serve(const struct config *conf, const struct porter_request *q,
    int message, int reply_to)
{
	struct carrying c = { .hostname = conf->hostname, .message = message,
		.reply_to = reply_to, .size = q->size };
	struct arena a;
	pid_t pid;

	arena_init(&a, 64 * 1024);
	if (place_look_up(conf, (struct str){ q->mailbox, q->length }, &a,
	    &c.place) != 0)
		reply_trouble(reply_to, ENOENT, err_text());
	else if ((pid = fork()) == 0)
		child_main(&c);
	else if (pid < 0)
		reply_trouble(reply_to, EAGAIN, "fork failed");
	arena_clear(&a);
}

static bool
request_is_sound(const struct porter_request *q, ssize_t got,
    const int fds[2])
{
	return got == (ssize_t)sizeof *q && q->magic == PORTER_MAGIC &&
	    q->version == PORTER_VERSION && q->length > 0 &&
	    q->length <= PORTER_MAILBOX && fds[0] >= 0 && fds[1] >= 0;
}

union two_fds {
	char bytes[CMSG_SPACE(2 * sizeof(int))];
	struct cmsghdr align;
};

static ssize_t
request_receive(int socket, struct porter_request *q, int fds[2])
{
	union two_fds room;
	struct iovec v = { q, sizeof *q };
	struct msghdr m = { .msg_iov = &v, .msg_iovlen = 1,
		.msg_control = room.bytes, .msg_controllen = sizeof room.bytes };
	ssize_t got = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = got > 0 ? CMSG_FIRSTHDR(&m) : NULL;

	fds[0] = fds[1] = -1;
	if (c != NULL && c->cmsg_level == SOL_SOCKET &&
	    c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(2 * sizeof(int)))
		memcpy(fds, CMSG_DATA(c), 2 * sizeof(int));
	return got;
}

static void
children_wait(unsigned *children, unsigned most)
{
	while (*children > 0) {
		int flags = *children >= most ? 0 : WNOHANG;
		pid_t pid = waitpid(-1, NULL, flags);

		if (pid <= 0)
			return;
		--*children;
	}
}

static _Noreturn void
porter_main(const struct config *conf, int socket)
{
	struct porter_request q;
	unsigned children = 0;
	int fds[2];
	ssize_t got;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	signal_ignore_all();
	for (;;) {
		got = request_receive(socket, &q, fds);
		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			_exit(0);	/* nobody is left to ask */
		children_wait(&children, PORTER_CHILDREN);
		if (request_is_sound(&q, got, fds)) {
			request_serve(conf, &q, fds[0], fds[1]);
			children++;
		}
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
	int pair[2];

	porter_stop(p);
	if (!porter_is_needed())
		return 0;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) != 0)
		return err_set("socketpair: %m");
	p->pid = fork();
	if (p->pid == 0) {
		sigset_t none;

		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		close(pair[0]);
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
