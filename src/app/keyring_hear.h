/*
 * keyring_hear.h -- the requests of one core, off its socket.
 *
 * The promise: what a core has asked by now is answered in its order, and what was
 * asked at once is answered at once: eight replies are one send, so that those who
 * wait wake together, and are kept together (spool/writer.h).  A request alone is
 * answered alone, and waits for no other.
 * Not for: what the answers are (keyring_answer.h), or who is heard when
 * (keyring.c).
 * Waiting: blocks for the rest of a request that has begun, and for who does not
 * take his answers; each core has a keyring's whole trust in this.
 * Memory: one static buffer; nothing is left in it between two calls.
 * Errors: false: the core is gone, or talks nonsense, and is to be forgotten.
 * Source: DESIGN.md section 7; keyring_wire.h.
 */
#ifndef NM_APP_KEYRING_HEAR_H
#define NM_APP_KEYRING_HEAR_H

#include "app/keyring_answer.h"

/* The socket is readable. */
bool keyring_hear(struct keyring *, int fd);

#endif
