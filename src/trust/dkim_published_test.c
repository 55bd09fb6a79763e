#include "trust/dkim_published.h"

#include "base/err.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct dkim_published some[] = {
	{ .domain = STR_INIT("a.example"), .selector = STR_INIT("s1"),
	  .algorithm = DKIM_RSA_SHA256, .bits = 2048, .state = DKIM_ACTIVE,
	  .made = { INT64_C(1770000000000000) },
	  .since = { INT64_C(1770003661000000) },
	  .name = STR_INIT("s1._domainkey.a.example"),
	  .text = STR_INIT("v=DKIM1; k=rsa; p=AAAA"), .seen = DKIM_SEEN,
	  .asked = { INT64_C(1793321999000000) } },
	{ .domain = STR_INIT("a.example"), .selector = STR_INIT("s2"),
	  .algorithm = DKIM_ED25519_SHA256, .bits = 256, .state = DKIM_NEXT,
	  .made = { INT64_C(1770000000000000) },
	  .since = { INT64_C(1770000000000000) },
	  .name = STR_INIT("s2._domainkey.a.example"),
	  .text = STR_INIT("v=DKIM1; k=ed25519; p=AAAA") },
};

static void
what_is_put_is_read(void **state)
{
	static char room[4096];
	struct buf b = BUF_OF(room);
	struct dkim_published *back;
	struct arena a;
	struct json j;
	size_t n;

	(void)state;
	arena_init(&a, 1 << 20);
	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_array(&j, "keys");
	for (size_t i = 0; i < 2; i++)
		dkim_published_put(&j, &some[i]);
	json_end_array(&j);
	json_end_object(&j);
	assert_int_equal(dkim_published_read(buf_str(&b), &a, &back, &n), 0);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < 2; i++) {
		assert_true(str_eq(back[i].domain, some[i].domain));
		assert_true(str_eq(back[i].selector, some[i].selector));
		assert_true(str_eq(back[i].name, some[i].name));
		assert_true(str_eq(back[i].text, some[i].text));
		assert_int_equal(back[i].algorithm, some[i].algorithm);
		assert_int_equal(back[i].state, some[i].state);
		assert_int_equal(back[i].seen, some[i].seen);
		assert_int_equal(back[i].bits, some[i].bits);
		assert_int_equal(back[i].made.us, some[i].made.us);
		assert_int_equal(back[i].since.us, some[i].since.us);
		assert_int_equal(back[i].asked.us, some[i].asked.us);
	}
	arena_clear(&a);
}

static void
nonsense_is_refused(void **state)
{
	static const char *const bad[] = { "", "[]", "{}", "{\"keys\":1}",
		"{\"keys\":[1]}", "{\"keys\":[{\"domain\":\"a\"}]}" };
	struct dkim_published *back;
	struct arena a;
	size_t n;

	(void)state;
	arena_init(&a, 1 << 20);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(dkim_published_read(str_of(bad[i]), &a, &back,
		    &n), -1);
	assert_int_equal(dkim_published_read(STR("{\"keys\":[]}"), &a, &back,
	    &n), 0);
	assert_int_equal(n, 0);
	err_clear();
	arena_clear(&a);
}

static void
records_are_written(void **state)
{
	char room[200];
	struct buf b = BUF_OF(room);

	(void)state;
	dkim_record_put(&b, DKIM_RSA_SHA256, STR("abc"));
	assert_true(str_eq(buf_str(&b), STR("v=DKIM1; k=rsa; p=YWJj")));
	b.n = 0;
	dkim_record_put(&b, DKIM_ED25519_SHA256, STR("abc"));
	assert_true(str_eq(buf_str(&b), STR("v=DKIM1; k=ed25519; p=YWJj")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_put_is_read),
		cmocka_unit_test(nonsense_is_refused),
		cmocka_unit_test(records_are_written),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
