/*
 * torn_test.c -- the last segment as a power cut may leave it (SECURITY.md B7, T3).
 *
 * A spool is left without a stop.  Then its only segment is cut at each octet;
 * each octet of its records is changed in three ways; its last sectors are zeros,
 * garbage, or each other.  What must come back is exactly what was not touched: of
 * a cut the longest prefix of whole records; of a change each record that has its
 * octets.  Where sectors changed places, a header that is whole stands elsewhere,
 * and is believed about its length (scan.c): there too the prefix must come back,
 * and of the rest nothing that it was not.
 *
 * Each TORN_STEP-th octet, from TORN_FROM on; 1: all of them, which takes minutes.
 */
#include "spool/spool_test.h"

#include "base/num.h"
#include "fiber/clock.h"
#include "fiber/test_life.h"
#include "spool/record.h"
#include "spool/segment.h"

#include <stdio.h>
#include <stdlib.h>

enum { SEGMENT = 256 << 10, FULL = 32 << 10, MESSAGES = 24, PARTS = 100, SECTOR = 512,
	STEP_USUAL = 499 };

struct part { uint64_t from, to, padded, id; uint8_t type; };

static struct ledger {
	uint64_t ids[MESSAGES];
	bool is_told[MESSAGES];
	int64_t body[MESSAGES];
	uint64_t others;		/* told, and never sent */
} *ledger;

static struct {
	struct arena arena;
	struct str super, log;
	char path[SEGMENT_PATH_MOST];
	uint64_t end;			/* behind the last record */
	uint64_t ids[MESSAGES];
	size_t n;
	struct part parts[PARTS];
} good;

static uint64_t
size_of(uint64_t i)
{
	return i * 997 % 3500;
}

static yields void
fill(void *arg)
{
	struct spool *sp = test_open();

	(void)arg;
	for (uint64_t i = 0; i < MESSAGES; i++) {
		must(test_commit(sp, i, size_of(i), 1 + i % 3,
		    &ledger->ids[i]) == DRAFT_FINE);
		if (i % 5 == 4)
			must(test_deliver(sp, ledger->ids[i - 3], 0) == 0);
	}
	sim_crash_at_time(mono_add(clock_mono(), 10 * NS_PER_SECOND), SIM_KILL);
	fiber_sleep(MONO_NEVER);
}

static yields void
told(void *arg, const struct kept *k, const struct envelope *e)
{
	uint64_t i = 0;

	(void)arg;
	(void)k;
	while (i < MESSAGES && ledger->ids[i] != e->id)
		i++;
	if (i == MESSAGES)
		ledger->others++;
	else
		ledger->is_told[i] = true;
}

static yields void
look(void *arg)
{
	struct spool *sp = test_open_with(test_config(), told, NULL);

	(void)arg;
	for (uint64_t i = 0; i < MESSAGES; i++)
		ledger->body[i] = test_body(sp, ledger->ids[i], i, size_of(i));
	must(spool_close(sp) == SPOOL_FINE);
}

/* ---- the files as they were ---- */

static void
parts_find(void)
{
	uint64_t at = SEGMENT_HEAD, salt;
	struct record r;

	memcpy(&salt, good.log.p + 24, sizeof salt);	/* segment.c */
	while (record_read(str_sub(good.log, at, good.log.n), &r) ==
	    RECORD_WHOLE && r.salt == salt) {
		struct part p = { .from = at, .id = r.id, .type = r.type,
			.to = at + RECORD_HEADER + r.payload_n + r.body_n,
			.padded = at + record_size(r.payload_n, r.body_n) };

		must(good.n < PARTS);
		good.parts[good.n++] = p;
		at = p.padded;
	}
	good.end = good.n > 0 ? at : 0;
}

/* The one that has records; beside it there are spares. */
static void
log_find(uint64_t number)
{
	segment_path(good.path, TEST_PATH, number, SEGMENT_LOG);
	good.log = sim_disk_get(good.path, &good.arena);
	if (good.log.n == SEGMENT)
		parts_find();
}

static int
world_make(void **state)
{
	(void)state;
	sim_begin(3);
	ledger = sim_ledger(sizeof *ledger);
	if (test_life(fill) != SIM_CRASHED)
		return -1;
	arena_init(&good.arena, 4 << 20);
	good.super = sim_disk_get(TEST_PATH "/superblock", &good.arena);
	for (uint64_t i = 1; i < 4 && good.n == 0; i++)
		log_find(i);
	memcpy(good.ids, ledger->ids, sizeof good.ids);
	return good.log.n == SEGMENT && good.n >= MESSAGES + 4 &&
	    good.end > FULL ? 0 : -1;
}

/* ---- what must come back ---- */

/* Are all of its octets as they were? */
static bool
part_stands(const struct part *p, struct str now, bool is_cut)
{
	uint64_t end = is_cut ? p->padded : p->to;

	return end <= now.n && memcmp(now.p + p->from, good.log.p + p->from,
	    (size_t)(p->to - p->from)) == 0;
}

