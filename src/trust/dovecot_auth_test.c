#include "fiber/test_core.h"

/* Its numbers wrap after four thousand million requests. */
#include "trust/dovecot_auth.c"

enum { MANY = 100 };

static struct net_end *listener;
static struct dovecot_setup setup;
static unsigned visits, downs, ups;
static char why[DIRECTORY_WHY], heard[2048];

static const char greeting[] = "VERSION\t1\t2\nMECH\tPLAIN\tplaintext\n"
    "MECH\tSCRAM-SHA-256\tmutual-auth\nMECH\tSECRET\tprivate\nSPID\t7\nCUID\t1\n"
    "COOKIE\t0123\nSOMETHING\tnew\nDONE\n";

static void
told(void *arg, struct str name, struct str text)
{
	(void)arg;
	assert_int_equal(str_find_str(name, STR("dovecot:127.0.0.1:")), 0);
	if (text.p == NULL) {
		ups++;
		return;
	}
	downs++;
	assert_true(str_cstr(text, why, sizeof why));
}

/* What is said to it goes to `heard'. */
static yields bool
hear(struct stream *s)
{
	enum line_ending ending;
	struct str line;

	if (stream_line(s, 8192, &line, &ending) != 0)
		return false;
	assert_true(str_cstr(str_sub(line, 0, sizeof heard - 1), heard,
	    sizeof heard));
	return true;
}

static yields void
say(struct stream *s, const char *text)
{
	stream_put(s, str_of(text));
	(void)stream_flush(s);
}

static yields void
greet(struct stream *s)
{
	assert_true(hear(s));
	assert_string_equal(heard, "VERSION\t1\t2");
	assert_true(hear(s));
	assert_memory_equal(heard, "CPID\t", 5);
	say(s, greeting);
}

static void (*script)(struct stream *);

static void
serving(void *arg)
{
	struct address peer;
	struct net_end *l = listener, *e;
	struct stream s;

	(void)arg;
	while ((e = net_accept(l, &peer, MONO_NEVER)) != NULL) {
		stream_init(&s, e);
		s.deadline = in_ms(60 * 60 * 1000);
		visits++;
		script(&s);
		stream_close(&s);
	}
	net_close(l);
}

static struct dovecot *
begin(void (*what)(struct stream *))
{
	struct address at;
	struct dovecot *d;

	script = what;
	visits = downs = ups = 0;
	assert_true(address_parse(STR("127.0.0.1"), 0, &at));
	assert_non_null(listener = net_listen(&at));
	assert_true(net_local(listener, &at));
	setup.at = (struct dial_target){ .host = STR("127.0.0.1"),
		.port = at.port };
	setup.tell = told;
	assert_int_equal(fiber_go("server", serving, NULL), 0);
	assert_non_null(d = dovecot_new(&setup));
	return d;
}

static yields void
end(struct dovecot *d)
{
	dovecot_close(d);
	net_stop_listening(listener);
}

static yields enum directory_says
password(struct dovecot *d, const char *user, const char *secret, int64_t ms,
    struct directory_person *who, struct arena *a)
{
	struct dovecot_ask ask = { .is_private = true, .session = STR("s=1"),
		.local_name = STR("mx.test") };

	assert_true(address_parse(STR("192.0.2.9"), 4711, &ask.client));
	assert_true(address_parse(STR("2001:db8::1"), 587, &ask.local));
	return dovecot_password(d, &ask, str_of(user), str_of(secret), in_ms(ms),
	    a, who);
}

/* ---- right and wrong ---- */

