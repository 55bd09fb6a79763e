#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/arc.h"

static void
fields_are_known_by_name(void **state)
{
	(void)state;
	assert_int_equal(arc_kind(STR("ARC-Seal")), ARC_SEAL);
	assert_int_equal(arc_kind(STR("arc-message-signature")), ARC_SIGNATURE);
	assert_int_equal(arc_kind(STR("ARC-AUTHENTICATION-RESULTS")),
	    ARC_RESULTS);
	assert_int_equal(arc_kind(STR("ARC-Sea")), ARC_KINDS);
	assert_int_equal(arc_kind(STR("ARC-Seals")), ARC_KINDS);
	assert_int_equal(arc_kind(STR("")), ARC_KINDS);
	assert_string_equal(arc_result_name(ARC_NONE), "none");
	assert_string_equal(arc_result_name(ARC_PASS), "pass");
	assert_string_equal(arc_result_name(ARC_FAIL), "fail");
}

static void
results_have_an_instance(void **state)
{
	static const struct {
		const char *value;
		unsigned instance;	/* 0: refused */
		const char *results;
	} list[] = {
		{ " i=1; a.example; spf=pass", 1, "a.example; spf=pass" },
		{ "i=1;", 1, "" },
		{ "\r\n i = 2 ;\r\n\ta.example;\r\n spf=none\r\n", 2,
		    "a.example;\r\n spf=none" },
		{ " (c) i (c) = (c) 3 (c) ; x", 3, "x" },
		{ "i=49;x", 49, "x" },
		{ "i=50;x", 50, "x" },
		{ "i=01;x", 1, "x" },
		{ "i=51;x", 0, NULL },
		{ "i=0;x", 0, NULL },
		{ "i=00;x", 0, NULL },
		{ "i=001;x", 0, NULL },
		{ "i=;x", 0, NULL },
		{ "i=1", 0, NULL },
		{ "i=1x;", 0, NULL },
		{ "i=-1;x", 0, NULL },
		{ "I=1;x", 0, NULL },
		{ "a.example; i=1; spf=pass", 0, NULL },
		{ "(never ends i=1; x", 0, NULL },
		{ "", 0, NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		unsigned instance = 0;
		struct str results = STR_NONE;
		const char *why = arc_results_read(str_of(list[i].value),
		    &instance, &results);

		if ((why == NULL) != (list[i].instance > 0))
			fail_msg("%s: %s", list[i].value, why);
		if (why != NULL)
			continue;
		assert_int_equal(instance, list[i].instance);
		if (!str_eq(results, str_of(list[i].results)))
			fail_msg("%s: " STR_FMT, list[i].value, STR_ARG(results));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields_are_known_by_name),
		cmocka_unit_test(results_have_an_instance),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
