#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "trust/srs.h"
#include "wire/address.h"

static const struct str secrets[] = { STR_INIT("tops3cret"),
	STR_INIT("older") };
static const struct srs_keys given = { .given = secrets, .n_given = 2 };
static const struct srs_keys old = { .given = secrets + 1, .n_given = 1 };
static const unsigned char octets[SRS_SECRET] = "0123456789abcdef0123456789abcdef";
static const struct srs_keys made = { .made = octets };

/* 2026-11-21 */
enum { TODAY = 20778 };

static struct wall
at_day(uint64_t day)
{
	return (struct wall){ (int64_t)(day * 86400 + 4711) * US_PER_SECOND };
}

static struct str
rewritten(const struct srs_keys *keys, uint64_t day, const char *local,
    const char *domain)
{
	static char room[MAILBOX_TEXT];
	struct buf out = BUF_OF(room);

	return srs_rewrite(keys, at_day(day), str_of(local), str_of(domain),
	    &out) ? buf_str(&out) : STR_NONE;
}

static enum srs_verdict
taken(const struct srs_keys *keys, uint64_t day, struct str local,
    const char *whose)
{
	char room[MAILBOX_TEXT];
	struct buf out = BUF_OF(room);
	enum srs_verdict v = srs_take_back(keys, at_day(day), local, &out);

	if (v == SRS_GOOD && !str_eq(buf_str(&out), str_of(whose)))
		fail_msg(STR_FMT, STR_ARG(buf_str(&out)));
	return v;
}

/* Of an HMAC made elsewhere (Python's). */
static void
letters_are_others_too(void **state)
{
	(void)state;
	assert_true(str_eq(rewritten(&given, TODAY, "Bob", "a.example"),
	    STR("SRS0=Uljv=JK=a.example=Bob")));
	assert_true(str_eq(rewritten(&given, TODAY, "SRS0=GGGG=TT=a.example=bob",
	    "b.example"), STR("SRS1=jqsP=b.example==GGGG=TT=a.example=bob")));
	assert_true(str_eq(rewritten(&given, TODAY,
	    "srs1=xxxx=b.example==GGGG=TT=a.example=bob", "c.example"),
	    STR("SRS1=jqsP=b.example==GGGG=TT=a.example=bob")));
	assert_int_equal(taken(&given, TODAY, STR("SRS0=iRCO=JK=a.example=Bob"),
	    "Bob@a.example"), SRS_GOOD);
}

static void
senders_come_back(void **state)
{
	static const struct srs_keys *const keys[] = { &given, &old, &made };
	static const struct { const char *local, *domain, *whose; } list[] = {
		{ "bob", "a.example", "bob@a.example" },
		{ "bob=x=y", "a.example", "bob=x=y@a.example" },
		{ "bob smith", "a.example", "\"bob smith\"@a.example" },
		{ "b\xc3\xb6" "b", "a.example", "b\xc3\xb6" "b@a.example" },
		{ "SRS0=GGGG=TT=a.example=bob", "b.example",
		    "SRS0=GGGG=TT=a.example=bob@b.example" },
		{ "SRS0+GGGG=TT=a.example=bob", "b.example",
		    "SRS0+GGGG=TT=a.example=bob@b.example" },
		/* meant to be one, but is none: a local part like any other */
		{ "SRS0=GGGG", "b.example", "SRS0=GGGG@b.example" },
		{ "SRS1=GGGG=+b==HHHH=TT=a=b", "b.example",
		    "SRS1=GGGG=+b==HHHH=TT=a=b@b.example" },
	};

	(void)state;
	for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
		for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
			struct str us = rewritten(keys[k], TODAY, list[i].local,
			    list[i].domain);

			assert_non_null(us.p);
			assert_int_equal(taken(keys[k], TODAY, us,
			    list[i].whose), SRS_GOOD);
		}
}

static void
days(void **state)
{
	static const struct srs_keys *const keys[] = { &given, &made };

	(void)state;
	for (size_t k = 0; k < 2; k++)
		for (unsigned d = 0; d < 40; d++) {
			struct str us = rewritten(keys[k], TODAY + d, "bob",
			    "a.example");
			uint64_t last = TODAY + d + SRS_AGE_DAYS;

			assert_int_equal(taken(keys[k], last, us,
			    "bob@a.example"), SRS_GOOD);
			assert_int_equal(taken(keys[k], last + 1, us, ""),
			    SRS_EXPIRED);
			/* a clock behind ours by some hours, no more */
			assert_int_equal(taken(keys[k], TODAY + d - 1, us,
			    "bob@a.example"), SRS_GOOD);
			assert_int_not_equal(taken(keys[k], TODAY + d - 2, us,
			    ""), SRS_GOOD);
		}
}

