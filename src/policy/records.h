/*
 * records.h -- the DNS records that a domain should have.
 *
 * The promise: records_make() says, of the configuration and of what is known
 * of this machine, which records a domain needs so that its mail is delivered
 * and believed, each as a value with the reason why; what cannot be known is a
 * note that says what to do, never a guess.
 * Not for: what the DNS has (dns_check.h), or how records are written
 * (record_text.h).
 * Waiting: none.
 * Memory: the caller's arena.
 * Errors: false: no memory.
 * Source: RFC 5321 5.1; RFC 6186; RFC 6376 3.6; RFC 6698; RFC 7208 3; RFC 7489;
 * RFC 7505; RFC 8314 5.1; RFC 8460 3; RFC 8461 3; RFC 8659; RFC 9989 4.
 */
#ifndef NM_POLICY_RECORDS_H
#define NM_POLICY_RECORDS_H

#include "policy/config.h"
#include "trust/certificate.h"
#include "fiber/dns.h"

enum record_topic {
#define TOPIC(name, people, word) RECORD_##name,
#include "policy/record_topic.def"
#undef TOPIC
	RECORD_TOPICS
};
const char *record_topic_title(enum record_topic);	/* "MTA-STS" */
const char *record_topic_word(enum record_topic);	/* "mta_sts" */

enum { RECORDS_MOST = 96, RECORD_NOTES = 16 };

struct dns_entry {
	enum record_topic topic;
	enum dns_type type;
	struct str name;		/* A-labels, lower case, no final dot */
	/* MX: preference and name.  SRV: all numbers and name.  CAA: flags in
	 * preference, tag, value.  Others: value; of a TXT the whole text. */
	unsigned preference, weight, port;
	struct str tag, value;
	struct str why;			/* a sentence or some */
	struct str unless;		/* n > 0: what must be so before it is
					 * published */
	bool is_elsewhere;		/* in the zone of another domain */
};

struct record_note { enum record_topic topic; struct str text; };

struct records {
	struct str domain;
	size_t n;
	struct dns_entry v[RECORDS_MOST];
	size_t n_notes;
	struct record_note notes[RECORD_NOTES];
	struct str sts_policy;		/* the text to serve; n == 0: none */
};

/* A DKIM key as it is to be published. */
enum record_key_state { RECORD_KEY_NEXT, RECORD_KEY_ACTIVE,
	RECORD_KEY_RETIRING };
struct record_key {
	struct str selector, text;
	enum record_key_state state;
};

/* A certificate that is shown. */
struct record_certificate {
	struct certificate cert;
	bool is_renewed;		/* its key changes when it is renewed */
	bool is_own;			/* signed by itself, for this run only */
};

struct records_ask {
	const struct config *config;
	struct str domain;		/* A-labels, lower case */
	bool sends_nothing;		/* and takes nothing: null MX and so on */
	bool is_signed;			/* the zone of the host has DNSSEC */
	struct conf_addresses addresses;	/* of this machine, public */
	bool knows_keys;		/* else the server could not be asked */
	const struct record_key *keys;	/* of the domain */
	size_t n_keys;
	bool knows_certificates;
	const struct record_certificate *certificates;
	size_t n_certificates;
};

bool records_make(const struct records_ask *, struct arena *,
    struct records *out);

/* Is that an address that the Internet can reach? (RFC 6890) */
bool address_is_public(const struct address *);
/* Those of dns.addresses; else of outbound.bind and the listeners, as far as
 * they are public. */
bool records_addresses(const struct config *, struct arena *,
    struct conf_addresses *out);

/* Does a relay take all that leaves?  Then it is the relay's addresses that
 * others see. */
bool records_leave_by_relay(const struct config *);

/* The text of the policy, and the id that changes when it does. */
struct str sts_policy_id(struct str policy, struct arena *);
/* "3 1 1 ..." of a certificate's key. */
struct str tlsa_print_key(const struct certificate *, struct arena *);

bool name_is_within(struct str name, struct str domain);	/* or the same */

#endif
