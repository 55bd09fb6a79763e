#include "store/report.h"
#include "store/test_store.h"

#include <stdio.h>

/* Every column has a value of its own, so that none can stand for another. */
static void
row_fill(struct report_row *row, enum report_rows which, char mark)
{
	static char texts[REPORT_ROWS_KINDS][REPORT_COLUMNS][16];
	const struct report_column *c;
	size_t n;

	c = report_columns(which, &n);
	for (size_t i = 0; i < n; i++) {
		snprintf(texts[which][i], 16, "%c%d.%u", mark, which % 9,
		    (unsigned)i % 99);
		row->v[i].number = c[i].is_number ? (int64_t)i + 100 * mark : 0;
		row->v[i].text = c[i].is_number ? STR_NONE :
		    str_of(texts[which][i]);
	}
}

struct giving { enum report_kind kind; int left; bool breaks; };

static int
next_give(void *arg, struct report_row *row)
{
	struct giving *g = arg;

	if (g->left-- == 0)
		return g->breaks ? -1 : 0;
	row_fill(row, (enum report_rows)g->kind, 'r');
	return 1;
}

static int
add(enum report_kind kind, char mark, int rows, bool breaks)
{
	struct giving g = { kind, rows, breaks };
	struct report_row head = { 0 };

	row_fill(&head, REPORT_HEADS, mark);
	return report_add(&db, kind, &head, next_give, &g);
}

struct seen { size_t n; struct report_row row; enum report_kind kind;
	int64_t sum; };

static int
each_see(void *arg, enum report_kind kind, const struct report_row *row)
{
	struct seen *s = arg;

	s->n++;
	s->kind = kind;
	s->sum += row->v[REPORT_HEAD_messages].number;
	s->row = *row;
	for (size_t i = 0; i < REPORT_COLUMNS; i++)
		if (row->v[i].text.p != NULL)
			s->row.v[i].text = arena_copy(&arena, row->v[i].text);
	return 0;
}

static struct seen
list(enum report_rows which, const char *domain, int64_t since)
{
	struct arena walk;
	struct seen s = { .n = 0 };

	arena_init(&walk, 64 * 1024);
	assert_int_equal(report_list(&db, which, str_of(domain),
	    (struct wall){ since }, &walk, each_see, &s), 0);
	arena_clear(&walk);
	return s;
}

static void
row_is(const struct report_row *have, enum report_rows which, char mark)
{
	const struct report_column *c;
	struct report_row want = { 0 };
	size_t n;

	c = report_columns(which, &n);
	row_fill(&want, which, mark);
	for (size_t i = 0; i < n; i++)
		if (c[i].is_number ? have->v[i].number != want.v[i].number :
		    !str_eq(have->v[i].text, want.v[i].text))
			fail_msg("%d: %s", which, c[i].name);
}

static void
each_kind_is_kept_whole(void **state)
{
	(void)state;
	for (enum report_kind k = 0; k < REPORT_KINDS; k++) {
		const char domain[] = { (char)('a' + k), '3', '.', '0', '\0' };
		enum report_rows which = (enum report_rows)k;
		struct seen s;

		assert_int_equal(add(k, (char)('a' + k), 1, false), 0);
		s = list(REPORT_HEADS, domain, 0);
		assert_int_equal(s.n, 1);
		assert_int_equal(s.kind, k);
		row_is(&s.row, REPORT_HEADS, (char)('a' + k));
		s = list(which, k == REPORT_OF_TLS ? "r1.0" : domain, 0);
		assert_int_equal(s.n, 1);
		assert_int_equal(s.kind, k);
		row_is(&s.row, which, 'r');
		assert_int_equal(list(which, "other.example", 0).n, 0);
	}
	assert_int_equal(list(REPORT_HEADS, "", 0).n, 3);
}

static void
once(void **state)
{
	struct report_row head = { 0 };
	struct giving g = { REPORT_OF_DMARC, 0, false };

	(void)state;
	assert_int_equal(add(REPORT_OF_DMARC, 'a', 2, false), 0);
	assert_int_equal(add(REPORT_OF_DMARC, 'a', 2, false), DATABASE_TAKEN);
	assert_int_equal(add(REPORT_OF_TLS, 'a', 1, false), 0);
	row_fill(&head, REPORT_HEADS, 'a');
	head.v[REPORT_HEAD_proven].number ^= 1;
	assert_int_equal(report_add(&db, REPORT_OF_DMARC, &head, next_give, &g),
	    0);
	assert_int_equal(list(REPORT_HEADS, "", 0).n, 3);
	/* The two rows differ in nothing. */
	assert_int_equal(list(REPORT_ROWS_DMARC, "", 0).n, 1);
}

static void
whole_or_not_at_all(void **state)
{
	(void)state;
	assert_int_equal(add(REPORT_OF_DMARC, 'a', 5, true), -1);
	assert_int_equal(list(REPORT_HEADS, "", 0).n, 0);
	assert_int_equal(list(REPORT_ROWS_DMARC, "", 0).n, 0);
	assert_int_equal(add(REPORT_OF_DMARC, 'a', 5, false), 0);
}

static void
expires(void **state)
{
	int64_t received = REPORT_HEAD_received + 100 * 'a';

	(void)state;
	assert_int_equal(add(REPORT_OF_DMARC, 'a', 3, false), 0);
	assert_int_equal(list(REPORT_HEADS, "", received).n, 1);
	assert_int_equal(list(REPORT_HEADS, "", received + 1).n, 0);
	assert_int_equal(report_expire(&db, (struct wall){ received }), 0);
	assert_int_equal(list(REPORT_HEADS, "", 0).n, 1);
	assert_int_equal(report_expire(&db, (struct wall){ received + 1 }), 0);
	assert_int_equal(list(REPORT_HEADS, "", 0).n, 0);
	assert_int_equal(list(REPORT_ROWS_DMARC, "", 0).n, 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(each_kind_is_kept_whole,
		    store_begin, store_end),
		cmocka_unit_test_setup_teardown(once, store_begin, store_end),
		cmocka_unit_test_setup_teardown(whole_or_not_at_all, store_begin, store_end),
		cmocka_unit_test_setup_teardown(expires, store_begin, store_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
