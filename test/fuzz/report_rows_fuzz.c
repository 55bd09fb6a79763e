/*
 * report_rows_fuzz.c -- the reader of reports lies to the worker.
 *
 * Input: one octet for the kind of report; then the rows as they come from the
 * child that read a stranger's report, or, when the second octet is odd, rows
 * made of what follows, so that most of them are sound.
 *
 * What is believed has the one form, and comes to the same octets when it is put
 * again; what is judged good walks again, row by row, to one head at the end.
 */
#include "fuzz.h"

/* What judges rows is its own business, but for its enemies. */
#include "deliver/report_taker.c"

#include "fiber/world_sim.h"
#include "policy/test_conf.h"

enum { MADE_MOST = 64 * 1024 };

static char made[MADE_MOST], again[REPORT_FORM_ROW];

static struct config *
config(void)
{
	static struct config *c;

	if (c != NULL)
		return c;
	conf_begin();
	c = conf_of("hostname: mx.test\n"
	    "domains: { own.test: { users: [ u ] } }\n"
	    "reports: { inbox: r@own.test, about: [ far.test ] }\n");
	return c;
}

/* ---- rows, one by one ---- */

/* One row comes to the octets that it was made of. */
static void
row_check(enum report_rows which, const struct report_row *row, struct str was)
{
	struct buf b = BUF_OF(again);

	must(which < REPORT_ROWS_KINDS);
	must(report_form_put(&b, which, row));
	must(str_eq(buf_str(&b), was));
}

static void
rows_check(struct str form)
{
	struct str before = form;
	enum report_rows which;
	struct report_row row;

	while (report_form_next(&form, &which, &row) == 1) {
		must(fuzz_is_inside(form, before));
		row_check(which, &row, str_sub(before, 0, before.n - form.n));
		before = form;
	}
}

/* Texts and numbers from the input, of the kind that a reader says. */
static void
row_make(struct buf *b, enum report_rows which, struct str *in)
{
	static const struct str words[] = { STR_INIT("own.test"),
		STR_INIT("far.test"), STR_INIT("deep.own.test"), STR_INIT("x") };
	struct report_row row = { 0 };
	size_t n;
	const struct report_column *c = report_columns(which, &n);

	for (size_t i = 0; i < n; i++) {
		unsigned choice = fuzz_choice(in);
		struct str text = str_sub(*in, 0, choice % 32);

		if (c[i].is_number) {
			row.v[i].number = choice < 250 ? choice :
			    INT64_C(1) << (choice - 250) * 12;
		} else if (choice < 128 || !report_row_text_fits(text)) {
			row.v[i].text = words[choice % 4];
		} else {
			row.v[i].text = text;
			*in = str_sub(*in, text.n, in->n);
		}
	}
	(void)report_form_put(b, which, &row);
}

static struct str
form_make(struct str in, enum report_kind kind)
{
	struct buf b = BUF_OF(made);
	unsigned spoils = fuzz_choice(&in) % 4;
	struct str spoil = str_sub(in, 0, 3 * spoils);

	in = str_sub(in, spoil.n, in.n);
	while (in.n > 8)
		row_make(&b, (enum report_rows)kind, &in);
	row_make(&b, REPORT_HEADS, &in);
	while (spoil.n > 0 && b.n > 0) {
		size_t at = fuzz_choice(&spoil) << 8;

		at = (at | fuzz_choice(&spoil)) % b.n;
		made[at] = (char)fuzz_choice(&spoil);
	}
	return buf_str(&b);
}

/* ---- all of them ---- */

static void
form_check(struct str form, enum report_kind kind)
{
	struct delivery delivery = { .n = 1 };
	struct taking t = { .delivery = &delivery, .config = config(),
		.kind = kind, .form = form };
	struct report_row row;
	size_t n = 0;

	arena_init(&t.arena, TAKING_MEMORY);
	if (form_judge(&t) == 0) {
		must(t.n_rows <= ROWS_MOST);
		must(t.head.v[REPORT_HEAD_messages].number >= 0);
		must(t.head.v[REPORT_HEAD_organization].text.n > 0);
		must(t.head.v[REPORT_HEAD_report_id].text.n > 0);
		t.left = t.form;
		while (row_next(&t, &row) != 0)
			n++;
		must(n <= t.n_rows && t.left.n == 0);
	} else {
		must(t.why[0] != '\0');
	}
	arena_clear(&t.arena);
}

FUZZ(in)
{
	enum report_kind kind = fuzz_choice(&in) % REPORT_KINDS;
	struct str form = in;

	sim_begin(1);
	if (fuzz_choice(&in) % 2 != 0)
		form = form_make(in, kind);
	rows_check(form);
	form_check(form, kind);
}
