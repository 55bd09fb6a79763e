#include "base/err.h"
#include "spool/spool_test.h"

#include "fiber/disk.h"
#include "fiber/world_sim.h"
#include "spool/audit.h"
#include "spool/own.h"
#include "spool/tlv.h"

#include <stdio.h>

/* ---- what is told ---- */

static struct {
	struct audit audit;
	char text[8192];
	struct buf said;
} told;

static void
tell(struct audit *a, uint64_t segment, uint64_t at, struct str text)
{
	must(a == &told.audit && text.n > 0);
	buf_printf(&told.said, "%llu:%s " STR_FMT "\n",
	    (unsigned long long)segment, at == 0 ? "0" : "n", STR_ARG(text));
}

static yields enum spool_trouble
audit(void)
{
	told.audit = (struct audit){ .tell = tell };
	told.said = (struct buf){ .p = told.text, .cap = sizeof told.text };
	return spool_audit(TEST_PATH, &told.audit);
}

static bool
said(const char *what)
{
	return str_find_str(buf_str(&told.said), str_of(what)) < told.said.n;
}

static void
expect(uint64_t breaches, const char *what)
{
	if (told.audit.totals.breaches != breaches ||
	    (what != NULL && !said(what)))
		fprintf(stderr, "%llu breaches\n" STR_FMT,
		    (unsigned long long)told.audit.totals.breaches,
		    STR_ARG(buf_str(&told.said)));
	must(told.audit.totals.breaches == breaches);
	must(what == NULL || said(what));
	must(told.audit.damaged == 0);
}

/* ---- a sound spool ---- */

static yields uint64_t
keep(struct spool *sp, struct recipient *rcpts, size_t n)
{
	struct envelope e = { .sender = STR("a@b.example"), .n_rcpts = n,
		.rcpts = rcpts, .arrived = { 1 } };
	enum draft_trouble why;
	struct draft *d;
	struct arena a;
	uint64_t id;

	arena_init(&a, 1 << 20);
	d = draft_open(sp, &a, &why);
	must(d != NULL && draft_append(d, STR("x\r\n")) == DRAFT_FINE);
	must(draft_commit(d, &e) == DRAFT_FINE);
	id = e.id;
	arena_clear(&a);
	return id;
}

static yields uint64_t
keep_list(struct spool *sp)
{
	struct recipient rcpts[] = {
		{ .address = STR("list@b.example"),
		  .parent = RECIPIENT_NO_PARENT, .flags = RECIPIENT_EXPANDED },
		{ .address = STR("c@b.example"), .parent = 0 },
		{ .address = STR("d@b.example"), .parent = 0,
		  .flags = RECIPIENT_DISCARDED },
	};

	return keep(sp, rcpts, 3);
}

static yields void
end(struct spool *sp, uint64_t id, uint32_t i, enum outcome_kind kind)
{
	struct outcome o = { .recipient = i, .kind = kind };

	must(spool_outcome(sp, id, &o, 1) == 0);
}

static yields void
sound(void *arg)
{
	struct spool *sp = test_open();
	const struct ledger_totals *t = &told.audit.totals;
	uint64_t list = keep_list(sp), ids[6];

	(void)arg;
	for (uint64_t i = 0; i < 6; i++)
		must(test_commit(sp, i, 100, 2, &ids[i]) == DRAFT_FINE);
	end(sp, ids[0], 0, OUTCOME_DELIVERED);
	end(sp, ids[0], 1, OUTCOME_FAILED);
	end(sp, ids[1], 1, OUTCOME_EXPIRED);
	must(spool_cancel(sp, ids[1], STR("no")) == 0);
	must(spool_hold(sp, ids[2], STR("why")) == 0);
	must(spool_hold(sp, ids[3], STR("why")) == 0);
	must(spool_release(sp, ids[3]) == 0);
	end(sp, list, 1, OUTCOME_SUPPRESSED);
	spool_await_written(sp);
	must(audit() == SPOOL_FINE && told.audit.is_in_use);
	expect(0, NULL);
	must(spool_close(sp) == SPOOL_FINE);
	must(audit() == SPOOL_FINE && !told.audit.is_in_use);
	expect(0, NULL);
	must(t->messages == 7 && t->recipients == 15);
	must(t->held == 2 && t->queued == 6);
	must(t->ended[OUTCOME_DELIVERED] == 1 && t->ended[OUTCOME_FAILED] == 1);
	must(t->ended[OUTCOME_EXPIRED] == 1 &&
	    t->ended[OUTCOME_CANCELLED] == 1);
	must(t->ended[OUTCOME_SUPPRESSED] == 1);
	must(t->ended[OUTCOME_EXPANDED] == 1 &&
	    t->ended[OUTCOME_DISCARDED] == 1);
	must(ledger_ended(t) == 7 && t->ended_before == 0 && t->earlier == 0);
}

