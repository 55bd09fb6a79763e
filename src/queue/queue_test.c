#include "queue/test_queue.h"

static void
test_a_message_goes_its_way(void **state)
{
	struct queue_entry e = entry(77, "example.org");
	struct queue_settled s;
	struct handoff h;
	struct str domain;

	(void)state;
	assert_int_equal(queue_next_at(q).ns, INT64_MAX);
	e.n_rcpts = 3;
	e.size = 5000;
	e.priority = PRIORITY_LOW;
	assert_int_equal(queue_admit(q, now, &e), 0);
	assert_int_equal(in_state(ITEM_DUE), 1);
	assert_true(queue_next_at(q).ns <= now.ns);
	assert_false(queue_hand_out(q, now, &h));
	assert_true(queue_due_domain(q, now, &domain));
	assert_true(str_eq(domain, STR("example.org")));
	assert_false(queue_due_domain(q, now, &domain));
	assert_int_equal(queue_next_at(q).ns, INT64_MAX);
	assert_int_equal(queue_domain_resolved(q, now, STR("example.org"),
	    &(struct queue_route){ STR("mx.example"), STR("bulk"),
	    STR("192.0.2.7"), MINUTE }), 0);
	assert_true(queue_hand_out(q, now, &h));
	assert_int_equal(in_state(ITEM_AWAY), 1);
	assert_true(h.ref.id == 77 && h.n_rcpts == 3 && h.size == 5000);
	assert_true(h.home == 1 && h.tries == 0 && h.warned == 0);
	assert_int_equal(h.priority, PRIORITY_LOW);
	assert_int_equal(h.shard, shard_of(STR("192.0.2.7"),
	    STR("mx.example")));
	assert_int_equal(h.owner, h.shard % 4);
	assert_true(str_eq(h.domain, STR("example.org")));
	assert_true(str_eq(h.site, STR("mx.example")));
	assert_true(str_eq(h.pool, STR("bulk")));
	assert_true(str_eq(h.source, STR("192.0.2.7")));
	assert_true(str_eq(h.tenant, STR("default")));
	assert_true(h.due.ns == now.ns && h.arrived.ns == now.ns);
	assert_int_equal(queue_next_at(q).ns, INT64_MAX);
	s = settle(h, QUEUE_ENDED);
	assert_int_equal(s.duty, DUTY_NONE);
	assert_int_equal(view_counts(q).items, 0);
	assert_int_equal(view_counts(q).rcpts, 0);
	assert_int_equal(view_counts(q).ended, 1);
}

static void
test_not_before_it_is_due(void **state)
{
	struct queue_entry e = entry(1, "a.example");

	(void)state;
	e.due = mono_add(now, HOUR);
	assert_int_equal(queue_admit(q, now, &e), 0);
	assert_true(has_state(1, ITEM_SCHEDULED));
	while (mono_is_before(now, e.due)) {
		assert_true(hands_out_nothing());
		wait_until(queue_next_at(q));
	}
	assert_true(now.ns < e.due.ns + 2 * NS_PER_MS);
	assert_int_equal(hand_out().ref.id, 1);
}

/* "Four days of retries are a for-loop in a test." */
static void
test_four_days_of_retries(void **state)
{
	static const int64_t want[] = { 5, 15, 60, 180, 360 };	/* minutes */
	struct queue_entry e = entry(9, "down.example");
	struct queue_settled s = { .due = now };
	struct mono began = now;
	unsigned tries = 0;

	(void)state;
	e.expires = mono_add(began, 4 * DAY);
	assert_int_equal(queue_admit(q, now, &e), 0);
	for (;;) {
		struct mono last = now;
		int64_t pause;

		s = settle(hand_out(), QUEUE_RETRY);
		assert_int_equal(s.tries, ++tries);
		if (s.duty == DUTY_EXPIRE)
			break;
		assert_int_equal(s.state, ITEM_SCHEDULED);
		pause = want[tries > 5 ? 4 : tries - 1] * MINUTE;
		wait_until(s.due);
		if (s.due.ns < e.expires.ns)
			assert_in_range(s.due.ns - last.ns, pause / 10 * 9,
			    pause / 10 * 11 + 2 * NS_PER_MS);
	}
	assert_in_range(now.ns, e.expires.ns, e.expires.ns + 2 * NS_PER_MS);
	assert_in_range(tries, 17, 22);
	assert_true(has_state(9, ITEM_AWAY));
	/* It cannot be recorded just now: once more, a little later. */
	s = queue_settle(q, now, ref(9),
	    (struct queue_result){ .end = QUEUE_PUT_OFF });
	assert_int_equal(s.duty, DUTY_NONE);
	wait_until(s.due);
	s = settle(hand_out(), QUEUE_RETRY);
	assert_int_equal(s.duty, DUTY_EXPIRE);
	(void)queue_settle(q, now, ref(9),
	    (struct queue_result){ .end = QUEUE_ENDED });
	assert_int_equal(view_counts(q).items, 0);
}

