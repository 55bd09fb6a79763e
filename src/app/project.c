#include "app/project.h"

#include "base/err.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "spool/record.h"
#include "spool/tlv.h"

enum { BATCH_RECORDS = 512, SYNC_S = 2, EXPIRE_S = 3600, TELL_S = 60 };

void
project_register(struct spool *s)
{
	spool_projection(s, PROJECTION_EVENTS);
}

/* Which of two marks is the later one: files may be ahead of the spool's. */
static struct tail_place
later(struct tail_place a, struct tail_place b)
{
	if (a.segment != b.segment)
		return a.segment > b.segment ? a : b;
	return a.offset > b.offset ? a : b;
}

yields int
project_open(struct project *p, struct spool *s, unsigned number,
    struct config_holder *holder, struct event_sink *sink)
{
	const struct config *c = config_now(holder);
	struct eventlog_mark m;
	struct arena a;
	int rc;

	*p = (struct project){ .spool = s, .holder = holder, .sink = sink };
	arena_init(&a, 8192);
	rc = eventlog_open(&p->log, arena_join(&a, c->spool.path,
	    STR("/events")), number, &m);
	arena_clear(&a);
	if (rc != 0) {
		eventlog_close(&p->log);
		return -1;
	}
	p->at = later(spool_place(s, PROJECTION_EVENTS),
	    (struct tail_place){ m.segment, m.offset });
	p->tail = tail_open(s, p->at, TAIL_OF(RECORD_EVENT));
	if (p->tail != NULL)
		return 0;
	eventlog_close(&p->log);
	return err_set("no memory for a tail");
}

static yields int
event_keep(struct project *p, const struct record *r)
{
	struct str payload = r->payload;
	struct tlv t;
	struct event e;

	if (tlv_next(&payload, &t) != TLV_VALUE || t.tag != TAG_EVENT ||
	    !event_decode(t.value, &e))
		return 0;		/* of a later version: not for us */
	return eventlog_append(&p->log, e.at, t.value);
}

/* 1: there may be more; 0: none now; -1. */
static yields int
batch_project(struct project *p)
{
	struct tail_place at = p->at;
	struct record r;
	unsigned n = 0;
	int rc = 1;

	while (n < BATCH_RECORDS && (rc = tail_next(p->tail, &r, &at)) == 1) {
		n++;
		if (event_keep(p, &r) != 0)
			return -1;
	}
	if (n > 0 && eventlog_commit(&p->log,
	    (struct eventlog_mark){ at.segment, at.offset }) != 0)
		return -1;
	p->at = at;
	return rc;
}

static yields int
mark(struct project *p)
{
	if (eventlog_sync(&p->log) != 0 ||
	    spool_mark(p->spool, PROJECTION_EVENTS, p->at) != 0)
		return -1;
	p->marked = p->at;
	return 0;
}

static void
complain(struct project *p)
{
	struct event e = event_make(EVENT_trouble, clock_wall(), 0);

	if (p->told.ns != 0 && mono_is_before(clock_mono(),
	    mono_add(p->told, TELL_S * NS_PER_SECOND)))
		return;
	p->told = clock_mono();
	event_str(&e, FIELD_text, str_of(err_text()));
	event_str(&e, FIELD_reason, STR("events"));
	p->sink->take(p->sink, &e);
	err_clear();
}

static yields void
expire(struct project *p)
{
	int64_t keep = config_now(p->holder)->retain.events;

	if (keep > 0)
		(void)eventlog_expire(p->log.directory,
		    wall_add(clock_wall(), -keep / NS_PER_US));
}

/* What is not surely in the files comes again from the tail. */
static yields void
start_again(struct project *p)
{
	struct eventlog_mark m;

	complain(p);
	if (p->tail != NULL)
		tail_close(p->tail);
	p->tail = NULL;
	if (eventlog_revert(&p->log, &m) != 0)
		return;
	p->at = later(spool_place(p->spool, PROJECTION_EVENTS),
	    (struct tail_place){ m.segment, m.offset });
	p->tail = tail_open(p->spool, p->at, TAIL_OF(RECORD_EVENT));
}

static bool
has_moved(const struct project *p)
{
	return p->marked.segment != p->at.segment ||
	    p->marked.offset != p->at.offset;
}

/* 1: there may be more; 0: none now; -1: trouble, told. */
static yields int
step(struct project *p, bool is_time_to_mark)
{
	int rc = p->tail == NULL ? -1 : batch_project(p);

	if (rc >= 0 && is_time_to_mark && has_moved(p) && mark(p) != 0)
		rc = -1;
	if (rc < 0)
		start_again(p);
	return rc;
}

static yields void
project_run(void *arg)
{
	struct project *p = arg;
	struct mono next_mark = { 0 }, next_expire = { 0 };

	p->fiber = fiber_self();
	while (!p->is_stopping) {
		struct mono now = clock_mono();
		bool is_time = !mono_is_before(now, next_mark);
		int rc = step(p, is_time);

		if (is_time)
			next_mark = mono_add(now, SYNC_S * NS_PER_SECOND);
		if (!mono_is_before(now, next_expire)) {
			expire(p);
			next_expire = mono_add(now, EXPIRE_S * NS_PER_SECOND);
		}
		if (rc == 0)
			tail_await(p->tail, has_moved(p) ? next_mark :
			    next_expire);
		/* many at once, or another try */
		if (rc != 1 && !p->is_stopping)
			(void)fiber_park(mono_add(now, NS_PER_SECOND));
	}
	while (p->tail != NULL && step(p, true) == 1)
		continue;
	p->has_ended = true;
	fiber_wake(p->stopper);
}

int
project_start(struct project *p)
{
	int rc = fiber_go("project", project_run, p);

	p->has_ended = rc != 0;
	return rc;
}

yields void
project_stop(struct project *p)
{
	p->is_stopping = true;
	p->stopper = fiber_self();
	if (!p->has_ended)
		fiber_wake(p->fiber);
	while (!p->has_ended)
		(void)fiber_park(MONO_NEVER);
	if (p->tail != NULL)
		tail_close(p->tail);
	eventlog_close(&p->log);
}
