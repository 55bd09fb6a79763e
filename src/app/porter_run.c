/*
 * The life of a command:
 *
 *	STARTED  command_start   its exec succeeded: the pipe that would have told
 *	                         otherwise was closed by it
 *	FED      pump_feed       the message goes in, as fast as it is read; who
 *	                         reads no further is not asked to
 *	HEARD    pump_hear       its words come out; what is too many is dropped
 *	ENDED    pump_turn       its pidfd says so: words that stand in the pipe
 *	                         are taken, no more are waited for
 *	KILLED   pump_kill       time is up, or who asked is gone: its group was
 *	                         killed
 */
#include "app/porter_run.h"

#include "base/err.h"
#include "base/must.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CHUNK = 2048, FILES_AT_FIRST = 1024 };

/* The three pipes: [0] is read from, [1] written to. */
struct command {
	pid_t pid;
	int in[2], out[2], failed[2];
	int pidfd;
};

struct pump {
	const struct porter_run *run;
	struct command *command;
	struct porter_reply *reply;
	int in, out;			/* ours; -1: closed */
	uint64_t at;			/* read of the message */
	size_t from, to;		/* of chunk: not yet written */
	char chunk[CHUNK];
};

void
porter_reply_trouble(struct porter_reply *r, int error, const char *text)
{
	*r = (struct porter_reply){ .magic = PORTER_MAGIC,
		.version = PORTER_VERSION, .end = PORTER_TROUBLE,
		.status = (uint16_t)error };
	r->length = (uint16_t)strnlen(text, sizeof r->text);
	memcpy(r->text, text, r->length);
}

