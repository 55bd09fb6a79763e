#include "spool/keeper.h"

#include "base/err.h"
#include "base/id.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "spool/fault.h"
#include "spool/own.h"
#include "spool/segment.h"

#include <errno.h>

/*
 * One thing at a time, the most urgent first:
 *	1 a spare, when the writer waits for one or the current is half full
 *	2 ids, when half of those reserved were given
 *	3 the front of the log, when it is dead: recycled as a spare, or removed
 *	4 a look at the free space
 */

#define LOOK_NS (1 * NS_PER_SECOND)
#define RETRY_NS (1 * NS_PER_SECOND)
enum { IDS_BLOCK = 1 << 20 };

/* ---- free space ---- */

static uint64_t
keeper_reserve(const struct spool *sp, uint64_t total)
{
	uint64_t share = total / 20, least = UINT64_C(512) << 20;

	if (sp->config.reserve_bytes != 0)
		return sp->config.reserve_bytes;
	if (least > total / 4)
		least = total / 4;
	return share > least ? share : least;
}

static void
keeper_set_health(struct spool *sp, enum spool_health to)
{
	must(to != SPOOL_BROKEN);
	if (sp->health == to || sp->health == SPOOL_BROKEN)
		return;
	sp->health = to;
	if (to == SPOOL_NO_ROOM)
		spool_tell(sp, "disk_full", "%s has %llu MiB left; accepting "
		    "nothing, delivering on", sp->path,
		    (unsigned long long)(sp->stats.free_bytes >> 20));
	else
		spool_tell(sp, "disk_room", "%s has room again; accepting",
		    sp->path);
	writer_wake(sp);
	cleaner_wake(sp);
}

/* Is there room for another segment above the reserve? */
static yields bool
keeper_has_room(struct spool *sp)
{
	bool is_enough, is_enough_for_more;
	struct disk_space space;
	uint64_t reserve;

	sp->keeper.looked_at = clock_mono();
	if (disk_space(sp->path, &space) != 0) {
		spool_tell(sp, "disk", "%s", err_text());
		return true;		/* a write will know */
	}
	sp->stats.free_bytes = space.free;
	reserve = keeper_reserve(sp, space.total);
	is_enough = space.free >= reserve;
	is_enough_for_more = space.free >=
	    add_sat(reserve, sp->config.segment_bytes);
	if (sp->writer.wants_spare && !is_enough_for_more)
		is_enough = false;
	keeper_set_health(sp, is_enough && !sp->keeper.is_short ?
	    SPOOL_HEALTHY : SPOOL_NO_ROOM);
	return is_enough_for_more;
}

void
keeper_look(struct spool *sp)
{
	struct mono then = mono_add(sp->keeper.looked_at, LOOK_NS);

	if (!mono_is_before(clock_mono(), then))
		keeper_wake(sp);
}

/* ---- spares ---- */

static size_t
keeper_spares_wanted(const struct spool *sp)
{
	const struct segment *s = sp->current;

	if (sp->writer.wants_spare || s == NULL || s->end > s->size / 2)
		return SPARES_WANTED;
	return 1;
}

/* More than would be made: filling one with zeros costs as much writing as all
 * that it will hold, and segments die several at a time. */
static size_t
keeper_spares_kept(const struct spool *sp)
{
	return sp->health == SPOOL_HEALTHY ? SPARES_MOST : SPARES_WANTED;
}

static void
keeper_add_spare(struct spool *sp, const struct segment *s)
{
	must(s->number >= sp->keeper.next_number);
	must(sp->n_spares < SPARES_MOST);
	sp->spares[sp->n_spares++] = *s;
	sp->keeper.next_number = s->number + 1;
	sp->writer.wants_spare = false;
	sp->keeper.is_short = false;
	writer_wake(sp);
}

static void
keeper_failed(struct spool *sp, int rc)
{
	sp->keeper.retry_at = mono_add(clock_mono(), RETRY_NS);
	if (spool_is_space_error(rc)) {
		sp->keeper.is_short = true;
		keeper_set_health(sp, SPOOL_NO_ROOM);
	} else {
		spool_device_error(sp, rc);
	}
	writer_wake(sp);
}

