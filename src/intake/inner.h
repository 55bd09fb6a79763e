/*
 * inner.h -- what the files of intake/ share.
 *
 * The promise: recipients.c alone adds recipients and tells of them; author.c
 * judges From and Sender of who logged in; verify.c asks who sent what comes from
 * outside; top.c puts on top what is known at the end; the rest of a message is
 * intake.c's.
 * Not for: anybody else.
 * Waiting: those that yield.
 * Memory: the mail arena.
 * Errors: none.
 * Source: HOUSE.md 7.5.
 */
#ifndef NM_INTAKE_INNER_H
#define NM_INTAKE_INNER_H

#include "fiber/fiber.h"
#include "intake/intake.h"
#include "spool/envelope.h"
#include "wire/disposition.h"
#include "wire/header.h"

struct draft;
struct verify;

struct digest;				/* trust/digest.h */
struct proof;				/* trust/proof.h */

struct intake {
	struct intake_core *core;
	const struct config *config;
	struct arena *arena;
	struct intake_origin origin;
	struct envelope envelope;
	uint64_t *hashes;		/* of each recipient's key */
	size_t room;			/* for recipients */
	size_t asked;			/* recipients as the client gave them */
	struct str asked_first;
	struct draft *draft;
	struct verdict no;		/* DELIVERED: nothing to say against it */
	struct header_scan scan;
	struct arena scan_arena;
	struct str message_id;
	uint64_t octets;		/* of the client's content */
	bool in_body;
	struct digest *digest;		/* of the content; NULL: nobody asks */
	struct proof *proof;		/* NULL: nothing is checked */
	struct verify *verify;
	struct str results;		/* of the proof: proof_results() */
	bool is_junk;
	int seal_wish;			/* of the digest; -1: it is not sealed */
	struct str seal_domain;		/* by whom */
	struct signing {
		unsigned authors;	/* From fields */
		bool is_mixed;		/* they are of several signers, or such
					 * as nobody signs for */
		struct str domain;	/* that signs; n == 0: none */
		int wish;		/* of the digest */
		struct str by;		/* "s._domainkey.d ..." that signed */
	} signing;
};

struct verdict intake_yes(void);
struct verdict intake_no_memory(void);

/* The first reason stays.  -1. */
int intake_refuse(struct intake *, struct verdict why);

yields int intake_prepend(struct intake *, struct str octets);

/* ---- verify.c: what is asked of mail from outside ---- */

/* False: no memory. */
bool verify_begin(struct intake *);
/* Before the content. */
yields struct verdict verify_open(struct intake *);
/* Each field; is_kept: it goes into the draft.  0, or -1 and refused. */
int verify_field(struct intake *, const struct field *, bool *is_kept);
int verify_header_end(struct intake *);
/* The digest has ended: all is found out, and judged.  -1: refused. */
yields int verify_conclude(struct intake *);
/* The event `checked'. */
void verify_tell(const struct intake *);

/* ---- seal.c: an ARC set for those behind us ---- */

void seal_begin(struct intake *);	/* behind the last field */
/* When all is found out.  -1: refused. */
yields int seal_put(struct intake *);

/* ---- sign.c: our own signatures ---- */

/* Is it known who brings it, so that it may be signed at all? */
bool sign_may(const struct intake *);
/* Each field that came. */
void sign_field(struct intake *, const struct field *);
/* Fields that we have added: they are digested here.  -1: refused. */
int sign_added(struct intake *, struct str fields);
/* It cannot be digested, and leaves unsigned. */
void sign_give_up(struct intake *);
void sign_header_end(struct intake *);
/* The digest has ended, and all that is signed is known.  -1: refused. */
yields int sign_finish(struct intake *);

/* ---- author.c ---- */

/* From or Sender: does it name only whom the account may send as?  Else -1, and
 * it is refused. */
int author_judge(struct intake *, const struct field *);
/* No From was there: the one to add, or (n == 0) none; or -1, and refused. */
int author_missing(struct intake *, struct str *from);

/* A field that may be absent. */
void intake_tell_some(struct event *, enum event_field, struct str);
/* Of recipients that ended by being accepted: discarded, expanded. */
void intake_tell_ends(const struct intake *);

#endif
