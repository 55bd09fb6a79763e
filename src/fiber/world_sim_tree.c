/*
 * A directory is two sets of names. An order is one change of names, of at most
 * two parts (a rename has two), each "this name in this directory is that file"
 * or "is not":
 *
 *	WAITING		sim_tree_*()	seen by programs, not stable
 *	STABLE		sim_tree_sync()	a directory of it was synced
 *	kept or lost	sim_tree_crash()	by the seed
 */
#include "fiber/world_sim_tree.h"

#include "base/hash.h"
#include "base/must.h"
#include "fiber/world.h"
#include "fiber/world_sim_state.h"

#define SET_SIZE (SIM_BUCKETS * sizeof(struct sim_name *))

struct order_part {
	struct sim_file *dir, *file;	/* file NULL: the name is gone */
	struct sim_name *name;		/* its text */
	bool is_void;			/* overtaken by a later one */
};

struct sim_order {
	struct sim_order *next;
	struct order_part parts[2];
	unsigned n;
};

static uint64_t
name_hash(struct str name)
{
	return hash_bytes((struct hash_key){ 5, 8 }, name);
}

static struct sim_name *
name_new(struct str text, struct sim_file *file)
{
	struct sim_name *n = sim_room_take(sizeof *n + text.n);

	n->file = file;
	n->hash = name_hash(text);
	n->n = text.n;
	memcpy(n->text, text.p, text.n);
	if (file != NULL)
		sim_tree_hold(file);
	return n;
}

static void
name_free(struct sim_disk *d, struct sim_name *n)
{
	if (n->file != NULL)
		sim_tree_drop(d, n->file);
	sim_room_give(n, sizeof *n + n->n);
}

static struct str
name_str(const struct sim_name *n)
{
	return (struct str){ n->text, n->n };
}

/* Where the name hangs in a set, or where its bucket ends. */
static struct sim_name **
name_place(struct sim_name **set, struct str text)
{
	uint64_t hash = name_hash(text);
	struct sim_name **at = &set[hash % SIM_BUCKETS];

	while (*at != NULL && ((*at)->hash != hash ||
	    !str_eq(name_str(*at), text)))
		at = &(*at)->next;
	return at;
}

/* In this set the name is that file from now on, or nothing. */
static void
name_assign(struct sim_disk *d, struct sim_name **set, struct str text,
    struct sim_file *file)
{
	struct sim_name **at = name_place(set, text), *old = *at;

	if (file != NULL) {
		*at = name_new(text, file);
		(*at)->next = old == NULL ? NULL : old->next;
	} else if (old != NULL)
		*at = old->next;
	if (old != NULL)
		name_free(d, old);
}

/* ---- files ---- */

void
sim_tree_hold(struct sim_file *f)
{
	f->refs++;
}

void
sim_tree_resized(struct sim_disk *d, uint64_t before, uint64_t after)
{
	d->used -= (before + SIM_PAGE - 1) / SIM_PAGE * SIM_PAGE;
	d->used += (after + SIM_PAGE - 1) / SIM_PAGE * SIM_PAGE;
}

static void
set_clear(struct sim_disk *d, struct sim_name **set)
{
	struct sim_name *n;

	for (size_t i = 0; i < SIM_BUCKETS; i++)
		while ((n = set[i]) != NULL) {
			set[i] = n->next;
			name_free(d, n);
		}
}

/* Directories are never removed but by a crash that lost their name, and then
 * what was in them goes too. */
void
sim_tree_drop(struct sim_disk *d, struct sim_file *f)
{
	must(f->refs > 0);
	if (--f->refs > 0)
		return;
	list_remove(&f->link);
	if (f->is_directory) {
		set_clear(d, f->live);
		set_clear(d, f->stable);
		sim_room_give(f->live, SET_SIZE);
		sim_room_give(f->stable, SET_SIZE);
	}
	sim_tree_resized(d, f->size, 0);
	sim_file_clear(f);
	sim_room_give(f, sizeof *f);
}

