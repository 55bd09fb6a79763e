#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/dkim.h"

#define BH "bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
#define REST "a=rsa-sha256; d=a.example; s=x; h=From:To; b=QUJD; " BH

static struct arena arena;
static struct dkim_signature sig;
static struct dkim_record rec;

static const char *
read_as(const char *text, enum dkim_field field)
{
	arena_clear(&arena);
	arena_init(&arena, 1 << 20);
	return dkim_signature_read(str_of(text), field, &arena, &sig);
}

static void
assert_good(const char *text)
{
	const char *wrong = read_as(text, DKIM_SIGNATURE);

	if (wrong != NULL)
		fail_msg("'%s': %s", text, wrong);
}

static void
assert_wrong(const char *text, const char *what)
{
	const char *wrong = read_as(text, DKIM_SIGNATURE);

	if (wrong == NULL || strcmp(wrong, what) != 0)
		fail_msg("'%s': %s", text, wrong == NULL ? "good" : wrong);
}

/* ---- signatures ---- */

static void
test_defaults(void **state)
{
	(void)state;
	assert_good("v=1; " REST);
	assert_true(str_eq(sig.domain, STR("a.example")));
	assert_true(str_eq(sig.selector, STR("x")));
	assert_true(str_eq(sig.identity, STR("@a.example")));
	assert_true(str_eq(sig.identity_domain, STR("a.example")));
	assert_true(str_eq(sig.names, STR("From:To")));
	assert_true(str_eq(sig.b, STR("QUJD")));
	assert_true(str_eq(sig.signature, STR("ABC")));
	assert_int_equal(sig.algorithm, DKIM_RSA_SHA256);
	assert_int_equal(sig.header, CANON_SIMPLE);
	assert_int_equal(sig.body, CANON_SIMPLE);
	assert_int_equal(sig.length, -1);
	assert_int_equal(sig.signed_at, -1);
	assert_int_equal(sig.expires_at, -1);
	assert_int_equal(sig.hash[0], 0xe3);
	assert_int_equal(sig.hash[DKIM_HASH - 1], 0x55);
}

static void
test_tags(void **state)
{
	(void)state;
	assert_good("i=bob=40x@Sub.A.Example; v=1; l=0; t=1; x=2; q=a/b : DNS/txt;"
	    " c=Relaxed; n0=; z=From:x; " REST);
	assert_true(str_eq(sig.identity, STR("bob@x@sub.a.example")));
	assert_true(str_eq(sig.identity_domain, STR("sub.a.example")));
	assert_int_equal(sig.length, 0);
	assert_int_equal(sig.signed_at, 1);
	assert_int_equal(sig.expires_at, 2);
	assert_int_equal(sig.header, CANON_RELAXED);
	assert_int_equal(sig.body, CANON_SIMPLE);
	assert_good("v=1; c=simple/relaxed; l=" /* 1*76DIGIT */
	    "0000000000000000000000000000000000000000000000000000000000000000"
	    "000000000012; " REST);
	assert_int_equal(sig.length, 12);
	assert_int_equal(sig.body, CANON_RELAXED);
	assert_good("v=1; t=9999999999999999999; " REST);
	assert_true(sig.signed_at == INT64_MAX);
	assert_good("v=1;a=Ed25519-SHA256;d=A.EXAMPLE;s=S_1.b;h= to :\r\n FROM;"
	    "b=QUJ\r\n DREVGR\tw; " BH);
	assert_int_equal(sig.algorithm, DKIM_ED25519_SHA256);
	assert_true(str_eq(sig.domain, STR("a.example")));
	assert_true(str_eq(sig.selector, STR("s_1.b")));
	assert_true(str_eq(sig.b, STR("QUJDREVG")));
	assert_true(str_eq(sig.signature, STR("ABCDEFG")));
}

/* RFC 8616 5 */
static void
test_u_labels(void **state)
{
	(void)state;
	assert_good("v=1; a=rsa-sha256; d=b\303\274cher.example; s=\303\244;"
	    " i=\303\266@B\303\274cher.example; h=From; b=QUJD; " BH);
	assert_true(str_eq(sig.domain, STR("xn--bcher-kva.example")));
	assert_true(str_eq(sig.selector, STR("xn--4ca")));
	assert_true(str_eq(sig.identity,
	    STR("\303\266@xn--bcher-kva.example")));
	assert_good("v=1; a=rsa-sha256; d=b\303\274cher.example; s=x;"
	    " i=@xn--bcher-kva.example; h=From; b=QUJD; " BH);
}

