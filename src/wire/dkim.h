/*
 * dkim.h -- the letters of DKIM: signatures, and records of keys.
 *
 * The promise: dkim_signature_read() and dkim_record_read() take what RFC 6376,
 * 8301, 8463 and 8616 allow, or say what is wrong with it; what was read can be
 * checked.  Domains come as A-labels in lower case, whichever way they were
 * written.  Tags that nobody knows are passed over.
 * Not for: asking for keys and checking (trust/dkim_key.h, dkim_verify.h).
 * Waiting: none.
 * Memory: slices of the input, and what had to be decoded in the arena.
 * Errors: the sentence that says what is wrong, or NULL.
 * Source: RFC 6376 3.5, 3.6.1, 6.1.1, 6.1.2; RFC 8301 3; RFC 8463 3, 4; RFC 8616
 * 5; RFC 8617 4.1.2, 4.1.3 (the same tags in ARC's fields).
 */
#ifndef NM_WIRE_DKIM_H
#define NM_WIRE_DKIM_H

#include "base/arena.h"
#include "wire/canon.h"

/* RFC 8601 2.7.1 */
enum dkim_result {
	DKIM_NONE, DKIM_PASS, DKIM_FAIL, DKIM_POLICY, DKIM_NEUTRAL,
	DKIM_TEMPERROR, DKIM_PERMERROR
};
const char *dkim_result_name(enum dkim_result);		/* "temperror" */

enum dkim_algorithm { DKIM_RSA_SHA256, DKIM_ED25519_SHA256, DKIM_RSA_SHA1 };
const char *dkim_algorithm_name(enum dkim_algorithm);	/* "rsa-sha256" */

/* ---- signatures ---- */

enum {
	DKIM_HASH = 32,			/* octets of a SHA-256 */
	DKIM_SIGNATURE_MOST = 1024,	/* octets: of RSA with 8192 bits */
	DKIM_B_SHOWN = 8		/* characters of header.b */
};

/* Which field it is: all have a, b, d, s and t. */
enum dkim_field {
	DKIM_SIGNATURE,			/* DKIM-Signature: v, bh, h, c, i, l, q, x */
	DKIM_ARC_MESSAGE,		/* ARC-Message-Signature: bh, h, c; i= is
					 * the instance */
	DKIM_ARC_SEAL			/* ARC-Seal: cv; i= is the instance */
};

struct dkim_signature {
	struct str domain, selector;	/* d=, s= */
	struct str identity;		/* i=, or "@" d=; of DKIM_SIGNATURE only */
	struct str identity_domain;
	unsigned instance;		/* i= of ARC: 1 to 50 */
	struct str cv;			/* of DKIM_ARC_SEAL */
	enum dkim_algorithm algorithm;
	enum canon header, body;
	struct str names;		/* h=, as written */
	struct str b;			/* the first characters of b= */
	struct str signature;		/* octets of b= */
	unsigned char hash[DKIM_HASH];	/* of bh=; zeros with rsa-sha1 */
	int64_t length;			/* l=; -1: all */
	int64_t signed_at, expires_at;	/* t=, x= in seconds; -1: none */
};

/* value: behind the field's colon.  NULL: *out is all of it; else it has what
 * could be read of d=, s=, i=, a= and b= for people. */
const char *dkim_signature_read(struct str value, enum dkim_field,
    struct arena *, struct dkim_signature *out);

/* Is that name (ASCII, any case) in the list of names? */
bool dkim_names_have(struct str names, struct str name);

/* ---- records of keys ---- */

struct dkim_record {
	enum dkim_key_type { DKIM_KEY_RSA, DKIM_KEY_ED25519, DKIM_KEY_OTHER }
	    type;			/* k= */
	struct str key;			/* octets of p=; n == 0: revoked */
	bool takes_sha256;		/* h= has it, or is not there */
	bool is_for_mail;		/* s= has it, or is not there */
	bool is_testing;		/* t=y */
	bool is_strict;			/* t=s: i= is in d= itself */
};

/* text: the strings of a TXT, joined. */
const char *dkim_record_read(struct str text, struct arena *,
    struct dkim_record *out);

#endif
