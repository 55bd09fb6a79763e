/*
 * The life of a worker, as master sees it:
 *
 *	STARTING   worker_start     forked, recovering
 *	SERVING    NOTICE_READY     accepts mail
 *	STOPPING   master_stop      drains; killed when it takes too long
 *	DEAD       SIGCHLD          replaced after a pause, or the end
 *
 * and of a reload: WANTED (SIGHUP or the worker asks) -> files read and checked
 * -> CONFIG, LISTENER ..., CONFIG_END sent -> RELOADED: old doors are closed;
 * or REFUSED: new doors are closed.  Meanwhile further wishes wait, and are one.
 * A worker that dies in between takes the reload with it: the next one starts
 * with what was in force, since the new may be what killed it.
 */
#include "app/master.h"

#include "app/bundle.h"
#include "app/control_socket.h"
#include "app/death.h"
#include "app/doors.h"
#include "app/keyring.h"
#include "app/keyring_link.h"
#include "app/notice.h"
#include "app/porter.h"
#include "app/pulse.h"
#include "app/reading.h"
#include "app/rights.h"
#include "app/signals.h"
#include "app/systemd.h"
#include "app/worker.h"
#include "base/err.h"
#include "base/poison.h"
#include "cli/files.h"
#include "policy/holder.h"
#include "policy/secrets.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

enum { STOP_GRACE_S = 5, TELL_S = 5, PORTER_PAUSE_MS = 1000, KEYRING_REST_MS = 1000,
	WATCH_MS = 20000 };

struct master {
	const struct master_options *options;
	struct config *config;		/* in force */
	struct config *next;		/* sent, not yet confirmed */
	unsigned cores, generation;
	struct doors doors;
	struct systemd_sockets given;
	int signal_fd, notice_fd;
	struct control_socket control, submit;
	struct porter_process porter;
	struct porter_process porter_next;	/* of the configuration sent */
	struct keyring_process keyring;	/* not yet given to the worker */
	pid_t keyring_pid;		/* of the one that the worker asks */
	uint64_t tls_seen;		/* what the files of tls looked like */
	int64_t watch_ms;		/* when to look again */
	int64_t keyring_ms;		/* when to start the next; 0: not */
	struct poison_table *poison;
	pid_t worker;
	int64_t started_ms, kill_ms;	/* kill_ms: 0: no worker is to die */
	int64_t start_ms;		/* when to start the next; 0: not */
	int64_t porter_ms;		/* when to start the next porter; 0: not */
	struct backoff worker_backoff, keyring_backoff, porter_backoff;
	int64_t keyring_started_ms, porter_started_ms;
	struct death_text last_end;	/* of a worker; "": none ended */
	struct pulse pulse;
	uint32_t wish;			/* the worker's last wish to reload */
	bool was_ready, is_serving, is_stopping, reload_wanted;
	int status;			/* what to exit with */
};

static int64_t
now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void
say(const char *what)
{
	fprintf(stderr, "nightmail: master: %s%s%s\n", what,
	    err_text()[0] != '\0' ? ": " : "", err_text());
	err_clear();
}

/* ---- to the worker ---- */

static int
notice_give(struct master *m, enum notice_kind kind, uint32_t number,
    struct str text, int fd)
{
	struct notice n = notice_make(kind, number, text);

	n.fd = fd;
	if (m->notice_fd < 0)
		return err_set("no worker listens");
	return notice_send(m->notice_fd, &n);
}

/* What is no part of a longer talk. */
static void
notice_tell(struct master *m, enum notice_kind kind, uint32_t number,
    struct str text, int fd)
{
	if (m->notice_fd >= 0 && notice_give(m, kind, number, text, fd) != 0)
		say("the worker does not listen");
}

/* ---- the worker ---- */

