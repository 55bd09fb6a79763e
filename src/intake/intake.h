/*
 * intake.h -- the one door in, for SMTP and for our own reports.
 *
 * The promise: a message for which intake_commit() said DELIVERED is on disk,
 * whole, with its envelope, and was handed up to `kept'; any other left no trace
 * but its event.  On the way the content is read once: the size limit, the
 * header section's limits, loops, and whether From and Sender name only whom the
 * account may send as; our Received field is put on top, and on submission From,
 * Message-ID and Date are added when missing.  Aliases become
 * children of their recipient in the same envelope; each mailbox gets one copy.
 * Not for: deciding who may send to whom (policy/judge.h; smtp/ asks it), for
 * framing (canonical lines come in), nor for taking Return-Path off (deliver/
 * does, at final delivery).
 * What comes from outside is checked (trust/proof.h) and judged
 * (policy/disposition.h): the results stand on top, fields that claim to be ours
 * are gone, and the event `checked' tells it, of what is refused too.
 * Waiting: intake_welcome() and intake_open() yield (DNS), intake_content() and
 * intake_commit() (disk, DNS, keyring).
 * Memory: all in the mail arena of intake_new(), which also drops the draft when
 * it is cleared without a commit.  The configuration stays pinned as long.
 * Errors: a verdict that is not DELIVERED is the reply to give: 452 4.3.1,
 * 550 5.7.1, 451 4.3.0, 421 4.3.2, 552 5.3.4, 554 5.4.6, or what expansion or route said.
 * Source: RFC 5321 4.4, 6.3; RFC 6409 8; RFC 3848; RFC 3461 5.2.7; SECURITY.md rows 16, 22, 27,
 * 28.
 */
#ifndef NM_INTAKE_INTAKE_H
#define NM_INTAKE_INTAKE_H

#include "policy/config.h"
#include "spool/spool.h"
#include "wire/address.h"
#include "wire/disposition.h"

struct dkim_signer;

/* What intake needs of its core; app/ fills one for each core. */
struct intake_core {
	struct spool *spool;		/* NULL: it is still being read */
	struct event_sink *sink;
	/* The one way up: this message is on disk.  Takes what it needs before
	 * it returns; does not yield. */
	void (*kept)(struct intake_core *, const struct kept *,
	    const struct envelope *);
	struct dkim_signer *signer;	/* trust/dkim_sign.h; NULL: nothing is
					 * signed */
	void *owner;			/* app's own */
	const unsigned char *srs;	/* SRS_SECRET octets (trust/srs.h); NULL:
					 * none but the configuration's */
};

struct account;				/* policy/account.h */

/* Who brings what, and how.  Strings live as long as the mail arena; p == NULL
 * is "not known". */
struct intake_origin {
	struct str sender;		/* mailbox; n == 0: the null sender */
	struct str listener;		/* its name; n == 0: from inside */
	struct str protocol;		/* "ESMTP": received_with() */
	struct str helo;
	struct str client;		/* address without brackets */
	struct str client_name;		/* its verified name */
	struct str user;		/* "uid:1000": of this machine */
	struct str mechanism;		/* of SASL, by which he logged in */
	struct str tenant, stream;	/* n == 0: "default" */
	struct str tls;			/* cipher suite; n == 0: clear text */
	const struct account *account;	/* who logged in, settled; lives as long
					 * as the mail arena; NULL: he did not */
	struct str envid;		/* decoded; n == 0: none */
	enum ret_kind ret;
	uint64_t parent;		/* message this one is about; 0: none */
	struct wall expires;		/* given up then; 0: as outbound.expire */
	unsigned flags;			/* enum envelope_flags */
	bool is_clear;			/* tagged: came in clear text */
	bool is_submission;		/* complete From, Message-ID and Date */
	struct address from;		/* `client'; family NONE: no host's */
	bool is_checked;		/* who sent it is asked (trust/proof.h) */
	bool is_outside;		/* fields that say they are ours are not */
};

/* What the sender wants to hear of one recipient (RFC 3461 4.1, 4.2). */
struct intake_wish {
	unsigned notify;		/* enum notify; 0: not given */
	struct str orcpt;		/* "rfc822;bob@a.example", decoded; p ==
					 * NULL: none */
};

struct intake;

/* Can mail be taken?  Not before the spool was read, after a start. */
bool intake_is_ready(const struct intake_core *);

/* Is there room for one more message?  452 4.3.1 while the disk or the queue is
 * full, 421 4.3.2 when the spool takes no more. */
struct verdict intake_has_room(const struct intake_core *,
    const struct config *);

/* Begin an envelope.  NULL: the arena is full (452 4.3.1). */
struct intake *intake_new(struct intake_core *, const struct config *,
    struct arena *, const struct intake_origin *);

/* One recipient that was judged well: expanded, routed, each mailbox once, with
 * the first wish heard for it.  NULL: no wish.  The wish is copied. */
struct verdict intake_recipient(struct intake *, const struct path *to,
    const struct intake_wish *);

/* Before a recipient: may this client send in the sender's name at all?  Asked
 * where inbound.verify.spf is refuse, and never of mail to postmaster. */
yields struct verdict intake_welcome(struct intake *, const struct path *to);

/* The envelope is complete, the content begins: takes an id and a draft.  Of mail
 * from outside, the client and the sender's domain are asked for. */
yields struct verdict intake_open(struct intake *);
/* The client's name: told by whoever began it, or found out; n == 0: none. */
struct str intake_client_name(const struct intake *);
uint64_t intake_id(const struct intake *);	/* 0 before */
bool intake_is_refused(const struct intake *);	/* intake_commit() says why */
uint64_t intake_octets(const struct intake *);	/* of the content, so far */
size_t intake_weight(const struct intake *);	/* memory beside the mail arena */

/* The next octets of the content, cut anywhere: canonical lines, not stuffed.
 * -1: it will be refused; intake_commit() says why. */
yields int intake_content(struct intake *, struct str octets);

/* Nothing comes for a while: memory that is ready for more of the content goes
 * back; what came goes to the disk unless it is little. */
yields void intake_rest(struct intake *);

/* The content is complete: keep it, or say why not. */
yields struct verdict intake_commit(struct intake *);

/* A whole message from inside, as a report: all of the above in one. */
struct intake_post {
	struct intake_origin origin;
	const struct str *recipients;	/* mailboxes */
	size_t n_recipients;
	const struct str *parts;	/* of the content */
	size_t n_parts;
};
yields struct verdict intake_post(struct intake_core *, const struct config *,
    struct arena *, const struct intake_post *, uint64_t *id);

/* Tell an event: to the sink, and as an EVENT record into the spool, once that is
 * ready. */
void intake_tell(struct intake_core *, const struct event *);

#endif
