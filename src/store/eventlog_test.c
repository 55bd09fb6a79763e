#include "store/eventlog.h"

#include "base/buf.h"
#include "fiber/disk.h"
#include "fiber/fiber.h"
#include "fiber/test_core.h"
#include "store/eventread.c"

/* 2026-11-21 is the day 20778 since 1970. */
enum { DAY = 20778 };

static const int64_t us_per_day = INT64_C(86400) * US_PER_SECOND;
static struct eventlog l;
static struct eventlog_mark from;

static yields void
event_append(int64_t us, uint64_t id)
{
	struct event e = event_make(EVENT_queued, (struct wall){ us }, id);
	char room[256];
	struct buf b = BUF_OF(room);

	event_encode(&e, &b);
	assert_false(b.full);
	assert_int_equal(eventlog_append(&l, e.at, buf_str(&b)), 0);
}

static yields void
log_begin(struct str directory)
{
	int rc = disk_mkdir("/spool", 0700);

	assert_true(rc == 0 || rc < 0);
	assert_int_equal(eventlog_open(&l, directory, 0, &from), 0);
}

/* The ids that a reader finds who begins at that instant: "1 2 ". */
static yields void
assert_reads(struct str directory, int64_t since, const char *ids)
{
	struct eventread *r = eventread_open(directory, (struct wall){ since });
	char room[256];
	struct buf b = BUF_OF(room);
	struct event e;

	assert_non_null(r);
	while (eventread_next(r, &e) == 1)
		buf_printf(&b, "%u ", (unsigned)e.id);
	buf_putc(&b, '\0');
	assert_string_equal(room, ids);
	eventread_close(r);
}

/* ---- days ---- */

static void
test_names(void **state)
{
	static const struct { const char *name; int64_t day; } rows[] = {
		{ "1970-01-01.0", 0 }, { "2026-11-21.7", DAY },
		{ "2026-11-21.255", DAY }, { "2028-02-29.0", 21243 },
		{ "2026-02-29.0", -1 }, { "2026-02-31.0", -1 },
		{ "2026-00-10.0", -1 }, { "2026-11-00.0", -1 },
		{ "2026-11-21.07", -1 }, { "2026-11-21", -1 },
		{ "2026-11-21.", -1 }, { "2026-1-21.0", -1 },
		{ "1969-12-31.0", -1 }, { "2026-11-21.0.new", -1 }, { "", -1 },
	};

	(void)state;
	assert_string_equal(eventlog_name(DAY, 7).text, "2026-11-21.7");
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(eventlog_day(str_of(rows[i].name)),
		    rows[i].day);
}

/* What one batch has of two days stands in two files: who asks for the second day
 * finds all of it. */
static yields void
midnight(void *arg)
{
	struct str directory = STR("/spool/midnight");
	int64_t at = (DAY + 1) * us_per_day;

	(void)arg;
	log_begin(directory);
	event_append(at - 2, 1);
	event_append(at - 1, 2);
	event_append(at, 3);
	event_append(at - 1, 4);	/* late: the old day's file is closed */
	event_append(at + 1, 5);
	assert_int_equal(eventlog_commit(&l, (struct eventlog_mark){ 1, 9 }), 0);
	assert_reads(directory, at, "3 5 ");
	assert_reads(directory, at - us_per_day, "1 2 3 4 5 ");
	eventlog_close(&l);
	log_begin(directory);
	assert_int_equal(from.offset, 9);
	assert_reads(directory, at, "3 5 ");
	eventlog_close(&l);
}

/* Without a mark behind it, what was written comes again. */
static yields void
midnight_cut(void *arg)
{
	struct str directory = STR("/spool/cut");
	int64_t at = (DAY + 1) * us_per_day;

	(void)arg;
	log_begin(directory);
	event_append(at - 1, 1);
	assert_int_equal(eventlog_commit(&l, (struct eventlog_mark){ 1, 5 }), 0);
	event_append(at - 1, 2);
	event_append(at, 3);
	assert_int_equal(eventlog_revert(&l, &from), 0);
	assert_int_equal(from.offset, 5);
	assert_reads(directory, 0, "1 ");
	event_append(at - 1, 2);
	event_append(at, 3);
	assert_int_equal(eventlog_commit(&l, (struct eventlog_mark){ 1, 8 }), 0);
	assert_reads(directory, 0, "1 2 3 ");
	eventlog_close(&l);
}

/* A file that is none of ours keeps nobody from the days behind it. */
static yields void
strangers(void *arg)
{
	struct str directory = STR("/spool/strangers");
	int fd;

	(void)arg;
	log_begin(directory);
	event_append(DAY * us_per_day, 1);
	assert_int_equal(eventlog_commit(&l, (struct eventlog_mark){ 1, 2 }), 0);
	fd = disk_open("/spool/strangers/2026-11-31.0",
	    DISK_WRITE | DISK_CREATE, 0600);
	assert_true(fd >= 0);
	disk_close(fd);
	event_append((DAY + 20) * us_per_day, 2);
	assert_int_equal(eventlog_commit(&l, (struct eventlog_mark){ 1, 4 }), 0);
	assert_reads(directory, DAY * us_per_day, "1 2 ");
	eventlog_close(&l);
}

/* The writer comes between the reader's look at the end of a day's file and his
 * look for the next. */
static yields void
turning(void *arg)
{
	struct str directory = STR("/spool/turning");
	struct eventread *r;
	unsigned sum = 0;
	struct event e;

	(void)arg;
	log_begin(directory);
	event_append(DAY * us_per_day, 1);
	assert_int_equal(eventlog_commit(&l, (struct eventlog_mark){ 1, 1 }), 0);
	assert_non_null(r = eventread_open(directory, (struct wall){ 0 }));
	assert_int_equal(eventread_next(r, &e), 1);
	assert_int_equal(eventread_next(r, &e), 0);
	event_append((DAY + 1) * us_per_day - 1, 2);
	event_append((DAY + 1) * us_per_day, 3);
	assert_int_equal(eventlog_commit(&l, (struct eventlog_mark){ 2, 1 }), 0);
	assert_true(file_turn(r, &r->files[0]) > 0);
	while (eventread_next(r, &e) == 1)
		sum = 10 * sum + (unsigned)e.id;
	assert_int_equal(sum, 23);
	eventread_close(r);
	eventlog_close(&l);
}

#define LIFE(name, fn) \
	static void \
	name(void **state) \
	{ \
		(void)state; \
		on_core(fn); \
	}

LIFE(test_midnight, midnight)
LIFE(test_midnight_cut, midnight_cut)
LIFE(test_strangers, strangers)
LIFE(test_turning, turning)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_midnight),
		cmocka_unit_test(test_midnight_cut),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_turning),
	};

	setenv("CMOCKA_TEST_ABORT", "1", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
