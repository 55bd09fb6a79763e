/*
 * world_sim_tree.h -- names of the simulated disk, seen and stable.
 *
 * The promise: a change of names (create, link, rename, unlink, mkdir) is seen
 * at once and is an order that waits until its directory is synced.  A power
 * cut keeps, by the seed, either a prefix of the waiting orders, as a journal
 * would, or any of them; a rename is one order and never half done.
 * Not for: bytes (world_sim_file.h).
 * Waiting: none.
 * Memory: the shared room; a file ends with its last name, order, descriptor.
 * Errors: negative errno, as the system calls do.
 * Source: POSIX.1-2017 rename(), fsync(); DESIGN.md section 5.
 */
#ifndef NM_FIBER_WORLD_SIM_TREE_H
#define NM_FIBER_WORLD_SIM_TREE_H

#include "base/str.h"
#include "fiber/world_sim_file.h"

struct sim_order;

struct sim_disk {
	struct list files;
	struct sim_file *root;
	struct sim_order *first, *last;
	uint64_t size, used, numbers;
};

struct sim_name {
	struct sim_name *next;
	struct sim_file *file;
	uint64_t hash;
	size_t n;
	char text[];
};

/* The directory of a path and its last name; NULL: no such directory. */
struct sim_file *sim_tree_walk(struct sim_disk *, struct str path,
    struct str *last);
struct sim_file *sim_tree_find(struct sim_disk *, struct str path);
struct sim_file *sim_tree_look(const struct sim_file *dir, struct str name);

struct sim_file *sim_tree_create(struct sim_disk *, struct sim_file *dir,
    struct str name, unsigned mode, bool is_directory);
void sim_tree_link(struct sim_disk *, struct sim_file *dir, struct str name,
    struct sim_file *);
void sim_tree_unlink(struct sim_disk *, struct sim_file *dir, struct str name);
void sim_tree_rename(struct sim_disk *, struct sim_file *from_dir,
    struct str from, struct sim_file *to_dir, struct str to);
void sim_tree_sync(struct sim_disk *, struct sim_file *dir);
void sim_tree_crash(struct sim_disk *, enum sim_keeps, bool is_journal);
/* No descriptor is open any more: count anew, end what nobody names. */
void sim_tree_sweep(struct sim_disk *);

void sim_tree_hold(struct sim_file *);
void sim_tree_drop(struct sim_disk *, struct sim_file *);
/* Account for a change of size. */
void sim_tree_resized(struct sim_disk *, uint64_t before, uint64_t after);

#endif
