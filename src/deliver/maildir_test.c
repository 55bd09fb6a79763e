#include "base/buf.h"
#include "base/err.h"
#include "fiber/test_life.h"

#include "deliver/maildir.h"
#include "fiber/disk.h"

#include <errno.h>

#define BOX "/home/alice/Maildir"

enum { MESSAGES = 2, NAME = 200, LINES = 700 };

/* What the deliveries said, seen by all lives. */
static struct ledger {
	bool is_acked[MESSAGES];
	char name[MESSAGES][NAME];
} *ledger;

/* The i-th message: larger than the buffer, each line its own. */
static yields int
message_write(struct maildir *m, size_t i)
{
	char line[64];

	for (size_t k = 0; k < LINES; k++) {
		struct buf b = BUF_OF(line);

		buf_printf(&b, "message %zu line %zu of it is here\r", i, k);
		if (maildir_write(m, buf_str(&b)) != 0 ||
		    maildir_write(m, STR("\n")) != 0)
			return -1;
	}
	return 0;
}

static struct str
message_text(size_t i, struct arena *a)
{
	struct buf b = { .p = arena_alloc(a, LINES * 64), .cap = LINES * 64 };

	for (size_t k = 0; k < LINES; k++)
		buf_printf(&b, "message %zu line %zu of it is here\n", i, k);
	return buf_str(&b);
}

static yields int
deliver(size_t i, const char *box, struct maildir *m, struct arena *a)
{
	if (maildir_open(m, str_of(box), STR("mx:a/b.test"), a) != 0)
		return -1;
	if (message_write(m, i) == 0 && maildir_commit(m) == 0)
		return 0;
	maildir_abandon(m);
	return -1;
}

static yields void
deliver_acked(size_t i)
{
	struct maildir m;
	struct arena a;

	arena_init(&a, 1 << 20);
	if (deliver(i, BOX, &m, &a) == 0) {
		(void)str_cstr(str_of(m.new_name), ledger->name[i], NAME);
		ledger->is_acked[i] = true;
	}
	arena_clear(&a);
}

/* Names in a folder of the Maildir; 0 when there is none. */
static yields size_t
count_in(const char *path)
{
	struct str *names;
	struct arena a;
	size_t n = 0;

	arena_init(&a, 1 << 20);
	if (disk_list(path, &a, &names, &n) < 0)
		n = 0;
	arena_clear(&a);
	return n;
}

/* ---- one delivery, and how the file looks ---- */

static yields void
plain(void *arg)
{
	struct str text, want;
	struct disk_stat st;
	struct maildir m;
	struct arena a;

	(void)arg;
	arena_init(&a, 1 << 20);
	assert_int_equal(deliver(1, BOX, &m, &a), 0);
	want = message_text(1, &a);
	assert_int_equal(m.size, want.n);
	/* maildir(5): no '/' or ':' from the host's name; S= is the size */
	assert_non_null(strstr(m.new_name, BOX "/new/"));
	assert_non_null(strstr(m.new_name, ".mx\\072a\\057b.test,S=2"));
	assert_int_equal(disk_read_file(m.new_name, &a, 1 << 19, &text), 0);
	assert_int_equal(text.n, want.n);
	assert_memory_equal(text.p, want.p, want.n);
	assert_int_equal(disk_stat(m.new_name, &st), 0);
	assert_int_equal(st.mode & 0777, 0600);
	assert_int_equal(disk_stat(BOX "/cur", &st), 0);
	assert_int_equal(st.mode & 0777, 0700);
	assert_int_equal(count_in(BOX "/tmp"), 0);
	assert_int_equal(count_in(BOX "/new"), 1);
	arena_clear(&a);
}

static void
test_plain(void **state)
{
	(void)state;
	sim_begin(1);
	on_core(plain);
}

static yields void
abandoned(void *arg)
{
	struct maildir m;
	struct arena a;

	(void)arg;
	arena_init(&a, 1 << 20);
	assert_int_equal(maildir_open(&m, STR(BOX), STR("mx.test"), &a), 0);
	assert_int_equal(message_write(&m, 0), 0);
	assert_int_equal(count_in(BOX "/tmp"), 1);
	maildir_abandon(&m);
	assert_int_equal(count_in(BOX "/tmp"), 0);
	assert_int_equal(count_in(BOX "/new"), 0);
	arena_clear(&a);
}

