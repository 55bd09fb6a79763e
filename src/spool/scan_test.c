#include "spool/scan.h"

#include "base/crc32c.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* SECURITY.md B7 T3: a segment of 64 KiB, cut and flipped everywhere. */

enum { SEGMENT = 64 * 1024, RECORDS_MOST = 200 };

static char segment[SEGMENT], hurt[SEGMENT];
static uint64_t begins[RECORDS_MOST + 1];	/* last: the end of all */
static size_t n_records;

static const uint64_t salt = 0x5a17;

static uint64_t
segment_put(uint64_t at, uint64_t sequence, uint64_t settled, size_t payload_n,
    size_t body_n)
{
	struct record r = { .type = RECORD_COMMIT, .salt = salt,
		.sequence = sequence, .id = sequence,
		.payload_n = (uint32_t)payload_n, .body_n = (uint32_t)body_n,
		.settled = (uint32_t)(settled / RECORD_ALIGN) };
	char *payload = segment + at + RECORD_HEADER;

	for (size_t i = 0; i < payload_n + body_n; i++)
		payload[i] = (char)('a' + (i + sequence) % 26);
	r.payload_sum = crc32c(0, (struct str){ payload, payload_n });
	r.body_sum = crc32c(0, (struct str){ payload + payload_n, body_n });
	record_seal(&r, segment + at);
	return at + record_size(r.payload_n, r.body_n);
}

static int
segment_fill(void **state)
{
	uint64_t at = 0;

	(void)state;
	memset(segment, 0, sizeof segment);
	n_records = 0;
	for (uint64_t i = 1; at < SEGMENT - 4096; i++) {
		begins[n_records++] = at;
		at = segment_put(at, i, at > 5000 ? at - 5000 : 0, 20 + i % 7,
		    i * 37 % 900);
	}
	begins[n_records] = at;
	memcpy(hurt, segment, sizeof segment);
	return 0;
}

struct seen {
	size_t records, damages;
	uint64_t first_missing;		/* index of the first one not given */
	uint64_t damage_from, damage_to, end;
	bool is_prefix;
};

/* Windows of `step' bytes, or what is asked for; begins behind the first `skip'
 * records, which count as seen. */
static struct seen
segment_scan(struct str bytes, size_t skip, size_t step, bool wants_bodies)
{
	struct seen seen = { .records = skip, .first_missing = n_records,
		.is_prefix = true };
	enum scan_result got;
	struct record r;
	struct scan s;

	scan_init(&s, salt, begins[skip], bytes.n, wants_bodies);
	s.sequence = skip;
	while ((got = scan_next(&s, &r)) != SCAN_END) {
		if (got == SCAN_MORE) {
			assert_true(s.want_n > 0 && s.want_at < bytes.n);
			s.window = str_sub(bytes, s.want_at, s.want_n > step ?
			    s.want_n : step);
			s.window_at = s.want_at;
		} else if (got == SCAN_DAMAGE) {
			assert_true(s.from < s.to);
			if (seen.damages++ == 0)
				seen.damage_from = s.from;
			seen.damage_to = s.to;
		} else {
			assert_int_equal(s.from, begins[r.id - 1]);
			if (r.id - 1 != seen.records)
				seen.is_prefix = false;
			if (r.id - 1 != seen.records &&
			    seen.first_missing == n_records)
				seen.first_missing = seen.records;
			seen.records++;
		}
	}
	seen.end = s.from;
	return seen;
}

static void
a_whole_segment_is_read_in_any_windows(void **state)
{
	static const size_t steps[] = { 1, 56, 57, 1000, 4096, SEGMENT };
	struct str all = { segment, SEGMENT };

	(void)state;
	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
		for (int bodies = 0; bodies < 2; bodies++) {
			struct seen seen = segment_scan(all, 0, steps[i],
			    bodies);

			assert_int_equal(seen.records, n_records);
			assert_int_equal(seen.damages, 0);
			assert_int_equal(seen.end, begins[n_records]);
		}
}

static void
a_cut_anywhere_leaves_the_longest_prefix(void **state)
{
	size_t whole = 0;

	(void)state;
	for (size_t cut = 0; cut <= SEGMENT; cut++) {
		struct str left = { segment, cut };
		struct seen seen;

		while (whole < n_records && begins[whole + 1] <= cut)
			whole++;
		/* all of it now and then, else what the cut can concern */
		seen = segment_scan(left, cut % 61 == 0 || whole == 0 ? 0 :
		    whole - 1, SEGMENT, true);
		assert_int_equal(seen.records, whole);
		assert_true(seen.is_prefix);
		assert_int_equal(seen.damages, 0);
		assert_int_equal(seen.end, begins[whole]);
	}
}

/* A flip in record i loses record i alone; one in padding or behind the last
 * record loses nothing; what is lost at the end is no damage, for nobody can
 * tell it from what was being written. */