/* The last spare is the reserve: it is made whatever the free space. */
static yields int
keeper_make_spare(struct spool *sp)
{
	struct segment s;
	int rc;

	if (!keeper_has_room(sp) && sp->n_spares > 0) {
		sp->keeper.retry_at = mono_add(clock_mono(), RETRY_NS);
		return -ENOSPC;
	}
	rc = segment_prepare(sp->path, sp->keeper.next_number,
	    sp->config.segment_bytes, sp->super.instance, false, &s);
	if (rc == 0)
		keeper_add_spare(sp, &s);
	else
		keeper_failed(sp, rc);
	return rc;
}

yields int
keeper_first_spare(struct spool *sp)
{
	return sp->n_spares > 0 ? 0 : keeper_make_spare(sp);
}

/* ---- the superblock ---- */

yields int
keeper_save(struct spool *sp)
{
	char path[SEGMENT_PATH_MOST];
	int rc;

	sp->super.next_segment = sp->keeper.next_number;
	if (sp->super_fd < 0) {
		/* a descriptor whose sync failed is never used again */
		must(str_cstr(str_of(sp->path), path, sizeof path - 12));
		memcpy(path + strlen(path), "/superblock", 12);
		sp->super_fd = disk_open(path, DISK_WRITE | DISK_CREATE, 0600);
		if (sp->super_fd < 0)
			return sp->super_fd;
	}
	rc = super_write(sp->super_fd, &sp->super);
	if (rc != 0) {
		disk_close(sp->super_fd);
		sp->super_fd = -1;
	}
	return rc;
}

static bool
keeper_wants_ids(const struct spool *sp)
{
	return sp->super.ids - sp->id_next < IDS_BLOCK / 2;
}

yields int
keeper_reserve_ids(struct spool *sp)
{
	uint64_t before = sp->super.ids;
	int rc;

	/* nobody may have one of these before the disk knows */
	sp->super.ids = sp->id_next + IDS_BLOCK;
	rc = keeper_save(sp);
	if (rc != 0) {
		sp->super.ids = before;
		keeper_failed(sp, rc);
	}
	return rc;
}

/* ---- the front ---- */

static bool
keeper_projections_passed(const struct spool *sp, const struct segment *s)
{
	for (size_t i = 0; i < PROJECTIONS_MOST; i++) {
		const struct mark *m = &sp->marks[i];

		if (m->is_registered && m->place.segment <= s->number &&
		    (m->place.segment < s->number || m->place.offset < s->end))
			return false;
	}
	return true;
}

bool
keeper_front_is_dead(const struct spool *sp)
{
	const struct segment *s = log_front(&sp->log);

	/* what its messages came to must be on disk first: the COMMIT of one may
	 * stand further on than its chunks */
	return s != NULL && s != sp->current && s->refs == 0 && s->is_sealed &&
	    s->freed_at <= sp->writer.slips.synced && keeper_projections_passed(sp, s);
}

/* Marks whose last record stands in s are written again. */
static bool
keeper_carry_marks(struct spool *sp, const struct segment *s)
{
	for (unsigned i = 0; i < PROJECTIONS_MOST; i++) {
		struct mark *m = &sp->marks[i];

		if (m->place.segment == 0 || m->in_segment > s->number)
			continue;
		if (mark_write(sp, i) != 0)
			return false;
	}
	return true;
}

/* Its name must be gone for good before a byte of it is written over, and before
 * the segment behind it goes, whose outcomes its messages need. */
static yields int
keeper_unname(struct spool *sp, const struct segment *s, const char *tmp)
{
	char path[SEGMENT_PATH_MOST], sidecar[SEGMENT_PATH_MOST];
	int rc;

	segment_path(path, sp->path, s->number, SEGMENT_LOG);
	segment_path(sidecar, sp->path, s->number, SEGMENT_SIDECAR);
	(void)disk_unlink(sidecar);
	rc = tmp != NULL ? disk_rename(path, tmp) : disk_unlink(path);
	if (rc == -ENOENT)
		rc = 0;			/* tried before; not synced then */
	if (rc == 0)
		rc = fault_here(FAULT_segment_after_recycle);
	return rc != 0 ? rc : disk_sync_directory(sp->path);
}

