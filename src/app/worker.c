#include "app/worker.h"

#include "app/acme_control.h"
#include "app/allowance.h"
#include "app/bundle.h"
#include "app/cage.h"
#include "app/credentials.h"
#include "app/dkim_control.h"
#include "app/dns_known.h"
#include "app/dns_watch.h"
#include "app/log.h"
#include "app/logins.h"
#include "app/node.h"
#include "app/notice.h"
#include "app/reading.h"
#include "app/report_control.h"
#include "base/err.h"
#include "deliver/delivery.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/fetch.h"
#include "fiber/offload.h"
#include "http/control.h"
#include "queue/handoff.h"
#include "spool/fault.h"

#include <fcntl.h>
#include <grp.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

/* A door that master sent during a reload, until a core adopts it. */
struct sent_door {
	char name[sizeof(struct door_name)];
	unsigned core;
	int fd;
};

struct worker {
	const struct worker_setup *setup;
	struct doors doors;		/* from the fork, until cores adopt them */
	struct node node;
	struct node_setup node_setup;
	struct log_place *place;
	struct log logs[CORES_MOST];
	int local_fds[CORES_MOST];	/* of submit.socket, until adopted */
	struct credentials credentials;
	struct dns_watch dns_watch;
	struct logins logins;
	struct control control;		/* the HTTP side of the socket */
	struct lane *ear;		/* waits for master's notices */
	struct notice heard;
	int heard_rc;
	int bundle_fd;			/* of a reload under way; -1: none */
	int porter_fd;			/* the same: the porter's that comes */
	struct str config_path;
	char config_path_text[NOTICE_TEXT];
	size_t n_sent;
	struct sent_door sent[DOORS_MOST * CORES_MOST];
	struct fiber *reload_waiter;	/* a control request that waits */
	uint32_t wish;			/* its number; they are counted */
	uint32_t answering;		/* the wish that the one under way heeds */
	char *reload_text;		/* what came of it */
	bool reload_ok, ear_is_closed;
	bool _Atomic has_failed;	/* to start, and said so */
};

/* ---- doors ---- */

static int
door_from_sent(struct worker *w, const char *name, unsigned core)
{
	for (size_t i = 0; i < w->n_sent; i++)
		if (w->sent[i].fd >= 0 && w->sent[i].core == core &&
		    strcmp(w->sent[i].name, name) == 0) {
			int fd = w->sent[i].fd;

			w->sent[i].fd = -1;
			return fd;
		}
	return -1;
}

/* The listener closes what it adopts.  A door that closes and opens again comes
 * from master again: nobody keeps it open meanwhile. */
static int
door_fd(void *arg, const struct address *at, unsigned core)
{
	struct worker *w = arg;
	struct door_name name = door_name(at);
	int fd = door_from_sent(w, name.text, core);

	for (size_t i = 0; fd < 0 && i < w->doors.n; i++) {
		struct door *d = &w->doors.list[i];

		if (strcmp(door_name(&d->at).text, name.text) == 0 &&
		    core < d->n_fds) {
			fd = d->fds[core];
			d->fds[core] = -1;
		}
	}
	return fd;
}

/* Each core listens at the same socket by a descriptor of its own. */
static int
local_fd(void *arg, unsigned core)
{
	struct worker *w = arg;
	int fd = w->local_fds[core];

	w->local_fds[core] = -1;
	return fd;
}

static int
local_fds_make(struct worker *w)
{
	int fd = w->setup->submit_fd;

	for (unsigned i = 0; i < CORES_MOST; i++)
		w->local_fds[i] = -1;
	for (unsigned i = 0; fd >= 0 && i < w->setup->cores; i++) {
		w->local_fds[i] = fcntl(fd, F_DUPFD_CLOEXEC, 0);
		if (w->local_fds[i] < 0)
			return err_set("submit.socket: %m");
	}
	if (fd >= 0)
		close(fd);
	return 0;
}

