#include "base/err.h"
#include "fiber/test_core.h"

#include "fiber/permit.h"

#include <errno.h>

static char told[64];
static size_t told_n;

static void
tell(char c)
{
	assert_true(told_n < sizeof told - 1);
	told[told_n++] = c;
	told[told_n] = '\0';
}

static void
forget(void)
{
	told_n = 0;
	told[0] = '\0';
}

static void
tell_thrice(void *arg)
{
	const char *c = arg;

	for (int i = 0; i < 3; i++) {
		tell(*c);
		fiber_yield();
	}
}

static void
body_order(void *arg)
{
	(void)arg;
	forget();
	assert_int_equal(fiber_go("a", tell_thrice, "a"), 0);
	assert_int_equal(fiber_go("b", tell_thrice, "b"), 0);
	tell('-');	/* a new fiber runs at the next turn, not now */
}

static void
test_order(void **state)
{
	(void)state;
	on_core(body_order);
	assert_string_equal(told, "-ababab");
}

static void
wake_arg(void *arg)
{
	fiber_wake(arg);
}

static void
body_wake_first(void *arg)
{
	struct mono before = clock_mono();

	(void)arg;
	fiber_wake(NULL);
	fiber_wake(fiber_self());
	fiber_wake(fiber_self());
	assert_int_equal(fiber_park(MONO_NEVER), 0);
	assert_true(clock_mono().ns == before.ns);	/* did not leave */
	/* two wakes before one park are one */
	assert_int_equal(fiber_park(in_ms(1)), -1);
	assert_int_equal(fiber_go("waker", wake_arg, fiber_self()), 0);
	assert_int_equal(fiber_park(in_ms(60000)), 0);
}

static void
test_wake_first(void **state)
{
	(void)state;
	on_core(body_wake_first);
}

/* The deadline and a wake in one turn: it was woken. */
static void
wake_at(void *arg)
{
	fiber_sleep(in_ms(5));
	fiber_wake(arg);
	fiber_wake(arg);
}

static void
body_wake_at_deadline(void *arg)
{
	struct mono late = in_ms(5);

	(void)arg;
	assert_int_equal(fiber_go("waker", wake_at, fiber_self()), 0);
	fiber_yield();		/* its timer is set first */
	assert_int_equal(fiber_park(late), 0);
	assert_int_equal(fiber_park(late), -1);	/* and only once */
}

static void
test_wake_at_deadline(void **state)
{
	(void)state;
	on_core(body_wake_at_deadline);
}

static void
body_yield_keeps_wake(void *arg)
{
	(void)arg;
	assert_int_equal(fiber_go("waker", wake_arg, fiber_self()), 0);
	fiber_yield();
	assert_int_equal(fiber_park(in_ms(60000)), 0);
}

static void
test_yield_keeps_wake(void **state)
{
	(void)state;
	on_core(body_yield_keeps_wake);
}

static void
body_deadline(void *arg)
{
	struct mono until = in_ms(5);

	(void)arg;
	assert_int_equal(fiber_park(until), -1);
	assert_false(mono_is_before(clock_mono(), until));
	/* a deadline that has passed does not leave the core */
	assert_int_equal(fiber_park(until), -1);
	assert_int_equal(fiber_park((struct mono){ 0 }), -1);
}

static void
test_deadline(void **state)
{
	(void)state;
	on_core(body_deadline);
}

static void
body_sleep(void *arg)
{
	struct mono until = in_ms(5);

	(void)arg;
	assert_int_equal(fiber_go("waker", wake_arg, fiber_self()), 0);
	fiber_sleep(until);
	assert_false(mono_is_before(clock_mono(), until));
	/* the wake that came meanwhile was not lost */
	assert_int_equal(fiber_park(in_ms(60000)), 0);
}

static void
test_sleep(void **state)
{
	(void)state;
	on_core(body_sleep);
}

static void
sleep_and_tell(void *arg)
{
	const char *digit = arg;

	fiber_sleep(in_ms(2 * (*digit - '0')));
	tell(*digit);
}

static void
body_timers(void *arg)
{
	(void)arg;
	forget();
	for (const char *d = "5192836047"; *d != '\0'; d++)
		assert_int_equal(fiber_go("sleeper", sleep_and_tell,
		    (void *)(uintptr_t)d), 0);
}

