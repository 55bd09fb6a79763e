/*
 * A small spool with records of every type, and a file of it that is flipped or
 * cut at one octet: in the heads and payloads of records, the superblock, the
 * sidecar and the head of the segment each bit in turn, elsewhere one bit.
 *
 * Laws, for each octet:
 *	(1) the spool opens, and closes
 *	(2) a message none of whose records was touched is as it was: told once, or
 *	    ended as before; held, or not; with its own octets, to the last one
 *	(3) one that was touched has its own octets, or is known to be damaged,
 *	    or is gone: never others'
 *	(4) a record that was touched is told of, and set aside; `spool check' finds
 *	    it.  Where a sidecar knows it too, opening looks at bodies only, and
 *	    then either all is as it was, or the body is known to be damaged
 *	(5) opened once more, all is as the first time
 *
 * The seeds 1 to FEW share the octets that mean something, 1 to FAR the rest:
 * bodies, and a sample of what is empty.  So CHECK_MODE=long sees them all; else
 * of the bodies each THIN-th octet of a seed's share is enough.
 */
#include "scenario.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/disk.h"
#include "spool/body.h"
#include "spool/check.h"
#include "spool/draft.h"
#include "spool/outcome.h"
#include "spool/record.h"
#include "spool/segment.h"
#include "spool/tail.h"

#include <stdio.h>
#include <stdlib.h>

#define PATH "/spool"

enum {
	FEW = 200, FAR = 500, EMPTY_STEP = 512, THIN = 4,
	SEGMENT = 256 << 10, MESSAGES = 16, FILES = 8,
	RECORDS_MOST = 400, ROOM = 8192, PROJECTION = 2, DEAD = 60
};

/* ---- what is kept ---- */

struct message {
	uint64_t id, size;
	unsigned rcpts, left;		/* left: 0 when it has ended */
	bool is_held;
};

static struct ledger {
	struct message messages[MESSAGES];
	/* what a look found */
	enum spool_trouble trouble;
	uint64_t damaged, check_damaged;
	size_t set_aside;		/* files in quarantine */
	struct { unsigned told; size_t left; bool is_held; int64_t body; }
	    seen[MESSAGES];
} *ledger;

static const struct message plan[MESSAGES] = {
	{ .size = 3000, .rcpts = 2, .left = 1, .is_held = true },
	{ .size = 60000, .rcpts = 1, .left = 1 },
	{ .size = 100000, .rcpts = 1, .left = 1 },	/* with CHUNKs */
	{ .size = 60000, .rcpts = 2, .left = 2 },
	{ .size = 20, .rcpts = 1, .left = 1 },
	{ .size = 300, .rcpts = 1, .left = 1 },		/* ATTEMPT */
	{ .size = 40, .rcpts = 1, .left = 1 },		/* HOLD, RELEASE */
	{ .size = 10, .rcpts = 1, .left = 1 },		/* RESCHEDULE */
	{ .size = 50, .rcpts = 3, .left = 0 },		/* CANCEL */
	{ .size = 60, .rcpts = 1, .left = 0 },		/* OUTCOME */
	{ .size = 70, .rcpts = 3, .left = 2 },		/* OUTCOME */
	{ .size = 80, .rcpts = 2, .left = 1 },		/* EXPAND */
	{ .size = 90, .rcpts = 1, .left = 1, .is_held = true },
	{ .size = 0, .rcpts = 1, .left = 1 },
	{ .size = 700, .rcpts = 40, .left = 39 },	/* bits elsewhere */
	{ .size = 33, .rcpts = 1, .left = 1 },
};

static char
octet(size_t number, uint64_t i)
{
	return (char)('!' + (number * 31 + i * 7 + i / 127) % 90);
}

static struct spool_config
config(void)
{
	return (struct spool_config){ .path = PATH, .node = 1, .number = 1,
		.segment_bytes = SEGMENT, .reserve_bytes = 64 << 10 };
}

