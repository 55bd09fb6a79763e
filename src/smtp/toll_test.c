/* toll_test.c -- whoever logged in sends as whom he may, as much as he may. */
#include "fiber/test_core.h"
#include "fiber/test_tls.h"
#include "smtp/test_server.h"

static struct tls_identity shown;
static struct tls_context *asking;
static const char *tenant_of_all;

/* Everybody knows his password. */
static bool
fake_takes(const struct config *config, enum login_kind kind)
{
	(void)config;
	return kind == LOGIN_PASSWORD;
}

static yields enum login_result
fake_check(struct login *login, const struct login_ask *ask, struct arena *a,
    struct account *out, const char **why)
{
	(void)login;
	(void)why;
	*out = (struct account){ .name = arena_copy(a, ask->name),
		.source = "file", .tenant = str_of(tenant_of_all) };
	return LOGIN_OK;
}

static const struct server_login fake = { .takes = fake_takes,
	.check = fake_check };

static yields void
open_toll(void)
{
	static const struct tls_client_setup plain;

	open_server(ROLE_SUBMISSION);
	servers.login = &fake;
	shown = test_identity("EC", "mx.test");
	server.tls = tls_server_new(&(struct tls_server_setup){
	    .identities = &shown, .n = 1 });
	assert_non_null(server.tls);
	listener.tls = TLS_OFFERED;
	asking = tls_client_new(&plain);
}

static yields void
close_toll(void)
{
	stream_close(&net);
	close_server();
	tls_drop(asking);
	test_identity_free(&shown);
}

#define PLAY(...) play(&net, (const char *const[]){ __VA_ARGS__, NULL })

/* NUL bob@two.test NUL x; NUL alice@two.test NUL x */
#define BOB "C AUTH PLAIN AGJvYkB0d28udGVzdAB4", "S 235 2.7.0"
#define ALICE "C AUTH PLAIN AGFsaWNlQHR3by50ZXN0AHg=", "S 235 2.7.0"
#define FROM_BOB "C MAIL FROM:<bob@two.test>", "S 250 2.1.0"
#define FROM_ALICE "C MAIL FROM:<alice@two.test>", "S 250 2.1.0"
#define TO(who) "C RCPT TO:<" who "@far.test>", "S 250 2.1.5"
#define TEXT "C DATA", "S 354", "C Subject: x", "C ", "C hello", "C ."
#define KEPT "S 250 2.0.0 Kept as "

static yields void
enter(void)
{
	dial(&net);
	PLAY("S 220", "C EHLO me.test", "M 250", "C STARTTLS", "S 220");
	assert_int_equal(tls_connect(&net, asking, STR("mx.test")), 0);
	PLAY("C EHLO me.test", "M 250");
}

static yields void
body_sends_as_whom_he_may(void *arg)
{
	(void)arg;
	open_toll();
	enter();
	PLAY(BOB,
	    "C MAIL FROM:<alice@two.test>", "S 553 5.7.1 <alice@two.test>: "
	    "Sender address rejected: not owned by the user who logged in",
	    "C MAIL FROM:<ceo@bank.test>", "S 553 5.7.1",
	    "C MAIL FROM:<>", "S 553 5.7.1 <>: ",
	    "C MAIL FROM:<news@far.test>", "S 250 2.1.0", "C RSET", "S 250",
	    FROM_BOB, TO("x"), "C DATA", "S 354",
	    "C From: \"bob@two.test\" <ceo@bank.test>", "C ", "C .",
	    "S 550 5.7.1 <ceo@bank.test> in From: not owned by",
	    FROM_BOB, TO("x"), "C BDAT 21", "R From: ceo@bank.test\r\n",
	    "S 250 2.0.0", "C BDAT 2 LAST", "R \r\n", "S 550 5.7.1",
	    FROM_BOB, TO("x"), TEXT, KEPT, "C QUIT", "S 221", "E");
	assert_int_equal(house_told("\"queued\"", "\"mechanism\":\"PLAIN\""),
	    1);
	assert_int_equal(house_told("\"refused\"",
	    "\"user\":\"bob@two.test\""), 5);
	assert_int_equal(house_told("\"queued\"", "\"user\":\"bob@two.test\""),
	    1);
	close_toll();
}
TEST(sends_as_whom_he_may, "accounts: { bob@two.test: { from: "
    "news@far.test } }\n")

