/* Rules, and what they are held against: whatever a file says it is read or
 * refused with a reason; whatever a reply says it has a class, and it has the same
 * again. */
#include "fuzz.h"
#include "policy/bounce_rules.h"

static struct arena arena, scratch;

static const struct bounce_rules *
rules_of(struct str text)
{
	struct source_file file = { .name = STR("rules"), .bytes = text };
	const struct bounce_rules *rules;
	struct problems problems;

	problems_init(&problems);
	rules = bounce_rules_read(&arena, &scratch, &problems, &file);
	must((rules == NULL) == (problems.counts[PROBLEM_ERROR] > 0));
	problems_clear(&problems);
	return rules;
}

FUZZ(in)
{
	struct bounce_reply reply = { .phase = fuzz_choice(&in) % BOUNCE_PHASES };
	const struct bounce_rules *own;
	struct bounce_judged a, b;
	struct verdict v;

	arena_init(&arena, 16 * 1024 * 1024);
	arena_init(&scratch, 16 * 1024 * 1024);
	reply.host = str_cut(&in, '\n');
	reply.text = str_cut(&in, '\n');
	bounce_reply_codes(reply.text, &reply.code, &reply.esc);
	own = rules_of(in);
	a = bounce_judge(own, &reply);
	b = bounce_judge(own, &reply);
	must(a.reason != NULL && a.reason == b.reason && a.rule == b.rule);
	must(a.rule == NULL || a.rule->class == a.reason->class);
	v = verdict_of(FAILED, 550, reply.esc, reply.text);
	bounce_judge_verdict(own, reply.host, &v);
	must(reason_of(&v)->class == (enum reason_class)v.reason);
	arena_clear(&arena);
	arena_clear(&scratch);
}