static yields uint64_t
keep(struct spool *sp, size_t number, uint64_t size, size_t rcpts)
{
	struct envelope e = { .sender = STR("a@example.com"),
		.arrived = clock_wall(), .n_rcpts = rcpts };
	enum draft_trouble trouble = DRAFT_FINE;
	struct arena a;
	struct draft *d;
	uint64_t id;
	char c;

	arena_init(&a, 1 << 20);
	e.rcpts = arena_alloc(&a, rcpts * sizeof *e.rcpts);
	must(e.rcpts != NULL);
	for (size_t i = 0; i < rcpts; i++)
		e.rcpts[i] = (struct recipient){ .address = STR("b@a.test"),
			.parent = RECIPIENT_NO_PARENT };
	d = draft_open(sp, &a, &trouble);
	must(d != NULL);
	id = draft_id(d);
	for (uint64_t i = 0; i < size && trouble == DRAFT_FINE; i++) {
		c = octet(number, i);
		trouble = draft_append(d, (struct str){ &c, 1 });
	}
	must(trouble == DRAFT_FINE && draft_commit(d, &e) == DRAFT_FINE);
	arena_clear(&a);
	return id;
}

static yields void
end(struct spool *sp, uint64_t id, uint32_t rcpt, enum outcome_kind kind)
{
	struct outcome o = { .recipient = rcpt, .kind = kind, .code = 250,
		.text = STR("2.0.0 OK") };

	must(spool_outcome(sp, id, &o, 1) == 0);
}

static yields void
plan_keep(struct spool *sp, size_t i)
{
	struct message *m = &ledger->messages[i];

	*m = plan[i];
	m->id = keep(sp, i, m->size, m->rcpts);
}

static yields void
mark(struct spool *sp, struct tail *t, struct tail_place *at)
{
	struct record r;

	while (tail_next(t, &r, at) == 1)
		continue;
	must(spool_mark(sp, PROJECTION, *at) == 0);
}

/* What became of each, as the plan says. */
static yields void
changes_write(struct spool *sp)
{
	const struct message *m = ledger->messages;
	struct attempt t = { .attempts = 2, .due = clock_wall(), .code = 451,
		.text = STR("4.2.0 later") };
	struct event e = event_make(EVENT_queued, clock_wall(), m[4].id);

	must(spool_attempt(sp, m[5].id, &t) == 0);
	must(spool_hold(sp, m[6].id, STR("a while")) == 0);
	must(spool_release(sp, m[6].id) == 0);
	must(spool_reschedule(sp, m[7].id, clock_wall()) == 0);
	must(spool_cancel(sp, m[8].id, STR("no")) == 0);
	end(sp, m[9].id, 0, OUTCOME_DELIVERED);
	end(sp, m[10].id, 1, OUTCOME_FAILED);
	end(sp, m[11].id, 0, OUTCOME_EXPANDED);
	must(spool_hold(sp, m[12].id, STR("look")) == 0);
	end(sp, m[14].id, 39, OUTCOME_DELIVERED);
	event_str(&e, FIELD_sender, STR("a@example.com"));
	spool_event(sp, &e);
}

/* The first one is moved out of a segment full of dead ones (MOVED); the next
 * fill one, which is sealed and gets a sidecar; the others are in the last. */
static yields void
fill(void *arg)
{
	struct spool_config c = config();
	struct tail_place at = { 0, 0 };
	struct spool *sp;
	struct tail *t;

	(void)arg;
	must(spool_open(&c, &sp) == SPOOL_FINE);
	spool_projection(sp, PROJECTION);
	must(spool_recover(sp, NULL, NULL) == SPOOL_FINE);
	t = tail_open(sp, at, TAIL_OF(RECORD_COMMIT));
	must(t != NULL);
	plan_keep(sp, 0);
	end(sp, ledger->messages[0].id, 1, OUTCOME_DELIVERED);
	must(spool_hold(sp, ledger->messages[0].id, STR("look")) == 0);
	for (size_t i = 0; i < DEAD; i++)
		end(sp, keep(sp, 99, 5000, 1), 0, OUTCOME_DELIVERED);
	mark(sp, t, &at);
	fiber_sleep(mono_add(clock_mono(), 60 * NS_PER_SECOND));
	must(spool_stats(sp).compacted == 1);
	for (size_t i = 1; i < MESSAGES; i++)
		plan_keep(sp, i);
	changes_write(sp);
	mark(sp, t, &at);
	tail_close(t);
	fiber_sleep(mono_add(clock_mono(), 10 * NS_PER_SECOND));
	must(spool_stats(sp).segments == 2);
	must(spool_close(sp) == SPOOL_FINE);
}