static void
test_a_thousand_messages_do_not_knock_a_thousand_times(void **state)
{
	struct mono last = now, stop = mono_add(now, 4 * DAY);
	unsigned asked = 0, tries = 0, gone = 0, once;
	struct queue_settled s;
	struct handoff h;
	struct str domain;

	(void)state;
	for (uint64_t i = 1; i <= 1000; i++)
		admit(i, "dead.example");
	admit(5000, "alive.example");
	while (gone < 1000) {
		struct mono next = queue_next_at(q);

		wait_until(next.ns > now.ns ? next : now);
		if (mono_is_before(stop, now))
			break;
		while (queue_due_domain(q, now, &domain)) {
			if (str_eq(domain, STR("alive.example"))) {
				(void)queue_domain_resolved(q, now, domain,
				    &(struct queue_route){ domain, STR(""),
				    STR("s"), DAY });
				continue;
			}
			assert_true(asked == 0 ||
			    now.ns - last.ns >= 54 * SECOND);
			last = now;
			asked++;
			queue_domain_failed(q, now, domain, false);
			for (once = 0; queue_failed_next(q, now, domain, &h);
			    once++) {
				s = settle(h, QUEUE_RETRY);
				assert_true(s.due.ns > now.ns);
				tries++;
			}
			assert_true(asked > 1 || once == 1000);
		}
		while (queue_hand_out(q, now, &h)) {
			assert_int_equal(h.ref.id, 5000);
			(void)settle(h, QUEUE_ENDED);
		}
	}
	/* Back-off of at most an hour and a tenth: once or more each. */
	assert_in_range(asked, 85, 130);
	assert_true(tries > 15 * 1000);
	assert_int_equal(view_counts(q).items, 1000);
}

static void
test_a_failed_domain_shares_its_verdict(void **state)
{
	struct handoff h;
	struct str domain;

	(void)state;
	admit(1, "none.example");
	admit(2, "none.example");
	assert_true(queue_due_domain(q, now, &domain));
	admit(3, "none.example");		/* while it is asked */
	queue_domain_failed(q, now, domain, true);
	assert_true(queue_failed_next(q, now, domain, &h));
	assert_null(h.site.p);
	assert_int_equal(settle(h, QUEUE_ENDED).duty, DUTY_NONE);
	admit(4, "none.example");		/* too late for this verdict */
	assert_true(queue_failed_next(q, now, domain, &h));
	(void)settle(h, QUEUE_ENDED);
	assert_true(queue_failed_next(q, now, domain, &h));
	(void)settle(h, QUEUE_ENDED);
	assert_false(queue_failed_next(q, now, domain, &h));
	/* For good is not for ever: the next is asked for at once. */
	assert_true(queue_due_domain(q, now, &domain));
	queue_domain_failed(q, now, domain, true);
	assert_true(queue_failed_next(q, now, domain, &h));
	assert_int_equal(h.ref.id, 4);
	(void)settle(h, QUEUE_ENDED);
	assert_false(queue_failed_next(q, now, domain, &h));
	assert_int_equal(view_counts(q).items, 0);
	assert_int_equal(queue_next_at(q).ns, INT64_MAX);
}

