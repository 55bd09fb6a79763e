#include "policy/account_text.h"

#include "base/err.h"
#include "fiber/net.h"
#include "policy/config.h"
#include "policy/unit.h"

enum { PARTS_MOST = 1000 };

/* The next part off the front; n == 0: there is none. */
static struct str
part_next(struct str *rest)
{
	size_t n = 0;

	while (rest->n > 0 && (rest->p[0] == ' ' || rest->p[0] == ','))
		*rest = str_sub(*rest, 1, rest->n);
	while (n < rest->n && rest->p[n] != ' ' && rest->p[n] != ',')
		n++;
	*rest = str_sub(*rest, n, rest->n);
	return (struct str){ rest->p == NULL ? NULL : rest->p - n, n };
}

static size_t
parts_count(struct str s)
{
	size_t n = 0;

	while (part_next(&s).n > 0)
		n++;
	return n;
}

static void *
parts_room(struct arena *a, struct str s, size_t size, size_t *n)
{
	void *room;

	*n = parts_count(s);
	if (*n > PARTS_MOST) {
		err_set("these are %zu; there may be %d", *n, PARTS_MOST);
		return NULL;
	}
	room = arena_alloc(a, (*n + 1) * size);
	if (room == NULL)
		err_set("no memory");
	return room;
}

int
account_text_senders(struct arena *a, struct str s, struct conf_strings *out)
{
	size_t n;
	struct str *v = parts_room(a, s, sizeof *v, &n);

	if (v == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct str part = part_next(&s);

		if (!account_sender_read(a, part, &v[i]))
			return err_set("'" STR_FMT "' is no sender (examples: "
			    "bob@example.org, @example.org, *)", STR_ARG(part));
	}
	*out = (struct conf_strings){ n == 0 ? NULL : v, n };
	return 0;
}

int
account_text_networks(struct arena *a, struct str s, struct conf_networks *out)
{
	size_t n;
	struct network *v = parts_room(a, s, sizeof *v, &n);

	if (v == NULL)
		return -1;
	for (size_t i = 0; i < n; i++) {
		struct str part = part_next(&s);

		if (!network_parse(part, &v[i]))
			return err_set("'" STR_FMT "' is not a network "
			    "(examples: 192.0.2.0/24, 2001:db8::/32)",
			    STR_ARG(part));
	}
	*out = (struct conf_networks){ v, n };
	return 0;
}

/* "bytes", "messages" or "recipients", then "_per_hour" or "_per_day". */
static uint64_t *
limit_find(struct str name, struct quota limits[ACCOUNT_MEASURES],
    enum account_measure *measure)
{
	static const struct str names[ACCOUNT_MEASURES] = {
		[ACCOUNT_MESSAGES] = STR_INIT("messages"),
		[ACCOUNT_RECIPIENTS] = STR_INIT("recipients"),
		[ACCOUNT_OCTETS] = STR_INIT("bytes"),
	};

	for (*measure = 0; *measure < ACCOUNT_MEASURES; ++*measure) {
		struct str rest = name;

		if (!str_skip(&rest, names[*measure]))
			continue;
		if (str_eq(rest, STR("_per_hour")))
			return &limits[*measure].hour;
		if (str_eq(rest, STR("_per_day")))
			return &limits[*measure].day;
	}
	return NULL;
}

static bool
limit_value(struct str s, enum account_measure measure, uint64_t *out)
{
	if (str_eq(s, STR("none"))) {
		*out = QUOTA_NONE;
		return true;
	}
	if (measure == ACCOUNT_OCTETS)
		return unit_size(s, out) && *out > 0;
	return parse_u64(s, UINT32_MAX, out) && *out > 0;
}

int
account_text_limits(struct str s, struct quota limits[ACCOUNT_MEASURES])
{
	struct str part;

	memset(limits, 0, ACCOUNT_MEASURES * sizeof *limits);
	while ((part = part_next(&s)).n > 0) {
		struct str value = part, name = str_cut(&value, '=');
		enum account_measure measure;
		uint64_t *limit = limit_find(name, limits, &measure);

		if (limit == NULL || !limit_value(value, measure, limit))
			return err_set("'" STR_FMT "' is no limit (examples: "
			    "messages_per_hour=100, recipients_per_day=2000, "
			    "bytes_per_day=1G, bytes_per_hour=none)",
			    STR_ARG(part));
	}
	return 0;
}
