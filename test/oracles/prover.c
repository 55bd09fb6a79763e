/*
 * prover.c -- what `nightmail analyze' makes of messages in files, one after the
 * other, for tests beside others' programs.
 *
 *	prover ZONE		(a zone's text in a file)
 *
 * For each line of stdin, "path TAB ip TAB helo TAB sender", the JSON of analyze.
 */
#include "base/err.h"
#include "cli/analysis_show.h"
#include "fiber/clock.h"
#include "fiber/core.h"

#include <stdio.h>
#include <stdlib.h>

enum { MESSAGE_MOST = 1 << 20, ZONE_MOST = 32 << 20, SHOWN_MOST = 16 << 20 };

static char *message_room;

static struct str
file_read(const char *path, char *room, size_t most)
{
	FILE *f = fopen(path, "r");
	size_t n;

	if (f == NULL) {
		perror(path);
		exit(1);
	}
	n = fread(room, 1, most, f);
	fclose(f);
	return (struct str){ room, n };
}

static yields void
prove_file(const char *path, const struct analysis_wish *wish)
{
	static struct analysis_answer answers[ANALYSIS_RULES];
	static struct analysis a;
	static struct cli c;
	struct analysis_shown shown = { &a, answers };
	struct arena arena;

	arena_init(&arena, ANALYSIS_ARENA);
	arena_init(&c.arena, SHOWN_MOST);
	if (!analysis_begin(&a, &arena, wish))
		exit(1);
	analysis_feed(&a, file_read(path, message_room, MESSAGE_MOST));
	if (!analysis_end(&a))
		exit(1);
	analysis_check(&a, clock_wall(), answers);
	if (analysis_json(&c, &shown) != 0)
		exit(1);
	fflush(stdout);
	analysis_clear(&a);
	arena_clear(&c.arena);
	arena_clear(&arena);
	err_clear();
}

static yields void
prove_all(void *arg)
{
	static char line[4096], path[4096];

	(void)arg;
	while (fgets(line, sizeof line, stdin) != NULL) {
		struct str rest = { line, strcspn(line, "\n") };
		struct analysis_wish wish = { .hostname = STR("mx.test") };

		if (!str_cstr(str_cut(&rest, '\t'), path, sizeof path))
			exit(64);
		wish.ip = str_cut(&rest, '\t');
		wish.helo = str_cut(&rest, '\t');
		wish.from = rest;
		prove_file(path, &wish);
	}
}

int
main(int argc, char **argv)
{
	struct dns_config c = { .n_forwarders = 0 };
	char *zone_room = malloc(ZONE_MOST);

	message_room = malloc(MESSAGE_MOST);
	if (argc != 2 || message_room == NULL || zone_room == NULL)
		return 64;
	c.zone = file_read(argv[1], zone_room, ZONE_MOST);
	if (dns_configure(&c) != 0) {
		fprintf(stderr, "prover: %s\n", err_text());
		return 1;
	}
	return core_run_all(1, prove_all, NULL) == 0 ? 0 : 1;
}
