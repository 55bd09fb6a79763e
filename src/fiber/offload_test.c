#include "base/err.h"
#include "fiber/test_core.h"

#include "fiber/offload.h"

#include <pthread.h>
#include <stdatomic.h>
#include <time.h>

static int
twice(void *arg)
{
	int *n = arg;

	assert_null(fiber_self());
	*n *= 2;
	return *n;
}

static int
fails(void *arg)
{
	(void)arg;
	err_set("deep inside");
	err_add("helper");
	return -1;
}

static void
body_result(void *arg)
{
	int n = 21;

	(void)arg;
	err_set("of the fiber");
	assert_int_equal(offload(twice, &n), 42);
	assert_int_equal(n, 42);
	assert_string_equal(err_text(), "of the fiber");
	assert_int_equal(offload(fails, NULL), -1);
	assert_string_equal(err_text(), "helper: deep inside");
}

static void
test_result(void **state)
{
	(void)state;
	on_core(body_result);
}

/* ---- busy ---- */

/* The first jobs have begun, and so wait no longer, when they say so; they end when
 * they are told to: nothing here depends on how long anything takes.  The virtual
 * world, which has one thread for all, does not let a job wait. */
enum { THREADS = 4 };
static unsigned done, busy;
static atomic_uint begun;
static atomic_bool may_end;
static pthread_t core_thread;

static int
slow(void *arg)
{
	struct timespec t = { .tv_nsec = 1000 * 1000 };

	(void)arg;
	atomic_fetch_add(&begun, 1);
	while (!atomic_load(&may_end) &&
	    !pthread_equal(pthread_self(), core_thread))
		nanosleep(&t, NULL);
	return 0;
}

static void
try_offload(void *arg)
{
	int rc = offload(slow, arg);

	if (rc == 0)
		done++;
	else if (rc == OFFLOAD_BUSY)
		busy++;
}

static void
body_busy(void *arg)
{
	(void)arg;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(fiber_go("first", try_offload, NULL), 0);
	while (atomic_load(&begun) < THREADS)
		fiber_sleep(in_ms(1));
	for (int i = 0; i < OFFLOAD_QUEUE + 2; i++)
		assert_int_equal(fiber_go("more", try_offload, NULL), 0);
	fiber_yield();
	assert_int_equal(busy, 2);
	atomic_store(&may_end, true);
}

static void
test_busy(void **state)
{
	(void)state;
	done = busy = 0;
	core_thread = pthread_self();
	atomic_store(&begun, 0);
	atomic_store(&may_end, false);
	on_core(body_busy);
	assert_int_equal(done, THREADS + OFFLOAD_QUEUE);
	assert_int_equal(busy, 2);
}

/* ---- lanes ---- */

static struct lane *lane;
static int next, left;

static int
expect_next(void *arg)
{
	int *mine = arg;

	assert_int_equal(next, *mine);
	return ++next;
}

static void
one_by_lane(void *arg)
{
	int n = *(int *)arg;

	assert_int_equal(lane_run(lane, expect_next, &n), n + 1);
	left--;
}

static void
body_lane(void *arg)
{
	static int numbers[50];

	(void)arg;
	next = 0;
	left = 50;
	assert_non_null(lane = lane_open("test lane"));
	for (int i = 0; i < 50; i++) {
		numbers[i] = i;
		assert_int_equal(fiber_go("one", one_by_lane, &numbers[i]), 0);
	}
	while (left > 0)
		fiber_sleep(in_ms(1));
	lane_close(lane);
}

static void
test_lane(void **state)
{
	(void)state;
	on_core(body_lane);
	assert_int_equal(next, 50);
}

/* ---- from two cores at once ---- */

enum { FIBERS = 20, CALLS = 50 };

static void
many_calls(void *arg)
{
	(void)arg;
	for (int i = 1; i <= CALLS; i++) {
		int n = i;

		assert_int_equal(offload(twice, &n), 2 * i);
	}
}

static void
body_many(void *arg)
{
	(void)arg;
	for (int i = 0; i < FIBERS; i++)
		assert_int_equal(fiber_go("many", many_calls, NULL), 0);
}

static void
test_many(void **state)
{
	(void)state;
	assert_int_equal(core_run_all(2, body_many, NULL), 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_result),
		cmocka_unit_test(test_busy),
		cmocka_unit_test(test_lane),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
