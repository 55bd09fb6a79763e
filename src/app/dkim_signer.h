/*
 * dkim_signer.h -- a core's way to keys of DKIM.
 *
 * The promise: a dkim_signer (trust/dkim_sign.h) that asks the keyring, and
 * remembers which keys a domain signs with until one of them signs no more, or
 * core 0 says that something changed.  A domain without any is told to core 0.
 * Not for: whether a domain should sign (policy/signing.h).
 * Waiting: its functions yield, for the keyring.
 * Memory: DKIM_REMEMBERED domains, in place.
 * Errors: -1 and the trail.
 * Source: trust/dkim_sign.h.
 */
#ifndef NM_APP_DKIM_SIGNER_H
#define NM_APP_DKIM_SIGNER_H

#include "app/keyring_link.h"
#include "trust/dkim_pair.h"

enum { DKIM_REMEMBERED = 64,
	DKIM_NONE_S = 60 };	/* that a domain without keys stays so */

struct dkim;

struct dkim_remembered {
	char domain[DKIM_DOMAIN_MOST + 1];	/* "": none */
	struct mono until;
	size_t n;
	struct dkim_key_ref keys[DKIM_KEYS_MOST];
};

struct dkim_core {
	struct dkim_signer is;
	struct dkim *dkim;
	struct keyring_link **link;	/* of this core; changes with the keyring */
	struct dkim_remembered remembered[DKIM_REMEMBERED];
	size_t turn;			/* which is forgotten next */
};

void dkim_core_init(struct dkim_core *, struct dkim *,
    struct keyring_link **link);
/* On its core: all that it knows may be otherwise now. */
void dkim_core_forget(struct dkim_core *);

/* On core 0. */
void dkim_want(struct dkim *, struct str domain);

#endif
