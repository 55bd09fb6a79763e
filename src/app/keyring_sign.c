#include "app/keyring_sign.h"

#include "wire/tags.h"

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

/* ---- headers ---- */

/* RFC 6376 3.4.2: a name in lower case, a colon, a value without white space
 * around it, unfolded. */
static bool
is_relaxed_field(struct str line)
{
	size_t colon = str_find(line, ':');
	struct str value = str_sub(line, colon + 1, line.n);

	for (size_t i = 0; i < colon; i++)
		if (line.p[i] <= ' ' || line.p[i] > '~' ||
		    ascii_lower(line.p[i]) != line.p[i])
			return false;
	return colon > 0 && colon < line.n &&
	    str_trim_wsp(value).n == value.n;
}

/* "a:from : b" */
static bool
names_have_from(struct str names)
{
	struct str item;

	while (tag_item(&names, ':', &item))
		if (str_eq_icase(item, STR("from")))
			return true;
	return false;
}

static bool
tag_is(const struct tags *t, const char *name, struct str value)
{
	struct str s = tags_get(t, name);

	return s.p != NULL && str_eq(s, value);
}

static bool
is_message_signature(const struct tags *t)
{
	return tag_is(t, "c", STR("relaxed/relaxed")) &&
	    tags_get(t, "bh").n > 0 && tags_get(t, "l").p == NULL &&
	    names_have_from(tags_get(t, "h"));
}

static bool
is_signature_field(struct str name, const struct tags *t)
{
	if (str_eq(name, STR("dkim-signature")))
		return tag_is(t, "v", STR("1")) && is_message_signature(t);
	if (str_eq(name, STR("arc-message-signature")))
		return tags_get(t, "i").n > 0 && is_message_signature(t);
	return str_eq(name, STR("arc-seal")) && tags_get(t, "i").n > 0 &&
	    tags_get(t, "cv").n > 0 && tags_get(t, "h").p == NULL;
}

bool
keyring_is_dkim(struct str input, struct str domain, struct str selector,
    enum dkim_algorithm algorithm)
{
	struct str line, name;
	struct tags tags;
	size_t n;

	while ((n = str_find_str(input, STR("\r\n"))) < input.n) {
		if (!is_relaxed_field(str_sub(input, 0, n)))
			return false;
		input = str_sub(input, n + 2, input.n);
	}
	line = input;
	if (!is_relaxed_field(line))
		return false;
	name = str_cut(&line, ':');
	return tags_read(line, &tags) && tag_is(&tags, "b", STR("")) &&
	    tag_is(&tags, "d", domain) && tag_is(&tags, "s", selector) &&
	    tag_is(&tags, "a", str_of(dkim_algorithm_name(algorithm))) &&
	    is_signature_field(name, &tags);
}