static void
test_abandoned(void **state)
{
	(void)state;
	sim_begin(1);
	on_core(abandoned);
}

/* Somebody takes new/ away while we write. */
static yields void
new_missing(void *arg)
{
	struct maildir m;
	struct arena a;

	(void)arg;
	sim_disk_mkdir(BOX "/tmp");
	arena_init(&a, 1 << 20);
	assert_int_equal(deliver(0, BOX, &m, &a), 0);
	assert_int_equal(count_in(BOX "/new"), 1);
	arena_clear(&a);
}

static void
test_new_missing(void **state)
{
	(void)state;
	sim_begin(1);
	on_core(new_missing);
}

static yields void
small_arena(void *arg)
{
	struct maildir m;

	(void)arg;
	for (size_t n = 1024; n < 40 * 1024; n += 512) {
		struct arena a;

		arena_init(&a, n);
		if (deliver(0, BOX, &m, &a) != 0)
			assert_int_equal(m.maildir_errno, ENOMEM);
		arena_clear(&a);
		assert_int_equal(count_in(BOX "/tmp"), 0);
	}
	assert_true(count_in(BOX "/new") > 0);
}

static void
test_small_arena(void **state)
{
	(void)state;
	sim_begin(1);
	on_core(small_arena);
}

/* ---- trouble: told by its number, nothing left behind ---- */

static int fault;

static yields void
faulty(void *arg)
{
	struct maildir m;
	struct arena a;

	(void)arg;
	arena_init(&a, 1 << 20);
	assert_int_equal(deliver(0, BOX, &m, &a), -1);
	assert_int_equal(m.maildir_errno, fault);
	assert_non_null(strstr(err_text(), "Maildir " BOX));
	sim_faults_clear();
	assert_int_equal(count_in(BOX "/tmp"), 0);
	assert_int_equal(count_in(BOX "/new"), 0);
	/* and it works again */
	assert_int_equal(deliver(0, BOX, &m, &a), 0);
	assert_int_equal(count_in(BOX "/new"), 1);
	arena_clear(&a);
}

/* So many of each a first delivery does: each of them fails once. */
static void
test_faults(void **state)
{
	static const struct { enum sim_verb verb; uint64_t n; } verbs[] = {
		{ SIM_disk_mkdir, 6 }, { SIM_disk_pwrite, 2 },
		{ SIM_disk_rename, 1 }, { SIM_disk_fsync, 6 },
	};
	static const int errors[] = { EIO, ENOSPC, EDQUOT, EROFS };

	(void)state;
	for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
		for (uint64_t n = 1; n <= verbs[i].n; n++)
			for (size_t k = 0; k < 4; k++) {
				sim_begin(1);
				fault = errors[k];
				sim_fault_nth(verbs[i].verb, n, 1, fault);
				on_core(faulty);
			}
}

static yields void
full(void *arg)
{
	struct maildir m;
	struct arena a;

	(void)arg;
	arena_init(&a, 1 << 20);
	assert_int_equal(deliver(0, BOX, &m, &a), -1);
	assert_int_equal(m.maildir_errno, ENOSPC);
	assert_int_equal(count_in(BOX "/tmp"), 0);
	arena_clear(&a);
}

static void
test_full(void **state)
{
	(void)state;
	sim_begin(1);
	sim_disk_size(20 * 1024);
	on_core(full);
}

/* Ancestors that we may not open are not ours: no reason to refuse mail. */
static yields void
foreign_parents(void *arg)
{
	struct maildir m;
	struct arena a;

	(void)arg;
	arena_init(&a, 1 << 20);
	assert_int_equal(deliver(0, BOX, &m, &a), 0);
	arena_clear(&a);
}

static void
test_foreign_parents(void **state)
{
	(void)state;
	sim_begin(1);
	/* its own directory, then /home/alice, /home and / */
	sim_fault_nth(SIM_disk_open, 3, 3, EACCES);
	on_core(foreign_parents);
}

