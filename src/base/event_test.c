#include "base/event.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include <jansson.h>

enum { WHEN = 1795182001 };

static char room[EVENT_LINE_MOST], record[EVENT_LINE_MOST];

static struct event
make(enum event_type type, uint64_t id)
{
	return event_make(type, (struct wall){ WHEN * US_PER_SECOND + 121000 }, id);
}

static struct str
encode(const struct event *e)
{
	struct buf out = BUF_OF(record);

	event_encode(e, &out);
	assert_false(out.full);
	return buf_str(&out);
}

static struct event
sample(void)
{
	struct event e = make(EVENT_delivered, 7);

	event_str(&e, FIELD_recipient, STR("bob@y.example"));
	event_str(&e, FIELD_sender, STR(""));
	event_str(&e, FIELD_helo, STR_NONE);		/* absent */
	event_num(&e, FIELD_code, 250);
	event_num(&e, FIELD_delay_us, UINT64_MAX);
	event_num(&e, FIELD_next_at, WHEN * UINT64_C(1000000));
	event_str(&e, FIELD_reply, STR("a\0\xff"));
	return e;
}

static void
test_fields(void **state)
{
	struct event e = sample();

	(void)state;
	assert_int_equal(e.n, 6);
	assert_null(event_get(&e, FIELD_helo));
	assert_null(event_get_str(&e, FIELD_helo).p);
	assert_non_null(event_get_str(&e, FIELD_sender).p);
	assert_int_equal(event_get_str(&e, FIELD_sender).n, 0);
	assert_true(event_get_num(&e, FIELD_delay_us) == UINT64_MAX);
	assert_int_equal(event_get_num(&e, FIELD_size), 0);
}

static void
test_names(void **state)
{
	enum event_type type;

	(void)state;
	for (unsigned i = 0; i < EVENT_TYPES; i++) {
		assert_true(event_type_of(str_of(event_name((enum event_type)i)),
		    &type));
		assert_int_equal(type, i);
		assert_true(strlen(event_tag(type)) > 0);
		assert_true(i == 0 || strcmp(event_name((enum event_type)(i - 1)),
		    event_name(type)) < 0);	/* kept sorted, please */
	}
	assert_false(event_type_of(STR("deliver"), &type));
	assert_false(event_type_of(STR(""), &type));
	assert_string_equal(event_field_name(FIELD_orig_to), "orig_to");
}

/* The number of a field is on disks out there. */
static void
test_field_numbers_stay(void **state)
{
	(void)state;
	assert_int_equal(FIELD_sender, 0);
	assert_int_equal(FIELD_size, 11);
	assert_int_equal(FIELD_delay_us, 19);
	assert_int_equal(FIELD_next_at, 24);
	assert_int_equal(FIELD_reason, 35);
}

static void
test_round_trip(void **state)
{
	struct event e = sample(), back;
	struct str bytes = encode(&e);

	(void)state;
	assert_true(event_decode(bytes, &back));
	assert_int_equal(back.type, e.type);
	assert_int_equal(back.at.us, e.at.us);
	assert_int_equal(back.id, 7);
	assert_int_equal(back.n, e.n);
	for (size_t i = 0; i < e.n; i++) {
		assert_int_equal(back.values[i].field, e.values[i].field);
		assert_true(back.values[i].number == e.values[i].number);
		assert_int_equal(back.values[i].string.p == NULL,
		    e.values[i].string.p == NULL);
		assert_true(str_eq(back.values[i].string, e.values[i].string));
	}
}

static void
test_bytes_as_promised(void **state)
{
	struct event e = event_make(EVENT_held, (struct wall){ 1 }, 2);

	(void)state;
	event_num(&e, FIELD_size, 3);
	event_str(&e, FIELD_client, STR("::1"));
	assert_true(str_eq(encode(&e), STR("\1\4held\1\0\0\0\0\0\0\0"
	    "\2\0\0\0\0\0\0\0" "\13\3\0\0\0\0\0\0\0" "\x83\3\0\0\0::1")));
}

/* Any cut but one after a whole field is refused, whatever bytes follow. */
static void
test_cut_short(void **state)
{
	struct event e = sample(), back;
	struct str bytes = encode(&e);
	size_t whole = 0;

	(void)state;
	for (size_t n = 0; n < bytes.n; n++)
		whole += event_decode(str_sub(bytes, 0, n), &back);
	assert_int_equal(whole, e.n);
}

