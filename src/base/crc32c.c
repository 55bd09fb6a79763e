#include "base/crc32c.h"

#define POLYNOMIAL UINT32_C(0x82f63b78)

static uint32_t
crc_portable(uint32_t sum, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		sum ^= (unsigned char)s.p[i];
		for (int k = 0; k < 8; k++)
			sum = sum >> 1 ^ ((sum & 1) != 0 ? POLYNOMIAL : 0u);
	}
	return sum;
}

#if defined(__x86_64__)
#include <nmmintrin.h>

__attribute__((target("sse4.2"))) static uint32_t
crc_sse42(uint32_t sum, struct str s)
{
	const char *p = s.p, *end = s.p + s.n;
	uint64_t wide = sum, word;

	for (; end - p >= 8; p += 8) {
		memcpy(&word, p, 8);
		wide = _mm_crc32_u64(wide, word);
	}
	sum = (uint32_t)wide;
	for (; p < end; p++)
		sum = _mm_crc32_u8(sum, (unsigned char)*p);
	return sum;
}
#endif

uint32_t
crc32c(uint32_t sum, struct str s)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return ~crc_sse42(~sum, s);
#endif
	return ~crc_portable(~sum, s);
}
