/*
 * dns.h -- questions to the DNS, answered in typed records.
 *
 * The promise: dns_ask() gives one of: records; a name without such records; no
 * such name; or trouble (SERVFAIL, bogus, time-out), which is never taken for
 * absence.  `secure' is true only when our own validation says so.  CNAMEs are
 * followed.  A zone file can stand in for DNS (tests, demo, simulator).
 * Not for: deciding where mail goes (deliver/site.h).
 * Waiting: yields, to the deadline.
 * Memory: the answer is in the caller's arena.
 * Errors: DNS_TROUBLE, with the reason in the trail; also for answers beyond
 * DNS_RECORDS records.
 * Source: RFC 1035; RFC 2308; RFC 2782; RFC 4035 (secure); RFC 5321 5.1.
 */
#ifndef NM_FIBER_DNS_H
#define NM_FIBER_DNS_H

#include "base/arena.h"
#include "fiber/net.h"

enum dns_type { DNS_A = 1, DNS_CNAME = 5, DNS_PTR = 12, DNS_MX = 15,
	DNS_TXT = 16, DNS_AAAA = 28, DNS_SRV = 33, DNS_TLSA = 52, DNS_CAA = 257 };

enum dns_status { DNS_FOUND, DNS_NO_DATA, DNS_NO_NAME, DNS_TROUBLE };

enum { DNS_RECORDS = 256, DNS_NAME_MOST = 255 };

struct dns_record {
	uint16_t preference;		/* MX; SRV: priority */
	uint16_t weight, port;		/* SRV */
	struct str name;		/* MX, SRV, PTR, CNAME: lower case, no final dot;
					 * the root is empty */
	struct address address;		/* A, AAAA: port 0 */
	struct str data;		/* TXT: strings joined; TLSA, CAA: RDATA */
};

struct dns_answer {
	enum dns_status status;
	bool secure;			/* validated by DNSSEC */
	uint32_t ttl;			/* seconds, smallest seen; of the SOA when
					 * negative; 0: do not keep */
	struct str canonical;		/* the name after CNAMEs */
	size_t n;
	struct dns_record *records;
};

/* Can the DNS have this name?  At most 253 octets without the final dot, all
 * 0x21-0x7e but "\", in labels of 1 to 63. */
bool dns_name_fits(struct str name);
/* ... with spaces, which no host's name has, but names that SPF's macros make. */
bool dns_question_fits(struct str name);

/* A name that does not fit is DNS_NO_NAME. */
yields void dns_ask(struct str name, enum dns_type, struct arena *,
    struct mono deadline, struct dns_answer *out);

/* The reverse name of an address ("10.2.0.192.in-addr.arpa"). */
struct str dns_reverse_name(const struct address *, struct arena *);

/*
 * How this process asks: own recursion, forwarders, or a zone's text.  Set by
 * app/ before the cores start and again at reload; `zone' wins.  A zone has
 * master-file lines "name [ttl] [IN] TYPE data", ';' comments, $ORIGIN, $TTL,
 * quoted TXT, and beside records these words in the place of TYPE:
 *	name SERVFAIL | NXDOMAIN | TIMEOUT | SECURE
 * SECURE makes all answers for the name `secure'.  Wildcards "*.name" match.
 * -1 with "line N: ..." in the trail when the zone is malformed.
 */
struct dns_config {
	const struct str *forwarders;	/* addresses; none: own recursion */
	size_t n_forwarders;
	struct str zone;		/* text; p == NULL: none */
	const char *anchor_file;	/* trust anchor; NULL: the system's */
	const char *hints_file;		/* own recursion begins at these servers,
					 * which may be on this machine; NULL: at
					 * the Internet's */
};
int dns_configure(const struct dns_config *);

/* Who is told, on a core, that forwarders do not do DNSSEC or that there is no
 * trust anchor: nothing is secure then.  NULL: nobody. */
extern void (*dns_tell)(const char *text);

#endif
