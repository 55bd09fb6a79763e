/*
 * must.h -- asserts that sail with the ship.
 *
 * The promise: must(cond) is compiled into every build.  When cond is false it
 * prints the condition, file and line, the fiber's name and error trail (by the
 * story function that fiber/ sets), and aborts; master starts another worker
 * and the spool forgives.
 * Not for: anything a peer, a disk or a person can cause.  Those have replies.
 * Waiting: none.
 * Memory: none.
 * Errors: does not return.
 * Source: HOUSE.md rule 8.
 */
#ifndef NM_BASE_MUST_H
#define NM_BASE_MUST_H

#define must(cond) \
	((cond) ? (void)0 : must_failed(#cond, __FILE__, __LINE__))

_Noreturn void must_failed(const char *cond, const char *file, int line);

/* What to print besides the condition; called once, before abort(). */
extern void (*must_story)(void);

#endif
