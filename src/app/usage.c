#include "app/usage.h"

#include "base/err.h"
#include "base/must.h"
#include "deliver/pace_file.h"
#include "fiber/clock.h"
#include "policy/quota_file.h"

#define USAGE_NS (60 * NS_PER_SECOND)

static yields void
usage_write(struct usage *u)
{
	struct str path = config_now(u->holder)->spool.path;
	int rc = pace_file_write(u->ready, path, u->index, &u->has_paces);
	struct event e;

	if (quota_is_changed(u->table))
		rc |= quota_file_write(u->table, path, u->index);
	if (rc == 0)
		return;
	e = event_make(EVENT_trouble, clock_wall(), 0);
	event_str(&e, FIELD_text, str_of(err_text()));
	u->sink->take(u->sink, &e);
	err_clear();
}

static yields void
usage_run(void *arg)
{
	struct usage *u = arg;

	u->fiber = fiber_self();
	while (!u->is_closing) {
		(void)fiber_park(mono_add(clock_mono(), USAGE_NS));
		usage_write(u);
	}
	u->is_running = false;
	fiber_wake(u->closer);
}

yields int
usage_start(struct usage *u)
{
	must(u->table != NULL && u->index < u->n && !u->is_running);
	if (quota_file_read(u->table, config_now(u->holder)->spool.path, u->key,
	    u->index, u->n) != 0 || pace_file_read(u->ready,
	    config_now(u->holder)->spool.path, &u->has_paces) != 0)
		return -1;
	u->is_closing = false;
	u->is_running = fiber_go("usage", usage_run, u) == 0;
	return u->is_running ? 0 : -1;
}

yields void
usage_stop(struct usage *u)
{
	u->is_closing = true;
	u->closer = fiber_self();
	while (u->is_running) {
		fiber_wake(u->fiber);
		(void)fiber_park(MONO_NEVER);
	}
}