/* ---- looking ---- */

static size_t
number_of(uint64_t id)
{
	for (size_t i = 0; i < MESSAGES; i++)
		if (ledger->messages[i].id == id)
			return i;
	return MESSAGES;
}

static yields void
told_one(void *arg, const struct kept *k, const struct envelope *e)
{
	size_t i = number_of(e->id);

	(void)arg;
	if (i == MESSAGES)
		return;			/* one of the dead, without its end */
	ledger->seen[i].told++;
	ledger->seen[i].left = kept_left(k);
	ledger->seen[i].is_held = kept_is_held(k);
	must(e->n_rcpts == ledger->messages[i].rcpts);
}

/* 1: its own octets; 0: gone; or what body_read() says. */
static yields int64_t
body_look(struct spool *sp, size_t i)
{
	const struct message *m = &ledger->messages[i];
	uint64_t at = 0;
	struct body b;
	struct pin p;
	int64_t n;
	char *room;

	if (!spool_pin(sp, m->id, &p))
		return 0;
	room = malloc(ROOM);
	must(room != NULL);
	body_open(&b, &p);
	while ((n = body_read(&b, room, ROOM)) > 0)
		for (int64_t k = 0; k < n; k++)
			must(room[k] == octet(i, at++));	/* (3) */
	spool_unpin(&p);
	free(room);
	must(n < 0 || at == m->size);
	return n < 0 ? n : 1;
}

static void
check_line(struct check *c, struct str line)
{
	must(c != NULL && line.n > 0);
}

static yields void
check(void *arg)
{
	struct check c = { .line = check_line };

	(void)arg;
	ledger->trouble = spool_check(PATH, &c);
	ledger->check_damaged = c.damaged;
}

static yields void
look(void *arg)
{
	struct spool_config c = config();
	struct spool *sp;
	struct str *names;
	struct arena a;

	(void)arg;
	memset(ledger->seen, 0, sizeof ledger->seen);
	ledger->set_aside = 0;
	ledger->trouble = spool_open(&c, &sp);
	if (ledger->trouble != SPOOL_FINE)
		return;
	spool_projection(sp, PROJECTION);
	ledger->trouble = spool_recover(sp, told_one, NULL);
	if (ledger->trouble == SPOOL_FINE)
		for (size_t i = 0; i < MESSAGES; i++)
			ledger->seen[i].body = body_look(sp, i);
	ledger->damaged = spool_stats(sp).damaged;
	arena_init(&a, 1 << 20);
	if (disk_list(PATH "/quarantine", &a, &names, &ledger->set_aside) != 0)
		err_clear();
	arena_clear(&a);
	if (spool_close(sp) != SPOOL_FINE)
		ledger->trouble = SPOOL_DISK;
}

static void
live(void *arg)
{
	yields void (*fn)(void *) = *(yields void (**)(void *))arg;

	must(core_run_all(1, fn, NULL) == 0);
}

static bool
lives(yields void (*fn)(void *))
{
	return sim_life(live, &fn) == SIM_ENDED;
}

/* ---- the files as they were ---- */

struct part {				/* a record */
	uint64_t from, to;
	uint64_t padded;		/* what follows means nothing up to here */
	uint64_t body;			/* from here on it is a body */
	uint64_t id;			/* 0: of no message */
};

struct file {
	char path[SEGMENT_PATH_MOST];
	struct str bytes;
	bool is_log, has_sidecar;
	size_t n;
	struct part parts[RECORDS_MOST];
};

static struct {
	struct arena arena;
	size_t n;
	struct file files[FILES];
	struct message messages[MESSAGES];
} good;

static void
records_find(struct file *f)
{
	uint64_t at = SEGMENT_HEAD, to, salt;
	struct record r;

	memcpy(&salt, f->bytes.p + 24, sizeof salt);	/* segment.c */
	while (record_read(str_sub(f->bytes, at, f->bytes.n), &r) ==
	    RECORD_WHOLE && r.salt == salt) {
		to = at + RECORD_HEADER + r.payload_n + r.body_n;
		must(f->n < RECORDS_MOST);
		f->parts[f->n++] = (struct part){ .from = at, .to = to,
			.padded = at + record_size(r.payload_n, r.body_n),
			.body = at + RECORD_HEADER + r.payload_n, .id = r.id };
		at = f->parts[f->n - 1].padded;
	}
}

