#include "spool/envelope.h"

#include "spool/tlv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { ROOM = 2048 };

static struct arena arena;

static int
arena_up(void **state)
{
	(void)state;
	arena_init(&arena, 1 << 20);
	return 0;
}

static int
arena_down(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

static const struct recipient_more more[] = {
	{ .shared = { "\2\0\0\0", 4 } },
	{ .sender = STR_INIT("owner-list@example.org"),
	  .rule = STR_INIT("alias trash@example.org") },
};

static struct recipient rcpts[] = {
	{ .address = STR_INIT("list@example.org"), .parent = RECIPIENT_NO_PARENT,
	  .flags = RECIPIENT_EXPANDED, .more = &more[0] },
	{ .address = STR_INIT("a@example.org"), .orig = STR_INIT("List@example.org"),
	  .parent = 0, .notify = NOTIFY_SUCCESS | NOTIFY_DELAY,
	  .orcpt = STR_INIT("rfc822;+List@example.org") },
	{ .address = STR_INIT("\"b c\"@example.net"), .parent = 0,
	  .more = &more[1],
	  .flags = RECIPIENT_DISCARDED, .notify = NOTIFY_NEVER },
	{ .address = STR_INIT("list@example.org"), .parent = 0,
	  .transport = STR_INIT("|/usr/bin/archive ${sender}") },
};

static const struct envelope full = {
	.parent = 77, .sender = STR_INIT("s@example.com"), .tenant = STR_INIT("acme"),
	.stream = STR_INIT("bulk"), .idempotency_key = STR_INIT("k-1"),
	.client = STR_INIT("2001:db8::1"), .client_name = STR_INIT("host.example"),
	.helo = STR_INIT("me"), .user = STR_INIT("joe"), .protocol = STR_INIT("ESMTPSA"),
	.listener = STR_INIT("mx:25"), .arrived = { 1700000000000000 },
	.release = { 1700000001000000 }, .expires = { INT64_MAX },
	.envid = STR_INIT("QQ+314159"), .ret = RET_HDRS,
	.flags = ENVELOPE_8BIT | ENVELOPE_SMTPUTF8 | ENVELOPE_BINARY,
	.size = 123456789012,
	.epoch = 65535, .n_rcpts = 3, .rcpts = rcpts,
};

static void
recipients_equal(const struct recipient *x, const struct recipient *y)
{
	assert_true(str_eq(x->address, y->address));
	assert_true(str_eq(x->orig, y->orig));
	assert_int_equal(x->notify, y->notify);
	assert_true(str_eq(x->orcpt, y->orcpt));
	assert_int_equal(x->orcpt.p == NULL, y->orcpt.p == NULL);
	assert_true(str_eq(x->transport, y->transport));
	assert_int_equal(x->more == NULL, y->more == NULL);
	assert_true(str_eq(recipient_more(x)->sender, recipient_more(y)->sender));
	assert_true(str_eq(recipient_more(x)->shared, recipient_more(y)->shared));
	assert_true(str_eq(recipient_more(x)->rule, recipient_more(y)->rule));
	assert_int_equal(x->parent, y->parent);
	assert_int_equal(x->flags, y->flags);
	assert_int_equal(recipient_is_over(x), recipient_is_over(y));
}

static void
all_fields_come_back(void **state)
{
	char room[ROOM];
	struct buf b = BUF_OF(room);
	struct envelope e;

	(void)state;
	envelope_encode(&full, &b);
	assert_false(b.full);
	assert_true(b.n <= envelope_room(&full));
	assert_int_equal(envelope_decode(buf_str(&b), &arena, &e), ENVELOPE_FINE);
	assert_int_equal(e.parent, 77);
	assert_true(str_eq(e.sender, full.sender));
	assert_true(str_eq(e.tenant, full.tenant));
	assert_true(str_eq(e.stream, full.stream));
	assert_true(str_eq(e.idempotency_key, full.idempotency_key));
	assert_true(str_eq(e.client, full.client));
	assert_true(str_eq(e.client_name, full.client_name));
	assert_true(str_eq(e.helo, full.helo));
	assert_true(str_eq(e.user, full.user));
	assert_true(str_eq(e.protocol, full.protocol));
	assert_true(str_eq(e.listener, full.listener));
	assert_true(e.arrived.us == full.arrived.us);
	assert_true(e.release.us == full.release.us);
	assert_true(e.expires.us == INT64_MAX);
	assert_int_equal(e.flags, full.flags);
	assert_true(e.size == full.size);
	assert_int_equal(e.epoch, 65535);
	assert_true(str_eq(e.envid, full.envid));
	assert_int_equal(e.ret, RET_HDRS);
	assert_int_equal(e.n_rcpts, 3);
	for (size_t i = 0; i < 3; i++)
		recipients_equal(&e.rcpts[i], &rcpts[i]);
}

static void
little_is_enough(void **state)
{
	struct recipient r = { .address = STR("a@b"),
		.parent = RECIPIENT_NO_PARENT };
	struct envelope e = { .n_rcpts = 1, .rcpts = &r,
		.arrived = { -5 } };
	char room[ROOM];
	struct buf b = BUF_OF(room);

	(void)state;
	envelope_encode(&e, &b);
	assert_true(b.n <= envelope_room(&e));
	assert_int_equal(envelope_decode(buf_str(&b), &arena, &e), ENVELOPE_FINE);
	assert_non_null(e.sender.p);
	assert_int_equal(e.sender.n, 0);
	assert_true(str_eq(e.tenant, STR("default")));
	assert_true(str_eq(e.stream, STR("default")));
	assert_true(e.arrived.us == 0);
	assert_null(e.user.p);
	assert_int_equal(e.envid.n, 0);
	assert_int_equal(e.ret, RET_NONE);
	assert_int_equal(e.rcpts[0].notify, 0);
	assert_null(e.rcpts[0].orcpt.p);
	assert_null(e.rcpts[0].transport.p);
}

static void
unknown_tags_are_skipped_or_foreign(void **state)
{
	char room[ROOM];
	struct buf b = BUF_OF(room);
	struct envelope e;

	(void)state;
	envelope_encode(&full, &b);
	tlv_put(&b, 0xf0, STR("later"));
	tlv_put(&b, TAG_EXTENTS, STR("0123456789abcdef"));
	assert_int_equal(envelope_decode(buf_str(&b), &arena, &e), ENVELOPE_FINE);
	tlv_put(&b, 0x7e, STR("new law"));
	assert_int_equal(envelope_decode(buf_str(&b), &arena, &e),
	    ENVELOPE_FOREIGN);
}

static void
words_that_do_not_exist_are_malformed(void **state)
{
	struct recipient r = { .address = STR("a@b"),
		.parent = RECIPIENT_NO_PARENT, .notify = NOTIFY_ALL };
	struct envelope e = { .n_rcpts = 1, .rcpts = &r, .ret = RET_HDRS };
	char room[ROOM];
	struct buf b = BUF_OF(room);
	size_t n;

	(void)state;
	envelope_encode(&e, &b);
	assert_int_equal(envelope_check(buf_str(&b), &n), ENVELOPE_FINE);
	r.notify = NOTIFY_ALL + 1;
	b.n = 0;
	envelope_encode(&e, &b);
	assert_int_equal(envelope_check(buf_str(&b), &n), ENVELOPE_MALFORMED);
	r.notify = 0;
	b.n = 0;
	envelope_encode(&e, &b);
	tlv_put_u64(&b, TAG_RET, RET_HDRS + 1);
	assert_int_equal(envelope_check(buf_str(&b), &n), ENVELOPE_MALFORMED);
}

static void
every_cut_is_malformed_or_less(void **state)
{
	char room[ROOM];
	struct buf b = BUF_OF(room);
	struct envelope e;

	(void)state;
	envelope_encode(&full, &b);
	for (size_t i = 0; i < b.n; i++) {
		struct arena_mark m = arena_mark(&arena);
		enum envelope_fault fault = envelope_decode(
		    (struct str){ room, i }, &arena, &e);

		assert_true(fault == ENVELOPE_MALFORMED || e.n_rcpts < 3);
		arena_back(&arena, m);
	}
}

static void
a_full_arena_is_said(void **state)
{
	char room[ROOM];
	struct buf b = BUF_OF(room);
	struct arena small;
	struct envelope e;

	(void)state;
	envelope_encode(&full, &b);
	arena_init(&small, 100);
	assert_int_equal(envelope_decode(buf_str(&b), &small, &e),
	    ENVELOPE_NO_ROOM);
	arena_clear(&small);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(all_fields_come_back, arena_up,
		    arena_down),
		cmocka_unit_test_setup_teardown(little_is_enough, arena_up,
		    arena_down),
		cmocka_unit_test_setup_teardown(unknown_tags_are_skipped_or_foreign,
		    arena_up, arena_down),
		cmocka_unit_test_setup_teardown(words_that_do_not_exist_are_malformed,
		    arena_up, arena_down),
		cmocka_unit_test_setup_teardown(every_cut_is_malformed_or_less,
		    arena_up, arena_down),
		cmocka_unit_test_setup_teardown(a_full_arena_is_said, arena_up,
		    arena_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
