#include "spool/spool_test.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

/* The same spool on a real disk, read from another core. */

enum { MESSAGES = 300, BODY = 5000 };

static char directory[] = "/tmp/nightmail-spool-XXXXXX";
static struct spool *spool;
static uint64_t ids[MESSAGES];
static unsigned running, told;

static struct spool_config
real_config(void)
{
	struct spool_config c = test_config();

	c.path = directory;
	c.reserve_bytes = 1 << 20;
	return c;
}

static yields void
write_some(void *arg)
{
	unsigned *next = arg;

	while (*next < MESSAGES) {
		unsigned i = (*next)++;

		must(test_commit(spool, i, i % 50 == 0 ? 100000 : BODY, 2,
		    &ids[i]) == DRAFT_FINE);
		must(test_deliver(spool, ids[i], 0) == 0);
		if (i % 3 == 0)
			must(test_deliver(spool, ids[i], 1) == 0);
	}
	running--;
}

static yields void
told_one(void *arg, const struct kept *k, const struct envelope *e)
{
	(void)arg;
	must(kept_left(k) == 1 && e->n_rcpts == 2);
	told++;
}

/* On core 1, while core 0 goes on. */
static yields void
read_pinned(void *arg)
{
	struct pin *p = arg;
	static char room[16384];
	struct body b;
	int64_t n, all = 0;

	must(core_index() == 1);
	for (int turn = 0; turn < 2; turn++) {
		body_open(&b, p);
		while ((n = body_read(&b, room, sizeof room)) > 0)
			all += n;
		must(n == 0);
	}
	must(all == 2 * 100000 || all == 2 * BODY);
}

static yields void
keep_and_restart(void *arg)
{
	static unsigned next;
	struct pin p;

	(void)arg;
	if (core_index() != 0)
		return;
	spool = test_open_with(real_config(), NULL, NULL);
	for (running = 0; running < 20; running++)
		must(fiber_go("writer", write_some, &next) == 0);
	while (running > 0)
		fiber_sleep(in_ms(2));
	must(spool_stats(spool).syncs < MESSAGES);	/* shared */
	must(spool_close(spool) == SPOOL_FINE);
	spool = test_open_with(real_config(), told_one, NULL);
	must(told == MESSAGES * 2 / 3);
	for (unsigned i = 0; i < MESSAGES; i++) {
		if (i % 3 == 0) {
			must(spool_find(spool, ids[i]) == NULL);
			continue;
		}
		must(spool_pin(spool, ids[i], &p));
		must(core_call(1, read_pinned, &p) == 0);
		spool_unpin(&p);
	}
	must(spool_close(spool) == SPOOL_FINE);
}

static void
remove_all(const char *path)
{
	DIR *d = opendir(path);
	char name[600];
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL) {
		snprintf(name, sizeof name, "%s/%s", path, e->d_name);
		if (unlink(name) != 0)
			(void)rmdir(name);
	}
	if (d != NULL)
		closedir(d);
	(void)rmdir(path);
}

static void
a_real_disk_keeps_what_it_was_given(void **state)
{
	(void)state;
	assert_non_null(mkdtemp(directory));
	setenv("CMOCKA_TEST_ABORT", "1", 1);
	assert_int_equal(core_run_all(2, keep_and_restart, NULL), 0);
	remove_all(directory);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_real_disk_keeps_what_it_was_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