/* RFC 6376 6.1.1 */
static void
test_wrong(void **state)
{
	static const char *const rows[][2] = {
		{ "nonsense", "it is no list of tags" },
		{ REST, "it has no version (v=)" },
		{ "v=1; v=1; " REST, "it is no list of tags" },
		{ "v=2; " REST, "its version (v=) is not 1" },
		{ "v=1; c=; " REST,
		    "its canonicalization (c=) is none that is known" },
		{ "v=1; c=simple/; " REST,
		    "its canonicalization (c=) is none that is known" },
		{ "v=1; c=simple/relaxed/x; " REST,
		    "its canonicalization (c=) is none that is known" },
		{ "v=1; l=; " REST, "its length of the body (l=) is no number" },
		{ "v=1; l=-1; " REST,
		    "its length of the body (l=) is no number" },
		{ "v=1; t=1x; " REST, "its time (t=) is no number" },
		{ "v=1; x=; " REST, "its time of expiry (x=) is no number" },
		{ "v=1; t=5; x=5; " REST,
		    "it expires (x=) before it is made (t=)" },
		{ "v=1; q=dns; " REST,
		    "its key is not to be asked for in the DNS (q=)" },
		{ "v=1; i=a.example; " REST, "its identity (i=) is no address" },
		{ "v=1; i==0Ax@a.example; " REST,
		    "its identity (i=) is no address" },
		{ "v=1; i==4@a.example; " REST,
		    "its identity (i=) is no quoted-printable" },
		{ "v=1; i==; " REST, "its identity (i=) is no quoted-printable" },
		{ "v=1; i=@xa.example; " REST,
		    "its identity (i=) is outside its domain (d=)" },
		{ "v=1; i=@example; " REST,
		    "its identity (i=) is outside its domain (d=)" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_wrong(rows[i][0], rows[i][1]);
}

#define V "v=1; a=rsa-sha256; "

static void
test_wrong_needed(void **state)
{
	static const char *const rows[][2] = {
		{ "v=1; d=a.example; s=x; h=From; b=QUJD; " BH,
		    "it has no algorithm (a=)" },
		{ "v=1; a=rsa-md5; d=a.example; s=x; h=From; b=QUJD; " BH,
		    "its algorithm (a=) is none that is known" },
		{ "v=1; a=rsa-sha1; d=a.example; s=x; h=From; b=QUJD;"
		    " bh=2jmj7l5rSw0yVb/vlWAYkK/YBwk=", "it is made with SHA-1 "
		    "(a=rsa-sha1), which proves nothing" },
		{ V "s=x; h=From; b=QUJD; " BH, "it has no domain (d=)" },
		{ V "d=example; s=x; h=From; b=QUJD; " BH,
		    "its domain (d=) is no domain name" },
		{ V "d=a.example.; s=x; h=From; b=QUJD; " BH,
		    "its domain (d=) is no domain name" },
		{ V "d=-a.example; s=x; h=From; b=QUJD; " BH,
		    "its domain (d=) is no domain name" },
		{ V "d=a..example; s=x; h=From; b=QUJD; " BH,
		    "its domain (d=) is no domain name" },
		{ V "d=a.example; h=From; b=QUJD; " BH,
		    "it has no selector (s=)" },
		{ V "d=a.example; s=; h=From; b=QUJD; " BH,
		    "its selector (s=) is no name" },
		{ V "d=a.example; s=x; b=QUJD; " BH,
		    "it has no list of fields (h=)" },
		{ V "d=a.example; s=x; h=; b=QUJD; " BH,
		    "its list of fields (h=) is malformed" },
		{ V "d=a.example; s=x; h=From:; b=QUJD; " BH,
		    "its list of fields (h=) is malformed" },
		{ V "d=a.example; s=x; h=From:T o; b=QUJD; " BH,
		    "its list of fields (h=) is malformed" },
		{ V "d=a.example; s=x; h=To:Fromm; b=QUJD; " BH,
		    "it does not sign From (h=)" },
		{ V "d=a.example; s=x; h=From; " BH, "it has no signature (b=)" },
		{ V "d=a.example; s=x; h=From; b=; " BH,
		    "its signature (b=) is empty" },
		{ V "d=a.example; s=x; h=From; b=QUJDR; " BH,
		    "its signature (b=) is no base64" },
		{ V "d=a.example; s=x; h=From; b=QU*D; " BH,
		    "its signature (b=) is no base64" },
		{ V "d=a.example; s=x; h=From; b=QQ==QQ; " BH,
		    "its signature (b=) is no base64" },
		{ V "d=a.example; s=x; h=From; b=QUJD",
		    "it has no hash of the body (bh=)" },
		{ V "d=a.example; s=x; h=From; b=QUJD; bh=QUJD",
		    "its hash of the body (bh=) is no SHA-256" },
		{ V "d=a.example; s=x; h=From; b=QUJD; bh=*",
		    "its hash of the body (bh=) is no base64" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_wrong(rows[i][0], rows[i][1]);
	/* for people all the same */
	assert_wrong(V "d=A.example; s=x; h=To; b=QUJD; " BH,
	    "it does not sign From (h=)");
	assert_true(str_eq(sig.domain, STR("a.example")));
	assert_true(str_eq(sig.identity, STR("@a.example")));
	assert_true(str_eq(sig.b, STR("QUJD")));
}

/* The name of the key: at most 253 octets. */
static void
test_long_names(void **state)
{
	char text[1024], label[64];

	(void)state;
	memset(label, 'x', sizeof label);
	for (int n = 36; n <= 38; n++) {
		struct buf b = BUF_OF(text);

		/* 63 + 1 + 63 + 1 + 63 + 1 + n, and 12 between, and 12 */
		buf_printf(&b, "v=1; a=rsa-sha256; s=selector.1.x; h=From; "
		    "b=QUJD; " BH "; d=%.63s.%.63s.%.63s.%.*s", label, label,
		    label, n, label);
		buf_putc(&b, '\0');
		assert_int_equal(read_as(text, DKIM_SIGNATURE) == NULL,
		    12 + 12 + 3 * 64 + n <= 253);
	}
	label[63] = '\0';
	for (int n = 62; n <= 63; n++) {
		struct buf b = BUF_OF(text);

		buf_printf(&b, "v=1; a=rsa-sha256; s=%.*s%s; h=From; b=QUJD; " BH
		    "; d=a.example", n, label, n == 63 ? "x" : "");
		buf_putc(&b, '\0');
		assert_int_equal(read_as(text, DKIM_SIGNATURE) == NULL, n < 63);
	}
}

static void
test_long_signature(void **state)
{
	static char text[4096];

	(void)state;
	for (size_t n = DKIM_SIGNATURE_MOST - 1; n <= DKIM_SIGNATURE_MOST + 1;
	    n++) {
		struct buf b = BUF_OF(text);

		buf_printf(&b, "v=1; a=rsa-sha256; d=a.example; s=x; h=From; " BH
		    "; b=");
		for (size_t i = 0; i < n / 3 * 4; i++)
			buf_putc(&b, 'A');
		if (n % 3 > 0)
			buf_put(&b, n % 3 == 1 ? STR("AA==") : STR("AAA="));
		buf_putc(&b, '\0');
		assert_int_equal(read_as(text, DKIM_SIGNATURE) == NULL,
		    n <= DKIM_SIGNATURE_MOST);
	}
}

/* RFC 8617 4.1.2, 4.1.3, 4.2.1 */
static void
test_arc(void **state)
{
	(void)state;
	assert_null(read_as("i=1; " REST, DKIM_ARC_MESSAGE));
	assert_int_equal(sig.instance, 1);
	assert_null(read_as("i=50; v=7; " REST, DKIM_ARC_MESSAGE));
	assert_int_equal(sig.instance, 50);
	assert_non_null(read_as("i=51; " REST, DKIM_ARC_MESSAGE));
	assert_non_null(read_as("i=0; " REST, DKIM_ARC_MESSAGE));
	assert_non_null(read_as("i=@a.example; " REST, DKIM_ARC_MESSAGE));
	assert_non_null(read_as(REST, DKIM_ARC_MESSAGE));
	assert_null(read_as("i=2; a=rsa-sha256; cv=pass; d=a.example; s=x; "
	    "b=QUJD; t=5", DKIM_ARC_SEAL));
	assert_true(str_eq(sig.cv, STR("pass")));
	assert_int_equal(sig.signed_at, 5);
	assert_string_equal(read_as("i=2; a=rsa-sha256; d=a.example; s=x; "
	    "b=QUJD", DKIM_ARC_SEAL),
	    "it does not say what the chain was (cv=)");
	assert_string_equal(read_as("i=2; a=rsa-sha256; cv=none; d=a.example; "
	    "s=x; b=QUJD; h=From", DKIM_ARC_SEAL),
	    "it has a list of fields (h=)");
	assert_string_equal(read_as("i=2; a=rsa-sha256; cv=none; d=a.example; "
	    "s=x; b=QUJD; " BH, DKIM_ARC_SEAL),
	    "it has a hash of the body (bh=)");
}

/* ---- records ---- */

static const char *
record(const char *text)
{
	arena_clear(&arena);
	arena_init(&arena, 1 << 20);
	return dkim_record_read(str_of(text), &arena, &rec);
}

/* RFC 6376 3.6.1 */
static void
test_records(void **state)
{
	(void)state;
	assert_null(record("p=QUJD"));
	assert_int_equal(rec.type, DKIM_KEY_RSA);
	assert_true(str_eq(rec.key, STR("ABC")));
	assert_true(rec.takes_sha256 && rec.is_for_mail);
	assert_false(rec.is_testing || rec.is_strict);
	assert_null(record("v=DKIM1; k=ed25519; h=sha1 : sha256; s=email; "
	    "t=s:y:x; n=for you; g=; p=QUJ\r\n D"));
	assert_int_equal(rec.type, DKIM_KEY_ED25519);
	assert_true(rec.takes_sha256 && rec.is_for_mail);
	assert_true(rec.is_testing && rec.is_strict);
	assert_null(record("k=x; h=sha1; s=tlsrpt; p="));
	assert_int_equal(rec.type, DKIM_KEY_OTHER);
	assert_false(rec.takes_sha256 || rec.is_for_mail);
	assert_int_equal(rec.key.n, 0);
	assert_null(record("s=x:*; p=QUJD"));
	assert_true(rec.is_for_mail);
}

static void
test_no_records(void **state)
{
	static const char *const bad[] = { "", "v=spf1 -all", "v=DKIM1",
		"v=DKIM1; p", "p=QUJD; v=DKIM1", "v=dkim1; p=QUJD",
		"v=DKIM1.0; p=QUJD", "v=DKIM1; p=*", "v=DKIM1; p=Q",
		"v=DKIM1\\; k=rsa\\; p=QUJD", "v=DKIM1; p=QUJD; p=QUJD" };

	(void)state;
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
		if (record(bad[i]) == NULL)
			fail_msg("'%s' was read", bad[i]);
}

static void
test_no_memory(void **state)
{
	(void)state;
	for (size_t most = 0; most < 8192; most += 256) {
		struct arena small;

		arena_init(&small, most);
		if (dkim_signature_read(str_of("v=1; i=x@a.example; " REST),
		    DKIM_SIGNATURE, &small, &sig) == NULL)
			assert_true(sig.identity.n > 0 && sig.signature.n == 3);
		arena_clear(&small);
		arena_init(&small, most);
		if (dkim_record_read(STR("p=QUJD"), &small, &rec) == NULL)
			assert_int_equal(rec.key.n, 3);
		arena_clear(&small);
	}
}

static void
test_names(void **state)
{
	(void)state;
	assert_string_equal(dkim_result_name(DKIM_NONE), "none");
	assert_string_equal(dkim_result_name(DKIM_PERMERROR), "permerror");
	assert_string_equal(dkim_algorithm_name(DKIM_ED25519_SHA256),
	    "ed25519-sha256");
	assert_true(dkim_names_have(STR("a: FROM :b"), STR("from")));
	assert_false(dkim_names_have(STR("a:b"), STR("from")));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_tags),
		cmocka_unit_test(test_u_labels),
		cmocka_unit_test(test_wrong),
		cmocka_unit_test(test_wrong_needed),
		cmocka_unit_test(test_long_names),
		cmocka_unit_test(test_long_signature),
		cmocka_unit_test(test_arc),
		cmocka_unit_test(test_records),
		cmocka_unit_test(test_no_records),
		cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
