#include "fiber/test_life.h"

#include "fiber/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

enum { SEEDS = 60 };

/* What lives tell the parent. */
static struct ledger { unsigned crashed, steps; int rc[8]; } *ledger;

static void
begin(uint64_t seed)
{
	sim_begin(seed);
	ledger = sim_ledger(sizeof *ledger);
}

/* The content of a file after all, as text; NULL: there is none. */
static const char *
text_of(const char *path)
{
	static char text[4096];
	struct arena a;
	struct str s;

	arena_init(&a, 1 << 20);
	s = sim_disk_get(path, &a);
	assert_true(s.n < sizeof text);
	memset(text, 0, sizeof text);
	if (s.p != NULL)
		memcpy(text, s.p, s.n);
	arena_clear(&a);
	return s.p == NULL ? NULL : text;
}

static yields int
make(const char *path, const char *text)
{
	int fd = disk_open(path, DISK_WRITE | DISK_CREATE, 0600);

	assert_true(fd >= 0);
	assert_int_equal(disk_pwrite(fd, str_of(text), 0), 0);
	return fd;
}

/* ---- nothing synced, everything synced ---- */

static yields void
write_synced_and_not(void *arg)
{
	int kept, lost;

	(void)arg;
	kept = make("/d/kept", "kept");
	assert_int_equal(disk_fdatasync(kept), 0);
	assert_int_equal(disk_sync_directory("/d"), 0);
	lost = make("/d/lost", "lost");
	assert_int_equal(disk_fdatasync(lost), 0);
	assert_int_equal(disk_pwrite(kept, STR("KEPT"), 0), 0);
	sim_crash_at(sim_verbs() + 1, ledger->steps == 0 ? SIM_POWER :
	    SIM_KILL);
	(void)disk_fdatasync(lost);
	fail();
}

static void
test_power_cut(void **state)
{
	unsigned n_lost = 0, n_old = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		begin(seed);
		sim_disk_mkdir("/d");
		assert_int_equal(test_life(write_synced_and_not), SIM_CRASHED);
		assert_non_null(text_of("/d/kept"));
		n_old += strcmp(text_of("/d/kept"), "kept") == 0;
		assert_true(strcasecmp(text_of("/d/kept"), "kept") == 0);
		n_lost += text_of("/d/lost") == NULL;
		if (text_of("/d/lost") != NULL)
			assert_string_equal(text_of("/d/lost"), "lost");
	}
	/* the seed decides, one way and the other */
	assert_in_range(n_lost, SEEDS / 10, SEEDS * 9 / 10);
	assert_in_range(n_old, SEEDS / 10, SEEDS * 9 / 10);
}

static void
test_kill(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 5; seed++) {
		begin(seed);
		sim_disk_mkdir("/d");
		ledger->steps = 1;
		assert_int_equal(test_life(write_synced_and_not), SIM_CRASHED);
		assert_string_equal(text_of("/d/kept"), "KEPT");
		assert_string_equal(text_of("/d/lost"), "lost");
	}
}

/* ---- torn at 512 octets, never inside; versions between syncs ---- */

static yields void
write_pages(void *arg)
{
	static char page[4096];
	int fd = disk_open("/f", DISK_WRITE | DISK_CREATE, 0600);

	(void)arg;
	memset(page, 'a', sizeof page);
	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(disk_pwrite(fd, (struct str){ page,
		    sizeof page }, i * sizeof page), 0);
	assert_int_equal(disk_fsync(fd), 0);
	assert_int_equal(disk_sync_directory("/"), 0);
	for (int c = 'b'; c <= 'd'; c++) {
		memset(page, c, sizeof page);
		for (uint64_t i = 0; i < 4; i++)
			assert_int_equal(disk_pwrite(fd, (struct str){ page,
			    sizeof page }, i * sizeof page), 0);
	}
	sim_crash_at(sim_verbs() + 1, SIM_POWER);
	(void)disk_fsync(fd);
}

static void
test_torn(void **state)
{
	unsigned seen[256] = { 0 };
	struct arena a;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct str s;

		begin(seed);
		assert_int_equal(test_life(write_pages), SIM_CRASHED);
		arena_init(&a, 1 << 20);
		s = sim_disk_get("/f", &a);
		assert_int_equal(s.n, 4 * 4096);
		for (size_t i = 0; i < s.n; i++) {
			assert_int_equal(s.p[i], s.p[i - i % 512]);
			seen[(unsigned char)s.p[i]]++;
		}
		arena_clear(&a);
	}
	for (int c = 'a'; c <= 'd'; c++)
		assert_true(seen[c] > 512);
}

/* ---- names ---- */

static yields void
rename_unsynced(void *arg)
{
	int fd = make("/new", "new");

	(void)arg;
	assert_int_equal(disk_fsync(fd), 0);
	disk_close(fd);
	assert_int_equal(disk_rename("/new", "/file"), 0);
	if (ledger->steps == 1)
		assert_int_equal(disk_sync_directory("/"), 0);
	sim_crash_at(sim_verbs() + 1, SIM_POWER);
	(void)disk_unlink("/file");
}