static struct sim_file *
tree_file_new(struct sim_disk *d, unsigned mode, bool is_directory)
{
	struct sim_file *f = sim_room_take(sizeof *f);

	f->mode = mode;
	f->is_directory = is_directory;
	f->number = ++d->numbers;
	f->changed_us = world_wall().us;
	if (is_directory) {
		f->live = sim_room_take(SET_SIZE);
		f->stable = sim_room_take(SET_SIZE);
	}
	list_append(&d->files, &f->link);
	return f;
}

struct sim_disk *
sim_disk_make(void)
{
	struct sim_disk *d = sim_room_take(sizeof *d);

	list_init(&d->files);
	d->size = UINT64_C(64) << 30;
	d->root = tree_file_new(d, 0755, true);
	sim_tree_hold(d->root);
	return d;
}

/* ---- paths ---- */

struct sim_file *
sim_tree_look(const struct sim_file *dir, struct str name)
{
	struct sim_name *n;

	must(dir->is_directory);
	n = *name_place(dir->live, name);
	return n == NULL ? NULL : n->file;
}

struct sim_file *
sim_tree_walk(struct sim_disk *d, struct str path, struct str *last)
{
	struct sim_file *dir = d->root;

	*last = STR("");
	while (path.n > 0) {
		struct str name = str_cut(&path, '/');

		if (name.n == 0 || str_eq(name, STR(".")))
			continue;
		if (last->n > 0) {
			dir = sim_tree_look(dir, *last);
			if (dir == NULL || !dir->is_directory)
				return NULL;
		}
		*last = name;
	}
	return dir;
}

struct sim_file *
sim_tree_find(struct sim_disk *d, struct str path)
{
	struct str last;
	struct sim_file *dir = sim_tree_walk(d, path, &last);

	return dir == NULL || last.n == 0 ? dir : sim_tree_look(dir, last);
}

/* ---- orders ---- */

static struct sim_order *
order_new(struct sim_disk *d)
{
	struct sim_order *o = sim_room_take(sizeof *o);

	if (d->last == NULL)
		d->first = o;
	else
		d->last->next = o;
	return d->last = o;
}

/* Seen at once, stable later. */
static void
order_add(struct sim_disk *d, struct sim_order *o, struct sim_file *dir,
    struct str name, struct sim_file *file)
{
	o->parts[o->n++] = (struct order_part){ .dir = dir, .file = file,
		.name = name_new(name, file) };
	sim_tree_hold(dir);
	name_assign(d, dir->live, name, file);
	dir->changed_us = world_wall().us;
}

static void
order_free(struct sim_disk *d, struct sim_order *o)
{
	for (unsigned i = 0; i < o->n; i++) {
		name_free(d, o->parts[i].name);
		sim_tree_drop(d, o->parts[i].dir);
	}
	sim_room_give(o, sizeof *o);
}

static void
order_keep(struct sim_disk *d, const struct sim_order *o)
{
	for (unsigned i = 0; i < o->n; i++)
		if (!o->parts[i].is_void)
			name_assign(d, o->parts[i].dir->stable,
			    name_str(o->parts[i].name), o->parts[i].file);
}

/* An earlier order about the same name can no longer come true after o. */
static void
order_overtake(struct sim_disk *d, const struct sim_order *o)
{
	for (struct sim_order *e = d->first; e != o; e = e->next)
		for (unsigned i = 0; i < e->n * o->n; i++) {
			struct order_part *a = &e->parts[i / o->n];
			const struct order_part *b = &o->parts[i % o->n];

			if (a->dir == b->dir && str_eq(name_str(a->name),
			    name_str(b->name)))
				a->is_void = true;
		}
}

static bool
order_touches(const struct sim_order *o, const struct sim_file *dir)
{
	return o->parts[0].dir == dir || (o->n > 1 && o->parts[1].dir == dir);
}

