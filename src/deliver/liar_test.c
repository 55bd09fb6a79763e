#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "deliver/liar.h"

static struct address
host(unsigned n)
{
	struct address a = { .family = ADDRESS_V4, .port = 25 };

	a.of.ip[0] = 192;
	a.of.ip[3] = (unsigned char)n;
	return a;
}

static struct mono
at(int64_t seconds)
{
	return (struct mono){ seconds * NS_PER_SECOND };
}

static void
test_recalled(void **state)
{
	static struct liars l;
	struct address a = host(1), other = host(2), door = host(1);
	struct address path = { .family = ADDRESS_UNIX, .of.path = "/run/a" };
	struct address path2 = { .family = ADDRESS_UNIX, .of.path = "/run/b" };

	(void)state;
	door.port = 26;
	liar_note(&l, at(1), &a, 0);
	assert_int_equal(liar_recall(&l, at(1), &a), 0);
	liar_note(&l, at(1), &a, 4);
	liar_note(&l, at(5), &a, 1);
	assert_int_equal(liar_recall(&l, at(6), &a), 5);
	assert_int_equal(liar_recall(&l, at(6), &other), 0);
	assert_int_equal(liar_recall(&l, at(6), &door), 0);
	liar_note(&l, at(6), &path, 2);
	assert_int_equal(liar_recall(&l, at(6), &path), 2);
	assert_int_equal(liar_recall(&l, at(6), &path2), 0);
	assert_int_equal(liar_recall(&l, at(5 + LIAR_HOURS * 3600 - 1), &a), 5);
	assert_int_equal(liar_recall(&l, at(5 + LIAR_HOURS * 3600), &a), 0);
}

static void
test_oldest_goes(void **state)
{
	static struct liars l;
	struct address a;

	(void)state;
	for (unsigned i = 0; i <= LIARS_MOST; i++) {
		a = host(i);
		liar_note(&l, at(i + 1), &a, 1);
	}
	for (unsigned i = 0; i <= LIARS_MOST; i++) {
		a = host(i);
		assert_int_equal(liar_recall(&l, at(100), &a), i != 0);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_recalled),
		cmocka_unit_test(test_oldest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