static void
test_rename(void **state)
{
	unsigned n_old = 0;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		begin(seed);
		sim_disk_put("/file", STR("old"));
		assert_int_equal(test_life(rename_unsynced), SIM_CRASHED);
		/* the one or the other, never neither */
		assert_non_null(text_of("/file"));
		n_old += strcmp(text_of("/file"), "old") == 0;
	}
	assert_in_range(n_old, SEEDS / 10, SEEDS * 9 / 10);
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		begin(seed);
		sim_disk_put("/file", STR("old"));
		ledger->steps = 1;
		assert_int_equal(test_life(rename_unsynced), SIM_CRASHED);
		assert_string_equal(text_of("/file"), "new");
		assert_null(text_of("/new"));
	}
}

/* A commit by rename, cut at each step: the old or the new, whole. */
static yields void
commit(void *arg)
{
	int fd = make("/d/tmp", "a new text that is longer");

	(void)arg;
	assert_int_equal(disk_fdatasync(fd), 0);
	disk_close(fd);
	assert_int_equal(disk_rename("/d/tmp", "/d/file"), 0);
	assert_int_equal(disk_sync_directory("/d"), 0);
	ledger->crashed = 1;		/* here we would have said 250 */
}

static void
test_every_step(void **state)
{
	enum sim_ending ending = SIM_CRASHED;
	uint64_t step;

	(void)state;
	for (step = 1; ending == SIM_CRASHED; step++) {
		begin(step);
		sim_disk_put("/d/file", STR("an old text"));
		sim_crash_at(step, SIM_POWER);
		ending = test_life(commit);
		assert_true(ending != SIM_BROKEN);
		assert_non_null(text_of("/d/file"));
		if (strcmp(text_of("/d/file"), "an old text") == 0)
			assert_int_equal(ledger->crashed, 0);
		else
			assert_string_equal(text_of("/d/file"),
			    "a new text that is longer");
	}
	assert_in_range(step, 8, 40);
}

/* ---- faults ---- */

static yields void
meet_faults(void *arg)
{
	int fd = make("/f", "first");

	(void)arg;
	ledger->rc[0] = disk_pwrite(fd, STR("second"), 0);
	ledger->rc[1] = disk_fdatasync(fd);
	ledger->rc[2] = disk_fdatasync(fd);
	assert_int_equal(disk_pwrite(fd, STR("third"), 1024), 0);
	assert_int_equal(disk_sync_directory("/"), 0);
	assert_int_equal(disk_fdatasync(fd), 0);
	sim_crash_at(sim_verbs() + 1, SIM_POWER);
	(void)disk_fdatasync(fd);
}

/* After a failed sync the next one says 0 and has not kept the bytes. */
static void
test_failed_sync(void **state)
{
	unsigned n_lost = 0;
	struct arena a;

	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct str s;

		begin(seed);
		sim_fault_nth(SIM_disk_pwrite, 2, 1, ENOSPC);
		sim_fault_nth(SIM_disk_fdatasync, 1, 1, EIO);
		assert_int_equal(test_life(meet_faults), SIM_CRASHED);
		assert_int_equal(ledger->rc[0], -ENOSPC);
		assert_int_equal(ledger->rc[1], -EIO);
		assert_int_equal(ledger->rc[2], 0);
		arena_init(&a, 1 << 20);
		s = sim_disk_get("/f", &a);
		assert_int_equal(s.n, 1024 + 5);
		assert_memory_equal(s.p + 1024, "third", 5);
		n_lost += s.p[0] == '\0';
		arena_clear(&a);
	}
	assert_in_range(n_lost, SEEDS / 10, SEEDS * 9 / 10);
}

static yields void
fill_disk(void *arg)
{
	struct disk_space space;
	int fd = make("/f", "x"), other;

	(void)arg;
	assert_int_equal(disk_zero_fill(fd, 64 * 1024), 0);
	assert_int_equal(disk_space("/", &space), 0);
	assert_int_equal(space.total, 128 * 1024);
	assert_int_equal(space.free, 64 * 1024);
	other = disk_open("/g", DISK_WRITE | DISK_CREATE, 0600);
	assert_int_equal(disk_truncate(other, 64 * 1024 + 1), -ENOSPC);
	assert_int_equal(disk_truncate(other, 64 * 1024), 0);
	assert_int_equal(disk_pwrite(other, STR("y"), 64 * 1024), -ENOSPC);
	assert_int_equal(disk_pwrite(other, STR("y"), 64 * 1024 - 1), 0);
	assert_int_equal(disk_unlink("/f"), 0);
	disk_close(fd);
	assert_int_equal(disk_sync_directory("/"), 0);
	assert_int_equal(disk_pwrite(other, STR("y"), 64 * 1024), 0);
	disk_close(other);
}

static void
test_full(void **state)
{
	(void)state;
	begin(1);
	sim_disk_size(128 * 1024);
	assert_int_equal(test_life(fill_disk), SIM_ENDED);
}

/* ---- a disk like any other ---- */

