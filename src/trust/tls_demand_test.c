#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "fiber/test_tls.h"
#include "trust/tls_demand.h"

static struct tls_judgment
judged(enum tls_level level, const char *name, X509 *leaf, long verdict)
{
	struct tls_demand d = { .level = level, .asked_in = STR("route[0]"),
		.n_names = name == NULL ? 0 : 1, .names_are_sure = true,
		.names = { name == NULL ? STR_NONE : str_of(name) } };
	struct tls_facts f = { .version = "TLSv1.3", .peer = leaf,
		.verdict = verdict };
	struct tls_judgment j;

	tls_demand_judge(&d, &f, &j);
	assert_true(j.is_met == (j.why[0] == '\0'));
	return j;
}

static void
test_levels_grow(void **state)
{
	struct tls_identity id = test_identity("EC", "mx.a.example");
	long fine = X509_V_OK, strange = X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN;
	struct tls_judgment j;

	(void)state;
	for (int l = TLS_LEVEL_MAY; l <= TLS_LEVEL_ENCRYPT; l++) {
		assert_true(judged((enum tls_level)l, NULL, NULL, fine).is_met);
		assert_true(judged((enum tls_level)l, "x.example", id.leaf,
		    strange).is_met);
	}
	j = judged(TLS_LEVEL_VERIFY, "mx.a.example", id.leaf, fine);
	assert_true(j.is_met);
	assert_int_equal(j.proof, TLS_PROOF_VERIFIED);
	assert_string_equal(j.told, "TLSv1.3/verify");
	assert_int_equal(j.result, TLS_RESULT_FINE);
	assert_false(judged(TLS_LEVEL_DANE, "mx.a.example", id.leaf,
	    fine).is_met);
	test_identity_free(&id);
}

static void
test_verdicts(void **state)
{
	static const struct {
		const char *name, *why, *told;
		long verdict;
		enum tls_result result;
	} rows[] = {
		{ "mx.b.example", "the host's certificate is not for "
		    "mx.b.example (route[0] asks for 'verify')",
		    "TLSv1.3/trust", X509_V_OK,
		    TLS_RESULT_CERTIFICATE_HOST_MISMATCH },
		{ "mx.a.example", "the host's certificate is not trusted: it "
		    "has expired (route[0] asks for 'verify')",
		    "TLSv1.3/encrypt", X509_V_ERR_CERT_HAS_EXPIRED,
		    TLS_RESULT_CERTIFICATE_EXPIRED },
		{ "mx.a.example", "the host's certificate is not trusted: it "
		    "is signed by itself (route[0] asks for 'verify')",
		    "TLSv1.3/encrypt", X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
		    TLS_RESULT_CERTIFICATE_NOT_TRUSTED },
		{ "mx.a.example", "the host's certificate is not trusted: no "
		    "authority that is trusted here vouches for it (route[0] "
		    "asks for 'verify')", "TLSv1.3/encrypt",
		    X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
		    TLS_RESULT_CERTIFICATE_NOT_TRUSTED },
		{ NULL, "it is not known which name the host's certificate "
		    "should have (route[0] asks for 'verify')",
		    "TLSv1.3/trust", X509_V_OK,
		    TLS_RESULT_CERTIFICATE_HOST_MISMATCH },
	};
	struct tls_identity id = test_identity("EC", "mx.a.example");

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct tls_judgment j = judged(TLS_LEVEL_VERIFY, rows[i].name,
		    id.leaf, rows[i].verdict);

		assert_string_equal(j.why, rows[i].why);
		assert_string_equal(j.told, rows[i].told);
		assert_int_equal(j.result, rows[i].result);
	}
	test_identity_free(&id);
}

static bool
fits(X509 *leaf, const char *name, bool cn_counts)
{
	struct tls_demand d = { .n_names = 2, .cn_counts = cn_counts,
		.names = { STR("other.example"), str_of(name) } };

	return tls_demand_has_name(&d, leaf);
}

/* RFC 9525 6.3; RFC 7672 3.2.3 */
static void
test_names(void **state)
{
	struct tls_identity wild = test_identity("EC", "*.a.example");
	struct tls_identity part = test_identity("EC", "mx*.a.example");
	struct tls_identity bare = test_identity("EC", "mx.a.example");
	int at = X509_get_ext_by_NID(bare.leaf, NID_subject_alt_name, -1);

	(void)state;
	assert_true(fits(wild.leaf, "mx.a.example", false));
	assert_false(fits(wild.leaf, "mx.b.a.example", false));
	assert_false(fits(wild.leaf, "a.example", false));
	assert_false(fits(part.leaf, "mx1.a.example", false));
	assert_true(fits(bare.leaf, "MX.a.example", false));
	assert_true(fits(bare.leaf, ".a.example", false));
	assert_false(fits(bare.leaf, ".b.example", false));
	assert_false(fits(bare.leaf, "", false));
	X509_EXTENSION_free(X509_delete_ext(bare.leaf, at));
	assert_false(fits(bare.leaf, "mx.a.example", false));
	assert_true(fits(bare.leaf, "mx.a.example", true));
	test_identity_free(&wild);
	test_identity_free(&part);
	test_identity_free(&bare);
}

static void
test_clear(void **state)
{
	struct tls_demand d = { .level = TLS_LEVEL_MAY };
	struct tls_judgment j;

	(void)state;
	tls_demand_judge_clear(&d, STR_NONE, &j);
	assert_true(j.is_met);
	assert_string_equal(j.told, "clear");
	assert_int_equal(j.result, TLS_RESULT_STARTTLS_NOT_SUPPORTED);
	d.level = TLS_LEVEL_NONE;
	tls_demand_judge_clear(&d, STR_NONE, &j);
	assert_int_equal(j.result, TLS_RESULT_FINE);
	for (int l = TLS_LEVEL_ENCRYPT; l < TLS_LEVELS; l++) {
		d.level = (enum tls_level)l;
		tls_demand_judge_clear(&d, STR_NONE, &j);
		assert_false(j.is_met);
		assert_string_equal(j.why, "the host does not offer STARTTLS");
		tls_demand_judge_clear(&d, STR("the handshake broke"), &j);
		assert_string_equal(j.why, "the handshake broke");
		assert_string_equal(tls_result_name(j.result),
		    "validation-failure");
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_levels_grow),
		cmocka_unit_test(test_verdicts),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_clear),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