static void
test_timers(void **state)
{
	(void)state;
	on_core(body_timers);
	assert_string_equal(told, "0123456789");
}

static void
set_error(void *arg)
{
	(void)arg;
	assert_string_equal(err_text(), "");
	err_set("trail of the other");
	errno = EBUSY;
	fiber_yield();
	assert_int_equal(errno, EBUSY);
	assert_string_equal(err_text(), "trail of the other");
}

static void
body_trails(void *arg)
{
	(void)arg;
	err_set("mine");
	errno = ENOSPC;
	assert_int_equal(fiber_go("other", set_error, NULL), 0);
	fiber_yield();
	assert_int_equal(errno, ENOSPC);
	fiber_yield();
	assert_string_equal(err_text(), "mine");
}

static void
test_trails(void **state)
{
	(void)state;
	on_core(body_trails);
	assert_null(fiber_self());
}

enum { MANY = 3000 };

static void
nothing(void *arg)
{
	(void)arg;
}

static void
body_many(void *arg)
{
	struct fiber_stats stats;

	(void)arg;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < MANY; i++)
			assert_int_equal(fiber_go("many", nothing, NULL), 0);
		fiber_yield();
		stats = fiber_stats();
		assert_int_equal(stats.fibers, 1);
		assert_int_equal(stats.peak, MANY + 1);
	}
	assert_true(stats.switches >= 2 * MANY);
}

static void
test_many(void **state)
{
	(void)state;
	on_core(body_many);
}

static void
use_stack(void *arg)
{
	volatile char room[3000];
	const int *times = arg;
	int less = *times - 1;

	for (size_t i = 0; i < sizeof room; i++)
		room[i] = 1;
	if (less > 0)
		use_stack(&less);
	assert_int_equal(room[7], 1);
}

static void
body_watermark(void *arg)
{
	int times = 8;
	struct fiber_stats stats;

	(void)arg;
	assert_int_equal(fiber_go("deep one", use_stack, &times), 0);
	fiber_yield();
	stats = fiber_stats();
	assert_true(stats.stack_high > 24000);
	assert_string_equal(stats.stack_high_name, "deep one");
}

static void
test_watermark(void **state)
{
	(void)state;
	on_core(body_watermark);
}

/* ---- permits ---- */

static struct permit permit;

static void
take_and_tell(void *arg)
{
	const char *c = arg;

	assert_int_equal(permit_take(&permit, in_ms(60000)), 0);
	tell(*c);
	fiber_yield();
	permit_give(&permit);
}

static void
take_late(void *arg)
{
	(void)arg;
	assert_int_equal(permit_take(&permit, in_ms(1)), -1);
	tell('L');
}

static void
body_permits(void *arg)
{
	(void)arg;
	forget();
	permit_init(&permit, 2);
	assert_true(permit_try(&permit));
	assert_int_equal(permit_take(&permit, MONO_NEVER), 0);
	assert_false(permit_try(&permit));
	assert_int_equal(fiber_go("late", take_late, NULL), 0);
	fiber_yield();
	for (const char *c = "abcd"; *c != '\0'; c++)
		assert_int_equal(fiber_go("taker", take_and_tell,
		    (void *)(uintptr_t)c), 0);
	fiber_sleep(in_ms(5));
	assert_string_equal(told, "L");
	permit_give(&permit);
	permit_give(&permit);
	assert_false(permit_try(&permit));	/* others asked first */
	fiber_sleep(in_ms(1));
	assert_string_equal(told, "Labcd");
	assert_int_equal(permit.out, 0);
	permit_init(&permit, 0);
	assert_false(permit_try(&permit));
	assert_int_equal(permit_take(&permit, in_ms(1)), -1);
}

static void
test_permits(void **state)
{
	(void)state;
	on_core(body_permits);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_wake_first),
		cmocka_unit_test(test_wake_at_deadline),
		cmocka_unit_test(test_yield_keeps_wake),
		cmocka_unit_test(test_deadline),
		cmocka_unit_test(test_sleep),
		cmocka_unit_test(test_timers),
		cmocka_unit_test(test_trails),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_watermark),
		cmocka_unit_test(test_permits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
