/*
 * envelope.h -- what the log knows of a message besides its body.
 *
 * The promise: envelope_decode() gives back what envelope_encode() was given;
 * tags it does not know and may skip are skipped here and kept when a message
 * is moved.  Every message has a tenant and a stream.
 * Not for: what became of its recipients (kept.h, outcome.h).
 * Waiting: none.
 * Memory: decoded strings are slices of the bytes; the recipients' array is in
 * the arena.
 * Errors: enum envelope_fault.
 * Source: DESIGN.md sections 4 and 5; RFC 5321 2.3.1; RFC 3461 4.
 * The tags stand in envelope.c.
 */
#ifndef NM_SPOOL_ENVELOPE_H
#define NM_SPOOL_ENVELOPE_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/instant.h"
#include "base/notify.h"

enum envelope_flags {
	ENVELOPE_8BIT = 1,		/* BODY=8BITMIME, or 8-bit octets seen */
	ENVELOPE_SMTPUTF8 = 2,
	ENVELOPE_REPORT = 4,		/* made here, from the null sender */
	ENVELOPE_LAST = 8,		/* about a report: nobody hears of its end */
	ENVELOPE_BINARY = 16,		/* BODY=BINARYMIME: any octets, and perhaps
					 * no CRLF at the end (RFC 3030 3) */
	ENVELOPE_REQUIRETLS = 32,	/* to whom TLS proves, or to nobody (RFC
					 * 8689) */
	ENVELOPE_TLS_OPTIONAL = 64,	/* TLS-Required: No */
	ENVELOPE_JUNK = 128		/* for the Junk folder */
};

enum recipient_flags {
	RECIPIENT_EXPANDED = 1,		/* stands for the children that name it as
					 * parent, in the same envelope */
	RECIPIENT_DISCARDED = 2,	/* dropped by a named rule at acceptance */
	RECIPIENT_TELLING = 4,		/* EXPANDED, and ends by a record, when the
					 * sender has been told as he wished */
	RECIPIENT_FORWARDED = 8		/* the sender of this copy is the
					 * envelope's, rewritten (SRS): reports
					 * go to the envelope's */
};

#define RECIPIENT_NO_PARENT UINT32_MAX

enum { RECIPIENTS_MOST = 100000 };

/* What few recipients have. */
struct recipient_more {
	struct str sender;		/* of this copy: the owner of the list, or
					 * the sender rewritten; p == NULL: the
					 * envelope's */
	struct str shared;		/* EXPANDED: le32 indexes of children that
					 * name another as parent, being his too */
	struct str rule;		/* DISCARDED: by this one's name */
};

struct recipient {
	struct str address;		/* where it goes */
	struct str orig;		/* as the client gave it; p == NULL: same */
	uint32_t parent;		/* index, or RECIPIENT_NO_PARENT */
	uint32_t flags;			/* enum recipient_flags */
	unsigned notify;		/* enum notify; 0: not given */
	struct str orcpt;		/* "rfc822;bob@a.example", decoded; p ==
					 * NULL: none */
	struct str transport;		/* a target of the alias `address', that
					 * is no mailbox: "|command", "/path/";
					 * p == NULL: the configuration says */
	const struct recipient_more *more;	/* NULL: nothing of it */
};

struct envelope {
	uint64_t id;			/* set by the draft */
	uint64_t parent;		/* message this one is about; 0: none */
	struct str sender;		/* n == 0: the null sender */
	struct str tenant, stream;	/* n == 0: "default" */
	struct str idempotency_key;
	struct str client, client_name, helo, user, protocol, listener;
	struct str envid;		/* decoded; n == 0: none */
	enum ret_kind ret;
	struct wall arrived;
	struct wall release;		/* not due before; 0: at once */
	struct wall expires;		/* 0: by configuration */
	uint32_t flags;			/* enum envelope_flags */
	uint64_t size;			/* octets of the body; set by the draft */
	uint16_t epoch;
	size_t n_rcpts;
	struct recipient *rcpts;
};

enum envelope_fault {
	ENVELOPE_FINE = 0,
	ENVELOPE_MALFORMED,
	ENVELOPE_FOREIGN,		/* holds a tag that must be understood */
	ENVELOPE_NO_ROOM		/* the arena is full */
};

/* At least what envelope_encode() will write. */
size_t envelope_room(const struct envelope *);
void envelope_encode(const struct envelope *, struct buf *out);
enum envelope_fault envelope_decode(struct str payload, struct arena *,
    struct envelope *out);

/* Would envelope_decode() take it?  Needs no memory. */
enum envelope_fault envelope_check(struct str payload, size_t *recipients);

/* Ended from the start: expanded or discarded. */
bool recipient_is_over(const struct recipient *);
/* From whom it is sent, and, unless it is FORWARDED, to whom its reports go; n ==
 * 0: the null sender. */
struct str recipient_sender(const struct recipient *, const struct envelope *);
/* Never NULL. */
const struct recipient_more *recipient_more(const struct recipient *);

#endif