static void
script_answers(struct stream *s)
{
	static const char *const answers[] = {
		"OK\t1\tuser=bob@a.test\tnologin\n",
		"FAIL\t2\tuser=bob\treason=go\001taway\n",
		"FAIL\t3\tuser=bob\ttemp\n", "FAIL\t4\tuser=bob\tcode=temp_fail\n",
		"FAIL\t5\tuser=bob\tuser_disabled\n",
		"FAIL\t6\tuser=bob\tpass_expired\n", "FAIL\t7\tauthz\n",
		"OK\t8\n", "CONT\t9\t!\n",
	};

	greet(s);
	for (size_t i = 0; i < sizeof answers / sizeof answers[0]; i++) {
		assert_true(hear(s));
		if (i == 0)
			assert_string_equal(heard, "AUTH\t1\tPLAIN\tservice=smtp"
			    "\tnologin\tno-penalty\tsecured\tsession=s=1\tlocal_name=mx.test"
			    "\tlip=2001:db8::1\tlport=587\trip=192.0.2.9"
			    "\trport=4711\tresp=AGJvYgBwdw==");
		/* nobody asked for these */
		say(s, "OK\t4711\tuser=eve\nOK\t0\tuser=eve\n");
		say(s, answers[i]);
	}
	(void)hear(s);
}

static void
body_answers(void *arg)
{
	static const struct {
		enum directory_says says;
		const char *name, *why;
	} cases[] = {
		{ DIRECTORY_YES, "bob@a.test", NULL },
		{ DIRECTORY_NO, "bob", "go\taway" },
		{ DIRECTORY_LATER, NULL, NULL }, { DIRECTORY_LATER, NULL, NULL },
		{ DIRECTORY_NO, "bob", "the account is disabled" },
		{ DIRECTORY_NO, "bob", "the password has expired" },
		{ DIRECTORY_NO, "", "he may not log in as somebody else" },
		{ DIRECTORY_LATER, NULL, NULL }, { DIRECTORY_LATER, NULL, NULL },
	};
	struct dovecot *d = begin(script_answers);
	struct directory_person who;
	struct arena a;

	(void)arg;
	arena_init(&a, 64 * 1024);
	assert_string_equal(d->mechanisms, "");
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_int_equal(password(d, "bob", "pw", 5000, &who, &a),
		    cases[i].says);
		if (cases[i].name != NULL)
			assert_true(str_eq(who.name, str_of(cases[i].name)));
		if (cases[i].why != NULL)
			assert_string_equal(who.why, cases[i].why);
	}
	assert_string_equal(d->mechanisms, "PLAIN SCRAM-SHA-256");
	/* a name with a NUL would be another's */
	assert_int_equal(dovecot_password(d, &(struct dovecot_ask){ .session =
	    STR("") }, (struct str){ "a\0b", 3 }, STR("x"), in_ms(10), &a, &who),
	    DIRECTORY_NO);
	assert_int_equal(visits, 1);
	assert_int_equal(downs, 0);
	end(d);
	arena_clear(&a);
}

static void
test_answers(void **state)
{
	(void)state;
	on_core(body_answers);
}

/* ---- many at once, answered from the last to the first ---- */

static unsigned asking, right;

static void
script_backwards(struct stream *s)
{
	greet(s);
	for (unsigned i = 0; i < MANY; i++)
		assert_true(hear(s));
	for (unsigned i = MANY; i > 0; i--)
		stream_printf(s, "OK\t%u\tuser=u%u\n", i, i);
	(void)hear(s);
}

static void
one_of_many(void *arg)
{
	struct directory_person who;
	struct arena a;
	char name[16];
	static unsigned number;

	(void)snprintf(name, sizeof name, "u%u", ++number);
	arena_init(&a, 64 * 1024);
	if (password(arg, name, "pw", 60000, &who, &a) == DIRECTORY_YES &&
	    str_eq(who.name, str_of(name)))
		right++;
	arena_clear(&a);
	asking--;
}

static void
body_many(void *arg)
{
	struct dovecot *d = begin(script_backwards);

	(void)arg;
	right = 0;
	for (asking = 0; asking < MANY; asking++)
		assert_int_equal(fiber_go("ask", one_of_many, d), 0);
	while (asking > 0)
		fiber_sleep(in_ms(10));
	assert_int_equal(right, MANY);
	assert_int_equal(visits, 1);
	end(d);
}

