/* Instants of RFC 3339: nothing before 1970, and by a second way to read them the
 * same. */
#define _XOPEN_SOURCE 700
#include "fuzz.h"
#include "wire/timestamp.h"

#include <stdio.h>
#include <time.h>

FUZZ(in)
{
	struct wall at;
	struct tm tm = { 0 };
	char text[20];
	int zone = 0, sign = 0, h = 0, m = 0;
	struct str rest;

	if (!timestamp_read(in, &at))
		return;
	must(at.us >= 0 && in.n >= 20 && at.us % US_PER_SECOND == 0);
	memcpy(text, in.p, 19);
	text[10] = 'T';
	text[19] = '\0';
	must(strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) != NULL);
	if (!str_has_suffix_icase(in, STR("Z"))) {
		rest = str_sub(in, in.n - 6, in.n);
		sign = rest.p[0] == '-' ? 1 : -1;
		h = (rest.p[1] - '0') * 10 + rest.p[2] - '0';
		m = (rest.p[4] - '0') * 10 + rest.p[5] - '0';
		zone = sign * (h * 3600 + m * 60);
	}
	must(at.us / US_PER_SECOND == (int64_t)timegm(&tm) + zone);
}