static yields void
body_pays_for_messages(void *arg)
{
	(void)arg;
	open_toll();
	enter();
	PLAY(BOB, FROM_BOB, TO("x"), TEXT, KEPT,
	    /* what was not kept was not paid for */
	    FROM_BOB, TO("x"), "C RSET", "S 250",
	    FROM_BOB, TO("x"), "C DATA", "S 354", "C From: ceo@bank.test",
	    "C ", "C .", "S 550 5.7.1",
	    FROM_BOB, TO("x"), TEXT, KEPT,
	    "C MAIL FROM:<bob@two.test>", "S 452 4.2.2 Your limit of 2 messages "
	    "in 60 minutes is reached; it opens again at 20");
	stream_close(&net);
	/* in another conversation too; others have their own */
	enter();
	PLAY(BOB, "C MAIL FROM:<bob@two.test>", "S 452 4.2.2");
	stream_close(&net);
	enter();
	PLAY(ALICE, FROM_ALICE, TO("x"), TEXT, KEPT);
	stream_close(&net);
	fiber_sleep(in_ms(65 * 60 * 1000));
	enter();
	PLAY(BOB, FROM_BOB, TO("x"), TEXT, KEPT);
	close_toll();
}
TEST(pays_for_messages, "accounts: { \"*\": { limits: { messages_per_hour: 2 "
    "} } }\n")

static yields void
body_pays_for_recipients(void *arg)
{
	(void)arg;
	open_toll();
	enter();
	PLAY(BOB, FROM_BOB, TO("a"), TO("b"), TEXT, KEPT,
	    FROM_BOB, TO("c"), "C RCPT TO:<d@far.test>",
	    "S 452 4.2.2 Your limit of 3 recipients in 24 hours is reached; it "
	    "opens again at 20",
	    TEXT, KEPT, "C MAIL FROM:<bob@two.test>", "S 452 4.2.2");
	assert_int_equal(house.kept, 2);
	close_toll();
}
TEST(pays_for_recipients, "accounts: { bob@two.test: { limits: { "
    "recipients_per_day: 3 } } }\n")

static yields void
body_pays_for_octets(void *arg)
{
	(void)arg;
	open_toll();
	enter();
	/* the text has 21 octets */
	PLAY(BOB, "C MAIL FROM:<bob@two.test> SIZE=65",
	    "S 552 5.3.4 The limit of 64 octets in 60 minutes, and this is more",
	    FROM_BOB, TO("a"), TEXT, KEPT, FROM_BOB, TO("a"), TEXT, KEPT,
	    FROM_BOB, TO("a"), TEXT, KEPT,
	    FROM_BOB, TO("a"), TEXT, "S 452 4.2.2 Your limit of 64 octets",
	    "C MAIL FROM:<bob@two.test> SIZE=2", "S 452 4.2.2",
	    "C MAIL FROM:<bob@two.test> SIZE=1", "S 250 2.1.0");
	assert_int_equal(house.kept, 3);
	close_toll();
}
TEST(pays_for_octets, "accounts: { bob@two.test: { limits: { "
    "bytes_per_hour: 64 } } }\n")

/* Two of them together, and what the tenant refuses costs the account nothing. */
static yields void
body_tenants_pay_too(void *arg)
{
	(void)arg;
	tenant_of_all = "acme";
	open_toll();
	enter();
	PLAY(BOB, FROM_BOB, TO("a"), TEXT, KEPT, FROM_BOB, TO("a"), TEXT, KEPT);
	stream_close(&net);
	enter();
	PLAY(ALICE, FROM_ALICE, TO("a"), TEXT, KEPT,
	    "C MAIL FROM:<alice@two.test>",
	    "S 452 4.2.2 The limit of all your tenant's accounts, 3 messages in "
	    "60 minutes is reached; it opens again at 20");
	assert_int_equal(house_told("\"queued\"", "\"tenant\":\"acme\""), 3);
	assert_int_equal(quota_see(server.quotas, (struct quota_name){
	    QUOTA_ACCOUNT, STR("alice@two.test") }, clock_wall()).hour.n[0], 1);
	assert_int_equal(quota_see(server.quotas, (struct quota_name){
	    QUOTA_TENANT, STR("acme") }, clock_wall()).hour.n[0], 3);
	close_toll();
	tenant_of_all = NULL;
}
TEST(tenants_pay_too, "accounts: { \"*\": { limits: { messages_per_hour: 10 } } "
    "}\ntenants: { acme: { limits: { messages_per_hour: 3 } } }\n")