static void
test_many(void **state)
{
	(void)state;
	on_core(body_many);
}

/* ---- silence, death, nonsense ---- */

static void
script_silent(struct stream *s)
{
	greet(s);
	while (hear(s) && visits == 1)
		;
	if (visits > 1) {
		stream_printf(s, "OK\t%s\tuser=bob\n", strchr(heard, '\t') + 1);
		(void)hear(s);
	}
}

static void
body_silent(void *arg)
{
	struct dovecot *d = begin(script_silent);
	struct directory_person who;
	struct mono began;
	struct arena a;

	(void)arg;
	arena_init(&a, 64 * 1024);
	began = clock_mono();
	assert_int_equal(password(d, "bob", "pw", 3000, &who, &a),
	    DIRECTORY_LATER);
	assert_true(clock_mono().ns - began.ns < 4 * NS_PER_SECOND);
	fiber_sleep(in_ms(10));
	/* It is let alone now, and nobody waits for it. */
	began = clock_mono();
	assert_int_equal(password(d, "bob", "pw", 3000, &who, &a),
	    DIRECTORY_LATER);
	assert_int_equal(clock_mono().ns, began.ns);
	assert_true(directory_is_down(dovecot_health(d)));
	fiber_sleep(in_ms(2000));
	assert_int_equal(password(d, "bob", "pw", 3000, &who, &a),
	    DIRECTORY_YES);
	assert_int_equal(visits, 2);
	assert_int_equal(ups, 1);
	end(d);
	arena_clear(&a);
}

static void
test_silent(void **state)
{
	(void)state;
	on_core(body_silent);
}

static void
script_dies(struct stream *s)
{
	greet(s);
	if (visits == 1)
		(void)hear(s);
	else if (visits == 2)
		return;			/* while nobody asks */
	while (visits == 3 && hear(s))
		say(s, "OK\t2\tuser=bob\nOK\t3\tuser=bob\n");
}

static void
body_dies(void *arg)
{
	struct dovecot *d = begin(script_dies);
	struct directory_person who;
	struct arena a;

	(void)arg;
	arena_init(&a, 64 * 1024);
	assert_int_equal(password(d, "bob", "pw", 3000, &who, &a),
	    DIRECTORY_LATER);
	assert_int_equal(downs, 1);
	assert_non_null(strstr(why, "closed"));
	fiber_sleep(in_ms(1500));
	(void)password(d, "bob", "pw", 3000, &who, &a);
	fiber_sleep(in_ms(3000));
	assert_int_equal(password(d, "bob", "pw", 3000, &who, &a),
	    DIRECTORY_YES);
	end(d);
	arena_clear(&a);
}

static void
test_dies(void **state)
{
	(void)state;
	on_core(body_dies);
}

static const char *nonsense;

static void
script_nonsense(struct stream *s)
{
	say(s, nonsense);
	while (hear(s))
		;
}

static void
body_nonsense(void *arg)
{
	static char long_line[DOVECOT_LINE_MOST + 3];
	static const struct { const char *said, *why; } cases[] = {
		{ "HTTP/1.1 400\r\n\r\n", "none of the protocol" },
		{ "VERSION\t2\t0\n", "version 2" },
		{ "MECH\tPLAIN\nDONE\n", "without a version" },
		{ long_line, "too long" },
		{ "", "does not greet" },
	};
	struct directory_person who;
	struct arena a;

	(void)arg;
	memset(long_line, 'x', sizeof long_line - 1);
	arena_init(&a, 64 * 1024);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct dovecot *d = begin(script_nonsense);

		nonsense = cases[i].said;
		assert_int_equal(password(d, "bob", "pw", 60000, &who, &a),
		    DIRECTORY_LATER);
		assert_int_equal(downs, 1);
		if (strstr(why, cases[i].why) == NULL)
			fail_msg("%s", why);
		end(d);
	}
	arena_clear(&a);
}