struct fate { bool is_committed, has_ended, may_differ; };

static struct fate
fate_of(uint64_t id, size_t rcpts, struct str now, bool is_cut)
{
	struct fate f = { false, false, false };
	uint64_t first = 0;
	size_t ended = 0;

	while (first < now.n && now.p[first] == good.log.p[first])
		first++;

	for (size_t i = 0; i < good.n; i++) {
		const struct part *p = &good.parts[i];

		if (p->id != id)
			continue;
		f.may_differ |= p->padded > first;
		if (!part_stands(p, now, is_cut))
			continue;
		f.is_committed |= p->type == RECORD_COMMIT;
		ended += p->type == RECORD_OUTCOME;
	}
	f.has_ended = ended >= rcpts;
	return f;
}

static void
is_exact(const char *how, uint64_t at, struct str now, bool is_cut, bool is_loose)
{
	for (uint64_t i = 0; i < MESSAGES; i++) {
		struct fate f = fate_of(good.ids[i], 1 + i % 3, now, is_cut);
		bool is_wanted = f.is_committed && !f.has_ended;

		if (is_loose && f.may_differ)
			continue;	/* test_body() saw its own octets, or none */
		if (ledger->is_told[i] != is_wanted)
			fail_msg("%s at %ju: message %ju is %s", how,
			    (uintmax_t)at, (uintmax_t)i, is_wanted ? "lost" :
			    "there");
		if (is_wanted && ledger->body[i] != 1)
			fail_msg("%s at %ju: body of %ju", how, (uintmax_t)at,
			    (uintmax_t)i);
	}
	if (ledger->others != 0)
		fail_msg("%s at %ju: invented", how, (uintmax_t)at);
}

static void
torn(const char *how, uint64_t at, struct str now, bool is_cut, bool is_loose)
{
	sim_begin(5);
	ledger = sim_ledger(sizeof *ledger);
	memcpy(ledger->ids, good.ids, sizeof good.ids);
	sim_disk_put(TEST_PATH "/superblock", good.super);
	sim_disk_put(good.path, now);
	if (test_life(look) != SIM_ENDED)
		fail_msg("%s at %ju: it dies", how, (uintmax_t)at);
	is_exact(how, at, now, is_cut, is_loose);
}

/* ---- the ways to be torn ---- */

static uint64_t
number_of(const char *name, uint64_t usual)
{
	uint64_t n;

	return parse_u64(str_of(getenv(name)), SEGMENT, &n) ? n : usual;
}

static struct str
changed(uint64_t at, unsigned char with)
{
	static char room[SEGMENT];

	memcpy(room, good.log.p, SEGMENT);
	room[at] = (char)((unsigned char)room[at] ^ with);
	return (struct str){ room, SEGMENT };
}

static void
cut_at_each_octet(void **state)
{
	uint64_t step = number_of("TORN_STEP", STEP_USUAL);

	(void)state;
	for (uint64_t at = number_of("TORN_FROM", 0); at < good.end + SECTOR;
	    at += step)
		torn("cut", at, str_sub(good.log, 0, at), true, false);
	for (size_t i = 0; i < good.n; i++)	/* where records meet */
		for (uint64_t k = 0; step > 1 && k < 3; k++)
			torn("cut", good.parts[i].padded - 1 + k, str_sub(
			    good.log, 0, good.parts[i].padded - 1 + k), true,
			    false);
}

static void
each_octet_in_three_ways(void **state)
{
	static const unsigned char with[] = { 0x01, 0x80, 0xff };
	uint64_t step = number_of("TORN_STEP", STEP_USUAL);

	(void)state;
	for (uint64_t at = number_of("TORN_FROM", 0); at < good.end; at += step)
		for (size_t i = 0; i < sizeof with; i++)
			torn("changed", at, changed(at, with[i]), false, false);
}

static void
the_last_sectors(void **state)
{
	static char room[SEGMENT];
	uint64_t last = (good.end - 1) / SECTOR * SECTOR;
	struct str now = { room, SEGMENT };

	(void)state;
	for (uint64_t at = last - 8 * SECTOR; at <= last; at += SECTOR) {
		memcpy(room, good.log.p, SEGMENT);
		memset(room + at, 0, (size_t)(SEGMENT - at));
		torn("zeros from", at, now, false, false);
		memcpy(room, good.log.p, SEGMENT);
		for (size_t i = 0; i < (size_t)2 * SECTOR; i++)
			room[at + i] = (char)(i * 167 + at / 7 + 3);
		torn("garbage", at, now, false, true);
		memcpy(room, good.log.p, SEGMENT);
		memcpy(room + at, good.log.p + at - SECTOR, SECTOR);
		memcpy(room + at - SECTOR, good.log.p + at, SECTOR);
		torn("swapped", at, now, false, true);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cut_at_each_octet),
		cmocka_unit_test(each_octet_in_three_ways),
		cmocka_unit_test(the_last_sectors),
	};

	return cmocka_run_group_tests(tests, world_make, NULL);
}
