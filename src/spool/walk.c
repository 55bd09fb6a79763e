#include "spool/walk.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/disk.h"
#include "spool/record.h"
#include "spool/sidecar.h"

#include <errno.h>
#include <stdlib.h>

enum { WINDOW = 256 << 10 };

/* Fill the window with bytes from `at' on, n at least if there are so many. */
static yields int
walk_load(struct walk *w, int fd, uint64_t at, uint64_t n)
{
	int64_t got;

	must(n > 0 && w->window != NULL);
	if (n > w->cap) {
		char *p = realloc(w->window, (size_t)n);

		if (p == NULL)
			return err_set("no memory for a record of %llu bytes",
			    (unsigned long long)n);
		w->window = p;
		w->cap = (size_t)n;
	}
	got = disk_pread(fd, w->window, w->cap, at);
	w->window_at = at;
	w->window_n = got < 0 ? 0 : (size_t)got;
	return got < 0 ? -1 : 0;
}

static int
walk_init(struct walk *w, const struct segment *s)
{
	*w = (struct walk){ .segment = s, .fd = -1, .cap = WINDOW,
		.window = malloc(WINDOW) };
	if (w->window == NULL)
		return err_set("no memory for a window");
	return 0;
}

int
walk_open(struct walk *w, const struct segment *s, uint64_t end,
    bool wants_bodies)
{
	if (walk_init(w, s) != 0)
		return -1;
	must(end >= SEGMENT_HEAD && end <= s->size);
	scan_init(&w->scan, s->salt, SEGMENT_HEAD, end, wants_bodies);
	return 0;
}

void
walk_close(struct walk *w)
{
	if (w->fd >= 0)
		disk_close(w->fd);
	w->fd = -1;
	free(w->window);
	w->window = NULL;
}

/* ---- the segment ---- */

static yields enum walk_result
walk_next_scanned(struct walk *w, struct record *out)
{
	struct scan *s = &w->scan;
	enum scan_result got;

	while ((got = scan_next(s, out)) == SCAN_MORE) {
		if (walk_load(w, w->segment->fd, s->want_at, s->want_n) != 0)
			return WALK_FAILED;
		if (w->window_n < s->want_n)	/* the file was cut */
			s->end = w->window_at + w->window_n;
		s->window = (struct str){ w->window, w->window_n };
		s->window_at = w->window_at;
	}
	if (got == SCAN_END)
		return WALK_END;
	w->record_at = w->source_at = s->from;
	return got == SCAN_RECORD ? WALK_RECORD : WALK_DAMAGE;
}

/* ---- the sidecar ---- */

static yields int
walk_want_at(struct walk *w, uint64_t at, uint64_t n, struct str *out)
{
	int fd = w->fd >= 0 ? w->fd : w->segment->fd;

	if (at < w->window_at || at + n > w->window_at + w->window_n)
		if (walk_load(w, fd, at, n) != 0)
			return -1;
	*out = str_sub((struct str){ w->window, w->window_n },
	    (size_t)(at - w->window_at), w->window_n);
	return 0;
}

static yields int
walk_want(struct walk *w, uint64_t n, struct str *out)
{
	return walk_want_at(w, w->at, n, out);
}

yields enum walk_result
walk_open_sidecar(struct walk *w, const char *dir, const struct segment *s)
{
	char path[SEGMENT_PATH_MOST];
	struct sidecar head;
	struct str bytes;

	if (walk_init(w, s) != 0)
		return WALK_FAILED;
	segment_path(path, dir, s->number, SEGMENT_SIDECAR);
	w->fd = disk_open(path, DISK_READ, 0);
	if (w->fd < 0)
		return w->fd == -ENOENT ? WALK_BAD_SIDECAR : WALK_FAILED;
	if (walk_want(w, SIDECAR_HEAD, &bytes) != 0)
		return WALK_FAILED;
	if (!sidecar_decode(bytes, &head) || head.number != s->number ||
	    head.salt != s->salt || head.end > s->size)
		return WALK_BAD_SIDECAR;
	w->at = SIDECAR_HEAD;
	w->left = head.entries;
	w->end = head.end;
	w->sequence = head.sequence;
	w->first_sequence = head.first;
	return WALK_RECORD;
}

/* The bytes of the entry at w->at, all of them. */
static yields int
walk_want_entry(struct walk *w, struct str *out)
{
	struct record r;
	uint64_t n = SIDECAR_ENTRY + RECORD_HEADER;

	if (walk_want(w, n, out) != 0)
		return -1;
	if (record_read_header(str_sub(*out, SIDECAR_ENTRY, out->n), &r) !=
	    RECORD_WHOLE)
		return 0;		/* judged again, and refused */
	return walk_want(w, n + r.payload_n, out);
}

static yields enum walk_result
walk_next_entry(struct walk *w, struct record *out)
{
	struct str bytes;

	must(w->fd >= 0);
	if (w->left == 0)
		return WALK_END;
	if (walk_want_entry(w, &bytes) != 0)
		return WALK_FAILED;
	if (!sidecar_entry_decode(bytes, w->segment->salt, &w->record_at) ||
	    record_read_payload(str_sub(bytes, SIDECAR_ENTRY, bytes.n), out) !=
	    RECORD_WHOLE || out->salt != w->segment->salt)
		return WALK_BAD_SIDECAR;
	w->source_at = w->at + SIDECAR_ENTRY;
	w->at += SIDECAR_ENTRY + record_size(out->payload_n, 0);
	w->left--;
	return WALK_RECORD;
}

yields enum walk_result
walk_next(struct walk *w, struct record *out)
{
	return w->fd >= 0 ? walk_next_entry(w, out) : walk_next_scanned(w, out);
}

yields enum walk_result
walk_read(struct walk *w, uint64_t at, struct record *out)
{
	struct str bytes;
	uint64_t n = RECORD_HEADER;

	if (walk_want_at(w, at, n, &bytes) != 0)
		return WALK_FAILED;
	if (record_read_header(bytes, out) != RECORD_WHOLE)
		return WALK_DAMAGE;
	if (walk_want_at(w, at, n + out->payload_n, &bytes) != 0)
		return WALK_FAILED;
	return record_read_payload(bytes, out) == RECORD_WHOLE ? WALK_RECORD :
	    WALK_DAMAGE;
}
