#include "policy/unit.h"

#include "base/buf.h"
#include "base/json.h"
#include "wire/date.h"

struct unit {
	const char *name;
	uint64_t times;
};

/* Smallest first: printing looks for the largest that is exact. */
static const struct unit durations[] = {
	{ "ms", (uint64_t)NS_PER_MS },
	{ "s", (uint64_t)NS_PER_SECOND },
	{ "m", 60 * (uint64_t)NS_PER_SECOND },
	{ "h", 3600 * (uint64_t)NS_PER_SECOND },
	{ "d", 86400 * (uint64_t)NS_PER_SECOND },
	{ "w", 7 * 86400 * (uint64_t)NS_PER_SECOND },
};
static const struct unit sizes[] = {
	{ "", 1 }, { "K", 1 << 10 }, { "M", 1 << 20 }, { "G", 1 << 30 },
	{ "T", UINT64_C(1) << 40 },
};
static const struct unit periods[] = {
	{ "s", (uint64_t)NS_PER_SECOND },
	{ "min", 60 * (uint64_t)NS_PER_SECOND },
	{ "h", 3600 * (uint64_t)NS_PER_SECOND },
	{ "d", 86400 * (uint64_t)NS_PER_SECOND },
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static bool
unit_scale(const struct unit *units, size_t n, struct str name, uint64_t *times)
{
	for (size_t i = 0; i < n; i++)
		if (str_eq(name, str_of(units[i].name))) {
			*times = units[i].times;
			return true;
		}
	return false;
}

/* 1*DIGIT unit, at most max. */
static bool
unit_parse(struct str s, const struct unit *units, size_t n, uint64_t max,
    uint64_t *out)
{
	uint64_t number, times;
	size_t digits = 0;

	while (digits < s.n && ascii_is_digit(s.p[digits]))
		digits++;
	return parse_u64(str_sub(s, 0, digits), max, &number) &&
	    unit_scale(units, n, str_sub(s, digits, s.n), &times) &&
	    !__builtin_mul_overflow(number, times, out) && *out <= max;
}

static struct unit_text
unit_print(uint64_t v, const struct unit *units, size_t n)
{
	struct unit_text t = { "" };
	struct buf b = BUF_OF(t.text);
	size_t i = n;

	while (--i > 0)
		if (v >= units[i].times && v % units[i].times == 0)
			break;
	buf_put_u64(&b, v / units[i].times);
	buf_put(&b, str_of(units[i].name));
	buf_putc(&b, '\0');
	return t;
}

bool
unit_duration(struct str s, int64_t *ns)
{
	uint64_t v;

	if (str_eq(s, STR("0"))) {
		*ns = 0;
		return true;
	}
	if (!unit_parse(s, durations, COUNT(durations), INT64_MAX, &v))
		return false;
	*ns = (int64_t)v;
	return true;
}

bool
unit_size(struct str s, uint64_t *bytes)
{
	return unit_parse(s, sizes, COUNT(sizes), INT64_MAX, bytes);
}

bool
unit_rate(struct str s, struct rate *out)
{
	struct str number;
	uint64_t n, per;

	if (str_eq(s, STR("none"))) {
		*out = (struct rate){ 0, 0 };
		return true;
	}
	if (str_find(s, '/') == s.n)
		return false;
	number = str_cut(&s, '/');
	if (!parse_u64(number, UINT32_MAX, &n) || n == 0 ||
	    !unit_scale(periods, COUNT(periods), s, &per))
		return false;
	*out = (struct rate){ n, (int64_t)per };
	return true;
}

/* YYYY-MM-DD ["T" HH:MM [":SS"] "Z"], the rest of RFC 3339 is not for people. */
bool
unit_date(struct str s, struct wall *out)
{
	static const char months[12][4] = { "Jan", "Feb", "Mar", "Apr", "May",
		"Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec" };
	bool has_time = str_find(s, 'T') < s.n;
	struct str day = str_cut(&s, 'T'), time = s, year, month;
	char text[64];
	struct buf b = BUF_OF(text);
	uint64_t y, m, d;
	struct date date;

	year = str_cut(&day, '-');
	month = str_cut(&day, '-');
	if (year.n != 4 || month.n != 2 || day.n != 2 ||
	    !parse_u64(year, 9999, &y) || !parse_u64(month, 12, &m) || m == 0 ||
	    !parse_u64(day, 31, &d) || (has_time && (time.n < 6 ||
	    time.p[time.n - 1] != 'Z')))
		return false;
	time = has_time ? str_sub(time, 0, time.n - 1) : STR("00:00");
	buf_printf(&b, "%u %s %u "STR_FMT" +0000", (unsigned)d, months[m - 1],
	    (unsigned)y, STR_ARG(time));
	if (b.full || !date_parse(buf_str(&b), &date))
		return false;
	*out = date.at;
	return true;
}

struct unit_text
unit_print_duration(int64_t ns)
{
	struct unit_text t = { "0s" };

	if (ns <= 0)
		return t;
	/* Weeks are read but not printed: people count days. */
	return unit_print((uint64_t)ns, durations, COUNT(durations) - 1);
}

struct unit_text
unit_print_size(uint64_t bytes)
{
	return unit_print(bytes, sizes, COUNT(sizes));
}

struct unit_text
unit_print_rate(struct rate r)
{
	struct unit_text t = { "none" };
	struct buf b = BUF_OF(t.text);
	size_t i = 0;

	if (r.n == 0)
		return t;
	while (i + 1 < COUNT(periods) && (uint64_t)r.per_ns > periods[i].times)
		i++;
	buf_put_u64(&b, r.n);
	buf_putc(&b, '/');
	buf_put(&b, str_of(periods[i].name));
	buf_putc(&b, '\0');
	return t;
}

struct unit_text
unit_print_date(struct wall w)
{
	struct wall_text at = wall_print(w);
	struct str text = str_of(at.text), day, time;
	struct unit_text t = { "" };
	struct buf b = BUF_OF(t.text);

	day = str_sub(text, 0, str_find(text, 'T'));
	time = str_sub(text, day.n, sizeof "T00:00:00" - 1);
	buf_put(&b, day);
	if (!str_eq(time, STR("T00:00:00"))) {
		buf_put(&b, time);
		buf_putc(&b, 'Z');
	}
	buf_putc(&b, '\0');
	return t;
}