static void
test_parts_of_a_message_end_one_by_one(void **state)
{
	struct queue_entry e = entry(8, "a.example");
	struct queue_settled s;
	struct view_item v;
	struct handoff h, other;

	(void)state;
	e.n_rcpts = 5;
	assert_int_equal(queue_admit(q, now, &e), 0);
	admit(8, "b.example");
	assert_int_equal(view_counts(q).rcpts, 6);
	assert_int_equal(see(8, &v), 2);
	h = hand_out();
	other = hand_out();
	if (h.n_rcpts == 1) {
		(void)settle(h, QUEUE_ENDED);
		h = other;
	} else {
		(void)settle(other, QUEUE_ENDED);
	}
	assert_int_equal(view_counts(q).rcpts, 5);
	s = queue_settle(q, now, h.ref,
	    (struct queue_result){ .end = QUEUE_RETRY, .n_rcpts = 2 });
	assert_int_equal(view_counts(q).rcpts, 2);
	assert_int_equal(view_counts(q).deferred, 1);
	/* A later instant wins over the schedule, an earlier does not. */
	wait_until(s.due);
	h = hand_out();
	assert_true(h.n_rcpts == 2 && h.tries == 1);
	s = queue_settle(q, now, h.ref, (struct queue_result){
	    .end = QUEUE_RETRY, .n_rcpts = 2,
	    .not_before = mono_add(now, 3 * HOUR) });
	assert_in_range(s.due.ns, now.ns + 3 * HOUR,
	    now.ns + 3 * HOUR + 2 * NS_PER_MS);
	wait_until(s.due);
	s = queue_settle(q, now, hand_out().ref, (struct queue_result){
	    .end = QUEUE_RETRY, .n_rcpts = 1,
	    .not_before = mono_add(now, SECOND) });
	assert_true(s.due.ns > now.ns + 50 * MINUTE);
}

static void
test_delay_warning_once(void **state)
{
	struct queue_settled s;
	unsigned warned = 0;

	(void)state;
	config.n_warnings = 1;
	config.warn_ns[0] = 4 * HOUR;
	admit(1, "a.example");
	for (int i = 0; i < 10; i++) {
		bool is_late = now.ns >= 1000 * SECOND + 4 * HOUR;

		s = settle(hand_out(), QUEUE_RETRY);
		assert_true(s.duty == DUTY_NONE || s.duty == DUTY_WARN);
		assert_true(s.duty == DUTY_NONE || is_late);
		warned += s.duty == DUTY_WARN;
		assert_int_equal(warned, is_late);
		wait_until(s.due);
	}
	assert_int_equal(warned, 1);
	assert_int_equal(hand_out().warned, 1);
}

/* Each age of the list once; what was passed while nobody looked is one. */
static void
test_delay_warnings(void **state)
{
	struct queue_settled s;
	unsigned duties = 0, last = 0;

	(void)state;
	config.n_warnings = 3;
	config.warn_ns[0] = 4 * HOUR;
	config.warn_ns[1] = 5 * HOUR;
	config.warn_ns[2] = 24 * HOUR;
	admit(1, "a.example");
	for (int i = 0; i < 14; i++) {
		s = settle(hand_out(), QUEUE_RETRY);
		assert_int_equal(s.duty == DUTY_WARN, s.warned > last);
		assert_int_equal(s.warned, queue_config_warnings(&config,
		    now.ns - 1000 * SECOND));
		duties += s.duty == DUTY_WARN;
		last = s.warned;
		wait_until(s.due);
	}
	assert_int_equal(last, 3);
	assert_in_range(duties, 2, 3);
}

/* What recovery knows is not told again. */
static void
test_delay_warned_before(void **state)
{
	struct queue_entry e = entry(1, "a.example");

	(void)state;
	config.n_warnings = 1;
	config.warn_ns[0] = HOUR;
	e.warned = 1;
	e.arrived = mono_add(now, -2 * HOUR);
	assert_int_equal(queue_admit(q, now, &e), 0);
	assert_int_equal(settle(hand_out(), QUEUE_RETRY).duty, DUTY_NONE);
}

