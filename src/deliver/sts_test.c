/* MTA-STS: what a domain's policy is, over years, restarts and trouble. */
#include "base/buf.h"
#include "fiber/test_core.h"

#include "deliver/sts.h"
#include "fiber/fetch.h"
#include "fiber/world_sim.h"

#define URL "https://mta-sts.a.test/.well-known/mta-sts.txt"
#define PLAIN "Content-Type: text/plain; charset=utf-8\r\n"
#define POLICY(mode, mx, age) "version: STSv1\r\nmode: " mode "\r\nmx: " mx \
    "\r\nmax_age: " age "\r\n"
#define HOSTS "$TTL 60\nmta-sts.a.test. A 192.0.2.1\n"
#define RECORD(id) HOSTS "_mta-sts.a.test. TXT \"v=STSv1; id=" id "\"\n"

static unsigned told;

static void
tell(void *arg, const char *text)
{
	(void)arg;
	assert_true(str_has_prefix_icase(str_of(text),
	    STR("the MTA-STS policy of a.test: ")));
	told++;
}

static const struct sts_setup setup = { STR_INIT("/spool/mta-sts"),
    STR_INIT(""), tell, NULL, NULL };
static struct sts_cache *cache;
static struct arena arena;
static struct sts_found found;
static struct sim_web_page page;
static unsigned fetched;

static unsigned
serve(const struct fetch_job *j, struct buf *head, struct buf *body)
{
	(void)j;
	fetched++;
	buf_put(head, str_of(page.head));
	buf_put(body, str_of(page.body));
	return page.status;
}

/* What the host says from now on. */
static void
web(unsigned status, const char *head, const char *body, int trouble)
{
	static struct sim_web_page served;

	page = (struct sim_web_page){ .status = status, .head = head,
		.body = body };
	served = (struct sim_web_page){ .url = URL, .serve = serve,
		.trouble = trouble };
	sim_web(&served, 1);
}

static void
dns(const char *zone)
{
	assert_int_equal(sim_zone(str_of(zone)), 0);
}

static yields void
ask_after(int64_t seconds)
{
	if (seconds > 0)
		fiber_sleep(mono_add(clock_mono(), seconds * NS_PER_SECOND));
	assert_int_equal(sts_find(cache, &setup, STR("A.test"), &arena,
	    &found), 0);
}

static yields void
body_life(void *arg)
{
	(void)arg;
	cache = sts_open();
	dns(HOSTS);
	web(200, PLAIN, POLICY("enforce", "mx.a.test", "604800"), 0);
	ask_after(0);
	assert_false(found.is_there);
	assert_int_equal(found.trouble, TLS_RESULT_FINE);
	assert_int_equal(fetched, 0);
	dns(RECORD("1"));
	ask_after(3700);
	assert_true(found.is_there);
	assert_int_equal(found.policy->mode, STS_ENFORCE);
	assert_int_equal(fetched, 1);
	/* asked once, while it is young and of the same id */
	ask_after(10);
	ask_after(4000);
	assert_int_equal(fetched, 1);
	/* the record goes: RFC 8461 5.1, the policy stays */
	dns(HOSTS);
	ask_after(4000);
	assert_true(found.is_there);
	/* another id, another policy */
	dns(RECORD("2"));
	web(200, PLAIN, POLICY("testing", "*.b.test", "604800"), 0);
	ask_after(4000);
	assert_int_equal(fetched, 2);
	assert_int_equal(found.policy->mode, STS_TESTING);
	assert_true(str_eq(found.policy->mx[0], STR("*.b.test")));
	/* renewed every day */
	ask_after(86400);
	assert_int_equal(fetched, 3);
	assert_int_equal(found.trouble, TLS_RESULT_FINE);
	sts_close(cache);
}

static yields void
body_trouble(void *arg)
{
	(void)arg;
	cache = sts_open();
	dns(RECORD("1"));
	web(404, PLAIN, "no", 0);
	ask_after(0);
	assert_false(found.is_there);
	assert_int_equal(found.trouble, TLS_RESULT_STS_POLICY_FETCH_ERROR);
	assert_int_equal(fetched, 1);
	/* left alone for five minutes */
	ask_after(100);
	assert_int_equal(fetched, 1);
	assert_int_equal(found.trouble, TLS_RESULT_STS_POLICY_FETCH_ERROR);
	web(302, PLAIN "Location: https://b.test/\r\n", "", 0);
	ask_after(301);
	assert_int_equal(fetched, 2);
	assert_false(found.is_there);
	web(200, "Content-Type: text/html\r\n", POLICY("enforce", "b", "1"), 0);
	ask_after(301);
	assert_int_equal(found.trouble, TLS_RESULT_STS_POLICY_INVALID);
	web(200, PLAIN, "version: STSv2\n", 0);
	ask_after(301);
	assert_int_equal(found.trouble, TLS_RESULT_STS_POLICY_INVALID);
	web(0, NULL, NULL, FETCH_CERTIFICATE);
	ask_after(301);
	assert_int_equal(found.trouble, TLS_RESULT_STS_WEBPKI_INVALID);
	assert_true(found.why[0] != '\0');
	/* a new id is tried at once */
	dns(RECORD("2"));
	web(200, PLAIN, POLICY("enforce", "mx.a.test", "100000"), 0);
	ask_after(61);
	assert_true(found.is_there);
	assert_int_equal(found.trouble, TLS_RESULT_FINE);
	/* the host dies: the last policy holds, and ends in its time */
	dns(RECORD("3"));
	web(0, NULL, NULL, FETCH_UNREACHED);
	ask_after(3700);
	assert_true(found.is_there);
	assert_int_equal(found.trouble, TLS_RESULT_STS_POLICY_FETCH_ERROR);
	ask_after(90000);
	assert_true(found.is_there);
	assert_true(told > 0);
	ask_after(6400);
	assert_false(found.is_there);
	sts_close(cache);
}

