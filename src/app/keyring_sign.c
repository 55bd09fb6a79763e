#include "app/keyring_sign.h"

/* RFC 8446 4.4.3: 64 spaces, the context with its NUL, a hash of SHA-256 or
 * SHA-384. */
static bool
is_handshake_1_3(struct str input)
{
	static const char context[] = "TLS 1.3, server CertificateVerify";
	enum { SPACES = 64, HASH_SHORT = 32, HASH_LONG = 48,
		HEAD = SPACES + sizeof context };

	for (size_t i = 0; i < SPACES && i < input.n; i++)
		if (input.p[i] != ' ')
			return false;
	return (input.n == HEAD + HASH_SHORT || input.n == HEAD + HASH_LONG) &&
	    memcmp(input.p + SPACES, context, sizeof context) == 0;
}

/* Each with a length of two octets: p, g, Ys. */
static bool
is_dhe(struct str s)
{
	for (int i = 0; i < 3; i++) {
		size_t n = s.n < 2 ? 0 : (size_t)(unsigned char)s.p[0] << 8 |
		    (unsigned char)s.p[1];

		if (n == 0 || n > s.n - 2)
			return false;
		s = str_sub(s, 2 + n, s.n);
	}
	return s.n == 0;
}

/* RFC 8422 5.4: named_curve, which, a point with its length. */
static bool
is_ecdhe(struct str s)
{
	enum { NAMED_CURVE = 3 };

	return s.n > 4 && s.p[0] == NAMED_CURVE &&
	    (size_t)(unsigned char)s.p[3] == s.n - 4;
}

/* RFC 5246 7.4.3: two randoms before the parameters. */
static bool
is_handshake_1_2(struct str input)
{
	enum { RANDOMS = 64 };
	struct str rest = str_sub(input, RANDOMS, input.n);

	return input.n > RANDOMS && (is_ecdhe(rest) || is_dhe(rest));
}

bool
keyring_is_handshake(struct str input)
{
	return is_handshake_1_3(input) || is_handshake_1_2(input);
}
