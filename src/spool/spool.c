#include "spool/spool.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "fiber/random.h"
#include "spool/fault.h"
#include "spool/lasts.h"
#include "spool/own.h"
#include "spool/quarantine.h"
#include "spool/recover.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/*
 * STATE      moved by        what is true
 * open       spool_open      locked; superblock read; segments found, not read
 * running    spool_recover   index, writer, keeper and cleaner are there; the
 *                            clean mark is off, on disk
 * closed     spool_close     all synced; the clean mark is on, on disk, unless
 *                            the disk said no
 */

#define ORPHAN_IDS (UINT64_C(1) << 32)
#define BROKEN_NS (60 * NS_PER_SECOND)
#define LOCK_PAUSE_NS (100 * NS_PER_MS)
enum { DIR_ROOM = 1 << 20, TELL_ROOM = 512, LOCK_TRIES = 10 };

/* ---- telling ---- */

void
spool_tell(struct spool *sp, const char *reason, const char *fmt, ...)
{
	char text[TELL_ROOM];
	struct event e;
	va_list ap;

	if (sp->config.sink == NULL)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	e = event_make(EVENT_trouble, clock_wall(), 0);
	event_str(&e, FIELD_reason, str_of(reason));
	event_str(&e, FIELD_file, str_of(sp->path));
	event_str(&e, FIELD_text, str_of(text));
	sp->config.sink->take(sp->config.sink, &e);
}

bool
spool_is_space_error(int error)
{
	return error == -ENOSPC || error == -EDQUOT || error == -EFBIG;
}

void
spool_device_error(struct spool *sp, int error)
{
	struct mono now = clock_mono();
	bool is_second = sp->has_error &&
	    mono_is_before(now, mono_add(sp->error_at, BROKEN_NS));

	must(error < 0);
	sp->stats.device_errors++;
	sp->has_error = true;
	sp->error_at = now;
	spool_tell(sp, "disk", "device error %d: %s", -error, err_text());
	if (!is_second || sp->health == SPOOL_BROKEN)
		return;
	sp->health = SPOOL_BROKEN;
	spool_tell(sp, "disk_broken", "second device error within a minute: "
	    "accepting nothing, delivering what can be read");
	writer_wake(sp);
}

/* ---- opening ---- */

static void
spool_take_config(struct spool *sp, const struct spool_config *c)
{
	sp->config = *c;
	sp->config.path = sp->path;
	if (c->segment_bytes == 0)
		sp->config.segment_bytes = UINT64_C(64) << 20;
	if (c->outcome_delay_ns == 0)
		sp->config.outcome_delay_ns = 10 * NS_PER_MS;
	if (c->buffer_bytes == 0)
		sp->config.buffer_bytes = UINT64_C(8) << 20;
	if (c->draft_bytes == 0)
		sp->config.draft_bytes = UINT64_C(256) << 20;
}

static int
spool_check_config(const struct spool_config *c)
{
	if (c->path == NULL || strlen(c->path) >= OWN_PATH_MOST)
		return err_set("the path of a spool has at most %d octets",
		    OWN_PATH_MOST - 1);
	if (c->node >= 1024 || c->number >= 256)
		return err_set("nodes are 0 to 1023 and spools 0 to 255");
	if (c->segment_bytes != 0 && (c->segment_bytes < SPOOL_SEGMENT_LEAST ||
	    c->segment_bytes % SEGMENT_HEAD != 0))
		return err_set("segments have at least %d octets, in multiples "
		    "of %d", SPOOL_SEGMENT_LEAST, SEGMENT_HEAD);
	return 0;
}

struct spool *
spool_new(const struct spool_config *c)
{
	struct spool *sp = calloc(1, sizeof *sp);

	must(strlen(c->path) < OWN_PATH_MOST);
	if (sp == NULL || index_init(&sp->index) != 0) {
		err_set("no memory for a spool");
		free(sp);
		return NULL;
	}
	memcpy(sp->path, c->path, strlen(c->path) + 1);
	spool_take_config(sp, c);
	sp->lock_fd = sp->super_fd = -1;
	list_init(&sp->drafts);
	rooms_init(&sp->rooms, sp->config.draft_bytes);
	writer_init(&sp->writer, sp->config.buffer_bytes);
	return sp;
}

void
spool_free(struct spool *sp)
{
	must(list_is_empty(&sp->drafts) && sp->tails == 0);
	for (size_t i = 0; i < sp->n_spares; i++)
		segment_close(&sp->spares[i]);
	index_clear(&sp->index);
	log_clear(&sp->log);
	rooms_clear(&sp->rooms);
	if (sp->super_fd >= 0)
		disk_close(sp->super_fd);
	if (sp->lock_fd >= 0)
		disk_close(sp->lock_fd);
	free(sp);
}

