/*
 * bounce_read.h -- what came back: bounces of others, however they are written.
 *
 * The promise: of a message cut anywhere, what kind it is, and of a report each
 * recipient once with what was said of him: from its delivery-status part
 * (dsn_read.h) where there is one, else from its words, as servers without RFC
 * 3464 write them, in any language whose addresses and codes can be found.  What
 * a delivery-status leaves unsaid is taken from the words.
 * Not for: what it means (policy/bounce_rules.h judges the reply of each);
 * trusting it: anybody can write a bounce.
 * Waiting: none.
 * Memory: all in the arena given: BOUNCE_READ_MEMORY is enough.  Of the words
 * BOUNCE_WORDS_MOST octets are kept, of a reply BOUNCE_REPLY_MOST.
 * Errors: is_cut: there was more than was read.
 * Source: RFC 3464; RFC 3834 5 (automatic replies); RFC 5965 (complaints); RFC
 * 5321 4.5.5 (null sender); and what servers are seen to write.
 */
#ifndef NM_WIRE_BOUNCE_READ_H
#define NM_WIRE_BOUNCE_READ_H

#include "wire/disposition.h"
#include "wire/dsn_read.h"

enum {
	BOUNCE_WORDS_MOST = 32 * 1024,
	BOUNCE_REPLY_MOST = 1000,
	BOUNCE_TOLD_MOST = 200,
	BOUNCE_FIELD_MOST = 1000,
	BOUNCE_READ_MEMORY = DSN_READ_MEMORY + 512 * 1024
};

enum bounce_kind {
#define BOUNCE_KIND(name, word, about) BOUNCE_##name,
#include "wire/bounce_kind.def"
#undef BOUNCE_KIND
	BOUNCE_KINDS
};

/* The command that a reply was for: some say it. */
enum bounce_phase {
	BOUNCE_UNSAID, BOUNCE_CONNECT, BOUNCE_HELO, BOUNCE_MAIL, BOUNCE_RCPT,
	BOUNCE_DATA, BOUNCE_PHASES
};

/* What was said of one recipient. */
struct bounce_told {
	struct bounce_told *next;
	struct str address;		/* n == 0: not said */
	enum dsn_action action;		/* DSN_ACTIONS: none that is known */
	enum bounce_phase phase;
	int code;			/* of an SMTP reply; 0: none */
	struct esc esc;			/* its own, or else the report's */
	struct str reply;		/* the words to judge by, on one line */
	struct str remote;		/* host that said it; or absent */
};

struct bounce {
	enum bounce_kind kind;
	bool is_cut;
	struct str reporter;		/* who wrote it: a host, or an address */
	struct str subject;		/* of the report */
	struct str message_id;		/* of what was returned; no brackets */
	struct str original_subject, original_sender;
	struct str feedback;		/* COMPLAINT: its type, as "abuse" */
	struct str words;		/* lines; without the message's copy */
	size_t n;
	struct bounce_told *told;	/* first of n */
};

struct bounce_reader;

struct bounce_reader *bounce_read_begin(struct arena *); /* NULL: no memory */
void bounce_read(struct bounce_reader *, struct str octets);
/* The message has ended. */
const struct bounce *bounce_read_end(struct bounce_reader *);

/* Was he not reached, or not yet? */
bool bounce_is_trouble(const struct bounce_told *);
/* The codes that stand first in a reply; 0 and class 0: none. */
void bounce_reply_codes(struct str reply, int *code, struct esc *);
const char *bounce_kind_word(enum bounce_kind);		/* "failure" */
const char *bounce_phase_word(enum bounce_phase);	/* "rcpt" */

#endif
