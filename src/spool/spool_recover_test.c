/*
 * spool_recover_test.c -- a spool with a past, on a disk that fails while it is
 * read, or in memory that is short.
 *
 * Each life begins with the same log: bodies of one record and of several, messages
 * held, put off and half delivered, events and marks.  Then one verb of the disk,
 * or one allocation, is refused while the log is recovered, read, written and
 * emptied, or while `nightmail spool check' and `nightmail audit' look at it.  What
 * is said in spite of it must be true; on a good disk all must be there again, and
 * nothing set aside: a disk that cannot be read is no rotten record.
 */
#include "spool/spool_test.h"

#include "base/err.h"
#include "fiber/disk.h"
#include "fiber/test_life.h"
#include "../test/sim/memory.h"
#include "spool/audit.h"
#include "spool/check.h"
#include "spool/tail.h"

#include <errno.h>
#include <stdio.h>

enum { N = 40, RCPTS = 2, PROJECTION = 3 };

static struct past {
	struct { uint64_t id; unsigned left; } m[N];
	enum spool_trouble trouble;
	uint64_t refuse;		/* this allocation of the life */
	uint64_t asked;			/* so many there were */
	bool may_forget;		/* outcomes that never could be written */
	uint64_t told, replies;
} *ledger;

static uint64_t
size_of(unsigned i)
{
	return i % 10 == 3 ? 150000 : i * 997 % 9000;
}

/* ---- the past ---- */

static yields struct spool *
open_followed(yields void (*each)(void *, const struct kept *,
    const struct envelope *))
{
	struct spool_config c = test_config();
	struct spool *sp;

	ledger->trouble = spool_open(&c, &sp);
	if (ledger->trouble != SPOOL_FINE)
		return NULL;
	spool_projection(sp, PROJECTION);
	ledger->trouble = spool_recover(sp, each, sp);
	if (ledger->trouble == SPOOL_FINE)
		return sp;
	(void)spool_close(sp);
	return NULL;
}

static yields void
end_one(struct spool *sp, unsigned i, uint32_t recipient)
{
	if (test_deliver(sp, ledger->m[i].id, recipient) == 0)
		ledger->m[i].left--;
}

static yields void
have_a_past(struct spool *sp, unsigned i)
{
	static const uint32_t both[] = { 0, 1 };
	struct attempt put_off = { .recipients = both, .n = RCPTS, .code = 451,
		.attempts = 2, .warned = 1, .due = { 77 },
		.text = STR("later") };
	struct event e = event_make(EVENT_queued, (struct wall){ 5 },
	    ledger->m[i].id);
	uint64_t id = ledger->m[i].id;

	spool_event(sp, &e);
	switch (i % 5) {
	case 0:
		end_one(sp, i, 0);
		end_one(sp, i, 1);
		return;
	case 1:
		end_one(sp, i, 1);
		return;
	case 2:
		must(spool_attempt(sp, id, &put_off) == 0);
		return;
	case 3:
		must(spool_hold(sp, id, STR("why")) == 0);
		must(i % 2 == 0 || spool_release(sp, id) == 0);
		return;
	default:
		must(spool_reschedule(sp, id, (struct wall){ 99 }) == 0);
	}
}

static yields void
mark_all(struct spool *sp)
{
	struct tail_place at = spool_place(sp, PROJECTION);
	struct tail *t = tail_open(sp, at, TAIL_OF(RECORD_EVENT));
	struct record r;
	int got = 0;

	if (t == NULL)
		return;
	while ((got = tail_next(t, &r, &at)) == 1)
		;
	tail_close(t);
	if (got == 0)
		(void)spool_mark(sp, PROJECTION, at);
}

static yields void
past(void *arg)
{
	struct spool *sp = open_followed(NULL);

	(void)arg;
	must(sp != NULL);
	for (unsigned i = 0; i < N; i++) {
		must(test_commit(sp, i, size_of(i), RCPTS, &ledger->m[i].id) ==
		    DRAFT_FINE);
		ledger->m[i].left = RCPTS;
		have_a_past(sp, i);
	}
	fiber_sleep(in_ms(1000));
	mark_all(sp);
	must(spool_stats(sp).segments >= 4);
	must(spool_close(sp) == SPOOL_FINE);
}

static yields void
past_without_an_end(void *arg)
{
	past(arg);
	(void)open_followed(NULL);
	sim_crash_at(sim_verbs() + 1, SIM_KILL);
	(void)disk_unlink("/nothing");
}

static void
world_begin(bool is_clean)
{
	sim_begin(9);
	sim_turns_most(400000);
	ledger = sim_ledger(sizeof *ledger);
	assert_int_equal(test_life(is_clean ? past : past_without_an_end),
	    is_clean ? SIM_ENDED : SIM_CRASHED);
}