static void
sent_doors_close(struct worker *w)
{
	for (size_t i = 0; i < w->n_sent; i++)
		if (w->sent[i].fd >= 0)
			close(w->sent[i].fd);
	w->n_sent = 0;
}

static void
sent_door_keep(struct worker *w, const struct notice *n)
{
	struct sent_door *d;

	if (n->fd < 0)
		return;
	if (w->n_sent == sizeof w->sent / sizeof *w->sent) {
		close(n->fd);
		return;
	}
	d = &w->sent[w->n_sent++];
	*d = (struct sent_door){ .core = n->number, .fd = n->fd };
	(void)str_cstr(notice_text(n), d->name, sizeof d->name);
}

/* ---- reload ---- */

enum { LOG_PATIENCE_S = 5 };

static void
notice_give(struct worker *w, enum notice_kind kind, uint32_t number,
    struct str text)
{
	struct notice n = notice_make(kind, number, text);

	(void)notice_send(w->setup->notice_fd, &n);
}

static void
reload_tell(struct worker *w, bool ok, const char *text)
{
	struct event e = event_make(EVENT_reloaded, clock_wall(), 0);

	event_str(&e, FIELD_reason, ok ? STR("swapped") : STR("kept"));
	event_str(&e, FIELD_text, str_of(text));
	intake_tell(&w->node.cores[0].intake, &e);
	w->reload_ok = ok;
	free(w->reload_text);
	w->reload_text = strdup(text);
	if (w->answering < w->wish)
		return;			/* it asked later than this one began */
	fiber_wake(w->reload_waiter);
	w->reload_waiter = NULL;
}

/* ---- the log's new place ---- */

struct opening {
	struct log_place *place;
	const struct config *config;
};

static int
place_open(void *arg)
{
	struct opening *o = arg;

	return log_place_open(o->place, o->config);
}

struct log_moving {
	struct worker *worker;
	const struct log_place *to;
	bool is_used;			/* the old place, still */
};

static yields void
log_move_here(void *arg)
{
	struct log_moving *m = arg;

	if (log_move(&m->worker->logs[core_index()], m->to, mono_add(
	    clock_mono(), LOG_PATIENCE_S * NS_PER_SECOND)) != 0)
		m->is_used = true;
}

/* An old place that somebody still writes to stays open for ever. */
static yields void
logs_move(struct worker *w, struct log_place *to)
{
	struct log_moving m = { .worker = w, .to = to };

	for (unsigned i = 0; i < w->node_setup.cores; i++)
		if (core_call(i, log_move_here, &m) != 0)
			m.is_used = true;
	if (!m.is_used) {
		log_place_close(w->place);
		free(w->place);
	}
	w->place = to;
}

static yields void
log_reopen(struct worker *w, struct buf *say)
{
	struct config_holder *holder = &w->node.cores[0].holder;
	struct config *c = config_pin(holder);
	struct opening o = { malloc(sizeof *o.place), c };

	if (o.place != NULL && offload(place_open, &o) == 0)
		logs_move(w, o.place);
	else {
		buf_printf(say, "\nthe log stays where it was: %s", err_text());
		err_clear();
		free(o.place);
	}
	config_unpin(holder, c);
}

/* ---- the swap ---- */

static void
porter_adopt(struct worker *w, int fd)
{
	if (w->node_setup.porter_fd >= 0 && fd >= 0) {
		(void)dup2(fd, w->node_setup.porter_fd);
		close(fd);
	}
}

static void
porter_forget(struct worker *w)
{
	if (w->porter_fd >= 0)
		close(w->porter_fd);
	w->porter_fd = -1;
}

/* Who knows the new mailboxes is there before they are. */
static yields int
bundle_swap(struct worker *w, struct bundle *b)
{
	struct config_holder *holder = &w->node.cores[0].holder;
	struct config *old = config_pin(holder);
	int rc;

	bundle_init(b, w->bundle_fd, w->config_path, old);
	rc = offload(bundle_load, b);
	config_unpin(holder, old);
	if (rc == 0) {
		porter_adopt(w, w->porter_fd);
		w->porter_fd = -1;
		rc = node_reload(&w->node, b->config);
	}
	if (rc == 0)
		log_reopen(w, &b->say);
	return rc;
}

