#include "queue/config.h"

#include "base/must.h"

#define MINUTE (60 * NS_PER_SECOND)
#define DAY (1440 * MINUTE)

struct queue_config
queue_config_default(void)
{
	return (struct queue_config){
		.retry = retry_default(),
		.put_off_ns = MINUTE,
		.hold_most_ns = 30 * DAY,
		.domain_backoff = { MINUTE, 60 * MINUTE },
		.site_backoff = { MINUTE, 60 * MINUTE },
		.limits = { .connections = 10, .per_connection = 100 },
		.items_most = (size_t)1 << 24,
		.away_most = (size_t)1 << 16,
	};
}

static bool
backoff_is_sane(const struct backoff *b)
{
	return b->first_ns > 0 && b->first_ns <= b->cap_ns;
}

static bool
site_limits_are_sane(const struct site_limits *l)
{
	return l->connections > 0 && gcra_is_sane(&l->rate) &&
	    gcra_is_sane(&l->opens) && gcra_is_sane(&l->rcpts);
}

static bool
warnings_are_sane(const struct queue_config *c)
{
	if (c->n_warnings > QUEUE_WARNINGS_MOST)
		return false;
	for (size_t i = 0; i < c->n_warnings; i++)
		if (c->warn_ns[i] <= 0)
			return false;
	return true;
}

static bool
pools_are_sane(const struct queue_config *c)
{
	for (size_t i = 0; i < c->n_pools; i++) {
		const struct source_pool *p = &c->pools[i];

		if (p->n < 1 || p->n > POOL_SHARES_MOST)
			return false;
		for (size_t k = 0; k < p->n; k++)
			if (p->shares[k].weight < 1 ||
			    p->shares[k].weight > POOL_WEIGHT_MOST)
				return false;
	}
	return c->n_pools > 0 || c->pool_of == NULL;
}

unsigned
queue_config_warnings(const struct queue_config *c, int64_t age_ns)
{
	unsigned n = 0;

	for (size_t i = 0; i < c->n_warnings; i++)
		n += age_ns >= c->warn_ns[i];
	return n;
}

bool
queue_config_is_sane(const struct queue_config *c)
{
	if (c->map == NULL || !retry_is_sane(&c->retry) || !warnings_are_sane(c) ||
	    c->put_off_ns <= 0 || c->hold_most_ns <= 0 ||
	    !backoff_is_sane(&c->domain_backoff) ||
	    !backoff_is_sane(&c->site_backoff) ||
	    !site_limits_are_sane(&c->limits) ||
	    c->items_most < 1 || c->items_most > QUEUE_ITEMS_MOST ||
	    c->away_most < 1 || !pools_are_sane(c))
		return false;
	for (size_t i = 0; i < c->n_rules; i++)
		if (!site_limits_are_sane(&c->rules[i].limits))
			return false;
	for (size_t i = 0; i < c->n_weights; i++)
		if (c->weights[i].weight < 1 ||
		    c->weights[i].weight > FLOW_WEIGHT_MOST)
			return false;
	return true;
}

const struct site_limits *
queue_config_limits(const struct queue_config *c, struct str site)
{
	for (size_t i = 0; i < c->n_rules; i++)
		if (str_eq(c->rules[i].site, c->rules[i].is_word ?
		    str_sub(site, 0, str_find(site, ' ')) : site))
			return &c->rules[i].limits;
	return &c->limits;
}

static bool
weight_is_for(struct str want, struct str is)
{
	return want.p == NULL || str_eq(want, is);
}

unsigned
queue_config_weight(const struct queue_config *c, struct str tenant,
    struct str stream)
{
	for (size_t i = 0; i < c->n_weights; i++)
		if (weight_is_for(c->weights[i].tenant, tenant) &&
		    weight_is_for(c->weights[i].stream, stream))
			return c->weights[i].weight;
	return 1;
}

const struct source_pool *
queue_config_no_pool(void)
{
	static const struct pool_share one = { STR_INIT("default"), 1 };
	static const struct source_pool only = { STR_INIT("default"), &one, 1 };

	return &only;
}

const struct source_pool *
queue_config_pool(const struct queue_config *c, struct str domain,
    struct str tenant, struct str stream)
{
	size_t i = 0;

	if (c->n_pools == 0)
		return queue_config_no_pool();
	if (c->pool_of != NULL)
		i = c->pool_of(c->about, domain, tenant, stream);
	must(i < c->n_pools);
	return &c->pools[i];
}
