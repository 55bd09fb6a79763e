/*
 * command.h -- one SMTP command line, taken apart.
 *
 * The promise: a line (without its CRLF) becomes a verb of verbs.def and its
 * argument, or the refusal to reply with.  Verbs in any case; NUL, control
 * characters and 8-bit octets never get past command_parse().  Parameters of
 * MAIL and RCPT are read by params.def: each at most once, each value checked.
 * Not for: reading lines (fiber/stream.h) or deciding what is allowed when
 * (smtp/server.c).
 * Waiting: none.
 * Memory: slices of the line; copy what must outlive it.
 * Errors: NULL is success; otherwise the refusal to reply with.
 * Source: RFC 5321 4.1.1, 4.1.2, 4.5.3.1.4; RFC 1870, 6152, 3461, 6531;
 * SECURITY.md rows 3, 19, 20, 35.
 */
#ifndef NM_WIRE_COMMAND_H
#define NM_WIRE_COMMAND_H

#include "base/notify.h"
#include "wire/address.h"

enum {
	COMMAND_MOST = 510,		/* RFC 5321 4.5.3.1.4, without CRLF */
	COMMAND_HARD_MOST = 2048,	/* with all extensions' allowances */
	COMMAND_AUTH_MOST = 12288,	/* RFC 4954 4 */
	COMMAND_SKIP_MOST = 65536	/* a longer line ends the session */
};

enum verb {
#define VERB(name, kind, says) VERB_##name,
#include "wire/verbs.def"
#undef VERB
	VERBS,
	VERB_UNKNOWN = VERBS
};

enum verb_kind {
	VERB_CORE,		/* RFC 5321 */
	VERB_EXTENSION,		/* 502 unless the server offers it */
	VERB_FOREIGN		/* another protocol: 421 and close */
};

struct command {
	enum verb verb;
	enum verb_kind kind;
	struct str word;	/* the verb as sent */
	struct str arg;		/* what follows it, spaces trimmed */
};

/* Refuses CONTROL, EIGHT_BIT (unless flags has MAILBOX_UTF8), BAD_UTF8,
 * NO_COMMAND, UNKNOWN_VERB and FOREIGN; *out is filled in as far as it goes.
 * VERB_EXTENSION is not refused: the server knows what it offers. */
const struct refusal *command_parse(struct str line, unsigned flags,
    struct command *out);
const char *verb_name(enum verb);		/* "?" for VERB_UNKNOWN */
const char *verb_help(enum verb);

/* Do these first octets of a connection speak TLS or HTTP?  (SECURITY.md row
 * 35.)  command_parse() refuses the same lines with FOREIGN. */
bool command_is_foreign(struct str first_octets);

/* ---- parameters of MAIL and RCPT ---- */

enum param {
#define PARAM(name, keyword, verb, form) PARAM_##name,
#include "wire/params.def"
#undef PARAM
	PARAMS
};

#define PARAM_BIT(name) (UINT32_C(1) << PARAM_##name)

enum body_kind { BODY_NONE, BODY_7BIT, BODY_8BITMIME, BODY_BINARYMIME };

struct mail_params {
	struct path from;
	uint32_t given;			/* PARAM_BITs */
	struct str raw[PARAMS];		/* values as written */
	uint64_t size;			/* 0: not said */
	enum body_kind body;
	enum ret_kind ret;
	bool smtputf8;
};

struct rcpt_params {
	struct path to;
	uint32_t given;
	struct str raw[PARAMS];
	unsigned notify;
};

/* The arguments of MAIL ("FROM:<a@b> SIZE=1") and RCPT.  `offered' holds the
 * PARAM_BITs that this server announced; others are UNKNOWN_PARAM.  A space
 * after the colon is let by, as old clients send it.  Addresses may be UTF-8
 * when MAIL itself says SMTPUTF8, or for RCPT when flags say so. */
const struct refusal *mail_parse(struct str arg, uint32_t offered,
    struct mail_params *out);
const struct refusal *rcpt_parse(struct str arg, uint32_t offered,
    unsigned flags, struct rcpt_params *out);

#endif
