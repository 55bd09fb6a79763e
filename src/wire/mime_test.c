#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>

#include "wire/mime.h"

enum { ROOM = 1 << 20 };

static char told_room[ROOM], raw_room[ROOM], text_room[ROOM];
static struct buf told, raw;
static struct mime mime;
static enum mime_step last;

static void
tell(enum mime_step step, const struct mime_out *out)
{
	static const char kinds[] = "LMR", encodings[] = "78bqB?";
	const struct mime_part *p = &mime.part;

	buf_put(&raw, out->raw);
	if (step == MIME_HEADED)
		buf_printf(&told, "%s%u%c%c%s%s", told.n > 0 ? " " : "",
		    p->root, kinds[p->kind], encodings[p->encoding],
		    p->is_sealed ? "s" : "", p->is_odd ? "!" : "");
	else if (step == MIME_BODY) {
		buf_putc(&told, '\1');
		buf_put(&told, out->raw);
		buf_putc(&told, '\2');
	}
}

static void
walk(struct str in, size_t at_once)
{
	struct arena arena;
	struct mime_out out;

	arena_init(&arena, MIME_ARENA);
	told = BUF_OF(told_room);
	raw = BUF_OF(raw_room);
	mime_begin(&mime, &arena);
	while (in.n > 0) {
		struct str chunk = str_sub(in, 0, at_once);

		in = str_sub(in, chunk.n, in.n);
		do {
			out.raw = STR("");
			last = mime_next(&mime, &chunk, &out);
			tell(last, &out);
		} while (last != MIME_MORE && last < MIME_END);
	}
	do {
		out.raw = STR("");
		last = mime_finish(&mime, &out);
		tell(last, &out);
	} while (last < MIME_END);
	arena_clear(&arena);
}

/* Bodies come in pieces: "<a><b>" is "<ab>". */
static struct str
told_joined(void)
{
	static char room[ROOM];
	struct buf b = BUF_OF(room);
	struct str s = buf_str(&told);

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\2' && i + 1 < s.n && s.p[i + 1] == '\1')
			i++;
		else
			buf_putc(&b, s.p[i] == '\1' ? '<' : s.p[i] == '\2' ?
			    '>' : s.p[i]);
	return buf_str(&b);
}

#define MULTI "Content-Type: multipart/mixed; boundary=b\r\n\r\n"

