#include "deliver/flush.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "queue/key.h"
#include "queue/ready.h"
#include "queue/view.h"

enum { FLUSH_BATCH = 64, FLUSH_STEPS = 16 };

struct flush {
	struct deliver *here;
	struct str domain;
	bool is_below;
	struct view_cursor cursor;
	bool is_over;
	int64_t n;
};

static const struct view_filter waiting = {
	.states = 1u << ITEM_SCHEDULED | 1u << ITEM_DUE
};

static bool
flush_means(const struct flush *f, struct str key)
{
	struct str domain = key_domain(key);
	size_t above = domain.n - f->domain.n;

	if (domain.n <= f->domain.n || !f->is_below)
		return str_eq(domain, f->domain);
	return domain.p[above - 1] == '.' &&
	    str_eq(str_sub(domain, above, f->domain.n), f->domain);
}

/* A walk's strings do not outlive a change: first look, then do. */
static size_t
flush_look(struct flush *f, struct queue_ref refs[FLUSH_BATCH])
{
	size_t n = 0;

	for (unsigned i = 0; i < FLUSH_STEPS && n < FLUSH_BATCH;) {
		struct view_item v;

		switch (view_next(f->here->queue, &waiting, &f->cursor, &v)) {
		case VIEW_FOUND:
			if (flush_means(f, v.domain))
				refs[n++] = v.ref;
			break;
		case VIEW_PAUSE:
			i++;
			break;
		case VIEW_END:
			f->is_over = true;
			return n;
		}
	}
	return n;
}

static yields void
flush_some(void *arg)
{
	struct flush *f = arg;
	struct queue_ref refs[FLUSH_BATCH];
	struct mono now = clock_mono();
	size_t n = flush_look(f, refs);

	must(n <= FLUSH_BATCH);
	for (size_t i = 0; i < n; i++)
		f->n += queue_retry_now(f->here->queue, now, refs[i]);
	if (n > 0)
		deliver_wake(f->here);
}

/* The domain's site may be any core's. */
static yields void
flush_sites(void *arg)
{
	struct flush *f = arg;

	ready_retry_now(f->here->ready, clock_mono());
	deliver_wake(f->here);
}

yields int64_t
deliver_flush(struct deliver *const *cores, unsigned n_cores, struct str domain,
    bool is_below)
{
	struct flush f = { .domain = domain, .is_below = is_below };

	must(n_cores > 0);
	for (unsigned i = 0; i < n_cores; i++) {
		f.here = cores[i];
		f.cursor = (struct view_cursor){ 0 };
		f.is_over = false;
		while (!f.is_over)
			if (core_call(i, flush_some, &f) != 0)
				return -1;
	}
	for (unsigned i = 0; i < n_cores && f.n > 0; i++) {
		f.here = cores[i];
		if (core_call(i, flush_sites, &f) != 0)
			return -1;
	}
	return f.n;
}
