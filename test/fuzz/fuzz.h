/*
 * fuzz.h -- what every fuzz target begins with.
 *
 * A target is one function over the octets that libFuzzer invents.  It says with
 * must() what has to hold; the sanitizers say the rest.
 */
#ifndef NM_TEST_FUZZ_H
#define NM_TEST_FUZZ_H

#include "base/buf.h"
#include "base/must.h"

/* FUZZ(in) { ... } */
#define FUZZ(in) \
	static void fuzz(struct str in); \
	int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n); \
	int \
	LLVMFuzzerTestOneInput(const uint8_t *p, size_t n) \
	{ \
		fuzz((struct str){ (const char *)p, n }); \
		return 0; \
	} \
	static void \
	fuzz(struct str in)

/* One octet of choices off the front; 0 when there is none. */
static inline unsigned
fuzz_choice(struct str *in)
{
	unsigned c = in->n == 0 ? 0 : (unsigned char)in->p[0];

	*in = str_sub(*in, 1, in->n);
	return c;
}

static inline bool
fuzz_is_inside(struct str part, struct str whole)
{
	return part.p == NULL || part.n == 0 || (part.p >= whole.p &&
	    part.p + part.n <= whole.p + whole.n);
}

/* Lines that nobody can read in two ways. */
static inline bool
fuzz_is_canonical(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] == '\0' ||
		    (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r')) ||
		    (s.p[i] == '\r' && i + 1 < s.n && s.p[i + 1] != '\n'))
			return false;
	return true;
}

#endif
