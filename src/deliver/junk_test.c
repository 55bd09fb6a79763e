#include "fiber/test_core.h"

#include "deliver/junk.h"
#include "deliver/maildir.h"
#include "fiber/disk.h"
#include "fiber/world_sim.h"

#define BOX "/home/bob/Maildir"

static struct arena arena;

static yields void
write_file(const char *path, const char *text)
{
	int fd = disk_open(path, DISK_WRITE | DISK_CREATE, 0600);

	assert_true(fd >= 0);
	assert_int_equal(disk_pwrite(fd, str_of(text), 0), 0);
	disk_close(fd);
}

static yields void
expect_file(const char *path, const char *text)
{
	struct str got;

	assert_int_equal(disk_read_file(path, &arena, 1 << 20, &got), 0);
	assert_true(str_eq(got, str_of(text)));
}

static yields void
deliver_junk(void)
{
	struct str folder = junk_folder(STR(BOX), &arena);
	struct maildir m;

	assert_true(str_eq(folder, STR(BOX "/.Junk")));
	assert_int_equal(maildir_open(&m, folder, STR("mx.test"), &arena), 0);
	assert_int_equal(maildir_write(&m, STR("a: b\r\n\r\n")), 0);
	assert_int_equal(maildir_commit(&m), 0);
	assert_non_null(strstr(m.new_name, BOX "/.Junk/new/"));
}

/* Where there is no Maildir yet, and then once more. */
static yields void
made(void *arg)
{
	struct disk_stat st;

	(void)arg;
	arena_init(&arena, 1 << 20);
	deliver_junk();
	assert_int_equal(disk_stat(BOX "/.Junk/maildirfolder", &st), 0);
	expect_file(BOX "/subscriptions", "Junk\n");
	deliver_junk();
	expect_file(BOX "/subscriptions", "Junk\n");
	arena_clear(&arena);
}

/* What the user's client wrote there stays. */
static yields void
subscribed(void *arg)
{
	static const struct { const char *before, *after; } cases[] = {
		{ "V\t2\n\nSent\n", "V\t2\n\nSent\nJunk\n" },
		{ "Sent\nDrafts", "Sent\nDrafts\nJunk\n" },
		{ "Junk\nSent\n", "Junk\nSent\n" },
		{ "Junk.old\n", "Junk.old\nJunk\n" }, { "", "Junk\n" },
	};
	const char *path;

	(void)arg;
	arena_init(&arena, 1 << 20);
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		path = arena_printf(&arena, "/box%zu", i).p;
		assert_int_equal(disk_mkdir(path, 0700), 0);
		path = arena_printf(&arena, "/box%zu/subscriptions", i).p;
		write_file(path, cases[i].before);
		assert_non_null(junk_folder(str_sub(str_of(path), 0,
		    str_find_last(str_of(path), '/')), &arena).p);
		expect_file(path, cases[i].after);
	}
	arena_clear(&arena);
}

/* Who unsubscribed, stays so; a list that is too long to look at is left alone. */
static yields void
left_alone(void *arg)
{
	static char many[JUNK_SUBSCRIPTIONS + 2];

	(void)arg;
	arena_init(&arena, 1 << 20);
	deliver_junk();
	write_file(BOX "/subscriptions", "Sent\n");
	deliver_junk();
	expect_file(BOX "/subscriptions", "Sent\n");
	memset(many, 'a', sizeof many - 1);
	assert_int_equal(disk_mkdir("/box", 0700), 0);
	write_file("/box/subscriptions", many);
	assert_non_null(junk_folder(STR("/box"), &arena).p);
	expect_file("/box/subscriptions", many);
	arena_clear(&arena);
}

static void
test_made(void **state)
{
	(void)state;
	sim_begin(1);
	on_core(made);
}

static void
test_subscribed(void **state)
{
	(void)state;
	sim_begin(1);
	on_core(subscribed);
}

static void
test_left_alone(void **state)
{
	(void)state;
	sim_begin(1);
	on_core(left_alone);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_subscribed),
		cmocka_unit_test(test_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
