#include "app/spools.h"

#include "app/node.h"
#include "base/err.h"
#include "base/poison.h"
#include "deliver/arrival.h"
#include "fiber/clock.h"
#include "fiber/disk.h"
#include "policy/holder.h"
#include "spool/envelope.h"
#include "spool/kept.h"
#include "spool/outcome.h"

#include <errno.h>
#include <stdlib.h>
#include <sysexits.h>

enum { RECOVER_MEMORY = 32 * 1024 * 1024 };

/* ---- a message ---- */

/* What killed workers, to be held when the spool may be written to again. */
struct recovering {
	struct node_core *core;
	const struct spool *spool;
	struct arena arena;
	uint64_t *poisoned;
	size_t n, room;
};

static void
poison_note(struct recovering *r, uint64_t id)
{
	if (r->n == r->room) {
		size_t room = 2 * r->room + 16;
		uint64_t *more = arena_alloc(&r->arena, room * sizeof *more);

		if (more == NULL)
			return;		/* held in memory all the same */
		if (r->n > 0)
			memcpy(more, r->poisoned, r->n * sizeof *more);
		r->poisoned = more;
		r->room = room;
	}
	r->poisoned[r->n++] = id;
}

static yields void
message_recover(void *arg, const struct kept *k, const struct envelope *e)
{
	struct recovering *r = arg;
	struct node_core *c = r->core;
	struct arrival entry = { .id = kept_id(k), .sender = e->sender,
		.tenant = e->tenant, .stream = e->stream, .arrived = e->arrived,
		.due = kept_due(k), .expires = e->expires, .size = e->size,
		.tries = kept_attempts(k), .warned = kept_warned(k),
		.is_held = kept_is_held(k),
		.held_since = kept_held_since(k) };
	const struct recipient **list;
	struct str *reasons = NULL;
	struct arena a;

	arena_init(&a, RECOVER_MEMORY);
	list = arena_alloc(&a, e->n_rcpts * sizeof *list);
	if (entry.tries > 0)
		reasons = arena_alloc(&a, e->n_rcpts * sizeof *reasons);
	for (size_t i = 0; list != NULL && i < e->n_rcpts; i++) {
		if (kept_has_ended(k, i) || recipient_is_over(&e->rcpts[i]))
			continue;
		if (reasons != NULL)
			reasons[entry.n] = spool_last_reply(r->spool, entry.id, i);
		list[entry.n++] = &e->rcpts[i];
	}
	if (poison_is_held(entry.id) && !entry.is_held) {
		entry.is_held = true;
		poison_note(r, entry.id);
	}
	entry.rcpts = list;
	entry.reasons = reasons;
	if (list == NULL || (entry.n > 0 &&
	    arrival_admit(c->deliver, &entry) != 0))
		node_trouble(c, list == NULL ? "no memory to recover a message" :
		    err_text());
	c->recovered++;
	arena_clear(&a);
}

/* They stay held when nobody remembers the deaths any more. */
static yields void
poison_hold(struct recovering *r, struct spool *spool)
{
	static const char why[] = "it was being worked on when workers died";

	for (size_t i = 0; i < r->n; i++) {
		struct event e = event_make(EVENT_held, clock_wall(),
		    r->poisoned[i]);

		(void)spool_hold(spool, r->poisoned[i], str_of(why));
		event_str(&e, FIELD_reason, STR("poison"));
		event_str(&e, FIELD_text, str_of(why));
		spool_event(spool, &e);
		r->core->sink->take(r->core->sink, &e);
	}
}

static int
spool_status(enum spool_trouble t)
{
	return t == SPOOL_DISK ? EX_IOERR : EX_CONFIG;
}

static yields int
projection_start(struct node_core *c, unsigned number)
{
	struct project *p = calloc(1, sizeof *p);

	if (p == NULL)
		return EX_OSERR;
	if (project_open(p, c->spools[number], number, &c->holder, c->sink) != 0) {
		free(p);
		return EX_IOERR;
	}
	c->projects[number] = p;
	return project_start(p) == 0 ? 0 : EX_OSERR;
}

/* 0: as much as a spool takes by itself. */
static uint64_t
drafts_most(const struct server_house *house)
{
	uint64_t share = house->memory_most / house->n;

	return share < UINT64_C(256) << 20 ? share : 0;
}

