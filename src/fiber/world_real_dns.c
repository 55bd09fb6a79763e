/*
 * The real DNS: a libunbound context per core and setup, on the core's loop.
 *
 * libunbound is given an event base of ours: its descriptors stand in an epoll
 * of the resolver, which is watched as one descriptor by the core's, and its
 * timers are the core's.  So it runs without threads, and because queries are
 * begun by a timer too, always on the loop's stack and never on a fiber's.
 *
 * The life of a resolver:
 *
 *	TESTING		resolver_open()		forwarders are asked for the
 *						root's NS; jobs wait
 *	VALIDATING	test_done(), or at	answers may be secure
 *			once without forwarders
 *	PLAIN		test_done()		forwarders do not do DNSSEC:
 *						nothing is secure; tested again
 *	RETIRED		a job with a new setup	no new jobs; closed when idle
 */
#include "base/err.h"
#include "fiber/core.h"
#include "fiber/world.h"
#include "fiber/world_real.h"

#include "base/must.h"
#include "fiber/dns_job.h"
#include "fiber/dns_packet.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/time.h>
#include <unbound.h>
#include <unbound-event.h>
#include <unistd.h>

enum { CLASS_IN = 1, TYPE_NS = 2, ADDRESS_TEXT = 80, PASSES = 64 };

#define TEST_NS (5 * NS_PER_SECOND)
#define TEST_AGAIN_MOST_NS (600 * NS_PER_SECOND)
#define ANCHOR "/usr/share/dns/root.key"

enum resolver_state { TESTING, VALIDATING, PLAIN };

struct resolver {
	struct ub_event_base base;	/* first: libunbound knows us by it */
	struct real_watch watch;	/* our epoll, in the core's */
	struct core_timer more;		/* the epoll has more than one pass */
	struct core_timer begin;	/* start what waits; end what retired */
	struct core_timer test;		/* it takes too long, or is due again */
	struct resolver *next;		/* retired ones of this core */
	struct dns_setup *setup;
	enum resolver_state state;
	struct ub_ctx *secure, *plain;	/* NULL: not open */
	struct list waiting;		/* jobs not begun */
	struct list questions;		/* begun */
	int64_t test_again_ns;		/* doubles from TEST_NS on */
	bool is_retired, has_told;
};

struct question {
	struct link link;
	struct resolver *resolver;
	struct dns_job *job;		/* NULL: cancelled, or a test */
	struct ub_ctx *tested;		/* NULL: not a test */
};

struct event {
	struct ub_event event;		/* first */
	struct core_timer timer;
	struct resolver *resolver;
	int fd;
	short bits;
	bool is_watched;
	void (*cb)(int, short, void *);
	void *arg;
};

static struct { struct resolver *now, *retired; } resolvers[CORES_MOST];

/* ---- libunbound's events ---- */

static struct event *
event_of(struct ub_event *e)
{
	return OWNER_OF(e, struct event, event);
}

static uint32_t
event_epoll_bits(const struct event *e)
{
	return (e->bits & UB_EV_READ ? (uint32_t)EPOLLIN : 0) |
	    (e->bits & UB_EV_WRITE ? (uint32_t)EPOLLOUT : 0);
}

static void
event_add_bits(struct ub_event *ev, short bits)
{
	event_of(ev)->bits = (short)(event_of(ev)->bits | bits);
}

static void
event_del_bits(struct ub_event *ev, short bits)
{
	event_of(ev)->bits = (short)(event_of(ev)->bits & ~bits);
}

static void
event_set_fd(struct ub_event *ev, int fd)
{
	event_of(ev)->fd = fd;
}

static int
event_del(struct ub_event *ev)
{
	struct event *e = event_of(ev);

	core_timer_cancel(&e->timer);
	if (e->is_watched)
		(void)epoll_ctl(e->resolver->watch.fd, EPOLL_CTL_DEL, e->fd,
		    NULL);
	e->is_watched = false;
	return 0;
}

static int
event_arm(struct event *e, const struct timeval *after)
{
	if (after == NULL)
		return 0;
	return core_timer_set(&e->timer, mono_add(world_mono(),
	    (int64_t)after->tv_sec * NS_PER_SECOND +
	    (int64_t)after->tv_usec * NS_PER_US));
}

