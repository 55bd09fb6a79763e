#include "fiber/test_core.h"

#include "fiber/disk.h"
#include "fiber/world_sim.h"
#include "policy/quota_file.h"
#include "policy/quota.c"

static const struct hash_key key = { 1, 2 }, other = { 3, 4 };
static const struct quota limits[ACCOUNT_MEASURES] = {
	[ACCOUNT_MESSAGES] = { 0, 1000 } };

enum { NAMES = 300 };

static struct quota_name
name_of(int i)
{
	static char room[32];

	snprintf(room, sizeof room, "user%d@example.org", i);
	return (struct quota_name){ QUOTA_ACCOUNT, str_of(room) };
}

static struct wall
noon(void)
{
	return (struct wall){ INT64_C(1795262400) * US_PER_SECOND };
}

/* Two cores wrote; three read. */
static yields void
body_moves_between_cores(void *arg)
{
	struct quota_table *t[3];
	struct quota_use use = { { 1, 0, 0 } };
	size_t all = 0;

	(void)arg;
	assert_int_equal(disk_mkdir("/spool", 0700), 0);
	for (unsigned i = 0; i < 2; i++)
		assert_non_null(t[i] = quota_open(key));
	for (int i = 0; i < NAMES; i++)
		assert_true(quota_take(t[quota_owner(key, name_of(i), 2)],
		    name_of(i), limits, &use, noon()).fits);
	for (unsigned i = 0; i < 2; i++) {
		assert_int_equal(quota_file_write(t[i], STR("/spool"), i), 0);
		assert_int_equal(quota_file_write(t[i], STR("/spool"), i), 0);
		quota_close(t[i]);
	}
	for (unsigned i = 0; i < 3; i++) {
		assert_non_null(t[i] = quota_open(other));
		assert_int_equal(quota_file_read(t[i], STR("/spool"), other, i,
		    3), 0);
		all += t[i]->entries.n;
		assert_false(quota_is_changed(t[i]));
	}
	assert_int_equal(all, NAMES);
	for (int i = 0; i < NAMES; i++)
		assert_int_equal(quota_see(t[quota_owner(other, name_of(i), 3)],
		    name_of(i), noon()).day.n[ACCOUNT_MESSAGES], 1);
	for (unsigned i = 0; i < 3; i++)
		quota_close(t[i]);
}

/* Nothing of it stops a start. */
static yields void
body_takes_what_is_there(void *arg)
{
	static const char *const texts[] = { "", "\n\n", "account bob d498684:",
		"account bob d1:1,2,3\naccount eve\n\xff\xff" };
	struct quota_table *t;
	int fd;

	(void)arg;
	assert_non_null(t = quota_open(key));
	assert_int_equal(quota_file_read(t, STR("/spool"), key, 0, 1), -1);
	assert_int_equal(disk_mkdir("/spool", 0700), 0);
	assert_int_equal(quota_file_read(t, STR("/spool"), key, 0, 1), 0);
	for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
		fd = disk_open("/spool/quota.0", DISK_WRITE | DISK_CREATE,
		    0600);
		assert_true(fd >= 0);
		assert_int_equal(disk_pwrite(fd, str_of(texts[i]), 0), 0);
		disk_close(fd);
		assert_int_equal(quota_file_read(t, STR("/spool"), key, 0, 1),
		    0);
	}
	/* "account eve" has no cell: it is there, and owes nothing */
	assert_int_equal(t->entries.n, 2);
	assert_int_equal(quota_file_write(t, STR("/nowhere"), 0), -1);
	quota_close(t);
}

static void
test_moves_between_cores(void **state)
{
	(void)state;
	sim_begin(1);
	on_core(body_moves_between_cores);
}

static void
test_takes_what_is_there(void **state)
{
	(void)state;
	sim_begin(1);
	on_core(body_takes_what_is_there);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_moves_between_cores),
		cmocka_unit_test(test_takes_what_is_there),
	};

	return cmocka_run_group_tests_name("quota_file", tests, NULL, NULL);
}