static void
flip_and_look(size_t at, unsigned char by)
{
	struct str all = { hurt, SEGMENT };
	struct record r;
	size_t i = 0;
	struct seen seen;

	while (i < n_records && begins[i + 1] <= at)
		i++;
	hurt[at] = (char)(hurt[at] ^ by);
	if (at % 61 == 0) {
		seen = segment_scan(all, 0, SEGMENT, true);
	} else {	/* what the flip can concern */
		all.n = i + 2 < n_records ? begins[i + 2] : SEGMENT;
		seen = segment_scan(all, i > 0 ? i - 1 : 0, SEGMENT, true);
		seen.records += i + 2 < n_records ? n_records - i - 2 : 0;
	}
	hurt[at] = (char)(hurt[at] ^ by);
	if (i == n_records) {
		assert_int_equal(seen.records, n_records);
		assert_int_equal(seen.damages, 0);
		assert_int_equal(seen.end, begins[n_records]);
		return;
	}
	assert_int_equal(record_read_header(
	    str_sub((struct str){ segment, SEGMENT }, begins[i], SEGMENT), &r),
	    RECORD_WHOLE);
	if (at - begins[i] >= RECORD_HEADER + r.payload_n + r.body_n) {
		assert_int_equal(seen.records, n_records);
		assert_int_equal(seen.damages, 0);
		return;
	}
	assert_int_equal(seen.records, n_records - 1);
	assert_int_equal(seen.damages, i + 1 < n_records);
	if (i + 1 == n_records) {
		assert_int_equal(seen.end, begins[i]);
		return;
	}
	assert_int_equal(seen.damage_from, begins[i]);
	assert_int_equal(seen.first_missing, i);
	assert_int_equal(seen.damage_to, begins[i + 1]);
}

static void
a_flip_anywhere_costs_one_record(void **state)
{
	(void)state;
	for (size_t at = 0; at < SEGMENT; at++) {
		flip_and_look(at, 0x01);
		flip_and_look(at, 0x80);
		flip_and_look(at, 0xff);
	}
}

static void
sectors_zeroed_filled_or_swapped_cost_only_theirs(void **state)
{
	uint64_t end = begins[n_records] / 512 * 512, from = end - 1024;
	struct seen seen;
	size_t before = 0;

	(void)state;
	while (begins[before + 1] <= from)
		before++;
	memset(hurt + from, 0, 1024);
	seen = segment_scan((struct str){ hurt, SEGMENT }, 0, SEGMENT, true);
	assert_true(seen.records >= before && seen.records < n_records);
	memset(hurt + from, 0xa5, 1024);
	seen = segment_scan((struct str){ hurt, SEGMENT }, 0, SEGMENT, true);
	assert_true(seen.records >= before && seen.records < n_records);
	memcpy(hurt + from, segment + from + 512, 512);
	memcpy(hurt + from + 512, segment + from, 512);
	seen = segment_scan((struct str){ hurt, SEGMENT }, 0, SEGMENT, true);
	assert_true(seen.records >= before && seen.records < n_records);
	memcpy(hurt, segment, SEGMENT);
}

static void
records_of_another_salt_or_turn_are_not_believed(void **state)
{
	struct str all = { segment, SEGMENT };
	struct record r;
	struct scan s;

	(void)state;
	scan_init(&s, salt + 1, 0, SEGMENT, true);
	s.window = all;
	assert_int_equal(scan_next(&s, &r), SCAN_END);
	assert_int_equal(s.from, 0);
	assert_int_equal(s.to, (begins[n_records] + 7) / 8 * 8);

	/* a batch that failed was rolled back: its second record stands behind
	 * what was written over it, with a lower sequence */
	memset(segment, 0, SEGMENT);
	segment_put(0, 10, 0, 20, 100);
	segment_put(256, 11, 0, 20, 100);
	segment_put(0, 12, 0, 20, 40);
	scan_init(&s, salt, 0, SEGMENT, true);
	s.window = all;
	assert_int_equal(scan_next(&s, &r), SCAN_RECORD);
	assert_int_equal(r.sequence, 12);
	assert_int_equal(scan_next(&s, &r), SCAN_END);
	assert_int_equal(s.from, record_size(20, 40));
}

static void
a_record_inside_a_damaged_body_is_not_found(void **state)
{
	struct str all = { segment, SEGMENT };
	struct record r;
	struct scan s;
	uint64_t at;

	(void)state;
	memset(segment, 0, SEGMENT);
	at = segment_put(0, 1, 0, 24, 512);
	segment_put(160, 2, 0, 8, 8);		/* inside the body: damages it */
	segment_put(at, 3, at, 8, 8);
	scan_init(&s, salt, 0, SEGMENT, true);
	s.window = all;
	assert_int_equal(scan_next(&s, &r), SCAN_DAMAGE);
	assert_int_equal(s.fault, RECORD_BAD_BODY);
	assert_int_equal(s.to, at);
	assert_int_equal(scan_next(&s, &r), SCAN_RECORD);
	assert_int_equal(r.sequence, 3);
	assert_int_equal(s.settled, at);	/* so it was no torn write */
	assert_int_equal(s.first_sequence, 3);
	assert_int_equal(scan_next(&s, &r), SCAN_END);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_whole_segment_is_read_in_any_windows,
		    segment_fill),
		cmocka_unit_test_setup(a_cut_anywhere_leaves_the_longest_prefix,
		    segment_fill),
		cmocka_unit_test_setup(a_flip_anywhere_costs_one_record,
		    segment_fill),
		cmocka_unit_test_setup(
		    sectors_zeroed_filled_or_swapped_cost_only_theirs,
		    segment_fill),
		cmocka_unit_test_setup(
		    records_of_another_salt_or_turn_are_not_believed,
		    segment_fill),
		cmocka_unit_test_setup(a_record_inside_a_damaged_body_is_not_found,
		    segment_fill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
