#include "fiber/clock.h"

#include "fiber/inner.h"

struct mono
clock_mono_exact(void)
{
	return world_mono();
}

struct mono
clock_mono(void)
{
	struct core *c = core_here;

	return c == NULL ? world_mono() : c->now;
}

/* Turns without a question for the date are many. */
struct wall
clock_wall(void)
{
	struct core *c = core_here;

	if (c == NULL)
		return world_wall();
	if (!c->wall_known) {
		c->wall = world_wall();
		c->wall_known = true;
	}
	return c->wall;
}

struct mono
clock_mono_at(struct wall w, int64_t most_ns)
{
	int64_t us = 0, now = clock_wall().us;

	if (w.us > now && __builtin_sub_overflow(w.us, now, &us))
		us = INT64_MAX;
	if (us > most_ns / NS_PER_US)
		return mono_add(clock_mono(), most_ns > 0 ? most_ns : 0);
	return mono_add(clock_mono(), us * NS_PER_US);
}

struct wall
clock_wall_at(struct mono t)
{
	int64_t ns;

	if (t.ns == MONO_NEVER.ns)
		return WALL_NEVER;
	if (__builtin_sub_overflow(t.ns, clock_mono().ns, &ns))
		return t.ns < 0 ? (struct wall){ 0 } : WALL_NEVER;
	return wall_add(clock_wall(), ns / NS_PER_US);
}
