#include "wire/idna.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void
domains_have_one_form(void **state)
{
	static const struct { const char *in, *want; } rows[] = {
		{ "Example.ORG", "example.org" },
		{ "b\xc3\xbc""cher.test", "xn--bcher-kva.test" },
		{ "B\xc3\x9c""CHER.Test", "xn--bcher-kva.test" },
		/* u and a combining diaeresis: NFC */
		{ "bu\xcc\x88""cher.test", "xn--bcher-kva.test" },
		{ "XN--BCHER-KVA.test", "xn--bcher-kva.test" },
		{ "\xd0\xbf\xd0\xbe\xd1\x87\xd1\x82\xd0\xb0.xn--p1ai",
		    "xn--80a1acny.xn--p1ai" },
		{ "stra\xc3\x9f""e.test", "xn--strae-oqa.test" },
		{ "\xe4\xbe\x8b\xe3\x81\x88.test", "xn--r8jz45g.test" },
		/* a symbol; a dot that is none; controls; nothing */
		{ "\xe2\x99\xa5.test", NULL },
		{ "a\xe3\x80\x82test", NULL },
		{ "a\xc2\x85.test", NULL },
		{ "a\xff.test", NULL },
		{ "-\xc3\xbc.test", NULL },
		{ "\xc3\xbc..test", NULL },
		{ "[192.0.2.1]", NULL }, { "", NULL }, { "a b", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		char room[255];
		struct buf b = BUF_OF(room);
		bool fine = idna_ascii(str_of(rows[i].in), &b);

		if (fine != (rows[i].want != NULL))
			print_error("%s\n", rows[i].in);
		assert_int_equal(fine, rows[i].want != NULL);
		if (fine)
			assert_true(str_eq(buf_str(&b), str_of(rows[i].want)));
	}
}

static void
what_does_not_fit_is_refused(void **state)
{
	/* 56 octets of one label make 59 and "xn--" */
	char label[80] = "\xc3\xbc", room[300];
	struct buf b = BUF_OF(room), small = { .p = room, .cap = 17 };

	(void)state;
	assert_false(idna_ascii(STR("b\xc3\xbc""cher.test"), &small));
	memset(label + 2, 'x', 57);
	assert_false(idna_ascii((struct str){ label, 2 + 57 }, &b));
	b.n = 0;
	assert_true(idna_ascii((struct str){ label, 2 + 50 }, &b));
	assert_true(b.n <= 63);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(domains_have_one_form),
		cmocka_unit_test(what_does_not_fit_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
