#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>

#include "base/buf.h"
#include "wire/tls_rpt_read.h"

enum { ROOM = TLS_READ_OCTETS + 1024 };

static struct arena arena;
static size_t n_told;
static size_t room_for;
static char *room;

static int
policy_count(void *arg, const struct tls_rpt_policy *p,
    const struct tls_rpt_failure *f)
{
	(void)arg;
	(void)p;
	(void)f;
	return n_told++ == room_for ? -1 : 0;
}

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena, TLS_READ_MEMORY);
	room = test_malloc(ROOM);
	room_for = SIZE_MAX;
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_clear(&arena);
	test_free(room);
	return 0;
}

static const char *
read_why(struct str text)
{
	struct tls_rpt_listener l = { policy_count, NULL };
	struct tls_rpt t;
	const char *why;

	n_told = 0;
	return tls_rpt_read(text, &arena, &l, &t, &why) == 0 ? "" : why;
}

static void
says(struct str text, const char *want)
{
	const char *why = read_why(text);

	if (want[0] == '\0' ? why[0] != '\0' : strstr(why, want) == NULL)
		fail_msg("'%s', not '%s'", why, want);
	arena_clear(&arena);
}

#define HEAD "{\"organization-name\":\"o\",\"report-id\":\"1\"," \
	"\"date-range\":{\"start-datetime\":\"2026-01-01T00:00:00Z\"," \
	"\"end-datetime\":\"2026-01-02T00:00:00Z\"},\"policies\":["
#define POLICY "{\"policy\":{},\"summary\":{}"

static void
repeated(const char *head, const char *piece, size_t n, const char *tail,
    const char *want)
{
	struct buf b = { .p = room, .cap = ROOM };

	buf_put(&b, str_of(head));
	for (size_t i = 0; i < n; i++)
		buf_put(&b, str_of(piece));
	buf_put(&b, str_of(tail));
	assert_false(b.full);
	says(buf_str(&b), want);
}

static void
limits(void **state)
{
	(void)state;
	repeated(HEAD POLICY ",\"failure-details\":[{}", ",{}",
	    TLS_READ_FAILURES - 2, "]}]}", "");
	assert_int_equal(n_told, TLS_READ_FAILURES);
	repeated(HEAD POLICY ",\"failure-details\":[{}", ",{}",
	    TLS_READ_FAILURES - 1, "]}]}", "20,000");
	/* HEAD opens two. */
	repeated(HEAD POLICY ",\"x\":", "[", TLS_READ_DEPTH - 3,
	    "]]]]]]]]]]]]]}]}", "");
	repeated(HEAD POLICY ",\"x\":", "[", TLS_READ_DEPTH - 2,
	    "]]]]]]]]]]]]]]}]}", "too deep");
	repeated(HEAD, "1,", TLS_READ_VALUES, "1]}", "100,000");
	repeated("{\"organization-name\":\"", "x", TLS_READ_TEXT, "\"}",
	    "no \"policies\"");
	repeated("{\"organization-name\":\"", "x", TLS_READ_TEXT + 1, "\"}",
	    "too long");
	repeated(HEAD "]}", " ", TLS_READ_OCTETS, "", "2 MiB");
}

static void
sloppy(void **state)
{
	(void)state;
	says(STR(HEAD "]}"), "");
	says(STR(HEAD "{\"policy\":{\"policy-type\":\"new\",\"mx-host\":\"a\","
	    "\"policy-string\":\"b\"},\"summary\":{}}]}"), "");
	says(STR(HEAD "1]}"), "lacks itself");
	says(STR(HEAD POLICY ",\"failure-details\":[1]}]}"), "no object");
	says(STR(HEAD "{\"policy\":{},\"summary\":"
	    "{\"total-failure-session-count\":-1}}]}"), "no number");
	says(STR(HEAD "{\"policy\":{},\"summary\":"
	    "{\"total-failure-session-count\":\"1\"}}]}"), "no number");
	says(STR("{\"a\":1,\"a\":2}"), "no JSON");
	says(STR("{\"policies\":[]}"), "lacks who");
	says(STR("[]"), "no \"policies\"");
	says(STR(""), "no JSON");
	room_for = 0;
	says(STR(HEAD POLICY "}]}"), "no room");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(limits, setup, teardown),
		cmocka_unit_test_setup_teardown(sloppy, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