/* ---- what may still be said when something fails ---- */

static bool
left_is(size_t left, size_t wanted)
{
	return ledger->may_forget ? left >= wanted && left <= RCPTS :
	    left == wanted;
}

static yields void
told_one(void *arg, const struct kept *k, const struct envelope *e)
{
	struct str last = spool_last_reply(arg, e->id, 1);

	for (unsigned i = 0; i < N; i++)
		if (ledger->m[i].id == e->id) {
			must(e->size == size_of(i) && e->n_rcpts == RCPTS);
			must(left_is(kept_left(k), ledger->m[i].left));
			must(last.n == 0 || (i % 5 == 2 &&
			    str_eq(last, STR("later"))));
			ledger->told++;
			ledger->replies += last.n > 0;
			return;
		}
	must(e->size == 70000 && e->n_rcpts == 1);	/* give_one_more() */
}

/* Not read is not damaged. */
static yields void
read_all(struct spool *sp)
{
	for (unsigned i = 0; i < N; i++) {
		int64_t got = test_body(sp, ledger->m[i].id, i, size_of(i));

		must(got == (ledger->m[i].left > 0) || got == BODY_FAILED);
	}
}

static yields void
envelopes_read(struct spool *sp)
{
	struct envelope e;
	const bool *ended;
	struct arena a;

	arena_init(&a, 1 << 20);
	for (unsigned i = 0; i < N; i++) {
		int rc = spool_envelope(sp, ledger->m[i].id, &a, &e, &ended);

		must(rc != BODY_DAMAGED);
		must(rc != 0 || (e.size == size_of(i) &&
		    ledger->m[i].left > 0));
	}
	arena_clear(&a);
	err_clear();
}

static yields void
give_one_more(struct spool *sp)
{
	struct recipient to = { .address = STR("z@b.example"),
		.parent = RECIPIENT_NO_PARENT };
	struct envelope e = { .rcpts = &to, .n_rcpts = 1, .arrived = { 1 } };
	enum draft_trouble trouble;
	struct arena a;
	struct draft *d;

	arena_init(&a, 1 << 20);
	d = draft_open(sp, &a, &trouble);
	must(d != NULL || trouble != DRAFT_FINE);
	if (d != NULL)
		trouble = test_fill(d, 2, 70000);
	if (d != NULL && trouble == DRAFT_FINE)
		trouble = draft_commit(d, &e);
	must(trouble != DRAFT_FINE || e.size == 70000);
	arena_clear(&a);
}

static yields void
use(void *arg)
{
	uint64_t asked;
	struct spool *sp;

	(void)arg;
	ledger->told = 0;
	asked = memory_asked();
	memory_refuse(ledger->refuse, 1);
	sp = open_followed(told_one);
	must(sp != NULL || ledger->trouble == SPOOL_DISK);
	if (sp != NULL) {
		read_all(sp);
		envelopes_read(sp);
		for (unsigned i = 1; i < N; i += 5)
			end_one(sp, i, 0);
		mark_all(sp);
		fiber_sleep(in_ms(61000));	/* the front is emptied */
		give_one_more(sp);
		(void)spool_close(sp);
	}
	ledger->asked = memory_asked() - asked;
	memory_refuse(0, 0);
	err_clear();
}

