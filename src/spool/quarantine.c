#include "spool/quarantine.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/must.h"
#include "base/num.h"
#include "fiber/disk.h"
#include "spool/own.h"

#include <errno.h>
#include <stdio.h>

/*
 * quarantine/NNNNNNNNNN-OOOOOOOOOO.bad and .poison hold the bytes of segment N
 * from offset O on; NNNNNNNNNN-0000000000.log is its file.  The file "recovering"
 * holds one line "segment offset deaths\n", padded to NOTE_BYTES, and is there
 * only while a log is read:
 *
 * STATE      how it is found       what the next recovery does
 * none       no note               reads, and leaves a note "0 0 0"
 * died       "0 0 0"               is careful: notes each record first
 * suspect    a place, n deaths     careful; counts up when it is this place again
 * poison     POISON_DEATHS         sets that record aside, goes on carefully
 */

enum { NOTE_BYTES = 64, COPY = 3072, PATH_ROOM = SEGMENT_PATH_MOST };

static void
quarantine_path(char to[PATH_ROOM], const struct spool *sp, const char *end)
{
	int n = snprintf(to, PATH_ROOM, "%s/%s", sp->path, end);

	must(n > 0 && n < PATH_ROOM);
}

/* ---- what is there ---- */

static void
quarantine_learn(struct quarantine *q, struct str name)
{
	struct str digits = str_cut(&name, '-'), at = str_cut(&name, '.');
	size_t i = q->n_poison;

	q->n_files++;
	if (!str_eq(name, STR("poison")) || i == POISON_MOST)
		return;
	if (parse_u64(digits, UINT64_MAX, &q->poison[i].segment) &&
	    parse_u64(at, UINT64_MAX, &q->poison[i].at))
		q->n_poison++;
}

static void
quarantine_read_note(struct quarantine *q, struct str s)
{
	struct str segment = str_cut(&s, ' '), at = str_cut(&s, ' ');

	q->is_careful = true;
	if (parse_u64(segment, UINT64_MAX, &q->note_segment) &&
	    parse_u64(at, UINT64_MAX, &q->note_at) &&
	    parse_u64(str_cut(&s, '\n'), UINT32_MAX, &q->note_deaths))
		return;
	q->note_segment = q->note_at = q->note_deaths = 0;
}

static yields int
quarantine_write_note(struct quarantine *q, uint64_t segment, uint64_t at,
    uint64_t deaths)
{
	char room[NOTE_BYTES + 1];
	int n = snprintf(room, sizeof room, "%llu %llu %llu\n",
	    (unsigned long long)segment, (unsigned long long)at,
	    (unsigned long long)deaths);

	must(n > 0 && n < NOTE_BYTES);
	memset(room + n, '\n', (size_t)(NOTE_BYTES - n));
	return disk_pwrite(q->note_fd, (struct str){ room, NOTE_BYTES }, 0);
}

static yields void
quarantine_list(struct quarantine *q, struct spool *sp, struct arena *a)
{
	char path[PATH_ROOM];
	struct str *names;
	size_t n;

	quarantine_path(path, sp, "quarantine");
	if (disk_mkdir(path, 0700) != -EEXIST ||
	    disk_list(path, a, &names, &n) != 0)
		return;
	for (size_t i = 0; i < n; i++)
		quarantine_learn(q, names[i]);
}

yields void
quarantine_open(struct quarantine *q, struct spool *sp)
{
	char path[PATH_ROOM];
	struct arena a;
	struct str note;

	*q = (struct quarantine){ .note_fd = -1 };
	arena_init(&a, 1 << 20);
	quarantine_list(q, sp, &a);
	quarantine_path(path, sp, "recovering");
	if (disk_read_file(path, &a, NOTE_BYTES, &note) == 0)
		quarantine_read_note(q, note);
	arena_clear(&a);
	err_clear();			/* that there is no note is well */
	q->note_fd = disk_open(path, DISK_WRITE | DISK_CREATE, 0600);
	if (q->note_fd >= 0 && (q->is_careful ||
	    quarantine_write_note(q, 0, 0, 0) == 0))
		return;
	spool_tell(sp, "disk", "noting how far the log is read: %s", err_text());
}