static void
close_one(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* ---- the command's side ---- */

static void
signals_default(void)
{
	struct sigaction by_default = { .sa_handler = SIG_DFL };
	sigset_t none;

	for (int i = 1; i < NSIG; i++)
		(void)sigaction(i, &by_default, NULL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

/* Programs that use select(2) rely on small numbers. */
static void
limits_default(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) != 0)
		return;
	if (files.rlim_cur > FILES_AT_FIRST)
		files.rlim_cur = FILES_AT_FIRST;
	(void)setrlimit(RLIMIT_NOFILE, &files);
}

/* 0, 1 and 2 are the pipes, 3 tells that there is no program: exec closes it. */
static int
descriptors_take(const struct command *c)
{
	enum { FAILED = 3 };

	if (dup2(c->in[0], 0) != 0 || dup2(c->out[1], 1) != 1 ||
	    dup2(c->out[1], 2) != 2)
		return -1;
	if (c->failed[1] != FAILED && dup3(c->failed[1], FAILED,
	    O_CLOEXEC) != FAILED)
		return -1;
	return close_range(FAILED + 1, ~0u, 0);
}

static _Noreturn void
command_main(const struct porter_run *run, const struct command *c)
{
	int error;

	(void)setsid();
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	signals_default();
	limits_default();
	if (descriptors_take(c) == 0) {
		if (run->home == NULL || chdir(run->home) != 0)
			(void)!chdir("/");
		(void)execve(run->argv[0],
		    (char *const *)(uintptr_t)run->argv,
		    (char *const *)(uintptr_t)run->environ);
	}
	error = errno;
	(void)!write(3, &error, sizeof error);
	_exit(127);
}

/* ---- starting ---- */

/* 0, 1 and 2 are taken in every child of the porter, so that no pipe is. */
static int
pipes_open(struct command *c)
{
	*c = (struct command){ .in = { -1, -1 }, .out = { -1, -1 },
		.failed = { -1, -1 }, .pidfd = -1 };
	return pipe2(c->in, O_CLOEXEC) | pipe2(c->out, O_CLOEXEC) |
	    pipe2(c->failed, O_CLOEXEC);
}

static void
command_close(struct command *c)
{
	for (int i = 0; i < 2; i++) {
		close_one(&c->in[i]);
		close_one(&c->out[i]);
		close_one(&c->failed[i]);
	}
	close_one(&c->pidfd);
}

static int
command_reap(const struct command *c)
{
	int status = 0;

	while (waitpid(c->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* 0, or the errno that kept it from starting. */
static int
command_start(struct command *c, const struct porter_run *run)
{
	int error = 0;
	ssize_t n;

	if (pipes_open(c) != 0 || (c->pid = fork()) < 0)
		return errno;
	if (c->pid == 0)
		command_main(run, c);
	close_one(&c->in[0]);
	close_one(&c->out[1]);
	close_one(&c->failed[1]);
	do
		n = read(c->failed[0], &error, sizeof error);
	while (n < 0 && errno == EINTR);
	c->pidfd = (int)syscall(SYS_pidfd_open, c->pid, 0);
	if (n == 0 && c->pidfd >= 0)
		return 0;
	if (n == 0) {
		error = errno;
		(void)kill(-c->pid, SIGKILL);
	}
	(void)command_reap(c);
	return error != 0 ? error : EIO;
}

/* ---- what goes in and comes out ---- */

/* The spool's bodies hold no CR but before LF, so dropping CR is enough. */
static size_t
lines_end_in_lf(char *p, size_t n)
{
	size_t to = 0;

	for (size_t i = 0; i < n; i++)
		if (p[i] != '\r')
			p[to++] = p[i];
	return to;
}

/* -1: the message could not be read. */
static int
chunk_fill(struct pump *p)
{
	while (p->from == p->to && p->at < p->run->size) {
		uint64_t left = p->run->size - p->at;
		ssize_t n = pread(p->run->message, p->chunk,
		    left < CHUNK ? (size_t)left : CHUNK, (off_t)p->at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return -1;
		p->at += (uint64_t)n;
		p->from = 0;
		p->to = lines_end_in_lf(p->chunk, (size_t)n);
	}
	return 0;
}

static int
pump_feed(struct pump *p)
{
	ssize_t n;

	if (chunk_fill(p) != 0)
		return -1;
	if (p->from == p->to) {			/* all of it */
		close_one(&p->in);
		return 0;
	}
	n = write(p->in, p->chunk + p->from, p->to - p->from);
	if (n > 0)
		p->from += (size_t)n;
	else if (n < 0 && errno != EAGAIN && errno != EINTR)
		close_one(&p->in);		/* it reads no further */
	return 0;
}

/* False: there are none just now, or none any more. */
static bool
pump_hear(struct pump *p)
{
	struct porter_reply *r = p->reply;
	char words[CHUNK];
	ssize_t n = read(p->out, words, sizeof words);
	size_t room = sizeof r->text - r->length;

	if (n == 0)
		close_one(&p->out);
	if (n <= 0)
		return false;
	if (room > (size_t)n)
		room = (size_t)n;
	memcpy(r->text + r->length, words, room);
	r->length = (uint16_t)(r->length + room);
	return true;
}

/* ---- until the end ---- */

static int64_t
now_ms(void)
{
	struct timespec t;

	must(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
pump_end(struct pump *p, enum porter_end end, int status)
{
	p->reply->end = (uint16_t)end;
	p->reply->status = (uint16_t)status;
}

static void
pump_ended(struct pump *p)
{
	int status = command_reap(p->command);

	for (int i = 0; i < 16 && p->out >= 0 && pump_hear(p); i++)
		continue;
	if (WIFEXITED(status))
		pump_end(p, PORTER_EXITED, WEXITSTATUS(status));
	else
		pump_end(p, PORTER_KILLED, WTERMSIG(status));
}

static void
pump_kill(struct pump *p)
{
	(void)kill(-p->command->pid, SIGKILL);
	(void)command_reap(p->command);
}

static bool
pump_overtime(struct pump *p)
{
	pump_kill(p);
	pump_end(p, PORTER_OVERTIME, 0);
	return false;
}

/* False: it is over, and the reply says how. */
static bool
pump_turn(struct pump *p, int64_t until_ms)
{
	struct pollfd fds[4] = { { p->in, POLLOUT, 0 }, { p->out, POLLIN, 0 },
		{ p->command->pidfd, POLLIN, 0 }, { p->run->asker, 0, 0 } };
	int64_t left = until_ms - now_ms();

	if (left <= 0)
		return pump_overtime(p);
	if (poll(fds, 4, left < 60000 ? (int)left : 60000) <= 0)
		return true;
	if (fds[2].revents != 0) {
		pump_ended(p);
		return false;
	}
	if (fds[3].revents != 0)
		return pump_overtime(p);
	if (fds[1].revents != 0)
		(void)pump_hear(p);
	if (fds[0].revents != 0 && pump_feed(p) != 0) {
		pump_kill(p);
		porter_reply_trouble(p->reply, EIO, "the message ends early");
		return false;
	}
	return true;
}

static void
pump_run(struct pump *p)
{
	int64_t until_ms = now_ms() + p->run->most_ms;

	(void)fcntl(p->in, F_SETFL, O_NONBLOCK);
	(void)fcntl(p->out, F_SETFL, O_NONBLOCK);
	while (pump_turn(p, until_ms))
		continue;
	close_one(&p->in);
	close_one(&p->out);
}

void
porter_run(const struct porter_run *run, struct porter_reply *reply)
{
	struct command c;
	struct pump p = { .run = run, .command = &c, .reply = reply };
	int error = command_start(&c, run);

	*reply = (struct porter_reply){ .magic = PORTER_MAGIC,
		.version = PORTER_VERSION };
	if (error != 0) {
		errno = error;
		err_set("%s cannot be started: %m", run->argv[0]);
		porter_reply_trouble(reply, error, err_text());
	} else {
		p.in = c.in[1];
		p.out = c.out[0];
		c.in[1] = c.out[0] = -1;
		pump_run(&p);
	}
	command_close(&c);
}