void
spool_file(char to[SEGMENT_PATH_MOST], const struct spool *sp, const char *name)
{
	int n = snprintf(to, SEGMENT_PATH_MOST, "%s/%s", sp->path, name);

	must(n > 0 && n < SEGMENT_PATH_MOST);
}

static yields enum spool_trouble
spool_lock(struct spool *sp)
{
	char path[SEGMENT_PATH_MOST];
	int rc;

	rc = disk_mkdir(sp->path, 0700);
	if (rc != 0 && rc != -EEXIST)
		return SPOOL_DISK;
	spool_file(path, sp, "lock");
	sp->lock_fd = disk_open(path, DISK_WRITE | DISK_CREATE, 0600);
	if (sp->lock_fd < 0)
		return SPOOL_DISK;
	rc = disk_lock(sp->lock_fd);
	/* a check looks at the lock for a moment, and who stops needs another */
	for (int i = 0; rc == -EWOULDBLOCK && i < LOCK_TRIES; i++) {
		fiber_sleep(mono_add(clock_mono(), LOCK_PAUSE_NS));
		rc = disk_lock(sp->lock_fd);
	}
	if (rc == -EWOULDBLOCK) {
		err_set("spool %s is in use by another process", sp->path);
		return SPOOL_LOCKED;
	}
	return rc == 0 ? SPOOL_FINE : SPOOL_DISK;
}

/* The name of the spool's own directory must last, too. */
static yields int
spool_sync_parent(const struct spool *sp)
{
	struct str parent = str_of(sp->path);
	char path[OWN_PATH_MOST];

	while (parent.n > 1 && parent.p[parent.n - 1] == '/')
		parent.n--;
	parent.n = str_find_last(parent, '/');
	if (parent.n == strlen(sp->path))
		parent = STR(".");
	else if (parent.n == 0)
		parent = STR("/");
	must(str_cstr(parent, path, sizeof path));
	return disk_sync_directory(path);
}

/* A spool that never was. */
static yields enum spool_trouble
spool_birth(struct spool *sp)
{
	must(!sp->is_read_only);
	sp->super = (struct super){ .instance = random_u64(),
		.node = sp->config.node, .number = sp->config.number,
		.ids = 1, .next_segment = 1 };
	return keeper_save(sp) == 0 ? SPOOL_FINE : SPOOL_DISK;
}

/* Both copies are lost, but the log is there: it knows the instance, and ids are
 * taken up far above all that are in it. */
void
spool_without_super(struct spool *sp)
{
	sp->stats.damaged++;
	spool_tell(sp, "damage", "%s: %s", sp->path, err_text());
	sp->super = (struct super){ .node = sp->config.node,
		.number = sp->config.number, .next_segment = 1 };
	sp->is_orphan = true;
}

static yields enum spool_trouble
spool_read_super(struct spool *sp, bool has_segments)
{
	char path[SEGMENT_PATH_MOST];
	int rc;

	spool_file(path, sp, "superblock");
	sp->super_fd = disk_open(path, DISK_WRITE | DISK_CREATE, 0600);
	if (sp->super_fd < 0)
		return SPOOL_DISK;
	rc = super_read(sp->super_fd, &sp->super);
	if (rc == -EPROTO)
		return SPOOL_FOREIGN;
	/* before the first segment a birth may have been cut short anywhere */
	if (!has_segments && (disk_sync_directory(sp->path) != 0 ||
	    spool_sync_parent(sp) != 0))
		return SPOOL_DISK;
	if (rc == -EBADMSG && !has_segments)
		return spool_birth(sp);
	if (rc == -EBADMSG) {
		spool_without_super(sp);
		return SPOOL_FINE;
	}
	if (rc != 0)
		return SPOOL_DISK;
	if (sp->super.node != sp->config.node ||
	    sp->super.number != sp->config.number) {
		err_set("spool %s is number %u of node %u, not %u of %u",
		    sp->path, sp->super.number, sp->super.node,
		    sp->config.number, sp->config.node);
		return SPOOL_FOREIGN;
	}
	return SPOOL_FINE;
}

/* ---- what is in the directory ---- */

static void
spool_tell_cut(struct spool *sp, const struct segment *s)
{
	sp->stats.damaged++;
	spool_tell(sp, "damage", "segment %llu was cut off: %llu octets are left",
	    (unsigned long long)s->number, (unsigned long long)s->size);
}

