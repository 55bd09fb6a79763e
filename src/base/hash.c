#include "base/hash.h"

struct sip { uint64_t v0, v1, v2, v3; };

static uint64_t
rotl(uint64_t x, unsigned b)
{
	return x << b | x >> (64 - b);
}

static void
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

static void
sip_word(struct sip *s, uint64_t m)
{
	s->v3 ^= m;
	sip_round(s);
	s->v0 ^= m;
}

static uint64_t
word_at(const char *p, size_t n)
{
	uint64_t v = 0;

	for (size_t i = n; i-- > 0;)
		v = v << 8 | (unsigned char)p[i];
	return v;
}

uint64_t
hash_bytes(struct hash_key k, struct str s)
{
	struct sip sip = { k.k0 ^ 0x736f6d6570736575, k.k1 ^ 0x646f72616e646f6d,
		k.k0 ^ 0x6c7967656e657261, k.k1 ^ 0x7465646279746573 };
	uint64_t last = (uint64_t)s.n << 56;

	for (; s.n >= 8; s = str_sub(s, 8, s.n))
		sip_word(&sip, word_at(s.p, 8));
	sip_word(&sip, last | word_at(s.p, s.n));
	sip.v2 ^= 0xff;
	sip_round(&sip);
	sip_round(&sip);
	sip_round(&sip);
	return sip.v0 ^ sip.v1 ^ sip.v2 ^ sip.v3;
}

uint64_t
hash_u64(struct hash_key k, uint64_t v)
{
	char b[8];

	for (size_t i = 0; i < sizeof b; i++)
		b[i] = (char)(v >> (8 * i) & 0xff);
	return hash_bytes(k, (struct str){ b, sizeof b });
}
