#include "base/id.h"

#include "base/must.h"

static const char digits[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

uint64_t
id_make(unsigned node, unsigned spool, uint64_t counter)
{
	must(node < 1u << 10 && spool < 1u << ID_SPOOL_BITS);
	must(counter < UINT64_C(1) << ID_COUNTER_BITS);
	return (uint64_t)node << (ID_SPOOL_BITS + ID_COUNTER_BITS) |
	    (uint64_t)spool << ID_COUNTER_BITS | counter;
}

unsigned
id_spool(uint64_t id)
{
	return (unsigned)(id >> ID_COUNTER_BITS & ((1u << ID_SPOOL_BITS) - 1));
}

struct id_text
id_print(uint64_t id)
{
	struct id_text t;

	for (size_t i = ID_CHARS; i-- > 0; id >>= 5)
		t.text[i] = digits[id & 31];
	t.text[ID_CHARS] = '\0';
	return t;
}

static int
digit_value(char c)
{
	const char *at;

	c = ascii_lower(c);
	if (c == 'i' || c == 'l')
		return 1;
	if (c == 'o')
		return 0;
	if (ascii_is_alpha(c))
		c = (char)(c - 32);
	at = c == '\0' ? NULL : strchr(digits, c);
	return at == NULL ? -1 : (int)(at - digits);
}

bool
id_parse(struct str s, uint64_t *id)
{
	uint64_t v = 0;

	if (s.n != ID_CHARS)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		int d = digit_value(s.p[i]);

		if (d < 0 || (i == 0 && d > 15))	/* 64 bits, not 65 */
			return false;
		v = v << 5 | (uint64_t)d;
	}
	*id = v;
	return true;
}