static _Noreturn void
worker_child(struct master *m, int notice_fd, pid_t master)
{
	struct worker_setup setup = {
		.config = m->config, .doors = &m->doors,
		.control_fd = m->control.fd, .submit_fd = m->submit.fd,
		.notice_fd = notice_fd,
		.porter_fd = m->porter.fd, .keyring = &m->keyring,
		.cores = m->cores,
		.restarts = m->worker_backoff.deaths,
		.last_end = m->last_end.text,
		.is_caged = m->options->is_caged,
	};

	close(m->signal_fd);
	systemd_close(&m->given);
	signals_free();
	if (rights_drop(m->config) != 0) {
		say("cannot shed rights");
		_exit(EX_NOPERM);
	}
	/* prctl(2): another uid forgets it, so it comes after. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != master)
		_exit(EX_OSERR);
	_exit(worker_main(&setup));
}

/* 1: a new one is there. */
static int
porter_begin(struct master *m)
{
	int rc = porter_start(&m->porter, m->config, m->next);

	m->porter_ms = 0;
	m->porter_started_ms = now_ms();
	if (rc < 0) {
		say("starting the porter");
		m->porter_ms = m->porter_started_ms + PORTER_PAUSE_MS;
	}
	return rc;
}

/* Who signs logs in nowhere: the passwords of both configurations are not its. */
static int
keyring_part(void *arg, const struct config *c)
{
	struct master *m = arg;
	int rc = rights_drop(c);

	rights_forget_environment();
	secrets_forget(m->config);
	if (m->next != NULL)
		secrets_forget(m->next);
	return rc;
}

static int
keyring_make(struct master *m, const struct config *c)
{
	m->tls_seen = keyring_look(c);
	m->keyring_started_ms = now_ms();
	keyring_let_go(&m->keyring);
	if (keyring_start(&m->keyring, c, m->cores, keyring_part, m,
	    m->options->is_caged) != 0)
		return -1;
	return 0;
}

static int
worker_start(struct master *m)
{
	pid_t master = getpid();
	int pair[2];

	m->start_ms = 0;
	if (m->porter.pid == 0)		/* a worker keeps what it begins with */
		(void)porter_begin(m);
	if ((m->keyring.pid == 0 && keyring_make(m, m->config) != 0) ||
	    notice_pair(pair, TELL_S) != 0)	/* else it stops us */
		return -1;
	m->worker = fork();
	if (m->worker == 0) {
		close(pair[0]);
		worker_child(m, pair[1], master);
	}
	close(pair[1]);
	if (m->worker < 0) {
		m->worker = 0;
		close(pair[0]);
		return err_set("fork: %m");
	}
	m->notice_fd = pair[0];
	m->keyring_pid = m->keyring.pid;
	keyring_let_go(&m->keyring);
	m->started_ms = now_ms();
	return 0;
}

static void
worker_restart_later(struct master *m)
{
	int64_t now = now_ms();
	int64_t pause = backoff_after(&m->worker_backoff, now - m->started_ms);

	m->start_ms = now + pause;
	fprintf(stderr, "nightmail: master: another worker starts in %lld ms\n",
	    (long long)pause);
	systemd_tell("STATUS=the worker %s; another starts", m->last_end.text);
}

/* The end of a reload, whichever, too. */
static void
serving_tell(void)
{
	systemd_tell("READY=1\nSTATUS=accepting mail");
}

static void
reload_abandon(struct master *m)
{
	if (m->next == NULL)
		return;
	fprintf(stderr, "nightmail: master: the configuration in force "
	    "stays\n");
	doors_undo(&m->doors);
	keyring_let_go(&m->keyring);
	if (m->porter_next.fd >= 0 && m->porter.fd >= 0)
		notice_tell(m, NOTICE_PORTER, 0, STR_NONE, m->porter.fd);
	porter_stop(&m->porter_next);
	config_release(m->next);
	m->next = NULL;
	m->tls_seen = keyring_look(m->config);	/* the other had other files */
	serving_tell();
}

static void
poison_settle(struct master *m, int wait_status)
{
	unsigned held;

	if (!death_was_its_own(wait_status)) {
		memset(m->poison->working, 0, sizeof m->poison->working);
		return;
	}
	held = poison_count(m->poison);
	if (held > 0)
		fprintf(stderr, "nightmail: master: %u message%s at which "
		    "workers died twice will be held\n", held,
		    held == 1 ? "" : "s");
}

static void
notice_close(struct master *m)
{
	if (m->notice_fd >= 0)
		close(m->notice_fd);
	m->notice_fd = -1;
}

static void
worker_died(struct master *m, int wait_status)
{
	int code = WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : -1;

	m->worker = 0;
	m->kill_ms = 0;
	m->wish = 0;
	m->is_serving = false;
	notice_close(m);
	reload_abandon(m);
	if (m->is_stopping && code == 0)
		return;
	m->last_end = death_text(wait_status);
	fprintf(stderr, "nightmail: master: the worker %s\n",
	    m->last_end.text);
	poison_settle(m, wait_status);
	if (m->is_stopping)
		m->status = code > 0 ? code : EX_SOFTWARE;
	else if (code == EX_CONFIG || (code >= 0 && !m->was_ready)) {
		m->is_stopping = true;	/* it would only end so again */
		m->status = code;
	} else
		worker_restart_later(m);
}

/* When the next of the two is to start. */
static int64_t
helper_died(const char *who, int wait_status, struct backoff *b,
    int64_t started_ms)
{
	int64_t now = now_ms(), pause = backoff_after(b, now - started_ms);

	fprintf(stderr, "nightmail: master: the %s %s; another starts in "
	    "%lld ms\n", who, death_text(wait_status).text, (long long)pause);
	return now + pause;
}

static void
children_reap(struct master *m)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid == m->worker)
			worker_died(m, status);
		else if (pid == m->porter.pid) {
			porter_died(&m->porter);
			m->porter_ms = helper_died("porter", status,
			    &m->porter_backoff, m->porter_started_ms);
		} else if (pid == m->porter_next.pid) {
			porter_died(&m->porter_next);
		} else if (pid == m->keyring_pid) {
			m->keyring_pid = 0;
			if (m->worker == 0 || m->is_stopping || status == 0)
				continue;	/* the worker's end was its */
			m->keyring_ms = helper_died("keyring", status,
			    &m->keyring_backoff, m->keyring_started_ms);
		}
	}
}

