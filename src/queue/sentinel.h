/*
 * sentinel.h -- do many hosts fail in one way?
 *
 * The promise: each way in which a connection to another server breaks is a
 * class, told apart by its words; a class knows how many hosts failed so and
 * since when.  sentinel_note() says when that is worth telling: when
 * SENTINEL_HOSTS hosts are in it, and again at each doubling.  A host that is
 * well again leaves all classes; a class that is silent for a day is forgotten.
 * It is also remembered which hosts offered STARTTLS.
 * Not for: deciding whether or how to try a host (liar.h, queue/).
 * Waiting: none.
 * Memory: struct sentinel is its owner's, one on each core, and begins as {0}.
 * SENTINEL_CLASSES classes, the quietest gives way; of each at most
 * SENTINEL_KNOWN hosts are told apart, and of those that offered STARTTLS
 * SENTINEL_OFFERED.
 * Errors: none.
 * Source: golang/go issue 70232, where a class of senders failed for weeks and
 * was found by chance.
 */
#ifndef NM_QUEUE_SENTINEL_H
#define NM_QUEUE_SENTINEL_H

#include "base/instant.h"
#include "base/str.h"

enum { SENTINEL_CLASSES = 24, SENTINEL_WORDS = 120, SENTINEL_KNOWN = 256,
	SENTINEL_HOSTS = 5, SENTINEL_OFFERED = 2048, SENTINEL_HOURS = 24 };

struct sentinel_class {
	char words[SENTINEL_WORDS];	/* "": a free place */
	struct wall since;		/* its first host failed */
	struct mono last;
	uint64_t failures;
	unsigned n;			/* hosts */
	unsigned told;			/* at how many */
	uint64_t hosts[SENTINEL_KNOWN];	/* hashes */
};

struct sentinel {
	struct sentinel_class classes[SENTINEL_CLASSES];
	uint64_t offered[SENTINEL_OFFERED];	/* by hash; 0: nobody */
};

/* host: a hash of its name, not 0.  The class when it is to be told, or NULL. */
const struct sentinel_class *sentinel_note(struct sentinel *, struct mono now,
    struct wall, struct str words, uint64_t host);
/* Nothing was the matter with it. */
void sentinel_well(struct sentinel *, uint64_t host);

/* Does a host offer STARTTLS?  True: it did, and does not any more. */
bool sentinel_offer(struct sentinel *, uint64_t host, bool offers);

/* What has a host in it, one after the other; *at begins as 0. */
const struct sentinel_class *sentinel_next(const struct sentinel *,
    struct mono now, size_t *at);

#endif
