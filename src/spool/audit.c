#include "spool/audit.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "spool/look.h"
#include "spool/record.h"
#include "spool/spool.h"
#include "spool/walk.h"

#include <errno.h>

/* A segment may lose its name between the list and the look. */
enum { LOOKS_MOST = 5, DAMAGES_MOST = 64 };

/* Damaged places of one segment. */
struct damages {
	struct { uint64_t at; enum record_fault fault; } list[DAMAGES_MOST];
	size_t n;			/* found */
};

struct auditing {
	struct audit *audit;
	struct look look;
	struct ledger ledger;
	uint64_t sequence;		/* of the last record */
	const struct segment *before;	/* read up to before_end; or NULL */
	uint64_t before_end;
};

static void
audit_breach(struct ledger *l, uint64_t segment, uint64_t at, struct str text)
{
	struct auditing *a = l->owner;

	a->audit->tell(a->audit, segment, at, text);
}

static void
audit_damage(struct auditing *a, uint64_t segment, uint64_t at,
    const char *what)
{
	a->audit->damaged++;
	a->audit->tell(a->audit, segment, at, str_of(what));
}

static enum spool_trouble
audit_take(struct auditing *a, const struct record *r,
    const struct segment *s, uint64_t at)
{
	a->audit->records++;
	a->sequence = r->sequence;
	switch (ledger_take(&a->ledger, r, s->number, at)) {
	case LEDGER_FINE:
		return SPOOL_FINE;
	case LEDGER_MALFORMED:
		audit_damage(a, s->number, at, "the record makes no sense");
		return SPOOL_FINE;
	case LEDGER_FOREIGN:
		err_set("a record of type %u, or a part of it, is not known "
		    "to this version", r->type);
		return SPOOL_FOREIGN;
	case LEDGER_NO_MEMORY:
		break;
	}
	err_set("no memory for the messages in the log");
	return SPOOL_DISK;
}

/* What was written into the segment before after it was read: all of it, as this
 * one has begun. */
static yields enum spool_trouble
audit_catch_up(struct auditing *a)
{
	enum spool_trouble trouble = SPOOL_FINE;
	const struct segment *s = a->before;
	struct record r;
	struct walk w;

	must(s != NULL && a->before_end <= s->size);
	a->before = NULL;
	if (walk_open(&w, s, s->size, false) != 0)
		return SPOOL_DISK;
	scan_init(&w.scan, s->salt, a->before_end, s->size, false);
	while (trouble == SPOOL_FINE && walk_next(&w, &r) == WALK_RECORD)
		trouble = audit_take(a, &r, s, w.record_at);
	walk_close(&w);
	return trouble;
}

static yields enum spool_trouble
audit_record(struct auditing *a, const struct record *r,
    const struct segment *s, uint64_t at)
{
	enum spool_trouble trouble = SPOOL_FINE;

	must(at >= SEGMENT_HEAD && at % RECORD_ALIGN == 0);
	if (a->before != NULL && a->audit->is_in_use)
		trouble = audit_catch_up(a);
	/* Damage within a segment was told as such. */
	if (a->before_end != 0 && r->sequence > a->sequence + 1)
		audit_damage(a, s->number, at,
		    "records are missing before this segment");
	a->before_end = 0;
	return trouble == SPOOL_FINE ? audit_take(a, r, s, at) : trouble;
}

/* Is it still the file that was listed?  A file is given a new name and a new
 * salt when the front of the log goes. */
static yields bool
audit_is_there(const struct auditing *a, const struct segment *s)
{
	struct segment now;
	int rc = segment_open(a->look.spool->path, s->number, 0, false, &now);

	segment_close(&now);
	return rc != -ENOENT && (rc != 0 || now.salt == s->salt);
}

/* Below `settled' all was on disk once; beyond is what a crash tore, which was
 * promised to nobody. */
static void
audit_damages(struct auditing *a, const struct segment *s,
    const struct damages *d, uint64_t settled)
{
	for (size_t i = 0; i < d->n && i < DAMAGES_MOST; i++)
		if (d->list[i].at < settled)
			audit_damage(a, s->number, d->list[i].at,
			    record_fault_says(d->list[i].fault));
	if (d->n > DAMAGES_MOST)
		a->audit->damaged += d->n - DAMAGES_MOST;
}

static void
damages_add(struct damages *d, const struct scan *s)
{
	if (d->n < DAMAGES_MOST) {
		d->list[d->n].at = s->from;
		d->list[d->n].fault = s->fault;
	}
	d->n++;
}

