/*
 * test_intake.h -- a house with a door: configuration, spool, sink, for tests.
 *
 * The promise: house_use(yaml) makes a configuration from text; then, on a
 * core, house_open() gives an intake_core on an empty spool of the simulated
 * disk, which writes down what was kept and told.
 * Not for: the server.
 * Waiting: open, close and house_body() yield.
 * Memory: static; one house at a time.
 * Errors: fail the test.
 * Source: HOUSE.md 7.9.
 */
#ifndef NM_INTAKE_TEST_INTAKE_H
#define NM_INTAKE_TEST_INTAKE_H

#include "fiber/test_core.h"

#include "base/must.h"
#include "fiber/world_sim.h"
#include "intake/intake.h"
#include "policy/holder.h"
#include "spool/body.h"

#include <stdio.h>

enum { HOUSE_TOLD = 1024 * 1024 };

static const char house_plain[] =
    "hostname: mx.test\n"
    "admin: root@mx.test\n"
    "trusted: [ 127.0.0.1 ]\n"
    "inbound: { verify: { from: accept } }\n"
    "domains:\n"
    "  two.test: { users: [ bob, alice, carol ], aliases: /aliases }\n"
    "  mx.test: { users: [ root ] }\n"
    "  b\xc3\xbc" "cher.test: { users: [ \"\xce\xb2\xce\xbf\xce\xbc\" ] }\n"
    "route:\n"
    "  - { if: { rcpt_domain: [ nowhere.test ] }, discard: nowhere }\n"
    "  - { if: { rcpt_domain: [ forbidden.test ] }, refuse: not there }\n";
static const char house_aliases[] =
    "team: bob, alice\nself: self2, bob\nself2: carol\n"
    "bob-and-dave: bob, dave@far.test\nlost: dave@nowhere.test\n"
    "club: bob, fan@far.test\nowner-club: carol\n"
    "fanclub: fan@far.test\nowner-fanclub: alice\n"
    "both: team, club\ntrash: /dev/null\nmixed: trash, alice\n"
    "filed: \\bob, |/bin/archive, /var/mail/all/\n"
    "away: dave@far.test\nhere-and-away: bob, dave@far.test, eve@far.test\n";

static struct {
	struct config *config;
	struct config_holder holder;
	struct spool *spool;
	struct intake_core core;
	struct event_sink sink;
	size_t kept, queued;		/* calls of `kept', events `queued' */
	uint64_t last;			/* id */
	char told[HOUSE_TOLD];		/* JSON lines */
	size_t told_n;
	char rcpts[4096];		/* of the last kept: "index:address ..." */
} house;

static inline struct config *
house_config(const char *yaml, const char *more)
{
	static struct problems problems;
	static char text[4096], out[2000];
	struct source_memory memory;
	struct config *config;
	struct arena arena;

	arena_init(&arena, 1 << 20);
	problems_init(&problems);
	source_memory_init(&memory, &arena);
	snprintf(text, sizeof(text), "%s%s", yaml, more);
	assert_int_equal(source_memory_file(&memory, STR("/conf"),
	    str_of(text)), 0);
	assert_int_equal(source_memory_file(&memory, STR("/aliases"),
	    str_of(house_aliases)), 0);
	config = config_load(&memory.source, STR("/conf"), &problems);
	if (config == NULL) {
		struct buf buf = BUF_OF(out);

		problems_print(&problems, &buf);
		fprintf(stderr, STR_FMT, STR_ARG(buf_str(&buf)));
	}
	assert_non_null(config);
	problems_clear(&problems);
	arena_clear(&arena);
	return config;
}

/* Not on a fiber. */
static inline void
house_use(const char *more)
{
	house.config = house_config(house_plain, more);
}

static inline void
house_take(struct event_sink *sink, const struct event *e)
{
	struct buf out = { .p = house.told + house.told_n,
		.cap = HOUSE_TOLD - house.told_n - 2 };

	must(sink == &house.sink);
	house.queued += e->type == EVENT_queued;
	event_json(e, &out);
	must(!out.full);
	house.told_n += out.n;
	house.told[house.told_n++] = '\n';
	house.told[house.told_n] = '\0';
}

