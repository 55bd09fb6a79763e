#include "deliver/strip.h"

#include "base/buf.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

/* In pieces of these sizes, the second one to the end. */
static void
strip_cut(struct str in, size_t first, size_t then, struct buf *out)
{
	struct strip s;
	struct str piece, got;

	strip_begin(&s);
	for (size_t n = first; in.n > 0; n = then) {
		piece = str_sub(in, 0, n);
		in = str_sub(in, piece.n, in.n);
		while (strip_next(&s, &piece, &got))
			buf_put(out, got);
		assert_int_equal(piece.n, 0);
	}
	buf_put(out, strip_end(&s));
}

static void
expect(const char *in, const char *want)
{
	size_t n = strlen(in);
	char room[512];

	for (size_t first = 1; first <= n + 1; first++)
		for (size_t then = 1; then <= n + 1; then += 1 + then / 4) {
			struct buf b = BUF_OF(room);

			strip_cut(str_of(in), first, then, &b);
			assert_false(b.full);
			assert_int_equal(b.n, strlen(want));
			assert_memory_equal(room, want, b.n);
		}
}

static void
test_cases(void **state)
{
	(void)state;
	expect("", "");
	expect("Subject: x\r\n\r\nbody\r\n", "Subject: x\r\n\r\nbody\r\n");
	expect("Return-Path: <a@b>\r\nSubject: x\r\n\r\nbody\r\n",
	    "Subject: x\r\n\r\nbody\r\n");
	expect("A: 1\r\nRETURN-path:\r\n <a@b>\r\n\t(c)\r\nB: 2\r\n\r\nx\r\n",
	    "A: 1\r\nB: 2\r\n\r\nx\r\n");
	expect("Return-Path: 1\r\nReturn-Path: 2\r\n\r\nReturn-Path: 3\r\n",
	    "\r\nReturn-Path: 3\r\n");
	expect("Return-Path \t : 1\r\nA: 2\r\n", "A: 2\r\n");
	/* names that only begin so, and a line that never gets a colon */
	expect("Return-Paths: 1\r\nReturn-Pat: 2\r\nReturn-Path\r\n\r\n",
	    "Return-Paths: 1\r\nReturn-Pat: 2\r\nReturn-Path\r\n\r\n");
	expect("R: 1\r\n Return-Path: 2\r\n\r\n",
	    "R: 1\r\n Return-Path: 2\r\n\r\n");
	expect("X: 1\r\nReturn-Pa", "X: 1\r\nReturn-Pa");
	expect("X: 1\r\nReturn-Path: 2", "X: 1\r\n");
	expect("\r\nReturn-Path: 2\r\n", "\r\nReturn-Path: 2\r\n");
	expect(" first line folded\r\nReturn-Path: 1\r\nA: 2\r\n",
	    " first line folded\r\nA: 2\r\n");
}

/* So many blanks before the colon, and not one more. */
static void
test_blanks(void **state)
{
	char in[128], want[128];

	(void)state;
	for (size_t n = STRIP_HELD - 12; n <= STRIP_HELD - 10; n++) {
		struct buf b = BUF_OF(in), w = BUF_OF(want);

		buf_put(&b, STR("Return-Path"));
		for (size_t i = 0; i < n; i++)
			buf_putc(&b, ' ');
		buf_put(&b, STR(": x\r\n"));
		if (n > STRIP_HELD - 11)
			buf_put(&w, buf_str(&b));
		buf_put(&b, STR("\r\n."));
		buf_put(&w, STR("\r\n."));
		in[b.n] = want[w.n] = '\0';
		expect(in, want);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_blanks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
