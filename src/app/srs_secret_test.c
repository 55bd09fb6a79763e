/* One secret for all cores, at each start; a file that is none stops the start. */
#include "fiber/test_core.h"

#include "app/srs_secret.h"
#include "base/err.h"
#include "fiber/disk.h"
#include "fiber/world_sim.h"

enum { CORES = 4 };

static unsigned char got[CORES][SRS_SECRET];
static int taken;

static yields void
take(void *arg)
{
	unsigned number = *(const unsigned *)arg;

	assert_int_equal(srs_secret_take(STR("/spool"), number, got[number]), 0);
	taken++;
}

/* All at once, as cores start. */
static yields void
body_race(void *arg)
{
	static unsigned numbers[CORES] = { 0, 1, 2, 3 };
	static const unsigned char zeros[SRS_SECRET];
	struct disk_stat is;
	struct arena a;
	struct str *names;
	size_t n;

	(void)arg;
	assert_int_equal(disk_mkdir("/spool", 0700), 0);
	for (size_t i = 0; i < CORES; i++)
		assert_int_equal(fiber_go("take", take, &numbers[i]), 0);
	while (taken < CORES)
		fiber_sleep(in_ms(1));
	for (size_t i = 1; i < CORES; i++)
		assert_memory_equal(got[i], got[0], SRS_SECRET);
	assert_memory_not_equal(got[0], zeros, SRS_SECRET);
	take(&numbers[0]);		/* at the next start */
	assert_memory_equal(got[0], got[1], SRS_SECRET);
	assert_int_equal(disk_stat("/spool/srs.secret", &is), 0);
	assert_int_equal(is.size, 2 * SRS_SECRET + 1);
	arena_init(&a, 4096);
	assert_int_equal(disk_list("/spool", &a, &names, &n), 0);
	assert_int_equal(n, 1);
	arena_clear(&a);
}

static yields void
file_put(const char *text)
{
	int fd = disk_open("/spool/srs.secret", DISK_WRITE | DISK_CREATE, 0600);

	assert_true(fd >= 0);
	assert_int_equal(disk_truncate(fd, 0), 0);
	assert_int_equal(disk_pwrite(fd, str_of(text), 0), 0);
	disk_close(fd);
}

static yields void
body_bad(void *arg)
{
	static const char *const bad[] = { "", "\n", "0123",
	    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
	    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdefx",
	    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcde\n",
	    "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\n\n",
	    "0123456789abcdefg123456789abcdef0123456789abcdef0123456789abcdef\n" };
	unsigned char out[SRS_SECRET];

	(void)arg;
	assert_int_equal(disk_mkdir("/spool", 0700), 0);
	for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
		file_put(bad[i]);
		assert_int_equal(srs_secret_take(STR("/spool"), 0, out), -1);
		assert_true(strstr(err_text(), "it is no secret") != NULL);
		err_clear();
	}
	file_put("000102030405060708090a0b0c0d0e0f"
	    "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff\n");
	assert_int_equal(srs_secret_take(STR("/spool"), 0, out), 0);
	assert_int_equal(out[1], 1);
	assert_int_equal(out[SRS_SECRET - 1], 0xff);
	assert_int_equal(srs_secret_take(STR("/nowhere"), 0, out), -1);
}

#define TEST(name) \
static void \
test_##name(void **state) \
{ \
	(void)state; \
	sim_begin(1); \
	on_core(body_##name); \
}
TEST(race)
TEST(bad)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_race), cmocka_unit_test(test_bad),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
