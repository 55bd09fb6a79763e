/*
 * acme_talk.h -- a conversation with an authority.
 *
 * The promise: after acme_talk_open() the directory is read and the account is
 * known: made if there was none, found again if there was; a change of its key
 * that was cut short is brought to one end or the other.  Each request is signed
 * by the keyring, with a fresh nonce; a nonce that the authority does not like is
 * followed by another.
 * Not for: which certificates (acme.h), or how one is got (acme_order.h).
 * Waiting: all but acme_talk_init() yield; acme_talk_wait() ends early when
 * *is_ending.
 * Memory: the caller's arena.
 * Errors: -1 and the trail, in words with what to do; what the authority
 * complained of is in problem, how long it wants peace in retry_s.
 * Source: RFC 8555 6.2-6.7, 7.1-7.3; RFC 9773 4.1.
 */
#ifndef NM_APP_ACME_TALK_H
#define NM_APP_ACME_TALK_H

#include "app/keyring_link.h"
#include "fiber/fetch.h"
#include "policy/config.h"
#include "trust/acme.h"

enum { ACME_NONCE_MOST = 512, ACME_ANSWER_MOST = 32 * 1024,
	ACME_CHAIN_MOST = 64 * 1024, ACME_MEMORY = 16 * 1024 * 1024 };

struct acme_talk {
	const struct config *config;
	struct keyring_link *link;
	struct arena *arena;
	const bool *is_ending;
	struct acme_directory directory;
	uint64_t key;			/* the account's, in the keyring */
	struct str jwk, account;	/* account: its URL */
	char nonce[ACME_NONCE_MOST];	/* "": none */
	struct acme_problem problem;	/* of the last refusal */
	int64_t retry_s;		/* it asked for; 0: it did not */
};

struct acme_reply {
	unsigned status;
	struct str body, location;
	int64_t retry_s;
	struct fetch_answer raw;
};

void acme_talk_init(struct acme_talk *, const struct config *,
    struct keyring_link *, struct arena *, const bool *is_ending);
yields int acme_talk_open(struct acme_talk *);

/* payload.p == NULL: POST-as-GET. */
yields int acme_talk_post(struct acme_talk *, struct str url, struct str payload,
    size_t most, struct acme_reply *);
/* Without a signature, as for the directory. */
yields int acme_talk_get(struct acme_talk *, struct str url, size_t most,
    struct acme_reply *);
/* The account's key becomes another (7.3.5). */
yields int acme_talk_roll(struct acme_talk *);
/* 0, or -1 when the server ends. */
yields int acme_talk_wait(struct acme_talk *, int64_t seconds);

#endif
