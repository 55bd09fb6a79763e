/*
 * directory.h -- what another place says of somebody, and whether it is there.
 *
 * The promise: a directory answers with one of four words.  One that does not
 * answer is left alone for a second, then longer, at most half a minute; each
 * failure is told, and that it is back.
 * Not for: which directories are asked, in which order (policy/login.h).
 * Waiting: none.
 * Memory: struct directory_health is its owner's.
 * Errors: none.
 * Source: RFC 4954 4.7.6 (454: try again); RFC 4422 3.6.
 */
#ifndef NM_TRUST_DIRECTORY_H
#define NM_TRUST_DIRECTORY_H

#include "base/arena.h"
#include "base/instant.h"

/* MORE: it has said something that the client must answer.  LATER: the trail
 * says why. */
enum directory_says { DIRECTORY_YES, DIRECTORY_NO, DIRECTORY_LATER,
	DIRECTORY_MORE };

enum { DIRECTORY_ADDRESSES = 64, DIRECTORY_WHY = 256 };

/* Who it is, as the directory has it; memory of the asker's arena. */
struct directory_person {
	struct str name;
	const char *why;		/* NO: in words for the log; or NULL */
	struct str *addresses;		/* that he sends as */
	size_t n_addresses;
};

/* All that it points to, too.  False when the arena is full. */
bool directory_person_copy(struct arena *, const struct directory_person *from,
    struct directory_person *to);

struct directory_health {
	struct str name;		/* "Dovecot", "ldaps://ldap.example" */
	/* Told of each failure (why), and when it is back (why is absent). */
	void (*tell)(void *arg, struct str name, struct str why);
	void *arg;
	unsigned failures;		/* in a row */
	struct mono retry_at;
	char why[DIRECTORY_WHY];	/* the last failure */
};

/* Is it worth a try now?  Of one that is down it says so to one asker at a time,
 * who has probing_ns to find out. */
bool directory_may_try(struct directory_health *, struct mono now,
    int64_t probing_ns);
/* why: the trail's words. */
void directory_failed(struct directory_health *, struct mono now,
    const char *why);
void directory_worked(struct directory_health *);
bool directory_is_down(const struct directory_health *);

#endif
