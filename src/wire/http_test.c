#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "wire/http.h"

#define GET "GET /v1/status HTTP/1.1\r\nHost: a\r\n"
#define POST "POST /x HTTP/1.1\r\nHost: a\r\n"

static struct http_head head;

/* What a request comes to: 200 for a whole one, 0 for more. */
static unsigned
answer_to(struct str bytes)
{
	size_t used = 77;
	enum http_step step = http_request(bytes, &head, &used);

	if (step == HTTP_MORE)
		return 0;
	if (step == HTTP_BAD)
		return head.status;
	assert_true(used <= bytes.n);
	return 200;
}

static void
heads_are_taken_apart(void **state)
{
	struct str all = STR("POST /a/b?c=%20&d HTTP/1.1\r\nHost: x\r\n"
	    "content-LENGTH: 12\r\nX-Empty:\r\nX:\t a\tb \xff\r\n"
	    "Expect: 100-Continue\r\n\r\nbody of 12 o");
	size_t used = 0;

	(void)state;
	assert_int_equal(http_request(all, &head, &used), HTTP_DONE);
	assert_true(str_eq(str_sub(all, used, all.n), STR("body of 12 o")));
	assert_true(str_eq(head.method, STR("POST")));
	assert_true(str_eq(head.path, STR("/a/b")));
	assert_true(str_eq(head.query, STR("c=%20&d")));
	assert_true(head.has_length && head.length == 12);
	assert_true(head.keeps_alive && head.expects_continue);
	assert_false(head.is_chunked || head.is_1_0);
	assert_int_equal(head.n, 5);
	assert_true(str_eq(http_field(&head, STR("x")), STR("a\tb \xff")));
	assert_int_equal(http_field(&head, STR("X-empty")).n, 0);
	assert_null(http_field(&head, STR("Y")).p);
}

