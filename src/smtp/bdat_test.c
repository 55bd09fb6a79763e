/* bdat_test.c -- content in chunks: RFC 3030, SECURITY.md row 18. */
#include "smtp/test_server.h"

static const char chunks_said[] =
    "EHLO me.test\r\nMAIL FROM:<ann@one.test> BODY=BINARYMIME SIZE=20\r\n"
    "RCPT TO:<bob@two.test>\r\nBDAT 6\r\nX: y\r\nBDAT 0\r\nbdat 1\r\n\r"
    "BDAT 5 LAST\r\n\nQUIT"
    /* refused; the second one, sent with it, is swallowed too */
    "MAIL FROM:<ann@one.test>\r\nRCPT TO:<bob@two.test>\r\n"
    "BDAT 6\r\nx\nQUITBDAT 6 LAST\r\nQUIT\r\n"
    "MAIL FROM:<>\r\nRCPT TO:<bob@two.test>\r\nBDAT 4\r\nx: yRSET\r\n"
    "BDAT 6 LAST\r\nQUIT\r\nNOOP\r\nQUIT\r\n";
static const char *const chunks_heard[] = { "S 220", "M 250", "S 250 2.1.0",
	"S 250 2.1.5", "S 250 2.0.0 6 octets", "S 250 2.0.0 0 octets",
	"S 250 2.0.0 1 octets", "S 250 2.0.0 Kept", "S 250 2.1.0", "S 250 2.1.5",
	"S 550 5.6.0", "S 503 5.5.1 Say MAIL", "S 250 2.1.0", "S 250 2.1.5",
	"S 250 2.0.0 4 octets", "S 250 2.0.0 Forgotten",
	"S 503 5.5.1 Say MAIL", "S 250", "S 221", "E", NULL };

static yields void
body_chunk_splits(void *arg)
{
	size_t n = strlen(chunks_said);

	(void)arg;
	open_server(ROLE_MX);
	for (size_t at = 0; at <= n; at++) {
		dial(&net);
		stream_put(&net, (struct str){ chunks_said, at });
		stream_flush(&net);
		fiber_sleep(in_ms(50));
		stream_put(&net, (struct str){ chunks_said + at, n - at });
		play(&net, chunks_heard);
		stream_close(&net);
	}
	assert_int_equal(house.kept, n + 1);
	close_server();
}

/* Gone after any octet: nothing is kept but what was told to be the last. */
static yields void
body_chunk_cuts(void *arg)
{
	struct str all = { chunks_said, strlen(chunks_said) };
	size_t last = str_find_str(all, STR("LAST\r\n\nQUIT")) + 11;

	(void)arg;
	open_server(ROLE_MX);
	for (size_t at = 0; at < all.n; at++) {
		house.kept = 0;
		dial(&net);
		stream_put(&net, str_sub(all, 0, at));
		stream_flush(&net);
		fiber_sleep(in_ms(200));
		stream_close(&net);
		fiber_sleep(in_ms(200));
		assert_int_equal(house.kept, at >= last);
		assert_int_equal(server.sessions, 0);
		assert_int_equal(server.memory, 0);
	}
	close_server();
}

static yields void
body_empty_chunks(void *arg)
{
	static const char *const begin[] = { HELLO, ENVELOPE, "C BDAT 0",
		"S 250", NULL };
	static const char *const end[] = { "C BDAT 1 LAST", "R x",
		"S 250 2.0.0 Kept", NULL };
	uint64_t before;

	(void)arg;
	open_server(ROLE_MX);
	play_new(begin);
	before = server.memory;
	for (unsigned i = 0; i < 20000; i++) {
		stream_put(&net, STR("BDAT 0\r\n"));
		if (i % 50 == 49)
			for (unsigned k = 0; k < 50; k++)
				hear(&net, "250 2.0.0 0 octets");
	}
	assert_int_equal(server.memory, before);
	play(&net, end);
	stream_close(&net);
	close_server();
}

