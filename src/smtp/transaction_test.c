/* transaction_test.c -- what MAIL and RCPT ask for, and what is kept of it. */
#include "smtp/test_server.h"

/* ---- what the sender wants to hear: RFC 3461 ---- */

static yields void
body_wishes(void *arg)
{
	static const char *const steps[] = { HELLO,
		"C MAIL FROM:<ann@one.test> RET=HDRS ENVID=QQ+2B3+20x BODY=BINARYMIME",
		"S 250 2.1.0",
		"C RCPT TO:<bob@two.test> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;B+2Bx@a",
		"S 250 2.1.5", "C RCPT TO:<alice@two.test> NOTIFY=NEVER",
		"S 250 2.1.5", "C RCPT TO:<carol@two.test>", "S 250 2.1.5",
		"C DATA", "S 503 5.5.1 A BINARYMIME", "C BDAT 0 LAST",
		"S 250 2.0.0", NULL };
	struct arena arena;
	struct envelope e;
	const bool *ended;

	(void)arg;
	open_server(ROLE_MX);
	play_new(steps);
	arena_init(&arena, 64 << 10);
	assert_int_equal(spool_envelope(house.spool, house.last, &arena, &e,
	    &ended), 0);
	assert_true(str_eq(e.envid, STR("QQ+3 x")));
	assert_int_equal(e.ret, RET_HDRS);
	assert_int_equal(e.flags, ENVELOPE_BINARY);
	assert_int_equal(e.n_rcpts, 3);
	assert_int_equal(e.rcpts[0].notify, NOTIFY_SUCCESS | NOTIFY_DELAY);
	assert_true(str_eq(e.rcpts[0].orcpt, STR("rfc822;B+x@a")));
	assert_int_equal(e.rcpts[1].notify, NOTIFY_NEVER);
	assert_null(e.rcpts[1].orcpt.p);
	assert_int_equal(e.rcpts[2].notify, 0);
	arena_clear(&arena);
	stream_close(&net);
	close_server();
}

TEST(wishes, "")

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_wishes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
