/*
 * A day's file is a row of frames:
 *
 *	 0  u32  magic    "NEV1"
 *	 4  u32  length   octets of the payload, at most 64 KiB
 *	 8  u32  sum      CRC-32C of the payload, begun with the kind
 *	12  u32  kind     0: an event as event_encode() writes it
 *	                  1: a mark: u64 segment, u64 offset of the spool's log
 *	16  ...  payload
 *
 * little-endian.  The file ends, for those who read it, at the first frame that
 * is not whole; for the writer, behind the last mark: what stands there after a
 * crash will come again from the log.
 *
 * A day's file is begun when the one before it is on disk, and from then on all
 * events go there, late ones too.  So the last mark of all stands in the latest
 * file that has one, and what later files hold is to be cut.
 */
#include "store/eventlog.h"

#include "base/buf.h"
#include "base/crc32c.h"
#include "base/err.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/disk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define MAGIC UINT32_C(0x3156454e)	/* "NEV1" */

enum { PAYLOAD_MOST = 64 * 1024, READ_SIZE = 128 * 1024, MARK_SIZE = 16,
	LIST_MEMORY = 4 * 1024 * 1024 };

static const int64_t us_per_day = 86400 * US_PER_SECOND;

/* ---- names ---- */

struct eventlog_name
eventlog_name(int64_t day, unsigned spool)
{
	struct eventlog_name n;
	time_t t = (time_t)day * 86400;
	struct tm tm;

	must(gmtime_r(&t, &tm) != NULL);
	snprintf(n.text, sizeof n.text, "%04d-%02d-%02d.%u",
	    (tm.tm_year + 1900) % 10000, (tm.tm_mon + 1) % 100,
	    tm.tm_mday % 100, spool % 1000);
	return n;
}

int64_t
eventlog_day(struct str name)
{
	struct str rest = name;
	uint64_t y, m, d, spool;
	struct tm tm = { .tm_year = 0 };
	int64_t day;

	if (!parse_u64(str_cut(&rest, '-'), 9999, &y) || y < 1970 ||
	    !parse_u64(str_cut(&rest, '-'), 12, &m) ||
	    !parse_u64(str_cut(&rest, '.'), 31, &d) ||
	    !parse_u64(rest, 999, &spool))
		return -1;
	tm.tm_year = (int)y - 1900;
	tm.tm_mon = (int)m - 1;
	tm.tm_mday = (int)d;
	day = timegm(&tm) / 86400;
	/* "2026-02-31.0" is nobody's file */
	return str_eq(name, str_of(eventlog_name(day, (unsigned)spool).text)) ?
	    day : -1;
}

static bool
path_make(const struct eventlog *l, int64_t day, char *room, size_t n)
{
	int k = snprintf(room, n, "%s/%s", l->directory,
	    eventlog_name(day, l->spool).text);

	return k > 0 && (size_t)k < n;
}

/* ---- frames ---- */

static uint32_t
frame_sum(unsigned kind, struct str payload)
{
	char k = (char)kind;

	return crc32c(crc32c(0, (struct str){ &k, 1 }), payload);
}

int
eventlog_frame(struct str bytes, unsigned *kind, struct str *payload,
    size_t *size)
{
	uint32_t magic, length, sum, k;

	if (!take_le32(&bytes, &magic) || !take_le32(&bytes, &length) ||
	    !take_le32(&bytes, &sum) || !take_le32(&bytes, &k))
		return 0;
	if (magic != MAGIC || length > PAYLOAD_MOST || k > FRAME_MARK)
		return -1;
	if (!take_bytes(&bytes, length, payload))
		return 0;
	if (frame_sum(k, *payload) != sum)
		return -1;
	*kind = k;
	*size = EVENTLOG_FRAME + length;
	return 1;
}

static void
frame_put(struct eventlog *l, unsigned kind, struct str payload)
{
	struct buf b = { .p = l->batch + l->n, .cap = EVENTLOG_BATCH - l->n };

	buf_le32(&b, MAGIC);
	buf_le32(&b, (uint32_t)payload.n);
	buf_le32(&b, frame_sum(kind, payload));
	buf_le32(&b, kind);
	buf_put(&b, payload);
	must(!b.full);
	l->n += b.n;
}