static yields void
reload_swap(struct worker *w, uint32_t generation)
{
	struct bundle *b = calloc(1, sizeof *b);
	int rc = b == NULL || w->bundle_fd < 0 ? err_set("no bundle came") :
	    bundle_swap(w, b);

	if (w->bundle_fd >= 0)
		close(w->bundle_fd);
	w->bundle_fd = -1;
	sent_doors_close(w);
	porter_forget(w);
	notice_give(w, rc == 0 ? NOTICE_RELOADED : NOTICE_REFUSED, generation,
	    rc == 0 ? STR_NONE : str_of(err_text()));
	reload_tell(w, rc == 0, rc == 0 ? b->room : err_text());
	free(b);
	err_clear();
	credentials_wake(&w->credentials);
	dns_watch_wake(&w->dns_watch);
}

static void
reload_refused(struct worker *w, const struct notice *n)
{
	struct arena a;
	struct str text = notice_text(n);
	const char *whole;

	arena_init(&a, 1 << 20);
	if (n->fd >= 0)
		(void)reading_from_file(n->fd, &a, &text);
	if (n->fd >= 0)
		close(n->fd);
	w->answering = n->number;
	whole = arena_cstr(&a, text);
	reload_tell(w, false, whole == NULL ? "refused" : whole);
	arena_clear(&a);
}

/* From the control socket: ask master, wait for what came of it. */
static yields int
reload_ask(void *arg, struct arena *a, struct str *text)
{
	struct worker *w = arg;

	while (w->reload_waiter != NULL)	/* one at a time */
		fiber_sleep(mono_add(clock_mono(), 10 * NS_PER_MS));
	w->reload_waiter = fiber_self();
	notice_give(w, NOTICE_RELOAD_WANTED, ++w->wish, STR_NONE);
	while (w->reload_waiter == fiber_self())
		(void)fiber_park(MONO_NEVER);
	*text = arena_copy(a, str_of(w->reload_text));
	return w->reload_ok ? 0 : -1;
}

/* ---- certificates ---- */

static int
tls_take(void *arg, struct node_core *core)
{
	struct worker *w = arg;

	core->intake.signer = dkim_signer_of(&w->credentials.dkim, core->index);
	return identity_take(&w->credentials.identity, core);
}

/* The keyring's store has what it will show when it begins anew. */
static void
certificate_kept(void *arg)
{
	struct worker *w = arg;

	notice_give(w, NOTICE_KEYRING_WANTED, 0, STR_NONE);
}

/* On any core. */
static void
keyring_tell_lost(void *arg, bool hangs)
{
	struct worker *w = arg;

	notice_give(w, NOTICE_KEYRING_LOST, hangs, STR_NONE);
}

static yields void
acme_visited(void *arg, struct node_core *core, struct net_end *end, bool is_tls)
{
	struct worker *w = arg;

	credentials_visit(&w->credentials, core, end, is_tls);
}

/* ---- the DNS of own domains ---- */

/* What is shown may change while the DNS is asked: these are references. */
static void
dns_facts_take(void *arg, struct arena *a, struct records_ask *ask)
{
	struct worker *w = arg;

	dns_known_certificates(&w->credentials.identity, a, ask);
	dns_known_keys(&w->credentials.dkim, a, ask);
}

/* ---- master's voice ---- */

static int
ear_listen(void *arg)
{
	struct worker *w = arg;

	w->heard_rc = notice_receive(w->setup->notice_fd, &w->heard);
	return 0;
}

static void
config_begin(struct worker *w, const struct notice *n)
{
	if (w->bundle_fd >= 0)
		close(w->bundle_fd);
	w->bundle_fd = n->fd;
	w->answering = n->number;
	sent_doors_close(w);		/* of one that was never ended */
	porter_forget(w);
	(void)str_cstr(notice_text(n), w->config_path_text,
	    sizeof w->config_path_text);
	w->config_path = str_of(w->config_path_text);
}