static yields void
use_disk(void *arg)
{
	struct arena a;
	struct disk_stat st;
	struct str *names, text;
	size_t n;
	int fd, again;

	(void)arg;
	arena_init(&a, 1 << 20);
	assert_int_equal(disk_mkdir("/a", 0700), 0);
	assert_int_equal(disk_mkdir("/a", 0700), -EEXIST);
	assert_int_equal(disk_mkdir("/no/b", 0700), -ENOENT);
	assert_int_equal(disk_open("/a/x", DISK_READ, 0), -ENOENT);
	fd = make("/a/x", "hello");
	assert_int_equal(disk_open("/a/x", DISK_CREATE | DISK_EXCLUSIVE |
	    DISK_WRITE, 0600), -EEXIST);
	assert_int_equal(disk_open("/a", DISK_WRITE, 0), -EISDIR);
	assert_int_equal(disk_open("/a/x", DISK_DIRECTORY, 0), -ENOTDIR);
	assert_int_equal(disk_lock(fd), 0);
	again = disk_open("//a/./x", DISK_WRITE, 0);
	assert_int_equal(disk_lock(again), -EWOULDBLOCK);
	disk_close(fd);
	assert_int_equal(disk_lock(again), 0);
	assert_int_equal(disk_link("/a/x", "/a/y"), 0);
	assert_int_equal(disk_link("/a/x", "/a/y"), -EEXIST);
	assert_int_equal(disk_list("/a", &a, &names, &n), 0);
	assert_int_equal(n, 2);
	assert_true(str_eq(names[0], STR("x")) && str_eq(names[1], STR("y")));
	assert_int_equal(disk_unlink("/a/x"), 0);
	assert_int_equal(disk_unlink("/a/x"), -ENOENT);
	assert_int_equal(disk_unlink("/a"), -EISDIR);
	assert_int_equal(disk_pwrite(again, STR(" there"), 5), 0);
	assert_int_equal(disk_read_file("/a/y", &a, 100, &text), 0);
	assert_true(str_eq(text, STR("hello there")));
	assert_int_equal(disk_stat("/a/y", &st), 0);
	assert_int_equal(st.size, 11);
	assert_int_equal(st.mode, 0600);
	assert_int_equal(disk_truncate(again, 4), 0);
	assert_int_equal(disk_truncate(again, 8), 0);
	assert_int_equal(disk_read_file("/a/y", &a, 100, &text), 0);
	assert_memory_equal(text.p, "hell\0\0\0\0", 8);
	assert_int_equal(disk_rename("/a/y", "/a/z"), 0);
	assert_int_equal(disk_rename("/a/y", "/a/z"), -ENOENT);
	disk_close(again);
	arena_clear(&a);
}

static void
test_verbs(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 10; seed++) {
		begin(seed);
		assert_int_equal(test_life(use_disk), SIM_ENDED);
		assert_string_equal(text_of("/a/z"), "hell");
	}
}

/* ---- what a scenario does by hand ---- */

static void
test_hand(void **state)
{
	(void)state;
	begin(1);
	sim_disk_put("/etc/x/conf", STR("port: 25"));
	assert_string_equal(text_of("/etc/x/conf"), "port: 25");
	sim_disk_put("/etc/x/conf", STR("none"));
	assert_string_equal(text_of("/etc/x/conf"), "none");
	sim_disk_rot("/etc/x/conf", 1, 0x20);
	assert_string_equal(text_of("/etc/x/conf"), "nOne");
	assert_null(text_of("/etc/x"));
	assert_null(text_of("/etc/y"));
}

/* ---- the same name many times over, orders that overtake ---- */

static yields void
churn(void *arg)
{
	char from[32], to[32], text[32];

	(void)arg;
	for (int i = 0; i < 60; i++) {
		snprintf(from, sizeof from, "/d%d/tmp", (int)sim_chance(3));
		snprintf(to, sizeof to, "/d%d/f%d", (int)sim_chance(3),
		    (int)sim_chance(4));
		snprintf(text, sizeof text, "%s", to);
		disk_close(make(from, text));
		if (sim_chance(3) > 0)
			assert_int_equal(disk_rename(from, to), 0);
		else
			assert_int_equal(disk_unlink(from), 0);
		if (sim_chance(4) == 0)
			assert_int_equal(disk_sync_directory(sim_chance(2) ?
			    "/d1" : "/d2"), 0);
	}
}

static void
test_churn(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		begin(seed);
		for (int i = 0; i < 3; i++) {
			char dir[] = "/d0";

			dir[2] = (char)('0' + i);
			sim_disk_mkdir(dir);
		}
		for (int i = 0; i < 4; i++) {
			sim_crash_at(100 + 37 * (uint64_t)i, i % 2 == 0 ?
			    SIM_POWER : SIM_KILL);
			assert_int_equal(test_life(churn), SIM_CRASHED);
		}
		sim_crash_at(0, SIM_KILL);
		assert_int_equal(test_life(churn), SIM_ENDED);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_power_cut),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_torn),
		cmocka_unit_test(test_rename),
		cmocka_unit_test(test_every_step),
		cmocka_unit_test(test_failed_sync),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_verbs),
		cmocka_unit_test(test_hand),
		cmocka_unit_test(test_churn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
