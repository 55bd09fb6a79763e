#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "queue/sentinel.h"

static struct sentinel s;
static const struct wall noon = { INT64_C(1795000000) * 1000000 };

static struct mono
at_hour(int64_t h)
{
	return (struct mono){ NS_PER_SECOND * (1 + 3600 * h) };
}

static const struct sentinel_class *
note(const char *words, uint64_t host)
{
	return sentinel_note(&s, at_hour(0), noon, str_of(words), host);
}

static unsigned
alive(int64_t hour)
{
	size_t at = 0;
	unsigned n = 0;

	while (sentinel_next(&s, at_hour(hour), &at) != NULL)
		n++;
	return n;
}

/* Told at five, at ten, at twenty; the same host counts once. */
static void
test_told(void **state)
{
	unsigned told = 0;

	(void)state;
	s = (struct sentinel){ 0 };
	for (uint64_t h = 1; h <= 20; h++) {
		const struct sentinel_class *c = note("dh key too small", h);

		assert_null(note("dh key too small", h));
		assert_true((c != NULL) == (h == 5 || h == 10 || h == 20));
		told += c != NULL;
	}
	assert_int_equal(told, 3);
	assert_int_equal(alive(0), 1);
	assert_int_equal(s.classes[0].failures, 40);
	assert_int_equal(s.classes[0].since.us, noon.us);
}

static void
test_well(void **state)
{
	(void)state;
	s = (struct sentinel){ 0 };
	assert_null(note("lost", 1));
	assert_null(note("lost", 2));
	assert_null(note("late", 1));
	assert_int_equal(alive(0), 2);
	sentinel_well(&s, 1);
	assert_int_equal(alive(0), 1);
	sentinel_well(&s, 2);
	sentinel_well(&s, 3);
	assert_int_equal(alive(0), 0);
}

static void
test_forgets(void **state)
{
	(void)state;
	s = (struct sentinel){ 0 };
	assert_null(note("lost", 1));
	assert_int_equal(alive(SENTINEL_HOURS - 1), 1);
	assert_int_equal(alive(SENTINEL_HOURS + 1), 0);
}

static void
test_bounds(void **state)
{
	char words[2 * SENTINEL_WORDS];

	(void)state;
	s = (struct sentinel){ 0 };
	for (uint64_t h = 1; h <= SENTINEL_KNOWN + 10; h++)
		(void)note("lost", h);
	assert_int_equal(s.classes[0].n, SENTINEL_KNOWN);
	for (int i = 0; i < 3 * SENTINEL_CLASSES; i++) {
		(void)snprintf(words, sizeof words, "class %d", i);
		(void)sentinel_note(&s, at_hour(1), noon, str_of(words), 7);
	}
	assert_int_equal(alive(1), SENTINEL_CLASSES);
	memset(words, 'x', sizeof words);
	assert_null(sentinel_note(&s, at_hour(2), noon,
	    (struct str){ words, sizeof words }, 1));
	assert_null(note("", 1));
}

static void
test_offer(void **state)
{
	(void)state;
	s = (struct sentinel){ 0 };
	assert_false(sentinel_offer(&s, 9, false));
	assert_false(sentinel_offer(&s, 9, true));
	assert_false(sentinel_offer(&s, 9, true));
	assert_true(sentinel_offer(&s, 9, false));
	assert_false(sentinel_offer(&s, 9, false));
	/* another takes the place: nothing is said of the first any more */
	assert_false(sentinel_offer(&s, 9, true));
	assert_false(sentinel_offer(&s, 9 + SENTINEL_OFFERED, true));
	assert_false(sentinel_offer(&s, 9, false));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_well),
		cmocka_unit_test(test_forgets),
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_offer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