/* SECURITY.md row 45: a clock that jumped bounces nothing and stalls nothing. */
static void
test_clocks_that_jumped(void **state)
{
	struct queue_entry e = entry(1, "a.example");
	struct queue_settled s;

	(void)state;
	e.expires = (struct mono){ -DAY };	/* over, but never tried */
	e.arrived = (struct mono){ -9 * DAY };
	e.due = (struct mono){ -DAY };
	assert_int_equal(queue_admit(q, now, &e), 0);
	s = settle(hand_out(), QUEUE_RETRY);
	assert_int_equal(s.duty, DUTY_NONE);
	wait_until(s.due);
	s = settle(hand_out(), QUEUE_RETRY);
	assert_int_equal(s.duty, DUTY_EXPIRE);
	/* Tried before, and due in a hundred days: within the longest pause. */
	e = entry(2, "b.example");
	e.tries = 1;
	e.expires = mono_add(now, 500 * DAY);
	e.due = mono_add(now, 100 * DAY);
	assert_int_equal(queue_admit(q, now, &e), 0);
	wait_until(mono_add(now, retry_longest(&config.retry) + 2 * NS_PER_MS));
	assert_int_equal(hand_out().ref.id, 2);
	/* Never tried: a release time, but not beyond expiry. */
	e = entry(3, "c.example");
	e.due = mono_add(now, 100 * DAY);
	assert_int_equal(queue_admit(q, now, &e), 0);
	wait_until(mono_add(e.expires, -SECOND));
	assert_true(hands_out_nothing());
	wait_until(mono_add(e.expires, 2 * NS_PER_MS));
	assert_int_equal(hand_out().ref.id, 3);
}

static void
test_returned_and_put_off_are_no_tries(void **state)
{
	struct queue_settled s;
	struct handoff h;

	(void)state;
	admit(1, "a.example");
	admit(2, "a.example");
	h = hand_out();
	assert_int_equal(h.ref.id, 1);
	s = settle(h, QUEUE_RETURNED);
	assert_true(s.state == ITEM_DUE && s.tries == 0);
	h = hand_out();				/* first again, not last */
	assert_int_equal(h.ref.id, 1);
	s = settle(h, QUEUE_PUT_OFF);
	assert_true(s.state == ITEM_SCHEDULED && s.tries == 0);
	assert_in_range(s.due.ns, now.ns + config.put_off_ns,
	    now.ns + config.put_off_ns + 2 * NS_PER_MS);
	assert_int_equal(hand_out().ref.id, 2);
	assert_true(hands_out_nothing());
	wait_until(s.due);
	assert_int_equal(hand_out().tries, 0);
}

static void
test_a_route_is_asked_for_again(void **state)
{
	struct str domain;
	struct handoff h;

	(void)state;
	for (uint64_t i = 1; i <= 4; i++)
		admit(i, "a.example");
	assert_int_equal(hand_out().ref.id, 1);
	now = mono_add(now, HOUR);		/* no longer fresh */
	assert_false(queue_hand_out(q, now, &h));
	assert_true(queue_due_domain(q, now, &domain));
	assert_int_equal(queue_domain_resolved(q, now, domain,
	    &(struct queue_route){ STR("other"), STR(""), STR("s"), 1 }), 0);
	assert_true(queue_hand_out(q, now, &h));
	assert_true(str_eq(h.site, STR("other")));
	queue_configure(q, &config);		/* a reload */
	assert_false(queue_hand_out(q, now, &h));
	assert_int_equal(resolve_all(), 1);
	assert_true(queue_hand_out(q, now, &h));
	assert_true(str_eq(h.site, STR("a.example")));
	/* Fresh, and nothing due: nobody asks. */
	assert_true(queue_hand_out(q, now, &h));
	now = mono_add(now, DAY);
	assert_int_equal(resolve_all(), 0);
}

