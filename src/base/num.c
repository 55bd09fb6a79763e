#include "base/num.h"

bool
parse_u64(struct str s, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (s.n == 0)
		return false;
	for (size_t i = 0; i < s.n; i++) {
		if (!ascii_is_digit(s.p[i]) ||
		    __builtin_mul_overflow(v, 10u, &v) ||
		    __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
			return false;
	}
	if (v > max)
		return false;
	*out = v;
	return true;
}

bool
take_bytes(struct str *s, size_t n, struct str *out)
{
	if (s->n < n)
		return false;
	*out = str_sub(*s, 0, n);
	*s = str_sub(*s, n, s->n);
	return true;
}

static bool
take_le(struct str *s, size_t n, uint64_t *out)
{
	struct str b;
	uint64_t v = 0;

	if (!take_bytes(s, n, &b))
		return false;
	for (size_t i = n; i-- > 0;)
		v = v << 8 | (unsigned char)b.p[i];
	*out = v;
	return true;
}

bool
take_le16(struct str *s, uint16_t *out)
{
	uint64_t v;

	if (!take_le(s, 2, &v))
		return false;
	*out = (uint16_t)v;
	return true;
}

bool
take_le32(struct str *s, uint32_t *out)
{
	uint64_t v;

	if (!take_le(s, 4, &v))
		return false;
	*out = (uint32_t)v;
	return true;
}

bool
take_le64(struct str *s, uint64_t *out)
{
	return take_le(s, 8, out);
}

uint64_t
add_sat(uint64_t a, uint64_t b)
{
	uint64_t v;

	return __builtin_add_overflow(a, b, &v) ? UINT64_MAX : v;
}

int64_t
add_sat_i64(int64_t a, int64_t b)
{
	int64_t v;

	if (__builtin_add_overflow(a, b, &v))
		return b > 0 ? INT64_MAX : INT64_MIN;
	return v;
}
