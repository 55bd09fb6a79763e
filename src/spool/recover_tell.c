#include "base/err.h"
#include "base/id.h"
#include "base/must.h"
#include "spool/envelope.h"
#include "spool/fault.h"
#include "spool/index.h"
#include "spool/own.h"
#include "spool/record.h"
#include "spool/recover.h"
#include "spool/walk.h"

#include <stdlib.h>

/*
 * Ids rise with arrival.  Messages that were moved stand further on than their
 * neighbours in time, so a few places are kept open at once.
 */
enum { READERS = 4, ENVELOPE_MOST = 64 << 20 };

struct reader {
	struct walk walk;
	uint32_t slot;
	bool is_open, is_sidecar;
};

struct teller {
	struct recover *recover;
	struct reader readers[READERS];
	size_t next;			/* to be reused */
	struct arena arena;
};

static int
found_order(const void *a, const void *b)
{
	const struct recover_found *x = a, *y = b;

	if (x->id != y->id)
		return x->id < y->id ? -1 : 1;
	if (x->slot != y->slot)
		return x->slot < y->slot ? -1 : 1;
	return x->source_at < y->source_at ? -1 : x->source_at > y->source_at;
}

static void
reader_close(struct reader *r)
{
	if (r->is_open)
		walk_close(&r->walk);
	r->is_open = false;
}

static yields struct reader *
teller_open(struct teller *t, const struct recover_found *f)
{
	struct spool *sp = t->recover->spool;
	struct reader *r = &t->readers[t->next++ % READERS];
	const struct segment *s = sp->log.segments[f->slot];
	enum walk_result got = WALK_RECORD;

	must(f->slot < sp->log.n && s != NULL);
	reader_close(r);
	r->slot = f->slot;
	r->is_sidecar = f->is_sidecar;
	r->is_open = true;
	if (f->is_sidecar)
		got = walk_open_sidecar(&r->walk, sp->path, s);
	else if (walk_open(&r->walk, s, s->end, false) != 0)
		got = WALK_FAILED;
	if (got == WALK_RECORD)
		return r;
	reader_close(r);
	return NULL;
}

static yields struct reader *
teller_reader(struct teller *t, const struct recover_found *f)
{
	for (size_t i = 0; i < READERS; i++) {
		struct reader *r = &t->readers[i];

		if (r->is_open && r->slot == f->slot &&
		    r->is_sidecar == f->is_sidecar)
			return r;
	}
	return teller_open(t, f);
}

/* The segment itself knows, too, when what was read first cannot be read again. */
static yields int
teller_read_segment(struct teller *t, const struct recover_found *f,
    const struct kept *k, struct record *out)
{
	struct recover_found home = { .id = f->id, .slot = f->slot,
		.source_at = (uint64_t)k->at * RECORD_ALIGN };
	struct reader *r = teller_reader(t, &home);

	if (r == NULL || walk_read(&r->walk, home.source_at, out) != WALK_RECORD)
		return -1;
	return out->id == f->id ? 0 : err_set("its record is another's");
}

static yields int
teller_read(struct teller *t, const struct recover_found *f,
    const struct kept *k, struct record *out)
{
	struct reader *r = teller_reader(t, f);

	if (r != NULL && walk_read(&r->walk, f->source_at, out) == WALK_RECORD &&
	    out->id == f->id && out->payload_n == k->payload_n)
		return 0;
	return teller_read_segment(t, f, k, out);
}

static void
teller_lost(struct teller *t, const struct recover_found *f)
{
	struct spool *sp = t->recover->spool;

	sp->stats.damaged++;
	spool_tell(sp, "damage", "message %s cannot be read: %s",
	    id_print(f->id).text, err_text());
}

static yields void
teller_tell(struct teller *t, const struct recover_found *f,
    yields void (*each)(void *, const struct kept *, const struct envelope *),
    void *arg)
{
	struct spool *sp = t->recover->spool;
	struct kept *k = index_find(&sp->index, f->id);
	struct arena_mark mark = arena_mark(&t->arena);
	struct envelope e;
	struct record r;
	bool is_allowed;

	must(f->slot < sp->log.n);
	if (k == NULL || k->segment != sp->log.segments[f->slot])
		return;			/* ended, or moved on */
	/* what killed too often was set aside when it was read */
	is_allowed = quarantine_note(&t->recover->quarantine,
	    k->segment->number, (uint64_t)k->at * RECORD_ALIGN);
	must(is_allowed);
	(void)fault_here(FAULT_recover_tell);
	if (teller_read(t, f, k, &r) != 0 ||
	    envelope_decode(r.payload, &t->arena, &e) != ENVELOPE_FINE) {
		teller_lost(t, f);
	} else {
		e.id = f->id;
		each(arg, k, &e);
	}
	arena_back(&t->arena, mark);
}

yields enum spool_trouble
recover_tell(struct recover *r,
    yields void (*each)(void *, const struct kept *, const struct envelope *),
    void *arg)
{
	struct teller *t = calloc(1, sizeof *t);

	if (t == NULL) {
		err_set("no memory for telling what is kept");
		return SPOOL_DISK;
	}
	t->recover = r;
	arena_init(&t->arena, ENVELOPE_MOST);
	if (r->n > 0)
		qsort(r->found, r->n, sizeof *r->found, found_order);
	for (size_t i = 0; i < r->n; i++)
		if (i + 1 == r->n || r->found[i + 1].id != r->found[i].id)
			teller_tell(t, &r->found[i], each, arg);
	quarantine_rest(&t->recover->quarantine);
	for (size_t i = 0; i < READERS; i++)
		reader_close(&t->readers[i]);
	arena_clear(&t->arena);
	free(t);
	return SPOOL_FINE;
}
