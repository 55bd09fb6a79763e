/*
 * ldap.h -- does the directory take this password?
 *
 * The promise: a login is a search for exactly one entry and a bind as its name,
 * or a bind by a template, on connections of the core's own: never over clear
 * text that somebody else can read, never with an empty password (that would be
 * an unauthenticated bind, RFC 4513 5.1.2, which succeeds for anybody), never
 * following a referral.  Servers are tried in order; one that is down is left
 * alone for a while (directory.h); a silent one costs who waits for it the
 * login's deadline, and nobody else.
 * Not for: users of domains, aliases; changing passwords.
 * Waiting: ldap_login() yields, to its deadline.  It is spoken over streams, in
 * fibers: nothing here blocks a thread.
 * Memory: its own; at most LDAP_CONNECTIONS for each of the two uses, others
 * wait for one.  Passwords are wiped.
 * Errors: DIRECTORY_LATER with the trail.
 * Source: RFC 4511; RFC 4513 2, 5.1.2, 5.1.3, 6.3.1; RFC 4514; RFC 4515.
 */
#ifndef NM_TRUST_LDAP_H
#define NM_TRUST_LDAP_H

#include "fiber/fiber.h"
#include "trust/dial.h"
#include "trust/directory.h"

enum { LDAP_SERVERS = 8, LDAP_CONNECTIONS = 16, LDAP_PORT = 389,
	LDAPS_PORT = 636 };

struct ldap_server {
	struct str url;			/* as it was written, for the log */
	struct dial_target at;
	bool is_tls;			/* ldaps: from the first octet */
};

/* "ldap://host[:port]", "ldaps://...", "ldapi:///path" or with %2f. */
bool ldap_server_parse(struct str url, struct arena *, struct ldap_server *out);

/* All of it stays the caller's, for as long as the client lives. */
struct ldap_setup {
	const struct ldap_server *servers;
	size_t n_servers;
	bool starts_tls;		/* on ldap:// */
	bool may_be_clear;		/* loopback without TLS */
	struct str anchors;		/* PEM */
	struct str base, filter;	/* %u: the name, %n: before "@", %d:
					 * behind it, %%: % */
	struct str dn;			/* a template: no search */
	struct str bind_dn, bind_password;	/* n == 0: anonymous */
	struct str name_attribute;	/* n == 0: as he said it */
	const struct str *address_attributes;
	size_t n_address_attributes;
	int64_t timeout, cache;		/* ns; cache 0: none */
	void (*tell)(void *arg, struct str name, struct str why);
	void *arg;
};

struct ldap;

/* NULL: the trail says what is wrong. */
struct ldap *ldap_new(const struct ldap_setup *);
void ldap_close(struct ldap *);		/* nobody is asking */

/* Server by server; NULL beyond the last. */
const struct directory_health *ldap_health(const struct ldap *, size_t i);

yields enum directory_says ldap_login(struct ldap *, struct str user,
    struct str password, struct mono deadline, struct arena *,
    struct directory_person *);

/* Would the way there be safe from listeners? */
bool ldap_is_private(const struct ldap_setup *, const struct ldap_server *);
/* With somebody's name put in, is it a filter?  (For a name only the % are
 * looked at.) */
bool ldap_template_fits(struct str template, bool is_filter);

#endif
