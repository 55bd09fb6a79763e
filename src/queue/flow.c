#include "queue/flow.h"

#include "base/must.h"

enum { FLOWS_PER_CHUNK = 128 };

void
flows_init(struct flows *s, struct names *names, const struct queue_config *c)
{
	*s = (struct flows){ .names = names, .config = c };
	slab_init(&s->slab, sizeof(struct flow), FLOWS_PER_CHUNK);
}

static struct flow *
flow_next(const struct flows *s, uint32_t *slot)
{
	uint32_t steps = UINT32_MAX;

	return slab_walk(&s->slab, slot, &steps);
}

void
flows_clear(struct flows *s)
{
	struct flow *f;

	for (uint32_t i = 0; (f = flow_next(s, &i)) != NULL; i++) {
		name_give(s->names, f->tenant);
		name_give(s->names, f->stream);
	}
	slab_clear(&s->slab);
	table_clear(&s->table);
	s->last = NULL;
}

static void
flow_weigh(const struct flows *s, struct flow *f)
{
	f->weight = queue_config_weight(s->config, name_str(f->tenant),
	    name_str(f->stream));
}

void
flows_configure(struct flows *s, const struct queue_config *c)
{
	struct flow *f;

	s->config = c;
	for (uint32_t i = 0; (f = flow_next(s, &i)) != NULL; i++)
		flow_weigh(s, f);
}

static bool
flow_is(const struct flow *f, struct str tenant, struct str stream,
    enum priority priority)
{
	return f->priority == priority &&
	    str_eq(name_str(f->tenant), tenant) &&
	    str_eq(name_str(f->stream), stream);
}

static uint64_t
flow_hash(const struct flows *s, struct str tenant, struct str stream,
    enum priority priority)
{
	struct hash_key key = s->names->key;

	key.k1 ^= hash_bytes(key, tenant) + priority;
	return hash_bytes(key, stream);
}

static struct flow *
flow_find(struct flows *s, struct str tenant, struct str stream,
    enum priority priority, uint64_t hash)
{
	struct table_node *k = table_find(&s->table, hash);
	struct flow *f;

	for (; k != NULL; k = table_again(k)) {
		f = OWNER_OF(k, struct flow, node);
		if (flow_is(f, tenant, stream, priority))
			return f;
	}
	return NULL;
}

static void
flow_end(struct flows *s, struct flow *f)
{
	name_give(s->names, f->tenant);
	name_give(s->names, f->stream);
	slab_give(&s->slab, f->slot);
}

static struct flow *
flow_new(struct flows *s, struct str tenant, struct str stream,
    enum priority priority, uint64_t hash)
{
	uint32_t slot;
	struct flow *f = slab_take(&s->slab, &slot);

	if (f == NULL)
		return NULL;
	f->slot = slot;
	f->priority = priority;
	f->tenant = name_take(s->names, tenant);
	f->stream = name_take(s->names, stream);
	if (f->tenant == NULL || f->stream == NULL ||
	    table_insert(&s->table, &f->node, hash) != 0) {
		flow_end(s, f);
		return NULL;
	}
	flow_weigh(s, f);
	return f;
}

struct flow *
flow_take(struct flows *s, struct str tenant, struct str stream,
    enum priority priority)
{
	uint64_t hash;

	if (s->last == NULL || !flow_is(s->last, tenant, stream, priority)) {
		hash = flow_hash(s, tenant, stream, priority);
		s->last = flow_find(s, tenant, stream, priority, hash);
		if (s->last == NULL)
			s->last = flow_new(s, tenant, stream, priority, hash);
	}
	if (s->last != NULL)
		s->last->refs++;
	return s->last;
}

void
flow_give(struct flows *s, struct flow *f)
{
	must(f->refs > 0);
	if (--f->refs > 0 || s->slab.n <= FLOWS_KEPT)
		return;
	if (s->last == f)
		s->last = NULL;
	table_remove(&s->table, &f->node);
	flow_end(s, f);
}
