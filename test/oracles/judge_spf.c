/*
 * judge_spf.c -- what SPF says of clients, for tests beside others' programs.
 *
 *	judge_spf ZONE NOW		(a zone's text in a file; seconds since 1970)
 *
 * For each line of stdin, "ADDRESS HELO LOCAL DOMAIN" with tabs between (DOMAIN may
 * be empty: the null sender), a line of JSON: {"result": "pass", ...}.
 */
#include "base/err.h"
#include "base/json.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "trust/spf.h"

#include <stdio.h>
#include <stdlib.h>

enum { ZONE_MOST = 64 << 20, ANSWER_MOST = 16 * 1024, LINE_MOST = 4096,
	SECONDS = 20 };

static char *zone_room;
static struct wall now;

static yields void
judge_line(struct str line)
{
	static char answer[ANSWER_MOST];
	struct buf out = BUF_OF(answer);
	unsigned budget = 1000;
	struct spf_ask ask = { .receiver = STR("receiver.example"),
		.quest = { .budget = &budget, .now = now, .deadline =
		    mono_add(clock_mono(), SECONDS * NS_PER_SECOND) },
		.wants_explanation = true };
	struct spf_answer got = { .result = SPF_NONE };
	struct arena arena;
	struct json j;

	arena_init(&arena, 16 << 20);
	if (!address_parse(str_cut(&line, '\t'), 0, &ask.client))
		exit(64);
	ask.helo = str_cut(&line, '\t');
	ask.local = str_cut(&line, '\t');
	ask.domain = line;
	spf_check(&ask, &arena, &got);
	json_begin(&j, &out);
	json_put_object(&j, NULL);
	json_put_str(&j, "result", str_of(spf_result_name(got.result)));
	json_put_str(&j, "why", got.why);
	json_put_str(&j, "term", got.term);
	json_put_str(&j, "explanation", got.explanation);
	json_end_object(&j);
	printf(STR_FMT "\n", STR_ARG(buf_str(&out)));
	fflush(stdout);
	arena_clear(&arena);
	err_clear();
}

static yields void
judge_all(void *arg)
{
	static char line[LINE_MOST];

	(void)arg;
	while (fgets(line, sizeof line, stdin) != NULL)
		judge_line((struct str){ line, strcspn(line, "\n") });
}

int
main(int argc, char **argv)
{
	struct dns_config c = { .n_forwarders = 0 };
	FILE *f;

	zone_room = malloc(ZONE_MOST);
	if (argc != 3 || zone_room == NULL || (f = fopen(argv[1], "r")) == NULL)
		return 64;
	c.zone = (struct str){ zone_room, fread(zone_room, 1, ZONE_MOST, f) };
	fclose(f);
	now.us = strtoll(argv[2], NULL, 10) * US_PER_SECOND;
	if (dns_configure(&c) != 0) {
		fprintf(stderr, "judge_spf: %s\n", err_text());
		return 1;
	}
	return core_run_all(1, judge_all, NULL) == 0 ? 0 : 1;
}
