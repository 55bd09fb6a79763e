#include "fiber/test_core.h"

#include <stdatomic.h>

enum { CALLS = 2000, POSTS = 200 };

static unsigned count, sum;

static void
on_cores(unsigned n, yields void (*fn)(void *))
{
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	assert_int_equal(core_run_all(n, fn, NULL), 0);
}

struct ball { unsigned hits, left; };

static void
hit(void *arg)
{
	struct ball *b = arg;

	b->hits++;
	if (b->left-- % 3 == 0)
		fiber_yield();
}

static void
body_ping_pong(void *arg)
{
	struct ball b = { .left = CALLS };
	unsigned other = 1 - core_index();

	(void)arg;
	assert_int_equal(core_count(), 2);
	for (unsigned i = 0; i < CALLS; i++)
		assert_int_equal(core_call(other, hit, &b), 0);
	assert_int_equal(b.hits, CALLS);
}

static void
test_ping_pong(void **state)
{
	(void)state;
	on_cores(2, body_ping_pong);	/* both ways at once */
}

/* There and back again, on each other's fibers. */
static void
relay(void *arg)
{
	unsigned *left = arg;

	if (*left == 0)
		return;
	--*left;
	assert_int_equal(core_call(1 - core_index(), relay, left), 0);
}

static void
body_relay(void *arg)
{
	unsigned left = 20;

	(void)arg;
	if (core_index() == 0) {
		assert_int_equal(core_call(1, relay, &left), 0);
		assert_int_equal(left, 0);
	}
}

static void
test_relay(void **state)
{
	(void)state;
	on_cores(2, body_relay);
}

static void
in_order(void *arg)
{
	unsigned i = (unsigned)(uintptr_t)arg;

	assert_int_equal(core_index(), 1);
	assert_int_equal(i, count);
	count++;
}

static void
body_posts(void *arg)
{
	(void)arg;
	if (core_index() != 0)
		return;		/* and still its core must serve */
	count = 0;
	for (uintptr_t i = 0; i < POSTS; i++)
		assert_int_equal(core_post(1, in_order, (void *)i), 0);
}

static void
test_posts(void **state)
{
	(void)state;
	on_cores(2, body_posts);
	assert_int_equal(count, POSTS);
}

/* ---- bells ---- */

static struct core_bell bell;
static struct fiber *woken_by_it;
static unsigned rings;
static unsigned _Atomic wanted;

static void
rung(void *arg)
{
	assert_ptr_equal(arg, &bell);
	assert_int_equal(core_index(), 1);
	assert_null(fiber_self());
	rings++;
	fiber_wake(woken_by_it);
}

/* Core 1 waits until all is wanted; each word of core 0 is a ring. */
static void
body_bell(void *arg)
{
	(void)arg;
	if (core_index() == 1) {
		woken_by_it = fiber_self();
		while (atomic_load(&wanted) < POSTS)
			(void)fiber_park(MONO_NEVER);
		woken_by_it = NULL;
		return;
	}
	for (unsigned i = 0; i < POSTS; i++) {
		atomic_fetch_add(&wanted, 1);
		core_ring(&bell, 1);
		if (i % 16 == 0)
			fiber_yield();
	}
}

static void
test_bell(void **state)
{
	(void)state;
	rings = 0;
	atomic_store(&wanted, 0);
	core_bell_init(&bell, rung, &bell);
	on_cores(2, body_bell);
	assert_in_range(rings, 1, POSTS);
}

static void
add_index(void *arg)
{
	(void)arg;
	sum += core_index() + 1;
}

static void
body_own(void *arg)
{
	(void)arg;
	sum = 0;
	assert_int_equal(core_call(0, add_index, NULL), 0);
	assert_int_equal(sum, 1);
	assert_int_equal(core_post(0, add_index, NULL), 0);
	fiber_yield();
	fiber_yield();
}

static void
test_own(void **state)
{
	(void)state;
	on_cores(1, body_own);
	assert_int_equal(sum, 2);
}

static void
body_clock(void *arg)
{
	struct mono m = clock_mono();
	struct wall w = clock_wall();
	struct wall later = wall_add(w, 5 * US_PER_SECOND);

	(void)arg;
	assert_int_equal(clock_mono_at(later, NS_PER_SECOND * 60).ns,
	    mono_add(m, 5 * NS_PER_SECOND).ns);
	assert_int_equal(clock_mono_at(later, NS_PER_SECOND).ns,
	    mono_add(m, NS_PER_SECOND).ns);
	assert_int_equal(clock_mono_at(WALL_NEVER, NS_PER_SECOND).ns,
	    mono_add(m, NS_PER_SECOND).ns);
	assert_int_equal(clock_mono_at((struct wall){ 0 }, NS_PER_SECOND).ns,
	    m.ns);
	assert_int_equal(clock_mono_at((struct wall){ INT64_MIN }, 1).ns, m.ns);
	assert_int_equal(clock_wall_at(mono_add(m, NS_PER_SECOND)).us,
	    w.us + US_PER_SECOND);
	assert_int_equal(clock_wall_at(MONO_NEVER).us, WALL_NEVER.us);
	fiber_sleep(in_ms(2));
	assert_true(clock_mono().ns >= m.ns + 2 * NS_PER_MS);
	assert_true(clock_mono_exact().ns >= clock_mono().ns);
}

static void
test_clock(void **state)
{
	(void)state;
	on_cores(1, body_clock);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ping_pong),
		cmocka_unit_test(test_relay),
		cmocka_unit_test(test_posts),
		cmocka_unit_test(test_bell),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