/* Whatever is away of others, the next site and the next tenant find room. */
static void
test_nobody_takes_all_the_room(void **state)
{
	struct queue_entry e;
	struct handoff h;
	unsigned flood = 0;

	(void)state;
	config.away_most = 1000;
	for (uint64_t i = 0; i < 5000; i++) {
		e = entry(10000 + i, i % 2 == 0 ? "big.example" :
		    "big2.example");
		e.tenant = STR("flood");
		assert_int_equal(queue_admit(q, now, &e), 0);
	}
	(void)resolve_all();
	while (queue_hand_out(q, now, &h))
		flood++;
	assert_in_range(flood, 50, 500);
	admit(1, "small.example");		/* another site */
	assert_int_equal(hand_out().ref.id, 1);
	admit(2, "big.example");		/* another tenant, same site */
	assert_int_equal(hand_out().ref.id, 2);
	assert_true(hands_out_nothing());
}

static void
test_blocked_lanes_go_on_when_others_come_home(void **state)
{
	static struct handoff away[64];
	struct handoff h;
	size_t n = 0, done = 0;

	(void)state;
	config.away_most = 20;
	for (uint64_t i = 1; i <= 500; i++)
		admit(i, i % 3 == 0 ? "a.example" : "b.example");
	while (done < 500) {
		(void)resolve_all();
		while (n < 64 && queue_hand_out(q, now, &h)) {
			away[n++] = h;
			assert_true(in_state(ITEM_AWAY) <= 20);
		}
		assert_true(n > 0);
		(void)settle(away[--n], QUEUE_ENDED);
		done++;
	}
	assert_int_equal(view_counts(q).items, 0);
}

/* The site of a blocked lane may change, or its domain fail. */
static void
test_blocked_lanes_change_sites(void **state)
{
	struct handoff h, first;
	struct str domain;
	unsigned n = 0;

	(void)state;
	config.away_most = 8;
	for (uint64_t i = 1; i <= 100; i++)
		admit(i, "a.example");
	first = hand_out();
	while (queue_hand_out(q, now, &h))
		n++;
	assert_in_range(n, 1, 7);
	queue_configure(q, &config);
	admit(101, "a.example");
	assert_int_equal(settle(first, QUEUE_RETURNED).state, ITEM_DUE);
	assert_false(queue_hand_out(q, now, &h));
	assert_true(queue_due_domain(q, now, &domain));
	assert_int_equal(queue_domain_resolved(q, now, domain,
	    &(struct queue_route){ STR("new"), STR(""), STR("s"), HOUR }), 0);
	assert_true(queue_hand_out(q, now, &h));
	assert_true(str_eq(h.site, STR("new")) && h.ref.id == first.ref.id);
	queue_configure(q, &config);
	while (queue_hand_out(q, now, &h))
		fail();
	assert_true(queue_due_domain(q, now, &domain));
	queue_domain_failed(q, now, domain, false);
	for (n = 0; queue_failed_next(q, now, domain, &h); n++)
		(void)settle(h, QUEUE_ENDED);
	assert_true(n > 90);
}

static void
test_turns_go_round_and_urgent_first(void **state)
{
	struct queue_entry e;
	uint64_t ids[9];

	(void)state;
	for (uint64_t i = 0; i < 300; i++) {
		e = entry(100 + i, "a.example");
		e.tenant = i % 2 == 0 ? STR("t0") : STR("t1");
		assert_int_equal(queue_admit(q, now, &e), 0);
	}
	for (uint64_t i = 0; i < 20; i++) {
		e = entry(1000 + i, "a.example");
		e.priority = PRIORITY_URGENT;
		assert_int_equal(queue_admit(q, now, &e), 0);
	}
	for (int i = 0; i < 9; i++)
		ids[i] = hand_out().ref.id;
	for (int i = 0; i < 8; i++)
		assert_int_equal(ids[i], 1000 + i);
	assert_true(ids[8] < 1000);		/* others are not shut out */
	for (int i = 0; i < 12; i++)
		(void)hand_out();
	for (int i = 0; i < 10; i++) {
		uint64_t a = hand_out().ref.id, b = hand_out().ref.id;

		assert_int_equal((a + b) % 2, 1);
	}
}

