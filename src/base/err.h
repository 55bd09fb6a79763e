/*
 * err.h -- what went wrong with the machine, told once.
 *
 * The promise: err_set() starts the fiber's trail where trouble happened,
 * err_add() adds what was being done on the way up; the root logs it once by
 * err_text().  errno is read first and restored after, so "%m" is right.
 * Not for: what became of a recipient (struct verdict in wire/disposition.h),
 * a peer's trouble (it sticks to the stream), or a bug (must()).
 * Waiting: none.  Each fiber has its own trail, so a wait does not mix them.
 * Memory: 512 bytes per trail, in the fiber; what does not fit is cut.
 * Errors: none.
 * Source: HOUSE.md 7.6.
 */
#ifndef NM_BASE_ERR_H
#define NM_BASE_ERR_H

#include <stddef.h>


enum { ERR_ROOM = 512 };

struct err_trail {
	size_t n;
	char text[ERR_ROOM];
};

/* Whose trail is written now; fiber/ swaps it.  NULL: the thread's own. */
void err_use(struct err_trail *);

/* "open spool/7: No space left on device"; returns -1, so that a function can
 * say return err_set(...). */
int err_set(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* "recovering segment 7: " is put before what is there.  Returns -1. */
int err_add(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* %m is not ISO C, but right here. */
#define err_set(...) __extension__ err_set(__VA_ARGS__)
#define err_add(...) __extension__ err_add(__VA_ARGS__)

const char *err_text(void);	/* "" when nothing was set */
void err_clear(void);

#endif