/* One without a stamp lives by the secret that is made: 32 days at least. */
static void
epochs(void **state)
{
	const uint64_t first = TODAY - TODAY % SRS_EPOCH_DAYS;
	struct str us = rewritten(&made, first, "SRS0=GGGG=TT=a.example=bob",
	    "b.example");
	const char *whose = "SRS0=GGGG=TT=a.example=bob@b.example";

	(void)state;
	assert_int_equal(taken(&made, first + 2 * SRS_EPOCH_DAYS - 1, us, whose),
	    SRS_GOOD);
	assert_int_equal(taken(&made, first + 2 * SRS_EPOCH_DAYS, us, whose),
	    SRS_FORGED);
}

static void
secrets_are_changed(void **state)
{
	struct srs_keys both = { .given = secrets, .n_given = 1, .made = octets };
	struct str us;

	(void)state;
	us = rewritten(&old, TODAY, "bob", "a.example");
	assert_int_equal(taken(&given, TODAY, us, "bob@a.example"), SRS_GOOD);
	us = rewritten(&given, TODAY, "bob", "a.example");
	assert_int_equal(taken(&old, TODAY, us, ""), SRS_FORGED);
	us = rewritten(&made, TODAY, "bob", "a.example");
	assert_int_equal(taken(&both, TODAY, us, "bob@a.example"), SRS_GOOD);
	assert_int_equal(taken(&given, TODAY, us, ""), SRS_FORGED);
	us = rewritten(&both, TODAY, "bob", "a.example");
	assert_int_equal(taken(&made, TODAY, us, ""), SRS_FORGED);
	assert_true(srs_can_sign(&given) && srs_can_sign(&made));
	assert_false(srs_can_sign(&(struct srs_keys){ .n_given = 0 }));
}

/* Every octet of it counts; only the case of letters does not. */
static void
forgeries(void **state)
{
	char room[LOCAL_MOST], other[LOCAL_MOST];
	struct str us = rewritten(&given, TODAY, "bob", "a.example");

	(void)state;
	memcpy(room, us.p, us.n);
	for (size_t i = 5; i < us.n; i++) {
		memcpy(other, room, us.n);
		other[i] = other[i] == 'q' ? 'r' : 'q';
		if (ascii_lower(room[i]) == other[i])
			continue;
		assert_int_not_equal(taken(&given, TODAY,
		    (struct str){ other, us.n }, ""), SRS_GOOD);
	}
	for (size_t i = 0; i < us.n; i++)
		other[i] = ascii_lower(room[i]);
	assert_int_equal(taken(&given, TODAY, (struct str){ other, us.n },
	    "bob@a.example"), SRS_GOOD);
}

static void
hashes_of_other_lengths(void **state)
{
	static const struct { const char *hash; enum srs_verdict is; } list[] = {
		{ "Uljv", SRS_GOOD }, { "Uljvx", SRS_GOOD },
		{ "Uljvx6yjAGyUVWbQi9gwzQPjN2U", SRS_GOOD },
		{ "Uljvx6yjAGyUVWbQi9gwzQPjN2Ux", SRS_FORGED },
		{ "Ulj", SRS_FORGED }, { "Uljvy", SRS_FORGED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		char room[80];
		struct buf local = BUF_OF(room);

		buf_printf(&local, "SRS0=%s=JK=a.example=Bob", list[i].hash);
		assert_int_equal(taken(&given, TODAY, buf_str(&local),
		    "Bob@a.example"), list[i].is);
	}
}

static void
what_is_none(void **state)
{
	(void)state;
	assert_int_equal(taken(&given, TODAY, STR("bob"), ""), SRS_OTHER);
	assert_int_equal(taken(&given, TODAY, STR(""), ""), SRS_OTHER);
	assert_int_equal(taken(&given, TODAY, STR("SRS0="), ""), SRS_BAD);
	assert_int_equal(taken(&given, TODAY, STR("SRS0=HHHH=1A=a.example=b"), ""),
	    SRS_BAD);
	assert_int_equal(taken(&given, TODAY, STR("SRS0=HHHH=JK=a..b=b"), ""),
	    SRS_BAD);
	assert_int_equal(taken(&given, TODAY, STR("SRS0=HHHH=JK=[1.2.3.4]=b"),
	    ""), SRS_BAD);
	assert_int_equal(taken(&given, TODAY, STR("SRS1=HHHH=b.example=x"), ""),
	    SRS_BAD);
}

/* SRS0=HHHH=JK=a.example= are 23 octets of the 64. */
static void
length(void **state)
{
	char local[LOCAL_MOST + 1];

	(void)state;
	for (size_t n = 40; n <= 42; n++) {
		struct str us;

		memset(local, 'x', n);
		local[n] = '\0';
		us = rewritten(&given, TODAY, local, "a.example");
		assert_int_equal(us.p != NULL, n <= 41);
		assert_true(us.p == NULL || us.n == n + 23);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(letters_are_others_too),
		cmocka_unit_test(senders_come_back),
		cmocka_unit_test(days),
		cmocka_unit_test(epochs),
		cmocka_unit_test(secrets_are_changed),
		cmocka_unit_test(forgeries),
		cmocka_unit_test(hashes_of_other_lengths),
		cmocka_unit_test(what_is_none),
		cmocka_unit_test(length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