/* ---- reading on: where did the last batch end? ---- */

struct scan {
	uint64_t at;			/* of the next frame */
	uint64_t end;			/* behind the last mark */
	bool has_mark;
	struct eventlog_mark mark;
};

/* Frames off a window; how many octets of it were whole frames, -1: no frame. */
static int64_t
window_scan(struct scan *s, struct str bytes)
{
	size_t used = 0, size;
	struct str payload;
	unsigned kind;
	int rc;

	while ((rc = eventlog_frame(str_sub(bytes, used, bytes.n), &kind,
	    &payload, &size)) == 1) {
		used += size;
		if (kind != FRAME_MARK ||
		    !take_le64(&payload, &s->mark.segment) ||
		    !take_le64(&payload, &s->mark.offset))
			continue;
		s->has_mark = true;
		s->end = s->at + used;
	}
	s->at += used;
	return rc < 0 ? -1 : (int64_t)used;
}

static yields int
file_scan(int fd, struct scan *s)
{
	char *room = malloc(READ_SIZE);
	int64_t n, used;

	if (room == NULL)
		return err_set("no memory");
	do {
		n = disk_pread(fd, room, READ_SIZE, s->at);
		used = n <= 0 ? 0 :
		    window_scan(s, (struct str){ room, (size_t)n });
	} while (used > 0);
	free(room);
	return n < 0 ? -1 : 0;
}

static yields int
day_open(struct eventlog *l, int64_t day)
{
	char path[600];

	must(l->fd < 0);
	if (!path_make(l, day, path, sizeof path))
		return err_set("the path of the events is too long");
	l->fd = disk_open(path, DISK_WRITE | DISK_CREATE, 0640);
	if (l->fd < 0) {
		l->fd = -1;
		return -1;
	}
	l->day = day;
	l->size = l->synced = 0;
	/* the file must not vanish with the marks that will stand in it */
	return disk_sync_directory(l->directory) == 0 ? 0 : -1;
}

static void
day_close(struct eventlog *l)
{
	if (l->fd >= 0)
		disk_close(l->fd);
	l->fd = -1;
}

/* 1: it has a mark; 0: none; -1.  What follows the mark is gone. */
static yields int
day_continue(struct eventlog *l, int64_t day)
{
	struct scan s = { .at = 0 };

	if (day_open(l, day) != 0 || file_scan(l->fd, &s) != 0 ||
	    disk_truncate(l->fd, s.end) != 0 || disk_fsync(l->fd) != 0)
		return -1;
	l->size = l->synced = s.end;
	if (s.has_mark)
		l->mark = s.mark;
	return s.has_mark;
}

/* The latest day before `before' that has a file; -1: none. */
static yields int
day_before(struct eventlog *l, int64_t before, int64_t *day)
{
	struct arena a;
	struct str *names, suffix;
	size_t n = 0;
	int rc;

	*day = -1;
	arena_init(&a, LIST_MEMORY);
	suffix = arena_printf(&a, ".%u", l->spool);
	rc = disk_list(l->directory, &a, &names, &n);
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		int64_t d = eventlog_day(names[i]);

		if (str_has_suffix_icase(names[i], suffix) && d < before &&
		    d > *day)
			*day = d;
	}
	arena_clear(&a);
	return rc < 0 ? -1 : 0;
}

/* The latest file stays the one to be written, with a mark in it or not. */
static yields int
days_continue(struct eventlog *l)
{
	int64_t day, latest;
	int rc = 0;

	l->mark = (struct eventlog_mark){ 0, 0 };
	if (day_before(l, INT64_MAX, &latest) != 0)
		return -1;
	for (day = latest; day >= 0 && rc == 0;) {
		day_close(l);
		rc = day_continue(l, day);
		if (rc == 0 && day_before(l, day, &day) != 0)
			rc = -1;
	}
	if (rc < 0 || latest < 0 || l->day == latest)
		return rc < 0 ? -1 : 0;
	day_close(l);
	return day_open(l, latest);	/* it is empty now */
}

