/*
 * dmarc_report.h -- aggregate reports: what is in one, and how it is written.
 *
 * The promise: dmarc_report_begin(), _record() for each and _end() write a
 * document that is well-formed XML whatever the texts are, and that RFC 9990's
 * schema accepts: elements in its order, words of its lists.  What XML cannot
 * hold (control characters, what is no UTF-8) becomes U+FFFD; TAB, CR and LF a
 * space.
 * Not for: reading (dmarc_report_read.h), nor for deciding what is told.
 * Waiting: none.
 * Memory: slices; the writer's go to the caller's buffer, at most
 * DMARC_REPORT_PIECE of it for a head, or for a record whose texts have together
 * DMARC_REPORT_TEXTS octets and DMARC_REPORT_SIGNATURES signatures at most.
 * Errors: `full' of the buffer.  A word that may not stand in its place is a
 * bug of the caller's: dmarc_report_fits() says before.
 * Source: RFC 9990 3.1, Appendix A; XML 1.0 2.2, 2.4.
 */
#ifndef NM_WIRE_DMARC_REPORT_H
#define NM_WIRE_DMARC_REPORT_H

#include "base/buf.h"

enum { DMARC_REPORT_SIGNATURES = 100, DMARC_REPORT_REASONS = 8,
	DMARC_REPORT_TEXTS = 16 * 1024, DMARC_REPORT_PIECE = 160 * 1024 };

#define DMARC_REPORT_NAMESPACE "urn:ietf:params:xml:ns:dmarc-2.0"

/* 0: the report does not say. */
enum report_word {
	REPORT_ABSENT,
#define REPORT_WORD(name, places) REPORT_##name,
#include "wire/dmarc_report.def"
#undef REPORT_WORD
	REPORT_WORDS
};

/* Where a word may stand; those of RFC 7489 besides, which are only read. */
enum report_place {
	REPORT_IN_POLICY = 1 << 0,	/* p, sp, np */
	REPORT_IN_ACTION = 1 << 1,	/* disposition */
	REPORT_IN_ALIGNED = 1 << 2,	/* policy_evaluated's dkim, spf */
	REPORT_IN_ALIGNMENT = 1 << 3,	/* adkim, aspf */
	REPORT_IN_OVERRIDE = 1 << 4,	/* reason's type */
	REPORT_IN_DKIM = 1 << 5,	/* auth_results' result */
	REPORT_IN_SPF = 1 << 6,
	REPORT_IN_SCOPE = 1 << 7,
	REPORT_IN_METHOD = 1 << 8,	/* discovery_method */
	REPORT_IN_TESTING = 1 << 9,
	REPORT_IN_OVERRIDE_OLD = 1 << 10,
	REPORT_IN_SCOPE_OLD = 1 << 11
};

/* Texts that are absent have p == NULL. */
struct dmarc_report {
	struct str org_name, email;
	struct str extra_contact_info;	/* or absent */
	struct str report_id;
	int64_t begin, end;		/* seconds since 1970 */
	struct str error, generator;	/* or absent */
	/* policy_published */
	struct str domain;
	enum report_word discovery_method;
	enum report_word p, sp, np;	/* p is there */
	enum report_word adkim, aspf, testing;
	struct str fo;
};

struct dmarc_report_reason {
	enum report_word type;
	struct str comment;
};

struct dmarc_report_dkim {
	struct str domain, selector;	/* reports before RFC 9990: no selector */
	enum report_word result;
	struct str human_result;
};

struct dmarc_report_spf {
	struct str domain;
	enum report_word scope, result;
	struct str human_result;
};

struct dmarc_report_record {
	struct str source_ip;
	uint64_t count;
	enum report_word disposition;
	enum report_word dkim_aligned, spf_aligned;
	const struct dmarc_report_reason *reasons;
	size_t n_reasons;
	struct str header_from;
	struct str envelope_from;	/* empty: the null reverse-path */
	struct str envelope_to;
	const struct dmarc_report_dkim *dkim;
	size_t n_dkim;
	const struct dmarc_report_spf *spf;	/* NULL: was not asked */
};

const char *report_word_name(enum report_word);
/* REPORT_ABSENT: no such word in these places (enum report_place, ORed). */
enum report_word report_word_of(struct str, unsigned places);
bool dmarc_report_fits(enum report_word, unsigned places);

void dmarc_report_begin(struct buf *, const struct dmarc_report *);
void dmarc_report_record(struct buf *, const struct dmarc_report_record *);
void dmarc_report_end(struct buf *);

#endif
