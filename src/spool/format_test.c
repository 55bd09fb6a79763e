#include "spool/apply.h"
#include "spool/own.h"
#include "spool/sidecar.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/*
 * Octets that earlier builds wrote.  Whoever changes the format changes its
 * version, adds the new octets here and goes on reading the old ones (SECURITY.md
 * B7 T10).
 */
static const char commit_v1[] =
    "4e4d007201020100df0000000c0000008877665544332211090000000000000007000000"
    "0008400029712d455a058e43000200000ba0778e010800007340622e7465737402040000"
    "61636d650304000062756c6b0407000000401e18240a060507000001401e18240a060607"
    "000002401e18240a060701000003080100000c800100004d810200006b31820900003139"
    "322e302e322e3183060000682e74657374840200006d65850300006a6f65860500004553"
    "4d5450870500006d783a32350a1400000b0b00006c69737440612e746573740d01000001"
    "0a2600000b0800006240612e74657374880b00004c69737440612e746573740c01000001"
    "0e02000001020a1100000b0800006340612e746573740c0100000148693a20780d0a0d0a"
    "790d0a0000000000";
static const char moved_v1[] =
    "4e4d0072010a0100200100000000000088776655443322110a0000000000000007000000"
    "00084000434f1142000000000002000032fdaaff010800007340622e7465737402040000"
    "61636d650304000062756c6b0407000000401e18240a060507000001401e18240a060607"
    "000002401e18240a060701000003080100000c800100004d810200006b31820900003139"
    "322e302e322e3183060000682e74657374840200006d65850300006a6f65860500004553"
    "4d5450870500006d783a32350a1400000b0b00006c69737440612e746573740d01000001"
    "0a2600000b0800006240612e74657374880b00004c69737440612e746573740c01000001"
    "0e02000001020a1100000b0800006340612e746573740c01000001112900001308000003"
    "000000000000001408000005000000000000001508000001000000000000001201000003"
    "101000000100000000000000bc02000040000000";
static const char outcome_v1[] =
    "4e4d0072010401001c0000000000000088776655443322110b0000000000000007000000"
    "0008400054afe69300000000000200009502504121180000200400000200000022010000"
    "0189010000fa8a0200006f6b00000000";
static const char super_v1[] =
    "4e4d53555045520101000000010000000300000000000000040000000000000005000000"
    "060000000100000000000000070000000000000008000000000000000900000000000000"
    "0a000000000000000b000000000000000000000080a344a7";
static const char sidecar_v1[] =
    "4e4d53494445000101000000000000000200000000000000030000000000000005000000"
    "000000000600000000000000040000000000000000000000c307c05d";

static char room[1024];

static int
nibble(char c)
{
	return ascii_is_digit(c) ? c - '0' : c - 'a' + 10;
}

static struct str
octets(const char *hex)
{
	size_t n = 0;

	for (; hex[2 * n] != '\0'; n++) {
		assert_true(n < sizeof room);
		room[n] = (char)(nibble(hex[2 * n]) << 4 |
		    nibble(hex[2 * n + 1]));
	}
	return (struct str){ room, n };
}

