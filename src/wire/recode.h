/*
 * recode.h -- a message made fit for 7 or 8 bits, while it streams by.
 *
 * The promise: bodies of parts that cannot pass are written as quoted-printable
 * or base64, and say so in Content-Transfer-Encoding; whoever decodes them has
 * the same octets.  All else stays as it was, octet by octet, but labels: what
 * says "8bit" or "binary" and is so no more says what it is, a message without
 * MIME-Version gets one, and a body of unknown charset is called "unknown-8bit"
 * (RFC 1428 3), for to name another would be a guess.  What must not be touched
 * is refused: parts under a signature or encryption, parts that carry another
 * encoding already, header fields with 8-bit octets.
 * A message is fed twice: first to the survey, which decides and keeps one octet
 * for each part, then, from its first octet again, to be written.
 * Not for: deciding whether a peer needs it (smtp/fit.c).
 * Waiting: none.
 * Memory: struct recode (12 KiB) is the caller's, no thing for a stack; the rest
 * lies in the arena, at most RECODE_ARENA.
 * Errors: recode_survey_end().  When the second reading is not the first's,
 * recode_next() is -1.
 * Source: RFC 1428 3; RFC 1847 2; RFC 2045 6.4; RFC 2046 5.1, 5.2; RFC 3030 3;
 * RFC 6152 3; RFC 6376 5.3; RFC 6532 3.5, 3.7; RFC 6533 5.
 */
#ifndef NM_WIRE_RECODE_H
#define NM_WIRE_RECODE_H

#include "wire/base64.h"
#include "wire/mime.h"
#include "wire/qp.h"

enum { RECODE_ARENA = MIME_ARENA, RECODE_ROOM = 4096 };

/* What the bodies may hold. */
enum recode_goal {
	RECODE_TO_7BIT,
	RECODE_TO_8BIT		/* but no NUL, bare CR or LF, nor endless line */
};

struct recode {
	struct mime mime;
	struct arena *arena;
	enum recode_goal goal;
	bool is_binary;			/* any octet may come */
	bool is_survey;
	bool header_has_8bit;		/* anywhere */
	bool is_needed;			/* a part is to be written anew */
	const char *refusal;		/* why it cannot be; NULL: it can */
	/* what the leaf holds so far */
	struct {
		uint64_t octets, special, line;
		bool has_8bit, has_binary, has_long;
		char last;
	} leaf;
	unsigned char how[MIME_PARTS_MOST];	/* RECODE_ bits of each part */
	/* writing */
	struct str body, after;		/* to be encoded; to be passed on */
	bool is_in_body;
	struct qp_writer qp;
	struct base64_writer base64;
	char room[RECODE_ROOM];
};

void recode_begin(struct recode *, enum recode_goal, bool is_binary,
    struct arena *);
void recode_survey(struct recode *, struct str chunk);
/* Has all been seen?  Then refusal, is_needed and header_has_8bit stand.  -1: it
 * is no message that we can read; refusal says so. */
int recode_survey_end(struct recode *);

/* Again from the first octet, to be written; as often as wanted.  The arena must
 * have been cleared. */
void recode_again(struct recode *);
/* The next octets: 1; 0 when the chunk is used up, and only then may it go; -1. */
int recode_next(struct recode *, struct str *chunk, struct str *out);
/* After the last chunk, until it is 0. */
int recode_finish(struct recode *, struct str *out);

#endif
