/* spf_commands.c -- test spf: may that host send with that domain's name? */
#include "base/json.h"
#include "cli/cli.h"
#include "cli/resolve.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/net.h"
#include "trust/spf.h"
#include "wire/address.h"
#include "wire/idna.h"

#include <stdio.h>
#include <sysexits.h>

enum { SPF_SECONDS = 20, SPF_QUESTIONS = 64, SPF_MEMORY = 4 * 1024 * 1024 };

struct spf_test {
	struct spf_ask ask;
	struct arena arena;
	struct spf_answer answer;
	unsigned left;			/* questions */
};

static int
domain_take(struct spf_test *t, struct str domain, struct str *out)
{
	char room[DOMAIN_MOST + 1];
	struct buf b = BUF_OF(room);

	if (!idna_ascii(domain, &b))
		return cli_fail(EX_USAGE, "'" STR_FMT "' is no domain",
		    STR_ARG(domain));
	*out = arena_copy(&t->arena, buf_str(&b));
	return 0;
}

static int
sender_take(struct cli *c, struct spf_test *t)
{
	struct str from = c->from;
	size_t at = str_find_last(from, '@');

	if (at < from.n)
		t->ask.local = str_sub(from, 0, at);
	from = at < from.n ? str_sub(from, at + 1, from.n) : from;
	if (from.n > 0 && domain_take(t, from, &t->ask.domain) != 0)
		return EX_USAGE;
	if (c->name.n > 0 && domain_take(t, c->name, &t->ask.helo) != 0)
		return EX_USAGE;
	if (from.n == 0 && c->name.n == 0)
		return cli_fail(EX_USAGE, "--from ADDRESS, or --name HELO for "
		    "mail without a sender");
	return 0;
}

static int
spf_print(const struct spf_test *t)
{
	const struct spf_answer *a = &t->answer;

	printf("%s: ", spf_result_name(a->result));
	if (a->why.n > 0)
		printf(STR_FMT, STR_ARG(a->why));
	else if (a->term.n > 0)
		printf(STR_FMT " decides by " STR_FMT, STR_ARG(a->domain),
		    STR_ARG(a->term));
	else
		printf(STR_FMT " %s", STR_ARG(a->domain), a->result == SPF_NONE ?
		    "says nothing" : "has no term for this address");
	printf("\n%u terms of %u were looked up, %u of %u in vain, by %u "
	    "questions\n", a->lookups, SPF_LOOKUPS, a->voids, SPF_VOIDS,
	    SPF_QUESTIONS - t->left);
	if (a->explanation.n > 0)
		printf("explanation: " STR_FMT "\n", STR_ARG(a->explanation));
	return 0;
}

static int
spf_json(const struct spf_test *t)
{
	const struct spf_answer *a = &t->answer;
	char room[3072];
	struct buf b = BUF_OF(room);
	struct json j;

	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_str(&j, "result", str_of(spf_result_name(a->result)));
	json_put_str(&j, "domain", a->domain);
	json_put_str(&j, "term", a->term);
	json_put_str(&j, "why", a->why);
	json_put_str(&j, "explanation", a->explanation);
	json_put_u64(&j, "lookups", a->lookups);
	json_put_u64(&j, "voids", a->voids);
	json_put_u64(&j, "questions", SPF_QUESTIONS - t->left);
	json_end_object(&j);
	if (b.full)
		return cli_fail(EX_SOFTWARE, "the answer is too long");
	printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
	return 0;
}

static yields void
spf_run(void *arg)
{
	struct spf_test *t = arg;

	t->ask.quest.now = clock_wall();
	t->ask.quest.deadline = mono_add(clock_mono(), SPF_SECONDS * NS_PER_SECOND);
	spf_check(&t->ask, &t->arena, &t->answer);
}

int
command_test_spf(struct cli *c)
{
	struct spf_test t = { .left = SPF_QUESTIONS,
	    .ask = { .wants_explanation = true } };
	struct config *config = NULL;
	int rc;

	if (c->n_words != 1)
		return cli_usage("test spf");
	if (!address_parse(c->words[0], 0, &t.ask.client))
		return cli_fail(EX_USAGE, "'" STR_FMT "' is no address of a host",
		    STR_ARG(c->words[0]));
	arena_init(&t.arena, SPF_MEMORY);
	t.ask.quest.budget = &t.left;
	rc = sender_take(c, &t);
	if (rc == 0)
		rc = resolve_prepare(c, &config);
	if (rc == 0) {
		t.ask.receiver = config == NULL ? STR("localhost") :
		    config->hostname;
		rc = core_run_all(1, spf_run, &t) != 0 ?
		    cli_fail(EX_OSERR, "no core could run") :
		    c->json ? spf_json(&t) : spf_print(&t);
	}
	if (config != NULL)
		config_free(config);
	arena_clear(&t.arena);
	return rc != 0 ? rc : t.answer.result == SPF_PASS ? 0 :
	    t.answer.result == SPF_TEMPERROR ? EX_TEMPFAIL : 1;
}
