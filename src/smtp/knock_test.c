/* knock_test.c -- who tries too often waits, and others do not. */
#include "smtp/test_server.h"

static const struct account bob = { .name = STR_INIT("bob@two.test"),
	.source = "database" };

/* A session that tries to log in; what it says goes to its end of a pipe. */
static struct session *
visitor(struct session *s, const char *ip)
{
	*s = (struct session){
		.server = &server, .listener = &listener, .stage = "AUTH",
		.client.text = "", .began = clock_mono(),
		.guest = { .server = &server, .listener = &listener },
	};
	assert_true(address_parse(str_of(ip), 4000, &s->guest.client));
	s->client = address_print(&s->guest.client);
	arena_init(&s->arena, 64 << 10);
	arena_init(&s->told, 64 << 10);
	dial(&s->net);
	return s;
}

static yields void
visitor_leaves(struct session *s)
{
	knock_forget(s);
	arena_clear(&s->arena);
	arena_clear(&s->told);
	session_weigh(s);
	stream_close(&s->net);
}

/* Milliseconds that one attempt takes, all in all. */
static yields int64_t
fail_ms(struct session *s, const char *name)
{
	struct mono began = clock_mono();

	if (knock_begin(s, str_of(name)) == 0)
		(void)knock_failed(s, "PLAIN", "wrong password");
	return (clock_mono().ns - began.ns) / NS_PER_MS;
}

static yields void
body_failures_wait(void *arg)
{
	static const int64_t took[] = { 250, 1000, 2250 };
	struct session s, other;
	const char *why;

	(void)arg;
	open_server(ROLE_SUBMISSION);
	visitor(&s, "192.0.2.1");
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(fail_ms(&s, "bob"), took[i]);
		assert_false(s.is_over);
	}
	/* auth.failures: 4 */
	assert_int_equal(fail_ms(&s, "bob"), 4000);
	assert_true(s.is_over);
	assert_int_equal(s.code, 421);
	visitor_leaves(&s);
	assert_int_equal(house_told("login_failed", "wrong password"), 4);
	/* the same again: the network remembers */
	visitor(&s, "192.0.2.77");
	assert_int_equal(fail_ms(&s, "BOB"), 250);
	assert_int_equal(fail_ms(&s, "bob"), 500 + 1000);
	assert_int_equal(fail_ms(&s, "bob"), 1000 + 2250);
	assert_int_equal(house_told("\"delay_us\":1000000", "login_failed"), 1);
	/* from elsewhere it is as if nothing had been */
	visitor(&other, "198.51.100.1");
	assert_int_equal(knock_begin(&other, STR("bob")), 0);
	assert_int_equal(other.knock.waited_ns, 0);
	assert_int_equal(knock_good(&other, &bob, "PLAIN", &why), 0);
	assert_true(str_eq(other.user, STR("bob@two.test")));
	assert_true(other.account != NULL && other.account != &bob);
	assert_int_equal(house_told("login_good", "bob@two.test"), 1);
	visitor_leaves(&other);
	assert_null(other.account);
	assert_int_equal(other.user.n, 0);
	visitor_leaves(&s);
	close_server();
}
TEST(failures_wait, "auth: { failures: 4 }\n")

static yields void
body_bars_what_may_not_be_here(void *arg)
{
	struct session s;
	const char *why = NULL;

	(void)arg;
	open_server(ROLE_SUBMISSION);
	visitor(&s, "198.51.100.1");
	assert_int_equal(knock_begin(&s, STR("bob")), 0);
	assert_int_equal(knock_good(&s, &bob, "PLAIN", &why), -1);
	assert_string_equal(why, "network");
	assert_null(s.account);
	assert_int_equal(knock_failed(&s, "PLAIN", why), 0);
	assert_int_equal(house_told("login_failed", "\"network\""), 1);
	visitor_leaves(&s);
	visitor(&s, "192.0.2.9");
	assert_int_equal(knock_begin(&s, STR("bob")), 0);
	assert_int_equal(knock_good(&s, &(struct account){
	    .name = STR("old@two.test") }, "PLAIN", &why), -1);
	assert_string_equal(why, "expired");
	knock_unjudged(&s, "PLAIN", NULL);
	assert_int_equal(house_told("login_failed", NULL), 1);
	visitor_leaves(&s);
	close_server();
}
TEST(bars_what_may_not_be_here, "accounts:\n"
    "  bob@two.test: { networks: 192.0.2.0/24 }\n"
    "  old@two.test: { expires: 1999-12-31 }\n")

/* Nobody's fault: a thousand of these make nobody wait. */
static yields void
body_unjudged_owes_nothing(void *arg)
{
	struct session s;

	(void)arg;
	open_server(ROLE_SUBMISSION);
	visitor(&s, "192.0.2.1");
	for (int i = 0; i < 100; i++) {
		assert_int_equal(knock_begin(&s, STR("bob")), 0);
		assert_int_equal(s.knock.waited_ns, 0);
		knock_unjudged(&s, "PLAIN", "too many wait");
	}
	assert_int_equal(house_told("\"reason\":\"too many wait\"",
	    "\"text\":\"Connection lost to authentication server\""), 100);
	visitor_leaves(&s);
	close_server();
}
TEST(unjudged_owes_nothing, "")

static struct session waiting[3];
static unsigned n_over;

static yields void
wait_long(void *arg)
{
	struct session *s = arg;

	for (int i = 0; i < 40 && !s->is_over; i++)
		(void)fail_ms(s, "bob");
	n_over++;
}

/* Who waits while the server stops hears so at once. */
static yields void
body_a_stop_waits_for_nobody(void *arg)
{
	struct mono began;

	(void)arg;
	open_server(ROLE_SUBMISSION);
	n_over = 0;
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(fiber_go("knock", wait_long,
		    visitor(&waiting[i], "192.0.2.1")), 0);
	fiber_sleep(in_ms(20 * 1000));
	assert_int_equal(n_over, 0);
	assert_int_equal(server.n_knockers, 3);
	server_shut(&server);
	began = clock_mono();
	while (n_over < 3)
		fiber_yield();
	assert_true(clock_mono().ns - began.ns < NS_PER_MS);
	assert_int_equal(server.n_knockers, 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(waiting[i].code, 421);
		visitor_leaves(&waiting[i]);
	}
	close_server();
}
TEST(a_stop_waits_for_nobody, "auth: { failures: 100 }\n")

/* Who waits is a fiber, and there are not so many of them. */
static yields void
body_a_place_to_wait(void *arg)
{
	struct session s;

	(void)arg;
	open_server(ROLE_SUBMISSION);
	for (size_t n = KNOCKS_MOST - 1; n <= KNOCKS_MOST + 1; n++) {
		visitor(&s, "192.0.2.1");
		server.n_knockers = n;
		(void)fail_ms(&s, "bob");
		assert_int_equal(s.is_over, n >= KNOCKS_MOST);
		assert_int_equal(s.code, n >= KNOCKS_MOST ? 421 : 0);
		assert_int_equal(server.n_knockers, n);
		server.n_knockers = 0;
		visitor_leaves(&s);
	}
	close_server();
}
TEST(a_place_to_wait, "auth: { failures: 100 }\n")

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_failures_wait),
		cmocka_unit_test(test_bars_what_may_not_be_here),
		cmocka_unit_test(test_unjudged_owes_nothing),
		cmocka_unit_test(test_a_stop_waits_for_nobody),
		cmocka_unit_test(test_a_place_to_wait),
	};

	return cmocka_run_group_tests_name("knock", tests, NULL, NULL);
}
