/*
 * attempt.h -- failed logins, and how long the next one waits for them.
 *
 * The promise: failures are counted three ways: of an account from a network, of
 * a network, of an account.  Each way has some for free; beyond them the next
 * attempt waits, twice as long each time up to a bound, and what is owed wears
 * off with time.  Nobody is locked out.  A network from which an account logged
 * in well is known to that account: then only their own failures make it wait,
 * and shortly, whatever others do to the account or from the network.
 * An attempt counts as failed from its beginning, so that a thousand at once are
 * not one; a good login takes that back.
 * What belongs to a network lies with one core, what belongs to an account with
 * one: attempt_owner_network() and attempt_owner_name() say which.
 * Not for: who may log in (login.h), sessions (smtp/knock.h).
 * Waiting: none.
 * Memory: an entry of 64 octets for each of the three, from malloc (they come
 * and go singly), at most ATTEMPT_ENTRIES of those that owe and ATTEMPT_KNOWN
 * networks that are known; the longest unseen leave first, each kind among
 * itself, so that a storm does not make us forget friends.
 * Errors: without memory an attempt waits for nothing.
 * Source: SECURITY.md row 10; RFC 4954 9.
 */
#ifndef NM_POLICY_ATTEMPT_H
#define NM_POLICY_ATTEMPT_H

#include "base/hash.h"
#include "base/instant.h"
#include "fiber/net.h"

enum { ATTEMPT_ENTRIES = 65536, ATTEMPT_KNOWN = 16384 };

/* For free; how soon each is forgotten; the longest wait. */
#define ATTEMPT_PAIR_FREE 5
#define ATTEMPT_PAIR_NS (30 * NS_PER_SECOND)
#define ATTEMPT_NETWORK_FREE 20
#define ATTEMPT_NETWORK_NS (6 * NS_PER_SECOND)
#define ATTEMPT_NAME_FREE 30
#define ATTEMPT_NAME_NS (10 * NS_PER_SECOND)
#define ATTEMPT_FIRST_NS (500 * NS_PER_MS)
#define ATTEMPT_MOST_NS (30 * NS_PER_SECOND)
#define ATTEMPT_KNOWN_MOST_NS (2 * NS_PER_SECOND)
#define ATTEMPT_NAME_MOST_NS (500 * NS_PER_MS)
/* How long a network stays known. */
#define ATTEMPT_KNOWN_NS (30 * INT64_C(86400) * NS_PER_SECOND)

struct attempt_table;

/* The same key on all cores. */
struct attempt_table *attempt_open(struct hash_key);
void attempt_close(struct attempt_table *);

unsigned attempt_owner_network(struct hash_key, const struct address *client,
    unsigned n);
unsigned attempt_owner_name(struct hash_key, struct str name, unsigned n);

/* An attempt begins.  name n == 0: not told.  is_trusted: the network stands for
 * many (a webmailer), and only the pair counts. */
struct attempt_wait {
	int64_t ns;
	bool is_known;			/* do not ask the account's owner */
};
struct attempt_wait attempt_begin(struct attempt_table *,
    const struct address *client, struct str name, bool is_trusted,
    struct mono now);
/* Of its name; how long to wait. */
int64_t attempt_begin_name(struct attempt_table *, struct str name,
    struct mono now);

/* It was good, or was not judged: what was counted is taken back. */
void attempt_good(struct attempt_table *, const struct address *client,
    struct str name, bool is_trusted, struct mono now);
void attempt_unjudged(struct attempt_table *, const struct address *client,
    struct str name, bool is_trusted, struct mono now);
void attempt_back_name(struct attempt_table *, struct str name,
    struct mono now);

#endif
