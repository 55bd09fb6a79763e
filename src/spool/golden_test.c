/* golden_test.c -- a whole spool that an earlier build wrote is read. */
#include "spool/spool_test.h"

#include "fiber/world_sim.h"
#include "spool/check.h"
#include "spool/tail.h"

#include <stdio.h>

#define VECTORS "test/vectors/spool-1/"

enum { SEGMENT_BYTES = 256 << 10, MESSAGES = 10, PROJECTION = 2 };

/* As they were made; the second is in CHUNKs, the first was moved (MOVED). */
static const struct golden {
	uint64_t id, body;
	size_t rcpts, left;
	unsigned attempts;
	int64_t due;
	bool is_held;
} golden[MESSAGES] = {
	{ UINT64_C(54113564272623617), 500, 3, 2, 4, 1800000000000000, true },
	{ UINT64_C(54113564272623673), 70000, 1, 1, 0, 0, false },
	{ UINT64_C(54113564272623674), 100, 1, 1, 4, 1800000000000000, false },
	{ UINT64_C(54113564272623675), 10, 1, 1, 0, 0, true },
	{ UINT64_C(54113564272623676), 10, 1, 1, 0, 1900000000000000, false },
	{ UINT64_C(54113564272623677), 10, 2, 0, 0, 0, false },	/* CANCEL */
	{ UINT64_C(54113564272623678), 10, 2, 1, 0, 0, false },
	{ UINT64_C(54113564272623679), 10, 2, 1, 0, 0, false },	/* EXPAND */
	{ UINT64_C(54113564272623680), 0, 40, 39, 0, 0, false },
	{ UINT64_C(54113564272623681), 10, 1, 0, 0, 0, false },
};

static unsigned told;

static void
vector_put(const char *name, size_t size)
{
	static char room[SEGMENT_BYTES];
	char path[256];
	size_t n;
	FILE *f;

	snprintf(path, sizeof path, VECTORS "%s", name);
	f = fopen(path, "rb");
	assert_non_null(f);
	memset(room, 0, sizeof room);
	n = fread(room, 1, sizeof room, f);
	fclose(f);
	assert_true(n > 1000 && n <= size);
	snprintf(path, sizeof path, TEST_PATH "/%s", name);
	sim_disk_put(path, (struct str){ room, size });
}

static yields void
is_as_it_was(void *arg, const struct kept *k, const struct envelope *e)
{
	const struct golden *g = arg;
	unsigned i = 0;

	while (i < MESSAGES && g[i].id != e->id)
		i++;
	must(i < MESSAGES && g[i].left > 0);
	must(str_eq(e->sender, STR("sender@example.com")));
	must(e->n_rcpts == g[i].rcpts && kept_left(k) == g[i].left);
	must(kept_attempts(k) == g[i].attempts);
	must(kept_due(k).us == g[i].due);
	must(kept_is_held(k) == g[i].is_held);
	must(kept_held_since(k).us == 0);	/* it was not told then */
	must(e->size == g[i].body);
	told++;
}

static yields void
spool_read(struct spool_config c)
{
	struct spool *sp;

	told = 0;
	must(spool_open(&c, &sp) == SPOOL_FINE);
	spool_projection(sp, PROJECTION);
	must(spool_recover(sp, is_as_it_was, (void *)(uintptr_t)golden) ==
	    SPOOL_FINE);
	must(told == MESSAGES - 2 && spool_stats(sp).kept == told);
	must(spool_stats(sp).damaged == 0);
	must(spool_place(sp, PROJECTION).segment == 2);
	for (unsigned i = 0; i < MESSAGES; i++)
		must(test_body(sp, golden[i].id, i, golden[i].body) ==
		    (golden[i].left > 0));
	/* ids go on above those that were given */
	must(test_commit(sp, 77, 10, 1, NULL) == DRAFT_FINE);
	must(spool_stats(sp).kept == told + 1);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
line_count(struct check *c, struct str line)
{
	must(line.n > 0);
	(*(unsigned *)c->owner)++;
}

static yields void
read_all(void *arg)
{
	unsigned lines = 0;
	struct check check = { .line = line_count, .owner = &lines };

	(void)arg;
	must(spool_check(TEST_PATH, &check) == SPOOL_FINE);
	must(check.was_clean && check.damaged == 0);
	must(check.live == MESSAGES - 2 && check.records == 36);
	must(lines == MESSAGES - 2);
	spool_read(test_config());
}

static void
what_an_earlier_build_wrote_is_read(void **state)
{
	(void)state;
	sim_begin(7);
	vector_put("superblock", 4192);
	vector_put("0000000002.log", SEGMENT_BYTES);
	on_core(read_all);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_an_earlier_build_wrote_is_read),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
