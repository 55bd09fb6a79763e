/*
 * intake.h -- the one door in, for SMTP and for our own reports.
 *
 * The promise: what intake_commit() answered DELIVERED for is on disk, whole,
 * with its envelope, and was handed up to `kept'; everything else left no trace
 * but its event.  On the way the content is read once: canonical lines only,
 * the size limit, the header section's limits, loops; our Received field stands
 * on top, and on submission Message-ID and Date are added when missing.
 * Not for: deciding who may send to whom (policy/; smtp/ asks it at RCPT), nor
 * for taking Return-Path off (deliver/ does, at final delivery).
 * Waiting: intake_open(), intake_content() and intake_commit() yield (disk).
 * Memory: all in the mail arena given to intake_open(); arena_clear() drops a
 * message that was not committed, draft and all.
 * Errors: a verdict whose disposition is not DELIVERED: FAILED or DEFERRED with
 * the reply to give, as 552 5.3.4, 554 5.4.6, 452 4.3.1, 451 4.3.0.
 * Source: RFC 5321 4.4, 6.3; RFC 6409 8; RFC 3848; SECURITY.md rows 1, 16, 22,
 * 27, 28.
 */
#ifndef NM_INTAKE_INTAKE_H
#define NM_INTAKE_INTAKE_H

#include "base/arena.h"
#include "base/event.h"
#include "fiber/fiber.h"
#include "wire/disposition.h"

struct config;
struct intake;
struct intake_kept;
struct spool;

/* What intake needs of its core; app/ fills one for each core. */
struct intake_core {
	struct spool *spool;
	struct event_sink *sink;
	/* The one way up: a message is on disk.  Takes what it needs before it
	 * returns; does not yield. */
	void (*kept)(struct intake_core *, const struct intake_kept *);
	void *owner;			/* app's own */
};

/* Who brings it, and how: facts, for Received and the events.  Strings live at
 * least as long as the mail arena.  p == NULL: not known. */
struct intake_origin {
	struct str listener;		/* "mx:25"; STR_NONE: from inside */
	struct str protocol;		/* "ESMTP", as RFC 3848 names it */
	struct str helo;
	struct str client;		/* address without brackets */
	struct str client_name;		/* its verified name */
	struct str user;
	struct str tenant, stream;	/* STR_NONE: "default" */
	bool is_submission;		/* complete Message-ID and Date */
};

struct intake_recipient {
	struct intake_recipient *next;
	struct str address;		/* where it goes, after aliases */
	struct str original;		/* as the client gave it */
	unsigned index;			/* in the COMMIT record */
};

/* A message that is on disk, as the queue must know it. */
struct intake_kept {
	uint64_t id;
	struct wall accepted_at;
	struct str sender;		/* n == 0: the null sender */
	struct str tenant, stream;
	uint64_t size;			/* octets with our fields */
	bool has_8bit;
	size_t n;
	const struct intake_recipient *recipients;
};

/* Begin a message: its id and draft.  NULL: *no says the reply. */
yields struct intake *intake_open(struct intake_core *, const struct config *,
    struct arena *, const struct intake_origin *, struct str sender,
    struct verdict *no);

/* One accepted recipient.  -1: no room (452 4.3.1). */
int intake_recipient_add(struct intake *, struct str address);

/* The next octets of the content, cut anywhere; canonical lines, no dots
 * stuffed.  -1: it will be refused; go on reading if you must, and commit to
 * hear why. */
yields int intake_content(struct intake *, struct str bytes);

/* The content is complete: keep it, or say why not.  *id is the message's. */
yields struct verdict intake_commit(struct intake *, uint64_t *id);

/* A whole message from inside, as a report: open, add, content, commit. */
struct intake_post {
	struct str sender;		/* n == 0: the null sender */
	const struct str *recipients;
	size_t n_recipients;
	const struct str *parts;	/* of the content */
	size_t n_parts;
	struct str tenant, stream;
	uint64_t parent;		/* the message it is about; 0: none */
};
yields struct verdict intake_post(struct intake_core *, const struct config *,
    struct arena *, const struct intake_post *, uint64_t *id);

/* Tell an event: to the sink, and into the spool as an EVENT record. */
void intake_tell(struct intake_core *, const struct event *);

#endif
