#include "intake/test_intake.h"

#include "intake/inner.h"
#include "policy/judge.h"
#include "trust/srs.h"

static struct arena arena;
static const unsigned char octets[SRS_SECRET] = "0123456789abcdef0123456789abcdef";

static const struct intake_origin stranger = {
	.sender = STR_INIT("ann@one.test"), .listener = STR_INIT("mx"),
	.protocol = STR_INIT("ESMTP"), .helo = STR_INIT("me.test"),
	.client = STR_INIT("192.0.2.7"),
};

static const char yaml[] =
    "hostname: mx.test\n"
    "admin: root@mx.test\n"
    "domains:\n"
    "  two.test: { users: [ bob, alice, carol ], aliases: /aliases }\n"
    "  caught.test: { users: [ bob ], catch_all: bob }\n"
    "  inner.test: { relay_to: \"smtp://127.0.0.9\" }\n"
    "  bounce.test: { users: [ bob ] }\n";

static void
begin(const char *more)
{
	sim_begin(1);
	house.config = house_config(yaml, more);
	arena_init(&arena, 256 * 1024);
}

static struct intake *
new_from(const char *sender)
{
	struct intake_origin origin = stranger;
	struct intake *in;

	origin.sender = str_of(sender);
	in = intake_new(&house.core, house.config, &arena, &origin);
	assert_non_null(in);
	return in;
}

/* As RCPT is judged, and taken. */
static struct verdict
add(struct intake *in, struct str address)
{
	const struct judge_client client = { .role = ROLE_MX };
	struct intake_wish wish = { .notify = NOTIFY_FAILURE };
	struct path path = { 0 };
	struct judgment j;

	assert_null(mailbox_parse(address, MAILBOX_UTF8, &path.mailbox));
	j = judge_rcpt(house.config, &client, in->envelope.sender, &path, 0);
	return judgment_is_yes(&j) ? intake_recipient(in, &path, &wish) :
	    j.verdict;
}

static const struct recipient *
only(const struct intake *in)
{
	assert_int_equal(in->envelope.n_rcpts, 1);
	return &in->envelope.rcpts[0];
}

/* The sender of what `to' leads to; n == 0: the envelope's. */
static struct str
sender_of(const char *from, const char *to)
{
	struct intake *in = new_from(from);
	const struct recipient *r;

	assert_int_equal(add(in, str_of(to)).disposition, DELIVERED);
	r = only(in);
	assert_int_equal((r->flags & RECIPIENT_FORWARDED) != 0,
	    recipient_more(r)->sender.p != NULL);
	/* RFC 3461 5.2.7: the sender's wishes go on with his address. */
	assert_int_equal(r->notify, NOTIFY_FAILURE);
	return recipient_more(r)->sender;
}

static bool
is_srs_of(struct str sender, const char *rest)
{
	return str_has_prefix_icase(sender, STR("SRS")) &&
	    str_has_suffix_icase(sender, str_of(rest));
}

static yields void
body_out(void *arg)
{
	struct str us;

	(void)arg;
	house_open();
	house.core.srs = octets;
	us = sender_of("ann@one.test", "away@two.test");
	assert_true(is_srs_of(us, "=one.test=ann@two.test"));
	assert_true(is_srs_of(sender_of("\"a b\"@one.test", "away@two.test"),
	    "=one.test=a b\"@two.test") == false);
	assert_true(str_has_prefix_icase(sender_of("\"a b\"@one.test",
	    "away@two.test"), STR("\"SRS0=")));
	assert_true(is_srs_of(sender_of("SRS0=GGGG=TT=a.test=bob@one.test",
	    "away@two.test"), "=one.test==GGGG=TT=a.test=bob@two.test"));
	/* own senders, nobody, and what has no room */
	assert_int_equal(sender_of("bob@two.test", "away@two.test").n, 0);
	assert_int_equal(sender_of("", "away@two.test").n, 0);
	assert_int_equal(sender_of("ann@[192.0.2.1]", "away@two.test").n, 0);
	assert_int_equal(sender_of("012345678901234567890123456789012345678901"
	    "@one.test", "away@two.test").n > 0, true);
	assert_int_equal(sender_of("0123456789012345678901234567890123456789012"
	    "@one.test", "away@two.test").n, 0);
	/* what stays here */
	assert_int_equal(sender_of("ann@one.test", "self2@two.test").n, 0);
	assert_int_equal(sender_of("ann@one.test", "bob@two.test").n, 0);
	arena_clear(&arena);
	house_close();
}

/* The owner of a list goes before; who stays here keeps his sender; those who
 * leave have one between them. */
static yields void
body_several(void *arg)
{
	const struct recipient *r;
	struct intake *in;

	(void)arg;
	house_open();
	house.core.srs = octets;
	in = new_from("ann@one.test");
	assert_int_equal(add(in, STR("here-and-away@two.test")).disposition,
	    DELIVERED);
	assert_int_equal(in->envelope.n_rcpts, 4);
	r = in->envelope.rcpts;
	assert_int_equal(recipient_more(&r[1])->sender.n, 0);
	assert_true(is_srs_of(recipient_more(&r[2])->sender,
	    "=one.test=ann@two.test"));
	assert_ptr_equal(r[2].more, r[3].more);
	assert_true((r[2].flags & r[3].flags & RECIPIENT_FORWARDED) != 0);
	in = new_from("ann@one.test");
	assert_int_equal(add(in, STR("fanclub@two.test")).disposition, DELIVERED);
	r = in->envelope.rcpts;
	assert_true(str_eq(recipient_more(&r[1])->sender,
	    STR("owner-fanclub@two.test")));
	assert_int_equal(r[1].flags & RECIPIENT_FORWARDED, 0);
	arena_clear(&arena);
	house_close();
}

