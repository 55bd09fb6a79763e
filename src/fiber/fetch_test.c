/* What is asked and what is made of answers, over pages of the simulator. */
#include "base/err.h"
#include "fiber/test_core.h"

#include "fiber/fetch.h"
#include "fiber/fetch_job.h"
#include "fiber/world_sim.h"

#include <stdio.h>

static const char zone[] =
    "a.example IN A 192.0.2.1\n"
    "a.example IN A 192.0.2.2\n"
    "a.example IN AAAA 2001:db8::1\n"
    "six.example IN AAAA 2001:db8::2\n"
    "bare.example IN TXT \"no address\"\n"
    "lame.example SERVFAIL\n";

static char seen[512];

static unsigned
serve(const struct fetch_job *j, struct buf *head, struct buf *body)
{
	snprintf(seen, sizeof seen, "%s|%s|%.*s|%s", j->places == NULL ? "-" :
	    j->places, j->n_lines > 0 ? j->lines[0] : "", STR_ARG(j->body),
	    j->n_lines > 1 ? j->lines[1] : "");
	buf_put(head, STR("Replay-Nonce: abc \r\n"));
	buf_put(body, j->method == FETCH_POST ? STR("posted") : STR("got"));
	return 201;
}

static const struct sim_web_page pages[] = {
	{ "https://a.example/x", 200, "Content-Type: text/plain\r\nx: 1\r\n"
	    "X: 2\r\n", "hello", 0, NULL },
	{ "http://a.example:8080/", 200, "", "clear", 0, NULL },
	{ "https://a.example/gone", 404, "", "", 0, NULL },
	{ "https://a.example/bad", 0, NULL, NULL, FETCH_CERTIFICATE, NULL },
	{ "https://a.example/api/", 0, NULL, NULL, 0, serve },
	{ "https://six.example/", 200, "", "6", 0, NULL },
	{ "https://192.0.2.9:444/api", 0, NULL, NULL, 0, serve },
	{ "https://[2001:db8::9]/api", 0, NULL, NULL, 0, serve },
};

static struct arena arena;
static struct fetch_answer answer;

static yields int
get(const char *url)
{
	struct fetch_ask ask = { .url = str_of(url), .body_most = 5,
		.deadline = in_ms(60000), .arena = &arena };

	return fetch(&ask, &answer);
}

static void
body_answers(void *arg)
{
	(void)arg;
	assert_int_equal(get("https://a.example/x"), 0);
	assert_int_equal(answer.status, 200);
	assert_true(str_eq(answer.body, STR("hello")));
	assert_true(str_eq(fetch_field(&answer, STR("content-type")),
	    STR("text/plain")));
	assert_true(str_eq(fetch_field(&answer, STR("X")), STR("1")));
	assert_null(fetch_field(&answer, STR("y")).p);
	assert_int_equal(get("https://a.example/gone"), 0);
	assert_int_equal(answer.status, 404);
	assert_int_equal(get("https://six.example/"), 0);
}

static void
body_troubles(void *arg)
{
	struct { const char *url; enum fetch_trouble is; } list[] = {
		{ "https://a.example/bad", FETCH_CERTIFICATE },
		{ "https://a.example/none", FETCH_UNREACHED },
		{ "https://no.example/", FETCH_NAME },
		{ "https://bare.example/", FETCH_NAME },
		{ "https://lame.example/", FETCH_NAME },
		{ "http://a.example:8080/", FETCH_MISUSED },
		{ "ftp://a.example/", FETCH_MISUSED },
		{ "", FETCH_MISUSED },
		{ "https://", FETCH_MISUSED },
		{ "https://a b.example/", FETCH_MISUSED },
		{ "https://u@a.example/x", FETCH_MISUSED },
		{ "https://a.example:0/", FETCH_MISUSED },
		{ "https://a.example:65536/", FETCH_MISUSED },
		{ "https://a.example/\r\nx", FETCH_MISUSED },
		{ "https://a.example/#x", FETCH_MISUSED },
		{ "https://[192.0.2.1]/", FETCH_MISUSED },
		{ "https://[2001:db8::9/", FETCH_MISUSED },
		{ "https://[2001:db8::9]x/", FETCH_MISUSED },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		assert_int_equal(get(list[i].url), -1);
		assert_int_equal(answer.trouble, list[i].is);
		assert_true(err_text()[0] != '\0');
	}
}