/* Only a folder that is there is taken. */
static yields void
folders(void *arg)
{
	static const struct { const char *folder, *want; } cases[] = {
		{ "", BOX }, { BOX "/.lists", BOX "/.lists" },
		{ BOX "/.none", BOX }, { BOX "/.file", BOX },
	};
	int fd = disk_open(BOX "/.file", DISK_WRITE | DISK_CREATE, 0600);

	(void)arg;
	assert_true(fd >= 0);
	disk_close(fd);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_true(str_eq(maildir_choose(STR(BOX),
		    str_of(cases[i].folder)), str_of(cases[i].want)));
	assert_true(str_eq(maildir_choose(STR(BOX), STR_NONE), STR(BOX)));
}

static void
test_folders(void **state)
{
	(void)state;
	sim_begin(1);
	sim_disk_mkdir(BOX "/.lists");
	on_core(folders);
}

/* ---- crashes: in new/ it is whole; what was answered for is there ---- */

static yields void
deliver_all(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < MESSAGES; i++)
		if (!ledger->is_acked[i])
			deliver_acked(i);
	(void)count_in("/");		/* a verb to die before */
}

static yields void
look(void *arg)
{
	struct str *names, text, want[MESSAGES];
	struct arena a;
	size_t n = 0;

	(void)arg;
	arena_init(&a, 4 << 20);
	for (size_t i = 0; i < MESSAGES; i++)
		want[i] = message_text(i, &a);
	if (disk_list(BOX "/new", &a, &names, &n) < 0)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		struct str path = arena_printf(&a, BOX "/new/" STR_FMT,
		    STR_ARG(names[i]));

		assert_int_equal(disk_read_file(path.p, &a, 1 << 19, &text), 0);
		assert_true(str_eq(text, want[0]) || str_eq(text, want[1]));
	}
	for (size_t i = 0; i < MESSAGES; i++) {
		if (!ledger->is_acked[i])
			continue;
		assert_int_equal(disk_read_file(ledger->name[i], &a, 1 << 19,
		    &text), 0);
		assert_true(str_eq(text, want[i]));
	}
	arena_clear(&a);
}

static yields void
deliver_and_die(void *arg)
{
	look(arg);
	for (size_t i = 0; i < MESSAGES; i++)
		deliver_acked(i);
	sim_crash_at(sim_verbs() + 1, SIM_POWER);
	(void)count_in("/");
}

/* The first life ends at `verb' as ordered, the second delivers all again and
 * then loses its power. */
static bool
crash_at(uint64_t seed, uint64_t verb, enum sim_crash how)
{
	enum sim_ending e;

	sim_begin(seed);
	ledger = sim_ledger(sizeof *ledger);
	sim_crash_at(verb, how);
	e = test_life(deliver_all);
	assert_true(e == SIM_CRASHED || e == SIM_ENDED);
	sim_crash_at(0, SIM_KILL);
	assert_int_equal(test_life(deliver_and_die), SIM_CRASHED);
	assert_true(ledger->is_acked[0] && ledger->is_acked[1]);
	sim_crash_at(0, SIM_KILL);
	assert_int_equal(test_life(look), SIM_ENDED);
	return e == SIM_CRASHED;
}

static void
crash_everywhere(enum sim_crash how)
{
	uint64_t verb = 1;

	while (crash_at(verb, verb, how))
		verb++;
	assert_in_range(verb, 40, 400);
}

static void
test_kill(void **state)
{
	(void)state;
	crash_everywhere(SIM_KILL);
}

static void
test_power(void **state)
{
	(void)state;
	crash_everywhere(SIM_POWER);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_abandoned),
		cmocka_unit_test(test_new_missing),
		cmocka_unit_test(test_small_arena),
		cmocka_unit_test(test_faults),
		cmocka_unit_test(test_full),
		cmocka_unit_test(test_foreign_parents),
		cmocka_unit_test(test_folders),
		cmocka_unit_test(test_kill),
		cmocka_unit_test(test_power),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