static yields int
spool_adopt(struct node_core *c, unsigned number)
{
	const struct config *conf = config_now(&c->holder);
	struct arena a;
	struct str path;
	struct spool_config s = { .number = number,
		.segment_bytes = conf->spool.segment,
		.reserve_bytes = conf->spool.reserve,
		.buffer_bytes = conf->spool.buffer,
		.draft_bytes = drafts_most(&c->node->house),
		.outcome_delay_ns = conf->spool.outcome_sync, .sink = c->sink };
	struct recovering r = { .core = c };
	enum spool_trouble t;

	arena_init(&a, 8192);
	path = arena_printf(&a, STR_FMT "/%u", STR_ARG(conf->spool.path),
	    number);
	s.path = path.p;
	t = path.p == NULL ? SPOOL_DISK : spool_open(&s, &c->spools[number]);
	if (t == SPOOL_FINE) {
		struct spool *spool = c->spools[number];

		c->deliver->spools[number] = spool;
		project_register(spool);
		r.spool = spool;
		arena_init(&r.arena, RECOVER_MEMORY);
		t = spool_recover(spool, message_recover, &r);
		if (t == SPOOL_FINE)
			poison_hold(&r, spool);
		arena_clear(&r.arena);
	}
	arena_clear(&a);
	return t == SPOOL_FINE ? projection_start(c, number) : spool_status(t);
}

static unsigned
number_of(struct str name)
{
	uint64_t n;

	return parse_u64(name, DELIVER_SPOOLS - 1, &n) ? (unsigned)n :
	    DELIVER_SPOOLS;
}

/* Copies for the porter that a crash left before they lost their names. */
static yields void
leftover_remove(struct str path, struct str name)
{
	char room[1200];
	struct buf b = BUF_OF(room);

	if (!str_has_prefix_icase(name, STR("porter.")))
		return;
	buf_printf(&b, STR_FMT "/" STR_FMT, STR_ARG(path), STR_ARG(name));
	buf_putc(&b, '\0');
	if (!b.full)
		(void)disk_unlink(room);
}

/* A power cut must not take the directory away with all that is in it.  One
 * above that we may not open was not made by us. */
static yields int
directory_make(struct str path, struct arena *a)
{
	size_t slash = str_find_last(path, '/');
	struct str above = slash == 0 ? STR("/") : slash == path.n ? STR(".") :
	    str_sub(path, 0, slash);
	const char *p = arena_cstr(a, path), *up = arena_cstr(a, above);
	int rc;

	if (p == NULL || up == NULL)
		return err_set("no memory");
	rc = disk_mkdir(p, 0700);
	if (rc != 0 && rc != -EEXIST)
		return -1;
	rc = disk_sync_directory(up);
	return rc == 0 || rc == -EACCES || rc == -EPERM ? 0 : -1;
}

static yields int
spools_look(struct node_core *c, bool is_there[DELIVER_SPOOLS])
{
	struct str path = config_now(&c->holder)->spool.path;
	struct str *names;
	struct arena a;
	size_t n = 0;
	int rc;

	arena_init(&a, 1024 * 1024);
	rc = directory_make(path, &a);
	if (rc == 0)
		rc = disk_list(arena_cstr(&a, path), &a, &names, &n);
	for (size_t i = 0; rc == 0 && i < n; i++) {
		if (number_of(names[i]) < DELIVER_SPOOLS)
			is_there[number_of(names[i])] = true;
		if (c->index == 0)
			leftover_remove(path, names[i]);
	}
	arena_clear(&a);
	return rc == 0 ? 0 : EX_IOERR;
}

yields int
spools_adopt(struct node_core *c)
{
	bool is_there[DELIVER_SPOOLS] = { false };
	int rc = spools_look(c, is_there);

	is_there[c->index] = true;
	for (unsigned i = c->index; i < DELIVER_SPOOLS && rc == 0;
	    i += c->node->setup->cores)
		if (is_there[i])
			rc = spool_adopt(c, i);
	return rc;
}

yields int
spools_close(struct node_core *c)
{
	int rc = 0;

	for (unsigned i = 0; i < DELIVER_SPOOLS; i++) {
		if (c->projects[i] != NULL)
			project_stop(c->projects[i]);
		free(c->projects[i]);
		c->projects[i] = NULL;
		if (c->spools[i] != NULL &&
		    spool_close(c->spools[i]) != SPOOL_FINE)
			rc = EX_IOERR;
		c->spools[i] = NULL;
	}
	return rc;
}
