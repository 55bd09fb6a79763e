#include "policy/limit.c"
#include "policy/test_conf.h"

static const struct hash_key key = { 1, 2 };
static struct limit_table *table;
static struct config *config;

static int
begin(void **state)
{
	(void)state;
	conf_begin();
	config = conf_of("limits: { connections_per_ip: 3, per_ip: 5/min, "
	    "messages_per_ip: 2/s }\n");
	table = limit_open(key);
	assert_non_null(table);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	limit_close(table);
	config_free(config);
	conf_end();
	return 0;
}

static struct address
address(const char *text)
{
	struct address a;

	assert_true(address_parse(str_of(text), 4711, &a));
	return a;
}

static struct mono
at(int64_t seconds)
{
	return (struct mono){ (1000 + seconds) * NS_PER_SECOND };
}

static enum judge_reason
come(const char *from, int64_t seconds)
{
	struct address a = address(from);

	return limit_connect(table, config, &a, at(seconds)).reason;
}

static void
leave(const char *from)
{
	struct address a = address(from);

	limit_disconnect(table, &a);
}

static void
test_counts_connections_of_a_network(void **state)
{
	(void)state;
	assert_int_equal(come("192.0.2.1", 0), JUDGE_ok);
	assert_int_equal(come("192.0.2.2", 0), JUDGE_ok);
	assert_int_equal(come("192.0.2.255", 0), JUDGE_ok);
	assert_int_equal(come("192.0.2.1", 0), JUDGE_network_busy);
	assert_int_equal(come("192.0.3.1", 0), JUDGE_ok);
	leave("192.0.2.9");			/* any of the network */
	assert_int_equal(come("192.0.2.1", 0), JUDGE_ok);
	assert_int_equal(table->networks.n, 2);
}

static void
test_counts_a_sixty_four(void **state)
{
	(void)state;
	assert_int_equal(come("2001:db8:0:1::1", 0), JUDGE_ok);
	assert_int_equal(come("2001:db8:0:1:ffff::1", 0), JUDGE_ok);
	assert_int_equal(come("2001:db8:0:1::2", 0), JUDGE_ok);
	assert_int_equal(come("2001:db8:0:1::3", 0), JUDGE_network_busy);
	assert_int_equal(come("2001:db8:0:2::1", 0), JUDGE_ok);
	/* IPv4 by another name is IPv4. */
	assert_int_equal(come("::ffff:192.0.2.1", 0), JUDGE_ok);
	assert_int_equal(come("192.0.2.1", 0), JUDGE_ok);
	assert_int_equal(table->networks.n, 3);
}

static void
test_says_421(void **state)
{
	struct address a = address("192.0.2.1");
	struct judgment j;

	(void)state;
	for (int i = 0; i < 3; i++)
		(void)limit_connect(table, config, &a, at(0));
	j = limit_connect(table, config, &a, at(0));
	assert_false(judgment_is_yes(&j));
	assert_int_equal(j.verdict.code, 421);
	assert_string_equal(esc_print(j.verdict.esc).text, "4.7.0");
}

/* Five a minute, all five at once or one each twelve seconds. */
static void
test_keeps_the_rate(void **state)
{
	(void)state;
	for (int i = 0; i < 5; i++) {
		assert_int_equal(come("192.0.2.1", 0), JUDGE_ok);
		leave("192.0.2.1");
	}
	assert_int_equal(come("192.0.2.1", 0), JUDGE_network_rate);
	assert_int_equal(come("192.0.2.1", 11), JUDGE_network_rate);
	assert_int_equal(come("192.0.2.1", 12), JUDGE_ok);
	leave("192.0.2.1");
	assert_int_equal(come("192.0.2.1", 12), JUDGE_network_rate);
	for (int i = 0; i < 5; i++) {
		assert_int_equal(come("192.0.2.1", 500), JUDGE_ok);
		leave("192.0.2.1");
	}
	assert_int_equal(come("192.0.2.1", 500), JUDGE_network_rate);
}

static void
test_keeps_the_rate_of_messages(void **state)
{
	struct address a = address("192.0.2.1");
	struct judgment j;

	(void)state;
	assert_int_equal(limit_mail(table, config, &a, at(0)).reason, JUDGE_ok);
	assert_int_equal(limit_mail(table, config, &a, at(0)).reason, JUDGE_ok);
	j = limit_mail(table, config, &a, at(0));
	assert_int_equal(j.reason, JUDGE_message_rate);
	assert_int_equal(j.verdict.code, 450);
	assert_int_equal(limit_mail(table, config, &a, at(1)).reason, JUDGE_ok);
}

