#include "store/eventread.h"

#include "base/err.h"
#include "fiber/disk.h"
#include "store/eventlog.h"

#include <stdio.h>
#include <stdlib.h>

enum { WINDOW = 128 * 1024, LIST_MEMORY = 4 << 20 };

/* One spool: its days one after the other. */
struct reading {
	unsigned spool;
	int fd;
	int64_t day;			/* of fd */
	uint64_t at;			/* of window[0] in the file */
	size_t from, n;			/* in the window */
	char *window;
	struct event event;		/* the next, when has_event */
	bool has_event;
};

struct eventread {
	char directory[512];
	struct wall since;
	size_t n;
	struct reading files[256];
};

/* The first day of that spool after `day'; -1: none.  Also learns spools. */
static yields int64_t
day_after(struct eventread *r, unsigned spool, int64_t day)
{
	int64_t best = -1;
	struct arena a;
	struct str *names;
	size_t n = 0;

	arena_init(&a, LIST_MEMORY);
	if (disk_list(r->directory, &a, &names, &n) < 0)
		n = 0;
	for (size_t i = 0; i < n; i++) {
		struct str number = names[i];
		int64_t d = eventlog_day(names[i]);
		uint64_t s;

		str_cut(&number, '.');
		if (d > day && parse_u64(number, 255, &s) && s == spool &&
		    (best < 0 || d < best))
			best = d;
	}
	arena_clear(&a);
	return best;
}

/* More of the file behind what is left of the window: octets got. */
static yields int64_t
window_fill(struct reading *f)
{
	int64_t got;

	memmove(f->window, f->window + f->from, f->n - f->from);
	f->at += f->from;
	f->n -= f->from;
	f->from = 0;
	if (f->fd < 0 || f->n == WINDOW)
		return 0;
	got = disk_pread(f->fd, f->window + f->n, WINDOW - f->n, f->at + f->n);
	if (got > 0)
		f->n += (size_t)got;
	return got;
}

/* On to the next day, if there is one.  Its file is begun when this one is whole:
 * the rest may have come since we looked, and is read first.  How much more there
 * is, or 0: nothing now, or -1. */
static yields int64_t
file_turn(struct eventread *r, struct reading *f)
{
	int64_t day = day_after(r, f->spool, f->day);
	int64_t rest = day < 0 ? 0 : window_fill(f);
	char path[600];
	int k, fd;

	if (day < 0 || rest != 0)
		return rest;
	k = snprintf(path, sizeof path, "%s/%s", r->directory,
	    eventlog_name(day, f->spool).text);
	if (k < 0 || (size_t)k >= sizeof path ||
	    (fd = disk_open(path, DISK_READ, 0)) < 0)
		return 0;
	if (f->fd >= 0)
		disk_close(f->fd);
	f->fd = fd;
	f->day = day;
	f->at = 0;
	f->from = f->n = 0;
	return 1;
}

/* The next event of this spool, if there is one now. */
static yields int
reading_next(struct eventread *r, struct reading *f)
{
	struct str payload;
	unsigned kind;
	size_t size;
	int64_t got;

	while (!f->has_event) {
		int rc = eventlog_frame((struct str){ f->window + f->from,
		    f->n - f->from }, &kind, &payload, &size);

		if (rc == 1) {
			f->from += size;
			f->has_event = kind == FRAME_EVENT &&
			    event_decode(payload, &f->event) &&
			    f->event.at.us >= r->since.us;
			continue;
		}
		got = rc == 0 ? window_fill(f) : 0;
		if (got == 0)
			got = file_turn(r, f);
		if (got <= 0)
			return (int)got;
	}
	return 1;
}

/* Spools that have files by now; a spool's first event makes its first. */
static yields int
spools_learn(struct eventread *r)
{
	struct arena a;
	struct str *names;
	bool is_there[256] = { false };
	size_t n = 0;
	int rc;

	arena_init(&a, LIST_MEMORY);
	rc = disk_list(r->directory, &a, &names, &n);
	for (size_t i = 0; rc >= 0 && i < n; i++) {
		struct str number = names[i];
		uint64_t s;

		str_cut(&number, '.');
		if (eventlog_day(names[i]) >= 0 && parse_u64(number, 255, &s))
			is_there[s] = true;
	}
	arena_clear(&a);
	for (size_t i = 0; i < r->n; i++)
		is_there[r->files[i].spool] = false;	/* known */
	for (unsigned i = 0; i < 256; i++)
		if (is_there[i])
			r->files[r->n++] = (struct reading){ .spool = i,
				.fd = -1, .day = r->since.us / US_PER_SECOND /
				86400 - 1, .window = malloc(WINDOW) };
	for (size_t i = 0; i < r->n; i++)
		if (r->files[i].window == NULL)
			return err_set("no memory");
	return rc < 0 ? -1 : 0;
}

yields struct eventread *
eventread_open(struct str directory, struct wall since)
{
	struct eventread *r = calloc(1, sizeof *r);

	if (r == NULL) {
		err_set("no memory");
		return NULL;
	}
	r->since = since;
	if (!str_cstr(directory, r->directory, sizeof r->directory))
		err_set("events: too long a path");
	else if (spools_learn(r) == 0)
		return r;
	eventread_close(r);
	return NULL;
}

/* 1: *out is the oldest of what the known spools have; 0: they have none. */
static yields int
oldest_take(struct eventread *r, struct event *out)
{
	struct reading *first = NULL;

	for (size_t i = 0; i < r->n; i++) {
		struct reading *f = &r->files[i];
		int rc = reading_next(r, f);

		if (rc < 0)
			return -1;
		if (rc == 1 && (first == NULL ||
		    f->event.at.us < first->event.at.us))
			first = f;
	}
	if (first == NULL)
		return 0;
	*out = first->event;
	first->has_event = false;
	return 1;
}

yields int
eventread_next(struct eventread *r, struct event *out)
{
	size_t known = r->n;
	int rc = oldest_take(r, out);

	if (rc != 0)
		return rc;
	if (spools_learn(r) != 0)
		return -1;
	return r->n > known ? oldest_take(r, out) : 0;
}

void
eventread_close(struct eventread *r)
{
	for (size_t i = 0; i < r->n; i++) {
		if (r->files[i].fd >= 0)
			disk_close(r->files[i].fd);
		free(r->files[i].window);
	}
	free(r);
}