static void
test_nonsense(void **state)
{
	(void)state;
	on_core(body_nonsense);
}

static void
body_absent(void *arg)
{
	struct dovecot *d = begin(script_nonsense);
	struct directory_person who;
	struct arena a;

	(void)arg;
	arena_init(&a, 64 * 1024);
	net_stop_listening(listener);
	fiber_sleep(in_ms(10));
	assert_int_equal(password(d, "bob", "pw", 60000, &who, &a),
	    DIRECTORY_LATER);
	assert_int_equal(downs, 1);
	dovecot_close(d);
	arena_clear(&a);
}

static void
test_absent(void **state)
{
	(void)state;
	on_core(body_absent);
}

/* ---- conversations ---- */

static void
script_talks(struct stream *s)
{
	greet(s);
	assert_true(hear(s));
	assert_string_equal(heard, "AUTH\t4294967295\tSCRAM-SHA-256\t"
	    "service=smtp\tnologin\tno-penalty\tvalid-client-cert\tcert_username=a\001tb");
	say(s, "CONT\t4294967295\t\n");
	assert_true(hear(s));
	assert_string_equal(heard, "CONT\t4294967295\tbiws");
	say(s, "CONT\t4294967295\tcj14\n");
	assert_true(hear(s));
	assert_string_equal(heard, "CONT\t4294967295\t");
	say(s, "OK\t4294967295\tuser=bob\n");
	assert_true(hear(s));		/* the number after the last is 1 */
	assert_memory_equal(heard, "AUTH\t1\t", 7);
	say(s, "CONT\t1\t\n");
	assert_true(hear(s));
	assert_string_equal(heard, "CANCEL\t1");
	assert_true(hear(s));
	assert_memory_equal(heard, "AUTH\t2\t", 7);
	say(s, "CONT\t2\t\n");
}

static void
body_talks(void *arg)
{
	struct dovecot *d = begin(script_talks);
	struct dovecot_ask ask = { .mechanism = STR("SCRAM-SHA-256"),
		.certificate = STR("a\tb") };
	struct dovecot_talk t;
	struct arena a;

	(void)arg;
	arena_init(&a, 64 * 1024);
	d->id = UINT32_MAX - 1;
	assert_int_equal(dovecot_auth(d, &ask, in_ms(5000), &a, &t),
	    DIRECTORY_MORE);
	assert_int_equal(t.challenge.n, 0);
	assert_int_equal(dovecot_more(&t, STR("n,,"), in_ms(5000)),
	    DIRECTORY_MORE);
	assert_true(str_eq(t.challenge, STR("r=x")));
	assert_int_equal(dovecot_more(&t, STR(""), in_ms(5000)), DIRECTORY_YES);
	assert_true(str_eq(t.person.name, STR("bob")));
	assert_int_equal(dovecot_auth(d, &ask, in_ms(5000), &a, &t),
	    DIRECTORY_MORE);
	dovecot_cancel(&t);
	dovecot_cancel(&t);
	/* It goes away between two steps. */
	assert_int_equal(dovecot_auth(d, &ask, in_ms(5000), &a, &t),
	    DIRECTORY_MORE);
	fiber_sleep(in_ms(100));
	assert_int_equal(dovecot_more(&t, STR("x"), in_ms(5000)),
	    DIRECTORY_LATER);
	end(d);
	arena_clear(&a);
}

static void
test_talks(void **state)
{
	(void)state;
	on_core(body_talks);
}

/* ---- lengths ---- */

static void
script_yes(struct stream *s)
{
	greet(s);
	while (hear(s)) {
		*strchr(heard + 5, '\t') = '\0';
		stream_printf(s, "OK\t%s\tuser=bob\n", heard + 5);
	}
}

