#include "wire/date.h"

#include "wire/lex.h"

#include <stdio.h>

enum { DAY_SECONDS = 86400, HOUR_MINUTES = 60 };

static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May", "Jun",
	"Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
static const char days[7][4] = { "Sun", "Mon", "Tue", "Wed", "Thu", "Fri",
	"Sat" };

struct civil {
	int year, month, day;		/* month 1..12 */
	int hour, minute, second;
};

/* The proleptic Gregorian calendar in eras of 400 years, each year counted from
 * March so that the leap day comes last; day 0 is 1970-01-01. */
static int64_t
civil_day(int year, int month, int day)
{
	int64_t y = year - (month <= 2), era, of_era, of_year;

	era = (y >= 0 ? y : y - 399) / 400;
	of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
	y -= era * 400;
	of_era = y * 365 + y / 4 - y / 100 + of_year;
	return era * 146097 + of_era - 719468;
}

static struct civil
civil_of(int64_t day, int64_t second)
{
	int64_t era, of_era, y, of_year, m;
	struct civil c;

	day += 719468;
	era = (day >= 0 ? day : day - 146096) / 146097;
	of_era = day - era * 146097;
	y = (of_era - of_era / 1460 + of_era / 36524 - of_era / 146096) / 365;
	of_year = of_era - (365 * y + y / 4 - y / 100);
	m = (5 * of_year + 2) / 153;
	c.day = (int)(of_year - (153 * m + 2) / 5 + 1);
	c.month = (int)(m < 10 ? m + 3 : m - 9);
	c.year = (int)(y + era * 400 + (c.month <= 2));
	c.hour = (int)(second / 3600);
	c.minute = (int)(second / 60 % 60);
	c.second = (int)(second % 60);
	return c;
}

/* ---- writing ---- */

/* Seconds of local time since 1970, within years 1 to 9999. */
static int64_t
local_seconds(struct wall at, int zone)
{
	int64_t s = at.us / US_PER_SECOND - (at.us % US_PER_SECOND < 0);
	int64_t least = civil_day(1, 1, 1) * DAY_SECONDS;
	int64_t most = civil_day(10000, 1, 1) * DAY_SECONDS - 1;

	s = add_sat_i64(s, (int64_t)zone * 60);
	return s < least ? least : s > most ? most : s;
}

/* RFC 5322 3.3: date-time = [ day-of-week "," ] date time zone */
struct date_text
date_print(struct wall at, int zone)
{
	int64_t s, day;
	struct date_text t;
	struct civil c;
	int z;

	zone = zone > 5999 ? 5999 : zone < -5999 ? -5999 : zone;
	z = zone < 0 ? -zone : zone;
	s = local_seconds(at, zone);
	day = s / DAY_SECONDS - (s % DAY_SECONDS < 0);
	c = civil_of(day, s - day * DAY_SECONDS);
	snprintf(t.text, sizeof t.text, "%s, %02d %s %04d %02d:%02d:%02d "
	    "%c%02d%02d", days[((day + 4) % 7 + 7) % 7], c.day % 100,
	    months[(c.month - 1) % 12], c.year % 10000, c.hour % 100,
	    c.minute % 100, c.second % 100, zone < 0 ? '-' : '+',
	    z / HOUR_MINUTES % 100, z % HOUR_MINUTES);
	return t;
}

/* ---- reading ---- */

static struct str
take_while(struct str *s, bool (*belongs)(char))
{
	struct str word = *s;

	word.n = 0;
	while (word.n < s->n && belongs(s->p[word.n]))
		word.n++;
	*s = str_sub(*s, word.n, s->n);
	return word;
}

/* A number of least to most digits, and CFWS behind it. */
static bool
take_number(struct str *s, size_t least, size_t most, struct str *digits,
    int *out)
{
	uint64_t v;

	*digits = take_while(s, ascii_is_digit);
	if (digits->n < least || digits->n > most ||
	    !parse_u64(*digits, 9999, &v))
		return false;
	*out = (int)v;
	return lex_skip_cfws(s, NULL);
}

static bool
take_mark(struct str *s, char c)
{
	if (s->n == 0 || s->p[0] != c)
		return false;
	*s = str_sub(*s, 1, s->n);
	return lex_skip_cfws(s, NULL);
}

/* Which of n names of three letters the word is, or -1. */
static int
name_index(struct str word, const char (*names)[4], int n)
{
	for (int i = 0; i < n; i++)
		if (str_eq_icase(word, str_of(names[i])))
			return i;
	return -1;
}