void
sim_tree_sync(struct sim_disk *d, struct sim_file *dir)
{
	struct sim_order **at = &d->first, *o, *last = NULL;

	while ((o = *at) != NULL) {
		if (!order_touches(o, dir)) {
			last = o;
			at = &o->next;
			continue;
		}
		order_overtake(d, o);
		order_keep(d, o);
		*at = o->next;
		order_free(d, o);
	}
	d->last = last;
}

struct sim_file *
sim_tree_create(struct sim_disk *d, struct sim_file *dir, struct str name,
    unsigned mode, bool is_directory)
{
	struct sim_file *f = tree_file_new(d, mode, is_directory);

	order_add(d, order_new(d), dir, name, f);
	return f;
}

void
sim_tree_link(struct sim_disk *d, struct sim_file *dir, struct str name,
    struct sim_file *f)
{
	order_add(d, order_new(d), dir, name, f);
}

void
sim_tree_unlink(struct sim_disk *d, struct sim_file *dir, struct str name)
{
	order_add(d, order_new(d), dir, name, NULL);
}

void
sim_tree_rename(struct sim_disk *d, struct sim_file *from_dir, struct str from,
    struct sim_file *to_dir, struct str to)
{
	struct sim_file *f = sim_tree_look(from_dir, from);
	struct sim_order *o = order_new(d);

	order_add(d, o, to_dir, to, f);
	order_add(d, o, from_dir, from, NULL);
}

/* ---- crash ---- */

static void
tree_restore(struct sim_disk *d, struct sim_file *dir)
{
	set_clear(d, dir->live);
	for (size_t i = 0; i < SIM_BUCKETS; i++)
		for (struct sim_name *n = dir->stable[i]; n != NULL;
		    n = n->next)
			name_assign(d, dir->live, name_str(n), n->file);
}

static struct sim_file *
file_next(const struct sim_disk *d, const struct sim_file *f)
{
	struct link *l = f == NULL ? list_first(&d->files) :
	    list_next(&d->files, &f->link);

	return l == NULL ? NULL : OWNER_OF(l, struct sim_file, link);
}

void
sim_tree_crash(struct sim_disk *d, enum sim_keeps keeps, bool is_journal)
{
	bool is_kept = keeps != SIM_KEEPS_NONE;
	struct sim_order *o;

	while ((o = d->first) != NULL) {
		if (keeps == SIM_KEEPS_SOME && sim_happens(300000))
			is_kept = is_journal ? false : !is_kept;
		if (is_kept)
			order_keep(d, o);
		d->first = o->next;
		order_free(d, o);
	}
	d->last = NULL;
	/* nothing may go while the walk goes on; the sweep counts anew */
	for (struct sim_file *f = NULL; (f = file_next(d, f)) != NULL;)
		sim_tree_hold(f);
	for (struct sim_file *f = NULL; (f = file_next(d, f)) != NULL;)
		if (f->is_directory)
			tree_restore(d, f);
}

static void
set_count(struct sim_name **set)
{
	for (size_t i = 0; i < SIM_BUCKETS; i++)
		for (struct sim_name *n = set[i]; n != NULL; n = n->next)
			n->file->refs++;
}

void
sim_tree_sweep(struct sim_disk *d)
{
	struct sim_file *f = NULL;

	while ((f = file_next(d, f)) != NULL)
		f->refs = f == d->root;
	while ((f = file_next(d, f)) != NULL)
		if (f->is_directory) {
			set_count(f->live);
			set_count(f->stable);
		}
	for (struct sim_order *o = d->first; o != NULL; o = o->next)
		for (unsigned i = 0; i < o->n; i++) {
			o->parts[i].dir->refs++;
			if (o->parts[i].file != NULL)
				o->parts[i].file->refs++;
		}
	while ((f = file_next(d, f)) != NULL) {
		if (f->refs > 0)
			continue;
		sim_tree_hold(f);
		sim_tree_drop(d, f);
		f = NULL;	/* others may have gone with it */
	}
}
