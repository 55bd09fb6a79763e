#include "base/err.h"
#include "fiber/offload.h"
#include "fiber/test_core.h"

#include "fiber/disk.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

static char base[64], paths[4][160];

static const char *
path_of(unsigned slot, const char *name)
{
	snprintf(paths[slot], sizeof paths[slot], "%s/%s", base, name);
	return paths[slot];
}

static yields void
begin(void)
{
	static unsigned round;
	int rc;

	snprintf(base, sizeof base, "/tmp/nm-disk-%ld-%u", (long)getpid(),
	    ++round);
	rc = disk_mkdir("/tmp", 0755);
	assert_true(rc == 0 || rc == -EEXIST);
	assert_int_equal(disk_mkdir(base, 0700), 0);
	assert_int_equal(disk_mkdir(base, 0700), -EEXIST);
}

static yields void
end(void)
{
	struct arena arena;
	struct str *names;
	size_t n;

	arena_init(&arena, 1 << 20);
	assert_int_equal(disk_list(base, &arena, &names, &n), 0);
	for (size_t i = 0; i < n; i++) {
		char name[64];

		assert_true(str_cstr(names[i], name, sizeof name));
		assert_int_equal(disk_unlink(path_of(0, name)), 0);
	}
	arena_clear(&arena);
	rmdir(base);		/* no verb for it: nobody needs one */
}

static void
body_bytes(void *arg)
{
	char room[32];
	struct disk_stat st;
	int fd;

	(void)arg;
	begin();
	fd = disk_open(path_of(0, "a"), DISK_WRITE, 0600);
	assert_int_equal(fd, -ENOENT);
	assert_non_null(strstr(err_text(), paths[0]));
	assert_non_null(strstr(err_text(), "No such file"));
	fd = disk_open(path_of(0, "a"), DISK_WRITE | DISK_CREATE, 0600);
	assert_true(fd >= 0);
	assert_int_equal(disk_pwrite(fd, STR("hello world"), 0), 0);
	assert_int_equal(disk_pwrite(fd, STR("W"), 6), 0);
	assert_int_equal(disk_pread(fd, room, sizeof room, 0), 11);
	assert_memory_equal(room, "hello World", 11);
	assert_int_equal(disk_pread(fd, room, 3, 9), 2);
	assert_memory_equal(room, "ld", 2);
	assert_int_equal(disk_pread(fd, room, 3, 11), 0);
	assert_int_equal(disk_fdatasync(fd), 0);
	assert_int_equal(disk_fsync(fd), 0);
	assert_int_equal(disk_sync_directory(base), 0);
	assert_int_equal(disk_truncate(fd, 5), 0);
	assert_int_equal(disk_stat(paths[0], &st), 0);
	assert_int_equal(st.size, 5);
	assert_int_equal(st.mode, 0600);
	assert_false(st.is_directory);
	disk_close(fd);
	fd = disk_open(paths[0], DISK_WRITE | DISK_CREATE | DISK_EXCLUSIVE,
	    0600);
	assert_int_equal(fd, -EEXIST);
	assert_int_equal(disk_open(paths[0], DISK_READ | DISK_DIRECTORY, 0),
	    -ENOTDIR);
	end();
}

static void
test_bytes(void **state)
{
	(void)state;
	on_core(body_bytes);
}

static yields void
make_file(const char *name, struct str bytes)
{
	int fd = disk_open(path_of(3, name), DISK_WRITE | DISK_CREATE, 0600);

	assert_true(fd >= 0);
	assert_int_equal(disk_pwrite(fd, bytes, 0), 0);
	disk_close(fd);
}

static void
body_names(void *arg)
{
	struct arena arena;
	struct disk_space space;
	struct disk_stat st;
	struct str *names;
	size_t n;

	(void)arg;
	begin();
	make_file("b", STR("bb"));
	make_file("c", STR(""));
	make_file("a", STR(""));
	make_file("10", STR(""));
	assert_int_equal(disk_link(path_of(0, "b"), path_of(1, "d")), 0);
	assert_int_equal(disk_link(paths[0], paths[1]), -EEXIST);
	assert_int_equal(disk_rename(path_of(0, "c"), path_of(1, "a")), 0);
	assert_int_equal(disk_rename(paths[0], paths[1]), -ENOENT);
	assert_non_null(strstr(err_text(), paths[1]));
	arena_init(&arena, 1 << 20);
	assert_int_equal(disk_list(base, &arena, &names, &n), 0);
	assert_int_equal(n, 4);
	assert_true(str_eq(names[0], STR("10")));
	assert_true(str_eq(names[1], STR("a")));
	assert_true(str_eq(names[2], STR("b")));
	assert_true(str_eq(names[3], STR("d")));
	assert_int_equal(disk_list(path_of(0, "none"), &arena, &names, &n),
	    -ENOENT);
	assert_int_equal(n, 0);
	arena_clear(&arena);
	arena_init(&arena, 64);
	assert_int_equal(disk_list(base, &arena, &names, &n), -ENOMEM);
	arena_clear(&arena);
	assert_int_equal(disk_unlink(path_of(0, "none")), -ENOENT);
	assert_int_equal(disk_space(base, &space), 0);
	assert_true(space.total >= space.free && space.free > 0);
	assert_int_equal(disk_stat(base, &st), 0);
	assert_true(st.is_directory);
	end();
}

