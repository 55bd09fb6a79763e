#include "base/near.h"

size_t
near_distance(struct str a, struct str b)
{
	unsigned char d[NEAR_MOST + 1][NEAR_MOST + 1];

	if (a.n > NEAR_MOST || b.n > NEAR_MOST)
		return SIZE_MAX;
	for (size_t i = 0; i <= a.n; i++)
		d[i][0] = (unsigned char)i;
	for (size_t k = 0; k <= b.n; k++)
		d[0][k] = (unsigned char)k;
	for (size_t i = 1; i <= a.n; i++)
		for (size_t k = 1; k <= b.n; k++) {
			bool same = ascii_lower(a.p[i - 1]) ==
			    ascii_lower(b.p[k - 1]);
			unsigned least = d[i - 1][k - 1] + !same;

			if (d[i - 1][k] + 1u < least)
				least = d[i - 1][k] + 1u;
			if (d[i][k - 1] + 1u < least)
				least = d[i][k - 1] + 1u;
			if (i > 1 && k > 1 && a.p[i - 1] == b.p[k - 2] &&
			    a.p[i - 2] == b.p[k - 1] &&
			    d[i - 2][k - 2] + 1u < least)
				least = d[i - 2][k - 2] + 1u;
			d[i][k] = (unsigned char)least;
		}
	return d[a.n][b.n];
}

size_t
near_least(struct str name)
{
	return name.n < 4 ? 1 : name.n < 7 ? 2 : 3;
}
