#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/reason.h"

static void
reasons_are_found(void **state)
{
	static const struct {
		const char *esc;
		int code;
		const char *name, *kind;
	} rows[] = {
		{ "5.1.1", 550, "no_mailbox", "hard" },
		{ "4.1.1", 450, "no_mailbox", "soft" },
		{ "5.1.10", 556, "no_mail", "hard" },
		{ "5.1.3", 501, "bad_address", "hard" },
		{ "5.4.4", 0, "no_route", "hard" },
		{ "4.4.4", 0, "no_route", "soft" },
		{ "2.1.5", 250, "bad_address", "soft" },
		{ "5.2.2", 552, "full", "soft" },
		{ "4.4.7", 0, "expired", "soft" },
		{ "5.7.26", 550, "unproven", "soft" },
		{ "5.7.1", 550, "policy", "soft" },
		{ "5.0.0", 550, "bad_address", "hard" },
		{ "5.0.0", 554, "unknown", "soft" },
		{ "4.0.0", 451, "unknown", "soft" },
		{ "", 553, "bad_address", "hard" },
		{ "", 0, "unknown", "soft" },
		{ "5.9.9", 550, "unknown", "soft" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct esc e = ESC_NONE;
		const struct reason *r;

		(void)esc_parse(str_of(rows[i].esc), &e);
		r = reason_find(e, rows[i].code);
		assert_string_equal(r->name, rows[i].name);
		assert_string_equal(reason_kind(r, e), rows[i].kind);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reasons_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
