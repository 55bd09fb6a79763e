/*
 * porter_wire.h -- the packets between a worker and the porter.
 *
 * The promise: both sides are one binary; each checks magic, version and
 * lengths and believes nothing else.
 * Not for: anything longer than addresses: the message goes as a descriptor.
 * Waiting: none.
 * Memory: values.
 * Errors: none here.
 * Source: app/porter.c has the format and the life of a request.
 */
#ifndef NM_DELIVER_PORTER_WIRE_H
#define NM_DELIVER_PORTER_WIRE_H

#include <stdint.h>

enum { PORTER_MAGIC = 0x324d4e50, PORTER_VERSION = 3, PORTER_MAILBOX = 320,
	PORTER_TARGET = 1024, PORTER_TEXT = 480 };

struct porter_request {
	uint32_t magic;
	uint16_t version;
	uint16_t length;		/* of mailbox; at least 1 */
	uint16_t sender_length, orig_length, target_length;
	uint16_t is_junk;		/* 1: for the Junk folder; else 0 */
	uint64_t size;			/* octets of the message */
	char mailbox[PORTER_MAILBOX];	/* "local@domain", of the envelope */
	char sender[PORTER_MAILBOX];	/* none: the null sender */
	char orig[PORTER_MAILBOX];	/* as the client gave it; none: same */
	char target[PORTER_TARGET];	/* of the alias `mailbox'; or none */
};

/* What came of it. */
enum porter_end {
	PORTER_TROUBLE,			/* status: errno; text: what is wrong */
	PORTER_KEPT,			/* text: the name of the file */
	PORTER_EXITED,			/* status: its exit status; text: its words */
	PORTER_KILLED,			/* status: the signal; text: its words */
	PORTER_OVERTIME,		/* killed by us; text: its words */
	PORTER_UNFIT,			/* text: why no command can take it */
	PORTER_REPORT,			/* a report: `form' octets of its rows stand
					 * behind the message (report_form.h);
					 * status: enum report_kind */
	PORTER_NO_REPORT,		/* nothing in it is meant to be one */
	PORTER_REFUSED,			/* text: what is wrong with the report */
	PORTER_ENDS
};

struct porter_reply {
	uint32_t magic;
	uint16_t version;
	uint16_t end;			/* enum porter_end */
	uint16_t status;
	uint16_t length;		/* of text */
	uint32_t form;			/* octets; REPORT */
	char text[PORTER_TEXT];
};

#endif