/* One descriptor number for the porter, whichever process it is; while there is
 * none, what answers nobody. */
static int
porter_place(int fd)
{
	return fd >= 0 ? fd : open("/dev/null", O_RDONLY | O_CLOEXEC);
}

static void
porter_take(struct worker *w, const struct notice *n)
{
	if (n->number == 0) {
		porter_adopt(w, n->fd);
		return;
	}
	porter_forget(w);
	w->porter_fd = n->fd;
}

/* ---- is every core with us? ---- */

static yields void
core_answers(void *arg)
{
	(void)arg;
}

/* A core that hangs keeps it waiting for ever, and then nothing is told. */
static yields void
pulse_run(void *arg)
{
	struct worker *w = arg;
	int rc = 0;

	for (unsigned i = 0; i < w->node_setup.cores; i++)
		rc |= core_call(i, core_answers, NULL);
	if (rc == 0)
		notice_give(w, NOTICE_ALIVE, 0, STR_NONE);
}

static void
pulse_take(struct worker *w)
{
	if (fiber_go("pulse", pulse_run, w) != 0)
		err_clear();		/* no memory: no pulse */
}

static yields void
notice_take(struct worker *w, const struct notice *n)
{
	switch ((enum notice_kind)n->kind) {
	case NOTICE_CONFIG:
		config_begin(w, n);
		break;
	case NOTICE_LISTENER:
		sent_door_keep(w, n);
		break;
	case NOTICE_CONFIG_END:
		reload_swap(w, n->number);
		break;
	case NOTICE_RELOAD_FAILED:
		reload_refused(w, n);
		break;
	case NOTICE_PORTER:
		porter_take(w, n);
		break;
	case NOTICE_KEYRING:
		credentials_line(&w->credentials, n->number, n->fd);
		break;
	case NOTICE_CERTIFICATES:
		credentials_renew(&w->credentials, n->fd);
		break;
	case NOTICE_STOP:
		node_stop(&w->node);
		break;
	case NOTICE_PULSE:
		pulse_take(w);
		break;
	case NOTICE_ALIVE:
	case NOTICE_READY:
	case NOTICE_RELOAD_WANTED:
	case NOTICE_RELOADED:
	case NOTICE_REFUSED:
	case NOTICE_STOP_WANTED:
	case NOTICE_KEYRING_WANTED:
	case NOTICE_KEYRING_LOST:
	case NOTICE_KINDS:
		if (n->fd >= 0)
			close(n->fd);
		break;
	}
}

static yields void
ear_run(void *arg)
{
	struct worker *w = arg;

	do {
		(void)lane_run(w->ear, ear_listen, w);
		if (w->heard_rc == NOTICE_GONE)		/* master is no more */
			w->heard.kind = NOTICE_STOP;
		if (w->heard_rc == 0)
			notice_take(w, &w->heard);
	} while (w->heard.kind != NOTICE_STOP);
	node_stop(&w->node);
	w->ear_is_closed = true;
}

/* ---- what the node asks of us ---- */

static struct event_sink *
sink_make(void *arg, unsigned core)
{
	struct worker *w = arg;
	struct log *l = &w->logs[core];

	if (log_open(l, w->place) != 0 || fiber_go("log", log_run, l) != 0) {
		fprintf(stderr, "nightmail: %s\n", err_text());
		_exit(EX_OSERR);
	}
	return &l->sink;
}

/* On the core that is meant: its queue was changed. */
static void
dispatcher_wake(void *arg, unsigned core)
{
	struct worker *w = arg;

	fiber_wake(w->node.cores[core].deliver->dispatcher);
}

struct cancelling {
	struct deliver *deliver;
	struct handoff handoff;
};

static yields void
cancel_run(void *arg)
{
	struct cancelling *c = arg;

	handoff_end(c->deliver, &c->handoff, DUTY_CANCEL);
	free(c);
}