/* ---- reload ---- */

/* The worker takes it up; handshakes that began with the old one end with it. */
static void
keyring_send(struct master *m)
{
	if (m->keyring.pid == 0)
		return;
	for (unsigned i = 0; i < m->keyring.n; i++)
		notice_tell(m, NOTICE_KEYRING, i, STR_NONE, m->keyring.fds[i]);
	notice_tell(m, NOTICE_CERTIFICATES, 0, STR_NONE, m->keyring.public_fd);
	m->keyring_pid = m->keyring.pid;
	keyring_let_go(&m->keyring);
}

/* Without one no handshake succeeds. */
static void
keyring_replace(struct master *m)
{
	m->keyring_ms = 0;
	if (keyring_make(m, m->config) != 0) {
		say("starting the keyring");
		m->keyring_ms = now_ms() + PORTER_PAUSE_MS;
	} else
		keyring_send(m);
}

static void
porter_replace(struct master *m)
{
	porter_stop(&m->porter);
	if (porter_begin(m) > 0)
		notice_tell(m, NOTICE_PORTER, 0, STR_NONE, m->porter.fd);
}

static void
reload_refuse(struct master *m, struct str why)
{
	int fd = reading_as_file(why);

	fprintf(stderr, STR_FMT "nightmail: master: reload refused; the "
	    "configuration in force stays\n", STR_ARG(why));
	notice_tell(m, NOTICE_RELOAD_FAILED, m->wish, str_sub(why, 0,
	    NOTICE_TEXT), fd);
	if (fd >= 0)
		close(fd);
}

static int
doors_send(struct master *m)
{
	for (size_t i = 0; i < m->doors.n; i++) {
		const struct door *d = &m->doors.list[i];
		struct door_name name = door_name(&d->at);

		if (!d->is_new)
			continue;
		for (unsigned k = 0; k < d->n_fds; k++)
			if (notice_give(m, NOTICE_LISTENER, k,
			    str_of(name.text), d->fds[k]) != 0)
				return -1;
	}
	return 0;
}