static void
a_sound_spool_is_counted(void **state)
{
	(void)state;
	sim_begin(3);
	on_core(sound);
}

/* The front goes, the long-lived are moved, the numbers add up. */
static yields void
turn_over(void *arg)
{
	struct spool *sp = test_open();
	const struct ledger_totals *t = &told.audit.totals;
	uint64_t old[3], id;

	(void)arg;
	for (uint64_t i = 0; i < 3; i++)
		must(test_commit(sp, i, 3000, 3, &old[i]) == DRAFT_FINE);
	end(sp, old[0], 1, OUTCOME_DELIVERED);
	must(spool_hold(sp, old[2], STR("why")) == 0);
	for (uint64_t i = 0; i < 400; i++) {
		must(test_commit(sp, i, 20000, 1, &id) == DRAFT_FINE);
		end(sp, id, 0, OUTCOME_DELIVERED);
		if (i % 50 == 0) {
			must(audit() == SPOOL_FINE);
			expect(0, NULL);
		}
	}
	fiber_sleep(in_ms(60000));
	must(spool_stats(sp).recycled > 5 && spool_stats(sp).compacted >= 3);
	must(audit() == SPOOL_FINE);
	expect(0, NULL);
	must(t->held == 3 && t->queued == 5 && t->ended_before == 1);
	must(spool_cancel(sp, old[0], STR("no")) == 0);
	must(spool_close(sp) == SPOOL_FINE);
	must(audit() == SPOOL_FINE);
	expect(0, NULL);
	must(t->held == 3 && t->queued == 3 && t->ended_before == 1);
	must(t->ended[OUTCOME_CANCELLED] == 2);
}

static void
a_log_without_its_front_is_counted(void **state)
{
	(void)state;
	sim_begin(4);
	on_core(turn_over);
}

/* While it reads, the log goes on: what it sees is an instant. */
static bool writer_is_done;

static yields void
go_on(void *arg)
{
	struct spool *sp = arg;
	uint64_t id;

	for (uint64_t i = 0; i < 600; i++) {
		must(test_commit(sp, i, 9000, 2, &id) == DRAFT_FINE);
		end(sp, id, 0, OUTCOME_DELIVERED);
		end(sp, id, 1, OUTCOME_FAILED);
	}
	writer_is_done = true;
}

static yields void
race(void *arg)
{
	struct spool *sp = test_open();
	unsigned n = 0;

	(void)arg;
	writer_is_done = false;
	must(fiber_go("writer", go_on, sp) == 0);
	while (!writer_is_done) {
		must(audit() == SPOOL_FINE);
		expect(0, NULL);
		n++;
		fiber_sleep(in_ms(1));
	}
	must(n > 3 && spool_stats(sp).recycled > 5);
	must(spool_close(sp) == SPOOL_FINE);
}

static void
a_log_in_use_is_read_as_of_an_instant(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed < 5; seed++) {
		sim_begin(seed);
		on_core(race);
	}
}

/* ---- breaches ---- */

static void
record(struct spool *sp, enum record_type type, uint64_t id, struct buf *b)
{
	must(!b->full);
	must(writer_lazy(sp, type, id, buf_str(b), LAZY_OUTCOME) == 0);
}

