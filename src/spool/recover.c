#include "spool/recover.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/disk.h"
#include "spool/apply.h"
#include "spool/fault.h"
#include "spool/own.h"
#include "spool/sidecar.h"
#include "spool/walk.h"

#include <stdlib.h>

/*
 * Segments are read in order, so outcomes are met after what they are about.
 *
 * A sealed segment is read by its sidecar; without a good one, itself, with all
 * its bodies.  The last one is read itself.  What is not whole between records is
 *	torn	when nothing says it ever was on disk: it was being written when
 *		the lights went out, nobody was told of it, nobody is told now
 *	rotten	otherwise: set aside, counted, told
 * Nothing more is written behind torn octets: that segment is then sealed, and
 * a sidecar is its last word.  What is missing at the end of a sealed segment
 * shows by the sequence with which the next one begins.
 */
enum { DAMAGES_MOST = 64 };

struct recover_damage { uint64_t from, to; enum record_fault fault; };

struct recover_walk {
	struct segment *segment;
	uint32_t slot;
	struct recover_damage damages[DAMAGES_MOST];
	size_t n_damages;
	uint64_t first_sequence;	/* 0: it has no record */
	bool is_settled;		/* all that was in it was on disk */
};

/* ---- one record ---- */

static int
recover_add_found(struct recover *r, const struct recover_walk *rw,
    const struct walk *w, uint64_t id)
{
	size_t cap = r->cap < 1024 ? 1024 : 2 * r->cap;
	struct recover_found *p;

	must(r->n <= r->cap);
	if (r->n == r->cap) {
		p = realloc(r->found, cap * sizeof *p);
		if (p == NULL)
			return err_set("no memory for the messages found");
		r->found = p;
		r->cap = cap;
	}
	r->found[r->n++] = (struct recover_found){ .id = id, .slot = rw->slot,
		.source_at = w->source_at, .is_sidecar = w->fd >= 0 };
	return 0;
}

static yields void
recover_set_aside(struct recover *r, const struct recover_walk *rw,
    uint64_t from, uint64_t to, const char *why, enum quarantine_kind kind)
{
	r->spool->stats.damaged++;
	spool_tell(r->spool, "damage", "segment %llu, octets %llu to %llu: %s",
	    (unsigned long long)rw->segment->number, (unsigned long long)from,
	    (unsigned long long)to, why);
	quarantine_put(&r->quarantine, r->spool, rw->segment, from, to, kind);
}

static yields enum spool_trouble
recover_apply(struct recover *r, const struct recover_walk *rw,
    const struct walk *w, const struct record *rec)
{
	uint64_t to = w->record_at + record_size(rec->payload_n, rec->body_n);

	(void)fault_here(FAULT_recover_record);
	switch (apply_record(r->spool, rec, rw->segment, w->record_at)) {
	case APPLY_DONE:
		break;
	case APPLY_MALFORMED:
		recover_set_aside(r, rw, w->record_at, to, "makes no sense",
		    QUARANTINE_BAD);
		return SPOOL_FINE;
	case APPLY_FOREIGN:
		err_set("segment %llu holds a record of type %u at %llu that "
		    "this version does not know",
		    (unsigned long long)rw->segment->number, rec->type,
		    (unsigned long long)w->record_at);
		return SPOOL_FOREIGN;
	case APPLY_NO_MEMORY:
		err_set("no memory for the messages in the log");
		return SPOOL_DISK;
	}
	if (rec->type != RECORD_COMMIT && rec->type != RECORD_MOVED)
		return SPOOL_FINE;
	return recover_add_found(r, rw, w, rec->id) == 0 ? SPOOL_FINE :
	    SPOOL_DISK;
}

static yields enum spool_trouble
recover_record(struct recover *r, const struct recover_walk *rw,
    const struct walk *w, const struct record *rec)
{
	uint64_t number = rw->segment->number, at = w->record_at;

	if (quarantine_is_poison(&r->quarantine, number, at))
		return SPOOL_FINE;
	if (quarantine_note(&r->quarantine, number, at))
		return recover_apply(r, rw, w, rec);
	recover_set_aside(r, rw, at, at + record_size(rec->payload_n,
	    rec->body_n), "reading it killed the server", QUARANTINE_POISON);
	return SPOOL_FINE;
}

/* ---- one segment ---- */

static void
recover_add_damage(struct recover_walk *rw, const struct scan *s)
{
	if (rw->n_damages < DAMAGES_MOST)
		rw->damages[rw->n_damages] = (struct recover_damage){
			.from = s->from, .to = s->to, .fault = s->fault };
	rw->n_damages++;
}

static yields enum walk_result
recover_walk(struct recover *r, struct recover_walk *rw, struct walk *w,
    enum spool_trouble *trouble)
{
	enum walk_result got;
	struct record rec;

	*trouble = SPOOL_FINE;
	while (*trouble == SPOOL_FINE) {
		got = walk_next(w, &rec);
		if (got == WALK_DAMAGE)
			recover_add_damage(rw, &w->scan);
		else if (got != WALK_RECORD)
			return got;
		else
			*trouble = recover_record(r, rw, w, &rec);
	}
	return WALK_END;
}

