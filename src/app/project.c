#include "app/project.h"

#include "fiber/clock.h"
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
	if (rc != 0)
		return -1;
	p->at = later(spool_place(s, PROJECTION_EVENTS),
	    (struct tail_place){ m.segment, m.offset });
	p->tail = tail_open(s, p->at, TAIL_OF(RECORD_EVENT));
	return p->tail == NULL ? err_set("no memory for a tail") : 0;
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
	if (eventlog_sync(&p->log) != 0)
		return -1;
	return spool_mark(p->spool, PROJECTION_EVENTS, p->at);
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

/* What was read into the batch but not committed comes again from the tail. */
static void
start_again(struct project *p)
{
	complain(p);
	p->log.n = 0;
	tail_close(p->tail);
	p->tail = tail_open(p->spool, p->at, TAIL_OF(RECORD_EVENT));
}

yields void
project_run(void *arg)
{
	struct project *p = arg;
	struct mono next_mark = { 0 }, next_expire = { 0 };
	struct tail_place marked = p->at;

	p->fiber = fiber_self();
	while (!p->is_stopping) {
		struct mono now = clock_mono();
		int rc = p->tail == NULL ? -1 : batch_project(p);

		if (rc < 0)
			start_again(p);
		if (!mono_is_before(now, next_mark) &&
		    (marked.segment != p->at.segment ||
		    marked.offset != p->at.offset)) {
			if (mark(p) == 0)
				marked = p->at;
			next_mark = mono_add(now, SYNC_S * NS_PER_SECOND);
		}
		if (!mono_is_before(now, next_expire)) {
			expire(p);
			next_expire = mono_add(now, EXPIRE_S * NS_PER_SECOND);
		}
		if (rc != 1)
			(void)fiber_park(mono_add(now, NS_PER_SECOND));
	}
	if (p->tail != NULL)
		while (batch_project(p) == 1)
			;
	(void)mark(p);
	p->has_ended = true;
	fiber_wake(p->stopper);
}

yields void
project_stop(struct project *p)
{
	p->is_stopping = true;
	p->stopper = fiber_self();
	fiber_wake(p->fiber);
	while (!p->has_ended)
		(void)fiber_park(MONO_NEVER);
	if (p->tail != NULL)
		tail_close(p->tail);
	eventlog_close(&p->log);
}
