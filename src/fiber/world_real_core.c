#include "fiber/core.h"
#include "fiber/world.h"
#include "fiber/world_real.h"

#include "base/must.h"

#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

enum { REAL_EVENTS = 128, REAL_STACK = 1024 * 1024 };

struct world_core {
	int epoll;
	struct real_watch kick;		/* an eventfd that is never read: each
					 * write to it is an edge */
};

/* ---- time and chance ---- */

static int64_t
real_clock_ns(clockid_t id)
{
	struct timespec t;
	int rc = clock_gettime(id, &t);

	must(rc == 0);
	return (int64_t)t.tv_sec * NS_PER_SECOND + t.tv_nsec;
}

struct mono
world_mono(void)
{
	return (struct mono){ real_clock_ns(CLOCK_MONOTONIC) };
}

struct wall
world_wall(void)
{
	return (struct wall){ real_clock_ns(CLOCK_REALTIME) / NS_PER_US };
}

void
world_random(void *to, size_t n)
{
	char *p = to;
	ssize_t got;

	while (n > 0) {
		got = getrandom(p, n, 0);
		must(got > 0 || errno == EINTR);
		if (got > 0) {
			p += got;
			n -= (size_t)got;
		}
	}
}

/* ---- threads ---- */

int
real_thread_start(const char *name, void *(*fn)(void *), void *arg,
    unsigned long *out)
{
	pthread_attr_t attr;
	pthread_t thread;
	sigset_t all, before;
	int rc;

	sigfillset(&all);
	must(pthread_attr_init(&attr) == 0);
	must(pthread_attr_setstacksize(&attr, REAL_STACK) == 0);
	must(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
	rc = pthread_create(&thread, &attr, fn, arg);
	must(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
	must(pthread_attr_destroy(&attr) == 0);
	if (rc != 0)
		return -rc;
	(void)pthread_setname_np(thread, name);
	*out = thread;
	return 0;
}

void
real_thread_join(unsigned long thread)
{
	int rc = pthread_join(thread, NULL);

	must(rc == 0);
}

/* Asked once: it does not change while a server runs. */
unsigned
world_descriptors(void)
{
	static atomic_uint known;
	unsigned n = atomic_load(&known);
	struct rlimit limit;

	if (n == 0) {
		n = getrlimit(RLIMIT_NOFILE, &limit) != 0 ? 1024 :
		    limit.rlim_cur > INT_MAX ? INT_MAX :
		    (unsigned)limit.rlim_cur;
		atomic_store(&known, n);
	}
	return n;
}

/* ---- readiness ---- */

int
real_watch_add(struct real_watch *w, uint32_t events)
{
	struct world_core *c = core_world(core_current());
	struct epoll_event e = { .events = events | EPOLLET, .data.ptr = w };

	must(w->ready != NULL && w->fd >= 0);
	return epoll_ctl(c->epoll, EPOLL_CTL_ADD, w->fd, &e) == 0 ? 0 : -errno;
}

void
real_watch_remove(const struct real_watch *w)
{
	struct world_core *c = core_world(core_current());

	must(w->fd >= 0);
	(void)epoll_ctl(c->epoll, EPOLL_CTL_DEL, w->fd, NULL);
}

/* To the nanosecond where the kernel can (5.11); else rounded up to the next
 * millisecond, or a timer would be looked at too early again and again. */
static int
real_epoll_wait(int epoll, struct epoll_event *events, int64_t ns)
{
	static atomic_bool is_coarse;
	struct timespec t = { .tv_sec = (time_t)(ns / NS_PER_SECOND),
	    .tv_nsec = (long)(ns % NS_PER_SECOND) };
	int64_t ms;
	int n;

	if (ns <= 0)
		return epoll_wait(epoll, events, REAL_EVENTS, 0);
	if (ns == INT64_MAX)
		return epoll_wait(epoll, events, REAL_EVENTS, -1);
	if (!atomic_load(&is_coarse)) {
		n = epoll_pwait2(epoll, events, REAL_EVENTS, &t, NULL);
		if (n >= 0 || (errno != ENOSYS && errno != EPERM))
			return n;
		atomic_store(&is_coarse, true);
	}
	ms = ns / NS_PER_MS + (ns % NS_PER_MS != 0);
	return epoll_wait(epoll, events, REAL_EVENTS,
	    ms > INT_MAX ? INT_MAX : (int)ms);
}

static void
real_wait(struct world_core *c, struct mono until)
{
	struct epoll_event events[REAL_EVENTS];
	struct real_watch *w;
	int64_t ns = INT64_MAX;
	int n;

	if (until.ns <= 0)
		ns = 0;
	else if (until.ns != MONO_NEVER.ns)
		ns = until.ns - world_mono().ns;
	n = real_epoll_wait(c->epoll, events, ns);
	must(n >= 0 || errno == EINTR);
	for (int i = 0; i < n; i++) {
		w = events[i].data.ptr;
		w->ready(w, events[i].events);
	}
}

/* ---- cores ---- */

static void
real_kicked(struct real_watch *w, uint32_t events)
{
	(void)w;
	(void)events;
}

void
world_core_kick(struct world_core *c)
{
	uint64_t one = 1;
	int saved = errno;
	ssize_t n = write(c->kick.fd, &one, sizeof one);

	must(n == (ssize_t)sizeof one);
	errno = saved;
}

void
world_core_close(struct world_core *c)
{
	if (c->kick.fd >= 0)
		(void)close(c->kick.fd);
	if (c->epoll >= 0)
		(void)close(c->epoll);
	free(c);
}

struct world_core *
world_core_open(struct core *owner)
{
	struct world_core *c = calloc(1, sizeof *c);
	struct epoll_event e = { .events = EPOLLIN | EPOLLET };

	(void)owner;
	if (c == NULL)
		return NULL;
	c->epoll = epoll_create1(EPOLL_CLOEXEC);
	c->kick.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	c->kick.ready = real_kicked;
	e.data.ptr = &c->kick;
	if (c->epoll >= 0 && c->kick.fd >= 0 &&
	    epoll_ctl(c->epoll, EPOLL_CTL_ADD, c->kick.fd, &e) == 0)
		return c;
	world_core_close(c);
	return NULL;
}

/* No core runs before all can: one that is missing would keep the others. */
struct real_gate {
	pthread_mutex_t lock;
	pthread_cond_t moved;
	enum { GATE_SHUT, GATE_OPEN, GATE_OFF } state;
};

struct real_start { struct real_gate *gate; struct core *core; };

static bool
real_gate_pass(struct real_gate *g)
{
	bool may;

	pthread_mutex_lock(&g->lock);
	while (g->state == GATE_SHUT)
		pthread_cond_wait(&g->moved, &g->lock);
	may = g->state == GATE_OPEN;
	pthread_mutex_unlock(&g->lock);
	return may;
}

static void
real_gate_set(struct real_gate *g, bool may)
{
	pthread_mutex_lock(&g->lock);
	must(g->state == GATE_SHUT);
	g->state = may ? GATE_OPEN : GATE_OFF;
	pthread_cond_broadcast(&g->moved);
	pthread_mutex_unlock(&g->lock);
}

static void *
real_core_main(void *arg)
{
	struct real_start *s = arg;
	struct core *c = s->core;

	if (!real_gate_pass(s->gate))
		return NULL;
	core_enter(c);
	while (core_turn(c))
		real_wait(core_world(c), core_next(c));
	real_dns_close();
	core_enter(NULL);
	return NULL;
}

int
world_cores_run(unsigned n, struct core *const cores[])
{
	struct real_gate gate = { PTHREAD_MUTEX_INITIALIZER,
	    PTHREAD_COND_INITIALIZER, GATE_SHUT };
	struct real_start starts[CORES_MOST];
	unsigned long threads[CORES_MOST];
	unsigned started = 0;
	int rc = 0;

	must(n >= 1 && n <= CORES_MOST);
	for (unsigned i = 0; i < n; i++)
		starts[i] = (struct real_start){ &gate, cores[i] };
	while (started + 1 < n && rc == 0) {
		rc = real_thread_start("core", real_core_main,
		    &starts[started + 1], &threads[started]);
		if (rc == 0)
			started++;
	}
	real_gate_set(&gate, rc == 0);
	(void)real_core_main(&starts[0]);
	for (unsigned i = 0; i < started; i++)
		real_thread_join(threads[i]);
	return rc;
}
