/*
 * The spool alone: writers keep messages, deliverers read them back and write
 * what became of them, a projection follows; the world kills it or cuts its power
 * again and again, and in half of the worlds the disk fails now and then, too.
 *
 * Laws, after each life:
 *	(1) each message whose commit returned 0 is told by recovery, unless all
 *	    its recipients had ended, and its body is what was appended
 *	(2) a recipient that nobody ended has not ended
 *	(3) one that had ended before another message was given to the disk, which
 *	    then was kept, has ended still
 *	(4) nothing is told that never was; nothing is told twice
 *	(5) a projection that keeps its place with what it counts counts each
 *	    message kept once
 *	(6) in the last life all is delivered, and the log is short again
 *	(7) what never failed is found undamaged, and as long as it was made
 *
 * spool-hasty answers before the disk has: it must be caught.
 */
#include "scenario.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "spool/body.h"
#include "spool/draft.h"
#include "spool/outcome.h"
#include "spool/tail.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	WRITERS = 5, MESSAGES = 120, RCPTS_MOST = 3, LIVES_MOST = 25,
	PROJECTION = 2, SEGMENT = 256 << 10, ROOM = 8192
};

enum message_state { UNTRIED, TRIED, KEPT, REFUSED };

struct message {
	enum message_state state;
	uint64_t id;			/* of the last try */
	uint64_t size;
	unsigned rcpts;
	uint64_t ended[RCPTS_MOST];	/* by the ledger's clock; 0: not */
	unsigned counted;		/* by the projection */
};

static struct ledger {
	uint64_t clock;			/* rises by each thing done */
	uint64_t sure;			/* given to the disk then, and kept */
	struct message messages[MESSAGES];
	struct tail_place place;
	unsigned next, lives;
	bool is_last, was_bad;
} *ledger;

static struct {
	struct spool *spool;
	unsigned running;
	unsigned told[MESSAGES];
	bool is_hasty, is_disk_bad;
} life;

static struct mono
in_ms(int64_t ms)
{
	return mono_add(clock_mono(), ms * NS_PER_MS);
}

static char
octet(unsigned number, uint64_t i)
{
	return (char)('!' + (number * 31 + i * 7 + i / 127) % 90);
}

static struct message *
message_of(uint64_t id, unsigned *number)
{
	for (unsigned i = 0; i < MESSAGES; i++)
		if (ledger->messages[i].id == id) {
			*number = i;
			return &ledger->messages[i];
		}
	return NULL;
}

static bool
message_has_ended(const struct message *m)
{
	for (unsigned i = 0; i < m->rcpts; i++)
		if (m->ended[i] == 0)
			return false;
	return true;
}

/* ---- laws ---- */

static yields void
body_is_right(const struct message *m, unsigned number)
{
	char *room = malloc(ROOM);	/* each fiber has its own */
	struct body b;
	struct pin p;
	uint64_t at = 0;
	int64_t n;

	must(room != NULL);
	if (!spool_pin(life.spool, m->id, &p)) {
		free(room);
		return;
	}
	body_open(&b, &p);
	while ((n = body_read(&b, room, ROOM)) > 0)
		for (int64_t i = 0; i < n; i++)
			must(room[i] == octet(number, at++));
	spool_unpin(&p);
	free(room);
	must(n == 0 ? at == m->size : life.is_disk_bad && n == BODY_FAILED);
}

static yields void
told_one(void *arg, const struct kept *k, const struct envelope *e)
{
	unsigned number;
	struct message *m = message_of(e->id, &number);

	(void)arg;
	must(m != NULL);					/* (4) */
	must(life.told[number]++ == 0);
	must(e->n_rcpts == m->rcpts && e->size == m->size);
	if (m->state == TRIED || m->state == REFUSED)
		m->state = KEPT;	/* the answer was lost, it counts */
	for (unsigned i = 0; i < m->rcpts; i++) {
		bool has_ended = kept_has_ended(k, i);

		must(!has_ended || m->ended[i] > 0);		/* (2) */
		must(has_ended || m->ended[i] == 0 ||		/* (3) */
		    m->ended[i] >= ledger->sure);
		if (!has_ended)
			m->ended[i] = 0;	/* forgotten, will end again */
	}
}

static yields void
laws_hold(void)
{
	for (unsigned i = 0; i < MESSAGES; i++) {
		struct message *m = &ledger->messages[i];

		if (m->state == TRIED)
			m->state = REFUSED;
		if (m->state == KEPT && life.told[i] == 0)
			must(message_has_ended(m));		/* (1) */
		if (m->state == KEPT && life.told[i] > 0)
			body_is_right(m, i);
	}
}

/* ---- the projection ---- */

static yields void
project(struct tail *t)
{
	struct tail_place after;
	struct record r;
	unsigned number;
	int rc;

	while ((rc = tail_next(t, &r, &after)) == 1) {
		struct message *m = message_of(r.id, &number);

		/* one transaction: nothing happens in between */
		if (m != NULL)
			m->counted++;
		ledger->place = after;
	}
	if (rc == 0)
		ledger->place = after;
	must(rc == 0 || life.is_disk_bad);
}

