/*
 * quota.h -- how much an account, or a tenant, has sent lately.
 *
 * The promise: messages, recipients and octets are counted by cells of five
 * minutes for the hour and of an hour for the day, so never more than the limit
 * fits into any 60 minutes or any 24 hours, and what was used is free again at
 * most a cell later.  quota_take() takes all of what was asked for or nothing,
 * and says what is in the way and when it will not be any more.  A table belongs
 * to one core: quota_owner() says which has a name.
 * Not for: who has which limits (account.h), networks (limit.h), asking other
 * cores (smtp/toll.h).
 * Waiting: none.
 * Memory: 1.3 KiB for each name that sent within a day and has a limit, from
 * malloc; at most QUOTA_NAMES, then the one unseen longest is forgotten.
 * Errors: without memory a name goes uncounted.
 * Source: issue "per-account limits by hour and day"; RFC 3463 3.3 (X.2.2).
 */
#ifndef NM_POLICY_QUOTA_H
#define NM_POLICY_QUOTA_H

#include "base/hash.h"
#include "policy/account.h"

enum { QUOTA_NAMES = 65536, QUOTA_NAME_MOST = ACCOUNT_KEY_ROOM };

/* Names of both kinds are apart. */
enum quota_kind { QUOTA_ACCOUNT, QUOTA_TENANT, QUOTA_KINDS };
struct quota_name {
	enum quota_kind kind;
	struct str name;		/* account_key() */
};

struct quota_use { uint64_t n[ACCOUNT_MEASURES]; };

struct quota_answer {
	bool fits;
	uint64_t left[ACCOUNT_MEASURES];	/* before it; QUOTA_NONE */
	/* Unless it fits: which limit is in the way, until when; WALL_NEVER:
	 * it is more than the limit by itself. */
	enum account_measure measure;
	bool is_day;
	uint64_t most;
	struct wall opens;
};

struct quota_table;

struct quota_table *quota_open(struct hash_key);	/* the same on all cores */
void quota_close(struct quota_table *);
unsigned quota_owner(struct hash_key, struct quota_name, unsigned n);

/* Would it fit? */
struct quota_answer quota_look(struct quota_table *, struct quota_name,
    const struct quota limits[ACCOUNT_MEASURES], const struct quota_use *,
    struct wall now);
/* The same, and when it fits it is used. */
struct quota_answer quota_take(struct quota_table *, struct quota_name,
    const struct quota limits[ACCOUNT_MEASURES], const struct quota_use *,
    struct wall now);
/* It was not used after all. */
void quota_give(struct quota_table *, struct quota_name,
    const struct quota_use *, struct wall now);

/* What was used in the last hour and day, for people. */
struct quota_seen { struct quota_use hour, day; };
struct quota_seen quota_see(struct quota_table *, struct quota_name,
    struct wall now);

/* All of a table as lines of text without line ends, some `most' names at a time:
 * *at begins as 0; false when it was the end.  What changes between may stand
 * there twice, or not.  A line that cannot be read, or is about a name that is
 * there already, is passed over: false. */
bool quota_print(const struct quota_table *, size_t *at, size_t most,
    void (*line)(void *, struct str), void *arg);
bool quota_read(struct quota_table *, struct str line);
/* Whom a line is about. */
bool quota_line_name(struct str line, struct buf *room,
    struct quota_name *out);

bool quota_is_changed(struct quota_table *);	/* since it was asked last */

/* "500 messages an hour": for replies. */
void quota_words(const struct quota_answer *, struct buf *out);

#endif
