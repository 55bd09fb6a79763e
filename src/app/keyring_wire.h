/*
 * keyring_wire.h -- what a core asks of the keyring, and hears.
 *
 * The promise: frames of fixed size with magic and version, one reply to each
 * request, by its number; each side takes the other for hostile.
 * Not for: the keys, which never travel.
 * Waiting: none.
 * Memory: values.
 * Errors: frame_is_sound() on either side.
 * Source: DESIGN.md section 7.
 */
#ifndef NM_APP_KEYRING_WIRE_H
#define NM_APP_KEYRING_WIRE_H

#include "fiber/tls_key.h"

enum { KEYRING_MAGIC = 0x4e4d4b31, KEYRING_VERSION = 1,	/* "NMK1" */
	KEYRING_INPUT = 4096 };

struct keyring_request {
	uint32_t magic;
	uint16_t version, scheme;	/* enum tls_scheme */
	uint64_t key;			/* certificate_key_id() */
	uint32_t number;
	uint32_t length;		/* of input */
	char digest[TLS_DIGEST_MOST];	/* a C string */
	char input[KEYRING_INPUT];
};

struct keyring_reply {
	uint32_t magic;
	uint16_t version, status;	/* 0: signed */
	uint32_t number;
	uint32_t length;		/* of signature */
	char signature[TLS_SIGNATURE_MOST];
};

#endif
