#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/recode.h"

static char out_room[1 << 18];
static struct recode recode;
static struct arena arena;

static int
survey(struct str in, enum recode_goal goal, bool is_binary, size_t at_once)
{
	arena_init(&arena, RECODE_ARENA);
	recode_begin(&recode, goal, is_binary, &arena);
	while (in.n > 0) {
		recode_survey(&recode, str_sub(in, 0, at_once));
		in = str_sub(in, at_once, in.n);
	}
	return recode_survey_end(&recode);
}

static struct str
convert(struct str in, size_t at_once)
{
	struct buf b = BUF_OF(out_room);
	struct str chunk, out;
	int rc;

	arena_clear(&arena);
	recode_again(&recode);
	while (in.n > 0) {
		chunk = str_sub(in, 0, at_once);
		in = str_sub(in, at_once, in.n);
		while ((rc = recode_next(&recode, &chunk, &out)) == 1)
			buf_put(&b, out);
		assert_int_equal(rc, 0);
	}
	while ((rc = recode_finish(&recode, &out)) == 1)
		buf_put(&b, out);
	assert_int_equal(rc, 0);
	arena_clear(&arena);
	assert_false(b.full);
	return buf_str(&b);
}

#define U "\xc3\xbc"
#define QP "Content-Transfer-Encoding: quoted-printable\r\n"
#define B64 "Content-Transfer-Encoding: base64\r\n"
#define MULTI "MIME-Version: 1.0\r\n" \
	"Content-Type: multipart/mixed; boundary=b\r\n"

struct row {
	enum recode_goal goal;
	bool is_binary;
	struct str in;
	struct str out;			/* n == 0: refused, p says why */
};

