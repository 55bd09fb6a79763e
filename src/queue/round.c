#include "queue/round.h"

#include "base/must.h"

void
round_init(struct round *r)
{
	*r = (struct round){ .reserve = ROUND_RESERVE * ROUND_SAVED };
	list_init(&r->ring);
	list_init(&r->urgent);
}

void
turn_init(struct turn *t, uint32_t quantum, bool is_urgent)
{
	must(quantum > 0);
	*t = (struct turn){ .quantum = quantum, .is_urgent = is_urgent };
	list_init(&t->entries);
}

static struct turn *
turn_at(struct link *in_ring)
{
	return OWNER_OF(in_ring, struct turn, in_ring);
}

static struct round_entry *
turn_first(const struct turn *t)
{
	return OWNER_OF(list_first(&t->entries), struct round_entry, link);
}

void
round_add(struct round *r, struct turn *t, struct round_entry *e)
{
	must(e->cost > 0 && e->cost <= ROUND_COST_MOST);
	e->turn = t;
	r->n++;
	list_append(&t->entries, &e->link);
	if (link_is_in(&t->in_ring))
		return;
	t->credit = 0;
	list_append(&r->ring, &t->in_ring);
	if (t->is_urgent)
		list_append(&r->urgent, &t->in_urgent);
}

struct round_entry *
round_peek(const struct round *r)
{
	struct link *l = list_first(&r->ring);

	return l == NULL ? NULL : turn_first(turn_at(l));
}

static struct round_entry *
round_serve(struct round *r, struct turn *t)
{
	struct round_entry *e = turn_first(t);

	list_remove(&e->link);
	r->n--;
	if (!list_is_empty(&t->entries))
		return e;
	list_remove(&t->in_ring);
	list_remove(&t->in_urgent);
	if (r->current == t)
		r->current = NULL;
	return e;
}

static struct round_entry *
round_serve_urgent(struct round *r)
{
	struct link *l = list_first(&r->urgent);

	r->reserve -= ROUND_RESERVE;
	list_remove(l);
	list_append(&r->urgent, l);
	return round_serve(r, OWNER_OF(l, struct turn, in_urgent));
}

/* Credit is never more than one quantum and the largest cost, as a turn is left
 * only when it cannot pay. */
static struct turn *
round_whose(struct round *r)
{
	struct turn *t;

	for (;;) {
		t = turn_at(list_first(&r->ring));
		if (r->current != t)
			t->credit += t->quantum;
		r->current = t;
		if (t->credit >= turn_first(t)->cost ||
		    list_next(&r->ring, &t->in_ring) == NULL)
			return t;
		list_remove(&t->in_ring);
		list_append(&r->ring, &t->in_ring);
		r->current = NULL;
	}
}

struct round_entry *
round_take(struct round *r)
{
	struct turn *t;
	uint32_t cost;

	if (list_is_empty(&r->ring))
		return NULL;
	if (!list_is_empty(&r->urgent) && r->reserve >= ROUND_RESERVE)
		return round_serve_urgent(r);
	if (r->reserve < ROUND_RESERVE * ROUND_SAVED)
		r->reserve++;
	t = round_whose(r);
	cost = turn_first(t)->cost;
	t->credit -= cost < t->credit ? cost : t->credit;
	return round_serve(r, t);
}

struct round_entry *
round_drop(struct round *r)
{
	struct link *l = list_first(&r->ring);

	return l == NULL ? NULL : round_serve(r, turn_at(l));
}
