/*
 * dns_facts.h -- what commands know of this machine, for its DNS.
 *
 * The promise: after dns_facts_find() said 0, `records' has all that is known:
 * the configuration's words, the machine's addresses, and from the running
 * server its DKIM keys and certificates; without it, certificates from the files
 * of tls.cert as far as they may be read.
 * Not for: the server.
 * Waiting: blocks on files and the control socket.
 * Memory: the command's arena; dns_facts_end() gives back certificates and the
 * configuration.
 * Errors: an exit status; why is on standard error.
 * Source: policy/records.h.
 */
#ifndef NM_CLI_DNS_FACTS_H
#define NM_CLI_DNS_FACTS_H

#include "cli/cli.h"
#include "policy/records.h"

enum { FACTS_CERTIFICATES = 16 };

struct dns_facts {
	struct records_ask records;
	struct config *config;
	struct str anchors;		/* PEM for HTTPS; p == NULL: the system's */
	struct record_certificate certificates[FACTS_CERTIFICATES];
	bool is_served;			/* the server was asked */
	bool makes_keys;
};

/* makes_keys: of DKIM, when the domain is to sign and has none. */
int dns_facts_find(struct cli *, struct str domain, bool makes_keys,
    struct dns_facts *);
void dns_facts_end(struct dns_facts *);

#endif