static int
bundle_send(struct master *m, int fd)
{
	m->generation++;
	if (notice_give(m, NOTICE_CONFIG, m->wish, m->options->config, fd) != 0
	    || doors_send(m) != 0)
		return -1;
	if (m->porter_next.fd >= 0 && notice_give(m, NOTICE_PORTER, 1,
	    STR_NONE, m->porter_next.fd) != 0)
		return -1;
	return notice_give(m, NOTICE_CONFIG_END, m->generation, STR_NONE, -1);
}

/* Why is in the trail, or has been said in *text. */
static int
reload_check(struct master *m, const struct source_memory *recorded,
    struct str *text, struct arena *a)
{
	if (!bundle_is_bare(m->config, m->next))
		return bundle_pack(recorded, a);
	*text = arena_join(a, m->options->config, STR(": nothing is set in it; "
	    "if that is meant, restart the server\n"));
	return -1;
}

/* What was read and is sound, for the worker; or -1, and it is refused. */
static int
reload_read(struct master *m, struct arena *a)
{
	struct source_memory recorded;
	struct str text = STR_NONE;
	int fd;

	source_record(&recorded, a, &files_source);
	m->next = reading_config(&recorded.source, m->options->config, &text, a);
	fd = m->next == NULL ? -1 : reload_check(m, &recorded, &text, a);
	if (fd >= 0)
		return fd;
	if (text.n == 0)
		text = arena_printf(a, "%s\n", err_text());
	err_clear();
	reload_refuse(m, text);
	if (m->next != NULL)
		config_release(m->next);	/* no door was opened for it */
	m->next = NULL;
	return -1;
}

/* Who is forked here finds nothing of what was read but the configurations, which
 * it forgets. */
static void
reload_send(struct master *m, int fd)
{
	char room[1024];
	struct buf text = BUF_OF(room);

	if ((keyring_look(m->next) == m->tls_seen ||
	    keyring_make(m, m->next) == 0) &&
	    porter_start(&m->porter_next, m->next, m->config) >= 0 &&
	    doors_open(&m->doors, m->next, m->cores) == 0 &&
	    bundle_send(m, fd) == 0)
		return;
	buf_printf(&text, "%.1000s\n", err_text());
	err_clear();
	reload_refuse(m, buf_str(&text));
	reload_abandon(m);
}

static void
reload_begin(struct master *m)
{
	struct arena a;
	int fd;

	m->reload_wanted = false;
	systemd_tell_reloading();
	arena_init_wiped(&a, CONFIG_MOST);
	fd = reload_read(m, &a);
	arena_clear(&a);
	if (fd >= 0) {
		reload_send(m, fd);
		close(fd);
	}
	if (m->next == NULL)		/* else the worker is at it */
		serving_tell();
}

static void
reload_done(struct master *m)
{
	config_release(m->config);
	m->config = m->next;
	m->next = NULL;
	doors_prune(&m->doors);
	keyring_send(m);
	porter_stop(&m->porter);	/* it does not know the new mailboxes */
	m->porter = m->porter_next;
	m->porter_next = PORTER_NONE;
	m->porter_started_ms = now_ms();
	m->porter_ms = m->porter.pid == 0 ? m->porter_started_ms : 0;
	serving_tell();
}

/* ---- the loop ---- */

static void
master_stop(struct master *m)
{
	if (!m->is_stopping)
		systemd_tell("STOPPING=1");
	m->is_stopping = true;
	m->start_ms = 0;
	doors_close(&m->doors);		/* who comes now is refused, and knows */
	if (m->worker == 0)
		return;
	notice_tell(m, NOTICE_STOP, 0, STR_NONE, -1);
	if (m->kill_ms == 0)
		m->kill_ms = now_ms() + m->config->timeouts.stop / 1000000 +
		    STOP_GRACE_S * 1000;
}

/* A worker that asks without end has no fork without end. */
static void
keyring_want(struct master *m)
{
	int64_t now = now_ms(), rested = m->keyring_started_ms + KEYRING_REST_MS;

	m->keyring_ms = now < rested ? rested : now;
}

/* One that hangs is ended, and its death tells the rest.  A line that ended is
 * mostly its death, which is told in a moment; else it lives, and the cores need
 * new lines.  A word about the one before is too late. */
