/*
 * keyring_sign.h -- is this what such a key signs?
 *
 * The promise: keyring_is_handshake() is true only for octets of the exact form
 * that a server signs in TLS 1.3 or, by (EC)DHE, in TLS 1.2: no certificate,
 * request, JWS or mail has it.  keyring_is_dkim() is true only for the relaxed
 * fields of a header, the last of which is the signature that DKIM or ARC make of
 * it, still without b=, and names this domain, selector and algorithm; a
 * DKIM-Signature covers From and all of the body.
 * Not for: whether the handshake, or the mail, is a good one.
 * Waiting: none.
 * Memory: none.
 * Errors: false.
 * Source: RFC 8446 4.4.3; RFC 8422 5.4; RFC 5246 7.4.3; RFC 6376 3.4.2, 3.5,
 * 3.7, 5.4; RFC 8617 4.1, 5.1.1.
 */
#ifndef NM_APP_KEYRING_SIGN_H
#define NM_APP_KEYRING_SIGN_H

#include "wire/dkim.h"

bool keyring_is_handshake(struct str input);
bool keyring_is_dkim(struct str input, struct str domain, struct str selector,
    enum dkim_algorithm);

#endif
