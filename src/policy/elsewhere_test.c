#include "fiber/test_core.h"
#include "policy/test_conf.h"

#include "policy/elsewhere.h"
#include "policy/holder.h"
#include "trust/dovecot_auth.h"

static unsigned downs, ups;

static void
told(void *arg, struct str name, struct str why)
{
	assert_ptr_equal(arg, &downs);
	assert_true(str_eq(name, STR("dovecot:/nowhere")));
	if (why.p == NULL)
		ups++;
	else
		downs++;
}

static yields void
ask(struct elsewhere *e, struct config *c)
{
	struct elsewhere_clients *k = elsewhere_take(e, c);
	struct directory_person who;
	struct arena a;

	arena_init(&a, 64 * 1024);
	assert_non_null(k);
	assert_non_null(k->dovecot);
	assert_int_equal(dovecot_password(k->dovecot, &(struct dovecot_ask){
	    .is_private = true }, STR("bob"), STR("pw"), in_ms(60000), &a,
	    &who), DIRECTORY_LATER);
	elsewhere_give(e, k);
	arena_clear(&a);
}

/* Two cores on one board: one word of it. */
static void
body_told(void *arg)
{
	struct elsewhere_board board = { .tell = told, .arg = &downs };
	struct elsewhere *one = elsewhere_new(&board);
	struct elsewhere *two = elsewhere_new(&board);
	struct config *c;

	(void)arg;
	conf_begin();
	c = conf_of("auth: { dovecot: /nowhere }\n");
	assert_null(elsewhere_down(one, 0));
	ask(one, c);
	ask(one, c);
	ask(two, c);
	assert_int_equal(downs, 1);
	assert_true(board.down[ELSEWHERE_DOVECOT]);
	assert_true(directory_is_down(elsewhere_down(one, 0)));
	assert_null(elsewhere_down(one, 1));
	elsewhere_end(one);
	elsewhere_end(two);
	assert_false(board.down[ELSEWHERE_DOVECOT]);
	assert_int_equal(ups, 0);
	config_release(c);
	conf_end();
}

static void
test_told(void **state)
{
	(void)state;
	on_core(body_told);
}

/* A reload in the middle of a question: it goes on with what it began. */
static void
body_reload(void *arg)
{
	struct elsewhere_board board = { .tell = NULL };
	struct elsewhere *e = elsewhere_new(&board);
	struct elsewhere_clients *before, *after;
	struct config *c, *d;

	(void)arg;
	conf_begin();
	c = conf_of("auth: { dovecot: /nowhere }\n");
	d = conf_of("auth: { ldap: { servers: [ ldapi:///a, ldapi:///b ],\n"
	    "  base: o=x }, oauth: { issuer: \"https://i.example\",\n"
	    "  audience: x } }\n");
	before = elsewhere_take(e, c);
	assert_ptr_equal(elsewhere_take(e, c), before);
	elsewhere_give(e, before);
	after = elsewhere_take(e, d);
	assert_ptr_not_equal(before, after);
	assert_true(before->is_old && before->dovecot != NULL);
	assert_null(after->dovecot);
	assert_true(after->ldap != NULL && after->oauth != NULL);
	/* What it needs of the old configuration is there still. */
	config_release(c);
	assert_ptr_equal(before->config, c);
	elsewhere_give(e, before);
	elsewhere_give(e, after);
	assert_null(elsewhere_down(e, 0));
	config_release(d);
	elsewhere_end(e);
	conf_end();
}

static void
test_reload(void **state)
{
	(void)state;
	on_core(body_reload);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_told),
		cmocka_unit_test(test_reload),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
