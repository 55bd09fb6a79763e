#include "wire/timestamp.h"

enum { DAY_S = 86400 };

static bool
timestamp_digits(struct str *s, size_t n, uint64_t most, int64_t *out)
{
	uint64_t u;

	if (s->n < n || !parse_u64(str_sub(*s, 0, n), most, &u))
		return false;
	*out = (int64_t)u;
	*s = str_sub(*s, n, s->n);
	return true;
}

/* Days since 1970-01-01 of the Gregorian calendar. */
static int64_t
timestamp_days(int64_t y, int64_t m, int64_t d)
{
	int64_t era_year = m <= 2 ? y - 1 : y;
	int64_t day_of_year = (153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1;

	return era_year * 365 + era_year / 4 - era_year / 100 +
	    era_year / 400 + day_of_year - 719468;
}

static bool
timestamp_zone(struct str s, int64_t *seconds)
{
	int64_t h, m;
	bool is_west = s.n > 0 && s.p[0] == '-';

	*seconds = 0;
	if (str_eq_icase(s, STR("Z")))
		return true;
	if (s.n != 6 || (s.p[0] != '+' && !is_west))
		return false;
	s = str_sub(s, 1, s.n);
	if (!timestamp_digits(&s, 2, 23, &h) || !str_skip(&s, STR(":")) ||
	    !timestamp_digits(&s, 2, 59, &m))
		return false;
	*seconds = (h * 60 + m) * (is_west ? -60 : 60);
	return true;
}

/* RFC 3339 5.7: a month has no more days than it has. */
static bool
timestamp_has_day(int64_t y, int64_t m, int64_t d)
{
	int64_t next = m == 12 ? timestamp_days(y + 1, 1, 1) :
	    timestamp_days(y, m + 1, 1);

	return timestamp_days(y, m, d) < next;
}

/* time-secfrac = "." 1*DIGIT */
static bool
timestamp_fraction(struct str *s)
{
	size_t n = s->n;

	if (!str_skip(s, STR(".")))
		return true;
	while (s->n > 0 && ascii_is_digit(s->p[0]))
		*s = str_sub(*s, 1, s->n);
	return s->n + 1 < n;
}

/* RFC 3339 5.6. */
bool
timestamp_read(struct str s, struct wall *out)
{
	int64_t y, mo, d, h, mi, sec, zone;

	if (!timestamp_digits(&s, 4, 9999, &y) || !str_skip(&s, STR("-")) ||
	    !timestamp_digits(&s, 2, 12, &mo) || !str_skip(&s, STR("-")) ||
	    !timestamp_digits(&s, 2, 31, &d) || (!str_skip_icase(&s, STR("T")) &&
	    !str_skip(&s, STR(" "))) || !timestamp_digits(&s, 2, 23, &h) ||
	    !str_skip(&s, STR(":")) || !timestamp_digits(&s, 2, 59, &mi) ||
	    !str_skip(&s, STR(":")) || !timestamp_digits(&s, 2, 60, &sec) ||
	    y < 1970 || mo == 0 || d == 0 || !timestamp_has_day(y, mo, d) ||
	    !timestamp_fraction(&s) || !timestamp_zone(s, &zone))
		return false;
	out->us = (timestamp_days(y, mo, d) * DAY_S + h * 3600 + mi * 60 + sec - zone) *
	    US_PER_SECOND;
	return out->us >= 0;
}