static void
outcome_raw(struct spool *sp, uint64_t id, uint32_t i, uint64_t kind)
{
	char room[256];
	struct buf b = BUF_OF(room);
	size_t entry = tlv_open(&b, TAG_ENTRY), index;

	index = tlv_open(&b, TAG_RECIPIENTS);
	buf_le32(&b, i);
	tlv_close(&b, index);
	tlv_put_u64(&b, TAG_KIND, kind);
	tlv_close(&b, entry);
	record(sp, kind == OUTCOME_EXPANDED ? RECORD_EXPAND : RECORD_OUTCOME,
	    id, &b);
}

static void
envelope_raw(struct spool *sp, enum record_type type, uint64_t id,
    uint64_t ended)
{
	struct recipient rcpts[] = {
		{ .address = STR("c@b.example"),
		  .parent = RECIPIENT_NO_PARENT },
		{ .address = STR("d@b.example"),
		  .parent = RECIPIENT_NO_PARENT } };
	struct envelope e = { .sender = STR("a@b.example"), .n_rcpts = 2,
		.rcpts = rcpts };
	char room[512];
	struct buf b = BUF_OF(room);
	size_t state, bits;

	envelope_encode(&e, &b);
	if (type == RECORD_MOVED) {
		state = tlv_open(&b, TAG_STATE);
		bits = tlv_open(&b, TAG_ENDED);
		buf_putc(&b, (char)ended);
		tlv_close(&b, bits);
		tlv_close(&b, state);
	}
	record(sp, type, id, &b);
}

static yields void
parent_alone(struct spool *sp, uint64_t id)
{
	struct recipient r = { .address = STR("list@b.example"),
		.parent = RECIPIENT_NO_PARENT, .flags = RECIPIENT_EXPANDED };
	struct recipient rs[] = { r, { .address = STR("x@b.example"),
	    .parent = RECIPIENT_NO_PARENT } };

	(void)id;
	(void)keep(sp, rs, 2);
}

static yields void
child_alone(struct spool *sp, uint64_t id)
{
	struct recipient rs[] = {
		{ .address = STR("x@b.example"),
		  .parent = RECIPIENT_NO_PARENT },
		{ .address = STR("y@b.example"), .parent = 0 } };

	(void)id;
	(void)keep(sp, rs, 2);
}

static yields void
shared(struct spool *sp, uint64_t id)
{
	const struct recipient_more more = { .shared = { "\1\0\0\0", 4 } };
	struct recipient rs[] = {
		{ .address = STR("a@b.example"), .flags = RECIPIENT_EXPANDED,
		  .parent = RECIPIENT_NO_PARENT },
		{ .address = STR("x@b.example"), .parent = 0 },
		{ .address = STR("b@b.example"), .flags = RECIPIENT_EXPANDED,
		  .parent = RECIPIENT_NO_PARENT, .more = &more } };

	(void)id;
	(void)keep(sp, rs, 3);
}

/* The sender wants to hear of it: the end comes by a record. */
static yields void
telling(struct spool *sp, uint64_t id)
{
	struct recipient rs[] = {
		{ .address = STR("a@b.example"), .parent = RECIPIENT_NO_PARENT,
		  .flags = RECIPIENT_EXPANDED | RECIPIENT_TELLING },
		{ .address = STR("x@b.example"), .parent = 0 } };

	id = keep(sp, rs, 2);
	must(kept_left(spool_find(sp, id)) == 2);
	must(audit() == SPOOL_FINE && told.audit.totals.queued == 4);
	end(sp, id, 0, OUTCOME_EXPANDED);
	end(sp, id, 1, OUTCOME_FAILED);
}

static yields void
tells_of_nobody(struct spool *sp, uint64_t id)
{
	struct recipient r = { .address = STR("a@b.example"),
		.parent = RECIPIENT_NO_PARENT,
		.flags = RECIPIENT_EXPANDED | RECIPIENT_TELLING };

	id = keep(sp, &r, 1);
	end(sp, id, 0, OUTCOME_EXPANDED);
}