/* n - 1, n, n + 1 */
static yields void
body_chunk_limits(void *arg)
{
	static const char *const pieces[] = { HELLO, ENVELOPE, "C BDAT 0", "S 250",
		"C BDAT 0", "S 250", "C BDAT 0 LAST", "S 250 2.0.0 Kept",
		ENVELOPE, "C BDAT 0", "S 250", "C BDAT 0", "S 250", "C BDAT 0",
		"S 250", "C BDAT 4 LAST", "R QUIT", "S 552 5.3.4",
		"C BDAT 0 LAST", "S 503 5.5.1", NULL };
	static const char *const sizes[] = { ENVELOPE, "C BDAT 1", "R x", "S 250",
		"C BDAT 65536 LAST", "S 552 5.3.4", NULL };
	static const char *const fits[] = { ENVELOPE, "C BDAT 1", "R x", "S 250",
		"C BDAT 65535 LAST", NULL };
	static const char *const numbers[] = { "S 250 2.0.0 Kept", ENVELOPE,
		"C BDAT 18446744073709551616", "S 501 5.5.4", "C BDAT -1",
		"S 501 5.5.4", "C BDAT 1 FIRST", "S 501 5.5.4", "C BDAT 0x1",
		"S 501 5.5.4", "C BDAT 1 LAST 1", "S 501 5.5.4", "C BDAT LAST",
		"S 501 5.5.4", "C BDAT", "S 501 5.5.4", "C BDAT 5",
		"R x: y\n", "S 550 5.6.0", ENVELOPE, "C BDAT 1", "R x", "S 250",
		"C BDAT 18446744073709551615 LAST", "S 552 5.3.4", NULL };
	static char text[65536];

	(void)arg;
	memset(text, 'x', sizeof text);
	open_server(ROLE_MX);
	play_new(pieces);
	play(&net, sizes);
	stream_put(&net, (struct str){ text, 65536 });
	play(&net, fits);
	stream_put(&net, (struct str){ text, 65533 });
	stream_put(&net, STR("\r\n"));
	play(&net, numbers);
	/* a message's worth is swallowed, then he is sent away */
	stream_put(&net, (struct str){ text, 65535 });
	stream_flush(&net);
	fiber_sleep(in_ms(1000));
	stream_put(&net, STR("x"));
	hear(&net, "421 4.7.0");
	hear_end(&net);
	stream_close(&net);
	assert_int_equal(house.kept, 2);
	close_server();
}

/* How a message by BDAT stands in the spool. */
static yields void
keep_chunks(const char *params, struct str first, struct str last,
    struct str want)
{
	static const char *const kept[] = { "S 250 2.0.0 Kept", NULL };
	static char body[8192];
	struct str got;

	stream_printf(&net, "MAIL FROM:<ann@one.test>%s\r\n"
	    "RCPT TO:<bob@two.test>\r\nBDAT %zu\r\n", params, first.n);
	stream_put(&net, first);
	hear(&net, "250");
	hear(&net, "250");
	hear(&net, "250");
	stream_printf(&net, "BDAT %zu LAST\r\n", last.n);
	stream_put(&net, last);
	play(&net, kept);
	/* the handler's own event comes in its turn */
	fiber_sleep(in_ms(100));
	got = house_body(body, sizeof body);
	assert_true(got.n > want.n);
	assert_true(str_eq(str_sub(got, got.n - want.n, want.n), want));
}

static yields void
body_chunk_bodies(void *arg)
{
	static const char *const hello[] = { HELLO, NULL };

	(void)arg;
	open_server(ROLE_MX);
	play_new(hello);
	keep_chunks("", STR("X: y\r\n\r\n.\r"), STR("\n.\r\n..a"),
	    STR("\r\nX: y\r\n\r\n.\r\n.\r\n..a\r\n"));
	keep_chunks(" BODY=BINARYMIME", STR("X: y\r\n\r\n\0\r\r"),
	    STR("\n\n\xff."), STR("X: y\r\n\r\n\0\r\r\n\n\xff."));
	/* a header section alone is lines in any case */
	keep_chunks(" BODY=BINARYMIME", STR("X: y"), STR(""), STR("X: y\r\n"));
	keep_chunks(" BODY=BINARYMIME", STR("X: y\r\n\r"), STR("\n"),
	    STR("X: y\r\n\r\n"));
	stream_close(&net);
	close_server();
}

TEST(chunk_splits, "limits: { per_ip: none }\n")
TEST(chunk_cuts, "limits: { per_ip: none }\n")
TEST(empty_chunks, "")
TEST(chunk_limits, "limits: { size: 64K, chunks: 3 }\n")
TEST(chunk_bodies, "")

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chunk_splits),
		cmocka_unit_test(test_chunk_cuts),
		cmocka_unit_test(test_empty_chunks),
		cmocka_unit_test(test_chunk_limits),
		cmocka_unit_test(test_chunk_bodies),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