static void
test_names(void **state)
{
	(void)state;
	on_core(body_names);
}

static void
body_read_file(void *arg)
{
	static char big[10000];
	struct arena arena;
	struct str out;

	(void)arg;
	begin();
	memset(big, 'b', sizeof big);
	make_file("f", (struct str){ big, sizeof big });
	arena_init(&arena, 1 << 20);
	path_of(0, "f");
	assert_int_equal(disk_read_file(paths[0], &arena, 10000, &out), 0);
	assert_int_equal(out.n, 10000);
	assert_memory_equal(out.p, big, sizeof big);
	assert_int_equal(disk_read_file(paths[0], &arena, 10001, &out), 0);
	assert_int_equal(out.n, 10000);
	assert_int_equal(disk_read_file(paths[0], &arena, 9999, &out), -EFBIG);
	assert_int_equal(out.n, 0);
	assert_int_equal(disk_read_file(base, &arena, 9999, &out), -EISDIR);
	make_file("g", STR(""));
	assert_int_equal(disk_read_file(path_of(0, "g"), &arena, 0, &out), 0);
	assert_int_equal(out.n, 0);
	assert_non_null(out.p);
	arena_clear(&arena);
	arena_init(&arena, 100);
	assert_int_equal(disk_read_file(path_of(0, "f"), &arena, 10000, &out),
	    -ENOMEM);
	arena_clear(&arena);
	end();
}

static void
test_read_file(void **state)
{
	(void)state;
	on_core(body_read_file);
}

static void
body_zero_fill(void *arg)
{
	static char room[200000];
	int fd, more = 4 << 20;	/* synced on the way */

	(void)arg;
	begin();
	make_file("z", STR("old bytes"));
	fd = disk_open(path_of(0, "z"), DISK_WRITE, 0);
	assert_int_equal(disk_zero_fill(fd, 150000), 0);
	assert_int_equal(disk_pread(fd, room, sizeof room, 0), 150000);
	for (size_t i = 0; i < 150000; i++)
		assert_int_equal(room[i], 0);
	for (int n = more - 1; n <= more + 1; n++) {
		assert_int_equal(disk_zero_fill(fd, (uint64_t)n), 0);
		assert_int_equal(disk_pread(fd, room, sizeof room,
		    (uint64_t)n - 7), 7);
	}
	assert_int_equal(disk_zero_fill(fd, 0), 0);
	assert_int_equal(disk_pread(fd, room, sizeof room, 0), 0);
	disk_close(fd);
	end();
}

static void
test_zero_fill(void **state)
{
	(void)state;
	on_core(body_zero_fill);
}

static void
body_lock(void *arg)
{
	int a, b;

	(void)arg;
	begin();
	make_file("l", STR(""));
	a = disk_open(path_of(0, "l"), DISK_WRITE, 0);
	b = disk_open(paths[0], DISK_WRITE, 0);
	assert_int_equal(disk_lock(a), 0);
	assert_int_equal(disk_lock(b), -EWOULDBLOCK);
	disk_close(a);
	assert_int_equal(disk_lock(b), 0);
	disk_close(b);
	end();
}

static void
test_lock(void **state)
{
	(void)state;
	on_core(body_lock);
}

/* ---- on a lane ---- */

enum { PARTS = 150 };		/* more than one system call takes */

static int
write_parts(void *arg)
{
	static struct str parts[PARTS];
	int fd = *(int *)arg;

	for (size_t i = 0; i < PARTS; i++)
		parts[i] = i % 3 == 0 ? STR("") : i % 3 == 1 ? STR("ab") :
		    STR("cde");
	assert_int_equal(disk_pwrite_here(fd, parts, PARTS, 7), 0);
	assert_int_equal(disk_fdatasync_here(fd), 0);
	return 0;
}

static void
body_lane(void *arg)
{
	struct lane *lane = lane_open("disk lane");
	char room[400];
	int fd;

	(void)arg;
	begin();
	fd = disk_open(path_of(0, "p"), DISK_WRITE | DISK_CREATE, 0600);
	assert_int_equal(lane_run(lane, write_parts, &fd), 0);
	assert_int_equal(disk_pread(fd, room, sizeof room, 7), 250);
	for (size_t i = 0; i < 250; i += 5)
		assert_memory_equal(room + i, "abcde", 5);
	disk_close(fd);
	lane_close(lane);
	end();
}

static void
test_lane(void **state)
{
	(void)state;
	on_core(body_lane);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_read_file),
		cmocka_unit_test(test_zero_fill),
		cmocka_unit_test(test_lock),
		cmocka_unit_test(test_lane),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