static yields void
shares_nobody(struct spool *sp, uint64_t id)
{
	const struct recipient_more more = {
		.shared = { "\2\0\0\0\0\0\0\0", 8 } };
	struct recipient rs[] = {
		{ .address = STR("a@b.example"), .flags = RECIPIENT_EXPANDED,
		  .parent = RECIPIENT_NO_PARENT, .more = &more },
		{ .address = STR("x@b.example"), .parent = 0 } };

	(void)id;
	(void)keep(sp, rs, 2);
}

static yields void
child_first(struct spool *sp, uint64_t id)
{
	struct recipient rs[] = {
		{ .address = STR("y@b.example"), .parent = 1 },
		{ .address = STR("x@b.example"), .flags = RECIPIENT_EXPANDED,
		  .parent = RECIPIENT_NO_PARENT } };

	(void)id;
	(void)keep(sp, rs, 2);
}

static yields void
twice(struct spool *sp, uint64_t id)
{
	end(sp, id, 0, OUTCOME_DELIVERED);
	outcome_raw(sp, id, 0, OUTCOME_FAILED);
}

static yields void
twice_when_over(struct spool *sp, uint64_t id)
{
	end(sp, id, 0, OUTCOME_DELIVERED);
	end(sp, id, 1, OUTCOME_DELIVERED);
	outcome_raw(sp, id, 1, OUTCOME_DELIVERED);
}

static yields void
cancelled_when_over(struct spool *sp, uint64_t id)
{
	struct buf none = { .p = NULL };

	end(sp, id, 0, OUTCOME_DELIVERED);
	end(sp, id, 1, OUTCOME_DELIVERED);
	record(sp, RECORD_CANCEL, id, &none);
}

static yields void
of_no_recipient(struct spool *sp, uint64_t id)
{
	outcome_raw(sp, id, 2, OUTCOME_DELIVERED);
}

static yields void
of_no_message(struct spool *sp, uint64_t id)
{
	outcome_raw(sp, id + 1000000, 0, OUTCOME_DELIVERED);
}

static yields void
expanded_to_nobody(struct spool *sp, uint64_t id)
{
	outcome_raw(sp, id, 0, OUTCOME_EXPANDED);
}

static yields void
accepted_twice(struct spool *sp, uint64_t id)
{
	envelope_raw(sp, RECORD_COMMIT, id, 0);
}

static yields void
accepted_when_over(struct spool *sp, uint64_t id)
{
	twice_when_over(sp, id);
	envelope_raw(sp, RECORD_COMMIT, id, 0);
}

static yields void
back_again(struct spool *sp, uint64_t id)
{
	end(sp, id, 0, OUTCOME_DELIVERED);
	envelope_raw(sp, RECORD_MOVED, id, 2);
}

static yields void
back_when_over(struct spool *sp, uint64_t id)
{
	end(sp, id, 0, OUTCOME_DELIVERED);
	end(sp, id, 1, OUTCOME_DELIVERED);
	envelope_raw(sp, RECORD_MOVED, id, 1);
}

static yields void
from_nowhere(struct spool *sp, uint64_t id)
{
	envelope_raw(sp, RECORD_MOVED, id + 1000000, 0);
}

static yields void
without_a_word(struct spool *sp, uint64_t id)
{
	envelope_raw(sp, RECORD_MOVED, id, 1);
}

/* No breach: memory knows before the log does. */
static yields void
moved_then_told(struct spool *sp, uint64_t id)
{
	envelope_raw(sp, RECORD_MOVED, id, 1);
	end(sp, id, 0, OUTCOME_DELIVERED);
	end(sp, id, 1, OUTCOME_DELIVERED);
	envelope_raw(sp, RECORD_MOVED, id, 3);
}

static yields void
moved_then_cancelled(struct spool *sp, uint64_t id)
{
	envelope_raw(sp, RECORD_MOVED, id, 3);
	must(spool_cancel(sp, id, STR("no")) == 0);
}