#define ROW(goal, binary, in, out) \
	{ RECODE_TO_##goal, binary, STR_INIT(in), STR_INIT(out) }

static const struct row rows[] = {
	/* RFC 1428 3: no header tells the charset, and none is guessed */
	ROW(7BIT, 0, "Subject: x\r\n\r\nGr" U "n ist eine Farbe\r\n",
	    "Subject: x\r\nMIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=unknown-8bit\r\n" QP
	    "\r\nGr=C3=BCn ist eine Farbe\r\n"),
	ROW(7BIT, 0, "MIME-Version: 1.0\r\nContent-Transfer-Encoding: 8bit\r\n"
	    "Content-Type: text/plain; charset=utf-8\r\n\r\n" U "\r\n",
	    "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
	    B64 "\r\nw7wNCg==\r\n"),
	/* a body without a header */
	ROW(7BIT, 0, "Look, gr" U "n without an end",
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: text/plain; charset=unknown-8bit\r\n" QP
	    "\r\nLook, gr=C3=BCn without an end=\r\n"),
	/* only the part that needs it; the outer label; preamble and epilogue */
	ROW(7BIT, 0, MULTI "Content-Transfer-Encoding: 8bit\r\n\r\npre\r\n"
	    "--b\r\n\r\nplain =20 \r\n--b\r\n"
	    "Content-Type: text/html; charset=latin1\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\nvery gr\xfcn\r\n"
	    "--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nnone\r\n"
	    "--b\r\nContent-Type: image/x\r\nX: y\r\n\r\n\xff\xfe\r\n"
	    "--b--\r\npost\r\n",
	    MULTI "Content-Transfer-Encoding: 7bit\r\n\r\npre\r\n"
	    "--b\r\n\r\nplain =20 \r\n--b\r\n"
	    "Content-Type: text/html; charset=latin1\r\n" QP
	    "\r\nvery gr=FCn\r\n"
	    "--b\r\nContent-Transfer-Encoding: 7bit\r\n\r\nnone\r\n"
	    "--b\r\nContent-Type: image/x\r\nX: y\r\n" B64
	    "\r\n//4=\r\n\r\n--b--\r\npost\r\n"),
	/* a message in a message; its own MIME-Version */
	ROW(7BIT, 0, "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "Content-Type: text/plain\r\n\r\nall is in gr" U "n\r\n",
	    "MIME-Version: 1.0\r\nContent-Type: message/rfc822\r\n"
	    "Content-Transfer-Encoding: 7bit\r\n\r\n"
	    "Content-Type: text/plain\r\nMIME-Version: 1.0\r\n" QP
	    "\r\nall is in gr=C3=BCn\r\n"),
	/* RFC 6532 3.7 */
	ROW(7BIT, 0, MULTI "\r\n--b\r\nContent-Type: message/global\r\n\r\n"
	    "Subject: about gr" U "n\r\n\r\n--b--\r\n",
	    MULTI "\r\n--b\r\nContent-Type: message/global\r\n" QP "\r\n"
	    "Subject: about gr=C3=BCn\r\n\r\n--b--\r\n"),
	/* who was signed stays as he is, and his neighbour is written anew */
	ROW(7BIT, 0, MULTI "\r\n--b\r\n"
	    "Content-Type: multipart/signed; boundary=s\r\n\r\n"
	    "--s\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n--s--\r\n"
	    "--b\r\n\r\nall is in gr" U "n\r\n--b--\r\n",
	    MULTI "\r\n--b\r\n"
	    "Content-Type: multipart/signed; boundary=s\r\n\r\n"
	    "--s\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n--s--\r\n"
	    "--b\r\nContent-Type: text/plain; charset=unknown-8bit\r\n" QP
	    "\r\nall is in gr=C3=BCn\r\n--b--\r\n"),
	/* S/MIME's own type: its encoding is not what was signed */
	ROW(7BIT, 0, "MIME-Version: 1.0\r\n"
	    "Content-Type: application/pkcs7-mime\r\n\r\n\x80\x81\r\n",
	    "MIME-Version: 1.0\r\n"
	    "Content-Type: application/pkcs7-mime\r\n" B64 "\r\ngIENCg==\r\n"),
	/* to 8 bits: only what has no lines */
	ROW(8BIT, 1, MULTI "Content-Transfer-Encoding: binary\r\n\r\n"
	    "--b\r\nContent-Transfer-Encoding: binary\r\n\r\n" U "\r\n"
	    "--b\r\nContent-Transfer-Encoding: binary\r\n\r\nx\r\n"
	    "--b\r\nContent-Type: image/x\r\n"
	    "Content-Transfer-Encoding: binary\r\n\r\na\0b\n\r\n--b--\r\n",
	    MULTI "Content-Transfer-Encoding: 8bit\r\n\r\n"
	    "--b\r\nContent-Transfer-Encoding: 8bit\r\n\r\n" U "\r\n"
	    "--b\r\nContent-Transfer-Encoding: 7bit\r\n\r\nx\r\n"
	    "--b\r\nContent-Type: image/x\r\n" B64
	    "\r\nYQBiCg==\r\n\r\n--b--\r\n"),
	/* a binary message that ends without a line end */
	ROW(8BIT, 1, "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n\r\nx",
	    "MIME-Version: 1.0\r\nContent-Type: text/plain\r\n" QP
	    "\r\nx=\r\n"),
	/* ---- refused ---- */
	ROW(7BIT, 0, "Content-Type: multipart/signed; boundary=b\r\n\r\n"
	    "--b\r\n\r\n" U "\r\n--b--\r\n", ""),
	ROW(7BIT, 0, "Content-Type: multipart/encrypted; boundary=b\r\n\r\n"
	    "--b\r\n\r\n" U "\r\n--b--\r\n", ""),
	ROW(7BIT, 0, "Content-Type: multipart/signed; boundary=s\r\n\r\n"
	    "--s\r\nContent-Type: message/rfc822\r\n\r\n" MULTI
	    "\r\n--b\r\n\r\n" U "\r\n--b--\r\n--s--\r\n", ""),
	ROW(7BIT, 0, "Content-Transfer-Encoding: base64\r\n\r\n" U "\r\n", ""),
	ROW(7BIT, 0, "Content-Transfer-Encoding: quoted-printable\r\n\r\n"
	    U "\r\n", ""),
	ROW(7BIT, 0, "Content-Transfer-Encoding: x-uu\r\n\r\n" U "\r\n", ""),
	ROW(7BIT, 0, "Content-Type: text/plain\r\nContent-Type: text/x\r\n\r\n"
	    U "\r\n", ""),
	ROW(7BIT, 0, "Content-Type: message/partial\r\n\r\n" U "\r\n", ""),
	ROW(7BIT, 0, "Content-Type: message/delivery-status\r\n\r\n" U "\r\n",
	    ""),
	ROW(7BIT, 0, "Content-Type: multipart/mixed\r\n\r\n" U "\r\n", ""),
	ROW(7BIT, 0, MULTI "\r\n" U "\r\n--b\r\n\r\nx\r\n--b--\r\n", ""),
	ROW(7BIT, 0, MULTI "\r\n--b\r\n\r\nx\r\n--b--\r\n" U "\r\n", ""),
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t at = 1; at < 200; at = at * 2 + 1) {
			const struct row *r = &rows[i];
			struct str out;

			assert_int_equal(survey(r->in, r->goal, r->is_binary,
			    at), 0);
			assert_int_equal(recode.refusal != NULL,
			    r->out.n == 0);
			if (recode.refusal != NULL) {
				arena_clear(&arena);
				continue;
			}
			assert_true(recode.is_needed);
			out = convert(r->in, at);
			if (!str_eq(out, r->out))
				print_error("%zu: " STR_FMT "\n", i,
				    STR_ARG(out));
			assert_true(str_eq(out, r->out));
			assert_false(r->goal == RECODE_TO_7BIT &&
			    !str_is_ascii(out));
		}
}