/* Another life finds it on disk; bodies of no policy count for nothing. */
static yields void
body_restart(void *arg)
{
	(void)arg;
	cache = sts_open();
	dns(RECORD("1"));
	web(200, PLAIN, POLICY("enforce", "mx.a.test", "604800"), 0);
	ask_after(0);
	assert_true(found.is_there);
	sts_close(cache);
	cache = sts_open();
	dns(HOSTS);
	web(0, NULL, NULL, FETCH_UNREACHED);
	ask_after(0);
	assert_true(found.is_there);
	assert_true(str_eq(found.policy->mx[0], STR("mx.a.test")));
	sts_close(cache);
	sim_disk_put("/spool/mta-sts/a.test", STR("nightmail-mta-sts 1 x 9\n"
	    "version: STSv1\nmode: enforce\n"));
	cache = sts_open();
	ask_after(0);
	assert_false(found.is_there);
	sts_close(cache);
	sim_disk_put("/spool/mta-sts/a.test", STR("version: STSv1\n"));
	cache = sts_open();
	ask_after(0);
	assert_false(found.is_there);
	sts_close(cache);
}

static yields void
body_tend(void *arg)
{
	(void)arg;
	cache = sts_open();
	sts_tend(cache, &setup);	/* nothing is there */
	dns(RECORD("1"));
	web(200, PLAIN, POLICY("enforce", "mx.a.test", "100000"), 0);
	ask_after(0);
	sim_disk_put("/spool/mta-sts/.0123", STR("half"));
	sim_disk_put("/spool/mta-sts/b.test", STR("rubbish"));
	sts_tend(cache, &setup);
	assert_null(sim_disk_get("/spool/mta-sts/.0123", &arena).p);
	assert_null(sim_disk_get("/spool/mta-sts/b.test", &arena).p);
	assert_non_null(sim_disk_get("/spool/mta-sts/a.test", &arena).p);
	assert_int_equal(fetched, 1);
	/* before its end it is renewed, though nobody asks */
	fiber_sleep(mono_add(clock_mono(), 90000 * NS_PER_SECOND));
	sts_tend(cache, &setup);
	assert_int_equal(fetched, 2);
	web(0, NULL, NULL, FETCH_UNREACHED);
	fiber_sleep(mono_add(clock_mono(), 90000 * NS_PER_SECOND));
	sts_tend(cache, &setup);
	assert_non_null(sim_disk_get("/spool/mta-sts/a.test", &arena).p);
	fiber_sleep(mono_add(clock_mono(), 90000 * NS_PER_SECOND));
	sts_tend(cache, &setup);
	assert_null(sim_disk_get("/spool/mta-sts/a.test", &arena).p);
	sts_close(cache);
}

/* Many at once: one asks. */
static unsigned asked;

static yields void
one_asks(void *arg)
{
	struct sts_found own;
	struct arena a;

	(void)arg;
	arena_init(&a, 1 << 20);
	assert_int_equal(sts_find(cache, &setup, STR("a.test"), &a, &own), 0);
	assert_true(own.is_there);
	asked++;
	arena_clear(&a);
}

static yields void
body_crowd(void *arg)
{
	struct arena small;

	(void)arg;
	cache = sts_open();
	dns(RECORD("1"));
	web(200, PLAIN, POLICY("enforce", "mx.a.test", "100000"), 0);
	for (int i = 0; i < 20; i++)
		assert_int_equal(fiber_go("ask", one_asks, NULL), 0);
	while (asked < 20)
		fiber_sleep(in_ms(1000));
	assert_int_equal(fetched, 1);
	/* names that are none, and no file's */
	assert_int_equal(sts_find(cache, &setup, STR("../x"), &arena, &found),
	    0);
	assert_false(found.is_there);
	assert_int_equal(sts_find(cache, &setup, STR("[192.0.2.1]"), &arena,
	    &found), 0);
	assert_false(found.is_there);
	/* no room for it is not the same as none */
	arena_init(&small, 1024);
	assert_int_equal(sts_find(cache, &setup, STR("a.test"), &small,
	    &found), -1);
	arena_clear(&small);
	sts_close(cache);
}

/* A full disk keeps nobody from what was fetched. */
static yields void
body_full(void *arg)
{
	(void)arg;
	cache = sts_open();
	dns(RECORD("1"));
	web(200, PLAIN, POLICY("enforce", "mx.a.test", "100000"), 0);
	sim_fault_rate(SIM_disk_open, 1000000, 28);
	ask_after(0);
	assert_true(found.is_there);
	assert_int_equal(told, 1);
	sim_faults_clear();
	sts_close(cache);
}

static void
run(yields void (*body)(void *))
{
	sim_begin(1);
	sim_turns_most(0);
	sim_disk_mkdir("/spool");
	fetched = told = 0;
	arena_init(&arena, 4 * 1024 * 1024);
	on_core(body);
	arena_clear(&arena);
}

#define TEST(name) \
	static void \
	test_##name(void **state) \
	{ \
		(void)state; \
		run(body_##name); \
	}
TEST(life)
TEST(trouble)
TEST(restart)
TEST(tend)
TEST(crowd)
TEST(full)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life), cmocka_unit_test(test_trouble),
		cmocka_unit_test(test_restart), cmocka_unit_test(test_tend),
		cmocka_unit_test(test_crowd), cmocka_unit_test(test_full),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
