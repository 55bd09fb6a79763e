/* What operators do to items: hold, release, retry now, cancel. */
#include "queue/test_queue.h"

static void
test_hold_and_release(void **state)
{
	struct queue_settled s;
	struct handoff h;

	(void)state;
	admit(1, "a.example");
	assert_true(queue_hold(q, now, ref(1)));
	assert_true(queue_hold(q, now, ref(1)));	/* no harm */
	assert_true(has_state(1, ITEM_HELD));
	assert_true(hands_out_nothing());
	assert_true(queue_release(q, now, ref(1)));
	h = hand_out();
	/* While away: it obeys when it comes home, but may yet end. */
	assert_true(queue_hold(q, now, ref(1)));
	assert_true(has_state(1, ITEM_AWAY));
	s = settle(h, QUEUE_RETRY);
	assert_true(s.state == ITEM_HELD && s.duty == DUTY_NONE);
	assert_true(queue_release(q, now, ref(1)));
	h = hand_out();
	assert_true(queue_hold(q, now, ref(1)));
	assert_true(queue_release(q, now, ref(1)));
	s = settle(h, QUEUE_RETRY);
	assert_int_equal(s.state, ITEM_SCHEDULED);
	/* Released before its time, it still waits for it. */
	assert_true(queue_hold(q, now, ref(1)));
	assert_true(queue_release(q, now, ref(1)));
	assert_true(has_state(1, ITEM_SCHEDULED));
	wait_until(s.due);
	h = hand_out();
	assert_true(queue_hold(q, now, ref(1)));
	(void)settle(h, QUEUE_ENDED);
	assert_false(queue_hold(q, now, h.ref));
	assert_false(queue_release(q, now, h.ref));
	assert_false(queue_retry_now(q, now, h.ref));
}

static void
test_held_is_queued_and_has_a_maximum_age(void **state)
{
	struct queue_entry e = entry(1, "a.example");
	enum queue_duty duty;
	struct handoff h;

	(void)state;
	e.is_held = true;
	e.held_since = (struct mono){ now.ns - 10 * DAY };
	assert_int_equal(queue_admit(q, now, &e), 0);
	e.id = 2;
	e.held_since = (struct mono){ 0 };	/* not told: from now */
	assert_int_equal(queue_admit(q, now, &e), 0);
	wait_until(mono_add(now, 20 * DAY - SECOND));
	assert_false(queue_overdue(q, now, &h, &duty));
	wait_until(mono_add(now, 2 * SECOND));
	assert_true(queue_overdue(q, now, &h, &duty));
	assert_true(duty == DUTY_EXPIRE && h.ref.id == 1);
	assert_false(queue_overdue(q, now, &h, &duty));
	(void)settle(h, QUEUE_ENDED);
	wait_until(mono_add(now, 10 * DAY));
	assert_true(queue_next_at(q).ns <= now.ns);
	assert_false(queue_hand_out(q, now, &h));	/* time moves it */
	assert_true(queue_release(q, now, ref(2)));	/* just in time */
	assert_false(queue_overdue(q, now, &h, &duty));
	assert_int_equal(hand_out().ref.id, 2);
}

static void
test_retry_now(void **state)
{
	struct queue_settled s;
	struct handoff h;
	struct str domain;

	(void)state;
	admit(1, "a.example");
	s = settle(hand_out(), QUEUE_RETRY);
	assert_true(s.due.ns > now.ns && hands_out_nothing());
	assert_true(queue_retry_now(q, now, ref(1)));
	assert_int_equal(hand_out().ref.id, 1);
	assert_true(queue_retry_now(q, now, ref(1)));	/* away: no harm */
	/* The back-off of its domain is lifted too. */
	admit(2, "dead.example");
	assert_true(queue_due_domain(q, now, &domain));
	queue_domain_failed(q, now, domain, false);
	assert_true(queue_failed_next(q, now, domain, &h));
	(void)settle(h, QUEUE_RETRY);
	assert_false(queue_failed_next(q, now, domain, &h));
	admit(3, "dead.example");
	assert_false(queue_due_domain(q, now, &domain));
	assert_true(queue_retry_now(q, now, ref(2)));
	assert_true(queue_due_domain(q, now, &domain));
	queue_domain_failed(q, now, domain, false);
	assert_true(queue_failed_next(q, now, domain, &h));
	assert_true(queue_failed_next(q, now, domain, &h));
}

static void
test_cancel(void **state)
{
	enum queue_duty duty;
	struct queue_settled s;
	struct handoff h, away;

	(void)state;
	for (uint64_t i = 1; i <= 5; i++)
		admit(i, "a.example");
	assert_int_equal(queue_cancel(q, now, ref(5), &h), CANCEL_NOW);
	assert_true(h.ref.id == 5 && has_state(5, ITEM_AWAY));
	assert_int_equal(queue_cancel(q, now, h.ref, &away), CANCEL_LATER);
	(void)settle(h, QUEUE_ENDED);
	assert_int_equal(queue_cancel(q, now, h.ref, &h), CANCEL_GONE);
	/* Away: when it comes home, unless it has ended. */
	away = hand_out();
	assert_int_equal(queue_cancel(q, now, away.ref, &h), CANCEL_LATER);
	s = settle(away, QUEUE_RETRY);
	assert_true(s.duty == DUTY_CANCEL && s.state == ITEM_AWAY);
	(void)settle(away, QUEUE_ENDED);
	away = hand_out();
	assert_int_equal(queue_cancel(q, now, away.ref, &h), CANCEL_LATER);
	assert_int_equal(settle(away, QUEUE_RETURNED).duty, DUTY_CANCEL);
	/* It could not be recorded: asked for again, never delivered. */
	assert_int_equal(settle(away, QUEUE_PUT_OFF).duty, DUTY_NONE);
	assert_true(queue_release(q, now, away.ref));	/* too late */
	assert_false(queue_overdue(q, now, &h, &duty));
	wait_until(mono_add(now, config.put_off_ns + 2 * NS_PER_MS));
	assert_true(queue_overdue(q, now, &h, &duty));
	assert_true(duty == DUTY_CANCEL && h.ref.id == away.ref.id);
	(void)settle(h, QUEUE_ENDED);
	/* Held, and scheduled. */
	assert_true(queue_hold(q, now, ref(3)));
	assert_int_equal(queue_cancel(q, now, ref(3), &h), CANCEL_NOW);
	(void)settle(h, QUEUE_ENDED);
	(void)settle(hand_out(), QUEUE_RETRY);
	assert_int_equal(queue_cancel(q, now, ref(4), &h), CANCEL_NOW);
	(void)settle(h, QUEUE_ENDED);
	assert_int_equal(view_counts(q).items, 0);
	assert_int_equal(view_counts(q).ended, 5);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_hold_and_release),
		TEST(test_held_is_queued_and_has_a_maximum_age),
		TEST(test_retry_now),
		TEST(test_cancel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