static void
keyring_lost_take(struct master *m, bool hangs)
{
	int64_t now = now_ms();

	if (m->keyring_pid == 0 || m->keyring_ms != 0)
		return;
	if (!hangs)
		m->keyring_ms = now + KEYRING_REST_MS;
	else if (now - m->keyring_started_ms >= KEYRING_HANGS * 1000) {
		say("the keyring answers nothing; killing it");
		kill(m->keyring_pid, SIGKILL);
	}
}

static void
notice_hear(struct master *m, const struct notice *n)
{
	bool is_ours = m->next != NULL && n->number == m->generation;

	if (n->kind == NOTICE_READY) {
		serving_tell();
		m->was_ready = m->is_serving = true;
	} else if (n->kind == NOTICE_ALIVE)
		pulse_heard(&m->pulse);
	else if (n->kind == NOTICE_RELOAD_WANTED) {
		m->reload_wanted = true;
		m->wish = n->number;
	} else if (n->kind == NOTICE_STOP_WANTED)
		master_stop(m);
	else if (n->kind == NOTICE_KEYRING_WANTED)
		keyring_want(m);
	else if (n->kind == NOTICE_KEYRING_LOST)
		keyring_lost_take(m, n->number != 0);
	else if (n->kind == NOTICE_RELOADED && is_ours)
		reload_done(m);
	else if (n->kind == NOTICE_REFUSED && is_ours) {
		fprintf(stderr, "nightmail: master: the worker kept its "
		    "configuration: " STR_FMT "\n", STR_ARG(notice_text(n)));
		reload_abandon(m);
	} else
		fprintf(stderr, "nightmail: master: odd notice %u\n", n->kind);
}

/* SIGCHLD tells the rest; one that hangs up and does not end is ended. */
static void
worker_hung_up(struct master *m)
{
	notice_close(m);
	if (m->kill_ms == 0)
		m->kill_ms = now_ms() + STOP_GRACE_S * 1000;
}

static void
notices_take(struct master *m)
{
	struct notice n;
	int rc = notice_receive(m->notice_fd, &n);

	if (rc == NOTICE_GONE) {
		worker_hung_up(m);
		return;
	}
	if (rc != 0) {
		say("worker");
		return;
	}
	if (n.fd >= 0)
		close(n.fd);		/* a worker has none to give */
	notice_hear(m, &n);
}

static void
signal_take(struct master *m)
{
	struct signalfd_siginfo s;

	if (read(m->signal_fd, &s, sizeof s) != sizeof s)
		return;
	if (s.ssi_signo == SIGCHLD)
		children_reap(m);
	else if (s.ssi_signo == SIGHUP)
		m->reload_wanted = true;
	else
		master_stop(m);
}

static int
wait_ms(const struct master *m)
{
	const int64_t times[] = { m->kill_ms, m->start_ms, m->porter_ms,
		m->keyring_ms, m->watch_ms, m->pulse.next_ms };
	int64_t next = INT64_MAX, left;

	for (size_t i = 0; i < sizeof times / sizeof *times; i++)
		if (times[i] != 0 && times[i] < next)
			next = times[i];
	if (next == INT64_MAX)
		return -1;
	left = next - now_ms();
	return left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
}

/* Who renews certificates need not tell us.  What is refused is not looked at
 * again until it changes. */
static void
certificates_watch(struct master *m, int64_t now)
{
	m->watch_ms = m->is_stopping ? 0 : now + WATCH_MS;
	if (m->next == NULL && !m->is_stopping &&
	    keyring_look(m->config) != m->tls_seen)
		m->reload_wanted = true;
}

