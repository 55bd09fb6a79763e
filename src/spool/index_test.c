#include "spool/index.h"

#include "spool/log.h"
#include "spool/room.h"
#include "spool/super.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static struct index x;
static struct segment one, two;

static int
up(void **state)
{
	(void)state;
	one = (struct segment){ .number = 1 };
	two = (struct segment){ .number = 2 };
	return index_init(&x);
}

static int
down(void **state)
{
	(void)state;
	index_clear(&x);
	return 0;
}

static struct kept *
put(uint64_t id, uint32_t n, struct segment *s, uint64_t at)
{
	struct kept *k = kept_new(&x, id, n, 0);

	assert_non_null(k);
	index_insert(&x, k, (struct kept_place){ .segment = s, .at = at,
		.payload_n = 100, .body_n = 1000 });
	return k;
}

static void
messages_are_found_until_they_end(void **state)
{
	(void)state;
	for (uint64_t id = 1; id <= 5000; id++)
		(void)put(id, 1, &one, id * 8);
	assert_int_equal(x.n, 5000);
	assert_int_equal(x.id_most, 5000);
	assert_int_equal(one.refs, 5000);
	assert_true(one.live_bytes == x.live_bytes);
	for (uint64_t id = 1; id <= 5000; id++) {
		struct kept *k = index_find(&x, id);

		assert_true(k != NULL && kept_id(k) == id);
		assert_int_equal(k->at, id);
		if (id % 2 == 0)
			continue;
		assert_true(kept_end(k, 0));
		index_settle(&x, k);
		assert_null(index_find(&x, id));
	}
	assert_int_equal(x.n, 2500);
	assert_int_equal(one.refs, 2500);
	for (uint64_t id = 2; id <= 5000; id += 2) {
		kept_end_all(index_find(&x, id));
		index_settle(&x, index_find(&x, id));
	}
	assert_int_equal(x.n, 0);
	assert_int_equal(one.refs, 0);
	assert_int_equal(x.live_bytes, 0);
	assert_true(list_is_empty(&x.chunks));	/* all memory went back */
}

static void
ends_are_counted(uint32_t n)
{
	struct kept *k = put(n, n, &one, 8);

	assert_int_equal(kept_recipients(k), n);
	assert_false(kept_end(k, n));
	for (uint32_t i = 0; i < n; i += 3) {
		assert_false(kept_has_ended(k, i));
		assert_true(kept_end(k, i));
		assert_false(kept_end(k, i));
		assert_true(kept_has_ended(k, i));
	}
	assert_int_equal(kept_left(k), n - (n + 2) / 3);
	index_settle(&x, k);
	assert_int_equal(index_find(&x, n) == NULL, n == 1);
	if (n > 1) {
		kept_end_all(k);
		index_settle(&x, k);
	}
	assert_null(index_find(&x, n));
}

static void
any_number_of_recipients(void **state)
{
	static const uint32_t ns[] = { 1, 2, 31, 32, 33, 63, 64, 65, 1000 };

	(void)state;
	for (size_t i = 0; i < sizeof ns / sizeof *ns; i++)
		ends_are_counted(ns[i]);
	assert_int_equal(one.refs, 0);
}

static void
extents_hold_their_segments(void **state)
{
	struct kept *k = kept_new(&x, 9, 40, 2);

	(void)state;
	k->more->extents[0] = (struct extent){ .segment = &one, .n = 1000 };
	k->more->extents[1] = (struct extent){ .segment = NULL, .n = 1000 };
	index_insert(&x, k, (struct kept_place){ .segment = &two, .at = 8 });
	assert_int_equal(one.refs, 1);
	assert_int_equal(two.refs, 1);
	assert_int_equal(one.live_bytes, 1056);
	k->pins++;
	kept_end_all(k);
	x.given = 77;
	index_settle(&x, k);
	assert_int_equal(x.n, 0);		/* counts no more, but is there */
	assert_int_equal(one.refs, 1);
	k->pins--;
	index_settle(&x, k);
	assert_int_equal(one.refs, 0);
	assert_int_equal(two.refs, 0);
	assert_int_equal(one.freed_at, 77);
}

static void
a_move_carries_the_reference(void **state)
{
	struct kept *k = put(5, 1, &one, 800);

	(void)state;
	index_move(&x, k, (struct kept_place){ .segment = &two, .at = 1600,
		.payload_n = 10 });
	assert_int_equal(one.refs, 0);
	assert_int_equal(one.live_bytes, 0);
	assert_int_equal(two.refs, 1);
	assert_int_equal(k->at, 200);
	kept_end_all(k);
	index_settle(&x, k);
	assert_int_equal(two.refs, 0);
}

static void
a_kept_message_is_small(void **state)
{
	(void)state;
	assert_true(sizeof(struct kept) <= 80);
}

