#include "cli/disk_judge.h"

#include "base/instant.h"
#include "base/must.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

enum { MOST = 3 };

#define BACK { "write back", 10 }
#define THROUGH { "write through", 13 }
#define ON(type) .layer = { .filesystem = { type, sizeof type - 1 } }
#define DISK(text) .device.name = { text, sizeof text - 1 }

struct row {
	const char *what;
	struct disk_layer layer;
	struct disk_device device;
	int64_t written, synced;	/* us */
	bool is_machine, has_library;
	enum disk_finding found[MOST];
	unsigned n;
};

static const struct row table[] = {
	{ .what = "a disk of flash", ON("ext4"), DISK("sda"),
	    .device.write_cache = BACK, .written = 4, .synced = 900 },
	{ .what = "one that turns", ON("xfs"), DISK("sda"),
	    .device.write_cache = BACK, .device.is_rotating = true,
	    .written = 4, .synced = 8300 },
	{ .what = "one that turns, at the limit", ON("xfs"), DISK("sda"),
	    .device.write_cache = BACK, .device.is_rotating = true,
	    .written = 4, .synced = 1000 },
	{ .what = "one that turns too fast", ON("xfs"), DISK("sda"),
	    .device.write_cache = BACK, .device.is_rotating = true,
	    .written = 4, .synced = 999,
	    .found = { DISK_fast_rotating }, .n = 1 },
	{ .what = "behind a controller", ON("xfs"), DISK("sda"),
	    .device.write_cache = THROUGH, .device.is_rotating = true,
	    .written = 4, .synced = 80,
	    .found = { DISK_fast_rotating_perhaps }, .n = 1 },
	{ .what = "virtual", ON("ext4"), DISK("vda"),
	    .device.write_cache = BACK, .device.is_rotating = true,
	    .device.is_virtual = true, .written = 4, .synced = 500,
	    .is_machine = true, .found = { DISK_fast_rotating_perhaps,
	    DISK_virtual_machine }, .n = 2 },
	{ .what = "flash, at the limit", ON("ext4"), DISK("nvme0n1"),
	    .device.write_cache = BACK, .written = 4, .synced = 20 },
	{ .what = "faster than flash", ON("ext4"), DISK("nvme0n1"),
	    .device.write_cache = BACK, .written = 4, .synced = 19,
	    .found = { DISK_fast_sync }, .n = 1 },
	{ .what = "faster, but protected", ON("ext4"), DISK("nvme0n1"),
	    .device.write_cache = THROUGH, .written = 4, .synced = 19,
	    .found = { DISK_fast_sync_perhaps }, .n = 1 },
	{ .what = "a sync for nothing", ON("ext4"), DISK("sda"),
	    .device.write_cache = BACK, .written = 40, .synced = 42,
	    .found = { DISK_free_sync }, .n = 1 },
	{ .what = "a sync that costs a little", ON("ext4"), DISK("sda"),
	    .device.write_cache = BACK, .written = 40, .synced = 43 },
	{ .what = "memory", ON("tmpfs"), .written = 1, .synced = 1,
	    .found = { DISK_memory_filesystem }, .n = 1 },
	{ .what = "a disk of memory", ON("ext4"), DISK("zram0"),
	    .written = 1, .synced = 1, .found = { DISK_memory_device },
	    .n = 1 },
	{ .what = "elsewhere", ON("nfs4"), .written = 4, .synced = 700,
	    .found = { DISK_network }, .n = 1 },
	{ .what = "a program's", ON("fuse.sshfs"), .written = 4,
	    .synced = 700, .found = { DISK_network }, .n = 1 },
	{ .what = "without barriers", ON("ext4"), .layer.options =
	    { "rw,nobarrier", 12 }, .written = 4, .synced = 700,
	    .found = { DISK_no_barrier }, .n = 1 },
	{ .what = "with barriers", ON("ext4"), .layer.options =
	    { "rw,barrier=1,nobarriers", 23 }, .written = 4, .synced = 700 },
	{ .what = "a container's", ON("overlay"), .written = 4,
	    .synced = 700, .found = { DISK_overlay }, .n = 1 },
	{ .what = "a container's without syncs", ON("overlay"),
	    .layer.options = { "rw,volatile", 11 }, .written = 4,
	    .synced = 700, .found = { DISK_overlay, DISK_overlay_volatile },
	    .n = 2 },
	{ .what = "the same, as later kernels say it", ON("overlay"),
	    .layer.options = { "rw,fsync=volatile", 17 }, .written = 4,
	    .synced = 700, .found = { DISK_overlay, DISK_overlay_volatile },
	    .n = 2 },
	{ .what = "a library", ON("ext4"), DISK("sda"), .device.write_cache =
	    BACK, .written = 4, .synced = 5, .has_library = true,
	    .found = { DISK_no_sync_library, DISK_free_sync,
	    DISK_fast_sync }, .n = 3 },
	{ .what = "slow", ON("ext4"), DISK("sda"), .device.write_cache =
	    BACK, .written = 4, .synced = 100001,
	    .found = { DISK_slow_sync }, .n = 1 },
	{ .what = "not slow yet", ON("ext4"), DISK("sda"),
	    .device.write_cache = BACK, .written = 4, .synced = 100000 },
};

