/*
 * porter_wire.h -- the packets between a worker and the porter.
 *
 * The promise: both sides are one binary; each checks magic, version and
 * lengths and believes nothing else.
 * Not for: anything longer than a mailbox's name: the message goes as a
 * descriptor.
 * Waiting: none.
 * Memory: values.
 * Errors: none here.
 * Source: app/porter.c has the format and the life of a request.
 */
#ifndef NM_DELIVER_PORTER_WIRE_H
#define NM_DELIVER_PORTER_WIRE_H

#include <stdint.h>

enum { PORTER_MAGIC = 0x314d4e50, PORTER_VERSION = 1, PORTER_MAILBOX = 320,
	PORTER_TEXT = 480 };

struct porter_request {
	uint32_t magic;
	uint16_t version, length;
	uint64_t size;			/* octets of the message */
	char mailbox[PORTER_MAILBOX];
};

struct porter_reply {
	uint32_t magic;
	uint16_t version;
	uint16_t error;			/* errno; 0: delivered */
	char text[PORTER_TEXT];		/* the file's name, or what is wrong */
};

#endif