static void
body_request(void *arg)
{
	static const struct fetch_header headers[] = {
		{ STR_INIT("Content-Type"), STR_INIT("application/jose+json") },
		{ STR_INIT("X-Empty"), STR_INIT("") },
	};
	static const struct fetch_header bad[] = {
		{ STR_INIT("A"), STR_INIT("b\r\nEvil: 1") },
	};
	struct fetch_ask ask = { .url = STR("https://a.example/api/new"),
		.method = FETCH_POST, .body = STR("{}"), .headers = headers,
		.n_headers = 2, .body_most = 6, .deadline = in_ms(60000),
		.arena = &arena };

	(void)arg;
	assert_int_equal(fetch(&ask, &answer), 0);
	assert_int_equal(answer.status, 201);
	assert_true(str_eq(answer.body, STR("posted")));
	assert_true(str_eq(fetch_field(&answer, STR("replay-nonce")),
	    STR("abc")));
	assert_string_equal(seen, "a.example:443:192.0.2.1,192.0.2.2,"
	    "[2001:db8::1]|Content-Type: application/jose+json|{}|X-Empty;");
	ask.body_most = 5;
	assert_int_equal(fetch(&ask, &answer), -1);
	assert_int_equal(answer.trouble, FETCH_BIG);
	ask.headers = bad;
	ask.n_headers = 1;
	assert_int_equal(fetch(&ask, &answer), -1);
	assert_int_equal(answer.trouble, FETCH_MISUSED);
	ask.deadline = in_ms(-1);
	ask.n_headers = 0;
	ask.url = STR("https://[2001:db8::9]/api");
	assert_int_equal(fetch(&ask, &answer), -1);
	assert_int_equal(answer.trouble, FETCH_LATE);
	assert_int_equal(get("https://192.0.2.9:444/api"), 0);
	assert_true(str_has_prefix_icase(str_of(seen), STR("-|")));
	assert_int_equal(get("https://[2001:db8::9]/api"), 0);
}

static void
body_plain(void *arg)
{
	struct fetch_ask ask = { .url = STR("http://a.example:8080/"),
		.may_be_plain = true, .body_most = 5,
		.deadline = in_ms(60000), .arena = &arena };

	(void)arg;
	assert_int_equal(fetch(&ask, &answer), 0);
	assert_true(str_eq(answer.body, STR("clear")));
	ask.method = FETCH_HEAD;
	assert_int_equal(fetch(&ask, &answer), 0);
	assert_int_equal(answer.body.n, 0);
}

/* A session's arena is full one day. */
static void
body_memory(void *arg)
{
	struct arena small;
	struct fetch_ask ask = { .url = STR("https://a.example/x"),
		.body_most = 5, .deadline = in_ms(60000), .arena = &small };

	(void)arg;
	arena_init(&small, 8 * 1024);
	assert_int_equal(fetch(&ask, &answer), -1);
	assert_int_equal(answer.trouble, FETCH_BUSY);
	arena_clear(&small);
}

static void
run(yields void (*body)(void *))
{
	sim_begin(1);
	assert_int_equal(sim_zone(str_of(zone)), 0);
	sim_web(pages, sizeof pages / sizeof *pages);
	arena_init(&arena, 4 * 1024 * 1024);
	on_core(body);
	arena_clear(&arena);
}

static void
test_answers(void **state)
{
	(void)state;
	assert_int_equal(fetch_prepare(), 0);
	run(body_answers);
}

static void
test_troubles(void **state)
{
	(void)state;
	run(body_troubles);
}

static void
test_request(void **state)
{
	(void)state;
	run(body_request);
}

static void
test_plain(void **state)
{
	(void)state;
	run(body_plain);
}

static void
test_memory(void **state)
{
	(void)state;
	run(body_memory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_troubles),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
