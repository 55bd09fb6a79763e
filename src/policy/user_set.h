/*
 * user_set.h -- the users of a domain, read from where `users' says.
 *
 * The promise: a file is read once, however many domains name it; each user has
 * a name that is fit for a path.  A bad line is an error that shows the line.
 * A hash
 * that stands there can be verified, or is an error, too; Dovecot's extra fields
 * allow_nets and nologin count.
 * Not for: checking passwords (login.h), or accounts that only NSS knows.
 * Waiting: none.
 * Memory: the configuration's arena.
 * Errors: among the problems; NULL when there is no set.
 * Source: passwd(5); wire/passwd.h; SECURITY.md row 14.
 */
#ifndef NM_POLICY_USER_SET_H
#define NM_POLICY_USER_SET_H

#include "policy/domain.h"
#include "policy/problem.h"
#include "policy/value.h"

/* The accounts of people and root; path is what the set is known by. */
struct user_set *user_set_system(struct value_reader *, struct str path);
struct user_set *user_set_file(struct value_reader *, const struct config *,
    struct str path, struct place at);
/* A file that is there for logging in alone: names are "bob" or
 * "bob@example.org", by account_key(). */
struct user_set *user_set_logins(struct value_reader *, struct str path,
    struct place at);
/* By a name as account_key() has it. */
const struct user *user_set_login(const struct user_set *, struct str key);
struct user_set *user_set_list(struct value_reader *,
    const struct conf_strings *names, struct place at);

/* One account of /etc/passwd, whoever it belongs to. */
bool user_of_system(struct value_reader *, struct str name, uint32_t *uid,
    uint32_t *gid);

#endif
