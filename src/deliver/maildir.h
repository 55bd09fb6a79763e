/*
 * maildir.h -- one message into one Maildir.
 *
 * The promise: when maildir_commit() returned 0 the whole message is a file in
 * new/, its bytes, its name and all that leads to it are on disk.  Before that
 * it is a file in tmp/ that no reader looks at; maildir_abandon() takes it away,
 * also when maildir_commit() failed after naming it.  tmp, new and cur and
 * whatever is missing above them are made, mode 0700.
 * Not for: other people's uids (the porter runs this for them).
 * Waiting: every call yields (helper threads do the work).
 * Memory: names and a buffer of 16 KiB in the arena given to maildir_open(),
 * which must live until maildir_commit() or maildir_abandon().
 * Errors: -1 and the trail; maildir_errno, never 0 then, tells ENOSPC and EDQUOT
 * (452 4.2.2) from the rest (451 4.3.0).  After maildir_open() failed nothing
 * needs to be abandoned.
 * Source: maildir(5) as qmail and Dovecot have it ("time.unique.host,S=size").
 */
#ifndef NM_DELIVER_MAILDIR_H
#define NM_DELIVER_MAILDIR_H

#include "base/arena.h"
#include "fiber/fiber.h"

enum { MAILDIR_BUFFER = 16 * 1024 };

struct maildir {
	struct str path;
	const char *tmp_name, *new_name;	/* whole paths */
	const char *name;		/* the file's, of those two; or NULL */
	int fd;
	int maildir_errno;		/* positive; 0: none */
	uint64_t size;			/* octets written */
	size_t held;			/* in buffer */
	struct str unique;
	char *buffer;
	struct arena *arena;
};

yields int maildir_open(struct maildir *, struct str path, struct str hostname,
    struct arena *);
/* The folder, where there is such a directory; else the path.  Both are
 * NUL-terminated; no folder: n == 0. */
yields struct str maildir_choose(struct str path, struct str folder);

/* Content with CRLF line ends, cut anywhere; stored with LF alone, as every
 * reader of Maildirs expects of a Unix mailbox. */
yields int maildir_write(struct maildir *, struct str);
yields int maildir_commit(struct maildir *);
yields void maildir_abandon(struct maildir *);

#endif