static yields void
verify(void *arg)
{
	struct spool *sp;
	uint64_t found = 0;

	(void)arg;
	ledger->told = ledger->replies = 0;
	sp = open_followed(told_one);
	must(sp != NULL && ledger->replies == N / 5);
	must(spool_stats(sp).damaged == 0);
	for (unsigned i = 0; i < N; i++) {
		const struct kept *k = spool_find(sp, ledger->m[i].id);

		must(left_is(k == NULL ? 0 : kept_left(k), ledger->m[i].left));
		found += k != NULL;
		must(k == NULL || i % 5 != 2 || (kept_attempts(k) == 2 &&
		    kept_warned(k) == 1 && kept_due(k).us == 77));
		must(k == NULL || kept_is_held(k) == (i % 10 == 8));
		must(test_body(sp, ledger->m[i].id, i, size_of(i)) == (k != NULL));
	}
	must(ledger->told == found && spool_stats(sp).kept - found <= 1);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
check_said(struct check *c, struct str line)
{
	(void)c;
	must(line.n > 0);
}

static void
audit_said(struct audit *a, uint64_t segment, uint64_t at, struct str text)
{
	fprintf(stderr, "%ju:%ju "STR_FMT"\n", (uintmax_t)segment,
	    (uintmax_t)at, STR_ARG(text));
	must(!"nothing is wrong with it");
	(void)a;
}

/* They may say that they cannot look, but nothing that is false. */
static yields void
look(void *arg)
{
	struct check c = { .line = check_said };
	struct audit a = { .tell = audit_said };
	uint64_t left = 0, asked;

	(void)arg;
	for (unsigned i = 0; i < N; i++)
		left += ledger->m[i].left > 0;
	asked = memory_asked();
	memory_refuse(ledger->refuse, 1);
	ledger->trouble = spool_dump(TEST_PATH, &c);
	must(ledger->trouble == SPOOL_DISK || (c.damaged == 0 &&
	    c.live == left));
	must(ledger->trouble == SPOOL_FINE || ledger->trouble == SPOOL_DISK);
	ledger->trouble = spool_audit(TEST_PATH, &a);
	must(ledger->trouble == SPOOL_DISK || (a.damaged == 0 &&
	    a.totals.messages == N && a.totals.breaches == 0));
	ledger->asked = memory_asked() - asked;
	memory_refuse(0, 0);
	err_clear();
}

/* ---- each way to fail ---- */

static void
in_peace(const char *what, uint64_t n)
{
	sim_faults_clear();
	if (test_life(verify) == SIM_ENDED)
		return;
	print_message("%s %ju\n", what, (uintmax_t)n);
	fail();
}

static void
one_fails(yields void (*fn)(void *), const char *what, uint64_t n)
{
	if (test_life(fn) == SIM_ENDED)
		return;
	print_message("%s %ju: it dies\n", what, (uintmax_t)n);
	fail();
}

static uint64_t
stride(uint64_t usual)
{
	const char *mode = getenv("CHECK_MODE");

	return mode != NULL && strcmp(mode, "long") == 0 ? 1 : usual;
}

static const struct { enum sim_verb verb; const char *name; } verbs[] = {
	{ SIM_disk_fdatasync, "fdatasync" }, { SIM_disk_fsync, "fsync" },
	{ SIM_disk_list, "list" }, { SIM_disk_mkdir, "mkdir" },
	{ SIM_disk_open, "open" }, { SIM_disk_pread, "pread" },
	{ SIM_disk_pwrite, "pwrite" }, { SIM_disk_rename, "rename" },
	{ SIM_disk_space, "space" }, { SIM_disk_stat, "stat" },
	{ SIM_disk_truncate, "truncate" }, { SIM_disk_unlink, "unlink" },
};

static void
each_verb_fails(yields void (*fn)(void *), bool is_clean, uint64_t times,
    uint64_t step)
{
	for (size_t v = 0; v < sizeof verbs / sizeof *verbs; v++)
		for (uint64_t n = 0, most = 0; n <= most;
		    n += n == 0 ? 1 + v % step : step) {
			world_begin(is_clean);
			ledger->may_forget = times > 1;
			if (n > 0)
				sim_fault_nth(verbs[v].verb, n, times, EIO);
			one_fails(fn, verbs[v].name, n);
			most = n > 0 ? most : sim_verbs_of(verbs[v].verb);
			in_peace(verbs[v].name, n);
		}
}

static void
each_verb_fails_once(void **state)
{
	(void)state;
	each_verb_fails(use, true, 1, stride(101));
	each_verb_fails(use, false, 1, stride(151));
}

/* While the log is read and told: what its sidecar cannot say, the segment can. */
static void
each_early_read_fails(void **state)
{
	(void)state;
	for (uint64_t n = 1; n <= 36; n++) {
		world_begin(true);
		sim_fault_nth(SIM_disk_pread, n, 1, EIO);
		one_fails(use, "early pread", n);
		in_peace("early pread", n);
	}
}

static void
each_verb_fails_from_then_on(void **state)
{
	(void)state;
	each_verb_fails(use, true, UINT64_MAX, stride(211));
}

static void
each_verb_fails_who_looks(void **state)
{
	(void)state;
	each_verb_fails(look, true, 1, stride(31));
	each_verb_fails(look, false, UINT64_MAX, stride(47));
}

static void
memory_is_refused(yields void (*fn)(void *), uint64_t step, uint64_t least)
{
	uint64_t most = 0;

	for (uint64_t n = 0; n <= most; n += n == 0 ? 1 : step) {
		world_begin(true);
		ledger->refuse = n;
		one_fails(fn, "allocation", n);
		most = n > 0 ? most : ledger->asked;
		in_peace("allocation", n);
	}
	assert_true(most >= least);
}

static void
memory_is_refused_once(void **state)
{
	(void)state;
	memory_is_refused(use, stride(37), 100);
	memory_is_refused(look, stride(3), 10);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_verb_fails_once),
		cmocka_unit_test(each_early_read_fails),
		cmocka_unit_test(each_verb_fails_from_then_on),
		cmocka_unit_test(each_verb_fails_who_looks),
		cmocka_unit_test(memory_is_refused_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