static void
test_nothing_to_do(void **state)
{
	static const struct str in[] = {
		STR_INIT("A: b\r\nContent-Transfer-Encoding: 8bit\r\n\r\nx\r\n"),
		STR_INIT(MULTI "\r\n--b\r\n\r\nx\r\n--b--\r\n"),
	};

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(survey(in[i], RECODE_TO_7BIT, false, 9), 0);
		assert_false(recode.is_needed || recode.header_has_8bit);
		assert_null(recode.refusal);
		arena_clear(&arena);
	}
	survey(STR("A: " U "\r\n\r\nx\r\n"), RECODE_TO_7BIT, false, 99);
	assert_true(recode.header_has_8bit && !recode.is_needed);
	arena_clear(&arena);
	survey(STR(MULTI "\r\n--b\r\nA: " U "\r\n\r\nx\r\n"), RECODE_TO_7BIT,
	    false, 99);
	assert_true(recode.header_has_8bit && !recode.is_needed);
	arena_clear(&arena);
	/* 8-bit lines pass where 8 bits may */
	survey(STR("A: b\r\n\r\n" U "\r\n"), RECODE_TO_8BIT, true, 99);
	assert_false(recode.is_needed);
	arena_clear(&arena);
}

/* RFC 5322 2.1.1: 998 octets; only what is binary may have more without it being
 * the sender's own affair. */
static void
test_long_lines(void **state)
{
	static char text[1100];
	struct buf b;

	(void)state;
	for (size_t n = 997; n <= 999; n++)
		for (int is_binary = 0; is_binary < 2; is_binary++) {
			b = BUF_OF(text);
			buf_put(&b, STR("A: b\r\n\r\n"));
			for (size_t i = 0; i < n; i++)
				buf_putc(&b, 'x');
			buf_put(&b, STR("\r\n"));
			survey(buf_str(&b), RECODE_TO_8BIT, is_binary, 64);
			assert_int_equal(recode.is_needed,
			    is_binary && n == 999);
			arena_clear(&arena);
		}
}

/* What is too large to be understood is not touched. */
static void
test_too_big(void **state)
{
	static char text[8 * HEADER_LINES_MOST];
	struct buf b = BUF_OF(text);

	(void)state;
	for (size_t i = 0; i <= HEADER_LINES_MOST; i++)
		buf_put(&b, STR("A: b\r\n"));
	assert_int_equal(survey(buf_str(&b), RECODE_TO_7BIT, false, 1000), -1);
	assert_non_null(recode.refusal);
	arena_clear(&arena);
}

/* The second reading is another message: told, not sent. */
static void
test_other(void **state)
{
	static char text[8 * HEADER_LINES_MOST];
	struct buf b = BUF_OF(text);
	struct str chunk, out;
	int rc;

	(void)state;
	assert_int_equal(survey(STR("A: b\r\n\r\n" U), RECODE_TO_7BIT, false,
	    99), 0);
	recode_again(&recode);
	for (size_t i = 0; i <= HEADER_LINES_MOST; i++)
		buf_put(&b, STR("A: b\r\n"));
	chunk = buf_str(&b);
	while ((rc = recode_next(&recode, &chunk, &out)) == 1)
		continue;
	assert_int_equal(rc, -1);
	arena_clear(&arena);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_nothing_to_do),
		cmocka_unit_test(test_long_lines),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
