/*
 * login.h -- may this name come in with that secret?
 *
 * The promise: sources of accounts are asked in the order of auth.sources
 * (login.def is their table): the first that knows the name decides, and a wrong
 * password is not tried elsewhere.  A name that nobody knows, one that is
 * disabled and a wrong password cost the same work and are the same LOGIN_BAD.
 * Hashes are computed one at a time on a thread of their own: they take one
 * processor at most, whoever attacks.  Two for each core wait for their turn, of
 * one network half of that, and as many more who came in before from the same
 * network by the same name; the rest hears LOGIN_LATER at once.  What was found
 * good is remembered for minutes, by a keyed hash of password and stored hash, so
 * it ends when either changes.
 * Not for: what an account may do (account.h), when a client tries too often
 * (smtp/auth.c), the conversation (trust/sasl.h).
 * Waiting: login_check() and login_verifier() yield, until `deadline' where a
 * source is elsewhere; the configuration of the question stays pinned meanwhile.
 * login_open() and login_close() block: before the cores run and after.
 * Memory: struct login is the caller's, one for a process; answers are in the
 * arena of the question.  Secrets are wiped where they were copied to.
 * Errors: LOGIN_LATER and the trail for trouble with a machine.  Others have no
 * trail; why is for events only, never for the client.
 * Source: RFC 4954 4, 6 (535 5.7.8, 454 4.7.0); SECURITY.md rows 10, 11, 38.
 */
#ifndef NM_POLICY_LOGIN_H
#define NM_POLICY_LOGIN_H

#include "fiber/core.h"
#include "fiber/net.h"
#include "policy/account.h"
#include "policy/elsewhere.h"
#include "store/account.h"
#include "trust/scram.h"

struct lane;

enum login_result {
	LOGIN_OK,
	LOGIN_BAD,			/* 535 5.7.8 */
	LOGIN_LATER,			/* 454 4.7.0 */
	LOGIN_UNKNOWN			/* of a source: ask the next; never of
					 * login_check() */
};

enum login_kind {
	LOGIN_PASSWORD,			/* also an API key, and an app password */
	LOGIN_TOKEN,			/* OAUTHBEARER, XOAUTH2 */
	LOGIN_CERTIFICATE		/* EXTERNAL: TLS has verified him */
};

struct login_ask {
	enum login_kind kind;
	const struct config *config;	/* pinned by the caller */
	struct str name;		/* who he says he is; n == 0: not said */
	struct str secret;		/* the password or token */
	struct address client;		/* network of who logs in */
	struct address local;		/* where he came to */
	struct str protocol;		/* TLS version; n == 0: clear text */
	struct str subjects;		/* CERTIFICATE: names it is made for, by
					 * line feeds: addresses, then names */
	struct mono deadline;
};

enum { LOGIN_NETWORKS = 1024, LOGIN_KNOWN = 4096, LOGIN_WAYS = 4, LOGIN_VERIFIERS = 16,
	LOGIN_KEY = 32 };

struct login_core;			/* what one core remembers */

/* The dispatcher of a process. */
struct login {
	struct database database;	/* of the records' thread */
	struct lane *records, *hashes;
	int64_t _Atomic retry_ns;	/* mono: of a database in trouble */
	unsigned char key[LOGIN_KEY];	/* of what is remembered */
	/* Of what is shown to names that nobody has: the same after a restart.
	 * It comes with the database, perhaps while logins are checked. */
	unsigned char secret[LOGIN_KEY];
	bool _Atomic has_secret;
	struct login_core *cores[CORES_MOST];
	/* Who waits for a hash: of each network, of all, of those known. */
	unsigned char _Atomic networks[LOGIN_NETWORKS];
	unsigned _Atomic strangers, friends;
	unsigned waiting_most;
	/* Names from networks that came in before, as hashes. */
	uint64_t _Atomic known[LOGIN_KNOWN];
	struct elsewhere_board elsewhere;	/* its tell is app/'s */
};

/* Blocks.  The database is opened if it is there.  -1 and the trail when it is
 * damaged: its users hear LOGIN_LATER, all else goes on. */
