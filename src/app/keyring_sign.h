/*
 * keyring_sign.h -- is this what a handshake of TLS signs?
 *
 * The promise: true only for octets of the exact form that a server signs in TLS
 * 1.3 or, by (EC)DHE, in TLS 1.2: no certificate, request, JWS or mail has it.
 * Not for: whether the handshake is a good one.
 * Waiting: none.
 * Memory: none.
 * Errors: false.
 * Source: RFC 8446 4.4.3; RFC 8422 5.4; RFC 5246 7.4.3.
 */
#ifndef NM_APP_KEYRING_SIGN_H
#define NM_APP_KEYRING_SIGN_H

#include "base/str.h"

bool keyring_is_handshake(struct str input);

#endif