/* Two conversations at once: one is asked to come again, after its content. */
static yields void
body_two_at_once(void *arg)
{
	struct stream first;

	(void)arg;
	open_toll();
	enter();
	PLAY(BOB, FROM_BOB, TO("a"));
	first = net;
	enter();
	PLAY(BOB, FROM_BOB, TO("a"), TEXT, KEPT);
	play(&first, (const char *const[]){ TEXT, "S 452 4.2.2 Your limit of 1 "
	    "messages", NULL });
	assert_int_equal(house.kept, 1);
	stream_close(&first);
	close_toll();
}
TEST(two_at_once, "accounts: { bob@two.test: { limits: { "
    "messages_per_day: 1 } } }\n")

/* What the disk did not keep is given back, to the account and to its tenant. */
static yields void
body_gives_back(void *arg)
{
	(void)arg;
	tenant_of_all = "acme";
	open_toll();
	enter();
	PLAY(BOB, FROM_BOB, TO("a"));
	sim_fault_rate(SIM_disk_fdatasync, 1000000, EIO);
	PLAY(TEXT, "S 451 4.3.0");
	sim_faults_clear();
	assert_int_equal(quota_see(server.quotas, (struct quota_name){
	    QUOTA_ACCOUNT, STR("bob@two.test") }, clock_wall()).hour.n[0], 0);
	assert_int_equal(quota_see(server.quotas, (struct quota_name){
	    QUOTA_TENANT, STR("acme") }, clock_wall()).hour.n[0], 0);
	PLAY(FROM_BOB, TO("a"), TEXT, KEPT,
	    "C MAIL FROM:<bob@two.test>", "S 452 4.2.2");
	close_toll();
	tenant_of_all = NULL;
}
TEST(gives_back, "accounts: { \"*\": { limits: { messages_per_hour: 1 } } }\n"
    "tenants: { acme: { limits: { messages_per_hour: 3 } } }\n")

/* The tenant's last message goes to who is first; the other pays nothing. */
static yields void
body_two_of_a_tenant(void *arg)
{
	struct stream first;

	(void)arg;
	tenant_of_all = "acme";
	open_toll();
	enter();
	PLAY(BOB, FROM_BOB, TO("a"));
	first = net;
	enter();
	PLAY(ALICE, FROM_ALICE, TO("a"), TEXT, KEPT);
	play(&first, (const char *const[]){ TEXT, "S 452 4.2.2 The limit of all "
	    "your tenant's accounts, 1 messages", NULL });
	assert_int_equal(quota_see(server.quotas, (struct quota_name){
	    QUOTA_ACCOUNT, STR("bob@two.test") }, clock_wall()).hour.n[0], 0);
	assert_int_equal(house.kept, 1);
	stream_close(&first);
	close_toll();
	tenant_of_all = NULL;
}
TEST(two_of_a_tenant, "accounts: { \"*\": { limits: { messages_per_hour: 9 } } "
    "}\ntenants: { acme: { limits: { messages_per_hour: 1 } } }\n")

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sends_as_whom_he_may),
		cmocka_unit_test(test_pays_for_messages),
		cmocka_unit_test(test_pays_for_recipients),
		cmocka_unit_test(test_pays_for_octets),
		cmocka_unit_test(test_tenants_pay_too),
		cmocka_unit_test(test_two_at_once),
		cmocka_unit_test(test_gives_back),
		cmocka_unit_test(test_two_of_a_tenant),
	};

	return cmocka_run_group_tests_name("toll", tests, NULL, NULL);
}
