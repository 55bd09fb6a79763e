/*
 * analysis.h -- a message taken apart: its hops, and who answers for it now.
 *
 * The promise: fed with a message in pieces, whatever is in it, it has the hops
 * of the trace fields, the results that others left, and a proof made anew as the
 * server's door would have made it.  The client that the proof is about is the one
 * a caller names, else the one in the newest Received field whose client is not
 * one of `trusted'; the sender, else what Return-Path says.
 * Not for: words (analysis_show.h) and rules (analysis_check.h).
 * Waiting: analysis_end() yields, for the DNS.
 * Memory: the arena: the header twice, ANALYSIS_ARENA at most; nothing of the
 * body.
 * Errors: false: no memory.  A header beyond HEADER_OCTETS_MOST is cut there
 * (is_cut), and nothing is proved.
 * Source: RFC 5321 4.4; RFC 5322 3.6; RFC 8601 4; SECURITY.md rows 28, 32.
 */
#ifndef NM_CLI_ANALYSIS_H
#define NM_CLI_ANALYSIS_H

#include "fiber/fiber.h"
#include "policy/config.h"
#include "trust/digest.h"
#include "trust/proof.h"
#include "wire/received.h"

enum {
	ANALYSIS_ARENA = 8 * 1024 * 1024,
	ANALYSIS_HOPS = HEADER_HOPS_MOST,	/* that are kept */
	ANALYSIS_TOLD = 100		/* fields of results that are kept */
};

struct analysis_hop {
	struct received_read read;
	bool has_delay;
	int64_t delay;			/* seconds since the hop below */
	bool is_private;		/* TLS, by what the field says */
};

/* What the caller knows better than the message. */
struct analysis_wish {
	struct str ip, helo, from;	/* p == NULL: not said; from: "" is the
					 * null sender */
	struct str hostname;		/* ours; n == 0: not known */
	const struct conf_networks *trusted;	/* whose hops are ours */
};

struct analysis {
	struct arena *arena;
	struct analysis_wish wish;
	struct digest *digest;
	struct proof *proof;
	struct proof_ask ask;
	const struct analysis_hop *client_hop;	/* NULL: none is it */
	bool knows_client, knows_sender;
	struct analysis_hop *hops;	/* 0: the topmost */
	size_t n_hops;
	size_t *told;			/* fields: Authentication-Results, ARC's,
					 * Received-SPF */
	size_t n_told;

	/* How it is written. */
	struct header_scan scan;
	struct arena scan_arena;
	bool in_body, is_cut, has_no_memory;
	unsigned count[HEADER_NAMES];
	uint64_t octets, header_octets, longest_line, line;
};

bool analysis_begin(struct analysis *, struct arena *,
    const struct analysis_wish *);
/* The next octets, with CRLF at the ends of lines. */
void analysis_feed(struct analysis *, struct str octets);
yields bool analysis_end(struct analysis *);
void analysis_clear(struct analysis *);

/* The first (topmost) field of that name, as digest_value(); p == NULL: none. */
struct str analysis_field(const struct analysis *, const char *name);
/* Its number, from `from' on; digest_fields() when there is none. */
size_t analysis_find(const struct analysis *, const char *name, size_t from);

#endif
