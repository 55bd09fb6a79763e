/*
 * reply.h -- replies: reading a server's, writing ours.
 *
 * The promise: whatever a server sends, a reply is a code of three digits, an
 * enhanced code if there was one, and at most REPLY_TEXT octets of clean text;
 * endless, overlong or inconsistent replies are REPLY_BAD after a bounded
 * number of octets.  What we write has the enhanced code on each line, no
 * control character, and lines of at most 512 octets.
 * Not for: the decision what a reply means for a recipient beyond its class.
 * Waiting: none.
 * Memory: values.
 * Errors: REPLY_BAD; reply.text then says why.
 * Source: RFC 5321 4.2, 4.2.1, 4.5.3.1.5; RFC 2034 4; SECURITY.md row 49.
 */
#ifndef NM_WIRE_REPLY_H
#define NM_WIRE_REPLY_H

#include "wire/disposition.h"

struct buf;

enum {
	REPLY_LINE_MOST = 4096,		/* octets a line that we read */
	REPLY_LINES_MOST = 100,
	REPLY_OCTETS_MOST = 65536,	/* in all */
	REPLY_TEXT = 512,		/* kept of the text, with the NUL */
	REPLY_LINE_WRITTEN = 510	/* without CRLF */
};

enum reply_state {
	REPLY_MORE,		/* another line follows */
	REPLY_DONE,
	REPLY_BAD		/* not SMTP, or too much of it: close */
};

struct reply {
	short code;			/* 0: none yet */
	struct esc esc;			/* of the last line that had one */
	unsigned lines;
	size_t octets;
	char text[REPLY_TEXT];		/* lines joined by spaces, clean */
	size_t text_n;
};

void reply_begin(struct reply *);
/* One line without its CRLF.  `rest' (may be NULL) becomes the line's text after
 * code and separator, unclean, a slice of the line. */
enum reply_state reply_push(struct reply *, struct str line, struct str *rest);
/* 2xx delivered, 4xx deferred, 5xx failed; other codes are deferred. */
struct verdict reply_verdict(const struct reply *);

/* ---- what EHLO tells ---- */

enum capability {
#define CAPABILITY(name, keyword) CAPABILITY_##name,
#include "wire/ehlo.def"
#undef CAPABILITY
	CAPABILITIES
};

#define CAPABILITY_BIT(name) (UINT32_C(1) << CAPABILITY_##name)

struct ehlo {
	uint32_t has;			/* CAPABILITY_BITs */
	uint64_t size;			/* most octets; 0: no limit told */
	uint64_t mail_max, rcpt_max, rcpt_domain_max;	/* LIMITS; 0: none */
	unsigned lines;
	char auth[128];			/* mechanisms, upper case, spaces between */
};

/* Start with {0}; give the `rest' of every line of the reply, the first (the
 * greeting) too.  Unknown and malformed keywords are passed over. */
void ehlo_push(struct ehlo *, struct str rest);

/* ---- writing ---- */

/* A whole reply with CRLFs.  Line feeds in text begin a new line; lines too
 * long are cut at a space; non-ASCII becomes '?' unless utf8. */
void reply_write(struct buf *out, short code, struct esc, struct str text,
    bool utf8);

#endif