static yields void
follow(void *arg)
{
	struct tail *t = tail_open(life.spool, ledger->place,
	    TAIL_OF(RECORD_COMMIT));

	(void)arg;
	must(t != NULL);
	while (life.running > 1) {
		project(t);
		if (sim_chance(4) == 0)
			(void)spool_mark(life.spool, PROJECTION, ledger->place);
		fiber_sleep(in_ms(50));
	}
	fiber_sleep(in_ms(200));
	project(t);
	(void)spool_mark(life.spool, PROJECTION, ledger->place);
	tail_close(t);
	life.running--;
}

/* ---- delivering ---- */

static yields void
end_one(struct message *m, unsigned rcpt)
{
	struct outcome o = { .recipient = rcpt, .kind = OUTCOME_DELIVERED,
		.code = 250, .text = STR("2.0.0 OK") };

	m->ended[rcpt] = ++ledger->clock;
	(void)spool_outcome(life.spool, m->id, &o, 1);
}

static yields void
put_off(const struct message *m)
{
	struct attempt t = { .attempts = 2, .due = clock_wall() };

	switch (sim_chance(4)) {
	case 0:
		(void)spool_attempt(life.spool, m->id, &t);
		break;
	case 1:
		(void)spool_hold(life.spool, m->id, STR("for a while"));
		fiber_sleep(in_ms(20));
		(void)spool_release(life.spool, m->id);
		break;
	case 2:
		(void)spool_reschedule(life.spool, m->id, clock_wall());
		break;
	default:
		break;
	}
}

static yields void
deliver_one(struct message *m, unsigned number)
{
	put_off(m);
	body_is_right(m, number);
	for (unsigned i = 0; i < m->rcpts; i++) {
		if (m->ended[i] != 0)
			continue;
		/* some wait for another life */
		if (sim_chance(5) == 0 && !ledger->is_last)
			continue;
		end_one(m, i);
		if (sim_chance(3) == 0)
			fiber_sleep(in_ms((int64_t)sim_chance(30)));
	}
}

static yields void
deliver_old(void *arg)
{
	(void)arg;
	for (unsigned i = 0; i < MESSAGES; i++)
		if (life.told[i] > 0)
			deliver_one(&ledger->messages[i], i);
	life.running--;
}

/* ---- keeping ---- */

static uint64_t
size_of_one(void)
{
	if (sim_chance(12) == 0)
		return sim_chance(300000);
	return sim_chance(9000);
}

static yields enum draft_trouble
append_all(struct draft *d, const struct message *m, unsigned number)
{
	enum draft_trouble trouble = DRAFT_FINE;
	char room[2048];
	size_t k;

	for (uint64_t at = 0; at < m->size && trouble == DRAFT_FINE; at += k) {
		k = m->size - at < sizeof room ? (size_t)(m->size - at) :
		    sizeof room;
		for (size_t i = 0; i < k; i++)
			room[i] = octet(number, at + i);
		trouble = draft_append(d, (struct str){ room, k });
	}
	return trouble;
}

static yields enum draft_trouble
keep_draft(struct draft *d, struct message *m, unsigned number)
{
	struct recipient rcpts[RCPTS_MOST];
	struct envelope e = { .sender = STR("a@example.com"),
		.arrived = clock_wall(), .n_rcpts = m->rcpts, .rcpts = rcpts };
	enum draft_trouble trouble = append_all(d, m, number);
	uint64_t given;

	for (unsigned i = 0; i < m->rcpts; i++)
		rcpts[i] = (struct recipient){ .address = STR("b@example.org"),
			.parent = RECIPIENT_NO_PARENT };
	if (trouble != DRAFT_FINE || sim_chance(10) == 0)
		return trouble != DRAFT_FINE ? trouble : DRAFT_NO_ROOM;
	given = ++ledger->clock;
	if (life.is_hasty)
		m->state = KEPT;
	trouble = draft_commit(d, &e);
	if (trouble == DRAFT_FINE && given > ledger->sure)
		ledger->sure = given;
	return trouble;
}

static yields void
keep_one(unsigned number)
{
	struct message *m = &ledger->messages[number];
	enum draft_trouble trouble;
	struct arena a;
	struct draft *d;

	arena_init(&a, 64 << 10);
	d = draft_open(life.spool, &a, &trouble);
	if (d == NULL) {
		fiber_sleep(in_ms(300));
		arena_clear(&a);
		return;
	}
	*m = (struct message){ .state = TRIED, .id = draft_id(d),
		.size = size_of_one(), .rcpts = 1 + (unsigned)sim_chance(3) };
	trouble = keep_draft(d, m, number);
	m->state = trouble == DRAFT_FINE ? KEPT : REFUSED;
	arena_clear(&a);
	if (m->state == KEPT)
		deliver_one(m, number);
}

static yields void
keep_some(void *arg)
{
	(void)arg;
	while (ledger->next < MESSAGES) {
		keep_one(ledger->next++);
		if (sim_chance(3) == 0)
			fiber_sleep(in_ms((int64_t)sim_chance(40)));
	}
	life.running--;
}

