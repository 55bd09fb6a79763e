/*
 * test_digest.h -- a whole message through a digest, for tests.
 *
 * The promise: test_crlf() makes CRLF of each LF; test_fields() feeds the header
 * section and gives the body that follows it; test_zone_txt() writes a TXT record
 * as a zone has it, in strings of 255.
 * Not for: the server, whose intake feeds it.
 * Waiting: none.
 * Memory: the arena, and the caller's buffer.
 * Errors: a message that is none fails the test.
 * Source: HOUSE.md 7.9.
 */
#ifndef NM_TRUST_TEST_DIGEST_H
#define NM_TRUST_TEST_DIGEST_H

#include "trust/digest.h"

static inline void
test_crlf(struct str s, struct buf *out)
{
	char last = '\0';

	for (size_t i = 0; i < s.n; last = s.p[i++]) {
		if (s.p[i] == '\n' && last != '\r')
			buf_putc(out, '\r');
		buf_putc(out, s.p[i]);
	}
}

static inline struct str
test_fields(struct digest *d, struct arena *arena, struct str message)
{
	struct header_scan scan;
	struct field field;
	enum header_step step;

	header_begin(&scan, arena);
	do {
		step = header_next(&scan, &message, &field);
		if (step == HEADER_FIELD)
			assert_true(digest_field(d, &field));
	} while (step == HEADER_FIELD);
	if (step == HEADER_MORE) {
		while ((step = header_finish(&scan, &field)) == HEADER_FIELD)
			assert_true(digest_field(d, &field));
		return field.raw;
	}
	assert_int_equal(step, HEADER_END);
	return message;
}

static inline void
test_zone_txt(struct buf *zone, struct str name, struct str text)
{
	buf_printf(zone, "\"" STR_FMT ".\" TXT", STR_ARG(name));
	for (size_t i = 0; i == 0 || i < text.n; i += 255) {
		buf_printf(zone, " \"");
		for (size_t j = i; j < text.n && j < i + 255; j++)
			if (text.p[j] == '"' || text.p[j] == '\\' ||
			    text.p[j] < ' ')
				buf_printf(zone, "\\%03u",
				    (unsigned char)text.p[j]);
			else
				buf_putc(zone, text.p[j]);
		buf_putc(zone, '"');
	}
	buf_putc(zone, '\n');
}

#endif