static int
event_add(struct ub_event *ev, struct timeval *after)
{
	struct event *e = event_of(ev);
	struct epoll_event want = { .events = event_epoll_bits(e),
		.data.ptr = e };

	(void)event_del(ev);
	if (e->fd >= 0 && want.events != 0) {
		if (epoll_ctl(e->resolver->watch.fd, EPOLL_CTL_ADD, e->fd,
		    &want) != 0)
			return -1;
		e->is_watched = true;
	}
	return event_arm(e, e->bits & UB_EV_TIMEOUT ? after : NULL);
}

static int
event_add_timer(struct ub_event *ev, struct ub_event_base *base,
    void (*cb)(int, short, void *), void *arg, struct timeval *after)
{
	struct event *e = event_of(ev);

	(void)base;
	e->cb = cb;
	e->arg = arg;
	return event_arm(e, after);
}

static int
event_del_timer(struct ub_event *ev)
{
	core_timer_cancel(&event_of(ev)->timer);
	return 0;
}

static void
event_free(struct ub_event *ev)
{
	(void)event_del(ev);
	free(event_of(ev));
}

static int
event_no_signal(struct ub_event *ev, struct timeval *after)
{
	(void)ev;
	(void)after;
	return -1;
}

static int
event_no_signal_del(struct ub_event *ev)
{
	(void)ev;
	return -1;
}

static void
event_no_wsaevent(struct ub_event *ev)
{
	(void)ev;
}

static void
event_no_wouldblock(struct ub_event *ev, int bit)
{
	(void)ev;
	(void)bit;
}

static struct ub_event_vmt event_verbs = {
	.add_bits = event_add_bits, .del_bits = event_del_bits,
	.set_fd = event_set_fd, .free = event_free, .add = event_add,
	.del = event_del, .add_timer = event_add_timer,
	.del_timer = event_del_timer, .add_signal = event_no_signal,
	.del_signal = event_no_signal_del,
	.winsock_unregister_wsaevent = event_no_wsaevent,
	.winsock_tcp_wouldblock = event_no_wouldblock,
};

static void
event_late(struct core_timer *t)
{
	struct event *e = OWNER_OF(t, struct event, timer);

	e->cb(e->fd, UB_EV_TIMEOUT, e->arg);
}

static struct ub_event *
base_new_event(struct ub_event_base *base, int fd, short bits,
    void (*cb)(int, short, void *), void *arg)
{
	struct event *e = calloc(1, sizeof *e);

	if (e == NULL)
		return NULL;
	*e = (struct event){ .event = { UB_EVENT_MAGIC, &event_verbs },
		.timer.fire = event_late, .fd = fd, .bits = bits, .cb = cb,
		.arg = arg, .resolver = OWNER_OF(base, struct resolver, base) };
	return &e->event;
}

static void
base_free(struct ub_event_base *base)
{
	(void)base;
}

static int
base_dispatch(struct ub_event_base *base)
{
	(void)base;
	return 0;
}

static int
base_loopexit(struct ub_event_base *base, struct timeval *after)
{
	(void)base;
	(void)after;
	return 0;
}

static struct ub_event *
base_no_signal(struct ub_event_base *base, int fd,
    void (*cb)(int, short, void *), void *arg)
{
	(void)base;
	(void)fd;
	(void)cb;
	(void)arg;
	return NULL;
}

static struct ub_event *
base_no_wsaevent(struct ub_event_base *base, void *event,
    void (*cb)(int, short, void *), void *arg)
{
	(void)base;
	(void)event;
	(void)cb;
	(void)arg;
	return NULL;
}

static struct ub_event_base_vmt base_verbs = {
	.free = base_free, .dispatch = base_dispatch,
	.loopexit = base_loopexit, .new_event = base_new_event,
	.new_signal = base_no_signal,
	.winsock_register_wsaevent = base_no_wsaevent,
};

/* One event at a time, because each may end others.  False: none is ready. */
static bool
resolver_poll(struct resolver *r)
{
	struct epoll_event is;
	struct event *e;
	short bits;

	if (epoll_wait(r->watch.fd, &is, 1, 0) != 1)
		return false;
	e = is.data.ptr;
	bits = (short)((is.events & (EPOLLIN | EPOLLERR | EPOLLHUP) ?
	    UB_EV_READ : 0) | (is.events & (EPOLLOUT | EPOLLERR | EPOLLHUP) ?
	    UB_EV_WRITE : 0));
	bits = (short)(bits & e->bits);
	if (bits != 0)
		e->cb(e->fd, bits, e->arg);
	return true;
}

