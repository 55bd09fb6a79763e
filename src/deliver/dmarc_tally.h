/*
 * dmarc_tally.h -- what aggregate reports of a day are made of, counted.
 *
 * The promise: dmarc_tally_take() counts an event `checked' of a message whose
 * author's domain asks for aggregate reports, under the domain that has the
 * record and in the row of all that are alike (source, disposition and why,
 * alignment, identifiers, results).  When memory is used up, the half of the rows
 * with the fewest messages goes, and each domain knows how many of its messages
 * were in them.
 * Not for: reading the kept events (store/eventread.h), sending (app/report_post.h).
 * Waiting: none.
 * Memory: two arenas of `memory' octets, of which one is empty but while rows go;
 * until dmarc_tally_clear().
 * Errors: -1: no memory from the machine; the tally is still good.
 * Source: RFC 9990 3.1, 3.1.2, 3.1.3, 3.3; RFC 8601 2.2.
 */
#ifndef NM_DELIVER_DMARC_TALLY_H
#define NM_DELIVER_DMARC_TALLY_H

#include "base/arena.h"
#include "base/event.h"
#include "base/hash.h"
#include "base/table.h"
#include "wire/dmarc_report.h"

enum { DMARC_TALLY_LEAST = 256 * 1024,	/* of memory */
	DMARC_TALLY_MOST = 32 * 1024 * 1024 };

struct tally_domain {
	struct table_node node;
	struct str name;		/* A-labels, lower case */
	struct str record;		/* the last that was seen */
	char *record_at;		/* where it is, and what room is there */
	size_t record_room;
	uint64_t messages;		/* in all, since the tally knows of it */
	uint64_t lost;			/* of these, in rows that are gone */
	size_t n_rows;
	struct tally_row *rows;
	bool is_late;			/* domains had gone before it came */
};

struct tally_row {
	struct table_node node;
	struct tally_row *next;		/* of the same domain */
	struct tally_domain *domain;
	uint64_t count;
	struct str key;			/* all that is alike: dmarc_tally.c */
};

struct dmarc_tally {
	struct hash_key key;
	size_t memory;
	struct arena arenas[2], scratch;
	unsigned now;			/* the arena in use */
	struct table domains, rows;
	uint64_t lost;			/* messages in domains that are gone */
	bool has_lost_domains;
};

/* memory: at least DMARC_TALLY_LEAST. */
void dmarc_tally_init(struct dmarc_tally *, struct hash_key, size_t memory);
void dmarc_tally_clear(struct dmarc_tally *);

/* Other events are passed over. */
int dmarc_tally_take(struct dmarc_tally *, const struct event *);

/* Those with most messages first, then by name; in the arena.  NULL: no memory,
 * or *n is 0. */
struct tally_domain **dmarc_tally_domains(const struct dmarc_tally *,
    struct arena *, size_t *n);
/* The same of a domain's rows. */
struct tally_row **dmarc_tally_rows(const struct tally_domain *,
    struct arena *);
struct tally_domain *dmarc_tally_find(const struct dmarc_tally *,
    struct str domain);

/* What stands in a row.  False: no memory. */
bool dmarc_tally_record(const struct tally_row *, struct arena *,
    struct dmarc_report_record *out);
/* What is said of messages that are not in the report; STR_NONE: all are. */
struct str dmarc_tally_error(const struct tally_domain *, struct arena *);

#endif
