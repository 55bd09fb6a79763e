#include "spool/own.h"
#include "spool/spool_test.h"
#include "spool/slip.h"

#include "fiber/world_sim.h"
#include "spool/tail.h"

/* What the next start tells. */
struct told {
	size_t n;
	uint64_t ids[4096];
	size_t left;
	uint64_t last;
	bool is_ordered;
};

static struct told told;

static yields void
told_add(void *arg, const struct kept *k, const struct envelope *e)
{
	struct told *t = arg;

	must(e->id == kept_id(k) && t->n < 4096);
	if (e->id <= t->last)
		t->is_ordered = false;
	t->last = e->id;
	t->left += kept_left(k);
	t->ids[t->n++] = e->id;
}

static yields struct spool *
reopen(struct spool *sp)
{
	if (sp != NULL)
		must(spool_close(sp) == SPOOL_FINE);
	memset(&told, 0, sizeof told);
	told.is_ordered = true;
	return test_open_with(test_config(), told_add, &told);
}

static void
in_world(yields void (*fn)(void *))
{
	sim_begin(7);
	on_core(fn);
}

/* ---- messages ---- */

static yields void
keep_and_read(void *arg)
{
	static const uint64_t sizes[] = { 0, 1, 100, 7000, 7200, 8192, 65535 - 1024,
		64 << 10, (64 << 10) + 1, 200000, 700000 };
	enum { N = sizeof sizes / sizeof *sizes };
	struct spool *sp = test_open();
	uint64_t ids[N] = { 0 };

	(void)arg;
	for (uint64_t i = 0; i < N; i++)
		must(test_commit(sp, i, sizes[i], 2, &ids[i]) == DRAFT_FINE);
	for (uint64_t i = 0; i < N; i++)
		must(test_body(sp, ids[i], i, sizes[i]) == 1);
	sp = reopen(sp);
	must(told.n == N && told.is_ordered && told.left == 2 * N);
	for (uint64_t i = 0; i < N; i++) {
		must(told.ids[i] == ids[i]);
		must(test_body(sp, ids[i], i, sizes[i]) == 1);
	}
	must(spool_close(sp) == SPOOL_FINE);
}

static void
messages_of_any_size_are_kept_and_read(void **state)
{
	(void)state;
	in_world(keep_and_read);
}

