/*
 * A page:
 *
 *	absent			zeros, seen and stable
 *	stable, no live		what is seen is stable
 *	live			what is seen; differs from stable in sectors
 *	  with versions		that the next sync will carry over
 *	  without		that a failed sync gave up: a crash loses them
 */
#include "fiber/world_sim_file.h"

#include "base/must.h"
#include "fiber/world_sim_state.h"

enum { SECTORS = SIM_PAGE / SIM_SECTOR };

struct version {
	struct version *next;		/* newer */
	char bytes[SIM_SECTOR];
};

struct sim_page {
	char *stable, *live;		/* NULL: zeros; NULL: as stable */
	struct version *first[SECTORS], *last[SECTORS];
	struct sim_page *next_dirty;
	bool is_dirty;
};

static const char zeros[SIM_PAGE];

static struct sim_page *
file_page(const struct sim_file *f, uint64_t at)
{
	return at / SIM_PAGE < f->n_pages ? f->pages[at / SIM_PAGE] : NULL;
}

static struct sim_page *
file_page_make(struct sim_file *f, uint64_t at)
{
	size_t i = (size_t)(at / SIM_PAGE), n = f->n_pages < 8 ? 8 : f->n_pages;
	struct sim_page **pages;

	if (i >= f->n_pages) {
		while (n <= i)
			n *= 2;
		pages = sim_room_take(n * sizeof(struct sim_page *));
		if (f->n_pages > 0)
			memcpy(pages, f->pages, f->n_pages *
			    sizeof(struct sim_page *));
		sim_room_give(f->pages, f->n_pages *
		    sizeof(struct sim_page *));
		f->pages = pages;
		f->n_pages = n;
	}
	if (f->pages[i] == NULL)
		f->pages[i] = sim_room_take(sizeof *f->pages[i]);
	return f->pages[i];
}

static void
page_forget(struct sim_page *p, unsigned sector)
{
	struct version *v;

	while ((v = p->first[sector]) != NULL) {
		p->first[sector] = v->next;
		sim_room_give(v, sizeof *v);
	}
	p->last[sector] = NULL;
}

static void
page_remember(struct sim_file *f, struct sim_page *p, unsigned sector)
{
	struct version *v = sim_room_take(sizeof *v);

	memcpy(v->bytes, p->live + sector * SIM_SECTOR, SIM_SECTOR);
	if (p->last[sector] == NULL)
		p->first[sector] = v;
	else
		p->last[sector]->next = v;
	p->last[sector] = v;
	if (!p->is_dirty) {
		p->is_dirty = true;
		p->next_dirty = f->dirty;
		f->dirty = p;
	}
}

/* Part of one page. */
static void
file_write_page(struct sim_file *f, const char *bytes, size_t n, uint64_t at)
{
	size_t from = (size_t)(at % SIM_PAGE);
	struct sim_page *p;

	if (file_page(f, at) == NULL && memcmp(bytes, zeros, n) == 0)
		return;
	p = file_page_make(f, at);
	if (p->live == NULL) {
		p->live = sim_room_take(SIM_PAGE);
		if (p->stable != NULL)
			memcpy(p->live, p->stable, SIM_PAGE);
	}
	memcpy(p->live + from, bytes, n);
	for (size_t s = from / SIM_SECTOR; s * SIM_SECTOR < from + n; s++)
		page_remember(f, p, (unsigned)s);
}

static void
file_note_size(struct sim_file *f, uint64_t size)
{
	if (f->size == size)
		return;
	f->size = size;
	if (f->n_sizes == SIM_SIZES)
		memmove(f->sizes, f->sizes + 1, --f->n_sizes * sizeof size);
	f->sizes[f->n_sizes++] = size;
}

void
sim_file_write(struct sim_file *f, const char *bytes, size_t n, uint64_t at)
{
	uint64_t end = at + n;

	while (n > 0) {
		size_t part = SIM_PAGE - (size_t)(at % SIM_PAGE);

		if (part > n)
			part = n;
		file_write_page(f, bytes, part, at);
		bytes += part;
		at += part;
		n -= part;
	}
	if (end > f->size)
		file_note_size(f, end);
}

void
sim_file_read(const struct sim_file *f, char *to, size_t n, uint64_t at)
{
	must(at + n <= f->size);
	while (n > 0) {
		const struct sim_page *p = file_page(f, at);
		size_t from = (size_t)(at % SIM_PAGE), part = SIM_PAGE - from;
		const char *seen = p == NULL ? zeros : p->live != NULL ?
		    p->live : p->stable != NULL ? p->stable : zeros;

		if (part > n)
			part = n;
		memcpy(to, seen + from, part);
		to += part;
		at += part;
		n -= part;
	}
}

