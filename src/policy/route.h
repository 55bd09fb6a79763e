/*
 * route.h -- where mail for a recipient goes next.
 *
 * The promise: route_find() is a pure function of the configuration, the sender
 * and the recipient: own domains are delivered here or handed to their
 * relay_to; everything else goes by the first rule of `route' that matches and
 * says where, or by MX.  '%', '!' and '@' in a local part are plain characters.
 * Not for: who may send there (judge.h), or aliases (expand.h): give it what
 * expand() returned.
 * Waiting: none; but the route points into the configuration: keep it pinned or
 * copy what you need before you wait long.
 * Memory: a value.
 * Errors: ROUTE_REFUSED with the reason in `why'.
 * Source: DESIGN.md section 6; RFC 5321 5.1; PRODUCT.md B.4 (route).
 */
#ifndef NM_POLICY_ROUTE_H
#define NM_POLICY_ROUTE_H

#include "policy/domain.h"
#include "wire/address.h"
#include "wire/disposition.h"

enum route_kind {
	ROUTE_LOCAL,			/* a mailbox here: place.h */
	ROUTE_RELAY_MX,			/* the MX of `domain' */
	ROUTE_RELAY_HOST,		/* the hosts of `relay' */
	ROUTE_REPORTS,			/* reports of others are taken there */
	ROUTE_DISCARD,			/* drop it, by the rule `rule' */
	ROUTE_REFUSED			/* `why' */
};

struct route {
	enum route_kind kind;
	struct str domain;		/* of the recipient, as it was given */
	const struct domain *home;	/* LOCAL, REPORTS */
	const struct user *user;	/* LOCAL; NULL: the admin's mailbox */
	const struct transport *by;	/* LOCAL: maildir or pipe of the user;
					 * NULL: the admin's mailbox */
	bool has_detail;		/* LOCAL: a subaddress, route_detail() */
	unsigned char detail_n;
	char detail[LOCAL_MOST];
	const struct relay *relay;	/* RELAY_HOST */
	struct str rule;		/* "route[2]", its name, or absent */
	struct verdict why;		/* DISCARD, REFUSED */
};

/* sender: the reverse path's mailbox, n == 0: null.  rcpt: a mailbox as text,
 * as expand() gives it. */
struct route route_find(const struct config *, struct str sender,
    struct str rcpt);

/* Is a domain one that the rule is for?  The null sender has none. */
struct route_rule;
bool route_rule_has_rcpt(const struct route_rule *, struct str domain);
bool route_rule_has_sender(const struct route_rule *, struct str domain);

/* What stands behind the separator, unquoted; lives as long as the route. */
struct str route_detail(const struct route *);

#endif
