#include "policy/schema.h"
#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static void
test_is_sorted(void **state)
{
	(void)state;
	for (size_t i = 1; i < schema_n; i++)
		if (str_order(str_of(schema_rows[i - 1].path),
		    str_of(schema_rows[i].path)) >= 0)
			fail_msg("%s stands before %s", schema_rows[i - 1].path,
			    schema_rows[i].path);
}

static void
test_finds_each_row(void **state)
{
	(void)state;
	for (size_t i = 0; i < schema_n; i++)
		assert_ptr_equal(schema_find(str_of(schema_rows[i].path)),
		    &schema_rows[i]);
	assert_null(schema_find(STR("")));
	assert_null(schema_find(STR("zzz")));
	assert_null(schema_find(STR("limits.siz")));
}

/* A key without its section would be out of reach. */
static void
test_has_all_sections(void **state)
{
	(void)state;
	for (size_t i = 0; i < schema_n; i++) {
		const struct schema *row = &schema_rows[i];
		struct str path = str_of(row->path);
		struct str above = str_sub(path, 0, str_find_last(path, '.'));
		const struct schema *up;

		assert_true(row->doc != NULL && strlen(row->doc) > 5);
		if (above.n == path.n || str_find(path, '=') < path.n)
			continue;
		up = schema_find(above);
		assert_non_null(up);
		assert_true(up->kind == SCHEMA_SECTION ||
		    up->kind == SCHEMA_EACH);
	}
}

static void
test_walks_what_is_below(void **state)
{
	static const struct { const char *path, *all; } cases[] = {
		{ "control", "group socket " },
		{ "listen", "listen[] " },
		{ "domains", "* " },
		{ "route[].if", "header rcpt_domain sender_domain tenant " },
		{ "timeouts", "client dns pipe server stop " },
		{ "hostname", "" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct str path = str_of(cases[i].path);
		char room[512];
		struct buf b = BUF_OF(room);

		for (const struct schema *row = schema_first(path); row != NULL;
		    row = schema_next(path, row)) {
			buf_put(&b, schema_name(row));
			buf_putc(&b, ' ');
		}
		buf_putc(&b, '\0');
		assert_string_equal(room, cases[i].all);
	}
}

static void
test_takes_paths_as_people_write_them(void **state)
{
	static const struct { const char *loose, *path; } cases[] = {
		{ "hostname", "hostname" }, { "limits", "limits" },
		{ "limits.size", "limits.size" },
		{ "listen.port", "listen[].port" },
		{ "listen[0].port", "listen[].port" },
		{ "listen[].port", "listen[].port" },
		{ "listen[2]", "listen[]" }, { "listen", "listen" },
		{ "route[1].if.rcpt_domain", "route[].if.rcpt_domain" },
		{ "route.relay", "route[].relay" },
		{ "domains.example.org.users", "domains.*.users" },
		{ "domains.example.org", "domains.*" },
		{ "domains.example.org.deliver.lmtp",
		    "domains.*.deliver.lmtp" },
		{ "domains.example.org.deliver", "domains.*.deliver" },
		{ "transports.sieve.pipe", "transports.*.pipe" },
		{ "timeouts.client.end", "timeouts.client.end" },
		{ "inbound.limits.size", "limits.size" },
		{ "limits.sice", NULL }, { "no", NULL }, { "limits.", NULL },
		{ "listen.port.x", NULL }, { ".", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct schema *row = schema_find_loose(
		    str_of(cases[i].loose));

		if (cases[i].path == NULL)
			assert_null(row);
		else
			assert_string_equal(row == NULL ? "none" : row->path,
			    cases[i].path);
	}
}

static void
test_guesses(void **state)
{
	static const struct { const char *below, *name, *path; } cases[] = {
		{ "", "hostnam", "hostname" }, { "", "Hostname", "hostname" },
		{ "", "hsotname", "hostname" }, { "", "domain", "domains" },
		{ "limits", "sise", "limits.size" },
		{ "listen[]", "prot", "listen[].port" },
		{ "domains.*", "catchall", "domains.*.catch_all" },
		{ "", "retry", "outbound.retry" },
		{ "", "catch_all", "domains.*.catch_all" },
		{ "", "port", NULL },		/* two have that name */
		{ "", "frobnicate", NULL }, { "limits", "x", NULL },
		{ "", "", NULL },
		{ "", "a-name-of-more-than-thirty-two-octets", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct schema *row = schema_guess(str_of(cases[i].below),
		    str_of(cases[i].name));

		assert_string_equal(row == NULL ? "none" : row->path,
		    cases[i].path == NULL ? "none" : cases[i].path);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_sorted),
		cmocka_unit_test(test_finds_each_row),
		cmocka_unit_test(test_has_all_sections),
		cmocka_unit_test(test_walks_what_is_below),
		cmocka_unit_test(test_takes_paths_as_people_write_them),
		cmocka_unit_test(test_guesses),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
