#include "trust/blocklist.h"

#include "base/buf.h"
#include "base/err.h"
#include "fiber/dns.h"
#include "fiber/net.h"

enum { CODES_MOST = 200, WHY_MOST = 300 };

enum octets { OCTETS_NONE, OCTETS_LISTED, OCTETS_REFUSED, OCTETS_ALIEN };

/* RFC 5782 2.1, 2.4: the address backwards, below the list's name. */
static struct str
list_name(struct str list, const struct address *at, struct arena *a)
{
	struct str name = dns_reverse_name(at, a);
	size_t tail = sizeof(".in-addr.arpa") - 1;

	if (at->family == ADDRESS_V6)
		tail = sizeof(".ip6.arpa") - 1;
	if (name.n < tail)
		return STR_NONE;
	name.n -= tail;
	return arena_printf(a, STR_FMT "." STR_FMT, STR_ARG(name),
	    STR_ARG(list));
}

/* RFC 5782 5: 127.0.0.2 is listed, 127.0.0.1 is not; of IPv6 the same behind
 * ::FFFF:. */
static struct address
test_point(enum address_family family, unsigned char last)
{
	struct address at = { .family = family };
	unsigned char *ip = at.of.ip;

	if (family == ADDRESS_V6) {
		ip[10] = ip[11] = 0xff;
		ip += 12;
	}
	ip[0] = 127;
	ip[3] = last;
	return at;
}

static enum octets
octets_judge(const struct dns_answer *got)
{
	enum octets is = OCTETS_NONE;

	for (size_t i = 0; i < got->n; i++) {
		const unsigned char *ip = got->records[i].address.of.ip;

		if (ip[0] != 127)
			return OCTETS_ALIEN;
		if (ip[1] == 255 && ip[2] == 255)
			return OCTETS_REFUSED;
		is = OCTETS_LISTED;
	}
	return is;
}

static void
codes_put(const struct dns_answer *got, struct arena *a,
    struct blocklist_answer *out)
{
	char room[CODES_MOST];
	struct buf b = BUF_OF(room);

	for (size_t i = 0; i < got->n; i++)
		buf_printf(&b, "%s%s", i > 0 ? ", " : "",
		    address_print(&got->records[i].address).text);
	out->codes = arena_copy(a, buf_str(&b));
}

/* False: there is trouble, and it was told. */
static yields bool
list_ask(struct str list, const struct address *at,
    const struct dns_quest *quest, struct arena *a, struct dns_answer *got,
    struct blocklist_answer *out)
{
	struct str name = list_name(list, at, a);

	quest_ask(quest, name, DNS_A, a, got);
	if (got->status != DNS_TROUBLE)
		return true;
	out->verdict = BLOCKLIST_SILENT;
	out->why = arena_copy(a, str_of(err_text()));
	err_clear();
	return false;
}

static void
answer_set(struct blocklist_answer *out, enum blocklist_verdict v,
    const char *why)
{
	out->verdict = v;
	out->why = str_of(why);
}

/* It says nothing of the address: is there anybody who would? */
static yields void
silence_judge(struct str list, enum address_family family,
    const struct dns_quest *quest, struct arena *a,
    struct blocklist_answer *out)
{
	struct address point = test_point(family, 2);
	struct dns_answer got;

	if (!list_ask(list, &point, quest, a, &got, out))
		return;
	switch (octets_judge(&got)) {
	case OCTETS_LISTED:
		out->verdict = BLOCKLIST_CLEAN;
		return;
	case OCTETS_REFUSED:
		answer_set(out, BLOCKLIST_REFUSES, "it does not answer "
		    "resolvers like this one");
		return;
	case OCTETS_ALIEN:
		answer_set(out, BLOCKLIST_BROKEN, "its answers are no codes of "
		    "127/8: somebody else has its name now");
		return;
	case OCTETS_NONE:
		break;
	}
	if (family == ADDRESS_V6)
		answer_set(out, BLOCKLIST_OTHER_FAMILY, "it has no IPv6 "
		    "addresses");
	else
		answer_set(out, BLOCKLIST_BROKEN, "it does not list its own "
		    "test address 127.0.0.2: it is no list any more");
}

/* The list's own words. */
static yields void
reason_ask(struct str list, const struct address *at,
    const struct dns_quest *quest, struct arena *a,
    struct blocklist_answer *out)
{
	struct dns_answer got;

	quest_ask(quest, list_name(list, at, a), DNS_TXT, a, &got);
	err_clear();
	if (got.status == DNS_FOUND && got.n > 0 &&
	    str_is_printable(got.records[0].data))
		out->why = str_sub(got.records[0].data, 0, WHY_MOST);
}

/* A list that lists what must never be listed lists everybody. */
static yields void
listing_judge(struct str list, const struct address *at,
    const struct dns_quest *quest, struct arena *a,
    struct blocklist_answer *out)
{
	struct address point = test_point(at->family, 1);
	struct dns_answer got;

	if (!list_ask(list, &point, quest, a, &got, out))
		return;
	if (got.n > 0) {
		answer_set(out, BLOCKLIST_BROKEN, "it lists everybody, also "
		    "127.0.0.1, which no list may");
		return;
	}
	out->verdict = BLOCKLIST_LISTED;
	reason_ask(list, at, quest, a, out);
}

yields void
blocklist_ask(struct str list, const struct address *at,
    const struct dns_quest *quest, struct arena *a,
    struct blocklist_answer *out)
{
	struct dns_answer got;

	*out = (struct blocklist_answer){ .codes = STR(""), .why = STR("") };
	if (!list_ask(list, at, quest, a, &got, out))
		return;
	codes_put(&got, a, out);
	switch (octets_judge(&got)) {
	case OCTETS_NONE:
		silence_judge(list, at->family, quest, a, out);
		return;
	case OCTETS_LISTED:
		listing_judge(list, at, quest, a, out);
		return;
	case OCTETS_REFUSED:
		answer_set(out, BLOCKLIST_REFUSES, "it does not answer "
		    "resolvers like this one");
		return;
	case OCTETS_ALIEN:
		answer_set(out, BLOCKLIST_BROKEN, "its answers are no codes of "
		    "127/8: somebody else has its name now");
		return;
	}
}