static bool
file_add(const char *path, bool is_log)
{
	struct file *f = &good.files[good.n];
	struct str bytes = sim_disk_get(path, &good.arena);

	if (bytes.p == NULL)
		return false;
	must(good.n < FILES);
	good.n++;
	*f = (struct file){ .bytes = bytes, .is_log = is_log };
	snprintf(f->path, sizeof f->path, "%s", path);
	if (is_log)
		records_find(f);
	return true;
}

static bool
world_make(void)
{
	char path[SEGMENT_PATH_MOST];
	struct file *log;

	ledger = sim_ledger(sizeof *ledger);
	if (!lives(fill))
		return false;
	arena_init(&good.arena, 64 << 20);
	must(file_add(PATH "/superblock", false));
	for (uint64_t number = 1; number < FILES; number++) {
		segment_path(path, PATH, number, SEGMENT_LOG);
		if (!file_add(path, true))
			continue;
		segment_path(path, PATH, number, SEGMENT_SIDECAR);
		log = &good.files[good.n - 1];
		log->has_sidecar = file_add(path, false);
	}
	memcpy(good.messages, ledger->messages, sizeof good.messages);
	must(good.n >= 4 && good.files[1].has_sidecar);
	must(good.files[1].n > 3 && good.files[3].n > 15);
	return true;
}

static void
world_restore(uint64_t seed, const struct file *but, struct str bytes)
{
	sim_begin(seed);
	ledger = sim_ledger(sizeof *ledger);
	memcpy(ledger->messages, good.messages, sizeof good.messages);
	for (size_t i = 0; i < good.n; i++)
		sim_disk_put(good.files[i].path, &good.files[i] == but ?
		    bytes : good.files[i].bytes);
}

/* ---- the laws ---- */

struct hurt {
	const struct file *file;
	uint64_t from, to;
	bool is_cut;
	bool touches_record;		/* not only what means nothing */
	bool touches[MESSAGES];
};

static void
hurt_part(struct hurt *h, const struct part *p)
{
	size_t i = number_of(p->id);
	/* a record without its padding is not whole, were that all it lacks */
	uint64_t end = h->is_cut ? p->padded : p->to;

	if (h->from >= end || h->to <= p->from)
		return;
	h->touches_record = true;
	if (i < MESSAGES)
		h->touches[i] = true;
}

static struct hurt
hurt_make(const struct file *f, uint64_t from, uint64_t to, bool is_cut)
{
	struct hurt h = { .file = f, .from = from, .to = to,
		.is_cut = is_cut };

	for (size_t i = 0; i < f->n; i++)
		hurt_part(&h, &f->parts[i]);
	return h;
}

static bool
broken(const struct hurt *h, const char *what)
{
	fprintf(stderr, "%s %s at %ju: %s\n", h->file->path,
	    h->is_cut ? "cut" : "changed", (uintmax_t)h->from, what);
	return false;
}

static bool
message_law(const struct hurt *h, size_t i, bool is_touched)
{
	const struct message *m = &ledger->messages[i];

	if (ledger->seen[i].told > 1)
		return broken(h, "a message is told twice");
	if (is_touched)
		return ledger->seen[i].body != BODY_FAILED ? true :
		    broken(h, "a body cannot be read");
	if (ledger->seen[i].told != (m->left > 0))
		return broken(h, m->left > 0 ? "another message is lost" :
		    "another message is back");
	if (m->left == 0)
		return true;
	if (ledger->seen[i].left != m->left ||
	    ledger->seen[i].is_held != m->is_held)
		return broken(h, "another message's state has changed");
	return ledger->seen[i].body == 1 ? true :
	    broken(h, "another message's body is damaged");
}

/* (4) */
static bool
damage_law(const struct hurt *h)
{
	if (!h->touches_record)
		return true;
	if (!h->is_cut && ledger->damaged > 0)
		return ledger->set_aside > 0 ? true :
		    broken(h, "nothing is set aside");
	if (ledger->damaged > 0)
		return true;
	if (!h->file->has_sidecar)
		return broken(h, "nobody is told");
	for (size_t i = 0; i < MESSAGES; i++)
		if (ledger->seen[i].body != BODY_DAMAGED &&
		    !message_law(h, i, false))
			return false;
	return true;
}

