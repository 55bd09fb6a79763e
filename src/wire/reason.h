/*
 * reason.h -- why a recipient was not reached, as a class with a name.
 *
 * The promise: every verdict has a reason; what is told of it is the same in
 * events, in reports and to a person.  Hard: the address itself is at fault,
 * and will be the next time.  Soft: anything else, however final this time.
 * Not for: deciding whether to try again (struct verdict); reading the words
 * behind the codes (policy/bounce_rules.h), which know better.
 * Waiting: none.
 * Memory: static.
 * Errors: none; what says nothing is "unknown".
 * Source: RFC 3463 3; RFC 7372; RFC 7505 4; RFC 5321 4.2.3.
 */
#ifndef NM_WIRE_REASON_H
#define NM_WIRE_REASON_H

#include "wire/disposition.h"
#include "wire/words.h"

enum reason_class {
	REASON_UNSAID,			/* nobody judged yet */
#define CLASS(name, kind, why, what, about) REASON_##name,
#include "wire/reason_class.def"
#undef CLASS
	REASON_CLASSES
};

struct reason {
	enum reason_class class;
	bool can_be_hard;
	const char *name;		/* "no_mailbox" */
	enum words why, what;		/* in words; what the sender can do */
	const char *about;		/* what it means, for whoever runs it */
};

/* Any but REASON_UNSAID. */
const struct reason *reason_get(enum reason_class);
const struct reason *reason_named(struct str);		/* NULL: none */
/* By the enhanced code, and without one by that of the reply (0: none). */
const struct reason *reason_find(struct esc, int code);
/* As it was judged, or else by its codes. */
const struct reason *reason_of(const struct verdict *);
/* Only what failed for good is hard. */
bool reason_is_hard(const struct reason *, struct esc);
const char *reason_kind(const struct reason *, struct esc);	/* "hard", "soft" */

#endif
