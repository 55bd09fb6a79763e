/*
 * record.h -- one record of the log, as bytes.
 *
 * The promise: what record_seal() wrote, record_read() reads back, or says why
 * not; no byte of header, payload or body can change unseen (three CRC-32C).
 * Nothing is believed before its sum was checked, and no length leads outside
 * the bytes given.
 * Not for: files and places (segment.h), or walking over damage (scan.h).
 * Waiting: none.
 * Memory: none; payload and body are slices of the bytes read.
 * Errors: enum record_fault.
 * Source: DESIGN.md section 5; SECURITY.md B6.  The bytes stand in record.c.
 */
#ifndef NM_SPOOL_RECORD_H
#define NM_SPOOL_RECORD_H

#include "base/str.h"

enum record_type {
#define RECORD(name, number, says) RECORD_##name = number,
#include "spool/record.def"
#undef RECORD
};

enum {
	RECORD_HEADER = 56,		/* bytes */
	RECORD_ALIGN = 8,		/* records begin at multiples of it */
	RECORD_PAYLOAD_MOST = 4 << 20,
	RECORD_BODY_MOST = 64 << 10
};

enum record_flags {
	RECORD_MUST = 1,		/* who does not know the type must stop */
	RECORD_BODILESS = 2		/* a sidecar's copy: the body is elsewhere */
};

struct record {
	uint8_t type, version;
	uint16_t flags;
	uint32_t payload_n, body_n;	/* bytes */
	uint64_t salt;			/* of the segment */
	uint64_t sequence;		/* of the spool: rises by every record */
	uint64_t id;			/* the message; 0: none */
	uint32_t payload_sum, body_sum;
	uint32_t settled;		/* what of this segment was surely on disk
					 * when this was written, in RECORD_ALIGN */
	struct str payload, body;	/* p == NULL: not read */
};

enum record_fault {
	RECORD_WHOLE = 0,
	RECORD_NONE,		/* no magic here */
	RECORD_SHORT,		/* the bytes end before the record does */
	RECORD_BAD_HEADER, RECORD_BAD_PAYLOAD, RECORD_BAD_BODY,
	RECORD_STALE		/* of another segment or an older turn */
};

/* What a record takes on disk, with its padding. */
uint64_t record_size(uint32_t payload_n, uint32_t body_n);

/* Write the header of r, whose sums are set, to `to' (RECORD_HEADER bytes). */
void record_seal(const struct record *, char *to);

/* The header alone: RECORD_WHOLE, _NONE, _SHORT or _BAD_HEADER. */
enum record_fault record_read_header(struct str bytes, struct record *out);
/* Header and payload; the body's length is known but its bytes are not read. */
enum record_fault record_read_payload(struct str bytes, struct record *out);
/* All of it. */
enum record_fault record_read(struct str bytes, struct record *out);

/* "COMMIT"; NULL for a number that is no type of ours. */
const char *record_type_name(uint8_t type);
const char *record_fault_says(enum record_fault);

#endif