int login_open(struct login *, const struct config *);
void login_close(struct login *);
/* Once on each core, core 0 first, before it is asked anything; and when nobody
 * asks any more: tells the database what it has not told yet. */
int login_begin(struct login *, unsigned cores);
yields void login_end(struct login *);

/* For what else is kept in the database: fn runs on its thread, with the database
 * open, made if there was none.  fn's result; -1 also when it cannot be had. */
yields int login_database_with(struct login *, const struct config *,
    int (*fn)(struct database *, void *arg), void *arg);

/* Does any source know such? */
bool login_takes(const struct config *, enum login_kind);

/* out is what the source told, not settled; it is filled by LOGIN_OK only.  why
 * is a word for events: "wrong password", "unknown", "disabled" ... */
yields enum login_result login_check(struct login *, const struct login_ask *,
    struct arena *, struct account *out, const char **why);

/*
 * SCRAM: what he must prove.  All of v have one salt and one number of rounds:
 * the first is for the challenge, and each may be what he proves.  A name without
 * any gets a false one, the same each time, and account is NULL: whatever he
 * proves, he is nobody.
 */
struct login_verifiers {
	size_t n;			/* 1 to LOGIN_VERIFIERS */
	struct scram_verifier *v;
	struct kept_use *use;		/* whose it is; NULL: nobody keeps that */
	struct account *account;
};
/* LOGIN_OK or LOGIN_LATER. */
yields enum login_result login_verifier(struct login *,
    const struct login_ask *, struct arena *, struct login_verifiers *out);
/* He proved v[i]: remember when it was used last. */
void login_proved(struct login *, const struct login_verifiers *, size_t i);

/* A place elsewhere that knows users and is down, as this core knows it; NULL
 * beyond the last. */
const struct directory_health *login_place(const struct login *, size_t i);
/* What RFC 7628 3.2.2 tells to who had a bad token; nothing without an issuer.
 * why is login_check()'s. */
void login_about_token(const struct config *, const char *why, struct buf *out);

/* ---- sources: login.def is the table ---- */

struct login_source {
	struct str name;		/* in auth.sources */
	bool (*is_set)(const struct config *);
	bool (*takes)(const struct config *, enum login_kind);
	yields enum login_result (*check)(struct login *,
	    const struct login_ask *, struct arena *, struct account *out,
	    const char **why);
};
extern const struct login_source login_sources[];
extern const size_t login_sources_n;

#define SOURCE(name, noun) \
	bool noun##_is_set(const struct config *); \
	bool noun##_takes(const struct config *, enum login_kind); \
	yields enum login_result noun##_check(struct login *, \
	    const struct login_ask *, struct arena *, struct account *out, \
	    const char **why);
#include "policy/login.def"
#undef SOURCE

/* For sources with hashes: does the password fit?  LOGIN_OK, LOGIN_BAD, or
 * LOGIN_LATER when too many wait.  hash n == 0: nobody's; as much work as for
 * others, and never OK. */
yields enum login_result login_hash(struct login *, const struct login_ask *,
    struct str hash);
/* When somebody came in: written to the database within a minute. */
void login_use(struct login *, struct kept_use);

/* Somebody whose certificate names him: LOGIN_OK, LOGIN_BAD when he is disabled,
 * LOGIN_UNKNOWN, LOGIN_LATER. */
yields enum login_result login_database_named(struct login *,
    const struct login_ask *, struct arena *, struct account *out,
    const char **why);
enum login_result login_file_named(const struct login_ask *, struct arena *,
    struct account *out, const char **why);

/* Their part of login_verifier(): LOGIN_OK with out filled, LOGIN_UNKNOWN,
 * LOGIN_LATER; n == 0: known, without SCRAM. */
yields enum login_result login_database_verifier(struct login *,
    const struct login_ask *, struct arena *, struct login_verifiers *out);
enum login_result login_file_verifier(const struct login_ask *, struct arena *,
    struct login_verifiers *out);

#endif