static void
the_log_is_one_row(void **state)
{
	struct log l = { .n = 0 };
	struct segment s = { .fd = -1 };

	(void)state;
	assert_null(log_front(&l));
	assert_null(log_last(&l));
	for (s.number = 5; s.number < 50; s.number++)
		if (s.number < 10 || s.number > 12)
			assert_non_null(log_append(&l, &s));
	assert_int_equal(l.n, 45);
	assert_null(log_find(&l, 4));
	assert_null(log_find(&l, 11));
	assert_null(log_find(&l, 50));
	assert_int_equal(log_find(&l, 13)->number, 13);
	for (uint64_t number = 5; number < 10; number++) {
		struct segment *front = log_pop(&l);

		assert_int_equal(front->number, number);
		segment_free(front);
	}
	assert_int_equal(log_front(&l)->number, 13);
	segment_free(log_pop_last(&l));
	assert_int_equal(log_last(&l)->number, 48);
	s.number = 48 + (1 << 16) + 2;		/* a gap that cannot be */
	assert_null(log_append(&l, &s));
	log_clear(&l);
}

static void
rooms_have_a_ceiling(void **state)
{
	struct room *a, *b, *c;
	struct rooms r;

	(void)state;
	rooms_init(&r, ROOM_SMALL + ROOM_LARGE + 100000);
	assert_non_null(a = room_take(&r, ROOM_SMALL));
	assert_non_null(b = room_take(&r, ROOM_SMALL + 1));
	assert_int_equal(b->cap, ROOM_LARGE);
	assert_non_null(c = room_take(&r, 100000));
	assert_null(room_take(&r, 1));
	room_give(&r, a);
	assert_ptr_equal(room_take(&r, 1), a);
	room_give(&r, a);
	room_give(&r, b);
	room_give(&r, c);
	room_give(&r, NULL);
	assert_int_equal(r.out, 0);
	/* little that lies still, which is not kept; and when there is much */
	assert_non_null(a = room_take_exact(&r, 100));
	assert_int_equal(a->cap, 100);
	assert_int_equal(r.out, 100);
	assert_false(rooms_are_short(&r));
	assert_non_null(b = room_take(&r, ROOM_LARGE));
	assert_true(rooms_are_short(&r));
	room_give(&r, b);
	assert_false(rooms_are_short(&r));
	room_give(&r, a);
	assert_int_equal(r.out, 0);
	rooms_clear(&r);
}

static void
superblocks_come_back(void **state)
{
	struct super s = { .version = 2, .oldest_reader = 1, .generation = 3,
		.instance = 4, .node = 5, .number = 6, .is_clean = true,
		.ids = 7, .next_segment = 8, .sequence = 9, .tail = 10,
		.tail_end = 11 }, back;
	char room[SUPER_BYTES];
	struct buf b = BUF_OF(room);

	(void)state;
	super_encode(&s, &b);
	assert_int_equal(b.n, SUPER_BYTES);
	/* a later version that says we can read it */
	assert_int_equal(super_decode(buf_str(&b), &back), SUPER_FINE);
	assert_true(back.version == 2 && back.oldest_reader == 1);
	assert_true(back.generation == 3 && back.instance == 4);
	assert_true(back.node == 5 && back.number == 6 && back.is_clean);
	assert_true(back.ids == 7 && back.next_segment == 8);
	assert_true(back.sequence == 9 && back.tail == 10);
	assert_int_equal(back.tail_end, 11);
	for (size_t i = 0; i < SUPER_BYTES; i++) {
		room[i] ^= 4;
		assert_int_equal(super_decode(buf_str(&b), &back),
		    SUPER_DAMAGED);
		room[i] ^= 4;
		assert_int_equal(super_decode((struct str){ room, i }, &back),
		    SUPER_DAMAGED);
	}
	/* one that says we cannot, and one too old for us */
	s.oldest_reader = SUPER_VERSION + 1;
	b.n = 0;
	super_encode(&s, &b);
	assert_int_equal(super_decode(buf_str(&b), &back), SUPER_FOREIGN);
	s.oldest_reader = 0;
	s.version = SUPER_READS - 1;
	b.n = 0;
	super_encode(&s, &b);
	assert_int_equal(super_decode(buf_str(&b), &back), SUPER_FOREIGN);
}

int
main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, up, down)
	const struct CMUnitTest tests[] = {
		TEST(messages_are_found_until_they_end),
		TEST(any_number_of_recipients),
		TEST(extents_hold_their_segments),
		TEST(a_move_carries_the_reference),
		TEST(a_kept_message_is_small),
		TEST(the_log_is_one_row),
		TEST(rooms_have_a_ceiling),
		TEST(superblocks_come_back),
	};
#undef TEST

	return cmocka_run_group_tests(tests, NULL, NULL);
}
