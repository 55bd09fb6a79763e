#include "store/database.h"

#include "base/err.h"

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

static char directory[] = "/tmp/nightmail-database-XXXXXX";
static char path[64], url[80];
static const struct sqlite_owner us = { .may_create = true };
static const struct sqlite_owner nobody = { .may_create = false };

static int
begin(void **state)
{
	(void)state;
	memcpy(directory + sizeof directory - 7, "XXXXXX", 7);
	if (mkdtemp(directory) == NULL)
		return -1;
	snprintf(path, sizeof path, "%s/state.db", directory);
	snprintf(url, sizeof url, "sqlite:%s", path);
	return 0;
}

static int
end(void **state)
{
	static const char *const suffixes[] = { "", "-wal", "-shm" };
	char name[80];

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
		(void)unlink(name);
	}
	return rmdir(directory);
}

static void
test_a_file_is_made_for_its_owner_alone(void **state)
{
	struct sqlite_owner other = { true, geteuid() == 0 ? 12345 : geteuid(),
		geteuid() == 0 ? 23456 : getegid() };
	struct database d;
	struct stat st;

	(void)state;
	assert_int_equal(database_open(&d, str_of(url), &nobody),
	    DATABASE_ABSENT);
	assert_false(database_exists(str_of(url)));
	assert_int_equal(database_open(&d, str_of(url), &other), 0);
	assert_true(database_exists(str_of(url)));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(st.st_uid, other.uid);
	assert_int_equal(st.st_gid, other.gid);
	database_close(&d);
	assert_int_equal(database_open(&d, str_of(url), &nobody), 0);
	database_close(&d);
}

static void
test_urls(void **state)
{
	struct database d;

	(void)state;
	assert_true(str_eq(database_path(STR("sqlite:/a")), STR("/a")));
	assert_null(database_path(STR("sqlite:a")).p);
	assert_null(database_path(STR("sqlite:")).p);
	assert_null(database_path(STR("postgres://a")).p);
	assert_int_equal(database_open(&d, STR("mysql:/a"), &us), -1);
	assert_non_null(strstr(err_text(), "not sqlite:/"));
	assert_int_equal(database_open(&d, STR("sqlite:/no/such/place/db"),
	    &us), -1);
	assert_non_null(strstr(err_text(), "No such file"));
}

static void
exec(const char *sql)
{
	sqlite3 *h;

	assert_int_equal(sqlite3_open(path, &h), SQLITE_OK);
	assert_int_equal(sqlite3_exec(h, sql, NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(sqlite3_close(h), SQLITE_OK);
}

static void
test_other_files_are_refused(void **state)
{
	struct database d;

	(void)state;
	assert_int_equal(database_open(&d, str_of(url), &us), 0);
	database_close(&d);
	exec("PRAGMA user_version = 1000");
	assert_int_equal(database_open(&d, str_of(url), &us), -1);
	assert_non_null(strstr(err_text(), "newer nightmail"));
	exec("PRAGMA user_version = 3; PRAGMA application_id = 7");
	assert_int_equal(database_open(&d, str_of(url), &us), -1);
	assert_non_null(strstr(err_text(), "another program"));
}

static void
test_damage_is_told(void **state)
{
	static char room[4096];
	struct database d;
	int fd;

	(void)state;
	assert_int_equal(database_open(&d, str_of(url), &us), 0);
	database_close(&d);
	snprintf(room, sizeof room, "%s-wal", path);
	assert_int_equal(unlink(room), 0);
	memset(room, 0x5a, sizeof room);
	assert_true((fd = open(path, O_WRONLY)) >= 0);
	assert_int_equal(pwrite(fd, room, sizeof room, 2 * 4096), 4096);
	close(fd);
	assert_int_equal(database_open(&d, str_of(url), &us), -1);
	assert_non_null(strstr(err_text(), "is damaged"));
	assert_non_null(strstr(err_text(), ".recover"));
	assert_true((fd = open(path, O_WRONLY)) >= 0);
	assert_int_equal(pwrite(fd, room, 100, 0), 100);
	close(fd);
	assert_int_equal(database_open(&d, str_of(url), &us), -1);
	assert_non_null(strstr(err_text(), "not a database"));
}

static int
fails(void *arg)
{
	struct database_value v[] = { DATABASE_NUMBER(1), DATABASE_NUMBER(1) };

	assert_true(database_ask(arg, STATEMENT_user_used, v, 2, NULL, NULL)
	    >= 0);
	exec("SELECT 1");		/* another reader is not held up */
	return -7;
}

static void
test_all_or_nothing(void **state)
{
	struct database d;

	(void)state;
	assert_int_equal(database_open(&d, str_of(url), &us), 0);
	assert_int_equal(database_together(&d, fails, &d), -7);
	assert_int_equal(database_together(&d, fails, &d), -7);
	database_close(&d);
}

/* Killed at some instant of its making, and again: the next one finishes. */
static void
test_making_survives_a_kill(void **state)
{
	struct database d;

	(void)state;
	for (long later = 200; later < 20000; later += 900) {
		const struct timespec pause = { 0, later * 1000 };
		pid_t child = fork();
		int status;

		assert_true(child >= 0);
		if (child == 0)
			_exit(database_open(&d, str_of(url), &us) != 0);
		(void)nanosleep(&pause, NULL);
		(void)kill(child, SIGKILL);
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_int_equal(database_open(&d, str_of(url), &us), 0);
		database_close(&d);
		(void)end(NULL);
		assert_int_equal(mkdir(directory, 0700), 0);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_file_is_made_for_its_owner_alone),
		TEST(test_urls),
		TEST(test_other_files_are_refused),
		TEST(test_damage_is_told),
		TEST(test_all_or_nothing),
		TEST(test_making_survives_a_kill),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
