/*
 * content.h -- a message's content coming in, by DATA or by BDAT.
 *
 * The promise: whatever becomes of it, content is read to its end, so that its
 * refusal is heard and nothing of it is taken for commands; it comes at a least
 * rate, or the conversation ends.
 * Not for: anybody but DATA (content.c) and BDAT (bdat.c).
 * Waiting: what receives or replies yields.
 * Memory: none.
 * Errors: -1 when the client is gone, or too slow; a verdict for the content.
 * Source: RFC 5321 4.1.1.4, 4.5.3.2.5; SECURITY.md rows 1, 18, 21, 25.
 */
#ifndef NM_SMTP_CONTENT_H
#define NM_SMTP_CONTENT_H

#include "fiber/fiber.h"
#include "smtp/session.h"
#include "wire/disposition.h"

/* So many octets in each window, or it ends.  Time we spend ourselves is not
 * the client's. */
struct pace {
	struct mono began;
	uint64_t octets;		/* since then */
};

struct pace pace_begin(void);
/* The next octets, within the pace; take n of them, worked on since `since'. */
yields int content_peek(struct session *, struct pace *, struct str *octets);
void content_took(struct session *, struct pace *, size_t n,
    struct mono since);

/* The framing's word about it, so far. */
struct verdict content_judge(const struct session *,
    const struct data_reader *);
/* Are bare line feeds of this client forgiven? */
bool content_is_forgiven(const struct session *);

/* All of it is here: pay for it, and keep it. */
/* The envelope is complete, the content begins. */
yields struct verdict content_open(struct session *);
yields struct verdict content_commit(struct session *);
/* The client went away, or dawdled: the conversation is over. */
yields void content_lost(struct session *);
/* The message was taken, or not: say so, and end the transaction. */
yields void content_end(struct session *, const char *stage,
    const struct verdict *);

#endif