static void
back_is(const char *from, struct str to, short code, const char *whose)
{
	struct intake *in = new_from(from);
	struct verdict v = add(in, to);

	if (v.code != code)
		fail_msg(STR_FMT ": %d %s", STR_ARG(to), v.code, v.text);
	if (whose != NULL) {
		assert_true(str_eq(only(in)->address, str_of(whose)));
		assert_true(str_eq(only(in)->orig, to));
	}
}

static struct str
changed(struct str s, size_t at)
{
	static char room[MAILBOX_TEXT];

	memcpy(room, s.p, s.n);
	room[at] = room[at] == 'q' ? 'r' : 'q';
	return (struct str){ room, s.n };
}

static yields void
body_back(void *arg)
{
	struct str us;

	(void)arg;
	house_open();
	house.core.srs = octets;
	us = sender_of("ann@one.test", "away@two.test");
	back_is("", us, 250, "ann@one.test");
	/* at any own domain: the operator may have changed his mind */
	us.n -= strlen("two.test");
	us = arena_join(&arena, us, STR("mx.test"));
	back_is("", us, 250, "ann@one.test");
	back_is("eve@evil.test", us, 550, NULL);
	back_is("", changed(us, 5), 550, NULL);
	back_is("", changed(us, us.n - 10), 550, NULL);
	back_is("", STR("SRS0=@two.test"), 550, NULL);
	back_is("", STR("SRS0=x@two.test"), 550, NULL);
	back_is("", STR("SRS0=AAAA=AA=victim.test=bob@two.test"), 550, NULL);
	back_is("", STR("SRS0=AAAA=AA=victim.test=bob@far.test"), 550, NULL);
	us = sender_of("SRS0=GGGG=TT=a.test=bob@one.test", "away@two.test");
	back_is("", us, 250, "SRS0=GGGG=TT=a.test=bob@one.test");
	/* another server's secret */
	house.core.srs = (const unsigned char *)"fedcba9876543210fedcba9876543210";
	back_is("", us, 550, NULL);
	arena_clear(&arena);
	house_close();
}

static yields void
body_days(void *arg)
{
	struct str us;

	(void)arg;
	house_open();
	house.core.srs = octets;
	us = sender_of("ann@one.test", "away@two.test");
	fiber_sleep(mono_add(clock_mono(), 21 * 86400 * NS_PER_SECOND));
	back_is("", us, 250, "ann@one.test");
	fiber_sleep(mono_add(clock_mono(), 86400 * NS_PER_SECOND));
	back_is("", us, 550, NULL);
	arena_clear(&arena);
	house_close();
}

static yields void
body_caught(void *arg)
{
	struct str us;

	(void)arg;
	house_open();
	house.core.srs = octets;
	us = sender_of("ann@one.test", "away@two.test");
	assert_true(str_has_suffix_icase(us, STR("@bounce.test")));
	back_is("", us, 250, "ann@one.test");
	/* a forged one is nobody's who catches all; a next hop may know its own */
	back_is("", STR("SRS0=AAAA=AA=x.test=bob@caught.test"), 550, NULL);
	back_is("", STR("SRSx=AAAA=AA=x.test=bob@caught.test"), 250, NULL);
	back_is("", STR("SRS0=AAAA=AA=x.test=bob@inner.test"), 250,
	    NULL);
	back_is("eve@evil.test", STR("SRS0=AAAA=AA=x.test=bob@inner.test"), 250,
	    NULL);
	/* a relayed domain's mail goes on as it came */
	assert_int_equal(sender_of("ann@one.test", "x@inner.test").n, 0);
	arena_clear(&arena);
	house_close();
}

static yields void
body_off(void *arg)
{
	(void)arg;
	house_open();
	house.core.srs = octets;
	assert_int_equal(sender_of("ann@one.test", "away@two.test").n, 0);
	back_is("", STR("SRS0=AAAA=AA=x.test=bob@two.test"), 550, NULL);
	back_is("", STR("SRS0=AAAA=AA=x.test=bob@caught.test"), 250, NULL);
	arena_clear(&arena);
	house_close();
}

/* Without a secret nothing is rewritten, and reports come again. */
static yields void
body_none(void *arg)
{
	(void)arg;
	house_open();
	assert_int_equal(sender_of("ann@one.test", "away@two.test").n, 0);
	back_is("", STR("SRS0=AAAA=AA=x.test=bob@two.test"), 451, NULL);
	arena_clear(&arena);
	house_close();
}

#define TEST(name, more) \
static void \
test_##name(void **state) \
{ \
	(void)state; \
	begin(more); \
	on_core(body_##name); \
}
TEST(out, "")
TEST(several, "")
TEST(back, "")
TEST(days, "")
TEST(caught, "forward: { srs_domain: bounce.test }\n")
TEST(off, "forward: { srs: off }\n")
TEST(none, "")

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_out), cmocka_unit_test(test_several),
		cmocka_unit_test(test_back), cmocka_unit_test(test_days),
		cmocka_unit_test(test_caught), cmocka_unit_test(test_off),
		cmocka_unit_test(test_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
