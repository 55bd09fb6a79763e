/*
 * dmarc_sources.h -- who sends with a domain, summed up from others' reports.
 *
 * The promise: rows of aggregate reports are added to the source they are about;
 * dmarc_sources_know() finds which are this machine's and what the DNS calls the
 * largest; dmarc_sources_sort() puts those of one name, or one network, together,
 * largest first.
 * Not for: reading reports; the server.
 * Waiting: dmarc_sources_know() blocks, at most SOURCES_SECONDS.
 * Memory: all in the arena given.
 * Errors: false: no memory.  A name that is not found is absent.
 * Source: RFC 9990 3.1; RFC 8601 2.7.3 (iprev: the name must lead back).
 */
#ifndef NM_CLI_DMARC_SOURCES_H
#define NM_CLI_DMARC_SOURCES_H

#include "base/arena.h"
#include "policy/config.h"

#include <stdint.h>

enum { SOURCES_MOST = 4096, SOURCES_NAMED = 50, SOURCES_SECONDS = 8 };

struct dmarc_source {
	struct str source;		/* as reported */
	struct address address;		/* family NONE: it is none */
	struct str name;		/* proven; n == 0: none */
	struct str group;		/* "example.net", "192.0.2.0/24" */
	bool is_ours;
	uint64_t n, pass, dkim, spf;	/* messages; aligned ones */
	uint64_t quarantined, rejected, forwarded;
	uint64_t group_n;
	struct str other;		/* a domain that passed, but is not aligned;
					 * n == 0: none */
	struct str broken;		/* a signature of the domain that fails */
};

struct dmarc_sources {
	struct arena *arena;
	size_t n;
	struct dmarc_source *list;
	uint64_t left_out;		/* messages of sources beyond the most */
};

/* One row, as store/report.def has it. */
struct dmarc_row {
	struct str source, disposition, dkim, spf, reason, results;
	uint64_t count;
};

bool dmarc_sources_begin(struct dmarc_sources *, struct arena *);
bool dmarc_sources_add(struct dmarc_sources *, const struct dmarc_row *,
    struct str domain);
/* config: NULL: not known. */
void dmarc_sources_know(struct dmarc_sources *, const struct config *);
void dmarc_sources_sort(struct dmarc_sources *);

#endif
