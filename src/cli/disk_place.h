/*
 * disk_place.h -- what a directory lies on, as the kernel tells.
 *
 * The promise: disk_place_find() says the filesystem and its mount options, and the
 * disks below: those of a RAID or a mapping too, and for a filesystem in a file what
 * that file lies on.
 * Not for: how fast it is (disk_time.h), or what is to be thought of it
 * (disk_judge.h).
 * Waiting: blocks on /proc and /sys; never on a fiber.
 * Memory: text in the caller's arena.
 * Errors: -1 and a trail when the kernel tells nothing.
 * Source: proc_pid_mountinfo(5); the kernel's ABI/stable/sysfs-block.
 */
#ifndef NM_CLI_DISK_PLACE_H
#define NM_CLI_DISK_PLACE_H

#include "base/arena.h"

enum { DISK_LAYERS_MOST = 8, DISK_DEVICES_MOST = 16 };

struct disk_device {
	struct str name;		/* vda */
	struct str write_cache;		/* "write back", "write through" */
	bool is_rotating, has_fua, is_virtual;
};

/* A filesystem; what it lies on when it is in a file comes behind it. */
struct disk_layer {
	struct str filesystem, source, options, mount_point;
};

struct disk_place {
	struct disk_layer layers[DISK_LAYERS_MOST];
	size_t n_layers;
	struct disk_device devices[DISK_DEVICES_MOST];
	size_t n_devices;
	bool is_virtual_machine;
	bool has_no_sync_library;
};

int disk_place_find(const char *path, struct arena *, struct disk_place *);
/* Is word one of options, which are separated by commas? */
bool disk_option_has(struct str options, struct str word);

#endif
