/* Which source a message leaves by. */
#include "queue/test_queue.h"

static const struct pool_share trans_shares[] = {
	{ STR_INIT("a"), 2 }, { STR_INIT("b"), 1 } };
static const struct pool_share bulk_shares[] = { { STR_INIT("c"), 7 } };
static const struct source_pool pools[] = {
	{ STR_INIT("trans"), trans_shares, 2 },
	{ STR_INIT("bulk"), bulk_shares, 1 } };

/* Mail of the tenant "news", and mail for bulk.example. */
static size_t
pool_of(const void *about, struct str domain, struct str tenant,
    struct str stream)
{
	assert_ptr_equal(about, &config);
	assert_true(stream.n > 0);
	return str_eq(tenant, STR("news")) ||
	    str_eq(domain, STR("bulk.example")) ? 1 : 0;
}

static void
with_pools(void)
{
	config.pools = pools;
	config.n_pools = 2;
	config.pool_of = pool_of;
	config.about = &config;
	assert_true(queue_config_is_sane(&config));
	queue_configure(q, &config);
}

static void
resolve_by_pool(void)
{
	struct str domain;

	while (queue_due_domain(q, now, &domain))
		assert_int_equal(queue_domain_resolved(q, now, domain,
		    &(struct queue_route){ .site = STR("mx"),
		    .fresh_ns = HOUR }), 0);
}

static struct handoff
next(void)
{
	struct handoff h = { .ref = { 0, 0 } };

	resolve_by_pool();
	if (!queue_hand_out(q, now, &h)) {	/* a route was not fresh */
		resolve_by_pool();
		assert_true(queue_hand_out(q, now, &h));
	}
	assert_true(str_eq(h.site, STR("mx")));
	assert_int_equal(h.shard, shard_of(h.source, h.site));
	assert_int_equal(h.owner, shard_owner(&map, h.shard));
	return h;
}

static bool
nothing(void)
{
	struct handoff h;

	resolve_by_pool();
	return !queue_hand_out(q, now, &h);
}

static char
source_of(struct handoff h)
{
	assert_int_equal(h.source.n, 1);
	return h.source.p[0];
}

static void
test_by_weight(void **state)
{
	unsigned n[128] = { 0 };
	char last = 0;

	(void)state;
	with_pools();
	for (uint64_t i = 1; i <= 30; i++)
		admit(i, i % 2 ? "x.example" : "y.example");
	for (int i = 0; i < 30; i++) {
		struct handoff h = next();
		char s = source_of(h);

		assert_true(str_eq(h.pool, STR("trans")));
		assert_false(s == 'b' && last == 'b');
		last = s;
		n[(unsigned char)s]++;
		(void)settle(h, QUEUE_ENDED);
	}
	assert_int_equal(n['a'], 20);
	assert_int_equal(n['b'], 10);
}

static void
test_by_whose_it_is(void **state)
{
	struct queue_entry e = entry(2, "x.example");
	struct handoff h;
	bool was_news = false;

	(void)state;
	with_pools();
	admit(1, "x.example");
	e.tenant = STR("news");
	assert_int_equal(queue_admit(q, now, &e), 0);
	admit(3, "bulk.example");
	for (int i = 0; i < 3; i++) {
		h = next();
		was_news |= str_eq(h.tenant, STR("news"));
		assert_true(str_eq(h.pool, h.ref.id == 1 ? STR("trans") :
		    STR("bulk")));
		assert_true((source_of(h) == 'c') == (h.ref.id != 1));
		(void)settle(h, QUEUE_ENDED);
	}
	assert_true(was_news);
}

static void
test_without_pools(void **state)
{
	struct handoff h;

	(void)state;
	admit(1, "x.example");
	h = next();
	assert_true(str_eq(h.source, STR("default")));
	assert_true(str_eq(h.pool, STR("default")));
	assert_false(queue_divert(q, now, h.ref, mono_add(now, MINUTE)));
	(void)settle(h, QUEUE_ENDED);
}

/* What one source cannot do, the others do; and none of it is a try. */
static void
test_diverted(void **state)
{
	struct mono opens;
	struct handoff h;
	struct queue_settled s;

	(void)state;
	with_pools();
	for (uint64_t i = 1; i <= 9; i++)
		admit(i, "x.example");
	h = next();
	assert_int_equal(source_of(h), 'a');
	opens = mono_add(now, MINUTE);
	assert_true(queue_divert(q, now, h.ref, opens));
	s = settle(h, QUEUE_RETURNED);
	assert_int_equal(s.state, ITEM_DUE);
	assert_int_equal(s.tries, 0);
	for (int i = 0; i < 3; i++) {
		h = next();
		assert_int_equal(source_of(h), 'b');
		(void)settle(h, QUEUE_ENDED);
	}
	now = opens;
	for (int i = 0; i < 6; i++) {
		h = next();
		assert_int_equal(source_of(h), i % 3 == 1 ? 'b' : 'a');
		(void)settle(h, QUEUE_ENDED);
	}
}