/* How many lines told hold all of what (one word, or two). */
static inline size_t
house_told(const char *what, const char *and)
{
	struct str rest = { house.told, house.told_n };
	struct str line;
	size_t n = 0;

	while (rest.n > 0) {
		line = str_cut(&rest, '\n');
		n += str_find_str(line, str_of(what)) < line.n &&
		    (and == NULL || str_find_str(line, str_of(and)) < line.n);
	}
	return n;
}

static inline void
house_kept(struct intake_core *core, const struct kept *kept,
    const struct envelope *e)
{
	struct buf out = BUF_OF(house.rcpts);

	must(core == &house.core && kept_id(kept) == e->id);
	must(kept_recipients(kept) == e->n_rcpts);
	house.kept++;
	house.last = e->id;
	for (size_t i = 0; i < e->n_rcpts && i < 50; i++) {
		const struct recipient *r = &e->rcpts[i];

		buf_printf(&out, "%s" STR_FMT, i == 0 ? "" : " ",
		    STR_ARG(r->address));
		if (r->flags & RECIPIENT_EXPANDED)
			buf_put(&out, STR("+"));
		if (r->flags & RECIPIENT_DISCARDED)
			buf_put(&out, STR("-"));
		if (r->flags & RECIPIENT_TELLING)
			buf_put(&out, STR("?"));
		if (r->transport.p != NULL)
			buf_printf(&out, "[" STR_FMT "]", STR_ARG(r->transport));
		if (recipient_more(r)->rule.p != NULL)
			buf_printf(&out, "{" STR_FMT "}",
			    STR_ARG(recipient_more(r)->rule));
		if (recipient_more(r)->sender.p != NULL)
			buf_printf(&out, "=" STR_FMT,
			    STR_ARG(recipient_more(r)->sender));
		for (size_t k = 0; k + 4 <= recipient_more(r)->shared.n; k += 4)
			buf_printf(&out, ">%d", recipient_more(r)->shared.p[k]);
		if (r->parent != RECIPIENT_NO_PARENT)
			buf_printf(&out, "<%u", (unsigned)r->parent);
		if (r->orig.p != NULL)
			buf_printf(&out, "(" STR_FMT ")", STR_ARG(r->orig));
	}
	buf_putc(&out, '\0');
	must(!out.full);
}

static inline yields void
house_each(void *arg, const struct kept *kept, const struct envelope *e)
{
	(void)arg;
	(void)kept;
	(void)e;
	must(false);		/* an empty spool has none */
}

static inline yields void
house_open(void)
{
	struct spool_config config = {
		.path = "/spool", .segment_bytes = 256 << 10,
		.reserve_bytes = 1 << 20, .sink = &house.sink,
	};

	house.kept = house.queued = house.told_n = 0;
	house.last = 0;
	house.told[0] = house.rcpts[0] = '\0';
	house.sink.take = house_take;
	house.holder = (struct config_holder){ .core = core_index() };
	config_hold(&house.holder, house.config);
	must(spool_open(&config, &house.spool) == SPOOL_FINE);
	must(spool_recover(house.spool, house_each, NULL) == SPOOL_FINE);
	house.core = (struct intake_core){
		.spool = house.spool, .sink = &house.sink, .kept = house_kept,
	};
}

static inline yields void
house_close(void)
{
	must(spool_close(house.spool) == SPOOL_FINE);
	config_unhold(&house.holder);
	config_release(house.config);
	house.config = NULL;
}

/* The body of the last kept message. */
static inline yields struct str
house_body(char *room, size_t n)
{
	struct body body;
	struct pin pin;
	size_t have = 0;
	int64_t got;

	must(spool_pin(house.spool, house.last, &pin));
	body_open(&body, &pin);
	while ((got = body_read(&body, room + have, n - have)) > 0) {
		have += (size_t)got;
		must(n - have >= 4096);
	}
	must(got == 0);
	spool_unpin(&pin);
	return (struct str){ room, have };
}

#endif
