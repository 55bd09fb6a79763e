/*
 * keyring_wire.h -- what a core asks of the keyring, and hears.
 *
 * The promise: a frame is a head of fixed size with magic and version, and a
 * body of fields, each a length and its octets; one reply to each request, by
 * its number; each side takes the other for hostile.
 * Not for: the keys, which never travel.
 * Waiting: none.
 * Memory: values; fields are slices of the body.
 * Errors: false.
 * Source: DESIGN.md section 7.
 */
#ifndef NM_APP_KEYRING_WIRE_H
#define NM_APP_KEYRING_WIRE_H

#include "base/buf.h"

enum { KEYRING_MAGIC = 0x4e4d4b32, KEYRING_VERSION = 3,	/* "NMK2" */
	KEYRING_ASK_MOST = 384 * 1024,	/* octets of a request's body: a header
				 * section, and its signature */
	KEYRING_TELL_MOST = 14 * 1024,	/* of a reply's: fits a stream's buffer */
	KEYRING_FIELDS_MOST = 104 };

enum keyring_op {
#define OP(name, says) KEYRING_##name,
#include "app/keyring_op.def"
#undef OP
	KEYRING_OPS
};

/* Certificates that it gets by ACME: a key of each kind. */
enum keyring_kind { KEYRING_ECDSA, KEYRING_RSA, KEYRING_KINDS };
/* The account's key, and the one that is to follow it. */
enum keyring_which { KEYRING_CURRENT, KEYRING_NEXT, KEYRING_NEXT_IF_THERE };
/* Where a shown certificate comes from. */
enum keyring_source { KEYRING_FILE, KEYRING_ACME, KEYRING_SELF };

struct keyring_frame {
	uint32_t magic;
	uint16_t version;
	uint16_t what;			/* the op; of a reply: 0 done, 1 not */
	uint64_t key;			/* its id */
	uint32_t number;
	uint32_t length;		/* of the body */
};

/* The next field off the front; false when there is none, whole. */
bool keyring_field(struct str *body, struct str *out);
/* A field of eight octets, as this machine has numbers. */
bool keyring_number(struct str *body, uint64_t *out);
/* A field of one octet below n. */
bool keyring_choice(struct str *body, unsigned n, unsigned *out);
void keyring_put(struct buf *, struct str);

#endif
