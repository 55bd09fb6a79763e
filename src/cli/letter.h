/*
 * letter.h -- a message as programs of this machine hand it in.
 *
 * The promise: letter_read() takes text with any line ends whole before anybody
 * is told of it, in memory for the header and in a file without a name for the
 * rest: LF, CR LF and a lone CR end a line, NUL becomes '?', lines are cut at
 * LETTER_LINE_MOST, and a "From " line of mbox goes.  letter_recipients() walks
 * To, Cc and Bcc, or those of the newest Resent- block.  letter_header() is the
 * header to send: without Bcc, Resent-Bcc, Return-Path and Content-Length, with
 * From when there was none, and with the origin behind addresses that have no
 * domain.
 * Not for: relayed mail, which stays as it is; Date and Message-ID, which the
 * server adds.
 * Waiting: blocks.
 * Memory: the caller's arena; the file closes with letter_close().
 * Errors: an exit status, and a sentence on standard error.
 * Source: RFC 5322 3.4, 3.6, 3.6.6; RFC 6854; sendmail(1) of Postfix.
 */
#ifndef NM_CLI_LETTER_H
#define NM_CLI_LETTER_H

#include "wire/header.h"

enum { LETTER_LINE_MOST = 32768 };

struct letter_field {
	struct letter_field *next;
	enum header_name known;
	struct str name, value, raw;
	bool is_resent;			/* of the newest block */
};

struct letter {
	struct arena *arena;
	struct letter_field *fields;
	struct letter_field **last;
	int body_fd;			/* what follows the header's empty line */
	uint64_t body_octets;
	bool is_8bit, is_resent;
};

/* dot_ends: a line of a lone dot is the end. */
int letter_read(struct letter *, struct arena *, int fd, bool dot_ends);
void letter_close(struct letter *);

/* Addresses, as text that mailbox_parse() takes; origin completes those that
 * have no domain.  Non-zero from `add' ends it. */
struct letter_rcpts {
	int (*add)(struct letter_rcpts *, struct str address);
};
int letter_recipients(const struct letter *, struct str origin,
    struct letter_rcpts *);
/* The same of a list that is no field: an argument. */
int letter_addresses(struct arena *, struct str list, struct str origin,
    struct letter_rcpts *);

/* from: mailbox, name: may be absent.  STR_NONE: no memory. */
struct str letter_header(const struct letter *, struct str origin,
    struct str from, struct str name);

#endif
