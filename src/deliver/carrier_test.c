#include "deliver/carrier.h"

#include "base/err.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void
verdict_is(struct verdict v, const char *want)
{
	static const char *const names[] = { [DELIVERED] = "delivered",
	    [DEFERRED] = "deferred", [FAILED] = "failed" };
	char said[VERDICT_TEXT + 64];

	snprintf(said, sizeof said, "%s %s %s",
	    names[v.disposition], esc_print(v.esc).text, v.text);
	assert_string_equal(said, want);
}

static void
test_exits(void **state)
{
	static const struct {
		unsigned status;
		const char *words, *want;
	} cases[] = {
		{ 0, "", "delivered 2.0.0 delivered to command" },
		{ 0, "5.7.1 no", "delivered 2.0.0 delivered to command" },
		{ 64, "", "failed 5.3.5 the command exited with 64: it was "
			"called wrongly" },
		{ 65, "", "failed 5.6.0 the command exited with 65: it did not "
			"like the message" },
		{ 67, " nobody \n", "failed 5.1.1 nobody" },
		{ 69, "x", "failed 5.3.0 x" },
		{ 71, "x", "deferred 4.3.0 x" },
		{ 74, "x", "deferred 4.3.0 x" },
		{ 75, "x\ty\r\nz\n", "deferred 4.3.0 x y  z" },
		{ 75, "4.2.2 full", "deferred 4.2.2 full" },
		{ 75, "5.2.2 full", "deferred 4.3.0 full" },
		{ 77, "5.7.1 no", "failed 5.7.1 no" },
		{ 77, "4.7.1 no", "failed 5.7.0 no" },
		{ 78, "x", "failed 5.3.5 x" },
		{ 1, "", "failed 5.3.0 the command exited with 1: it failed" },
		{ 79, "x", "failed 5.3.0 x" }, { 127, "x", "failed 5.3.0 x" },
		{ 255, "\x01\x1b[2J\xff", "failed 5.3.0 ??[2J?" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		verdict_is(carrier_exit(cases[i].status,
		    str_of(cases[i].words)), cases[i].want);
}

static void
test_trouble(void **state)
{
	(void)state;
	err_set("why");
	verdict_is(carrier_trouble(ENOSPC),
	    "deferred 4.2.2 the mailbox is full: why");
	verdict_is(carrier_trouble(EDQUOT),
	    "deferred 4.2.2 the mailbox is full: why");
	verdict_is(carrier_trouble(EIO),
	    "deferred 4.3.0 the mailbox could not be written: why");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exits),
		cmocka_unit_test(test_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