static bool
laws(const struct hurt *h, bool is_first)
{
	if (ledger->trouble != SPOOL_FINE)
		return broken(h, "the spool does not open");	/* (1) */
	for (size_t i = 0; i < MESSAGES; i++)			/* (2), (3) */
		if (!message_law(h, i, h->touches[i]))
			return false;
	return !is_first || damage_law(h);
}

static bool
hurt_try(const struct hurt *h, uint64_t seed, struct str bytes, bool is_few)
{
	world_restore(seed, h->file, bytes);
	if (is_few && (!lives(check) || ledger->trouble != SPOOL_FINE))
		return broken(h, "it cannot be checked");
	if (is_few && h->touches_record && ledger->check_damaged == 0)
		return broken(h, "the check finds nothing");
	if (!lives(look))
		return broken(h, "it dies");
	if (!laws(h, true))
		return false;
	if (!is_few || h->from % 8 != 0)
		return true;
	if (!lives(look))
		return broken(h, "it dies the second time");
	return laws(h, false);					/* (5) */
}

/* ---- each octet ---- */

static bool
cut_try(const struct file *f, uint64_t at, uint64_t seed, bool is_few)
{
	struct hurt h = hurt_make(f, at, f->bytes.n, true);

	return hurt_try(&h, seed, str_sub(f->bytes, 0, at), is_few);
}

static bool
flip_try(const struct file *f, uint64_t at, unsigned bit, uint64_t seed,
    bool is_few)
{
	struct hurt h = hurt_make(f, at, at + 1, false);
	char *changed = malloc(f->bytes.n);
	bool is_well;

	must(changed != NULL);
	memcpy(changed, f->bytes.p, f->bytes.n);
	changed[at] = (char)(changed[at] ^ (char)(1u << bit));
	is_well = hurt_try(&h, seed, (struct str){ changed, f->bytes.n },
	    is_few);
	free(changed);
	return is_well;
}

enum sort { SORT_FEW, SORT_FAR, SORT_EMPTY };

static enum sort
octet_sort(const struct file *f, uint64_t at)
{
	if (!f->is_log)
		return f->bytes.p[at] != '\0' ? SORT_FEW : SORT_EMPTY;
	if (at < SEGMENT_HEAD)
		return at < 64 ? SORT_FEW : SORT_EMPTY;
	for (size_t i = 0; i < f->n; i++)
		if (at >= f->parts[i].from && at < f->parts[i].padded)
			return at < f->parts[i].body ? SORT_FEW : SORT_FAR;
	return SORT_EMPTY;
}

static bool
octet_try(const struct file *f, uint64_t at, uint64_t seed, bool is_few)
{
	unsigned bits = is_few ? 8 : 1;
	unsigned first = is_few ? 0 : (unsigned)(at % 8);

	for (unsigned i = 0; i < bits; i++)
		if (!flip_try(f, at, first + i, seed, is_few))
			return false;
	return cut_try(f, at, seed, is_few);
}

static bool
file_try(const struct file *f, uint64_t seed)
{
	bool is_whole = str_eq(str_of(getenv("CHECK_MODE")), STR("long"));
	uint64_t few = 0, far = 0, step = is_whole ? FAR : FAR * THIN;
	bool is_ours;

	for (uint64_t at = 0; at < f->bytes.n; at++) {
		enum sort sort = octet_sort(f, at);

		if (sort == SORT_EMPTY && at % EMPTY_STEP != seed % EMPTY_STEP)
			continue;
		is_ours = sort == SORT_FEW ? few++ % FEW == seed - 1 :
		    far++ % step == (seed - 1) % step;
		if (is_ours && !octet_try(f, at, seed, sort == SORT_FEW))
			return false;
	}
	return true;
}

static bool
octets_run(uint64_t seed)
{
	bool is_well;

	good.n = 0;
	if (!world_make())
		return false;
	is_well = true;
	for (size_t i = 0; i < good.n && is_well; i++)
		is_well = file_try(&good.files[i], seed);
	arena_clear(&good.arena);
	return is_well;
}

const struct scenario scenario_octets = { .name = "octets",
	.percent = 10, .run = octets_run };
