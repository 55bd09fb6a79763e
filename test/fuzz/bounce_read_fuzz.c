/* Bounces of others: however they are cut the same is read and judged; addresses
 * lie in what was read, replies are one line, and it stays within its limits. */
#include "fuzz.h"
#include "policy/bounce_rules.h"

static struct arena whole, split;

static void
told_same(const struct bounce_told *a, const struct bounce_told *b)
{
	must(str_eq(a->address, b->address) && str_eq(a->reply, b->reply));
	must(str_eq(a->remote, b->remote) && a->action == b->action);
	must(a->phase == b->phase && a->phase < BOUNCE_PHASES);
	must(a->code == b->code && strcmp(esc_print(a->esc).text,
	    esc_print(b->esc).text) == 0);
	must(a->reply.n <= DSN_VALUE + 10 && a->action <= DSN_ACTIONS);
	must(a->code == 0 || (a->code >= 200 && a->code <= 599));
}

static void
told_judge(const struct bounce *b, const struct bounce_told *t)
{
	struct bounce_judged j = bounce_judge_told(NULL, b, t);

	must(j.reason != NULL && reason_named(str_of(j.reason->name)) ==
	    j.reason);
	must(j.rule == NULL || j.rule->class == j.reason->class);
	must(j.rule == NULL || j.rule->provider == NULL ||
	    j.rule->provider == j.provider);
}

FUZZ(in)
{
	unsigned step = 1 + fuzz_choice(&in) % 64;
	struct bounce_reader *one, *many;
	const struct bounce *a, *b;
	const struct bounce_told *s, *t;
	size_t n = 0;

	arena_init(&whole, BOUNCE_READ_MEMORY);
	arena_init(&split, BOUNCE_READ_MEMORY);
	one = bounce_read_begin(&whole);
	many = bounce_read_begin(&split);
	must(one != NULL && many != NULL);
	bounce_read(one, in);
	for (; in.n > 0; in = str_sub(in, step, in.n))
		bounce_read(many, str_sub(in, 0, step));
	a = bounce_read_end(one);
	b = bounce_read_end(many);
	must(a->kind == b->kind && a->kind < BOUNCE_KINDS);
	must(a->n == b->n && a->n <= BOUNCE_TOLD_MOST);
	must(a->is_cut == b->is_cut && str_eq(a->words, b->words));
	must(a->words.n <= BOUNCE_WORDS_MOST);
	must(a->n == 0 || a->kind != BOUNCE_NONE);
	for (s = a->told, t = b->told; n < a->n; s = s->next, t = t->next, n++) {
		told_same(s, t);
		if (n < 4)
			told_judge(a, s);
	}
	arena_clear(&whole);
	arena_clear(&split);
}