yields void
quarantine_close(struct quarantine *q, struct spool *sp)
{
	char path[PATH_ROOM];

	quarantine_path(path, sp, "recovering");
	if (q->note_fd >= 0)
		disk_close(q->note_fd);
	q->note_fd = -1;
	(void)disk_unlink(path);
}

/* ---- poison ---- */

bool
quarantine_is_poison(const struct quarantine *q, uint64_t segment, uint64_t at)
{
	for (size_t i = 0; i < q->n_poison; i++)
		if (q->poison[i].segment == segment && q->poison[i].at == at)
			return true;
	return false;
}

yields void
quarantine_rest(struct quarantine *q)
{
	if (q->is_careful && q->note_fd >= 0)
		(void)quarantine_write_note(q, 0, 0, 0);
}

yields bool
quarantine_note(struct quarantine *q, uint64_t segment, uint64_t at)
{
	uint64_t deaths = 1;

	must(at >= SEGMENT_HEAD && at % 8 == 0);
	if (!q->is_careful || q->note_fd < 0)
		return true;
	if (segment == q->note_segment && at == q->note_at)
		deaths = q->note_deaths + 1;
	if (deaths > POISON_DEATHS)
		return false;
	(void)quarantine_write_note(q, segment, at, deaths);
	return true;
}

/* ---- setting aside ---- */

static yields int
quarantine_copy(const struct segment *s, uint64_t from, uint64_t to, int fd)
{
	char room[COPY];
	int64_t n = 0;
	int rc = 0;

	for (uint64_t at = from; at < to && rc == 0; at += (uint64_t)n) {
		uint64_t want = to - at < COPY ? to - at : COPY;

		n = disk_pread(s->fd, room, (size_t)want, at);
		if (n <= 0)
			return n < 0 ? (int)n : 0;
		rc = disk_pwrite(fd, (struct str){ room, (size_t)n }, at - from);
	}
	return rc;
}

static yields void
quarantine_write(struct quarantine *q, struct spool *sp,
    const struct segment *s, uint64_t from, uint64_t to, const char *path)
{
	struct disk_stat st;
	int fd, rc;

	if (q->n_files >= QUARANTINE_FILES || disk_stat(path, &st) == 0)
		return;
	fd = disk_open(path, DISK_WRITE | DISK_CREATE, 0600);
	if (fd < 0) {
		spool_tell(sp, "disk", "%s", err_text());
		return;
	}
	if (to - from > QUARANTINE_BYTES)
		to = from + QUARANTINE_BYTES;
	rc = quarantine_copy(s, from, to, fd);
	if (rc == 0)
		rc = disk_fsync(fd);
	disk_close(fd);
	if (rc != 0)
		spool_tell(sp, "disk", "setting aside %s: %s", path, err_text());
	q->n_files++;
}

yields void
quarantine_put(struct quarantine *q, struct spool *sp, const struct segment *s,
    uint64_t from, uint64_t to, enum quarantine_kind kind)
{
	char path[PATH_ROOM], end[PATH_ROOM];
	bool is_poison = kind == QUARANTINE_POISON;
	int n = snprintf(end, sizeof end, "quarantine/%010llu-%010llu.%s",
	    (unsigned long long)s->number, (unsigned long long)from,
	    is_poison ? "poison" : "bad");

	must(n > 0 && n < PATH_ROOM && from <= to);
	quarantine_path(path, sp, end);
	quarantine_write(q, sp, s, from, to, path);
	if (is_poison && q->n_poison < POISON_MOST) {
		q->poison[q->n_poison].segment = s->number;
		q->poison[q->n_poison++].at = from;
	}
}

yields void
quarantine_take(struct spool *sp, uint64_t number)
{
	char path[PATH_ROOM], to[PATH_ROOM], end[PATH_ROOM];
	int n = snprintf(end, sizeof end, "quarantine/%010llu-0000000000.log",
	    (unsigned long long)number);

	must(n > 0 && n < PATH_ROOM);
	segment_path(path, sp->path, number, SEGMENT_LOG);
	quarantine_path(to, sp, "quarantine");
	(void)disk_mkdir(to, 0700);
	quarantine_path(to, sp, end);
	if (disk_rename(path, to) != 0)
		spool_tell(sp, "disk", "setting aside %s: %s", path, err_text());
}