/* WALK_END when all was read (or there is trouble). */
static yields enum walk_result
recover_by_sidecar(struct recover *r, struct recover_walk *rw,
    enum spool_trouble *trouble)
{
	struct segment *s = rw->segment;
	enum walk_result got;
	size_t n = r->n;
	struct walk w;

	*trouble = SPOOL_FINE;
	got = walk_open_sidecar(&w, r->spool->path, s);
	if (got == WALK_RECORD)
		got = recover_walk(r, rw, &w, trouble);
	if (got == WALK_END) {
		s->end = s->settled = w.end;
		s->sequence = w.sequence;
		s->has_sidecar = true;
		rw->first_sequence = w.first_sequence;
	} else {
		r->n = n;		/* the segment will tell them again */
	}
	walk_close(&w);
	return got;
}

static yields void
recover_tell_damages(struct recover *r, const struct recover_walk *rw,
    uint64_t settled)
{
	for (size_t i = 0; i < rw->n_damages && i < DAMAGES_MOST; i++) {
		const struct recover_damage *d = &rw->damages[i];

		if (d->from < settled)
			recover_set_aside(r, rw, d->from, d->to,
			    record_fault_says(d->fault), QUARANTINE_BAD);
	}
	if (rw->n_damages > DAMAGES_MOST)
		r->spool->stats.damaged += rw->n_damages - DAMAGES_MOST;
}

static yields enum spool_trouble
recover_by_scan(struct recover *r, struct recover_walk *rw, uint64_t end)
{
	enum spool_trouble trouble;
	struct segment *s = rw->segment;
	enum walk_result got;
	struct walk w;

	if (walk_open(&w, s, end, true) != 0)
		return SPOOL_DISK;
	got = recover_walk(r, rw, &w, &trouble);
	if (got == WALK_END && trouble == SPOOL_FINE) {
		s->end = w.scan.from;
		s->sequence = w.scan.sequence;
		rw->first_sequence = w.scan.first_sequence;
		recover_tell_damages(r, rw, rw->is_settled ? UINT64_MAX :
		    w.scan.settled);
		s->settled = rw->is_settled ? s->end : SEGMENT_HEAD;
	}
	walk_close(&w);
	return got == WALK_END ? trouble : SPOOL_DISK;
}

/* Its header is damaged: the first record that is whole knows the salt, unless it
 * is older than the segments before: then it is what an earlier turn left. */
static yields int
recover_salt(struct recover *r, struct segment *s)
{
	struct recover_walk rw = { .segment = s };
	uint64_t at = SEGMENT_HEAD;
	struct record rec;
	struct walk w;

	recover_set_aside(r, &rw, 0, SEGMENT_HEAD, "damaged header of the segment",
	    QUARANTINE_BAD);
	if (walk_open(&w, s, SEGMENT_HEAD, false) != 0)
		return -1;
	while (at + RECORD_HEADER <= s->size && s->salt == 0) {
		if (walk_read(&w, at, &rec) == WALK_RECORD &&
		    rec.sequence > r->sequence)
			s->salt = rec.salt;
		at += RECORD_ALIGN;
	}
	walk_close(&w);
	return 0;
}

static yields enum spool_trouble
recover_segment(struct recover *r, struct recover_walk *rw)
{
	const struct super *super = &r->spool->super;
	struct segment *s = rw->segment;
	bool is_last = s == log_last(&r->spool->log);
	enum spool_trouble trouble;
	uint64_t end = s->size;

	must(s != NULL && rw->slot < r->spool->log.n);
	rw->n_damages = 0;
	rw->first_sequence = 0;
	rw->is_settled = true;
	if (s->is_header_bad && recover_salt(r, s) != 0)
		return SPOOL_DISK;
	if (super->is_clean && s->number == super->tail &&
	    super->tail_end >= SEGMENT_HEAD && super->tail_end <= s->size)
		end = super->tail_end;
	else if (!is_last) {
		enum walk_result got = recover_by_sidecar(r, rw, &trouble);

		if (got == WALK_END || trouble != SPOOL_FINE)
			return trouble;
	}
	rw->is_settled = super->is_clean || !is_last;
	return recover_by_scan(r, rw, end);
}

/* ---- the log ---- */

/* Its first records are torn: nothing is missing before it but those. */
static bool
recover_begins_torn(const struct recover_walk *rw)
{
	return rw->n_damages > 0 && rw->damages[0].from == SEGMENT_HEAD &&
	    !rw->is_settled;
}

/* Sequences have no gaps. */
static void
recover_follow(struct recover *r, const struct recover_walk *rw)
{
	struct segment *s = rw->segment;
	uint64_t next = r->sequence + 1;

	if (rw->first_sequence == 0)
		return;
	s->first_sequence = rw->first_sequence;
	r->sequence = s->sequence;
	if (rw->slot == 0 || s->first_sequence <= next)
		return;
	if (recover_begins_torn(rw)) {
		s->first_sequence = next;
		return;
	}
	r->spool->stats.damaged++;
	spool_tell(r->spool, "damage", "%llu records are missing before segment "
	    "%llu", (unsigned long long)(s->first_sequence - next),
	    (unsigned long long)s->number);
}

