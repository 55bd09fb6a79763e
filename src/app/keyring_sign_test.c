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

int
main(void)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };

	return cmocka_run_group_tests(tests, NULL, NULL);
}