static void
cancel_start(void *arg, unsigned core, const struct handoff *h)
{
	struct worker *w = arg;
	struct cancelling *c = calloc(1, sizeof *c);

	if (c != NULL)
		*c = (struct cancelling){ w->node.cores[core].deliver, *h };
	if (c != NULL && fiber_go("cancel", cancel_run, c) == 0)
		return;
	free(c);		/* no memory: the queue asks again shortly */
	(void)queue_settle(w->node.cores[core].deliver->queue, clock_mono(),
	    h->ref, (struct queue_result){ .end = QUEUE_PUT_OFF });
}

static void
stop_ask(void *arg)
{
	struct worker *w = arg;

	notice_give(w, NOTICE_STOP_WANTED, 0, STR_NONE);
}

static void
group_set(struct control_setup *s, const struct config *c)
{
	char name[64];
	struct group *g;

	if (!str_cstr(c->control.group, name, sizeof name) || name[0] == '\0')
		return;
	g = getgrnam(name);
	s->group_may = g != NULL;
}

static void
control_fill(struct worker *w)
{
	struct control_setup *s = &w->control.setup;

	s->n_cores = w->node_setup.cores;
	s->started_at = w->node.started_at;
	s->owner_uid = w->node_setup.own_uid;
	s->restarts = w->setup->restarts;
	s->last_end = w->setup->last_end;
	s->reload = reload_ask;
	s->stop = stop_ask;
	s->cancel = cancel_start;
	s->reports = report_control(w->node.reports);
	s->tls = acme_control(&w->credentials.acme);
	s->dkim = dkim_control(&w->credentials.dkim);
	s->dns = dns_watch_control(&w->dns_watch);
	s->arg = w;
	for (unsigned i = 0; i < s->n_cores; i++) {
		struct node_core *c = &w->node.cores[i];

		s->cores[i] = (struct control_core){ .intake = &c->intake,
			.holder = &c->holder, .queue = c->deliver->queue,
			.ready = c->deliver->ready, .spools = c->spools,
			.quotas = c->server.quotas,
			.sentinel = c->deliver->sentinel, .tls = c->deliver->tls,
			.login = w->node_setup.login,
			.wake = dispatcher_wake };
	}
}

/* Cores mostly fail alike: the first says it.  What the user may not do is known
 * only here, behind the cage. */
static void
failed(void *arg, const char *text)
{
	struct worker *w = arg;
	const struct config *c = w->setup->config;
	char path[1100];

	if (atomic_exchange(&w->has_failed, true))
		return;
	fprintf(stderr, "nightmail: the worker cannot start: %s\n", text);
	if (!str_cstr(c->spool.path, path, sizeof path) ||
	    access(path, R_OK | W_OK | X_OK) == 0)
		return;
	fprintf(stderr, "nightmail: spool.path must be a directory of who runs "
	    "the worker (uid %u): install -d -m 0700 -o %u -g %u %s\n",
	    w->node_setup.own_uid, w->node_setup.own_uid,
	    w->node_setup.own_gid, path);
}

static yields void
started(void *arg, struct node *n)
{
	struct worker *w = arg;

	w->ear = lane_open("master");
	if (w->ear == NULL || fiber_go("ear", ear_run, w) != 0) {
		node_stop(n);
		return;
	}
	if (credentials_open(&w->credentials, n, certificate_kept, w) != 0)
		fprintf(stderr, "nightmail: certificates: %s\n", err_text());
	if (dns_watch_open(&w->dns_watch, n, dns_facts_take, w) != 0)
		fprintf(stderr, "nightmail: dns: %s\n", err_text());
	control_fill(w);
	logins_tell(&w->logins, &n->cores[0].intake);
	if (w->setup->control_fd >= 0 &&
	    control_open(&w->control, w->setup->control_fd) != 0)
		fprintf(stderr, "nightmail: control: %s\n", err_text());
	notice_give(w, NOTICE_READY, (uint32_t)node_kept(n), STR_NONE);
}

