/* Reports of others: however they are cut the same is read; it stays within its
 * memory and its limits, and every string is whole. */
#include "fuzz.h"
#include "wire/dsn_read.h"

static struct arena whole, split;

static void
same(struct str a, struct str b)
{
	must(str_eq(a, b) && a.n <= DSN_VALUE);
}

static void
told_same(const struct dsn_told *a, const struct dsn_told *b)
{
	same(a->final.type, b->final.type);
	same(a->final.text, b->final.text);
	same(a->original.type, b->original.type);
	same(a->original.text, b->original.text);
	same(a->remote, b->remote);
	same(a->diagnostic_type, b->diagnostic_type);
	same(a->diagnostic, b->diagnostic);
	same(a->log_id, b->log_id);
	must(a->action == b->action && a->action <= DSN_ACTIONS);
	must(strcmp(esc_print(a->status).text, esc_print(b->status).text) == 0 &&
	    a->code == b->code);
	must(a->reason != NULL && a->reason == b->reason);
	must(a->is_hard == b->is_hard);
	must(a->code == 0 || (a->code >= 200 && a->code <= 599));
}

FUZZ(in)
{
	unsigned step = 1 + fuzz_choice(&in) % 64;
	const struct dsn_report *a, *b;
	const struct dsn_told *s, *t;
	struct dsn_reader *one, *many;
	size_t n = 0;

	arena_init(&whole, DSN_READ_MEMORY);
	arena_init(&split, DSN_READ_MEMORY);
	one = dsn_read_begin(&whole);
	many = dsn_read_begin(&split);
	must(one != NULL && many != NULL);
	dsn_read(one, in);
	for (; in.n > 0; in = str_sub(in, step, in.n))
		dsn_read(many, str_sub(in, 0, step));
	a = dsn_read_end(one);
	b = dsn_read_end(many);
	must(a->n == b->n && a->n <= DSN_TOLD_MOST);
	must(a->is_status == b->is_status && a->is_cut == b->is_cut);
	must(a->is_status || a->n == 0);
	same(a->report_type, b->report_type);
	same(a->envid, b->envid);
	same(a->reporting, b->reporting);
	same(a->message_id, b->message_id);
	for (s = a->told, t = b->told; s != NULL && t != NULL;
	    s = s->next, t = t->next, n++)
		told_same(s, t);
	must(s == NULL && t == NULL && n == a->n);
	arena_clear(&whole);
	arena_clear(&split);
}