/* What lies beyond the end reads as zeros should the file grow again. */
void
sim_file_resize(struct sim_file *f, uint64_t size)
{
	uint64_t at = size;

	while (at < f->size) {
		size_t part = SIM_PAGE - (size_t)(at % SIM_PAGE);

		if (part > f->size - at)
			part = (size_t)(f->size - at);
		file_write_page(f, zeros, part, at);
		at += part;
	}
	file_note_size(f, size);
}

static void
page_settle(struct sim_page *p, unsigned sector, const char *bytes)
{
	if (p->stable == NULL)
		p->stable = sim_room_take(SIM_PAGE);
	memcpy(p->stable + sector * SIM_SECTOR, bytes, SIM_SECTOR);
}

/* Give back what says nothing: live as stable, stable as zeros. */
static void
page_slim(struct sim_page *p)
{
	if (p->live != NULL && memcmp(p->live, p->stable != NULL ? p->stable :
	    zeros, SIM_PAGE) == 0) {
		sim_room_give(p->live, SIM_PAGE);
		p->live = NULL;
	}
	if (p->live == NULL && p->stable != NULL &&
	    memcmp(p->stable, zeros, SIM_PAGE) == 0) {
		sim_room_give(p->stable, SIM_PAGE);
		p->stable = NULL;
	}
}

static void
file_sync_some(struct sim_file *f, unsigned lost_per_million)
{
	struct sim_page *p;

	while ((p = f->dirty) != NULL) {
		f->dirty = p->next_dirty;
		p->is_dirty = false;
		for (unsigned s = 0; s < SECTORS; s++) {
			if (p->last[s] != NULL &&
			    !sim_happens(lost_per_million))
				page_settle(p, s, p->last[s]->bytes);
			page_forget(p, s);
		}
		page_slim(p);
	}
	if (!sim_happens(lost_per_million))
		f->stable_size = f->size;
	f->n_sizes = 0;
}

void
sim_file_sync(struct sim_file *f)
{
	file_sync_some(f, 0);
	must(f->stable_size == f->size);
}

void
sim_file_sync_failed(struct sim_file *f)
{
	file_sync_some(f, 500000);
}

/* What stands in a sector after the cut: NULL for what stood there before. */
static const char *
page_survivor(const struct sim_page *p, unsigned s, enum sim_keeps keeps)
{
	const struct version *v = p->first[s], *chosen = NULL;
	uint64_t n = 0;

	if (v == NULL || keeps == SIM_KEEPS_NONE)
		return NULL;
	if (keeps == SIM_KEEPS_ALL || sim_happens(300000))
		return p->last[s]->bytes;
	if (sim_happens(500000))
		return NULL;
	for (; v != NULL; v = v->next)
		if (sim_chance(++n) == 0)
			chosen = v;
	return chosen->bytes;
}

static void
page_crash(struct sim_page *p, enum sim_keeps keeps)
{
	for (unsigned s = 0; s < SECTORS; s++) {
		const char *bytes = page_survivor(p, s, keeps);

		if (bytes != NULL)
			page_settle(p, s, bytes);
		page_forget(p, s);
	}
	sim_room_give(p->live, SIM_PAGE);
	p->live = NULL;
	p->is_dirty = false;
	page_slim(p);
}

static uint64_t
file_surviving_size(const struct sim_file *f, enum sim_keeps keeps)
{
	if (f->n_sizes == 0 || keeps == SIM_KEEPS_NONE)
		return f->stable_size;
	if (keeps == SIM_KEEPS_ALL || sim_happens(300000))
		return f->size;
	return sim_happens(500000) ? f->stable_size :
	    f->sizes[sim_chance(f->n_sizes)];
}

void
sim_file_crash(struct sim_file *f, enum sim_keeps keeps)
{
	uint64_t size = file_surviving_size(f, keeps);

	for (size_t i = 0; i < f->n_pages; i++)
		if (f->pages[i] != NULL)
			page_crash(f->pages[i], keeps);
	f->dirty = NULL;
	f->n_sizes = 0;
	f->size = (uint64_t)f->n_pages * SIM_PAGE;
	if (f->size > size)
		sim_file_resize(f, size);
	f->size = size;
	sim_file_sync(f);
}

void
sim_file_clear(struct sim_file *f)
{
	for (size_t i = 0; i < f->n_pages; i++) {
		struct sim_page *p = f->pages[i];

		if (p == NULL)
			continue;
		for (unsigned s = 0; s < SECTORS; s++)
			page_forget(p, s);
		sim_room_give(p->stable, SIM_PAGE);
		sim_room_give(p->live, SIM_PAGE);
		sim_room_give(p, sizeof *p);
	}
	sim_room_give(f->pages, f->n_pages * sizeof(struct sim_page *));
}
