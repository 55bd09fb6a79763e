/*
 * model.h -- what the RFCs and SECURITY.md say of a conversation, as a table.
 *
 * The promise: model_begin() is a conversation with a server of one kind, and
 * model_say() what the server must answer to one more word, and what it then
 * holds.  Written from RFC 5321 4.1.4, 1985, 2034, 2920, 3030, 3207, 4954 and
 * SECURITY.md alone: it includes nothing of smtp/ and knows none of its tables.
 * Not for: the server.
 * Waiting: none.
 * Memory: the caller's.
 * Errors: none.
 * Source: RFC 5321 4.1.4; SECURITY.md rows 3, 4, 17, 18.
 */
#ifndef NM_STATES_MODEL_H
#define NM_STATES_MODEL_H

#include "base/buf.h"
#include "base/str.h"

enum word {
#define WORD(name, octets, blank, hello, mail, rcpt, chunk) WORD_##name,
#include "words.def"
#undef WORD
	WORDS
};

enum phase { PHASE_BLANK, PHASE_HELLO, PHASE_MAIL, PHASE_RCPT, PHASE_CHUNK,
	PHASES };

enum { MODEL_RCPTS = 16, MODEL_TEXT = 1024 };

/* What server it is, and whom it takes the client for. */
struct kind {
	const char *name;
	bool is_submission, offers_tls, requires_tls, knows_xclient, relays;
	/* what is said before the sequence begins */
	enum word before[5];
	unsigned n_before;
};

struct model {
	const struct kind *kind;
	enum phase phase;
	bool is_extended, is_private, is_known, is_renamed, is_over;
	bool is_told;			/* known by a proxy's word */
	unsigned failures;		/* to log in */
	bool is_null;			/* the sender */
	unsigned n_rcpts;
	const char *rcpts[MODEL_RCPTS];
	char text[MODEL_TEXT];		/* the X-lines of the content */
	/* by the last word: a message was kept */
	bool has_kept;
};

/* The answer: code and enhanced code, and whether a second one follows what is
 * said behind the first. */
struct answer {
	const char *first, *second;	/* second: NULL, or behind the content */
};

void model_begin(struct model *, const struct kind *);
struct answer model_say(struct model *, enum word, unsigned number);
/* What the client puts on the wire for it; the content of DATA is apart. */
void model_octets(const struct model *, enum word, unsigned number,
    struct buf *out);
void model_content(unsigned number, const struct model *, struct buf *out);
const char *model_name(enum word);
const char *model_sender(const struct model *);

#endif