/* ---- lives ---- */

static yields void
life_finish(void)
{
	struct spool_stats s;

	while (life.running > 0)
		fiber_sleep(in_ms(100));
	if (ledger->is_last && !life.is_disk_bad) {
		fiber_sleep(in_ms(60000));
		s = spool_stats(life.spool);
		must(s.kept == 0 && s.live_bytes == 0);		/* (6) */
		must(s.segments <= 2 && (ledger->was_bad || s.damaged == 0));
	}
	must(spool_close(life.spool) == SPOOL_FINE || life.is_disk_bad);
}

static yields void
life_start(void *arg)
{
	struct spool_config c = { .path = "/spool", .node = 1, .number = 2,
		.segment_bytes = SEGMENT, .reserve_bytes = SEGMENT };

	(void)arg;
	ledger->lives++;
	if (spool_open(&c, &life.spool) != SPOOL_FINE) {
		must(life.is_disk_bad);
		return;
	}
	spool_projection(life.spool, PROJECTION);
	if (spool_recover(life.spool, told_one, NULL) != SPOOL_FINE) {
		must(life.is_disk_bad);
		(void)spool_close(life.spool);
		return;
	}
	laws_hold();
	must(ledger->was_bad || spool_stats(life.spool).damaged == 0);	/* (7) */
	life.running = WRITERS + 2;
	for (unsigned i = 0; i < WRITERS; i++)
		must(fiber_go("writer", keep_some, NULL) == 0);
	must(fiber_go("deliverer", deliver_old, NULL) == 0);
	must(fiber_go("projection", follow, NULL) == 0);
	life_finish();
}

static void
life_live(void *arg)
{
	must(core_run_all(1, life_start, arg) == 0);
}

static void
disk_make_bad(void)
{
	life.is_disk_bad = ledger->was_bad = true;
	sim_fault_rate(SIM_disk_pwrite, 300, EIO);
	sim_fault_rate(SIM_disk_fdatasync, 300, EIO);
	sim_fault_rate(SIM_disk_fsync, 300, EIO);
	sim_fault_rate(SIM_disk_rename, 300, EIO);
	sim_fault_rate(SIM_disk_open, 300, EIO);
	sim_fault_rate(SIM_disk_pread, 20, EIO);
	if (sim_chance(3) == 0)
		sim_disk_size(1600 << 10);
}

static bool
counts_are_right(void)
{
	for (unsigned i = 0; i < MESSAGES; i++) {
		const struct message *m = &ledger->messages[i];

		if (m->counted > 1 ||
		    (m->state == KEPT && m->counted != 1)) {	/* (5) */
			fprintf(stderr, "message %u was counted %u times\n", i,
			    m->counted);
			return false;
		}
	}
	return true;
}

/* Lives until one ends by itself. */
static bool
spool_live(bool is_bad)
{
	enum sim_ending ending = SIM_CRASHED;

	ledger = sim_ledger(sizeof *ledger);
	if (sim_chance(3) == 0)		/* so slow that outcomes pile up */
		sim_disk_costs((struct sim_disk_costs){
			.verb_ns = 50 * NS_PER_US, .sync_ns = 8 * NS_PER_MS,
			.jitter_ns = 4 * NS_PER_MS, .slow_per_million = 1000,
			.cold_per_million = 100000 });
	if (is_bad)
		disk_make_bad();
	for (int i = 0; i < LIVES_MOST && ledger->next < MESSAGES; i++) {
		sim_crash_at(1 + sim_chance(sim_chance(3) == 0 ? 60 : 900),
		    sim_chance(2) == 0 ? SIM_KILL : SIM_POWER);
		ending = sim_life(life_live, NULL);
		if (ending == SIM_BROKEN)
			return false;
	}
	/* a good disk at last, and nobody dies */
	sim_crash_at(0, SIM_KILL);
	sim_faults_clear();
	sim_disk_size(UINT64_C(1) << 30);
	life.is_disk_bad = false;
	ledger->is_last = true;
	ending = sim_life(life_live, NULL);
	return ending == SIM_ENDED && counts_are_right();
}

static bool
spool_run(uint64_t seed)
{
	memset(&life, 0, sizeof life);
	if (spool_live(seed % 2 == 0))
		return true;
	fprintf(stderr, "seed %ju: the spool broke a law\n", (uintmax_t)seed);
	return false;
}

static bool
spool_hasty_run(uint64_t seed)
{
	/* what the lives say of themselves is expected here */
	for (uint64_t i = 0; i < 30; i++) {
		sim_begin(seed * 30 + i);
		memset(&life, 0, sizeof life);
		life.is_hasty = true;
		if (!spool_live(false))
			return true;
	}
	fprintf(stderr, "seed %ju: nobody noticed the haste\n",
	    (uintmax_t)seed);
	return false;
}

const struct scenario scenario_spool = { .name = "spool", .run = spool_run };
const struct scenario scenario_spool_hasty = {
	.name = "spool-hasty", .run = spool_hasty_run,
	.percent = 20 };