static void
resolver_more(struct core_timer *t)
{
	struct resolver *r = OWNER_OF(t, struct resolver, more);
	int passes = 0;

	while (passes < PASSES && resolver_poll(r))
		passes++;
	if (passes == PASSES)
		(void)core_timer_set(&r->more, world_mono());
}

static void
resolver_ready(struct real_watch *w, uint32_t events)
{
	(void)events;
	resolver_more(&OWNER_OF(w, struct resolver, watch)->more);
}

/* ---- contexts ---- */

static int
context_forward(struct ub_ctx *ctx, const struct dns_config *c)
{
	char text[ADDRESS_TEXT];
	int rc = 0;

	for (size_t i = 0; i < c->n_forwarders && rc == 0; i++)
		rc = str_cstr(c->forwarders[i], text, sizeof text) ?
		    ub_ctx_set_fwd(ctx, text) : UB_SYNTAX;
	return rc;
}

static int
context_options(struct ub_ctx *ctx, const char *const list[], size_t n)
{
	int rc = 0;

	must(n % 2 == 0);
	for (size_t i = 0; i < n && rc == 0; i += 2)
		rc = ub_ctx_set_option(ctx, list[i], list[i + 1]);
	return rc;
}

/* Forwarders and roots of one's own know what 127/8, 10/8 and the like are where
 * they serve. */
static int
context_set_private(struct ub_ctx *ctx)
{
	static const char *const options[] = {
		"do-not-query-localhost:", "no", "unblock-lan-zones:", "yes",
		"insecure-lan-zones:", "yes",
	};

	return context_options(ctx, options, sizeof options / sizeof *options);
}

static int
context_set_up(struct ub_ctx *ctx, const struct dns_config *c, bool validates)
{
	bool is_private = c->n_forwarders > 0 || c->hints_file != NULL;
	int rc = ub_ctx_debugout(ctx, NULL);

	if (rc == 0)
		rc = context_forward(ctx, c);
	if (rc == 0 && is_private)
		rc = context_set_private(ctx);
	if (rc == 0 && c->n_forwarders == 0)
		rc = ub_ctx_set_option(ctx, "use-caps-for-id:", "yes");
	if (rc == 0 && c->n_forwarders == 0 && c->hints_file != NULL)
		rc = ub_ctx_set_option(ctx, "root-hints:", c->hints_file);
	if (rc == 0)
		rc = ub_ctx_set_option(ctx, "outgoing-range:", "128");
	if (rc == 0 && validates)
		rc = ub_ctx_add_ta_file(ctx,
		    c->anchor_file != NULL ? c->anchor_file : ANCHOR);
	/* last, for it makes the rest final: who serves there knows RFC 6761's
	 * names, too */
	if (rc == 0 && is_private)
		rc = ub_ctx_zone_remove(ctx, "test.");
	return rc;
}

static struct ub_ctx *
context_open(struct resolver *r, bool validates)
{
	struct ub_ctx *ctx = ub_ctx_create_ub_event(&r->base);

	if (ctx != NULL && context_set_up(ctx, &r->setup->config,
	    validates) != 0) {
		ub_ctx_delete(ctx);
		ctx = NULL;
	}
	return ctx;
}

static void
context_close(struct ub_ctx **ctx)
{
	if (*ctx != NULL)
		ub_ctx_delete(*ctx);
	*ctx = NULL;
}

/* ---- answers ---- */

static void
job_fill(struct dns_job *j, int rcode, struct str packet, int sec,
    const char *why)
{
	struct dns_answer *out = &j->answer;

	*out = (struct dns_answer){ .status = DNS_TROUBLE };
	if (rcode == 3 && packet.p == NULL) {
		out->status = DNS_NO_NAME;
		out->secure = sec == 2;
	} else if (sec == 1) {
		snprintf(j->why, sizeof j->why, "bogus: %s",
		    why == NULL ? "no reason told" : why);
	} else if (rcode != 0 || packet.p == NULL) {
		snprintf(j->why, sizeof j->why, "%s", rcode == 2 ? "SERVFAIL" :
		    "the resolver failed");
	} else if (dns_packet_read(packet, j->name, j->type, j->arena,
	    out) != 0) {
		out->status = DNS_TROUBLE;
		snprintf(j->why, sizeof j->why, "%s", err_text());
	} else
		out->secure = sec == 2;
}

static void
job_fail(struct dns_job *j, const char *why)
{
	j->answer = (struct dns_answer){ .status = DNS_TROUBLE };
	snprintf(j->why, sizeof j->why, "%s", why);
	j->of_world = NULL;
	dns_job_done(j);
}

