#include "base/hash.h"

struct sip { uint64_t v0, v1, v2, v3; };

static uint64_t
rotl(uint64_t x, unsigned b)
{
	return x << b | x >> (64 - b);
}

static inline void
sip_round(struct sip *s)
{
	s->v0 += s->v1;
	s->v1 = rotl(s->v1, 13) ^ s->v0;
	s->v0 = rotl(s->v0, 32);
	s->v2 += s->v3;
	s->v3 = rotl(s->v3, 16) ^ s->v2;
	s->v0 += s->v3;
	s->v3 = rotl(s->v3, 21) ^ s->v0;
	s->v2 += s->v1;
	s->v1 = rotl(s->v1, 17) ^ s->v2;
	s->v2 = rotl(s->v2, 32);
}

static inline void
sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	s->v0 ^= m;
}

/* Little-endian; with n == 8 compilers make it one load. */
static inline uint64_t
word_at(const char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = 0; i < n; i++)
		v |= (uint64_t)(unsigned char)p[i] << 8 * i;
	return v;
}

static inline struct sip
sip_begin(struct hash_key k)
{
	return (struct sip){ k.k0 ^ 0x736f6d6570736575,
		k.k1 ^ 0x646f72616e646f6d, k.k0 ^ 0x6c7967656e657261,
		k.k1 ^ 0x7465646279746573 };
}

static inline uint64_t
sip_end(struct sip *s, uint64_t last)
{
	sip_word(s, last);
	s->v2 ^= 0xff;
	sip_round(s);
	sip_round(s);
	sip_round(s);
	return s->v0 ^ s->v1 ^ s->v2 ^ s->v3;
}

uint64_t
hash_bytes(struct hash_key k, struct str s)
{
	struct sip sip = sip_begin(k);
	uint64_t length = (uint64_t)s.n << 56;

	for (; s.n >= 8; s.p += 8, s.n -= 8)
		sip_word(&sip, word_at(s.p, 8));
	return sip_end(&sip, length | word_at(s.p, s.n));
}

/* As its eight octets would be. */
uint64_t
hash_u64(struct hash_key k, uint64_t v)
{
	struct sip sip = sip_begin(k);

	sip_word(&sip, v);
	return sip_end(&sip, UINT64_C(8) << 56);
}