static struct disk_verdict
judged(const struct row *r)
{
	struct disk_place p = { .layers = { r->layer }, .n_layers = 1,
		.devices = { r->device }, .n_devices = r->device.name.n > 0,
		.is_virtual_machine = r->is_machine,
		.has_no_sync_library = r->has_library };
	struct disk_spread synced = { .p50 = r->synced * NS_PER_US,
		.p99 = r->synced * NS_PER_US, .n = 1 };
	struct disk_times t = { .written.p50 = r->written * NS_PER_US,
		.synced = synced };

	return disk_judge(&p, &t);
}

static void
what_speaks_against_a_disk(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
		const struct row *r = &table[i];
		struct disk_verdict v = judged(r);
		bool wanted[DISK_FINDINGS] = { false };
		bool is_warned = false;

		for (unsigned k = 0; k < r->n; k++) {
			wanted[r->found[k]] = true;
			is_warned |= disk_finding_certainty(r->found[k]) !=
			    DISK_POSSIBLE;
		}
		for (unsigned k = 0; k < DISK_FINDINGS; k++)
			if (v.found[k] != wanted[k])
				fail_msg("%s: %s", r->what, disk_finding_name(
				    (enum disk_finding)k));
		assert_int_equal(v.is_warned, is_warned);
	}
}

static struct arena arena;

static void
what_a_directory_lies_on(void **state)
{
	struct disk_place p;

	(void)state;
	arena_init(&arena, 4 << 20);
	assert_int_equal(disk_place_find("/proc", &arena, &p), 0);
	assert_int_equal(p.n_layers, 1);
	assert_true(str_eq(p.layers[0].filesystem, STR("proc")));
	assert_true(str_eq(p.layers[0].mount_point, STR("/proc")));
	assert_int_equal(p.n_devices, 0);
	assert_int_equal(disk_place_find("/proc/nothing here", &arena, &p), -1);
	assert_false(disk_option_has(STR("rw,nobarriers"), STR("nobarrier")));
	assert_true(disk_option_has(STR("rw,nobarrier"), STR("nobarrier")));
	arena_clear(&arena);
}

static bool
progress_count(void *owner, const char *what, unsigned percent)
{
	must(what[0] != '\0' && percent <= 100);
	return --*(unsigned *)owner > 0;
}

/* Nothing is left in it, whatever came of it. */
static int
timed(unsigned calls, struct disk_times *out)
{
	char dir[] = "/var/tmp/nm-disk.XXXXXX";
	struct disk_timing t = { .progress = progress_count, .owner = &calls,
		.patience = 10 * NS_PER_MS };
	int rc;

	assert_non_null(mkdtemp(dir));
	rc = disk_time(dir, &t, out);
	assert_int_equal(rmdir(dir), 0);
	return rc;
}

static void
times_are_taken_and_nothing_stays(void **state)
{
	struct disk_timing t = { .progress = progress_count };
	struct disk_times times;

	(void)state;
	assert_int_equal(timed(100000, &times), 0);
	assert_true(times.synced.n >= 20 && times.synced.p50 > 0);
	assert_true(times.synced.p99 >= times.synced.p50);
	assert_true(times.shared.n >= 20 && times.renamed.n >= 20);
	assert_true(times.written.p50 > 0 && times.in_a_row > 0);
	assert_int_equal(timed(1, &times), -EINTR);
	assert_int_equal(timed(40, &times), -EINTR);
	assert_int_equal(disk_time("/nowhere", &t, &times), -ENOENT);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_speaks_against_a_disk),
		cmocka_unit_test(what_a_directory_lies_on),
		cmocka_unit_test(times_are_taken_and_nothing_stays),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