static void
question_end(struct question *q)
{
	struct resolver *r = q->resolver;

	list_remove(&q->link);
	free(q);
	if (r->is_retired)
		(void)core_timer_set(&r->begin, world_mono());
}

static void resolver_tested(struct resolver *, struct ub_ctx *, bool is_good);

/* Called by libunbound, on the loop. */
static void
question_answered(void *arg, int rcode, void *packet, int n, int sec,
    char *why, int was_limited)
{
	struct question *q = arg;
	struct dns_job *j = q->job;

	(void)was_limited;
	if (q->tested != NULL)
		resolver_tested(q->resolver, q->tested, rcode == 0 && sec == 2);
	if (j != NULL) {
		job_fill(j, rcode, packet != NULL && n > 0 ? (struct str){
		    packet, (size_t)n } : STR_NONE, sec, why);
		j->of_world = NULL;
		dns_job_done(j);
	}
	question_end(q);
}

static struct question *
question_new(struct resolver *r, struct dns_job *j, struct ub_ctx *tested)
{
	struct question *q = calloc(1, sizeof *q);

	if (q == NULL)
		return NULL;
	*q = (struct question){ .resolver = r, .job = j, .tested = tested };
	list_append(&r->questions, &q->link);
	return q;
}

/* ---- the test of forwarders ---- */

static void
resolver_tell(struct resolver *r, const char *text)
{
	if (dns_tell != NULL && !r->has_told)
		dns_tell(text);
	r->has_told = true;
}

static void
resolver_begin_soon(struct resolver *r)
{
	(void)core_timer_set(&r->begin, world_mono());
}

static void
resolver_test_later(struct resolver *r)
{
	(void)core_timer_set(&r->test, mono_add(world_mono(),
	    r->test_again_ns));
	r->test_again_ns *= 2;
	if (r->test_again_ns > TEST_AGAIN_MOST_NS)
		r->test_again_ns = TEST_AGAIN_MOST_NS;
}

static void
resolver_plain(struct resolver *r)
{
	r->state = PLAIN;
	resolver_tell(r, r->setup->config.n_forwarders > 0 ?
	    "the resolvers do not do DNSSEC: no answer is secure, DANE is off" :
	    "no trust anchor: no answer is secure, DANE is off");
	resolver_test_later(r);
	resolver_begin_soon(r);
}

/* The context that failed stays open, for libunbound runs in it just now; the
 * next test closes it. */
static void
resolver_tested(struct resolver *r, struct ub_ctx *tested, bool is_good)
{
	if (tested != r->secure || r->state == VALIDATING)
		return;
	if (!is_good) {
		if (r->state == TESTING)
			resolver_plain(r);
		return;
	}
	core_timer_cancel(&r->test);
	r->state = VALIDATING;
	r->has_told = false;
	resolver_begin_soon(r);
}

static void
resolver_test(struct resolver *r)
{
	struct question *q;
	int id;

	if (list_is_empty(&r->questions))
		context_close(&r->secure);
	if (r->secure == NULL)
		r->secure = context_open(r, true);
	q = r->secure == NULL ? NULL : question_new(r, NULL, r->secure);
	if (q != NULL && ub_resolve_event(r->secure, ".", TYPE_NS, CLASS_IN, q,
	    question_answered, &id) == 0)
		return;
	if (q != NULL)
		question_end(q);
	resolver_plain(r);
}

static void
resolver_test_due(struct core_timer *t)
{
	struct resolver *r = OWNER_OF(t, struct resolver, test);

	if (r->state == TESTING) {
		resolver_plain(r);		/* it takes too long */
	} else if (r->state == PLAIN && !r->is_retired) {
		resolver_test_later(r);
		resolver_test(r);
	}
}

/* ---- resolvers ---- */

static void
resolver_close(struct resolver *r)
{
	struct link *l;

	context_close(&r->secure);
	context_close(&r->plain);
	while ((l = list_pop(&r->questions)) != NULL) {
		struct question *q = OWNER_OF(l, struct question, link);

		must(q->job == NULL);
		free(q);
	}
	must(list_is_empty(&r->waiting));
	core_timer_cancel(&r->more);
	core_timer_cancel(&r->begin);
	core_timer_cancel(&r->test);
	if (r->watch.fd >= 0)
		(void)close(r->watch.fd);
	dns_setup_drop(r->setup);
	free(r);
}

