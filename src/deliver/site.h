/*
 * site.h -- where a domain's mail goes, as the far side sees it.
 *
 * The promise: site_find() answers for a domain: its hosts in order of trial, or
 * the verdict that its recipients deserve (null MX, no such domain, only
 * ourselves, DNS trouble).  Domains whose MX sets are the same have the same
 * key.  Trouble is never taken for absence, absence never for trouble.
 * Not for: choosing the transport (policy/route.h does that before).
 * Waiting: site_find() yields while DNS is asked; several who ask for the same
 * domain wait for one answer.
 * Memory: a site is counted: site_find() gives one hold, site_drop() returns it;
 * the cache keeps finished answers for their TTL (at least 30 s, at most an
 * hour; trouble 30 s) and at most SITES_KEPT of them.
 * Errors: in the site's verdict; NULL only when memory is refused.
 * Source: RFC 5321 5.1, 4.1.3; RFC 7505 (null MX).
 */
#ifndef NM_DELIVER_SITE_H
#define NM_DELIVER_SITE_H

#include "base/instant.h"
#include "base/str.h"
#include "fiber/fiber.h"
#include "wire/disposition.h"

struct address;

enum { SITES_KEPT = 4096, SITE_HOSTS = 16, SITE_ADDRESSES = 32 };

struct site_host {
	struct str name;		/* lower case; "[192.0.2.1]" for literals */
	struct str canonical;		/* its name behind CNAMEs */
	bool secure;			/* its addresses by DNSSEC */
	uint16_t preference;
	size_t n;
	struct address *addresses;	/* with the port to use */
};

struct site {
	struct verdict verdict;		/* DELIVERED: there are hosts */
	struct str key;			/* "mx: 10 a.example 20 b.example" */
	struct mono fresh_until;
	bool secure;			/* MX and addresses by DNSSEC */
	bool mx_secure;			/* that it is these hosts; true of those
					 * of a relay, which we were told */
	size_t n;
	struct site_host *hosts;	/* ascending preference */
};

/* How to ask, from the configuration. */
struct site_policy {
	uint16_t port;			/* 25 but in tests */
	bool ipv4, ipv6, ipv6_first;
	struct str hostname, ehlo;	/* ours, to see loops */
};

struct site_cache;
struct site_cache *site_cache_open(void);	/* one per core */
void site_cache_close(struct site_cache *);
/* After a reload: finished answers are forgotten. */
void site_cache_forget(struct site_cache *);

/* The MX of a domain, or a host given as "host", "[host]", "[192.0.2.1]" (the
 * brackets of a relay: no MX look-up) with policy.port. */
yields const struct site *site_find(struct site_cache *, struct str domain,
    bool is_relay_host, const struct site_policy *, struct mono deadline);
void site_drop(const struct site *);

/* One address to try, with the name it belongs to. */
struct site_try {
	const struct site_host *host;
	const struct address *address;
};

/* All of them: by preference, equal ones shuffled, families as wished. */
size_t site_order(const struct site *, const struct site_policy *,
    struct site_try tries[static SITE_ADDRESSES]);

#endif