/* What stands beyond is read all the same: nothing is lost for neatness. */
static void
spool_tell_long(struct spool *sp, const struct segment *s)
{
	sp->stats.damaged++;
	spool_tell(sp, "damage", "segment %llu was made with %llu octets, and "
	    "has %llu", (unsigned long long)s->number,
	    (unsigned long long)s->size_made, (unsigned long long)s->size);
}

static yields enum spool_trouble
spool_find_segment(struct spool *sp, uint64_t number)
{
	struct segment s;
	int rc = segment_open(sp->path, number, sp->super.instance,
	    !sp->is_read_only, &s);

	if ((rc == 0 || rc == -EBADMSG) && s.size <= SEGMENT_HEAD) {
		/* there is no record in it, whatever there was */
		segment_close(&s);
		spool_tell_cut(sp, &s);
		if (!sp->is_read_only)
			quarantine_take(sp, s.number);
		return SPOOL_FINE;
	}
	if (rc == 0 && s.size < s.size_made)
		spool_tell_cut(sp, &s);
	if (rc == 0 && s.size > s.size_made)
		spool_tell_long(sp, &s);
	s.is_header_bad = rc == -EBADMSG;
	if (rc == 0)
		sp->super.instance = s.instance;
	if (rc == -EBADMSG)
		rc = 0;
	if (rc != 0 || log_append(&sp->log, &s) == NULL) {
		segment_close(&s);
		return rc == -EPROTO ? SPOOL_FOREIGN : SPOOL_DISK;
	}
	return SPOOL_FINE;
}

/* Names are sorted, and so are the numbers in them. */
yields enum spool_trouble
spool_find_segments(struct spool *sp, const struct str *names, size_t n)
{
	enum spool_trouble trouble = SPOOL_FINE;
	enum segment_kind kind;
	char path[SEGMENT_PATH_MOST];
	uint64_t number;

	for (size_t i = 0; i < n && trouble == SPOOL_FINE; i++) {
		if (!segment_name(names[i], &number, &kind))
			continue;
		if (kind == SEGMENT_LOG)
			trouble = spool_find_segment(sp, number);
		if (sp->is_read_only ||
		    (kind != SEGMENT_NEW && kind != SEGMENT_NEW_SIDECAR))
			continue;
		segment_path(path, sp->path, number, kind);
		(void)disk_unlink(path);
	}
	return trouble;
}

/* Sidecars whose segment is gone. */
static yields void
spool_drop_sidecars(struct spool *sp, const struct str *names, size_t n)
{
	enum segment_kind kind;
	char path[SEGMENT_PATH_MOST];
	uint64_t number;

	for (size_t i = 0; i < n; i++) {
		if (!segment_name(names[i], &number, &kind) ||
		    kind != SEGMENT_SIDECAR ||
		    log_find(&sp->log, number) != NULL)
			continue;
		segment_path(path, sp->path, number, kind);
		(void)disk_unlink(path);
	}
}

static bool
names_have_segments(const struct str *names, size_t n)
{
	enum segment_kind kind;
	uint64_t number;

	for (size_t i = 0; i < n; i++)
		if (segment_name(names[i], &number, &kind) &&
		    kind == SEGMENT_LOG)
			return true;
	return false;
}

static yields enum spool_trouble
spool_read_directory(struct spool *sp)
{
	enum spool_trouble trouble;
	struct str *names;
	struct arena a;
	size_t n;

	arena_init(&a, DIR_ROOM * 16);
	if (disk_list(sp->path, &a, &names, &n) != 0) {
		arena_clear(&a);
		return SPOOL_DISK;
	}
	trouble = spool_read_super(sp, names_have_segments(names, n));
	if (trouble == SPOOL_FINE)
		trouble = spool_find_segments(sp, names, n);
	if (trouble == SPOOL_FINE)
		spool_drop_sidecars(sp, names, n);
	arena_clear(&a);
	return trouble;
}

yields enum spool_trouble
spool_open(const struct spool_config *config, struct spool **out)
{
	enum spool_trouble trouble;
	struct spool *sp;

	*out = NULL;
	if (spool_check_config(config) != 0)
		return SPOOL_FOREIGN;
	sp = spool_new(config);
	if (sp == NULL)
		return SPOOL_DISK;
	trouble = spool_lock(sp);
	if (trouble == SPOOL_FINE)
		trouble = spool_read_directory(sp);
	if (trouble != SPOOL_FINE) {
		err_add("opening spool %s", sp->path);
		spool_free(sp);
		return trouble;
	}
	*out = sp;
	return SPOOL_FINE;
}

/* ---- recovery ---- */