static void
test_unknown_fields_are_skipped(void **state)
{
	struct event back;

	(void)state;
	assert_true(event_decode(STR("\1\4held\1\0\0\0\0\0\0\0"
	    "\2\0\0\0\0\0\0\0" "\x7f\1\1\1\1\1\1\1\1" "\xfe\2\0\0\0??"
	    "\13\3\0\0\0\0\0\0\0"), &back));
	assert_int_equal(back.n, 1);
	assert_int_equal(event_get_num(&back, FIELD_size), 3);
}

static void
test_malformed_is_refused(void **state)
{
#define HEAD "\1\4held\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0"
	static const struct str cases[] = {
		{ "", 0 },
		{ "\2\4held\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 22 },
		{ "\1\4hold\1\0\0\0\0\0\0\0\2\0\0\0\0\0\0\0", 22 },
		{ HEAD "\0\3\0\0\0\0\0\0\0", 31 },	/* sender: a number? */
		{ HEAD "\x8b\1\0\0\0x", 28 },		/* size: a string? */
		{ HEAD "\13\3\0\0\0\0\0\0\0\13\3\0\0\0\0\0\0\0", 40 },
		{ HEAD "\x80\xff\xff\xff\xffx", 28 },
		{ HEAD "\xfe\xff\xff\xff\xffx", 28 },
	};
	struct event back;

	(void)state;
	assert_true(event_decode((struct str){ HEAD, 22 }, &back));
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
		assert_false(event_decode(cases[i], &back));
#undef HEAD
}

/* Rot in any octet: refused, or an event that can still be told. */
static void
test_any_octet_may_be_wrong(void **state)
{
	struct event e = sample(), back;
	struct str bytes = encode(&e);

	(void)state;
	for (size_t i = 0; i < 256 * bytes.n; i++) {
		char was = record[i / 256];
		struct buf out = BUF_OF(room);

		record[i / 256] = (char)(i % 256);
		if (event_decode(bytes, &back)) {
			event_json(&back, &out);
			assert_false(out.full);
			out.n = 0;
			for (unsigned k = 0; event_text_tag(&back, k) != NULL;
			    k++)
				event_text(&back, k, &out);
			assert_false(out.full);
		}
		record[i / 256] = was;
	}
}

static void
test_json(void **state)
{
	struct event e = sample();
	struct buf out = BUF_OF(room);

	(void)state;
	event_json(&e, &out);
	assert_true(str_eq(buf_str(&out), STR(
	    "{\"at\":\"2026-11-20T13:40:01.121Z\",\"event\":\"delivered\","
	    "\"id\":\"0000000000007\",\"recipient\":\"bob@y.example\","
	    "\"sender\":\"\",\"code\":250,\"delay_us\":18446744073709551615,"
	    "\"next_at\":\"2026-11-20T13:40:01.000Z\","
	    "\"reply\":\"a\\u0000\\ufffd\"}")));
	e = make(EVENT_started, 0);
	out.n = 0;
	event_json(&e, &out);
	assert_true(str_eq(buf_str(&out), STR(
	    "{\"at\":\"2026-11-20T13:40:01.121Z\",\"event\":\"started\"}")));
}

/* The worst line there can be fits: every field, every octet escaped. */
static void
test_the_longest_line_fits(void **state)
{
	static const enum event_field longs[] = { FIELD_results,
		FIELD_policy_text };
	static char octets[4 * EVENT_LONG_MOST];
	struct event e = make(EVENT_delivered, UINT64_MAX);
	struct buf out = BUF_OF(room);
	json_t *back;

	(void)state;
	memset(octets, '\1', sizeof octets);
	for (size_t i = 0; e.n < EVENT_FIELDS; i++)
		e.values[e.n++] = (struct event_value){
			.field = i < 2 ? longs[i] : (enum event_field)(i - 2),
			.string = { octets, sizeof octets } };
	event_json(&e, &out);
	assert_false(out.full);
	back = json_loadb(out.p, out.n, JSON_ALLOW_NUL, NULL);
	assert_non_null(back);
	json_decref(back);
	out = BUF_OF(room);
	event_text(&e, 0, &out);
	assert_false(out.full);
	assert_in_range(out.n, 5 * EVENT_TEXT_MOST, 20 * EVENT_TEXT_MOST);
	e.type = EVENT_checked;
	out = BUF_OF(room);
	event_text(&e, 0, &out);
	assert_false(out.full);
	assert_in_range(out.n, EVENT_LONG_MOST, 2 * EVENT_LONG_MOST);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fields),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_field_numbers_stay),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_bytes_as_promised),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_unknown_fields_are_skipped),
		cmocka_unit_test(test_malformed_is_refused),
		cmocka_unit_test(test_any_octet_may_be_wrong),
		cmocka_unit_test(test_json),
		cmocka_unit_test(test_the_longest_line_fits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
