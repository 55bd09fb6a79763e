/*
 * accounts.h -- the database of users and keys, for the commands.
 *
 * The promise: accounts_open() finds the database that the configuration names,
 * and makes it where there is none: root gives what he made to the server's user.
 * The server may run or not; it sees each change at the next login.
 * Not for: the server (policy/login.h).
 * Waiting: blocks, for another command's change 5 seconds at most.
 * Memory: the command's arena; accounts_close() ends the rest.
 * Errors: an exit status, said on standard error: 65 for names that are not
 * there, or taken; 77 when the file is not ours; 78 when the configuration does
 * not load.
 * Source: PRODUCT.md C.
 */
#ifndef NM_CLI_ACCOUNTS_H
#define NM_CLI_ACCOUNTS_H

#include "cli/cli.h"
#include "policy/config.h"
#include "store/database.h"

struct accounts {
	struct cli *cli;
	struct config *config;
	struct database database;
};

/* may_make: else a database that is not there has nobody in it, and is an
 * error. */
int accounts_open(struct cli *, bool may_make, struct accounts *);
void accounts_close(struct accounts *);

/* What the database said, as an exit status: 0, or told with `what'. */
int accounts_result(int rc, const char *what, struct str name);

struct wall accounts_now(void);
/* n letters and digits, five random bits each, none that looks like another. */
struct str accounts_random(struct cli *, size_t n);
/* "" for what is absent. */
const char *accounts_text(struct cli *, struct str);
/* A date, or the end of a duration from now; 0 or a status. */
int accounts_expiry(struct str text, struct wall *out);

/* How a mail program is set up for this user, as text. */
void accounts_settings(const struct accounts *, struct str name);

#endif