static void
resolver_begin_one(struct resolver *r, struct dns_job *j)
{
	struct ub_ctx *ctx = r->state == VALIDATING ? r->secure : r->plain;
	struct question *q = ctx == NULL ? NULL : question_new(r, j, NULL);
	char name[DNS_NAME_MOST + 1];
	int rc, id;

	must(str_cstr(j->name, name, sizeof name));
	if (q == NULL) {
		job_fail(j, "the resolver could not be set up");
		return;
	}
	j->of_world = q;
	rc = ub_resolve_event(ctx, j->name.n == 0 ? "." : name, (int)j->type,
	    CLASS_IN, q, question_answered, &id);
	if (rc != 0) {
		job_fail(j, ub_strerror(rc));
		question_end(q);
	}
}

static void
resolver_unlist(struct resolver *r)
{
	struct resolver **at = &resolvers[core_index()].retired;

	while (*at != r)
		at = &(*at)->next;
	*at = r->next;
}

/* Own recursion needs no test, only the anchor. */
static void
resolver_first(struct resolver *r)
{
	const struct dns_config *c = &r->setup->config;

	if (c->n_forwarders > 0) {
		if (r->secure == NULL)
			resolver_test(r);
		return;
	}
	core_timer_cancel(&r->test);
	if (access(c->anchor_file != NULL ? c->anchor_file : ANCHOR, R_OK) == 0)
		r->secure = context_open(r, true);
	if (r->secure != NULL)
		r->state = VALIDATING;
	else
		resolver_plain(r);
}

static void
resolver_begin(struct core_timer *t)
{
	struct resolver *r = OWNER_OF(t, struct resolver, begin);
	struct link *l;

	if (r->is_retired && list_is_empty(&r->questions) &&
	    list_is_empty(&r->waiting)) {
		resolver_unlist(r);
		resolver_close(r);
		return;
	}
	if (r->state == TESTING)
		resolver_first(r);
	if (r->state == TESTING)
		return;
	if (r->state == PLAIN && r->plain == NULL)
		r->plain = context_open(r, false);
	while ((l = list_pop(&r->waiting)) != NULL)
		resolver_begin_one(r, OWNER_OF(l, struct dns_job, link));
}

static struct resolver *
resolver_open(struct dns_setup *setup)
{
	struct resolver *r = calloc(1, sizeof *r);

	if (r == NULL)
		return NULL;
	r->base = (struct ub_event_base){ UB_EVENT_MAGIC, &base_verbs };
	r->watch.ready = resolver_ready;
	r->test_again_ns = TEST_NS;
	r->more.fire = resolver_more;
	r->begin.fire = resolver_begin;
	r->test.fire = resolver_test_due;
	list_init(&r->waiting);
	list_init(&r->questions);
	dns_setup_again(setup);
	r->setup = setup;
	r->watch.fd = epoll_create1(EPOLL_CLOEXEC);
	if (r->watch.fd < 0 || real_watch_add(&r->watch, EPOLLIN) != 0 ||
	    core_timer_set(&r->test, mono_add(world_mono(), TEST_NS)) != 0) {
		resolver_close(r);
		return NULL;
	}
	return r;
}

static void
resolver_retire(struct resolver *r)
{
	unsigned core = core_index();

	r->is_retired = true;
	r->next = resolvers[core].retired;
	resolvers[core].retired = r;
	resolver_begin_soon(r);
}

int
world_dns_start(struct dns_job *j)
{
	unsigned core = core_index();
	struct resolver *r = resolvers[core].now;

	if (r != NULL && r->setup != j->setup) {
		resolver_retire(r);
		r = resolvers[core].now = NULL;
	}
	if (r == NULL)
		r = resolvers[core].now = resolver_open(j->setup);
	if (r == NULL)
		return -ENOMEM;
	list_append(&r->waiting, &j->link);
	j->of_world = NULL;
	resolver_begin_soon(r);
	return 0;
}

void
world_dns_cancel(struct dns_job *j)
{
	struct question *q = j->of_world;

	list_remove(&j->link);
	if (q != NULL)
		q->job = NULL;
}

void
real_dns_close(void)
{
	unsigned core = core_index();
	struct resolver *r;

	if (resolvers[core].now != NULL)
		resolver_close(resolvers[core].now);
	resolvers[core].now = NULL;
	while ((r = resolvers[core].retired) != NULL) {
		resolvers[core].retired = r->next;
		resolver_close(r);
	}
}
