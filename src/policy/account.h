/*
 * account.h -- who is logged in, and what he may do.
 *
 * The promise: a struct account is what a source of accounts told about whoever
 * logged in: his name, and those of his rights that the source knows.  What the
 * file says of him (accounts.NAME) stands above it, what it says of all
 * (accounts."*") below: account_settle() puts the three together, and all
 * judgments are about that.
 * A right that nobody told is the default: an account whose name is an address
 * of an own domain sends as that address, its subaddresses, and aliases that
 * lead to it alone; from everywhere, for ever, as much as it likes.
 * Not for: passwords (login.h), users of this machine, trusted networks.
 * Waiting: none.
 * Memory: account_copy() copies all of it into the arena; a settled account is
 * slices of the configuration and of the account, good while both are.
 * Errors: account_copy() is false when the arena is full.
 * Source: RFC 6409 6.1; RFC 5233; SECURITY.md rows 10, 12.
 */
#ifndef NM_POLICY_ACCOUNT_H
#define NM_POLICY_ACCOUNT_H

#include "policy/config.h"
#include "wire/address.h"

enum { ACCOUNT_NAME_MOST = 255,
	ACCOUNT_KEY_ROOM = ACCOUNT_NAME_MOST + DOMAIN_MOST };

enum account_measure { ACCOUNT_MESSAGES, ACCOUNT_RECIPIENTS, ACCOUNT_OCTETS,
	ACCOUNT_MEASURES };

/* How much, in any 60 minutes and in any 24 hours. */
#define QUOTA_NONE UINT64_MAX		/* it was said: as much as he likes */
struct quota { uint64_t hour, day; };	/* 0: not said */

struct account {
	struct str name;		/* as the source calls him; never empty */
	const char *source;		/* "database", "file", "dovecot", "ldap",
					 * "oauth", "certificate" */
	struct str tenant;		/* absent: not said */
	struct conf_strings from;	/* "bob@a.example", "@a.example",
					 * "@*.a.example", "*", "<>"; v == NULL:
					 * not said */
	struct conf_networks networks;	/* may log in from; n == 0: not said */
	struct wall expires;		/* from then on not; us == 0: not said */
	struct quota limits[ACCOUNT_MEASURES];
};

/* All that `from' points to, too. */
bool account_copy(struct arena *, const struct account *from,
    struct account *to);

/* With what the file says of him and of all. */
void account_settle(const struct config *, const struct account *,
    struct account *settled);

/* ---- judgments: the account is settled ---- */

/* May he be here, now? */
enum account_stand { ACCOUNT_STANDS, ACCOUNT_EXPIRED, ACCOUNT_ELSEWHERE };
enum account_stand account_stands(const struct account *,
    const struct address *client, struct wall now);

/* May he send as this mailbox, in the envelope or in From?  Its domain is ASCII.
 * The arena is for what is worked out on the way. */
bool account_may_send(const struct config *, const struct account *,
    const struct mailbox *, struct arena *);
/* ... with the null reverse path? */
bool account_may_report(const struct account *);

/* ... as anybody at all? */
bool account_is_anybody(const struct account *);

/* Is there a limit at all? */
bool quota_is_set(const struct quota limits[ACCOUNT_MEASURES]);

/* ---- how names and senders are kept ---- */

/* Of `from': "bob@a.example", "@a.example", "@*.a.example", "*", "<>".  False
 * when it is none of these, or the arena is full. */
bool account_sender_read(struct arena *, struct str text, struct str *out);

/* Of `certificates'. */
bool account_fingerprint_read(struct arena *, struct str text,
    struct str *out);

/* The form by which names are found: lower case, a domain in ASCII.  False: it
 * is too long or empty, or has control characters. */
bool account_key(struct str name, struct buf *out);

/* ---- the file ---- */

/* accounts.NAME; the name "*" is of all. */
struct account_rule {
	struct origin *origins;
	struct table_node node;
	struct account given;		/* as configured */
	struct account rights;		/* what that says; name: account_key() */
	struct conf_strings certificates;	/* fingerprints */
	struct place place;
};

/* tenants.NAME */
struct tenant_rule {
	struct origin *origins;
	struct table_node node;
	struct str name;
	struct quota limits[ACCOUNT_MEASURES];
	struct place place;
};

/* By its key; NULL: the file does not name him. */
const struct account_rule *account_rule_find(const struct config *,
    struct str key);
/* Whose certificate that is; NULL: nobody's. */
const struct account_rule *account_rule_certificate(const struct config *,
    struct str fingerprint);
const struct tenant_rule *tenant_rule_find(const struct config *,
    struct str name);
uint64_t account_rule_hash(struct str key);

#endif