static void
spool_number_on(struct spool *sp)
{
	uint64_t next = sp->super.next_segment;

	if (sp->n_spares > 0)
		next = sp->spares[sp->n_spares - 1].number + 1;
	else if (sp->current != NULL)
		next = sp->current->number + 1;
	sp->keeper.next_number = next == 0 ? 1 : next;
	sp->id_next = sp->super.ids;
	if (sp->is_orphan) {
		sp->id_next = sp->index.id_most + ORPHAN_IDS;
		if (sp->super.instance == 0)
			sp->super.instance = random_u64();
	}
	if (sp->index.id_most >= sp->id_next)
		sp->id_next = sp->index.id_most + 1;
}

/* Whatever is written from now on, the next start must read the log's end. */
static yields int
spool_start(struct spool *sp)
{
	must(!sp->is_running && !sp->is_read_only);
	spool_number_on(sp);
	sp->super.is_clean = false;
	if (keeper_reserve_ids(sp) != 0)
		return -1;
	if (sp->current == NULL || sp->current->is_sealed) {
		int rc = keeper_first_spare(sp);

		/* a full disk is no reason not to deliver */
		if (rc != 0 && !spool_is_space_error(rc))
			return -1;
		if (rc == 0 && writer_take_spare(sp) != 0)
			return -1;
	}
	if (writer_open(sp) != 0 || keeper_open(sp) != 0)
		return -1;
	return cleaner_open(sp);
}

struct str
spool_last_reply(const struct spool *sp, uint64_t id, size_t recipient)
{
	return sp->lasts == NULL ? STR_NONE :
	    lasts_find(sp->lasts, id, (uint32_t)recipient);
}

yields enum spool_trouble
spool_recover(struct spool *sp,
    yields void (*each)(void *, const struct kept *, const struct envelope *),
    void *arg)
{
	enum spool_trouble trouble;
	struct recover r;
	struct lasts lasts;

	must(!sp->is_running);
	lasts_begin(&lasts, LASTS_MEMORY);
	sp->lasts = &lasts;
	trouble = recover_read(&r, sp);
	if (trouble == SPOOL_FINE && each != NULL)
		trouble = recover_tell(&r, each, arg);
	recover_end(&r);
	sp->lasts = NULL;
	lasts_end(&lasts);
	if (trouble == SPOOL_FINE && spool_start(sp) != 0)
		trouble = SPOOL_DISK;
	if (trouble != SPOOL_FINE)
		err_add("recovering spool %s", sp->path);
	sp->is_running = trouble == SPOOL_FINE;
	return trouble;
}

/* ---- closing ---- */

static yields int
spool_save_clean(struct spool *sp)
{
	(void)fault_here(FAULT_stop_before_superblock);
	sp->super.is_clean = true;
	sp->super.ids = sp->id_next;
	sp->super.sequence = sp->writer.sequence;
	sp->super.tail = sp->current == NULL ? 0 : sp->current->number;
	sp->super.tail_end = sp->current == NULL ? 0 : sp->current->end;
	return keeper_save(sp);
}

yields enum spool_trouble
spool_close(struct spool *sp)
{
	int rc = 0;

	must(list_is_empty(&sp->drafts) && sp->tails == 0);
	cleaner_close(sp);
	if (sp->is_running)
		rc = writer_drain(sp);
	keeper_close(sp);
	writer_close(sp);
	if (sp->is_running && rc == 0)
		rc = spool_save_clean(sp);
	spool_free(sp);
	return rc == 0 ? SPOOL_FINE : SPOOL_DISK;
}

/* ---- looking ---- */

enum spool_health
spool_health(struct spool *sp)
{
	keeper_look(sp);
	return sp->health;
}

struct spool_stats
spool_stats(const struct spool *sp)
{
	struct spool_stats s = sp->stats;

	s.kept = sp->index.n;
	s.segments = sp->log.n;
	s.log_bytes = sp->log.n * sp->config.segment_bytes;
	s.live_bytes = sp->index.live_bytes;
	return s;
}

const struct kept *
spool_find(const struct spool *sp, uint64_t id)
{
	const struct kept *k = index_find(&sp->index, id);

	return k == NULL || (k->flags & KEPT_OVER) != 0 ? NULL : k;
}

/* ---- the front of the log ---- */

void
spool_look_at_front(struct spool *sp)
{
	if (!sp->is_running)
		return;
	if (keeper_front_is_dead(sp))
		keeper_wake(sp);
	else
		cleaner_look(sp);
}

void
spool_settle(struct spool *sp, struct kept *k)
{
	bool is_over = k->n_ended == k->n;

	index_settle(&sp->index, k);
	if (is_over)
		spool_look_at_front(sp);
}

void
spool_give_segment(struct spool *sp, struct segment *s, uint64_t bytes)
{
	segment_give(&sp->index, s, bytes);
	if (s != NULL && s->refs == 0)
		spool_look_at_front(sp);
}
