/*
 * Level 0 has a slot for each tick of the 64 around `tick', level 1 one for
 * each 64 ticks of the 4,096 around it, and so on: an entry stands at the level
 * of the highest group of six bits in which its tick differs from the wheel's,
 * in the slot which that group of its own tick names.  So all that stands at a
 * level is due before all that stands above, and slots of a level are due in
 * order.  When the wheel comes to a slot above level 0, its entries move down,
 * all of them before any other is looked at.
 */
#include "queue/wheel.h"

#include "base/must.h"

enum { SLOT_BITS = 6 };

void
wheel_init(struct wheel *w)
{
	*w = (struct wheel){ 0 };
	for (unsigned l = 0; l < WHEEL_LEVELS; l++)
		for (unsigned s = 0; s < WHEEL_SLOTS; s++)
			list_init(&w->slots[l][s]);
}

static uint64_t
tick_of(struct mono t)
{
	return t.ns < 0 ? 0 : (uint64_t)t.ns >> WHEEL_TICK_BITS;
}

static struct mono
tick_instant(uint64_t tick)
{
	if (tick > (uint64_t)INT64_MAX >> WHEEL_TICK_BITS)
		return MONO_NEVER;
	return (struct mono){ (int64_t)(tick << WHEEL_TICK_BITS) };
}

struct mono
wheel_round(struct mono t)
{
	int64_t rest = INT64_C(1) << WHEEL_TICK_BITS;

	if (t.ns <= 0)
		return (struct mono){ 0 };
	rest = t.ns & (rest - 1);
	if (rest == 0)
		return t;
	return mono_add((struct mono){ t.ns - rest },
	    INT64_C(1) << WHEEL_TICK_BITS);
}

static void
wheel_put(struct wheel *w, struct wheel_entry *e)
{
	uint64_t tick = tick_of(e->due);
	uint64_t apart;
	unsigned level, slot;

	if (tick < w->tick)
		tick = w->tick;
	apart = tick ^ w->tick;
	level = apart == 0 ? 0 :
	    (63 - (unsigned)__builtin_clzll(apart)) / SLOT_BITS;
	must(level < WHEEL_LEVELS);
	slot = (unsigned)(tick >> level * SLOT_BITS) % WHEEL_SLOTS;
	w->used[level] |= UINT64_C(1) << slot;
	list_append(&w->slots[level][slot], &e->link);
}

void
wheel_add(struct wheel *w, struct wheel_entry *e, struct mono due)
{
	must(!link_is_in(&e->link));
	e->due = wheel_round(due);
	wheel_put(w, e);
}

/* The first tick that a slot of a level stands for. */
static uint64_t
slot_tick(const struct wheel *w, unsigned level, unsigned slot)
{
	unsigned shift = level * SLOT_BITS;
	uint64_t around = w->tick >> shift >> SLOT_BITS << SLOT_BITS << shift;
	uint64_t tick = around | (uint64_t)slot << shift;

	return tick < w->tick ? w->tick : tick;
}

static unsigned
slot_first(uint64_t used)
{
	return (unsigned)__builtin_ctzll(used);
}

/* The level whose slot the wheel has come to and that is not yet empty, as far
 * as bits tell; else the lowest that has any; else WHEEL_LEVELS. */
static unsigned
wheel_level(const struct wheel *w)
{
	unsigned level = 0;

	for (unsigned l = WHEEL_LEVELS - 1; l > 0; l--)
		if ((w->used[l] >> (w->tick >> l * SLOT_BITS) %
		    WHEEL_SLOTS & 1) != 0)
			return l;
	while (level < WHEEL_LEVELS && w->used[level] == 0)
		level++;
	return level;
}

/* The earliest slot that holds something, and its list; NULL: none does. */
static struct list *
wheel_first(struct wheel *w, unsigned *level, unsigned *slot)
{
	struct list *l;

	while ((*level = wheel_level(w)) < WHEEL_LEVELS) {
		*slot = slot_first(w->used[*level]);
		l = &w->slots[*level][*slot];
		if (!list_is_empty(l))
			return l;
		w->used[*level] &= ~(UINT64_C(1) << *slot);
	}
	return NULL;
}

struct wheel_entry *
wheel_pop(struct wheel *w, struct mono now, uint32_t *steps)
{
	struct wheel_entry *e;
	struct list *l;
	unsigned level, slot;
	uint64_t tick;

	for (; *steps > 0; (*steps)--) {
		l = wheel_first(w, &level, &slot);
		tick = l == NULL ? UINT64_MAX : slot_tick(w, level, slot);
		if (tick > tick_of(now)) {
			if (w->tick < tick_of(now))
				w->tick = tick_of(now);
			return NULL;
		}
		w->tick = tick;
		e = OWNER_OF(list_pop(l), struct wheel_entry, link);
		if (level == 0) {
			(*steps)--;
			return e;
		}
		wheel_put(w, e);
	}
	return NULL;
}

struct mono
wheel_next_at(const struct wheel *w)
{
	unsigned level = wheel_level(w);

	if (level == WHEEL_LEVELS)
		return MONO_NEVER;
	return tick_instant(slot_tick(w, level, slot_first(w->used[level])));
}
