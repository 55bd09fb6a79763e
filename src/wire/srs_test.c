#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/srs.h"

static void
what_is_meant_as_one(void **state)
{
	static const char *const are[] = { "SRS0=", "srs0=x", "SRS1+x", "Srs0-" };
	static const char *const are_not[] = { "SRS0", "SRS", "", "SRS2=x",
	    "SRS0x=", "xSRS0=", "SRS0.x" };

	(void)state;
	for (size_t i = 0; i < sizeof are / sizeof *are; i++)
		assert_true(srs_is_meant(str_of(are[i])));
	for (size_t i = 0; i < sizeof are_not / sizeof *are_not; i++)
		assert_false(srs_is_meant(str_of(are_not[i])));
}

static void
what_is_read_is_written(void **state)
{
	static const struct {
		const char *local;
		struct srs is;
	} list[] = {
		{ "SRS0=HHHH=TT=a.example=bob", { .hash = STR_INIT("HHHH"),
		    .stamp = STR_INIT("TT"), .domain = STR_INIT("a.example"),
		    .local = STR_INIT("bob") } },
		{ "SRS0=a+/b=TT=a.example=bob=x+y=", { .hash = STR_INIT("a+/b"),
		    .stamp = STR_INIT("TT"), .domain = STR_INIT("a.example"),
		    .local = STR_INIT("bob=x+y=") } },
		{ "SRS1=HHHH=b.example==GGGG=TT=a.example=bob", { .is_second = true,
		    .hash = STR_INIT("HHHH"), .domain = STR_INIT("b.example"),
		    .local = STR_INIT("=GGGG=TT=a.example=bob") } },
		{ "SRS1=HHHH=b.example=+GGGG=TT=a=b", { .is_second = true,
		    .hash = STR_INIT("HHHH"), .domain = STR_INIT("b.example"),
		    .local = STR_INIT("+GGGG=TT=a=b") } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		char room[100];
		struct buf out = BUF_OF(room);
		struct srs got;

		assert_true(srs_read(str_of(list[i].local), &got));
		assert_int_equal(got.is_second, list[i].is.is_second);
		assert_true(str_eq(got.hash, list[i].is.hash));
		assert_true(str_eq(got.stamp, list[i].is.stamp));
		assert_true(str_eq(got.domain, list[i].is.domain));
		assert_true(str_eq(got.local, list[i].is.local));
		srs_write(&got, &out);
		assert_true(str_eq(buf_str(&out), str_of(list[i].local)));
	}
}

static void
what_is_refused(void **state)
{
	static const char *const list[] = {
		"bob", "SRS0=", "SRS0=HHHH", "SRS0=HHHH=", "SRS0=HHHH=TT",
		"SRS0=HHHH=TT=", "SRS0=HHHH=TT=a.example", "SRS0=HHHH=TT=a.example=",
		"SRS0==TT=a.example=bob", "SRS0=HHHH==a.example=bob",
		"SRS0=HHHH=TT==bob", "SRS1=HHHH=b.example", "SRS1=HHHH=b.example=",
		"SRS1=HHHH=b.example==", "SRS1=HHHH=b.example=GGGG=TT=a=b",
		"SRS1=HHHH===x", "SRS1==b.example==x",
	};
	struct srs got;

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++)
		if (srs_read(str_of(list[i]), &got))
			fail_msg("%s", list[i]);
	assert_true(srs_read(STR("srs0+h=t=d=l"), &got));
	assert_true(str_eq(got.hash, STR("h")));
}

static void
stamps(void **state)
{
	unsigned got;

	(void)state;
	for (unsigned day = 0; day < 2 * SRS_DAYS; day++) {
		char room[SRS_STAMP];
		struct buf out = BUF_OF(room);

		srs_stamp_write(day, &out);
		assert_false(out.full);
		assert_true(srs_stamp_read(buf_str(&out), &got));
		assert_int_equal(got, day % SRS_DAYS);
	}
	assert_true(srs_stamp_read(STR("AA"), &got));
	assert_int_equal(got, 0);
	assert_true(srs_stamp_read(STR("77"), &got));
	assert_int_equal(got, 1023);
	assert_true(srs_stamp_read(STR("ba"), &got));
	assert_int_equal(got, 32);
	assert_false(srs_stamp_read(STR("A"), &got));
	assert_false(srs_stamp_read(STR("AAA"), &got));
	assert_false(srs_stamp_read(STR("A1"), &got));
	assert_false(srs_stamp_read(STR("0A"), &got));
	assert_false(srs_stamp_read(STR("A\0"), &got));
	assert_false(srs_stamp_read(STR(""), &got));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_meant_as_one),
		cmocka_unit_test(what_is_read_is_written),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(stamps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
