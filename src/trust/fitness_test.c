#include "trust/fitness.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define DAY INT64_C(86400)

/* A certificate by issuer for subject, from and until in days. */
static X509 *
make(const char *subject, const char *issuer, int from, int until, bool has_aia)
{
	static EVP_PKEY *key;
	X509 *x = X509_new();
	X509_NAME *name = X509_NAME_new();
	time_t zero = 0;

	if (key == NULL)
		key = EVP_EC_gen("P-256");
	X509_set_version(x, X509_VERSION_3);
	ASN1_INTEGER_set(X509_get_serialNumber(x), 1);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)subject, -1, -1, 0);
	X509_set_subject_name(x, name);
	X509_NAME_free(name);
	name = X509_NAME_new();
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC,
	    (const unsigned char *)issuer, -1, -1, 0);
	X509_set_issuer_name(x, name);
	X509_NAME_free(name);
	X509_time_adj_ex(X509_getm_notBefore(x), from, 0, &zero);
	X509_time_adj_ex(X509_getm_notAfter(x), until, 0, &zero);
	X509_set_pubkey(x, key);
	if (has_aia) {
		X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL,
		    NID_info_access, "caIssuers;URI:http://ca.test/ca.crt");

		X509_add_ext(x, e, -1);
		X509_EXTENSION_free(e);
	}
	X509_sign(x, key, EVP_sha256());
	return x;
}

static unsigned
judge(X509 *leaf, X509 *above, int64_t at_s)
{
	struct certificate c = { leaf, sk_X509_new_null() };
	unsigned faults;

	if (above != NULL)
		sk_X509_push(c.chain, above);
	faults = fitness_judge(&c, (struct wall){ at_s * US_PER_SECOND });
	certificate_free(&c);
	return faults;
}

static void
test_times(void **state)
{
	static const struct { int from, until; int64_t at_s; unsigned faults; }
	    rows[] = {
		{ 100, 190, 99 * DAY, 1u << FITNESS_EARLY },
		{ 100, 190, 100 * DAY, 0 },
		{ 100, 190, 176 * DAY, 0 },
		{ 100, 190, 176 * DAY + 1, 1u << FITNESS_EXPIRES },
		{ 100, 190, 190 * DAY - 1, 1u << FITNESS_EXPIRES },
		{ 100, 190, 190 * DAY, 1u << FITNESS_EXPIRED },
		/* six days: the last of them */
		{ 100, 106, 105 * DAY, 0 },
		{ 100, 106, 105 * DAY + 1, 1u << FITNESS_EXPIRES },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(judge(make("a.test", "a.test", rows[i].from,
		    rows[i].until, false), NULL, rows[i].at_s), rows[i].faults);
}

static void
test_chains(void **state)
{
	(void)state;
	assert_int_equal(judge(make("a.test", "CA", 1, 99, true),
	    make("CA", "Root", 1, 99, true), 5 * DAY), 0);
	assert_int_equal(judge(make("a.test", "CA", 1, 99, true), NULL,
	    5 * DAY), 1u << FITNESS_INCOMPLETE);
	assert_int_equal(judge(make("a.test", "CA", 1, 99, true),
	    make("Other", "Root", 1, 99, true), 5 * DAY),
	    1u << FITNESS_DISORDER);
	/* straight from a root of one's own */
	assert_int_equal(judge(make("a.test", "CA", 1, 99, false), NULL,
	    5 * DAY), 0);
}

static void
test_about_it(void **state)
{
	struct certificate c;
	EVP_PKEY *key;
	GENERAL_NAMES *names;
	char room[100];
	struct buf b = BUF_OF(room);
	struct str name;
	int at = 0;

	(void)state;
	assert_int_equal(certificate_make(STR("mx.test"), (struct wall){
	    INT64_C(1770000000) * US_PER_SECOND }, &c, &key), 0);
	assert_true(certificate_is_for(c.leaf, STR("mx.test")));
	assert_false(certificate_is_for(c.leaf, STR("a.mx.test")));
	assert_false(certificate_is_for(c.leaf, STR("")));
	certificate_kind(c.leaf, &b);
	buf_putc(&b, ' ');
	certificate_issuer(c.leaf, &b);
	assert_true(str_eq(buf_str(&b), STR("ECDSA P-256 mx.test")));
	names = X509_get_ext_d2i(c.leaf, NID_subject_alt_name, NULL, NULL);
	assert_true(certificate_name(names, &at, &name));
	assert_true(str_eq(name, STR("mx.test")));
	assert_false(certificate_name(names, &at, &name));
	GENERAL_NAMES_free(names);
	certificate_free(&c);
	EVP_PKEY_free(key);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_chains),
		cmocka_unit_test(test_about_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
