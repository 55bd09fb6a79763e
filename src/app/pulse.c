#include "app/pulse.h"

#include "app/systemd.h"
#include "base/must.h"

/* Three beats in the time that a watchdog has patience for: two may be late. */
enum { BEATS = 3 };

void
pulse_init(struct pulse *p, int64_t now_ms)
{
	int64_t patience = systemd_watchdog_ms();

	*p = (struct pulse){ .every_ms = patience / BEATS };
	if (patience > 0 && p->every_ms == 0)
		p->every_ms = 1;
	p->next_ms = p->every_ms == 0 ? 0 : now_ms + p->every_ms;
}

bool
pulse_beat(struct pulse *p, int64_t now_ms, bool is_serving)
{
	must(p->every_ms > 0);
	p->next_ms = now_ms + p->every_ms;
	if (!is_serving) {
		p->is_asked = false;
		systemd_tell("WATCHDOG=1");
		return false;
	}
	if (p->is_asked)
		return false;
	p->is_asked = true;
	return true;
}

void
pulse_heard(struct pulse *p)
{
	if (!p->is_asked)
		return;			/* nobody asked */
	p->is_asked = false;
	systemd_tell("WATCHDOG=1");
}
