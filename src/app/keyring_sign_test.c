#include "app/keyring_sign.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define SPACES_16 "                "
#define SPACES SPACES_16 SPACES_16 SPACES_16 SPACES_16
#define RANDOM "0123456789abcdef0123456789ABCDEF"
#define RANDOMS RANDOM RANDOM

static const struct { struct str input; bool is_one; } rows[] = {
	{ STR_INIT(SPACES "TLS 1.3, server CertificateVerify\0" RANDOM), true },
	{ STR_INIT(SPACES "TLS 1.3, server CertificateVerify\0" RANDOM
	    "0123456789abcdef"), true },
	{ STR_INIT(SPACES "TLS 1.3, server CertificateVerify\0" RANDOM "x"),
	    false },
	{ STR_INIT(SPACES "TLS 1.3, client CertificateVerify\0" RANDOM),
	    false },
	{ STR_INIT(SPACES_16 "TLS 1.3, server CertificateVerify\0" RANDOM),
	    false },
	/* X25519 */
	{ STR_INIT(RANDOMS "\3\0\35\40" RANDOM), true },
	{ STR_INIT(RANDOMS "\3\0\35\40" RANDOM "x"), false },
	{ STR_INIT(RANDOMS "\3\0\35\41" RANDOM), false },
	{ STR_INIT(RANDOMS "\3\0\35\0"), false },
	{ STR_INIT(RANDOMS "\2\0\35\40" RANDOM), false },
	/* p, g, Ys */
	{ STR_INIT(RANDOMS "\0\2pp\0\1g\0\3YYY"), true },
	{ STR_INIT(RANDOMS "\0\2pp\0\1g\0\3YYYx"), false },
	{ STR_INIT(RANDOMS "\0\2pp\0\1g\0\4YYY"), false },
	{ STR_INIT(RANDOMS "\0\2pp\0\1g"), false },
	{ STR_INIT(RANDOMS), false },
	{ STR_INIT(""), false },
};

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (keyring_is_handshake(rows[i].input) != rows[i].is_one)
			fail_msg("row %zu", i);
}

#define HEAD "from:Ann <ann@a.example>\r\nsubject:hi there\r\nto:\r\n"
#define TAGS "a=rsa-sha256; d=a.example; s=one; t=1"
#define COVERS "c=relaxed/relaxed; h=From:From:Subject:To; bh=aGFzaA==; b="
#define GOOD "dkim-signature:v=1; " TAGS "; " COVERS

static const struct { struct str input; bool is_one; } headers[] = {
	{ STR_INIT(HEAD GOOD), true },
	{ STR_INIT(GOOD), true },
	{ STR_INIT(HEAD "arc-message-signature:i=1; " TAGS "; " COVERS), true },
	{ STR_INIT("arc-authentication-results:i=1; mx; none\r\n"
	    "arc-seal:i=1; " TAGS "; cv=none; b="), true },
	/* whose it is */
	{ STR_INIT(HEAD "dkim-signature:v=1; a=rsa-sha256; d=b.example; s=one; "
	    COVERS), false },
	{ STR_INIT(HEAD "dkim-signature:v=1; a=rsa-sha256; d=a.example; s=two; "
	    COVERS), false },
	{ STR_INIT(HEAD "dkim-signature:v=1; a=ed25519-sha256; d=a.example; "
	    "s=one; " COVERS), false },
	{ STR_INIT(HEAD "dkim-signature:v=1; a=rsa-sha1; d=a.example; s=one; "
	    COVERS), false },
	{ STR_INIT(HEAD "dkim-signature:v=1; d=b.example; " TAGS "; " COVERS),
	    false },
	/* what it covers */
	{ STR_INIT(HEAD "dkim-signature:v=1; " TAGS "; c=relaxed/relaxed; "
	    "h=To; bh=aGFzaA==; b="), false },
	{ STR_INIT(HEAD "dkim-signature:v=1; " TAGS "; l=0; " COVERS), false },
	{ STR_INIT(HEAD "dkim-signature:v=1; " TAGS "; c=simple/simple; h=From; "
	    "bh=aGFzaA==; b="), false },
	{ STR_INIT(HEAD "dkim-signature:v=1; " TAGS "; c=relaxed/relaxed; "
	    "h=From; b="), false },
	{ STR_INIT(HEAD "arc-seal:i=1; " TAGS "; b="), false },
	{ STR_INIT(HEAD "arc-seal:i=1; " TAGS "; cv=none; h=From; b="), false },
	{ STR_INIT(HEAD "arc-message-signature:" TAGS "; " COVERS), false },
	/* the form */
	{ STR_INIT(HEAD GOOD "x"), false },
	{ STR_INIT(HEAD GOOD "\r\n"), false },
	{ STR_INIT("From:x\r\n" GOOD), false },
	{ STR_INIT("from: x\r\n" GOOD), false },
	{ STR_INIT("from:x \r\n" GOOD), false },
	{ STR_INIT("from:x\r\n y\r\n" GOOD), false },
	{ STR_INIT(":x\r\n" GOOD), false },
	{ STR_INIT("from\r\n" GOOD), false },
	{ STR_INIT("\r\n" GOOD), false },
	{ STR_INIT(GOOD "\r\n" HEAD), false },
	{ STR_INIT(HEAD), false },
	{ STR_INIT(""), false },
	{ STR_INIT(SPACES "TLS 1.3, server CertificateVerify\0" RANDOM), false },
	{ STR_INIT("eyJhbGciOiJFUzI1NiJ9.e30"), false },
};

static void
test_headers(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof headers / sizeof *headers; i++)
		if (keyring_is_dkim(headers[i].input, STR("a.example"),
		    STR("one"), DKIM_RSA_SHA256) != headers[i].is_one)
			fail_msg("row %zu", i);
	assert_false(keyring_is_handshake(STR(HEAD GOOD)));
}

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows),
		cmocka_unit_test(test_headers) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
