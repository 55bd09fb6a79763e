/*
 * disposition.h -- what became of a recipient, and enhanced status codes.
 *
 * The promise: whoever judges a recipient returns a struct verdict by value.
 * The class of its enhanced code agrees with its disposition (2, 4, 5), and its
 * text is one line of printable UTF-8 whoever wrote it: no control characters,
 * no line ends, no malformed octets, cut between characters.
 * Not for: trouble with the machine (base/err.h) or bugs (base/must.h).
 * Waiting: none.
 * Memory: values; the text lives in the verdict.
 * Errors: an enhanced code written wrongly by us fails a must(); one written
 * wrongly by a peer is no code (class 0).
 * Source: RFC 3463 2 (class.subject.detail); RFC 2034 4; RFC 5248.
 */
#ifndef NM_WIRE_DISPOSITION_H
#define NM_WIRE_DISPOSITION_H

#include "base/str.h"

enum disposition {
	DELIVERED,		/* the next hop or mailbox has it */
	DEFERRED,		/* try again later */
	FAILED			/* never */
};

/* class 0: there is none. */
struct esc {
	unsigned char class;		/* 2, 4 or 5 */
	unsigned short subject, detail;	/* 0..999 */
};

#define ESC_NONE ((struct esc){ 0, 0, 0 })

struct esc_text { char text[12]; };

/* "5.1.1" exactly. */
bool esc_parse(struct str, struct esc *out);
/* An enhanced code and one space (or the end) off the front of *text, if one
 * stands there. */
bool esc_take(struct str *text, struct esc *out);
struct esc_text esc_print(struct esc);		/* "" when there is none */

enum { VERDICT_TEXT = 256 };

struct verdict {
	enum disposition disposition;
	short code;			/* of the reply; 0: nobody replied */
	unsigned char reason;		/* enum reason_class; 0: by its codes */
	struct esc esc;
	char text[VERDICT_TEXT];	/* a C string; cut in its middle */
};

/* esc is written as "5.1.1" and agrees with the disposition. */
struct verdict verdict_make(enum disposition, short code, const char *esc,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* From somebody else's words.  An esc of the wrong class becomes class.0.0. */
struct verdict verdict_of(enum disposition, short code, struct esc,
    struct str text);

/* Somebody else's words made fit to be shown: one line of printable UTF-8 in a
 * C string of at most room - 1 octets.  Line ends and tabs become spaces, other
 * control, invisible and malformed characters become '?'. */
void text_clean(struct str, char *dst, size_t room);

#endif
