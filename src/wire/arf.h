/*
 * arf.h -- feedback reports: complaints, and failures of authentication.
 *
 * The promise: of the fields of a message/feedback-report, and of the header
 * fields of the message that it is about, what they say, on one line, without
 * comments where the grammar has them.  A field that may stand there once and
 * stands there twice makes the report malformed, and so does the lack of
 * Feedback-Type, User-Agent or Version; fields and types that are not known are
 * passed over.
 * Not for: finding the parts (report_in.h); believing what it says (RFC 5965
 * 8.2: anybody can write it).
 * Waiting: none.
 * Memory: all in the arena given; ARF_LIST of a field that may be repeated, and
 * ARF_TEXT octets of a value are kept, the rest of it is left out.
 * Errors: arf_read_end(): NULL, and arf_read_why().
 * Source: RFC 5965 3, 4; RFC 6591 3; RFC 6692 3; RFC 9991 4.
 */
#ifndef NM_WIRE_ARF_H
#define NM_WIRE_ARF_H

#include "base/arena.h"
#include "base/instant.h"
#include "wire/header.h"

enum { ARF_TEXT = 2048, ARF_LIST = 16, ARF_MEMORY = 512 * 1024 };

enum arf_name {
	ARF_OTHER,
#define ONCE(name, text) ARF_##name,
#define MANY(name, text) ARF_##name,
#include "wire/arf.def"
#undef ONCE
#undef MANY
	ARF_NAMES
};

struct arf_list { size_t n; struct str v[ARF_LIST]; };

/* Texts that were not said have p == NULL. */
struct arf {
	struct str text[ARF_NAMES];	/* of fields that stand there once */
	struct str type;		/* Feedback-Type, lower case */
	struct str auth_failure;	/* lower case: "dmarc", "bodyhash" */
	struct str delivery_result;	/* lower case: "reject" */
	struct str source_ip;		/* the address alone */
	struct str mail_from;		/* without brackets; empty: <> */
	struct str reporting_mta;	/* the name alone */
	struct wall arrived;		/* us == 0: not said */
	uint64_t incidents;		/* at least 1 */
	uint64_t source_port;		/* 0: not said */
	bool failed_dkim, failed_spf;	/* Identity-Alignment */
	struct arf_list results, rcpts, domains, uris;
	/* of the message it is about */
	struct str from, subject, message_id;	/* From: the field's value */
};

struct arf_read;

struct arf_read *arf_read_begin(struct arena *);	/* NULL: no memory */
/* A field of the report itself; one of the message's header. */
void arf_read_field(struct arf_read *, const struct field *);
void arf_read_original(struct arf_read *, const struct field *);
const struct arf *arf_read_end(struct arf_read *);
const char *arf_read_why(const struct arf_read *);

#endif
