/*
 * refusal.h -- the replies to what is not SMTP grammar, each written once.
 *
 * The promise: a grammar that refuses says which reply that is: code, enhanced
 * code and words, from refusal.def, the same to every client.
 * Not for: judgments by policy (struct verdict).
 * Waiting: none.
 * Memory: static; a refusal is never freed.
 * Errors: none.
 * Source: RFC 5321 4.2.2, 4.3.2; RFC 5248; SECURITY.md rows 3, 19, 20, 35.
 */
#ifndef NM_WIRE_REFUSAL_H
#define NM_WIRE_REFUSAL_H

#include "wire/disposition.h"

enum refusal_name {
#define REFUSAL(name, code, class, subject, detail, text) REFUSAL_##name,
#include "wire/refusal.def"
#undef REFUSAL
	REFUSALS
};

struct refusal {
	enum refusal_name name;
	short code;
	struct esc esc;
	const char *text;
};

const struct refusal *refusal_get(enum refusal_name);

#endif