static void
test_lets_the_trusted_pass(void **state)
{
	struct address a = address("127.0.0.1");

	(void)state;
	for (int i = 0; i < 100; i++) {
		assert_int_equal(come("127.0.0.1", 0), JUDGE_uncounted);
		assert_int_equal(limit_mail(table, config, &a, at(0)).reason,
		    JUDGE_uncounted);
	}
	assert_int_equal(table->networks.n, 0);
}

static void
network_of(unsigned i, struct address *a)
{
	*a = address("10.0.0.1");
	a->of.ip[0] = (unsigned char)(20 + (i >> 16));
	a->of.ip[1] = (unsigned char)(i >> 8);
	a->of.ip[2] = (unsigned char)i;
}

static void
test_forgets_the_idle(void **state)
{
	struct address a;

	(void)state;
	for (unsigned i = 0; i < 100; i++) {
		network_of(i, &a);
		assert_int_equal(limit_connect(table, config, &a, at(0)).reason,
		    JUDGE_ok);
		limit_disconnect(table, &a);
	}
	assert_int_equal(table->networks.n, 100);
	for (unsigned i = 100; i < 160; i++) {	/* two go for each that comes */
		network_of(i, &a);
		(void)limit_connect(table, config, &a, at(60));
	}
	assert_int_equal(table->networks.n, 60);
}

/* The longest idle leave when the table is full; nobody who is connected. */
static void
test_has_a_ceiling(void **state)
{
	struct address a;

	(void)state;
	network_of(0, &a);
	assert_int_equal(limit_connect(table, config, &a, at(0)).reason,
	    JUDGE_ok);
	for (unsigned i = 1; i < LIMIT_NETWORKS + 100; i++) {
		network_of(i, &a);
		assert_int_equal(limit_mail(table, config, &a, at(0)).reason,
		    JUDGE_ok);
		assert_true(table->networks.n <= LIMIT_NETWORKS);
	}
	network_of(0, &a);
	limit_disconnect(table, &a);		/* still counted */
}

static void
test_owners_are_spread(void **state)
{
	unsigned counts[4] = { 0 };
	struct address a, b;

	(void)state;
	for (unsigned i = 0; i < 1000; i++) {
		network_of(i, &a);
		b = a;
		b.of.ip[3] = 99;
		b.port = 1;
		assert_int_equal(limit_owner(key, &a, 4),
		    limit_owner(key, &b, 4));
		counts[limit_owner(key, &a, 4)]++;
		assert_int_equal(limit_owner(key, &a, 1), 0);
	}
	for (int i = 0; i < 4; i++)
		assert_in_range(counts[i], 180, 320);
}

static enum judge_reason
local_mail(uint32_t uid, int64_t seconds)
{
	struct address a = limit_local_client(uid);

	return limit_local(table, config, &a, at(seconds)).reason;
}

/* Each user of this machine by himself, whatever his number. */
static void
test_local_users(void **state)
{
	static const uint32_t uids[] = { 0, 1, 1000, 0x10000, UINT32_MAX };

	(void)state;
	config_free(config);
	config = conf_of("submit: { rate: 2/min }\n");
	for (size_t i = 0; i < sizeof uids / sizeof *uids; i++) {
		assert_int_equal(local_mail(uids[i], 0), JUDGE_ok);
		assert_int_equal(local_mail(uids[i], 0), JUDGE_ok);
		assert_int_equal(local_mail(uids[i], 0), JUDGE_local_rate);
	}
	assert_int_equal(local_mail(1000, 31), JUDGE_ok);
	assert_int_equal(local_mail(1000, 31), JUDGE_local_rate);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_counts_connections_of_a_network),
		TEST(test_counts_a_sixty_four),
		TEST(test_says_421),
		TEST(test_keeps_the_rate),
		TEST(test_keeps_the_rate_of_messages),
		TEST(test_lets_the_trusted_pass),
		TEST(test_forgets_the_idle),
		TEST(test_has_a_ceiling),
		TEST(test_owners_are_spread),
		TEST(test_local_users),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
