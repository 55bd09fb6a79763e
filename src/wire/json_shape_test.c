#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/json_shape.h"

static void
shapes(void **state)
{
	static const struct { const char *text; size_t depth, values; } rows[] = {
		{ "", 0, 1 }, { "1", 0, 1 }, { "{}", 1, 2 }, { "[1,2]", 1, 3 },
		{ "{\"a\":[[]],\"b\":\"[[[[,,\"}", 3, 5 },
		{ "\"\\\"[\"", 0, 1 }, { "]]][", 1, 2 }, { "\"[", 0, 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct json_shape s = json_shape(str_of(rows[i].text));

		assert_int_equal(s.depth, rows[i].depth);
		assert_int_equal(s.values, rows[i].values);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(shapes) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
