/*
 * passwd.h -- one line of a passwd-file of users.
 *
 * The promise: a line as Dovecot's passwd-file has it,
 *	user:{SCHEME}hash:uid:gid:gecos:home:shell:extra
 * comes apart; everything after the user may be missing.
 * Not for: /etc/passwd through the C library, or checking passwords.
 * Waiting: none.
 * Memory: slices of the line.
 * Errors: PASSWD_BAD, with a sentence why.
 * Source: Dovecot, passwd-file; passwd(5).
 */
#ifndef NM_WIRE_PASSWD_H
#define NM_WIRE_PASSWD_H

#include "base/str.h"

enum passwd_kind { PASSWD_BLANK, PASSWD_ENTRY, PASSWD_BAD };

enum { PASSWD_LINE_MOST = 4096 };

struct passwd {
	struct str user;
	struct str scheme;		/* "BLF-CRYPT"; absent: not said */
	struct str hash;		/* empty: no password fits */
	bool has_uid, has_gid;
	uint32_t uid, gid;
	struct str home, extra;		/* extra: "k=v k=v" */
};

/* One line without its line feed (a CR at its end is dropped). */
enum passwd_kind passwd_parse(struct str line, struct passwd *out,
    const char **why);
/* A value among the extra fields, or STR_NONE. */
struct str passwd_extra(const struct passwd *, struct str key);

#endif