static const struct breach {
	yields void (*make)(struct spool *, uint64_t id);
	uint64_t n;
	const char *says;
} breaches[] = {
	{ parent_alone, 1, "recipient 0 is expanded, and no child is there" },
	{ child_alone, 1, "recipient 1 is a child of 0, who is no parent" },
	{ shared, 0, NULL },
	{ telling, 0, NULL },
	{ tells_of_nobody, 1, "recipient 0 is expanded, and no child is there" },
	{ shares_nobody, 2, "recipient 0 has a child 2, and there are 2" },
	{ child_first, 2, "recipient 0 is a child of 1, who is no parent" },
	{ twice, 1, "recipient 0 has ended as delivered and ends again as "
	    "failed" },
	{ twice_when_over, 1, "has ended and ends again as delivered" },
	{ cancelled_when_over, 1, "has ended and ends again as cancelled" },
	{ of_no_recipient, 1, "recipient 2 ends as delivered, and there are 2" },
	{ of_no_message, 1, "ends as delivered, and was never accepted" },
	{ expanded_to_nobody, 1, "recipient 0 is expanded, and no child is" },
	{ accepted_twice, 1, "is accepted a second time" },
	{ accepted_when_over, 2, "is accepted a second time" },
	{ back_again, 2, "recipient 0 has ended and is there again" },
	{ back_when_over, 1, "has ended and is there again" },
	{ from_nowhere, 1, "is moved, and was never accepted" },
	{ without_a_word, 1, "recipient 0 has ended, and no record says how" },
	{ moved_then_told, 0, NULL },
	{ moved_then_cancelled, 0, NULL },
};

static const struct breach *breach;

static yields void
break_the_law(void *arg)
{
	struct spool *sp = test_open();
	uint64_t id;

	(void)arg;
	must(test_commit(sp, 1, 100, 2, &id) == DRAFT_FINE);
	breach->make(sp, id);
	spool_await_written(sp);
	must(audit() == SPOOL_FINE);
	expect(breach->n, breach->says);
	if (breach->n > 0)
		must(said("1:n ") && !said(" 0:"));
	(void)spool_close(sp);
}

static void
each_breach_is_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof breaches / sizeof *breaches; i++) {
		breach = &breaches[i];
		sim_begin(11 + i);
		on_core(break_the_law);
	}
}

/* ---- damage ---- */

static yields void
damage(void *arg)
{
	struct spool *sp = test_open();
	char path[SEGMENT_PATH_MOST];
	uint64_t id;
	int fd;

	(void)arg;
	for (uint64_t i = 0; i < 60; i++)
		must(test_commit(sp, i, 7000, 1, &id) == DRAFT_FINE);
	must(spool_close(sp) == SPOOL_FINE);
	must(audit() == SPOOL_FINE && told.audit.damaged == 0);
	must(told.audit.totals.queued == 60 && told.audit.segments >= 2);
	must(told.audit.segments_read == told.audit.segments);
	segment_path(path, TEST_PATH, 1, SEGMENT_LOG);
	fd = disk_open(path, DISK_WRITE, 0);
	must(disk_pwrite(fd, STR("rot"), SEGMENT_HEAD + 8) == 0);
	disk_close(fd);
	must(audit() == SPOOL_FINE && told.audit.damaged == 1);
	must(said("1:n "));
	must(told.audit.totals.queued == 59);
	must(disk_unlink(path) == 0);
	must(audit() == SPOOL_FINE);
	must(told.audit.totals.queued < 59);
}

static void
damage_is_told(void **state)
{
	(void)state;
	sim_begin(5);
	on_core(damage);
}

static yields void
nothing(void *arg)
{
	(void)arg;
	must(audit() == SPOOL_DISK);
	must(told.audit.totals.messages == 0);
	err_clear();
}

static void
no_spool_is_trouble(void **state)
{
	(void)state;
	sim_begin(6);
	on_core(nothing);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_sound_spool_is_counted),
		cmocka_unit_test(a_log_without_its_front_is_counted),
		cmocka_unit_test(a_log_in_use_is_read_as_of_an_instant),
		cmocka_unit_test(each_breach_is_told),
		cmocka_unit_test(damage_is_told),
		cmocka_unit_test(no_spool_is_trouble),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