/* The last word from master was STOP, or the node ends for reasons of its own:
 * then the lane still listens, and is woken by the end of the socket. */
static yields void
ear_close(struct worker *w)
{
	if (w->ear == NULL)
		return;
	if (!w->ear_is_closed)
		(void)shutdown(w->setup->notice_fd, SHUT_RDWR);
	while (!w->ear_is_closed)
		fiber_sleep(mono_add(clock_mono(), 5 * NS_PER_MS));
	lane_close(w->ear);
}

static yields void
leaving(void *arg, unsigned core)
{
	struct worker *w = arg;

	if (core != 0)
		return;
	if (control_close(&w->control) != 0)
		node_cut(&w->node.cores[core], "a command was still under way "
		    "when the time to stop was over; the spool will be checked "
		    "at start");
	dns_watch_close(&w->dns_watch);
	credentials_close(&w->credentials);
	ear_close(w);
}

static yields void
ended(void *arg, unsigned core)
{
	struct worker *w = arg;

	identity_leave(&w->credentials.identity, core);
	log_end(&w->logs[core]);
	log_close(&w->logs[core]);
}

/* For tests: NIGHTMAIL_FAULT=commit_after_write:eio:1 */
static void
faults_set(void)
{
	const char *spec = getenv("NIGHTMAIL_FAULT");

	if (spec != NULL && !fault_set(str_of(spec)))
		fprintf(stderr, "nightmail: NIGHTMAIL_FAULT: no such fault\n");
}

/* Where there is little memory, a crowd is told to come later before the kernel
 * ends us. */
static void
allowance_heed(struct node_setup *n)
{
	const struct config *c = n->config;
	uint64_t octets = allowance_read();
	struct allowance a = allowance_shares(octets);

	if (octets == UINT64_MAX)
		return;
	n->connections_most = a.connections;
	n->memory_most = a.memory;
	if (a.connections >= c->limits.connections &&
	    a.memory >= c->limits.memory)
		return;
	fprintf(stderr, "nightmail: there are %" PRIu64 " MiB of memory: at "
	    "most %" PRIu64 " clients at once (limits.connections: %" PRIu64
	    "), %" PRIu64 " MiB for sessions (limits.memory: %" PRIu64
	    " MiB)\n", octets >> 20, a.connections, c->limits.connections,
	    a.memory >> 20, c->limits.memory >> 20);
}

int
worker_main(const struct worker_setup *setup)
{
	static struct worker w;
	int rc;

	w = (struct worker){ .setup = setup, .bundle_fd = -1, .porter_fd = -1 };
	w.doors = *setup->doors;
	w.node_setup = (struct node_setup){ .config = setup->config,
		.cores = setup->cores, .door_fd = door_fd, .local_fd = local_fd, .sink = sink_make,
		.tls = tls_take,
		.acme = acme_visited, .login = &w.logins.login,
		.failed = failed, .started = started, .leaving = leaving, .ended = ended, .arg = &w,
		.porter_fd = porter_place(setup->porter_fd), .own_uid = geteuid(),
		.own_gid = getegid() };
	allowance_heed(&w.node_setup);
	credentials_init(&w.credentials, setup->cores,
	    setup->keyring->public_fd, setup->keyring->fds,
	    setup->config->tls.least, keyring_tell_lost, &w);
	tzset();		/* its files are out of reach behind the cage */
	faults_set();
	group_set(&w.control.setup, setup->config);
	logins_open(&w.logins, setup->config);
	w.place = malloc(sizeof *w.place);
	if (w.place == NULL || log_place_open(w.place, setup->config) != 0 ||
	    local_fds_make(&w) != 0 || fetch_prepare() != 0 ||
	    cage_enter(setup->config, setup->is_caged,
	    logins_have_database(&w.logins)) != 0) {
		fprintf(stderr, "nightmail: %s\n", err_text());
		return EX_OSERR;
	}
	rc = node_run(&w.node, &w.node_setup);
	logins_close(&w.logins, &w.node);
	log_place_close(w.place);
	free(w.place);
	return rc;
}
