/*
 * account.h -- users, app passwords and API keys, as they are kept.
 *
 * The promise: names are lower case and there once; what belongs to a user goes
 * with him.  Nothing that is kept lets anybody in: passwords are hashes or SCRAM
 * verifiers, app passwords and keys (random, 100 bits at least) SHA-256.
 * Not for: checking passwords (policy/login.h), what rights mean (policy/
 * account.h): they are kept as the text they were given in.
 * Waiting: none yields, all block, as database.h.
 * Memory: rows are slices of the question's arena.
 * Errors: as database.h; KEPT_NONE when there is no such thing.
 * Source: PRODUCT.md C (user, key), D (keys).
 */
#ifndef NM_STORE_ACCOUNT_H
#define NM_STORE_ACCOUNT_H

#include "base/arena.h"
#include "base/instant.h"
#include "store/database.h"

enum { KEPT_NONE = -4, KEPT_SECRET = 32 };

/* A user. */
struct kept_user {
	int64_t id;
	struct str name;		/* "bob@example.org", "bob" */
	struct str hash;		/* trust/password.h; n == 0: no password
					 * but those of apps */
	struct str scram;		/* trust/scram.h; n == 0: SCRAM is off */
	bool has_scram;			/* for app passwords that are made, too */
	bool is_disabled;
	struct str from, networks, limits, tenant;	/* text; n == 0: not
					 * said */
	struct wall expires;		/* us == 0: never */
	struct wall created, used;	/* us == 0: never */
	int64_t n_apps;			/* app passwords */
};

/* An app password of a user. */
struct kept_app {
	int64_t id;
	struct str name;		/* "phone" */
	struct str digest;		/* SHA-256, 32 octets */
	struct str scram;		/* salt and rounds of the user's */
	struct wall created, used;
};

/* An API key. */
struct kept_key {
	int64_t id;
	struct str public;		/* nm_live_THIS_secret */
	struct str name;		/* what its owner calls it */
	struct str digest;		/* SHA-256 of the secret */
	struct str scopes, domains, networks, tenant;	/* text */
	bool is_revoked;
	struct wall expires, created, used;
};

/* 0, DATABASE_TAKEN, -1. */
int kept_user_add(struct database *, const struct kept_user *);
/* All but id, name, created, used. */
int kept_user_change(struct database *, const struct kept_user *);
int kept_user_remove(struct database *, struct str name);
int kept_user_find(struct database *, struct str name, struct arena *,
    struct kept_user *out);
int kept_users(struct database *, struct arena *,
    int (*each)(void *arg, const struct kept_user *), void *arg);

int kept_app_add(struct database *, int64_t user, const struct kept_app *);
int kept_app_remove(struct database *, int64_t user, struct str name);
int kept_apps(struct database *, int64_t user, struct arena *,
    int (*each)(void *arg, const struct kept_app *), void *arg);

int kept_key_add(struct database *, const struct kept_key *);
int kept_key_revoke(struct database *, struct str public);
int kept_key_find(struct database *, struct str public, struct arena *,
    struct kept_key *out);
int kept_keys(struct database *, struct arena *,
    int (*each)(void *arg, const struct kept_key *), void *arg);

/* When they were used last, many in one transaction. */
enum kept_kind { KEPT_USER, KEPT_APP, KEPT_KEY };
struct kept_use { enum kept_kind kind; int64_t id; struct wall at; };
int kept_uses(struct database *, const struct kept_use *, size_t n);

/* Octets that are made with the file, and that only the server knows. */
int kept_secret(struct database *, unsigned char out[KEPT_SECRET]);

#endif
