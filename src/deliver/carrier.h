/*
 * carrier.h -- one recipient's copy, handed to the porter.
 *
 * The promise: carrier_ask() gives the porter a descriptor with the copy and the
 * recipient's name, and turns its one answer into a verdict: a file's name, a
 * command's exit status (policy/sysexit.def), a signal, the time limit.  Without
 * an answer the message waits; it may then have been delivered.
 * Not for: writing the copy (local.c), or what the porter does (app/porter.c).
 * Waiting: yields until the porter answers: timeouts.pipe for a command.
 * Memory: the request in the arena.
 * Errors: all in the verdict.
 * Source: sysexits.h; RFC 3463.
 */
#ifndef NM_DELIVER_CARRIER_H
#define NM_DELIVER_CARRIER_H

#include "deliver/delivery.h"
#include "deliver/porter_wire.h"
#include "fiber/fiber.h"
#include "policy/config.h"
#include "wire/disposition.h"

struct carrier_copy {
	int fd;				/* the copy, and how long it is */
	uint64_t size;
	bool is_command;
};

/* A file without a name, that the porter's child can read and nobody else: its
 * descriptor, or -errno. */
yields int carrier_file(const struct config *, struct arena *);

/* For whoever judges the answer himself: true when it is sound, else *verdict
 * says what became of the question. */
yields bool carrier_hand(struct delivery *, const struct delivery_recipient *,
    const struct carrier_copy *, int64_t wait, struct arena *,
    struct porter_reply *, struct verdict *);

yields struct verdict carrier_ask(struct delivery *,
    struct delivery_recipient *, const struct carrier_copy *,
    const struct config *, struct arena *);

/* Of a mailbox that could not be written: errno, and the trail. */
struct verdict carrier_trouble(int error);
/* Of a command that ended by itself: its status, and what it said. */
struct verdict carrier_exit(unsigned status, struct str words);

#endif
