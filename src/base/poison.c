#include "base/poison.h"

#include "base/must.h"

#include <stdatomic.h>
#include <stddef.h>

static struct poison_table *table;

void
poison_use(struct poison_table *t)
{
	table = t;
}

int
poison_enter(uint64_t id)
{
	if (table == NULL || id == 0)
		return -1;
	for (unsigned i = 0; i < 64; i++) {
		unsigned slot = (unsigned)((id * 31 + i) % POISON_SLOTS);
		uint64_t none = 0;

		if (atomic_compare_exchange_strong(&table->working[slot],
		    &none, id))
			return (int)slot;
	}
	return -1;
}

void
poison_leave(int slot)
{
	if (slot < 0)
		return;
	must(table != NULL && slot < POISON_SLOTS);
	atomic_store(&table->working[slot], 0);
}

/* The table is shared with a worker, who may have gone mad before he died. */
static uint32_t
suspects_of(const struct poison_table *t)
{
	return t->n_suspects < POISON_SUSPECTS ? t->n_suspects :
	    POISON_SUSPECTS;
}

static struct poison_suspect *
suspect_find(struct poison_table *t, uint64_t id)
{
	for (uint32_t i = 0, n = suspects_of(t); i < n; i++)
		if (t->suspects[i].id == id)
			return &t->suspects[i];
	return NULL;
}

/* A message that several fibers of one dead worker held dies once, not more. */
static bool
stands_before(const struct poison_table *t, unsigned slot, uint64_t id)
{
	for (unsigned i = 0; i < slot; i++)
		if (atomic_load(&t->working[i]) == id)
			return true;
	return false;
}

static void
suspect_count(struct poison_table *t, uint64_t id)
{
	struct poison_suspect *s = suspect_find(t, id);

	if (s == NULL && t->n_suspects < POISON_SUSPECTS) {
		s = &t->suspects[t->n_suspects++];
		*s = (struct poison_suspect){ .id = id };
	}
	if (s != NULL)
		s->deaths++;
}

unsigned
poison_count(struct poison_table *t)
{
	unsigned held = 0;

	t->n_suspects = suspects_of(t);
	for (unsigned i = 0; i < POISON_SLOTS; i++) {
		uint64_t id = atomic_load(&t->working[i]);

		if (id != 0 && !stands_before(t, i, id))
			suspect_count(t, id);
	}
	for (unsigned i = 0; i < POISON_SLOTS; i++)
		atomic_store(&t->working[i], 0);
	for (uint32_t i = 0, n = suspects_of(t); i < n; i++)
		held += t->suspects[i].deaths >= POISON_DEATHS;
	return held;
}

static uint32_t
deaths_at(uint64_t id)
{
	const struct poison_suspect *s = table == NULL ? NULL :
	    suspect_find(table, id);

	return s == NULL ? 0 : s->deaths;
}

bool
poison_is_held(uint64_t id)
{
	return deaths_at(id) >= POISON_DEATHS;
}

bool
poison_is_suspect(uint64_t id)
{
	return deaths_at(id) > 0;
}
