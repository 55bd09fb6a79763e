/* check_test.c -- what `nightmail spool dump' says of each kind of record. */
#include "spool/spool_test.h"

#include "base/id.h"
#include "fiber/test_life.h"
#include "spool/check.h"
#include "spool/own.h"
#include "spool/tail.h"

#include <stdio.h>

static struct { char text[32768]; struct buf b; } said;

static void
hear(struct check *c, struct str line)
{
	must(c->owner == &said && line.n > 0);
	buf_put(&said.b, line);
	buf_putc(&said.b, '\n');
	must(!said.b.full);
}

static yields struct check
dump(void)
{
	struct check c = { .line = hear, .owner = &said };

	said.b = (struct buf){ .p = said.text, .cap = sizeof said.text };
	must(spool_dump(TEST_PATH, &c) == SPOOL_FINE);
	return c;
}

/* A line with both: the id's of such a record, and what stands behind it. */
static void
expect(const char *record, uint64_t id, const char *rest)
{
	struct str left = buf_str(&said.b);

	while (left.n > 0) {
		struct str line = str_cut(&left, '\n');
		size_t at = str_find_str(line, str_of(record));
		struct str end = str_sub(line, at + strlen(record), line.n);

		if (at == line.n || (id != 0 && (!str_skip(&end, STR(" ")) ||
		    !str_skip(&end, str_of(id_print(id).text)))))
			continue;
		if (str_eq(end, str_of(rest)))
			return;
	}
	fprintf(stderr, "no '%s ...%s' in\n"STR_FMT, record, rest,
	    STR_ARG(buf_str(&said.b)));
	must(!"it says something else");
}

static yields void
say_all(struct spool *sp, uint64_t ids[3])
{
	static const uint32_t second[] = { 1 };
	struct attempt put_off = { .recipients = second, .n = 1, .attempts = 2,
		.warned = 1, .due = { 77 }, .code = 451, .text = STR("la\1ter") };
	struct outcome bad = { .recipient = 0, .kind = OUTCOME_FAILED,
		.code = 550, .text = STR("no\r\nsuch user") };
	struct event e = event_make(EVENT_queued, (struct wall){ 5 }, 9);

	must(test_commit(sp, 0, 100, 2, &ids[0]) == DRAFT_FINE);
	must(test_commit(sp, 1, 70000, 1, &ids[1]) == DRAFT_FINE);
	must(test_commit(sp, 3, 0, 1, &ids[2]) == DRAFT_FINE);
	must(spool_attempt(sp, ids[0], &put_off) == 0);
	must(spool_outcome(sp, ids[0], &bad, 1) == 0);
	must(spool_hold(sp, ids[1], STR("why not")) == 0);
	must(spool_release(sp, ids[1]) == 0);
	must(spool_hold(sp, ids[1], STR("again")) == 0);
	must(spool_reschedule(sp, ids[1], (struct wall){ 99 }) == 0);
	must(spool_cancel(sp, ids[2], STR("enough")) == 0);
	spool_event(sp, &e);
	must(spool_mark(sp, 3, (struct tail_place){ 1, 4096 }) == 0);
}

static yields void
each_record(void *arg)
{
	struct spool_config config = test_config();
	struct spool *sp;
	struct check c;
	uint64_t ids[3];

	(void)arg;
	must(spool_open(&config, &sp) == SPOOL_FINE);
	spool_projection(sp, 3);
	must(spool_recover(sp, NULL, NULL) == SPOOL_FINE);
	say_all(sp, ids);
	must(spool_close(sp) == SPOOL_FINE);
	c = dump();
	must(c.damaged == 0 && c.live == 2 && c.was_clean && !c.is_in_use);
	expect("COMMIT", ids[0], " size=100 tenant=default from=<sender@example.com> "
	    "nrcpt=2 to=<r0-0@example.org>");
	expect("CHUNK", ids[1], " octets=64512");
	expect("ATTEMPT", ids[0], " attempts=2 warned=1 due=77 code=451 "
	    "(la?ter)");
	expect("OUTCOME", ids[0], " [0] failed (no??such user)");
	expect("HOLD", ids[1], " (why not)");
	expect("HOLD", ids[1], " (again)");
	expect("RELEASE", ids[1], "");
	expect("RESCHEDULE", ids[1], " due=99");
	expect("CANCEL", ids[2], " (enough)");
	expect("EVENT", 9, " queued");
	expect("MARK", 0, " projection=3 segment=1 offset=4096");
	expect("live", ids[0], " recipients=2 left=1 attempts=2 "
	    "due=1970-01-01T00:00:00.000Z");
	expect("live", ids[1], " recipients=1 left=1 attempts=0 held "
	    "due=1970-01-01T00:00:00.000Z");
}

static void
each_record_is_told_in_words(void **state)
{
	(void)state;
	sim_begin(4);
	on_core(each_record);
}

/* ---- who wrote the envelope may hold anything against the terminal ---- */

static yields void
escapes(void *arg)
{
	struct recipient to = { .address = STR("\"\033[2J\"@b.example"),
		.parent = RECIPIENT_NO_PARENT };
	struct envelope e = { .sender = STR("a\177\n@b.example"),
		.rcpts = &to, .n_rcpts = 1, .arrived = { 1 } };
	struct spool *sp = test_open();
	enum draft_trouble why;
	struct arena a;
	struct draft *d;

	(void)arg;
	arena_init(&a, 1 << 20);
	d = draft_open(sp, &a, &why);
	must(d != NULL && draft_commit(d, &e) == DRAFT_FINE);
	must(spool_close(sp) == SPOOL_FINE);
	(void)dump();
	expect("COMMIT", e.id, " size=0 tenant=default from=<a??@b.example> nrcpt=1 "
	    "to=<\"?[2J\"@b.example>");
	arena_clear(&a);
}

static void
nothing_said_controls_a_terminal(void **state)
{
	(void)state;
	sim_begin(4);
	on_core(escapes);
}

/* ---- beside a server ---- */

static yields void
in_use(void *arg)
{
	struct spool *sp = test_open();
	struct check c;
	uint64_t id = 0;

	(void)arg;
	must(test_commit(sp, 0, 100, 1, &id) == DRAFT_FINE);
	c = dump();
	must(c.is_in_use && !c.was_clean && c.live == 1 && c.damaged == 0);
	must(spool_find(sp, id) != NULL);
	must(spool_close(sp) == SPOOL_FINE);
	c = dump();
	must(!c.is_in_use && c.was_clean && c.live == 1);
}

static void
a_spool_in_use_may_be_looked_at(void **state)
{
	(void)state;
	sim_begin(4);
	on_core(in_use);
}

static yields void
nowhere(void *arg)
{
	struct check c = { .line = hear };

	(void)arg;
	must(spool_check("/nowhere", &c) != SPOOL_FINE);
	must(c.segments == 0 && c.live == 0);
}

static void
no_spool_is_none(void **state)
{
	(void)state;
	sim_begin(4);
	on_core(nowhere);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_record_is_told_in_words),
		cmocka_unit_test(nothing_said_controls_a_terminal),
		cmocka_unit_test(a_spool_in_use_may_be_looked_at),
		cmocka_unit_test(no_spool_is_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
