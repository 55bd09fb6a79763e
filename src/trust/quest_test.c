#include "fiber/test_core.h"

#include "base/err.h"
#include "fiber/world_sim.h"
#include "trust/quest.h"

#define ZONE \
	"a.example. TXT x\n" \
	"b.example. SERVFAIL\n" \
	"slow.example. TIMEOUT\n"

static struct arena arena;
static unsigned budget;
static struct dns_answer got;

static yields enum dns_status
ask(const char *name, int64_t patience_ms)
{
	struct dns_quest q = { .deadline = in_ms(patience_ms),
		.budget = &budget };

	err_clear();
	quest_ask(&q, str_of(name), DNS_TXT, &arena, &got);
	return got.status;
}

static void
run(yields void (*fn)(void *))
{
	arena_init(&arena, 1 << 20);
	sim_begin(1);
	assert_int_equal(sim_zone(STR(ZONE)), 0);
	on_core(fn);
	arena_clear(&arena);
}

/* n questions, and not one more. */
static yields void
spend(void *arg)
{
	struct dns_quest q = { .deadline = in_ms(1000), .budget = &budget };

	(void)arg;
	budget = 4;
	assert_false(quest_is_over(&q));
	assert_int_equal(ask("a.example", 1000), DNS_FOUND);
	assert_int_equal(got.n, 1);
	assert_int_equal(ask("none.example", 1000), DNS_NO_NAME);
	assert_int_equal(budget, 2);
	assert_int_equal(ask("a..example", 1000), DNS_NO_NAME);	/* free */
	assert_int_equal(budget, 2);
	assert_int_equal(ask("b.example", 1000), DNS_TROUBLE);
	assert_int_equal(budget, 1);
	assert_int_equal(ask("a.example", 1000), DNS_FOUND);
	assert_true(quest_is_over(&q));
	assert_int_equal(ask("a.example", 1000), DNS_TROUBLE);
	assert_string_equal(err_text(),
	    "the message has too many questions to the DNS");
	assert_int_equal(got.n, 0);
	assert_int_equal(budget, 0);
}

static void
test_budget(void **state)
{
	(void)state;
	run(spend);
}

/* Of those that do not answer none is waited for longer than QUEST_SECONDS, and
 * all of them not beyond the deadline. */
static yields void
wait_for(void *arg)
{
	struct mono began = clock_mono();
	int64_t most = QUEST_SECONDS * NS_PER_SECOND;

	(void)arg;
	budget = 4;
	assert_int_equal(ask("slow.example", 60000), DNS_TROUBLE);
	assert_true(clock_mono().ns - began.ns <= most + NS_PER_SECOND);
	assert_true(clock_mono().ns - began.ns >= NS_PER_SECOND);
	began = clock_mono();
	assert_int_equal(ask("slow.example", 500), DNS_TROUBLE);
	assert_true(clock_mono().ns - began.ns <= NS_PER_SECOND);
	assert_int_equal(budget, 2);
	assert_int_equal(ask("a.example", 0), DNS_TROUBLE);
	assert_string_equal(err_text(), "the DNS was too slow for the message");
	assert_int_equal(budget, 2);
}

static void
test_time(void **state)
{
	(void)state;
	run(wait_for);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