/* Root, kind, encoding, marks, <body> of each part. */
static void
test_structures(void **state)
{
	static const char *const rows[][2] = {
		{ "", "0L7" }, { "A: b\r\n\r\n", "0L7" },
		{ "A: b\r\n\r\nx\r\n", "0L7<x\r\n>" },
		{ "A: b\r\n\r\nx", "0L7<x>" },
		{ "no header\r\nx\r\n", "0L7<no header\r\nx\r\n>" },
		{ "A: b\r\nno more\r\nx\r\n", "0L7<no more\r\nx\r\n>" },
		{ "\r\n--b\r\n", "0L7<--b\r\n>" },
		{ MULTI "pre\r\n--b\r\n\r\nx\r\n--b\r\n\r\ny\r\n--b--\r\npost\r\n",
		    "0M7 0L7<x> 0L7<y>" },
		{ MULTI "--b\r\n--b\r\nA: b\r\n--b--", "0M7 0L7 0L7" },
		{ MULTI "--b  \t\r\n\r\n--bb\r\n--b-\r\n--b--x\r\n -- b\r\n",
		    "0M7 0L7<--bb\r\n--b-\r\n--b--x\r\n -- b\r\n>" },
		{ MULTI "--b\r\n\r\nx\r\n\r\n--b--", "0M7 0L7<x\r\n>" },
		{ MULTI "--b\r\n\r\nx\n--b\n\r--b\r\n--b--",
		    "0M7 0L7<x\n--b\n\r--b>" },
		{ MULTI "--b\r\n" "Content-Type: multipart/x; boundary=\"in ner\"\r\n"
		    "\r\n--in ner\r\n\r\n1\r\n--b\r\n\r\n2\r\n--in ner\r\n--b--\r\n",
		    "0M7 0M7 0L7<1> 0L7<2\r\n--in ner>" },
		{ "Content-Type: message/rfc822\r\n\r\nA: b\r\n\r\nx\r\n",
		    "0R7 1L7<x\r\n>" },
		{ "Content-Type: message/rfc822\r\nSubject: x\r\njunk\r\nx",
		    "0R7 1L7<junk\r\nx>" },
		{ "Content-Type: message/rfc822\r\n", "0R7 1L7" },
		{ MULTI "--b\r\nContent-Type: message/rfc822\r\n\r\n" MULTI
		    "--b\r\n\r\nx\r\n--b--\r\n", "0M7 0R7 2M7 2L7<x>" },
		{ "Content-Type: multipart/digest; boundary=d\r\n\r\n--d\r\n\r\n"
		    "A: b\r\n\r\nx\r\n--d\r\nContent-Type: text/x\r\n\r\ny\r\n--d--\r\n",
		    "0M7 0R7 2L7<x> 0L7<y>" },
		{ "Content-Type: multipart/signed; boundary=s\r\n\r\n--s\r\n" MULTI
		    "--b\r\n\r\nx\r\n--b--\r\n--s--\r\n", "0M7 0M7s 0L7s<x>" },
		{ "Content-Transfer-Encoding: 8BIT\r\n\r\nx", "0L8<x>" },
		{ "Content-Transfer-Encoding: (x) Base64 \r\n\r\nx", "0LB<x>" },
		{ "Content-Transfer-Encoding: binary; a=b\r\n\r\nx", "0Lb<x>" },
		{ "Content-Transfer-Encoding: x-uu\r\n\r\nx", "0L?<x>" },
		{ "Content-Transfer-Encoding: 8bit\r\n"
		    "content-transfer-encoding: 7bit\r\n\r\nx", "0L7!<x>" },
		{ "Content-Type: text/plain\r\n" MULTI "--b\r\n", "0L7!<--b\r\n>" },
		{ "Content-Transfer-Encoding: base64\r\n" MULTI "--b\r\n",
		    "0LB!<--b\r\n>" },
		{ "Content-Type: multipart/mixed\r\n\r\nx", "0L7!<x>" },
		{ "Content-Type: multipart/digest; boundary=c\r\n\r\n--c\r\n"
		    "\rc\n\n", "0M7 0R7 2L7<\rc\n\n>" },
		{ "Content-Type: multipart/x; boundary=b\r\n--b\r\n\r\nx\r\n--b--",
		    "0M7 0L7<x>" },
		{ "Content-Type: multipart/x; boundary=\"b c\"\r\n--b c \r\n\r\nx",
		    "0M7 0L7<x>" },
		{ "Content-Type: multipart/x; boundary=b\r\n--b", "0M7 0L7" },
		{ "Content-Type: multipart/x; boundary=b\r\n--bb\r\n--b\r\n",
		    "0M7 0L7" },
		{ "Subject : x\r\n\r\nx", "0L7!<x>" },
		{ "Content-Type: multipart/mixed; boundary=\"\"\r\n\r\nx",
		    "0L7!<x>" },
		{ "Content-Type: multipart\r\n\r\nx", "0L7!<x>" },
		{ "Content-Type: text\r\n\r\nx", "0L7<x>" },
		{ "Content-Type: multipart/x; boundary*0=a; boundary*1=\"b \"\r\n"
		    "\r\n--ab\r\n\r\nx\r\n--ab--", "0M7 0L7<x>" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
		for (size_t at = 1; at < 200; at = at * 2 + 1) {
			struct str in = str_of(rows[i][0]);

			walk(in, at);
			if (last != MIME_END)
				print_error("%zu by %zu\n", i, at);
			assert_int_equal(last, MIME_END);
			if (!str_eq(told_joined(), str_of(rows[i][1])))
				print_error("%zu: " STR_FMT "\n", i,
				    STR_ARG(told_joined()));
			assert_true(str_eq(told_joined(), str_of(rows[i][1])));
			assert_true(str_eq(buf_str(&raw), in));
		}
}

static size_t
count(struct str s, char c)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += s.p[i] == c;
	return n;
}

/* One multipart in the other; n parts; both at the limit and beyond. */
static void
test_limits(void **state)
{
	struct buf b;

	(void)state;
	for (unsigned n = MIME_DEPTH_MOST - 1; n <= MIME_DEPTH_MOST + 1; n++) {
		b = BUF_OF(text_room);
		for (unsigned i = 0; i < n; i++)
			buf_printf(&b, "Content-Type: multipart/x; boundary=%u\r\n"
			    "\r\n--%u\r\n", i, i);
		buf_put(&b, STR("\r\nx\r\n"));
		walk(buf_str(&b), 100);
		assert_int_equal(count(buf_str(&told), '!'),
		    n > MIME_DEPTH_MOST);
		assert_true(str_eq(buf_str(&raw), buf_str(&b)));
	}
	for (unsigned n = MIME_PARTS_MOST - 2; n <= MIME_PARTS_MOST; n++) {
		b = BUF_OF(text_room);
		buf_put(&b, STR(MULTI));
		for (unsigned i = 0; i < n; i++)
			buf_put(&b, STR("--b\r\n\r\nx\r\n"));
		walk(buf_str(&b), 1000);
		assert_int_equal(count(buf_str(&told), 'x'),
		    n < MIME_PARTS_MOST ? n : MIME_PARTS_MOST - 1);
		assert_true(str_eq(buf_str(&raw), buf_str(&b)));
	}
	/* messages in messages */
	b = BUF_OF(text_room);
	for (unsigned i = 0; i < MIME_PARTS_MOST + 5; i++)
		buf_put(&b, STR("Content-Type: message/rfc822\r\n\r\n"));
	walk(buf_str(&b), 1000);
	assert_int_equal(count(buf_str(&told), '!'), 1);
	assert_true(str_eq(buf_str(&raw), buf_str(&b)));
}

static void
boundary_of(size_t n)
{
	struct buf b = BUF_OF(text_room);

	buf_put(&b, STR("Content-Type: multipart/x; boundary="));
	for (size_t i = 0; i < n; i++)
		buf_putc(&b, 'y');
	buf_put(&b, STR("\r\n\r\n--"));
	for (size_t i = 0; i < n; i++)
		buf_putc(&b, 'y');
	buf_put(&b, STR("\r\n\r\nx\r\n"));
	walk(buf_str(&b), 50);
}

static void
test_long_boundaries(void **state)
{
	struct buf b;

	(void)state;
	boundary_of(MIME_BOUNDARY_MOST);
	assert_int_equal(count(buf_str(&told), 'L'), 1);
	boundary_of(MIME_BOUNDARY_MOST + 1);
	assert_int_equal(count(buf_str(&told), '!'), 1);
	/* a delimiter's padding */
	for (size_t pad = MIME_LINE_MOST - 6; pad < MIME_LINE_MOST - 3; pad++) {
		b = BUF_OF(text_room);
		buf_put(&b, STR(MULTI "--b"));
		for (size_t i = 0; i < pad; i++)
			buf_putc(&b, ' ');
		buf_put(&b, STR("\r\n\r\nx\r\n"));
		walk(buf_str(&b), 77);
		assert_int_equal(count(buf_str(&told), 'L'),
		    pad <= MIME_LINE_MOST - 5);
		assert_true(str_eq(buf_str(&raw), buf_str(&b)));
	}
}

/* More than a header may have. */
static void
test_too_big(void **state)
{
	struct buf b = BUF_OF(text_room);

	(void)state;
	buf_put(&b, STR(MULTI "--b\r\n"));
	for (size_t i = 0; i <= HEADER_LINES_MOST; i++)
		buf_put(&b, STR("A: b\r\n"));
	buf_put(&b, STR("\r\nx"));
	walk(buf_str(&b), 1000);
	assert_int_equal(last, MIME_FAILED);
}

/* ---- other people's odd mail ---- */

/* Bare LF becomes CRLF, as mail travels. */
static struct str
file_read(const char *path)
{
	struct buf b = BUF_OF(text_room);
	FILE *f = fopen(path, "rb");
	int c, before = 0;

	assert_non_null(f);
	while ((c = getc(f)) != EOF) {
		if (c == '\n' && before != '\r')
			buf_putc(&b, '\r');
		buf_putc(&b, (char)c);
		before = c;
	}
	assert_int_equal(fclose(f), 0);
	assert_false(b.full);
	return buf_str(&b);
}

static void
test_vectors(void **state)
{
	static const struct { const char *folder; unsigned n; } folders[] = {
		{ "rfc", 10 }, { "malformed", 23 } };
	static char whole[ROOM];
	char path[128];
	struct buf b = BUF_OF(path), w;

	(void)state;
	for (size_t f = 0; f < 2; f++)
		for (unsigned i = 0; i < folders[f].n; i++) {
			struct str in;

			b = BUF_OF(path);
			buf_printf(&b, "test/vectors/mime-stalwart/eml/%s/"
			    "%03u.eml", folders[f].folder, i);
			buf_putc(&b, '\0');
			in = file_read(path);
			walk(in, in.n);
			assert_true(str_eq(buf_str(&raw), in));
			w = BUF_OF(whole);
			buf_put(&w, told_joined());
			for (size_t at = 1; at < 3000; at = at * 3 + 1) {
				walk(in, at);
				assert_true(str_eq(buf_str(&raw), in));
				assert_true(str_eq(told_joined(), buf_str(&w)));
			}
		}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_structures),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_long_boundaries),
		cmocka_unit_test(test_too_big),
		cmocka_unit_test(test_vectors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