static yields enum spool_trouble
audit_walk(struct auditing *a, const struct segment *s)
{
	enum spool_trouble trouble = SPOOL_FINE;
	enum walk_result got;
	struct damages damages = { .n = 0 };
	struct record r;
	struct walk w;

	if (walk_open(&w, s, s->size, false) != 0)
		return SPOOL_DISK;
	while (trouble == SPOOL_FINE && (got = walk_next(&w, &r)) != WALK_END) {
		if (got == WALK_RECORD)
			trouble = audit_record(a, &r, s, w.record_at);
		else if (got != WALK_DAMAGE)
			trouble = SPOOL_DISK;
		else if (audit_is_there(a, s))
			damages_add(&damages, &w.scan);
		else
			break;
	}
	audit_damages(a, s, &damages, w.scan.settled);
	if (w.scan.records > 0) {
		a->before = s;
		a->before_end = w.scan.from;
	}
	walk_close(&w);
	return trouble;
}

static void
audit_forget(struct auditing *a)
{
	ledger_forget(&a->ledger);
	a->before = NULL;
	a->before_end = 0;
}

/*
 * The front that went while it was read takes everything before it along: its
 * messages have ended, or were moved on.
 */
static yields enum spool_trouble
audit_segment(struct auditing *a, const struct segment *s)
{
	enum spool_trouble trouble;
	uint64_t damaged = a->audit->damaged;

	if (a->audit->is_in_use && !audit_is_there(a, s)) {
		audit_forget(a);
		return SPOOL_FINE;
	}
	trouble = audit_walk(a, s);
	if (trouble == SPOOL_FINE && a->audit->is_in_use &&
	    !audit_is_there(a, s)) {
		audit_forget(a);
		a->audit->damaged = damaged;
	}
	return trouble;
}

static yields enum spool_trouble
audit_log(struct auditing *a)
{
	enum spool_trouble trouble = SPOOL_FINE;
	const struct log *l = &a->look.spool->log;

	must(a->look.spool->is_read_only);
	a->audit->segments += l->n;
	for (size_t i = 0; i < l->n && trouble == SPOOL_FINE; i++) {
		if (l->segments[i] == NULL)
			audit_damage(a, l->first + i, 0,
			    "the segment is missing");
		else
			trouble = audit_segment(a, l->segments[i]);
		a->audit->segments_read++;
		if (a->audit->progress != NULL)
			a->audit->progress(a->audit);
	}
	return trouble;
}

/* A clean stop wrote down which record was the last. */
static void
audit_end(struct auditing *a)
{
	const struct super *super = &a->look.spool->super;

	if (super->is_clean && super->sequence > a->sequence)
		audit_damage(a, super->tail, 0,
		    "records are missing at the end");
}

static void
totals_add(struct ledger_totals *sum, const struct ledger_totals *t)
{
	sum->messages += t->messages;
	sum->recipients += t->recipients;
	sum->queued += t->queued;
	sum->held += t->held;
	for (size_t i = 0; i < LEDGER_KINDS; i++)
		sum->ended[i] += t->ended[i];
	sum->ended_before += t->ended_before;
	sum->earlier += t->earlier;
	sum->breaches += t->breaches;
}

static yields enum spool_trouble
audit_look(struct auditing *a, const char *path)
{
	enum spool_trouble trouble;

	for (unsigned i = 0; i < LOOKS_MOST; i++) {
		trouble = look_open(&a->look, path);
		if (trouble != SPOOL_DISK)
			return trouble;
		fiber_sleep(mono_add(clock_mono(), 100 * NS_PER_MS));
	}
	return trouble;
}

/* The numbers of one spool are added to what stands there. */
yields enum spool_trouble
spool_audit(const char *path, struct audit *audit)
{
	struct auditing a = { .audit = audit };
	enum spool_trouble trouble = audit_look(&a, path);
	const struct log *l;

	must(audit->tell != NULL);
	if (trouble != SPOOL_FINE) {
		err_add("auditing spool %s", path);
		return trouble;
	}
	l = &a.look.spool->log;
	audit->is_in_use = a.look.is_in_use;
	ledger_init(&a.ledger, l->n == 0 || l->first == 1);
	a.ledger.breach = audit_breach;
	a.ledger.owner = &a;
	/* Without a segment it was cut short in its birth. */
	if (a.look.is_super_lost && l->n > 0)
		audit_damage(&a, 0, 0, "both superblocks are damaged");
	trouble = audit_log(&a);
	if (trouble == SPOOL_FINE) {
		audit_end(&a);
		ledger_end(&a.ledger);
		totals_add(&audit->totals, &a.ledger.totals);
	} else
		err_add("auditing spool %s", path);
	ledger_clear(&a.ledger);
	look_close(&a.look);
	return trouble;
}