/* A power cut must not take it away with the days that stand in it. */
static yields int
directory_make(const char *path)
{
	char above[512];
	struct str s = str_of(path);
	size_t slash = str_find_last(s, '/');
	int rc = disk_mkdir(path, 0750);

	if (rc != 0 && rc != -EEXIST)
		return -1;
	if (slash == s.n || slash == 0 ||
	    !str_cstr(str_sub(s, 0, slash), above, sizeof above))
		return 0;		/* not one of ours */
	return disk_sync_directory(above) == 0 ? 0 : -1;
}

yields int
eventlog_open(struct eventlog *l, struct str directory, unsigned spool,
    struct eventlog_mark *mark)
{
	*l = (struct eventlog){ .spool = spool, .fd = -1, .day = -1,
		.batch = malloc(EVENTLOG_BATCH) };
	*mark = l->mark;
	if (l->batch == NULL ||
	    !str_cstr(directory, l->directory, sizeof l->directory))
		return err_set("events: no memory, or too long a path");
	if (directory_make(l->directory) != 0 || days_continue(l) != 0)
		return err_add("events");
	*mark = l->mark;
	return 0;
}

yields int
eventlog_revert(struct eventlog *l, struct eventlog_mark *mark)
{
	l->n = 0;
	/* after a failed sync the cache shows what the disk may not have */
	if (l->fd >= 0 && l->size > l->synced &&
	    disk_truncate(l->fd, l->synced) != 0)
		return err_add("events");
	l->size = l->synced;
	day_close(l);
	l->day = -1;
	if (days_continue(l) != 0)
		return err_add("events");
	*mark = l->mark;
	return 0;
}

/* ---- writing ---- */

static yields int
batch_write(struct eventlog *l)
{
	if (l->n == 0)
		return 0;
	must(l->fd >= 0);
	if (disk_pwrite(l->fd, (struct str){ l->batch, l->n }, l->size) != 0)
		return -1;
	l->size += l->n;
	l->n = 0;
	return 0;
}

yields int
eventlog_sync(struct eventlog *l)
{
	uint64_t size = l->size;

	if (l->fd < 0 || l->synced == size)
		return 0;
	if (disk_fdatasync(l->fd) != 0)
		return -1;
	l->synced = size;
	return 0;
}

static yields int
day_turn(struct eventlog *l, int64_t day)
{
	if (day <= l->day && l->fd >= 0)
		return 0;
	if (batch_write(l) != 0 || eventlog_sync(l) != 0)
		return -1;
	day_close(l);
	return day_open(l, day);
}

yields int
eventlog_append(struct eventlog *l, struct wall at, struct str event)
{
	if (event.n > PAYLOAD_MOST)
		return err_set("an event of %zu octets", event.n);
	if (day_turn(l, at.us / us_per_day) != 0)
		return -1;
	if (l->n + 2 * EVENTLOG_FRAME + MARK_SIZE + event.n > EVENTLOG_BATCH &&
	    batch_write(l) != 0)
		return -1;
	frame_put(l, FRAME_EVENT, event);
	return 0;
}

yields int
eventlog_commit(struct eventlog *l, struct eventlog_mark m)
{
	char room[MARK_SIZE];
	struct buf b = BUF_OF(room);

	if (l->fd < 0)
		return 0;		/* no event yet: nothing to mark */
	buf_le64(&b, m.segment);
	buf_le64(&b, m.offset);
	frame_put(l, FRAME_MARK, buf_str(&b));
	if (batch_write(l) != 0)
		return -1;
	l->mark = m;
	return 0;
}

yields void
eventlog_close(struct eventlog *l)
{
	(void)eventlog_sync(l);
	day_close(l);
	free(l->batch);
	l->batch = NULL;
}

yields int
eventlog_expire(const char *directory, struct wall before)
{
	struct arena a;
	struct str *names;
	size_t n = 0;
	int rc;

	arena_init(&a, LIST_MEMORY);
	rc = disk_list(directory, &a, &names, &n);
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		int64_t day = eventlog_day(names[i]);
		struct str path = arena_printf(&a, "%s/" STR_FMT, directory,
		    STR_ARG(names[i]));

		if (day >= 0 && (day + 1) * us_per_day <= before.us &&
		    path.p != NULL)
			(void)disk_unlink(path.p);
	}
	arena_clear(&a);
	return rc < 0 ? -1 : 0;
}