static void
envelope_is_as_it_was(const struct envelope *e)
{
	assert_int_equal(e->parent, 77);
	assert_true(str_eq(e->sender, STR("s@b.test")));
	assert_true(str_eq(e->tenant, STR("acme")));
	assert_true(str_eq(e->stream, STR("bulk")));
	assert_true(str_eq(e->idempotency_key, STR("k1")));
	assert_true(str_eq(e->client, STR("192.0.2.1")));
	assert_true(str_eq(e->client_name, STR("h.test")));
	assert_true(str_eq(e->helo, STR("me")));
	assert_true(str_eq(e->user, STR("joe")));
	assert_true(str_eq(e->protocol, STR("ESMTP")));
	assert_true(str_eq(e->listener, STR("mx:25")));
	assert_true(e->arrived.us == 1700000000000000);
	assert_true(e->release.us == 1700000000000001);
	assert_true(e->expires.us == 1700000000000002);
	assert_int_equal(e->flags, ENVELOPE_8BIT | ENVELOPE_SMTPUTF8);
	assert_int_equal(e->size, 12);
	assert_int_equal(e->n_rcpts, 3);
	assert_int_equal(e->rcpts[0].flags, RECIPIENT_EXPANDED);
	assert_true(str_eq(e->rcpts[1].address, STR("b@a.test")));
	assert_true(str_eq(e->rcpts[1].orig, STR("List@a.test")));
	/* the DSN of this record was of no meaning, and is read over */
	assert_int_equal(e->rcpts[1].notify, 0);
	assert_null(e->rcpts[1].orcpt.p);
	assert_int_equal(e->envid.n, 0);
	assert_int_equal(e->rcpts[1].parent, 0);
	assert_int_equal(e->rcpts[0].parent, RECIPIENT_NO_PARENT);
}

static void
a_commit_is_still_read(void **state)
{
	struct arena a;
	struct envelope e;
	struct record r;

	(void)state;
	assert_int_equal(record_read(octets(commit_v1), &r), RECORD_WHOLE);
	assert_int_equal(r.type, RECORD_COMMIT);
	assert_true(r.salt == 0x1122334455667788 && r.settled == 512);
	assert_true(r.id == UINT64_C(0x0040080000000007) && r.sequence == 9);
	assert_true(str_eq(r.body, STR("Hi: x\r\n\r\ny\r\n")));
	arena_init(&a, 4096);
	assert_int_equal(envelope_decode(r.payload, &a, &e), ENVELOPE_FINE);
	envelope_is_as_it_was(&e);
	arena_clear(&a);
}

static const struct kept *
apply(struct spool *sp, const char *hex)
{
	struct record r;

	assert_int_equal(record_read(octets(hex), &r), RECORD_WHOLE);
	assert_int_equal(apply_record(sp, &r, log_front(&sp->log), SEGMENT_HEAD),
	    APPLY_DONE);
	return index_find(&sp->index, r.id);
}

static void
what_became_of_it_is_still_understood(void **state)
{
	struct spool_config c = { .path = "/format" };
	struct segment s = { .number = 1, .fd = -1 };
	struct spool *sp = spool_new(&c);
	const struct kept *k;

	(void)state;
	assert_non_null(log_append(&sp->log, &s));
	k = apply(sp, commit_v1);
	assert_int_equal(kept_left(k), 2);
	assert_true(kept_due(k).us == 1700000000000001);
	k = apply(sp, moved_v1);
	assert_int_equal(kept_left(k), 1);
	assert_int_equal(kept_attempts(k), 3);
	assert_true(kept_is_held(k) && kept_due(k).us == 5);
	assert_int_equal(k->more->n_extents, 1);
	assert_int_equal(k->more->extents[0].at, 700);
	assert_int_equal(k->more->extents[0].n, 64);
	assert_null(apply(sp, outcome_v1));
	spool_free(sp);
}

static void
heads_are_still_read(void **state)
{
	struct super s;
	struct sidecar side;

	(void)state;
	assert_int_equal(super_decode(octets(super_v1), &s), SUPER_FINE);
	assert_true(s.version == 1 && s.oldest_reader == 1 && s.is_clean);
	assert_true(s.generation == 3 && s.instance == 4 && s.node == 5);
	assert_true(s.number == 6 && s.ids == 7 && s.next_segment == 8);
	assert_true(s.sequence == 9 && s.tail == 10 && s.tail_end == 11);
	assert_true(sidecar_decode(octets(sidecar_v1), &side));
	assert_true(side.number == 1 && side.salt == 2 && side.end == 3);
	assert_true(side.first == 4 && side.sequence == 5 && side.entries == 6);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_commit_is_still_read),
		cmocka_unit_test(what_became_of_it_is_still_understood),
		cmocka_unit_test(heads_are_still_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