static void
test_full(void **state)
{
	struct queue_entry e = entry(1, "a.example");
	struct handoff h;

	(void)state;
	config.items_most = 2;
	assert_int_equal(queue_admit(q, now, &e), 0);
	assert_false(queue_is_full(q));
	e.id = 2;
	assert_int_equal(queue_admit(q, now, &e), 0);
	assert_true(queue_is_full(q));
	e.id = 3;
	assert_int_equal(queue_admit(q, now, &e), -1);
	assert_int_equal(view_counts(q).items, 2);
	h = hand_out();
	(void)settle(h, QUEUE_ENDED);
	assert_int_equal(queue_admit(q, now, &e), 0);
}

/* Domains and tenants that come and go leave no more behind than some kept. */
static void
test_what_is_idle_is_little(void **state)
{
	struct queue_entry e;
	char name[32];

	(void)state;
	for (uint64_t i = 1; i <= 3000; i++) {
		snprintf(name, sizeof name, "d%u.example", (unsigned)i);
		e = entry(i, name);
		e.tenant = e.domain;
		assert_int_equal(queue_admit(q, now, &e), 0);
		(void)settle(hand_out(), QUEUE_ENDED);
	}
	assert_in_range(view_counts(q).domains, 1, 257);
	assert_in_range(view_counts(q).sites, 1, 257);
	assert_in_range(view_counts(q).flows, 1, 257);
	assert_true(view_counts(q).memory < 340 * 1024);
	queue_close(NULL);
}

/* Of 200,000 messages that wait for a retry, half of them to 50 domains, half
 * to 5,000, for 20 tenants. */
static void
test_memory_of_an_item(void **state)
{
	struct queue_entry e;
	struct view_counts c;
	char domain[32], tenant[32];

	(void)state;
	for (uint64_t i = 1; i <= 200000; i++) {
		e = entry(i, "");
		e.domain = (struct str){ domain, (size_t)snprintf(domain,
		    sizeof domain, "domain-%u.example",
		    (unsigned)(i / 2 % (i % 2 == 0 ? 5000 : 50))) };
		e.tenant = (struct str){ tenant, (size_t)snprintf(tenant,
		    sizeof tenant, "tenant-%u", (unsigned)(i / 7 % 20)) };
		e.due = mono_add(now, HOUR + (int64_t)i);
		assert_int_equal(queue_admit(q, now, &e), 0);
	}
	c = view_counts(q);
	print_message("%zu items in %zu domains: %zu octets each\n", c.items,
	    c.domains, c.memory / c.items);
	assert_int_equal(c.domains, 5000);
	assert_in_range(c.memory / c.items, 100, 200);
}

static void
test_close_forgets_in_any_state(void **state)
{
	struct str domain;

	(void)state;
	admit(1, "a.example");
	(void)hand_out();
	admit(2, "a.example");
	admit(3, "b.example");
	admit(4, "c.example");
	assert_true(queue_hold(q, now, ref(4)));
	assert_true(queue_due_domain(q, now, &domain));
	admit(5, "d.example");
	assert_true(queue_due_domain(q, now, &domain));
	queue_domain_failed(q, now, domain, false);
	/* end() closes it; the sanitizers watch. */
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_message_goes_its_way),
		TEST(test_not_before_it_is_due),
		TEST(test_four_days_of_retries),
		TEST(test_a_thousand_messages_do_not_knock_a_thousand_times),
		TEST(test_a_failed_domain_shares_its_verdict),
		TEST(test_parts_of_a_message_end_one_by_one),
		TEST(test_delay_warned_before),
		TEST(test_delay_warning_once),
		TEST(test_delay_warnings),
		TEST(test_clocks_that_jumped),
		TEST(test_returned_and_put_off_are_no_tries),
		TEST(test_a_route_is_asked_for_again),
		TEST(test_nobody_takes_all_the_room),
		TEST(test_blocked_lanes_go_on_when_others_come_home),
		TEST(test_blocked_lanes_change_sites),
		TEST(test_turns_go_round_and_urgent_first),
		TEST(test_full),
		TEST(test_what_is_idle_is_little),
		TEST(test_memory_of_an_item),
		TEST(test_close_forgets_in_any_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