static yields void
envelope_back(void *arg)
{
	struct spool *sp = test_open();
	struct recipient rcpts[] = {
		{ .address = STR("list@example.org"),
		  .parent = RECIPIENT_NO_PARENT, .flags = RECIPIENT_EXPANDED },
		{ .address = STR("a@example.org"), .parent = 0 },
		{ .address = STR("b@example.org"), .parent = 0,
		  .flags = RECIPIENT_DISCARDED },
	};
	struct envelope e = { .sender = STR(""), .tenant = STR("acme"),
		.stream = STR("bulk"), .n_rcpts = 3, .rcpts = rcpts,
		.release = { 5000000 }, .flags = ENVELOPE_REPORT }, back;
	enum draft_trouble why;
	const bool *ended;
	struct draft *d;
	struct arena a;
	uint64_t id = 0;

	(void)arg;
	arena_init(&a, 1 << 20);
	d = draft_open(sp, &a, &why);
	id = draft_id(d);
	must(draft_append(d, STR("Subject: x\r\n\r\nhello\r\n")) == DRAFT_FINE);
	must(draft_commit(d, &e) == DRAFT_FINE);
	must(e.id == id && e.size == 21);
	must(kept_left(draft_kept(d)) == 1);
	must(draft_sync_ns(d) > 0);
	for (int turn = 0; turn < 2; turn++) {
		must(spool_envelope(sp, id, &a, &back, &ended) == 0);
		must(back.id == id && back.n_rcpts == 3 && back.size == 21);
		must(str_eq(back.tenant, STR("acme")));
		must(str_eq(back.stream, STR("bulk")));
		must(back.sender.p != NULL && back.sender.n == 0);
		must(ended[0] && !ended[1] && ended[2]);
		must(kept_due(spool_find(sp, id)).us == 5000000);
		if (turn == 0)
			sp = reopen(sp);
	}
	must(test_deliver(sp, id, 1) == 0);
	must(spool_find(sp, id) == NULL);
	must(spool_envelope(sp, id, &a, &back, &ended) == -1);
	arena_clear(&a);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
envelopes_come_back(void **state)
{
	(void)state;
	in_world(envelope_back);
}

static yields void
drop_drafts(void *arg)
{
	struct spool *sp = test_open();
	enum draft_trouble why;
	struct draft *d;
	struct arena a;

	(void)arg;
	for (uint64_t i = 0; i < 3; i++) {
		arena_init(&a, 1 << 20);
		d = draft_open(sp, &a, &why);
		must(test_append(d, 1, 0, i * 100000) == DRAFT_FINE);
		arena_clear(&a);
	}
	must(spool_stats(sp).kept == 0 && spool_stats(sp).live_bytes == 0);
	sp = reopen(sp);
	must(told.n == 0);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
a_draft_dies_with_its_arena(void **state)
{
	(void)state;
	in_world(drop_drafts);
}

/* ---- outcomes ---- */

static yields void
end_some(void *arg)
{
	struct spool *sp = test_open();
	struct outcome many[40];
	uint64_t ids[3] = { 0 };

	(void)arg;
	must(test_commit(sp, 1, 100, 3, &ids[0]) == DRAFT_FINE);
	must(test_commit(sp, 2, 100, 100, &ids[1]) == DRAFT_FINE);
	must(test_commit(sp, 3, 100, 1, &ids[2]) == DRAFT_FINE);
	must(test_deliver(sp, ids[0], 1) == 0);
	must(test_deliver(sp, ids[0], 1) == 0);		/* twice is once */
	for (uint32_t i = 0; i < 40; i++)
		many[i] = (struct outcome){ .recipient = 2 * i,
			.kind = i % 5 == 0 ? OUTCOME_EXPANDED : OUTCOME_FAILED,
			.code = 550, .text = STR("5.1.1 no such user here") };
	must(spool_outcome(sp, ids[1], many, 40) == 0);
	must(test_deliver(sp, ids[2], 0) == 0);
	must(test_deliver(sp, ids[2], 0) == -1);
	for (int turn = 0; turn < 2; turn++) {
		must(spool_find(sp, ids[2]) == NULL);
		must(kept_left(spool_find(sp, ids[0])) == 2);
		must(kept_has_ended(spool_find(sp, ids[0]), 1));
		must(kept_left(spool_find(sp, ids[1])) == 60);
		for (size_t i = 0; i < 100; i++)
			must(kept_has_ended(spool_find(sp, ids[1]), i) ==
			    (i % 2 == 0 && i < 80));
		if (turn == 0)
			sp = reopen(sp);
	}
	must(told.n == 2);
	must(spool_cancel(sp, ids[1], STR("by hand")) == 0);
	must(spool_find(sp, ids[1]) == NULL);
	sp = reopen(sp);
	must(told.n == 1 && told.ids[0] == ids[0]);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
outcomes_are_remembered(void **state)
{
	(void)state;
	in_world(end_some);
}

static yields void
put_off(void *arg)
{
	struct spool *sp = test_open();
	uint32_t indexes[300];
	struct attempt t = { .attempts = 4, .warned = 2, .due = { 123456789 }, .code = 451,
		.text = STR("4.2.0 later") };
	const struct kept *k;
	struct wall held;
	uint64_t id = 0;

	(void)arg;
	for (uint32_t i = 0; i < 300; i++)
		indexes[i] = i;
	must(test_commit(sp, 1, 100, 300, &id) == DRAFT_FINE);
	must(spool_attempt(sp, id, &t) == 0);
	t.recipients = indexes;
	t.n = 300;
	t.attempts = 5;
	t.warned = 1;			/* other recipients, told less */
	must(spool_attempt(sp, id, &t) == 0);
	held = clock_wall();
	must(held.us > 1 && spool_hold(sp, id, STR("look at this")) == 0);
	fiber_sleep(in_ms(5000));
	must(spool_hold(sp, id, STR("again: since the first time")) == 0);
	for (int turn = 0; turn < 2; turn++) {
		k = spool_find(sp, id);
		must(kept_attempts(k) == 5 && kept_due(k).us == 123456789);
		must(kept_warned(k) == 2);
		must(kept_is_held(k) && kept_held_since(k).us == held.us);
		if (turn == 0)
			sp = reopen(sp);
	}
	must(spool_release(sp, id) == 0);
	must(spool_reschedule(sp, id, (struct wall){ 77 }) == 0);
	sp = reopen(sp);
	k = spool_find(sp, id);
	must(!kept_is_held(k) && kept_due(k).us == 77 && kept_left(k) == 300);
	must(kept_held_since(k).us == 0);
	must(spool_hold(sp, id + 1, STR("")) == -1);
	must(spool_release(sp, id + 1) == -1);
	must(spool_attempt(sp, id + 1, &t) == -1);
	must(spool_reschedule(sp, id + 1, (struct wall){ 77 }) == -1);
	must(spool_cancel(sp, id + 1, STR("")) == -1);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
attempts_and_holds_are_remembered(void **state)
{
	(void)state;
	in_world(put_off);
}

/* ---- pins ---- */

static yields void
pin_and_end(void *arg)
{
	struct spool *sp = test_open();
	static char room[8192];
	struct body b;
	struct pin p;
	uint64_t id = 0;

	(void)arg;
	must(test_commit(sp, 5, 5000, 1, &id) == DRAFT_FINE);
	must(spool_pin(sp, id, &p));
	must(test_deliver(sp, id, 0) == 0);
	must(spool_find(sp, id) == NULL);
	must(spool_stats(sp).kept == 0 && spool_stats(sp).live_bytes > 0);
	body_open(&b, &p);
	must(body_read(&b, room, sizeof room) == 5000);
	must(body_read(&b, room, sizeof room) == 0);
	body_rewind(&b);
	must(body_read(&b, room, sizeof room) == 5000);
	spool_unpin(&p);
	must(spool_stats(sp).live_bytes == 0);
	must(!spool_pin(sp, id, &p));
	must(spool_close(sp) == SPOOL_FINE);
}

static void
a_pin_outlives_the_message(void **state)
{
	(void)state;
	in_world(pin_and_end);
}

/* ---- the log's length ---- */

static yields void
turn_over(void *arg)
{
	struct spool *sp = test_open();
	uint64_t id = 0, stuck = 0, big = 0;

	(void)arg;
	must(test_commit(sp, 1, 3000, 2, &stuck) == DRAFT_FINE);
	must(test_deliver(sp, stuck, 1) == 0);
	must(test_commit(sp, 2, 150000, 1, &big) == DRAFT_FINE);
	for (uint64_t i = 3; i < 600; i++) {
		must(test_commit(sp, i, 5000 + i * 7 % 3000, 1, &id) ==
		    DRAFT_FINE);
		must(test_body(sp, id, i, 5000 + i * 7 % 3000) == 1);
		must(test_deliver(sp, id, 0) == 0);
	}
	fiber_sleep(in_ms(60000));
	must(spool_stats(sp).kept == 2);
	must(spool_stats(sp).segments <= 11);
	must(spool_stats(sp).recycled > 5 && spool_stats(sp).compacted >= 2);
	must(test_body(sp, stuck, 1, 3000) == 1);
	must(test_body(sp, big, 2, 150000) == 1);
	sp = reopen(sp);
	must(told.n == 2 && told.ids[0] == stuck && told.ids[1] == big);
	must(kept_left(spool_find(sp, stuck)) == 1);
	must(test_body(sp, stuck, 1, 3000) == 1);
	must(test_body(sp, big, 2, 150000) == 1);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
dead_segments_are_recycled_and_the_rest_moved(void **state)
{
	(void)state;
	in_world(turn_over);
}

/* ---- tails ---- */

static size_t
tail_count(struct tail *t, struct tail_place *after)
{
	struct record r;
	size_t n = 0;

	while (tail_next(t, &r, after) == 1)
		n++;
	return n;
}

/* Several segments die at once, as a projection comes on. */
static yields struct spool *
die_together(struct tail_place *at)
{
	struct spool_config c = test_config();
	struct spool *sp;
	struct tail *t;
	uint64_t id = 0;

	must(spool_open(&c, &sp) == SPOOL_FINE);
	spool_projection(sp, 3);
	must(spool_recover(sp, NULL, NULL) == SPOOL_FINE);
	for (uint64_t i = 0; i < 400; i++) {
		must(test_commit(sp, i, 4000, 1, &id) == DRAFT_FINE);
		must(test_deliver(sp, id, 0) == 0);
	}
	t = tail_open(sp, *at, TAIL_OF(RECORD_COMMIT));
	must(tail_count(t, at) == 400 && sp->log.n > SPARES_MOST + 1);
	tail_close(t);
	return sp;
}

static yields void
die_with_room(void *arg)
{
	struct tail_place at = { 0, 0 };
	struct spool *sp = die_together(&at);
	uint64_t next;

	(void)arg;
	must(spool_mark(sp, 3, at) == 0);
	fiber_sleep(in_ms(30000));
	must(sp->n_spares == SPARES_MOST);
	next = sp->keeper.next_number;
	sp = reopen(sp);
	must(sp->n_spares == SPARES_MOST && sp->keeper.next_number == next);
	must(spool_close(sp) == SPOOL_FINE);
}

static yields void
die_without_room(void *arg)
{
	struct tail_place at = { 0, 0 };
	struct spool *sp = die_together(&at);

	(void)arg;
	sp->config.reserve_bytes = UINT64_MAX;
	fiber_sleep(in_ms(2000));
	while (spool_health(sp) != SPOOL_NO_ROOM) {
		(void)test_commit(sp, 1, 10, 1, NULL);
		fiber_sleep(in_ms(2000));
	}
	must(spool_mark(sp, 3, at) == 0);
	fiber_sleep(in_ms(30000));
	must(spool_stats(sp).recycled > 0 && sp->n_spares == SPARES_WANTED);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
old_segments_are_kept_while_there_is_room(void **state)
{
	(void)state;
	in_world(die_with_room);
	in_world(die_without_room);
}

static yields void
follow(void *arg)
{
	struct spool_config c = test_config();
	struct tail_place at = { 0, 0 };
	struct spool *sp;
	struct tail *t;
	uint64_t id = 0;

	(void)arg;
	must(spool_open(&c, &sp) == SPOOL_FINE);
	spool_projection(sp, 3);
	must(spool_recover(sp, NULL, NULL) == SPOOL_FINE);
	must(spool_place(sp, 3).segment == 0);
	t = tail_open(sp, at, TAIL_OF(RECORD_COMMIT));
	must(tail_count(t, &at) == 0);
	for (uint64_t i = 0; i < 200; i++) {
		must(test_commit(sp, i, 4000, 1, &id) == DRAFT_FINE);
		must(test_deliver(sp, id, 0) == 0);
		if (i % 50 == 49)
			must(tail_count(t, &at) == 50);
	}
	must(spool_stats(sp).recycled == 0);	/* the projection is behind */
	tail_close(t);
	must(spool_mark(sp, 3, at) == 0);
	fiber_sleep(in_ms(30000));
	must(spool_stats(sp).recycled > 0);
	must(spool_close(sp) == SPOOL_FINE);

	must(spool_open(&c, &sp) == SPOOL_FINE);
	spool_projection(sp, 3);
	must(spool_recover(sp, NULL, NULL) == SPOOL_FINE);
	must(spool_place(sp, 3).segment == at.segment);
	must(spool_place(sp, 3).offset == at.offset);
	t = tail_open(sp, spool_place(sp, 3), TAIL_OF(RECORD_COMMIT) |
	    TAIL_OF(RECORD_OUTCOME));
	fiber_sleep(in_ms(1000));
	must(tail_count(t, &at) == 1);		/* the last outcome */
	tail_close(t);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
tails_follow_and_hold_the_log(void **state)
{
	(void)state;
	in_world(follow);
}

static yields void
tell_events(void *arg)
{
	struct spool *sp = test_open();
	struct event e = event_make(EVENT_queued, (struct wall){ 5 }, 9);
	struct tail_place at = { 0, 0 };
	static char text[12000];
	struct record r;
	struct tail *t;

	(void)arg;
	memset(text, 'x', sizeof text);
	event_str(&e, FIELD_sender, STR("a@b"));
	event_str(&e, FIELD_text, (struct str){ text, sizeof text });
	for (int i = 0; i < 10; i++)
		spool_event(sp, &e);
	fiber_sleep(in_ms(100));
	must(spool_stats(sp).events == 10 && spool_stats(sp).events_lost == 0);
	t = tail_open(sp, at, TAIL_OF(RECORD_EVENT));
	must(tail_next(t, &r, &at) == 1 && r.id == 9 && r.type == RECORD_EVENT);
	must(tail_count(t, &at) == 9);
	tail_close(t);
	for (int i = 0; i < 2000; i++)
		spool_event(sp, &e);
	must(spool_stats(sp).events_lost > 0);
	must(spool_close(sp) == SPOOL_FINE);
}

/* An event costs no write of its own where something else is written soon; alone
 * it is written within its patience, and an outcome waits for nothing. */
static yields void
keep_events_company(void *arg)
{
	struct spool *sp = test_open();
	struct event e = event_make(EVENT_queued, (struct wall){ 5 }, 9);
	uint64_t before = spool_stats(sp).writes;
	struct mono began = clock_mono();

	(void)arg;
	for (int i = 0; i < 3; i++)
		spool_event(sp, &e);
	fiber_sleep(mono_add(clock_mono(), SLIP_PATIENCE_NS / 2));
	must(spool_stats(sp).writes == before);
	must(test_commit(sp, 1, 100, 1, NULL) == DRAFT_FINE);
	must(spool_stats(sp).writes == before + 1);
	fiber_sleep(in_ms(100));
	must(spool_stats(sp).writes == before + 1);
	spool_event(sp, &e);
	began = clock_mono();
	fiber_sleep(mono_add(began, SLIP_PATIENCE_NS - 1));
	must(spool_stats(sp).writes == before + 1);
	fiber_sleep(mono_add(began, SLIP_PATIENCE_NS + 2 * NS_PER_MS));
	must(spool_stats(sp).writes == before + 2);
	spool_event(sp, &e);
	spool_await_written(sp);
	must(mono_is_before(clock_mono(), mono_add(began, 2 * SLIP_PATIENCE_NS)));
	must(spool_stats(sp).writes == before + 3);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
events_wait_for_company(void **state)
{
	(void)state;
	in_world(keep_events_company);
}

static void
events_are_written_until_the_buffer_is_full(void **state)
{
	(void)state;
	in_world(tell_events);
}

/* ---- doors ---- */

static yields void
open_twice(void *arg)
{
	struct spool_config c = test_config(), other = test_config();
	struct spool *sp = test_open(), *second;

	(void)arg;
	must(spool_open(&c, &second) == SPOOL_LOCKED && second == NULL);
	must(spool_close(sp) == SPOOL_FINE);
	other.number = 2;
	must(spool_open(&other, &second) == SPOOL_FOREIGN);
	other = test_config();
	other.node = 4;
	must(spool_open(&other, &second) == SPOOL_FOREIGN);
	other.node = 1024;
	must(spool_open(&other, &second) == SPOOL_FOREIGN);
	other = test_config();
	other.segment_bytes = (256 << 10) - 4096;
	must(spool_open(&other, &second) == SPOOL_FOREIGN);
	other.segment_bytes = (256 << 10) + 1;
	must(spool_open(&other, &second) == SPOOL_FOREIGN);
	other = test_config();
	other.path = "/nowhere/at/all";
	must(spool_open(&other, &second) == SPOOL_DISK);
	must(spool_open(&c, &sp) == SPOOL_FINE);	/* opened, not recovered */
	must(spool_close(sp) == SPOOL_FINE);
}

static void
a_spool_has_one_owner(void **state)
{
	(void)state;
	in_world(open_twice);
}

static yields void
other_segments(void *arg)
{
	struct spool_config c = test_config();
	struct spool *sp = test_open();
	uint64_t ids[4] = { 0 };

	(void)arg;
	must(test_commit(sp, 0, 1000, 1, &ids[0]) == DRAFT_FINE);
	for (uint64_t i = 1; i < 4; i++) {
		must(spool_close(sp) == SPOOL_FINE);
		c.segment_bytes = i % 2 == 0 ? 256 << 10 : 512 << 10;
		sp = test_open_with(c, NULL, NULL);
		must(test_commit(sp, i, 200000, 1, &ids[i]) == DRAFT_FINE);
	}
	sp = reopen(sp);
	must(told.n == 4 && spool_stats(sp).damaged == 0);
	must(test_body(sp, ids[0], 0, 1000) == 1);
	for (uint64_t i = 1; i < 4; i++)
		must(test_body(sp, ids[i], i, 200000) == 1);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
the_size_of_segments_may_change(void **state)
{
	(void)state;
	in_world(other_segments);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(messages_of_any_size_are_kept_and_read),
		cmocka_unit_test(envelopes_come_back),
		cmocka_unit_test(a_draft_dies_with_its_arena),
		cmocka_unit_test(outcomes_are_remembered),
		cmocka_unit_test(attempts_and_holds_are_remembered),
		cmocka_unit_test(a_pin_outlives_the_message),
		cmocka_unit_test(old_segments_are_kept_while_there_is_room),
		cmocka_unit_test(dead_segments_are_recycled_and_the_rest_moved),
		cmocka_unit_test(tails_follow_and_hold_the_log),
		cmocka_unit_test(events_are_written_until_the_buffer_is_full),
		cmocka_unit_test(events_wait_for_company),
		cmocka_unit_test(a_spool_has_one_owner),
		cmocka_unit_test(the_size_of_segments_may_change),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