static yields int
keeper_recycle(struct spool *sp, struct segment *s)
{
	uint64_t number = sp->keeper.next_number, size = s->size;
	char tmp[SEGMENT_PATH_MOST];
	struct segment fresh;
	int rc;

	must(s->is_going && s != sp->current);
	segment_path(tmp, sp->path, number, SEGMENT_NEW);
	rc = keeper_unname(sp, s, tmp);
	if (rc != 0)
		return rc;
	must(log_pop(&sp->log) == s);
	segment_free(s);
	rc = segment_prepare(sp->path, number, size, sp->super.instance, true,
	    &fresh);
	if (rc == 0)
		keeper_add_spare(sp, &fresh);
	return rc;
}

static yields int
keeper_remove(struct spool *sp, struct segment *s)
{
	int rc = keeper_unname(sp, s, NULL);

	must(s->is_going && s != sp->current);
	if (rc != 0)
		return rc;
	must(log_pop(&sp->log) == s);
	segment_free(s);
	return 0;
}

static yields int
keeper_drop_front(struct spool *sp)
{
	struct segment *s = log_front(&sp->log);
	int rc = -EAGAIN;

	must(s != NULL && s->refs == 0 && s->is_sealed);
	if (!keeper_carry_marks(sp, s)) {
		sp->keeper.retry_at = mono_add(clock_mono(), RETRY_NS);
		return rc;
	}
	s->is_going = true;
	if (sp->n_spares < keeper_spares_kept(sp) && !s->is_suspect &&
	    s->size == sp->config.segment_bytes)
		rc = keeper_recycle(sp, s);
	else
		rc = keeper_remove(sp, s);
	if (rc == 0)
		sp->stats.recycled++;
	else
		keeper_failed(sp, rc);
	return rc;
}

/* ---- ids ---- */

uint64_t
keeper_take_id(struct spool *sp)
{
	if (keeper_wants_ids(sp))
		keeper_wake(sp);
	if (sp->id_next >= sp->super.ids)
		return 0;
	return id_make(sp->config.node, sp->config.number, sp->id_next++);
}

/* ---- the fiber ---- */

bool
keeper_is_waiting(const struct spool *sp)
{
	return mono_is_before(clock_mono(), sp->keeper.retry_at);
}

/* True: something was done, look again. */
static yields bool
keeper_step(struct spool *sp)
{
	struct mono look = mono_add(sp->keeper.looked_at, LOOK_NS);

	if (!keeper_is_waiting(sp)) {
		if (keeper_front_is_dead(sp))
			return keeper_drop_front(sp) == 0;
		if (sp->n_spares < keeper_spares_wanted(sp))
			return keeper_make_spare(sp) == 0;
		if (keeper_wants_ids(sp))
			return keeper_reserve_ids(sp) == 0;
	}
	if (!mono_is_before(clock_mono(), look))
		(void)keeper_has_room(sp);
	return false;
}

static bool
keeper_has_work(const struct spool *sp)
{
	return sp->n_spares < keeper_spares_wanted(sp) || keeper_wants_ids(sp) ||
	    keeper_front_is_dead(sp);
}

static yields void
keeper_fiber(void *arg)
{
	struct spool *sp = arg;
	struct keeper *k = &sp->keeper;

	k->fiber = fiber_self();
	while (!k->is_stopping) {
		k->is_called = false;
		if (keeper_step(sp) || k->is_called)
			continue;
		(void)fiber_park(keeper_is_waiting(sp) && keeper_has_work(sp) ?
		    k->retry_at : MONO_NEVER);
	}
	k->fiber = NULL;
	k->is_running = false;
	fiber_wake(k->closer);
}

int
keeper_open(struct spool *sp)
{
	must(!sp->keeper.is_running);
	if (fiber_go("spool keeper", keeper_fiber, sp) != 0)
		return -1;
	sp->keeper.is_running = true;
	return 0;
}

yields void
keeper_close(struct spool *sp)
{
	struct keeper *k = &sp->keeper;

	must(k->closer == NULL);
	k->is_stopping = true;
	k->closer = fiber_self();
	keeper_wake(sp);
	while (k->is_running)
		(void)fiber_park(MONO_NEVER);
	k->closer = NULL;
}

void
keeper_wake(struct spool *sp)
{
	/* it may be waiting for the disk, and the wake be lost on that */
	sp->keeper.is_called = true;
	fiber_wake(sp->keeper.fiber);
}
