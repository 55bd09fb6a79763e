/*
 * address.h -- mailboxes and paths of the envelope.
 *
 * The promise: what is accepted is a Mailbox by the strict grammar of RFC 5321
 * 4.1.2 and 4.1.3, within its lengths (local part 64, domain 255, path 256
 * octets): dot-string or quoted-string, LDH domain or IPv4 or IPv6 literal; no
 * comments, no white space, nothing obsolete.  '%' and '!' are plain characters
 * and a source route is stripped, never followed.  UTF-8 only when asked for.
 * Not for: addresses in header fields (addrlist.h), IP addresses (fiber/net.h).
 * Waiting: none.
 * Memory: slices of the input.
 * Errors: NULL is success; otherwise the refusal to reply with.
 * Source: RFC 5321 4.1.1.3, 4.1.2, 4.1.3, 4.5.3.1, appendix C; RFC 6531 3.3;
 * RFC 5890 2.3 (A-labels).
 */
#ifndef NM_WIRE_ADDRESS_H
#define NM_WIRE_ADDRESS_H

#include "base/buf.h"
#include "wire/refusal.h"

enum {
	LOCAL_MOST = 64,
	DOMAIN_MOST = 255,
	PATH_MOST = 256,
	LABEL_MOST = 63,
	/* A mailbox printed: every octet of the local part may need a \. */
	MAILBOX_TEXT = 2 * LOCAL_MOST + DOMAIN_MOST + 4
};

/* What besides RFC 5321 is let in. */
enum {
	MAILBOX_STRICT = 0,
	MAILBOX_UTF8 = 1		/* RFC 6531: U-labels and UTF-8 atoms */
};

struct mailbox {
	struct str text;	/* as written, "local@domain" */
	struct str local;	/* between the quotes when quoted, \ and all */
	struct str domain;	/* with its brackets when a literal; p == NULL in
				 * <Postmaster> */
	bool quoted, domain_is_literal, has_utf8;
};

struct path {
	struct mailbox mailbox;
	struct str route;		/* "@a,@b" that was stripped */
	bool is_null;			/* <> */
	bool is_postmaster;		/* <Postmaster>, any case, no domain */
};

/* The whole of text is a mailbox. */
const struct refusal *mailbox_parse(struct str text, unsigned flags,
    struct mailbox *out);

/* A path off the front of *s, with or without < >; `bare' ones end at a space.
 * The reverse path may be null, the forward path may be <Postmaster>. */
const struct refusal *path_take_reverse(struct str *s, unsigned flags,
    struct path *out);
const struct refusal *path_take_forward(struct str *s, unsigned flags,
    struct path *out);

/* The local part without quotes and backslashes. */
void mailbox_local(const struct mailbox *, struct buf *out);
/* What stands behind the last @ of a mailbox's text; without one, nothing. */
struct str mailbox_domain(struct str text);
/* The form to compare by: mailbox_local() "@" domain in lower case.  (RFC 5321
 * 2.4: the local part keeps its case; whoever hosts it may fold it.) */
void mailbox_key(const struct mailbox *, struct buf *out);
/* As it goes on the wire, quoted only where the grammar needs it.  `local' is
 * without quotes; domain may be empty. */
void mailbox_print(struct str local, struct str domain, struct buf *out);

/* The argument of HELO and EHLO, and host names of peers. */
enum host_kind {
	HOST_BAD,		/* empty, control characters, spaces, too long */
	HOST_LOOSE,		/* no domain by RFC 5321, as "my_pc" is not */
	HOST_DOMAIN,
	HOST_LITERAL
};
enum host_kind host_parse(struct str, unsigned flags);

bool domain_is_valid(struct str, unsigned flags);	/* no literal */

/* "[192.0.2.1]" or "[IPv6:2001:db8::1]" into 4 or 16 octets: how many, or 0. */
size_t literal_parse(struct str, unsigned char ip[16]);
/* From an address as text, without or with brackets by need. */
void literal_print(struct str ip, struct buf *out);

#endif
