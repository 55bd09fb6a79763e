/*
 * dns_check_own.h -- what the files of dns_check share.
 *
 * The promise: each check_*() adds its topic's findings.
 * Not for: anyone but policy/dns_check*.c.
 * Waiting: check_*() yield.
 * Memory: the arena's.
 * Errors: has_room.
 * Source: dns_check.h.
 */
#ifndef NM_POLICY_DNS_CHECK_OWN_H
#define NM_POLICY_DNS_CHECK_OWN_H

#include "policy/config.h"
#include "policy/dns_check.h"
#include "trust/quest.h"

struct checking {
	const struct dns_check_ask *ask;
	const struct config *config;
	struct arena *arena;
	struct records *want;
	struct dns_report *out;
	struct dns_quest quest;
	unsigned budget;
	struct str helo;
	bool leaves_here;		/* others see our own addresses */
	struct conf_addresses addresses;	/* told or found, else what the
						 * host's name leads to */
	bool has_room;
};

/* mark, what it is about, and a sentence. */
struct finding *finding_add(struct checking *, enum record_topic,
    enum finding_mark, struct str name, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* False: there is trouble, and it was told as UNKNOWN. */
yields bool check_ask(struct checking *, enum record_topic, struct str name,
    enum dns_type, struct dns_answer *);
/* All records of an answer, in an order of their own. */
struct str answer_text(struct checking *, const struct dns_answer *,
    enum dns_type);
/* The data of a wanted record, as text. */
struct str data_of(struct checking *, const struct dns_entry *);
/* "name. TYPE data" */
struct str line_text(struct checking *, const struct dns_entry *);
struct str text_line(struct checking *, struct str name, struct str text);
/* The first wanted record of a topic and type; NULL. */
const struct dns_entry *record_wanted(const struct checking *, enum record_topic,
    enum dns_type);
/* Of the TXT records, those that begin so. */
size_t texts_of(const struct dns_answer *, struct str prefix,
    struct str *first);

yields void check_mx(struct checking *);
yields void check_host(struct checking *);
yields void check_ptr(struct checking *);
yields void check_spf(struct checking *);
yields void check_dkim(struct checking *);
yields void check_dmarc(struct checking *);
yields void check_sts(struct checking *);
yields void check_tlsrpt(struct checking *);
yields void check_tlsa(struct checking *);
yields void check_clients(struct checking *);
yields void check_caa(struct checking *);
yields void check_lists(struct checking *);
yields void check_port(struct checking *);

#endif
