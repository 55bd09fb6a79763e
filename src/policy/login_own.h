/*
 * login_own.h -- what the parts of the login dispatcher share.
 *
 * The promise: see login.h.
 * Not for: anybody but policy/login*.c and their tests.
 * Waiting: none.
 * Memory: struct login_core is a core's, from login_begin() to login_end().
 * Errors: none.
 * Source: login.h.
 */
#ifndef NM_POLICY_LOGIN_OWN_H
#define NM_POLICY_LOGIN_OWN_H

#include "policy/login.h"

enum { LOGIN_GOOD = 2048, LOGIN_USES = 256, LOGIN_MARK = 16 };

/* A password that fitted a stored text: HMAC-SHA-256 of both, cut off. */
struct login_good {
	unsigned char mark[LOGIN_MARK];
	struct mono until;
};

struct login_core {
	struct login_good good[LOGIN_GOOD];	/* by the mark's first octets */
	struct kept_use uses[LOGIN_USES];	/* not told yet */
	size_t n_uses;
	struct fiber *teller;			/* tells them; NULL: not yet */
	struct elsewhere *elsewhere;
	bool is_telling;
	bool is_ending;
};

/* Seconds that a good login is remembered, and until last uses are told. */
enum { LOGIN_GOOD_S = 300, LOGIN_USES_S = 60, LOGIN_RETRY_S = 10 };

/* Open the database if it is there (or may be made) and not open yet; on the
 * records' thread.  0, -1, DATABASE_ABSENT. */
int login_database_open(struct login *, struct str url, bool may_create);
/* LOGIN_KEY octets: the database's, or this process's own until it is there. */
const unsigned char *login_secret(const struct login *);

#endif
