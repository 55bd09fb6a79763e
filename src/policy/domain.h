/*
 * domain.h -- own domains: who lives there, and under which other names.
 *
 * The promise: what an own domain knows about a local part is answered from
 * tables read at load: users (a passwd-file or a list), aliases(5), the
 * subaddress separator, catch-all.  postmaster and abuse always exist.
 * Local parts are compared without regard to ASCII case.
 * Where a user's mail goes is his own transport's word, else his domain's, else
 * deliver's: exactly one way.
 * Not for: domains of others (route.h).
 * Waiting: none.
 * Memory: the configuration's; valid while it is pinned.
 * Errors: none at run time; files that cannot be read are config_load()'s.
 * Source: RFC 5321 2.4, 4.5.1; RFC 2142; RFC 5233 (subaddress); aliases(5);
 * SECURITY.md rows 13, 14.
 */
#ifndef NM_POLICY_DOMAIN_H
#define NM_POLICY_DOMAIN_H

#include "base/table.h"
#include "policy/config.h"

enum { USER_SAMPLES = 64 };

struct user {
	struct table_node node;
	struct str name;		/* lower case, safe as a file name */
	struct str home;		/* n == 0: none */
	bool has_uid;			/* uid and gid are told by the file */
	uint32_t uid, gid;
	const struct transport *transport;	/* NULL: his domain's */
	struct str hash;		/* trust/password.h; n == 0: he has no
					 * password here */
	struct conf_networks networks;	/* may log in from; n == 0: not said */
	bool is_disabled;		/* may not log in */
};

/* One users: value; domains that name the same file share it. */
struct user_set {
	struct user_set *next;
	struct str path;		/* p == NULL: a list in place */
	struct table users;
	bool has_transports;		/* some user has one of his own */
	size_t n_hashes;		/* users with a password */
	struct str sample[USER_SAMPLES];	/* the first of these hashes */
};

/* name: targets.  A name without domain counts in every domain that reads the
 * set; "@domain" is whoever has no other name there. */
enum alias_to_kind {
	ALIAS_TO_ADDRESS,		/* a mailbox, or a local part of the domain
					 * that is being asked; in "@domain:" also
					 * "@other", with the same local part */
	ALIAS_TO_USER,			/* the same, and no alias of his counts */
	ALIAS_TO_TRANSPORT,		/* "|command", "/path/" */
	ALIAS_TO_NOBODY			/* /dev/null */
};
struct alias_to {
	enum alias_to_kind kind;
	struct str text;
	struct str file;		/* where it stands */
	unsigned line;
};
struct alias_entry {
	struct table_node node;
	struct str name;		/* lower case; "bob", "bob@a.example",
					 * "@a.example" */
	struct str local;		/* of the name, without quotes */
	struct str domain;		/* of the name; n == 0: any */
	size_t n;
	struct alias_to *to;
	unsigned line;			/* in the file */
};
struct alias_set {
	struct alias_set *next;
	struct str path;		/* of the file */
	struct table entries;
	bool has_transports;
};

struct domain {
	struct origin *origins;
	struct table_node node;
	struct str name;		/* lower case, A-labels */
	struct str alias_of_name;	/* as configured */
	bool is_implied;		/* hostname, localhost */
	const struct domain *alias_of;	/* never an alias itself; or NULL */
	struct conf_strings users_from;	/* file:PATH, system, or the names */
	const struct user_set *users;	/* NULL: not told; with relay_to all */
	struct str aliases_from;	/* path */
	const struct alias_set *aliases;	/* or NULL */
	struct str catch_all;		/* user or mailbox; n == 0: none */
	struct str subaddress;		/* separators, n == 0: none */
	struct str maildir;		/* as configured; deliver.maildir else */
	struct transport deliver;	/* as configured */
	struct str admin;		/* Maildir; n == 0: deliver.admin */
	const struct transport *transport;	/* of users without their own */
	struct conf_strings inbox;	/* local parts that take reports */
	struct relay *relay_to;		/* mail goes on to there; or NULL */
	struct relay_keys relay_keys;	/* what stands beside it */
	enum dkim_use dkim;		/* whether mail from it is signed */
	struct place place;
};

/* What a domain knows about a local part (without quotes). */
enum resident_kind {
	RESIDENT_NONE,			/* nobody: 550 5.1.1 */
	RESIDENT_USER,
	RESIDENT_ALIAS,
	RESIDENT_CATCH_ALL,
	RESIDENT_ROLE,			/* postmaster, abuse: to admin */
	RESIDENT_RELAYED,		/* the next hop knows (relay_to, lmtp) */
	RESIDENT_REPORTS		/* of others about us: reports.inbox */
};
struct resident {
	enum resident_kind kind;
	const struct user *user;		/* USER */
	const struct alias_entry *alias;	/* ALIAS; CATCH_ALL by an alias */
	struct str detail;			/* behind the separator */
};
struct resident domain_resident(const struct domain *, struct str local);

/* Has a local part that looks like a rewritten sender (wire/srs.h) a meaning of
 * its own there: a user, an alias, or a next hop that may have made it? */
bool domain_knows_srs(const struct domain *, struct str local);

const struct user *user_find(const struct user_set *, struct str name);
/* The entry of local@domain, else that of local alone; local n == 0: that of
 * "@domain".  NULL. */
const struct alias_entry *alias_find(const struct alias_set *,
    struct str local, struct str domain);
/* "|command" or "/path/": not a mailbox. */
bool alias_target_is_place(struct str target);
/* "|command" or "/path/": does this alias lead there? */
bool alias_has_transport(const struct alias_entry *, struct str transport);

/* By its own name in lower case, aliases of domains not followed; what is in
 * the table `domains' is there by this hash. */
const struct domain *domain_find(const struct config *, struct str name);
uint64_t domain_hash(struct str name);

/* Named below `transports'; NULL: none. */
const struct transport *transport_find(const struct config *, struct str name);
/* Who has none of his own (user NULL: nobody in particular) has the domain's. */
const struct transport *domain_transport(const struct domain *,
    const struct user *);

/* The form by which domains are looked up: A-labels, lower case. */
bool domain_canonical(struct arena *, struct str text, struct str *out);

/* Patterns: x, *.x (below x only), *. */
bool domain_fits(struct str pattern, struct str domain);

/* [A-Za-z0-9._+=-]+ and UTF-8 beyond ASCII but controls, not beginning with '.'
 * or '-': fit for a path. */
bool local_is_safe(struct str local);

#endif
