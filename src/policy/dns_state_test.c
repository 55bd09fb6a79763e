#include "policy/dns_state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

enum { ROOM = 4096 };

/* One look after another: what was found each time, of MX and SPF; '-' is
 * nothing asked, '?' unknown, a small letter wrong, a capital well, a digit
 * could be better.  What is told: the letters, in order. */
static const struct { const char *mx, *spf, *told; } lives[] = {
	{ "AAAA", "AAAA", "|||" },
	/* wrong at the first look: told at the second */
	{ "aaaa", "AAAA", "|a||" },
	{ "aAAA", "AAAA", "|||" },		/* it was a moment */
	{ "1111", "AAAA", "|||" },		/* a hint at first is no news */
	{ "A1111", "AAAAA", "||1||" },
	/* changes, and back */
	{ "AAbbbAAA", "AAAAAAAA", "|||b|||A|" },
	{ "AABBB", "AAAAA", "|||B|" },
	/* what flaps is no change */
	{ "AbAbAbAb", "AAAAAAAA", "|||||||" },
	{ "AbcbcbA", "AAAAAAA", "||||||" },
	/* what does not answer is none, and forgets nothing */
	{ "A?????A", "A?????A", "||||||" },
	{ "Ab?b", "AAAA", "|||b" },
	{ "aa??aa", "AAAAAA", "|a||||" },
	{ "??aa", "AAAA", "|||a" },
	/* both at once */
	{ "Abb", "Acc", "||bc" },
	{ "Abb", "AAc", "||b" },
	/* what is asked no more is forgotten, and new again */
	{ "Ab--A", "AAAAA", "||||" },
	{ "-AAA", "AAAA", "|||" },
	{ "-aaa", "AAAA", "||a|" },
};

static void
finding_of(struct dns_report *r, enum record_topic t, char c,
    const char *letters)
{
	struct finding *f = &r->v[r->n];

	if (c == '-')
		return;
	*f = (struct finding){ .topic = t, .name = STR("a.example"),
		.expected = STR(""), .says = STR("x"), .mend = STR("") };
	f->mark = c == '?' ? MARK_UNKNOWN : ascii_is_digit(c) ? MARK_HINT :
	    c >= 'a' ? MARK_WRONG : MARK_WELL;
	f->found = (struct str){ letters, 1 };
	r->marks[f->mark]++;
	r->n++;
}

/* As it is kept between looks. */
static void
state_keep(struct dns_state *s, char *text)
{
	struct buf b = { .p = text, .cap = ROOM };

	dns_state_print(s, &b);
	assert_false(b.full);
	assert_true(dns_state_read(buf_str(&b), s));
}

static void
life_check(const char *mx, const char *spf, const char *told)
{
	static struct dns_state state, next;
	static struct dns_report r;
	static struct dns_change changes[FINDINGS_MOST];
	static char texts[2][ROOM];
	char said[64];
	struct buf b = BUF_OF(said);

	state = (struct dns_state){ .n = 0 };
	for (size_t i = 0; mx[i] != '\0'; i++) {
		size_t n;

		r = (struct dns_report){ .n = 0 };
		finding_of(&r, RECORD_MX, mx[i], &mx[i]);
		finding_of(&r, RECORD_SPF, spf[i], &spf[i]);
		n = dns_state_follow(&state, &r, (struct wall){ (int64_t)(i + 1)
		    * US_PER_SECOND }, &next, changes);
		if (i > 0)
			buf_putc(&b, '|');
		for (size_t k = 0; k < n; k++)
			buf_put(&b, changes[k].now->found);
		state = next;
		state_keep(&state, texts[i % 2]);
	}
	buf_putc(&b, '\0');
	if (strcmp(said, told) != 0)
		fail_msg("%s %s: %s, not %s", mx, spf, said, told);
}

static void
changes_are_told_once(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof lives / sizeof *lives; i++)
		life_check(lives[i].mx, lives[i].spf, lives[i].told);
}

static void
others_texts_are_nothing(void **state)
{
	static const char *const texts[] = { "", "nightmail-dns 2 1\n",
		"nightmail-dns 1 \n", "nightmail-dns 1 x\n",
		"nightmail-dns 1 1\nmx 0 ok 1\n",
		"nightmail-dns 1 1\nmx 0 ok 1 0 \n",
		"nightmail-dns 1 1\nno 0 ok 1 0 a.example\n",
		"nightmail-dns 1 1\nmx 0 no 1 0 a.example\n",
		"nightmail-dns 1 1\nmx 70000 ok 1 0 a.example\n",
		"nightmail-dns 1 1\nmx 0 ok 11111111111111111 0 a.example\n",
		"nightmail-dns 1 1\nmx 0 ok A 0 a.example\n",
		"nightmail-dns 1 1\nmx 0 ok 1 0 a\x01\n" };
	static struct dns_state s;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		assert_false(dns_state_read(str_of(texts[i]), &s));
		assert_int_equal(s.at.us, 0);
		assert_int_equal(s.n, 0);
	}
	assert_true(dns_state_read(STR("nightmail-dns 1 1\n"
	    "mx 0 error 1 ffffffffffffffff a.example\n"), &s));
	assert_true(dns_state_is_open(&s));
	assert_int_equal(dns_state_wrong(&s), 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(changes_are_told_once),
		cmocka_unit_test(others_texts_are_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