static yields void
recover_remove(struct spool *sp, struct segment *s)
{
	char path[SEGMENT_PATH_MOST];

	segment_path(path, sp->path, s->number, SEGMENT_LOG);
	segment_close(s);
	(void)disk_unlink(path);
}

/* Take s as the first spare; there are no gaps in the numbers, so what cannot be
 * used takes those above it along. */
static yields void
recover_add_spare(struct spool *sp, struct segment *s)
{
	bool is_good = s->size == sp->config.segment_bytes && !s->is_header_bad;

	while (sp->n_spares > 0 && (!is_good || sp->n_spares == SPARES_MOST))
		recover_remove(sp, &sp->spares[--sp->n_spares]);
	if (!is_good) {
		recover_remove(sp, s);
		return;
	}
	must(sp->n_spares < SPARES_MOST);
	memmove(sp->spares + 1, sp->spares, sp->n_spares * sizeof *sp->spares);
	s->is_sealed = false;
	s->settled = s->end;
	sp->spares[0] = *s;
	sp->n_spares++;
	s->fd = -1;
}

static yields enum spool_trouble
recover_is_empty(const struct recover *r, const struct segment *s, bool *out)
{
	const struct super *super = &r->spool->super;
	enum walk_result got;
	struct record rec;
	struct walk w;

	*out = super->is_clean && s->number > super->tail;
	if (*out)
		return SPOOL_FINE;
	if (walk_open(&w, s, s->size, false) != 0)
		return SPOOL_DISK;
	got = walk_next(&w, &rec);
	walk_close(&w);
	/* else one with a damaged header is kept: who knows what is in it */
	*out = got == WALK_END && !s->is_header_bad;
	return got == WALK_FAILED ? SPOOL_DISK : SPOOL_FINE;
}

/* Segments without a record at the end are spares. */
static yields enum spool_trouble
recover_part_spares(struct recover *r)
{
	struct spool *sp = r->spool;
	enum spool_trouble trouble;
	struct segment *s;
	bool is_empty;

	while ((s = log_last(&sp->log)) != NULL) {
		trouble = recover_is_empty(r, s, &is_empty);
		if (trouble != SPOOL_FINE || !is_empty)
			return trouble;
		(void)log_pop_last(&sp->log);
		recover_add_spare(sp, s);
		segment_free(s);
	}
	return SPOOL_FINE;
}

/* What kill -9 left in the page cache counts from now on, so it must be on disk
 * before anybody hears of it, a sidecar included. */
static yields void
recover_sync_end(struct spool *sp, struct segment *s)
{
	int rc = disk_fdatasync(s->fd);

	must(s->fd >= 0);
	if (rc == 0) {
		s->settled = s->end;
		return;
	}
	s->is_sealed = s->is_suspect = true;
	spool_device_error(sp, rc);
}

/* The last one takes more, unless torn octets stand among its records. */
static yields void
recover_open_end(struct recover *r)
{
	struct spool *sp = r->spool;
	struct segment *s = log_last(&sp->log);

	must(sp->current == NULL);
	sp->current = s;
	if (s == NULL)
		return;
	/* one with a sidecar is as that says, for good; one with torn octets gets
	 * one, or they would pass for rotten when it is not the last any more */
	s->is_sealed = s->has_junk || s->is_header_bad || s->has_sidecar;
	recover_sync_end(sp, s);
	if (s->is_sealed && !s->has_sidecar && !s->is_suspect)
		s->has_sidecar = sidecar_write(sp->path, s, true) == 0;
}

yields enum spool_trouble
recover_read(struct recover *r, struct spool *sp)
{
	enum spool_trouble trouble;
	struct recover_walk rw;

	must(sp->current == NULL && sp->n_spares == 0 && sp->index.n == 0);
	*r = (struct recover){ .spool = sp };
	quarantine_open(&r->quarantine, sp);
	trouble = recover_part_spares(r);
	for (size_t i = 0; i < sp->log.n && trouble == SPOOL_FINE; i++) {
		rw.segment = sp->log.segments[i];
		rw.slot = (uint32_t)i;
		if (rw.segment == NULL) {
			sp->stats.damaged++;
			spool_tell(sp, "damage", "segment %llu is missing",
			    (unsigned long long)(sp->log.first + i));
			continue;
		}
		trouble = recover_segment(r, &rw);
		rw.segment->has_junk = rw.n_damages > 0;
		recover_follow(r, &rw);
	}
	if (trouble != SPOOL_FINE)
		return trouble;
	quarantine_rest(&r->quarantine);
	recover_open_end(r);
	if (sp->super.is_clean && sp->super.sequence > r->sequence) {
		sp->stats.damaged++;
		spool_tell(sp, "damage", "records are missing at the end");
		r->sequence = sp->super.sequence;
	}
	sp->writer.sequence = r->sequence;
	return SPOOL_FINE;
}

yields void
recover_end(struct recover *r)
{
	quarantine_close(&r->quarantine, r->spool);
	free(r->found);
	r->found = NULL;
}
