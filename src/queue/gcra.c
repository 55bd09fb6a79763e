#include "queue/gcra.h"

#include "base/must.h"

/* A length of time in nanoseconds and nths of one. */
struct span {
	int64_t ns;
	uint64_t part;
};

/* units / n of per_ns, exactly; n and units stay below 2^32 (gcra_is_sane), so
 * that products of remainders fit. */
static struct span
gcra_span(const struct gcra_limit *l, uint64_t units)
{
	uint64_t per = (uint64_t)l->per_ns;
	uint64_t rest = per % l->n * units;
	uint64_t ns;

	if (__builtin_mul_overflow(per / l->n, units, &ns) ||
	    __builtin_add_overflow(ns, rest / l->n, &ns) || ns > INT64_MAX)
		return (struct span){ INT64_MAX, 0 };
	return (struct span){ (int64_t)ns, rest % l->n };
}

bool
gcra_is_sane(const struct gcra_limit *l)
{
	return l->n == 0 || (l->n <= UINT32_MAX && l->burst <= UINT32_MAX &&
	    l->per_ns > 0);
}

struct mono
gcra_when(const struct gcra *g, const struct gcra_limit *l, struct mono now)
{
	struct span early;
	int64_t at;

	if (l->n == 0 || g->tat_ns < now.ns)
		return now;
	must(gcra_is_sane(l));
	early = gcra_span(l, l->burst > 0 ? l->burst - 1 : 0);
	at = add_sat_i64(g->tat_ns, -early.ns);
	if (g->part > early.part)
		at = add_sat_i64(at, 1);	/* upwards: never too early */
	return at <= now.ns ? now : (struct mono){ at };
}

bool
gcra_take(struct gcra *g, const struct gcra_limit *l, struct mono now,
    uint64_t units)
{
	struct span more;

	if (l->n == 0)
		return true;
	must(gcra_is_sane(l) && units > 0 && units <= UINT32_MAX);
	if (mono_is_before(now, gcra_when(g, l, now)))
		return false;
	/* Less than a nanosecond late is on time, or fractions got lost. */
	if (add_sat_i64(g->tat_ns, g->part > 0) < now.ns)
		*g = (struct gcra){ .tat_ns = now.ns };
	more = gcra_span(l, units);
	g->part += more.part;
	g->tat_ns = add_sat_i64(g->tat_ns, more.ns);
	if (g->part >= l->n) {
		g->part -= l->n;
		g->tat_ns = add_sat_i64(g->tat_ns, 1);
	}
	return true;
}

bool
gcra_is_idle(const struct gcra *g, struct mono now)
{
	return g->tat_ns < now.ns;
}

/* How many units of l are owed at now, rounded up; at most burst. */
static uint64_t
gcra_debt(const struct gcra *g, const struct gcra_limit *l, struct mono now)
{
	uint64_t most = l->burst > 0 ? l->burst : 1;
	uint64_t each = (uint64_t)l->per_ns / l->n;
	uint64_t owed;

	if (g->tat_ns <= now.ns)
		return 0;
	owed = ((uint64_t)g->tat_ns - (uint64_t)now.ns) /
	    (each > 0 ? each : 1) + 1;
	return owed < most ? owed : most;
}

void
gcra_change(struct gcra *g, const struct gcra_limit *from,
    const struct gcra_limit *to, struct mono now)
{
	uint64_t debt;
	struct span s;

	if (from->n == to->n && from->per_ns == to->per_ns &&
	    from->burst == to->burst)
		return;
	debt = from->n == 0 ? 0 : gcra_debt(g, from, now);
	*g = (struct gcra){ .tat_ns = now.ns };
	if (to->n == 0 || debt == 0)
		return;
	s = gcra_span(to, debt);
	g->tat_ns = add_sat_i64(now.ns, s.ns);
	g->part = s.part;
}
