/*
 * report_day.h -- a day's events, made into reports.
 *
 * The promise: report_day_read() counts the kept events of one UTC day, of all
 * spools; report_day_write() makes the document of a domain from what was
 * counted, and gives it away in pieces.
 * Not for: where it goes (report_where.h), sending (report_post.h).
 * Waiting: reading yields (disk); writing yields between pieces, so that a long
 * report keeps nobody waiting.
 * Memory: the tallies', and a piece; until report_day_close().
 * Errors: -1 and the trail.
 * Source: RFC 9990 3.1; RFC 8460 4.
 */
#ifndef NM_APP_REPORT_DAY_H
#define NM_APP_REPORT_DAY_H

#include "base/hash.h"
#include "deliver/dmarc_tally.h"
#include "deliver/tls_tally.h"
#include "fiber/fiber.h"
#include "policy/reporter.h"
#include "wire/report_mail.h"

enum { DAY_SECONDS = 86400 };

struct report_day {
	enum report_kind kind;
	int64_t day;			/* since 1970 */
	const struct config *conf;
	const struct reporter *by;
	struct dmarc_tally dmarc;	/* one of both is used */
	struct tls_tally tls;
	struct arena arena;
	size_t n;			/* domains, those with most first */
	struct tally_domain **dmarc_domains;
	struct tls_tally_domain **tls_domains;
};

struct report_sink {
	yields int (*piece)(struct report_sink *, struct str);
};

/* What came to reporter or reports.inbox is left out: reports are not reported. */
yields int report_day_read(struct report_day *, enum report_kind, int64_t day,
    const struct config *, const struct reporter *, struct hash_key);
void report_day_close(struct report_day *);

struct str report_day_name(const struct report_day *, size_t i);
uint64_t report_day_count(const struct report_day *, size_t i);
size_t report_day_rows(const struct report_day *, size_t i);
/* Where a domain stands; n: nowhere. */
size_t report_day_find(const struct report_day *, struct str domain);

/* "2026-11-20.a.example@mx.example"; the same whenever it is made. */
struct str report_day_id(const struct report_day *, size_t i,
    const struct reporter *, struct arena *);

/* What is published, for the head of a report of DMARC. */
yields int report_day_write(struct report_day *, size_t i,
    const struct reporter *, struct report_sink *);

/* "2026-11-20"; the day of such a text, or -1. */
struct day_text { char text[16]; };
struct day_text day_print(int64_t day);
int64_t day_parse(struct str);

#endif
