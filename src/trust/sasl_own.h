/*
 * sasl_own.h -- what the mechanisms' files share.
 *
 * The promise: a mechanism's take takes one message, in the stage it left the
 * exchange in, and leaves it in the next.
 * Not for: anybody but trust/sasl*.c.
 * Waiting: none.
 * Memory: the exchange's arena.
 * Errors: as sasl.h.
 * Source: RFC 4422; RFC 5801 4 (gs2-header).
 */
#ifndef NM_TRUST_SASL_OWN_H
#define NM_TRUST_SASL_OWN_H

#include "trust/sasl.h"

/* SASL_BAD, SASL_REFUSED with the reason; SASL_FULL for NULL. */
enum sasl_step sasl_bad(struct sasl *, const char *why);
enum sasl_step sasl_refused(struct sasl *, const char *why);

/* A name as it is compared.  False: `why' says what it is not, NULL that the
 * arena is full. */
bool sasl_name(struct sasl *, struct str raw, struct str *out);

/* gs2-header = gs2-cb-flag "," [ "a=" saslname ] "," off the front. */
struct gs2 {
	struct str whole;		/* with its last comma */
	char flag;			/* 'n', 'y' or 'p' */
	struct str binding;		/* of 'p': the type's name */
	struct str authzid;		/* decoded; n == 0: none */
};
/* NULL, or why it is none. */
const char *gs2_take(struct arena *, struct str *message, struct gs2 *out);

/* saslname: "=2C" is a comma, "=3D" an equals sign.  False: it is none;
 * out->p == NULL: the arena is full. */
bool saslname_decode(struct arena *, struct str, struct str *out);
void saslname_encode(struct str, struct buf *out);

/* The data of a type; absent: this connection has none. */
struct str sasl_binding_data(const struct sasl_binding *, struct str type);

/* sasl_scram.c */
enum sasl_step sasl_scram_take(struct sasl *, struct str, struct buf *out);

#endif
