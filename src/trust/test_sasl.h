/*
 * test_sasl.h -- the RFCs' own exchanges, and how to say them.
 *
 * The promise: talk_read() reads an example of test/vectors/sasl-rfc; what is
 * said ends in `out'.
 * Not for: the server.
 * Waiting: none.
 * Memory: static, and one arena.
 * Errors: fail the test.
 * Source: RFC 4616, RFC 5802, RFC 7628, RFC 7677.
 */
#ifndef NM_TRUST_TEST_SASL_H
#define NM_TRUST_TEST_SASL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <string.h>

#include "trust/sasl_client.h"
#include "wire/base64.h"

#define VECTORS "test/vectors/sasl-rfc/"

enum { LINES = 64, LINE = 1024 };

static struct arena arena;
static char room[4096];
static struct buf out;
static struct sasl_binding tls;

/* ---- reading the vectors ---- */

/* "C: words" and "S: words", continued on the following lines. */
static struct talk { char who; char text[LINE]; } talk[LINES];
static size_t n_talk;

static inline void
talk_read(const char *name)
{
	char path[200], line[300];
	size_t said;
	bool is_open = false;
	FILE *f;

	(void)snprintf(path, sizeof path, VECTORS "%s", name);
	f = fopen(path, "r");
	assert_non_null(f);
	n_talk = 0;
	while (fgets(line, sizeof line, f) != NULL) {
		struct str s = str_trim(str_of(line));

		if (s.n > 3 && (s.p[0] == 'C' || s.p[0] == 'S') &&
		    s.p[1] == ':') {
			assert_true(n_talk < LINES);
			talk[n_talk++] = (struct talk){ .who = s.p[0] };
			s = str_sub(s, 3, s.n);
			is_open = true;
		} else if (s.n == 0 || !is_open) {
			is_open = false;
			continue;
		}
		said = strlen(talk[n_talk - 1].text);
		assert_true(said + s.n < LINE);
		memcpy(talk[n_talk - 1].text + said, s.p, s.n);
	}
	(void)fclose(f);
}

/* The last word of the nth line that `who' says and that begins so. */
static inline struct str
talk_said(char who, const char *prefix)
{
	for (size_t i = 0; i < n_talk; i++) {
		struct str s = str_trim(str_of(talk[i].text));

		if (talk[i].who == who && str_skip(&s, str_of(prefix)))
			return str_sub(s, s.n == 0 ? 0 :
			    str_find_last(s, ' ') == s.n ? 0 :
			    str_find_last(s, ' ') + 1, s.n);
	}
	fail_msg("nobody says %s", prefix);
	return STR_NONE;
}

/* The whole line. */
static inline struct str
talk_line(char who, const char *prefix)
{
	for (size_t i = 0; i < n_talk; i++)
		if (talk[i].who == who && strncmp(talk[i].text, prefix,
		    strlen(prefix)) == 0)
			return str_trim(str_of(talk[i].text));
	fail_msg("nobody says %s", prefix);
	return STR_NONE;
}

static inline struct str
decoded(struct str letters)
{
	char *p = arena_alloc(&arena, letters.n + 1);
	struct buf b = { .p = p, .cap = letters.n };

	assert_true(base64_decode(letters, &b));
	return buf_str(&b);
}

/* "<NUL>" becomes one. */
static inline struct str
with_nuls(struct str s)
{
	char *p = arena_alloc(&arena, s.n + 1);
	struct buf b = { .p = p, .cap = s.n };

	while (s.n > 0) {
		if (str_skip(&s, STR("<NUL>"))) {
			buf_putc(&b, '\0');
		} else {
			buf_putc(&b, s.p[0]);
			s = str_sub(s, 1, s.n);
		}
	}
	return buf_str(&b);
}

/* ---- helpers ---- */

static inline int
set_up(void **state)
{
	(void)state;
	arena_init(&arena, 64 * 1024);
	out = BUF_OF(room);
	tls = (struct sasl_binding){ .has_exporter = true, .end_point_n = 32 };
	memset(tls.exporter, 0x11, sizeof tls.exporter);
	memset(tls.end_point, 0x22, 32);
	return 0;
}

static inline int
tear_down(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

static inline void
assert_out(struct str want)
{
	if (!str_eq(buf_str(&out), want))
		fail_msg("said '"STR_FMT"', not '"STR_FMT"'",
		    STR_ARG(buf_str(&out)), STR_ARG(want));
}

static inline void
assert_str(struct str got, struct str want)
{
	if (!str_eq(got, want))
		fail_msg("'"STR_FMT"', not '"STR_FMT"'", STR_ARG(got),
		    STR_ARG(want));
}

static inline struct str
attribute(struct str message, char name)
{
	while (message.n > 0) {
		struct str a = str_cut(&message, ',');

		if (a.n > 2 && a.p[0] == name && a.p[1] == '=')
			return str_sub(a, 2, a.n);
	}
	fail_msg("no %c=", name);
	return STR_NONE;
}

#define CASE(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

#endif