static void
body_lengths(void *arg)
{
	static char octets[DOVECOT_LINE_MOST];
	struct dovecot *d = begin(script_yes);
	struct dovecot_ask ask = { .mechanism = STR("X"), .has_initial = true };
	struct dovecot_talk t;
	struct arena a;
	size_t around = sizeof "AUTH\t1\tX\tservice=smtp\tnologin\tno-penalty\tresp=\n" - 1;
	size_t most = (DOVECOT_LINE_MOST - around) / 4 * 3;

	(void)arg;
	arena_init(&a, 64 * 1024);
	for (size_t n = most - 1; n <= most + 1; n++) {
		ask.initial = (struct str){ octets, n };
		assert_int_equal(dovecot_auth(d, &ask, in_ms(5000), &a, &t),
		    n <= most ? DIRECTORY_YES : DIRECTORY_LATER);
	}
	assert_non_null(strstr(err_text(), "longer"));
	assert_int_equal(downs, 0);
	end(d);
	arena_clear(&a);
}

static void
test_lengths(void **state)
{
	(void)state;
	on_core(body_lengths);
}

/* ---- tokens ---- */

static const char *offered;

static void
script_tokens(struct stream *s)
{
	assert_true(hear(s) && hear(s));
	stream_printf(s, "VERSION\t1\t2\n%sDONE\n", offered);
	(void)stream_flush(s);
	assert_true(hear(s));
	if (strstr(offered, "XOAUTH2") != NULL)
		/* user=bob^Aauth=Bearer t.k^A^A */
		assert_non_null(strstr(heard, "\tXOAUTH2\t"));
	else
		assert_non_null(strstr(heard, "\tOAUTHBEARER\t"));
	if (strstr(offered, "XOAUTH2") != NULL)
		assert_non_null(strstr(heard,
		    "\tresp=dXNlcj1ib2IBYXV0aD1CZWFyZXIgdC5rAQE="));
	say(s, "OK\t1\tuser=bob\n");
	assert_true(hear(s));
	say(s, "CONT\t2\teyJzdGF0dXMiOiI0MDEifQ==\n");
	assert_true(hear(s));
	assert_string_equal(heard, "CONT\t2\t");
	say(s, "FAIL\t2\tuser=bob\n");
	(void)hear(s);
}

static void
body_tokens(void *arg)
{
	static const char *const offers[] = { "MECH\tOAUTHBEARER\n"
	    "MECH\tXOAUTH2\n", "MECH\tOAUTHBEARER\n" };
	struct dovecot_ask ask = { .is_private = true };
	struct directory_person who;
	struct arena a;

	(void)arg;
	arena_init(&a, 64 * 1024);
	for (size_t i = 0; i < 2; i++) {
		struct dovecot *d;

		offered = offers[i];
		d = begin(script_tokens);
		/* What it offers is known from the last time. */
		(void)snprintf(d->mechanisms, sizeof d->mechanisms,
		    i == 0 ? "OAUTHBEARER XOAUTH2" : "OAUTHBEARER");
		assert_int_equal(dovecot_token(d, &ask, STR("bob"), STR("t.k"),
		    in_ms(5000), &a, &who), DIRECTORY_YES);
		assert_true(str_eq(who.name, STR("bob")));
		assert_int_equal(dovecot_token(d, &ask, STR("bob"), STR("x"),
		    in_ms(5000), &a, &who), DIRECTORY_NO);
		assert_int_equal(dovecot_token(d, &ask, STR("b\1b"), STR("x"),
		    in_ms(5000), &a, &who), DIRECTORY_NO);
		assert_int_equal(dovecot_token(d, &ask, STR("bob"), STR(""),
		    in_ms(5000), &a, &who), DIRECTORY_NO);
		end(d);
	}
	arena_clear(&a);
}

static void
test_tokens(void **state)
{
	(void)state;
	on_core(body_tokens);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_dies),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_absent),
		cmocka_unit_test(test_talks),
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_tokens),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