/* RFC 9112 2.2: one empty line; a second is no request. */
static void
empty_lines_before(void **state)
{
	static const struct { struct str all; enum http_step step; } rows[] = {
		{ STR_INIT("\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP_DONE },
		{ STR_INIT("\r\n\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP_BAD },
		{ STR_INIT("\nGET / HTTP/1.1\r\nHost: x\r\n\r\n"), HTTP_BAD },
		{ STR_INIT("\r"), HTTP_MORE }, { STR_INIT("\r\n"), HTTP_MORE },
		{ STR_INIT("\r\nGET"), HTTP_MORE },
	};
	static char room[HTTP_HEAD_MOST];
	size_t used = 0;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(http_request(rows[i].all, &head, &used),
		    rows[i].step);
		if (rows[i].step == HTTP_DONE)
			assert_int_equal(used, rows[i].all.n);
	}
	memset(room, 'x', sizeof room);
	memcpy(room, "\r\n", 2);
	for (size_t n = HTTP_HEAD_MOST - 1; n <= HTTP_HEAD_MOST; n++)
		assert_int_equal(http_request((struct str){ room, n }, &head,
		    &used), n == HTTP_HEAD_MOST ? HTTP_BAD : HTTP_MORE);
}

/* RFC 9112 9.3, 9.6 */
static void
connections_stay_or_end(void **state)
{
	static const struct { struct str head; bool stays; } rows[] = {
		{ STR_INIT(GET "\r\n"), true },
		{ STR_INIT(GET "Connection: close\r\n\r\n"), false },
		{ STR_INIT(GET "connection: x, CLOSE ,y\r\n\r\n"), false },
		{ STR_INIT(GET "Connection: x\r\nConnection: close\r\n\r\n"),
		    false },
		{ STR_INIT(GET "Connection: closed\r\n\r\n"), true },
		{ STR_INIT("GET / HTTP/1.0\r\n\r\n"), false },
		{ STR_INIT("GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n"),
		    true },
		{ STR_INIT("GET / HTTP/1.0\r\nConnection: keep-alive, close"
		    "\r\n\r\n"), false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(answer_to(rows[i].head), 200);
		assert_int_equal(head.keeps_alive, rows[i].stays);
	}
}

/* SECURITY.md row 34: whatever two readers could take for two different
 * things, and plain malformed heads. */
static void
what_could_be_smuggled_is_refused(void **state)
{
	static const struct { unsigned status; struct str head; } rows[] = {
		{ 400, STR_INIT(POST "Content-Length: 5\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n") },
		{ 400, STR_INIT(POST "Transfer-Encoding: chunked\r\n"
		    "Content-Length: 0\r\n\r\n") },
		{ 400, STR_INIT(POST "Content-Length: 5\r\n"
		    "Content-Length: 5\r\n\r\n") },
		{ 400, STR_INIT(POST "Content-Length: 5, 5\r\n\r\n") },
		{ 400, STR_INIT(POST "Content-Length: +5\r\n\r\n") },
		{ 400, STR_INIT(POST "Content-Length: -1\r\n\r\n") },
		{ 400, STR_INIT(POST "Content-Length: 0x5\r\n\r\n") },
		{ 400, STR_INIT(POST "Content-Length: 5 5\r\n\r\n") },
		{ 400, STR_INIT(POST "Content-Length:\r\n\r\n") },
		{ 400, STR_INIT(POST "Content-Length: 9223372036854775808"
		    "\r\n\r\n") },
		{ 400, STR_INIT(POST "Content-Length : 5\r\n\r\n") },
		{ 400, STR_INIT(POST "Content-Length\t: 5\r\n\r\n") },
		{ 400, STR_INIT(POST " Content-Length: 5\r\n\r\n") },
		{ 400, STR_INIT(POST "X: a\r\n folded: b\r\n\r\n") },
		{ 400, STR_INIT(POST "Transfer-Encoding: chunked\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n") },
		{ 501, STR_INIT(POST "Transfer-Encoding: gzip, chunked\r\n\r\n") },
		{ 501, STR_INIT(POST "Transfer-Encoding: chunked, x\r\n\r\n") },
		{ 501, STR_INIT(POST "Transfer-Encoding: xchunked\r\n\r\n") },
		{ 501, STR_INIT(POST "Transfer-Encoding: \"chunked\"\r\n\r\n") },
		{ 501, STR_INIT(POST "Transfer-Encoding:\r\n\r\n") },
		{ 400, STR_INIT("POST / HTTP/1.0\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n") },
		{ 400, STR_INIT(POST "X: a\nContent-Length: 5\r\n\r\n") },
		{ 400, STR_INIT(POST "X: a\rContent-Length: 5\r\n\r\n") },
		{ 400, STR_INIT("GET / HTTP/1.1\nHost: a\n\n") },
		{ 400, STR_INIT("GET / HTTP/1.1\r\nHost: a\r\n\n\r\n\r\n") },
		{ 400, STR_INIT(POST "X: \0\r\n\r\n") },
		{ 400, STR_INIT(POST "X: \x7f\r\n\r\n") },
		{ 400, STR_INIT(POST "X\0: a\r\n\r\n") },
		{ 400, STR_INIT(POST ": a\r\n\r\n") },
		{ 400, STR_INIT(POST "X\r\n\r\n") },
		{ 400, STR_INIT(POST "X(y): a\r\n\r\n") },
		{ 400, STR_INIT(POST "Host: b\r\n\r\n") },
		{ 400, STR_INIT("GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n") },
		{ 400, STR_INIT("GET / HTTP/1.1\r\n\r\n") },
		{ 400, STR_INIT("\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n") },
		{ 400, STR_INIT("GET  / HTTP/1.1\r\nHost: a\r\n\r\n") },
		{ 400, STR_INIT("GET /  HTTP/1.1\r\nHost: a\r\n\r\n") },
		{ 400, STR_INIT("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n") },
		{ 400, STR_INIT("GET /\r\n\r\n") },
		{ 400, STR_INIT("GET http://a/ HTTP/1.1\r\nHost: a\r\n\r\n") },
		{ 400, STR_INIT("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n") },
		{ 400, STR_INIT("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n") },
		{ 400, STR_INIT("GET /a?b=%zz HTTP/1.1\r\nHost: a\r\n\r\n") },
		{ 400, STR_INIT("GET /a%4 HTTP/1.1\r\nHost: a\r\n\r\n") },
		{ 400, STR_INIT("GET /a?b=% HTTP/1.1\r\nHost: a\r\n\r\n") },
		{ 400, STR_INIT("GET /\xc3\xbc HTTP/1.1\r\nHost: a\r\n\r\n") },
		{ 400, STR_INIT("G@T / HTTP/1.1\r\nHost: a\r\n\r\n") },
		{ 505, STR_INIT("GET / HTTP/1.1 \r\nHost: a\r\n\r\n") },
		{ 505, STR_INIT("GET / HTTP/2.0\r\nHost: a\r\n\r\n") },
		{ 505, STR_INIT("GET / http/1.1\r\nHost: a\r\n\r\n") },
		{ 400, STR_INIT("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n") },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (answer_to(rows[i].head) != rows[i].status)
			fail_msg("row %zu: %u, not %u", i,
			    answer_to(rows[i].head), rows[i].status);
}

/* Cut anywhere, a head is incomplete until its last octet; what follows does
 * not change it. */
static void
every_split_waits(void **state)
{
	struct str all = STR(POST "Content-Length: 3\r\nX: y\r\n\r\n");

	(void)state;
	for (size_t n = 0; n < all.n; n++)
		assert_int_equal(answer_to(str_sub(all, 0, n)), 0);
	assert_int_equal(answer_to(all), 200);
	assert_int_equal(answer_to(STR("GET / HTTP/1.1\n")), 400);
	assert_int_equal(answer_to(STR("\n")), 400);
}

/* A head of exactly `octets', by a long field. */
static struct str
head_of(char *room, size_t octets)
{
	struct str begin = STR(GET "X: "), end = STR("\r\n\r\n");

	memset(room, 'x', octets);
	memcpy(room, begin.p, begin.n);
	memcpy(room + octets - end.n, end.p, end.n);
	return (struct str){ room, octets };
}

static struct str
target_of(char *room, size_t octets)
{
	struct buf b = { .p = room, .cap = HTTP_HEAD_MOST };

	buf_put(&b, STR("GET /"));
	for (size_t i = 1; i < octets; i++)
		buf_putc(&b, 'a');
	buf_put(&b, STR(" HTTP/1.1\r\nHost: a\r\n\r\n"));
	assert_false(b.full);
	return buf_str(&b);
}

static struct str
fields_of(char *room, unsigned n)
{
	struct buf b = { .p = room, .cap = HTTP_HEAD_MOST };

	buf_put(&b, STR(GET));
	for (unsigned i = 1; i < n; i++)
		buf_printf(&b, "X%u: y\r\n", i);
	buf_put(&b, STR("\r\n"));
	return buf_str(&b);
}

static void
limits_have_an_edge(void **state)
{
	char *room = malloc(HTTP_HEAD_MOST + 2);
	struct str most;

	(void)state;
	assert_non_null(room);
	assert_int_equal(answer_to(head_of(room, HTTP_HEAD_MOST - 1)), 200);
	most = head_of(room, HTTP_HEAD_MOST);
	assert_int_equal(answer_to(most), 200);
	assert_int_equal(answer_to(str_sub(most, 0, most.n - 1)), 0);
	assert_int_equal(answer_to(head_of(room, HTTP_HEAD_MOST + 1)), 431);
	memset(room, 'x', HTTP_HEAD_MOST);
	assert_int_equal(answer_to((struct str){ room, HTTP_HEAD_MOST - 1 }), 0);
	assert_int_equal(answer_to((struct str){ room, HTTP_HEAD_MOST }), 431);
	assert_int_equal(answer_to(target_of(room, HTTP_TARGET_MOST)), 200);
	assert_int_equal(answer_to(target_of(room, HTTP_TARGET_MOST + 1)), 414);
	assert_int_equal(answer_to(fields_of(room, HTTP_FIELDS_MOST)), 200);
	assert_int_equal(head.n, HTTP_FIELDS_MOST);
	assert_int_equal(answer_to(fields_of(room, HTTP_FIELDS_MOST + 1)), 431);
	assert_int_equal(answer_to(STR(POST
	    "Content-Length: 9223372036854775807\r\n\r\n")), 200);
	assert_true(head.length == INT64_MAX);
	free(room);
}

static void
responses_are_heard(void **state)
{
	static const struct { enum http_step step; struct str head; } rows[] = {
		{ HTTP_DONE, STR_INIT("HTTP/1.1 200 OK\r\n\r\n") },
		{ HTTP_DONE, STR_INIT("HTTP/1.1 200\r\n\r\n") },
		{ HTTP_DONE, STR_INIT("HTTP/1.0 999 \xff\r\n\r\n") },
		{ HTTP_MORE, STR_INIT("HTTP/1.1 200 OK\r\n") },
		{ HTTP_BAD, STR_INIT("HTTP/1.1 099 OK\r\n\r\n") },
		{ HTTP_BAD, STR_INIT("HTTP/1.1 20 OK\r\n\r\n") },
		{ HTTP_BAD, STR_INIT("HTTP/1.1 2000 OK\r\n\r\n") },
		{ HTTP_BAD, STR_INIT("HTTP/3 200 OK\r\n\r\n") },
		{ HTTP_BAD, STR_INIT("220 mx ESMTP\r\n\r\n") },
		{ HTTP_BAD, STR_INIT("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n"
		    "Transfer-Encoding: chunked\r\n\r\n") },
	};
	size_t used;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (http_response(rows[i].head, &head, &used) != rows[i].step)
			fail_msg("row %zu", i);
}

/* ---- chunks ---- */

/* The content of a body cut at `cut' and then octet by octet; "BAD", "MORE". */
static struct str
content_of(struct str body, size_t cut, char *room, size_t *rest)
{
	struct http_chunks k = { .state = 0 };
	struct buf out = { .p = room, .cap = 256 };
	size_t at = 0;

	while (at < body.n && !k.has_ended && !k.is_bad) {
		struct str in = str_sub(body, at, at == 0 && cut > 0 ? cut : 1);
		size_t given = in.n;
		struct str piece;

		while (http_chunks_next(&k, &in, &piece))
			buf_put(&out, piece);
		at += given - in.n;
	}
	*rest = body.n - at;
	return k.is_bad ? STR("BAD") : k.has_ended ? buf_str(&out) : STR("MORE");
}

static void
chunks_are_joined_whatever_the_cut(void **state)
{
	static const struct { struct str body, content; size_t rest; } rows[] = {
		{ STR_INIT("0\r\n\r\n"), STR_INIT(""), 0 },
		{ STR_INIT("3\r\nabc\r\n0\r\n\r\nGET /"), STR_INIT("abc"), 5 },
		{ STR_INIT("1;x=\"y\"\r\na\r\n2\r\nbc\r\n000\r\n\r\n"),
		    STR_INIT("abc"), 0 },
		{ STR_INIT("A\r\n0123\r\n789\n\r\n00\r\nX: y\r\nZ:\r\n\r\n"),
		    STR_INIT("0123\r\n789\n"), 0 },
		{ STR_INIT("3\r\nabc\r\n"), STR_INIT("MORE"), 0 },
		{ STR_INIT("3\r\nabcd\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("3\nabc\r\n0\r\n\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("3\r\nabc\n0\r\n\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("3\r\rabc\r\n0\r\n\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT(";x\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("0x3\r\nabc\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("+3\r\nabc\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT(" 3\r\nabc\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("3 \r\nabc\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("-1\r\nabc\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("1;\n\r\na\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("1;\0\r\na\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("1;a\rb\r\na\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("0\r\nX: y\n\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("0\r\nX: y\r\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("1000000000000000\r\n"), STR_INIT("BAD"), 0 },
		{ STR_INIT("fffffffffffffff\r\nabc"), STR_INIT("MORE"), 0 },
	};
	char room[256];
	size_t rest;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		for (size_t cut = 0; cut <= rows[i].body.n; cut++) {
			struct str got = content_of(rows[i].body, cut, room,
			    &rest);

			if (!str_eq(got, rows[i].content))
				fail_msg("row %zu cut at %zu: " STR_FMT, i, cut,
				    STR_ARG(got));
			if (got.p == room)
				assert_int_equal(rest, rows[i].rest);
		}
}

/* 1,024 octets that are no content are the most before and after it. */
static void
chunk_lines_are_bounded(void **state)
{
	char room[2048];

	(void)state;
	for (size_t n = 1023; n <= 1025; n++) {
		struct http_chunks k = { .state = 0 };
		struct str in = { room, n }, piece;

		memset(room, 'x', sizeof room);
		memcpy(room, "1;", 2);
		memcpy(room + n - 2, "\r\n", 2);
		assert_false(http_chunks_next(&k, &in, &piece));
		assert_int_equal(k.is_bad, n > 1024);

		k = (struct http_chunks){ .state = 0 };
		memcpy(room, "0\r\n", 3);
		memset(room + 3, 'x', sizeof room - 3);
		memcpy(room + 3 + n - 4, "\r\n\r\n", 4);
		in = (struct str){ room, n + 3 };
		assert_false(http_chunks_next(&k, &in, &piece));
		assert_int_equal(k.is_bad, n > 1024);
		assert_int_equal(k.has_ended, n <= 1024);
	}
}

/* ---- %XX ---- */

static void
percents_are_decoded(void **state)
{
	static const struct { struct str in, out; bool plus, ok; } rows[] = {
		{ STR_INIT(""), STR_INIT(""), false, true },
		{ STR_INIT("a+b%20c"), STR_INIT("a b c"), true, true },
		{ STR_INIT("a+b"), STR_INIT("a+b"), false, true },
		{ STR_INIT("%00%fF%25"), STR_INIT("\0\xff%"), false, true },
		{ STR_INIT("%252f"), STR_INIT("%2f"), false, true },
		{ STR_INIT("%"), STR_INIT(""), false, false },
		{ STR_INIT("%2"), STR_INIT(""), false, false },
		{ STR_INIT("%2g"), STR_INIT(""), false, false },
		{ STR_INIT("%%20"), STR_INIT(""), false, false },
		{ STR_INIT("% 2"), STR_INIT(""), false, false },
		{ STR_INIT("1234567890"), STR_INIT(""), false, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char room[9];
		struct buf b = BUF_OF(room);

		assert_int_equal(http_decode(rows[i].in, rows[i].plus, &b),
		    rows[i].ok);
		if (rows[i].ok)
			assert_true(str_eq(buf_str(&b), rows[i].out));
	}
}

static void
queries_are_looked_up(void **state)
{
	struct str q = STR("a=1&b=x%26y&c&d=&a=2&&e=a=b&f=%zz");
	char room[16];
	struct buf b;

	(void)state;
	b = BUF_OF(room);
	assert_true(http_query(q, STR("a"), &b));
	assert_true(str_eq(buf_str(&b), STR("1")));
	b = BUF_OF(room);
	assert_true(http_query(q, STR("b"), &b));
	assert_true(str_eq(buf_str(&b), STR("x&y")));
	b = BUF_OF(room);
	assert_true(http_query(q, STR("c"), &b) && b.n == 0);
	assert_true(http_query(q, STR("d"), &b) && b.n == 0);
	assert_true(http_query(q, STR("e"), &b));
	assert_true(str_eq(buf_str(&b), STR("a=b")));
	assert_false(http_query(q, STR("f"), &b));
	assert_false(http_query(q, STR("g"), &b));
	assert_false(http_query(STR_NONE, STR("a"), &b));
}

static void
what_is_encoded_decodes(void **state)
{
	char all[256], coded[768], back[256];
	struct buf c = BUF_OF(coded), b = BUF_OF(back);

	(void)state;
	for (int i = 0; i < 256; i++)
		all[i] = (char)i;
	http_encode(&c, (struct str){ all, 256 });
	assert_false(c.full);
	for (size_t i = 0; i < c.n; i++)
		assert_null(strchr("&=+?# /", coded[i]));
	assert_true(http_decode(buf_str(&c), true, &b));
	assert_memory_equal(back, all, 256);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(heads_are_taken_apart),
		cmocka_unit_test(empty_lines_before),
		cmocka_unit_test(connections_stay_or_end),
		cmocka_unit_test(what_could_be_smuggled_is_refused),
		cmocka_unit_test(every_split_waits),
		cmocka_unit_test(limits_have_an_edge),
		cmocka_unit_test(responses_are_heard),
		cmocka_unit_test(chunks_are_joined_whatever_the_cut),
		cmocka_unit_test(chunk_lines_are_bounded),
		cmocka_unit_test(percents_are_decoded),
		cmocka_unit_test(queries_are_looked_up),
		cmocka_unit_test(what_is_encoded_decodes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
