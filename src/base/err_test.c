#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include <errno.h>
#include <string.h>

static int
setup(void **state)
{
	(void)state;
	err_use(NULL);
	err_clear();
	return 0;
}

static void
test_a_trail(void **state)
{
	(void)state;
	assert_string_equal(err_text(), "");
	errno = ENOSPC;
	assert_int_equal(err_set("open %s: %m", "spool/7"), -1);
	assert_int_equal(errno, ENOSPC);
	assert_string_equal(err_text(), "open spool/7: No space left on device");
	assert_int_equal(err_add("recovering segment %u", 7u), -1);
	assert_string_equal(err_text(),
	    "recovering segment 7: open spool/7: No space left on device");
	err_set("%s", "new trouble");
	assert_string_equal(err_text(), "new trouble");
	err_clear();
	assert_string_equal(err_text(), "");
	err_add("alone");
	assert_string_equal(err_text(), "alone");
}

/* What does not fit is cut at the far end; the newest words stay whole. */
static void
test_room(void **state)
{
	char line[ERR_ROOM + 10];

	(void)state;
	for (size_t n = ERR_ROOM - 2; n <= ERR_ROOM; n++) {
		memset(line, 'x', n);
		line[n] = '\0';
		err_set("%s", line);
		assert_int_equal(strlen(err_text()),
		    n < ERR_ROOM ? n : ERR_ROOM - 1);
	}
	err_add("why");
	assert_int_equal(strlen(err_text()), ERR_ROOM - 1);
	assert_memory_equal(err_text(), "why: xxx", 8);
	err_add("%s", line);
	assert_int_equal(strlen(err_text()), ERR_ROOM - 1);
}

static void
test_each_fiber_has_its_own(void **state)
{
	struct err_trail mine = { 0 }, yours = { 0 };

	(void)state;
	err_set("the thread's");
	err_use(&mine);
	assert_string_equal(err_text(), "");
	err_set("mine");
	err_use(&yours);
	err_set("yours");
	err_use(&mine);
	assert_string_equal(err_text(), "mine");
	err_use(NULL);
	assert_string_equal(err_text(), "the thread's");
	assert_string_equal(yours.text, "yours");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_a_trail, setup),
		cmocka_unit_test_setup(test_room, setup),
		cmocka_unit_test_setup(test_each_fiber_has_its_own, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