static void
times_come(struct master *m)
{
	int64_t now = now_ms();

	if (m->kill_ms != 0 && now >= m->kill_ms && m->worker != 0) {
		say("the worker does not end; killing it");
		kill(m->worker, SIGKILL);
		m->kill_ms = INT64_MAX;
	}
	if (m->porter_ms != 0 && now >= m->porter_ms && !m->is_stopping)
		porter_replace(m);
	if (m->keyring_ms != 0 && now >= m->keyring_ms && !m->is_stopping)
		keyring_replace(m);
	if (m->watch_ms != 0 && now >= m->watch_ms)
		certificates_watch(m, now);
	if (m->pulse.next_ms != 0 && now >= m->pulse.next_ms &&
	    pulse_beat(&m->pulse, now, m->is_serving && !m->is_stopping))
		notice_tell(m, NOTICE_PULSE, 0, STR_NONE, -1);
	if (m->start_ms != 0 && now >= m->start_ms && worker_start(m) != 0) {
		say("starting a worker");
		worker_restart_later(m);
	}
}

static void
master_turn(struct master *m)
{
	struct pollfd p[2] = { { m->signal_fd, POLLIN, 0 },
		{ m->notice_fd, POLLIN, 0 } };

	/* While it stops, the porter's death is no reason to wake. */
	if (m->is_stopping)
		m->porter_ms = m->keyring_ms = m->watch_ms = 0;
	if (poll(p, m->notice_fd >= 0 ? 2 : 1, wait_ms(m)) < 0 && errno != EINTR)
		say("poll");
	if ((p[1].revents & (POLLIN | POLLHUP)) != 0 && m->notice_fd >= 0)
		notices_take(m);
	if ((p[0].revents & POLLIN) != 0)
		signal_take(m);
	if (m->reload_wanted && m->next == NULL && m->worker != 0 &&
	    m->was_ready && !m->is_stopping)
		reload_begin(m);
	times_come(m);
}

static int
poison_open(struct master *m)
{
	m->poison = mmap(NULL, POISON_BYTES, PROT_READ | PROT_WRITE,
	    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (m->poison == MAP_FAILED)
		return err_set("mmap: %m");
	poison_use(m->poison);
	return 0;
}

static int
config_first(struct master *m)
{
	struct arena a;
	struct str text = STR_NONE;

	arena_init_wiped(&a, 1 << 20);
	m->config = reading_config(&files_source, m->options->config, &text, &a);
	if (text.n > 0)
		fprintf(stderr, STR_FMT, STR_ARG(text));
	arena_clear(&a);
	if (m->config == NULL)
		return EX_CONFIG;
	m->cores = reading_cores(m->config);
	return 0;
}

/* Everything that can fail for reasons the operator can mend. */
static int
master_open(struct master *m)
{
	int rc;

	systemd_shed_others();
	rc = config_first(m);
	rights_take_descriptors();
	if (rc != 0)
		return rc;
	if (systemd_take(&m->given) != 0) {
		say("cannot listen");
		return EX_CONFIG;
	}
	m->doors.given = &m->given;
	if (doors_open(&m->doors, m->config, m->cores) != 0 ||
	    control_socket_open(&m->control, m->config) != 0 ||
	    submit_socket_open(&m->submit, m->config) != 0) {
		say("cannot listen");
		control_socket_close(&m->control);
		return EX_UNAVAILABLE;
	}
	if (keyring_make(m, m->config) != 0) {
		say("cannot start");
		control_socket_close(&m->control);
		control_socket_close(&m->submit);
		return EX_CONFIG;
	}
	signal_ignore_all();
	m->signal_fd = signals_read();
	if (m->signal_fd < 0 || poison_open(m) != 0 || worker_start(m) != 0) {
		say("cannot start");
		control_socket_close(&m->control);
		control_socket_close(&m->submit);
		return EX_OSERR;
	}
	return 0;
}

int
master_run(const struct master_options *options)
{
	static struct master m;

	m = (struct master){ .options = options, .notice_fd = -1,
		.porter = PORTER_NONE, .porter_next = PORTER_NONE,
		.keyring = KEYRING_NONE, .control.fd = -1,
		.watch_ms = now_ms() + WATCH_MS, .submit.fd = -1 };
	pulse_init(&m.pulse, now_ms());
	m.status = master_open(&m);
	if (m.status != 0)
		return m.status;
	while (!m.is_stopping || m.worker != 0)
		master_turn(&m);
	porter_stop(&m.porter);
	control_socket_close(&m.control);
	control_socket_close(&m.submit);
	systemd_tell("STATUS=stopped");
	return m.status;
}