/* [ day-of-week "," ]; the comma is often forgotten, the day often wrong. */
static bool
take_weekday(struct str *s)
{
	struct str word = take_while(s, ascii_is_alpha);

	if (word.n == 0)
		return true;
	if (name_index(str_sub(word, 0, 3), days, 7) < 0 || !lex_skip_cfws(s, NULL))
		return false;
	if (s->n > 0 && s->p[0] == ',')
		return take_mark(s, ',');
	return true;
}

/* RFC 5322 4.3: two digits below 50 are 2000 and up, else 1900; so are three. */
static bool
take_year(struct str *s, int *year)
{
	struct str digits;

	if (!take_number(s, 2, 4, &digits, year))
		return false;
	if (digits.n == 2 && *year < 50)
		*year += 2000;
	else if (digits.n < 4)
		*year += 1900;
	return *year >= 1900;
}

static bool
take_date(struct str *s, struct civil *c)
{
	static const int lengths[] = { 31, 29, 31, 30, 31, 30, 31, 31, 30, 31,
		30, 31 };
	struct str digits;
	bool leap;

	if (!take_number(s, 1, 2, &digits, &c->day))
		return false;
	c->month = 1 + name_index(take_while(s, ascii_is_alpha), months, 12);
	if (c->month == 0 || !lex_skip_cfws(s, NULL) || !take_year(s, &c->year))
		return false;
	leap = c->year % 4 == 0 && (c->year % 100 != 0 || c->year % 400 == 0);
	return c->day >= 1 && c->day <= lengths[c->month - 1] &&
	    (c->month != 2 || c->day < 29 || leap);
}

/* hour ":" minute [ ":" second ]; second 60 is a leap second. */
static bool
take_time(struct str *s, struct civil *c)
{
	struct str digits;

	c->second = 0;
	if (!take_number(s, 1, 2, &digits, &c->hour) || !take_mark(s, ':') ||
	    !take_number(s, 2, 2, &digits, &c->minute))
		return false;
	if (s->n > 0 && s->p[0] == ':' && (!take_mark(s, ':') ||
	    !take_number(s, 2, 2, &digits, &c->second)))
		return false;
	return c->hour <= 23 && c->minute <= 59 && c->second <= 60;
}

/* RFC 5322 4.3: the names that mean something; the others, and letters of the
 * military alphabet, are -0000. */
static int
zone_named(struct str word, bool *known)
{
	static const struct { struct str name; int hours; } zones[] = {
		{ STR_INIT("UT"), 0 }, { STR_INIT("GMT"), 0 },
		{ STR_INIT("Z"), 0 }, { STR_INIT("UTC"), 0 },
		{ STR_INIT("EDT"), -4 }, { STR_INIT("EST"), -5 },
		{ STR_INIT("CDT"), -5 }, { STR_INIT("CST"), -6 },
		{ STR_INIT("MDT"), -6 }, { STR_INIT("MST"), -7 },
		{ STR_INIT("PDT"), -7 }, { STR_INIT("PST"), -8 },
	};

	for (size_t i = 0; i < sizeof zones / sizeof *zones; i++)
		if (str_eq_icase(word, zones[i].name)) {
			*known = true;
			return zones[i].hours * HOUR_MINUTES;
		}
	*known = false;
	return 0;
}

/* zone = (FWS ( "+" / "-" ) 4DIGIT) / obs-zone; absent counts as unknown. */
static bool
take_zone(struct str *s, int *zone, bool *known)
{
	char sign = s->n > 0 ? s->p[0] : '\0';
	struct str digits;
	int v;

	if (sign != '+' && sign != '-') {
		*zone = zone_named(take_while(s, ascii_is_alnum), known);
		return lex_skip_cfws(s, NULL);
	}
	*s = str_sub(*s, 1, s->n);
	if (!take_number(s, 4, 4, &digits, &v) || v % 100 > 59)
		return false;
	*zone = v / 100 * HOUR_MINUTES + v % 100;
	*known = sign == '+' || v > 0;
	if (sign == '-')
		*zone = -*zone;
	return true;
}

bool
date_parse(struct str s, struct date *out)
{
	struct civil c;
	bool known;
	int zone;
	int64_t seconds;

	if (!lex_skip_cfws(&s, NULL) || !take_weekday(&s) || !take_date(&s, &c) ||
	    !take_time(&s, &c) || !take_zone(&s, &zone, &known) || s.n > 0)
		return false;
	seconds = civil_day(c.year, c.month, c.day) * DAY_SECONDS +
	    (c.hour * HOUR_MINUTES + c.minute) * 60 + c.second -
	    (int64_t)zone * 60;
	*out = (struct date){ { seconds * US_PER_SECOND }, zone, known };
	return true;
}