/* Who comes last is told, so that it counts as a try; the rest waits. */
static void
test_all_are_closed(void **state)
{
	struct handoff a, b;
	struct queue_settled s;
	struct mono soon, later;

	(void)state;
	with_pools();
	for (uint64_t i = 1; i <= 4; i++)
		admit(i, "x.example");
	a = next();
	b = next();
	soon = mono_add(now, MINUTE);
	later = mono_add(now, HOUR);
	assert_true(queue_divert(q, now, a.ref, later));
	assert_false(queue_divert(q, now, b.ref, soon));
	(void)settle(a, QUEUE_RETURNED);
	s = settle(b, QUEUE_RETRY);
	assert_int_equal(s.tries, 1);
	assert_true(nothing());
	assert_int_equal(in_state(ITEM_DUE), 3);
	assert_true(queue_next_at(q).ns > now.ns && queue_next_at(q).ns <=
	    soon.ns + SECOND);
	now = mono_add(soon, SECOND);
	for (int i = 0; i < 3; i++) {
		a = next();
		assert_int_equal(source_of(a), 'b');
		(void)settle(a, QUEUE_ENDED);
	}
}

/* A shorter rest does not end a longer one. */
static void
test_longest_rest_counts(void **state)
{
	struct handoff a, b;

	(void)state;
	with_pools();
	for (uint64_t i = 1; i <= 3; i++)
		admit(i, "x.example");
	a = next();
	(void)settle(a, QUEUE_ENDED);
	b = next();
	a = next();
	assert_true(source_of(a) == 'a' && source_of(b) == 'b');
	assert_true(queue_divert(q, now, a.ref, mono_add(now, HOUR)));
	assert_true(queue_divert(q, now, a.ref, mono_add(now, MINUTE)));
	(void)settle(a, QUEUE_RETURNED);
	(void)settle(b, QUEUE_ENDED);
	now = mono_add(now, 2 * MINUTE);
	a = next();
	assert_int_equal(source_of(a), 'b');
	(void)settle(a, QUEUE_ENDED);
}

/* Names stay readable while something is away by them, and then go. */
static void
test_reload_takes_a_pool(void **state)
{
	static const struct pool_share shares[] = { { STR_INIT("n"), 1 } };
	static const struct source_pool other = { STR_INIT("new"), shares, 1 };
	struct handoff old, h;

	(void)state;
	with_pools();
	admit(1, "x.example");
	admit(2, "x.example");
	old = next();
	config.pools = &other;
	config.n_pools = 1;
	config.pool_of = NULL;
	queue_configure(q, &config);
	h = next();
	assert_int_equal(source_of(h), 'n');
	assert_int_equal(source_of(old), 'a');
	/* The route was asked anew: the same site, by the other pool. */
	assert_true(queue_divert(q, now, old.ref, mono_add(now, HOUR)));
	(void)settle(old, QUEUE_RETURNED);
	(void)settle(h, QUEUE_ENDED);
	h = next();
	assert_int_equal(source_of(h), 'n');
	(void)settle(h, QUEUE_ENDED);
}

/* What waits for a source that a reload takes away does not wait on. */
static void
test_reload_lifts(void **state)
{
	static const struct pool_share shares[] = { { STR_INIT("n"), 1 } };
	static const struct source_pool other = { STR_INIT("new"), shares, 1 };
	struct handoff h;

	(void)state;
	config.pools = &pools[1];
	config.n_pools = 1;
	queue_configure(q, &config);
	admit(1, "x.example");
	admit(2, "x.example");
	h = next();
	assert_false(queue_divert(q, now, h.ref, mono_add(now, HOUR)));
	(void)settle(h, QUEUE_RETRY);
	assert_true(nothing());
	config.pools = &other;
	queue_configure(q, &config);
	h = next();
	assert_int_equal(h.ref.id, 2);
	assert_int_equal(source_of(h), 'n');
	(void)settle(h, QUEUE_ENDED);
}

static void
test_sanity(void **state)
{
	static const struct pool_share none[] = { { STR_INIT("a"), 0 } };
	static const struct pool_share most[] = { { STR_INIT("a"),
		POOL_WEIGHT_MOST } };
	static const struct pool_share more[] = { { STR_INIT("a"),
		POOL_WEIGHT_MOST + 1 } };
	struct source_pool p = { STR("p"), most, 1 };
	struct queue_config c = config;

	(void)state;
	c.pools = &p;
	c.n_pools = 1;
	assert_true(queue_config_is_sane(&c));
	p.shares = none;
	assert_false(queue_config_is_sane(&c));
	p.shares = more;
	assert_false(queue_config_is_sane(&c));
	p = (struct source_pool){ STR("p"), most, 0 };
	assert_false(queue_config_is_sane(&c));
	p.n = POOL_SHARES_MOST + 1;
	assert_false(queue_config_is_sane(&c));
	c.n_pools = 0;
	c.pool_of = pool_of;
	assert_false(queue_config_is_sane(&c));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_by_weight, begin, end),
		cmocka_unit_test_setup_teardown(test_by_whose_it_is, begin,
		    end),
		cmocka_unit_test_setup_teardown(test_without_pools, begin, end),
		cmocka_unit_test_setup_teardown(test_diverted, begin, end),
		cmocka_unit_test_setup_teardown(test_all_are_closed, begin,
		    end),
		cmocka_unit_test_setup_teardown(test_longest_rest_counts, begin,
		    end),
		cmocka_unit_test_setup_teardown(test_reload_takes_a_pool, begin,
		    end),
		cmocka_unit_test_setup_teardown(test_reload_lifts, begin, end),
		cmocka_unit_test_setup_teardown(test_sanity, begin, end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
