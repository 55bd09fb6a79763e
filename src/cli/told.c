#include "cli/told.h"

#include "base/arena.h"
#include "cli/cli.h"

#include <stdio.h>
#include <sysexits.h>

json_t *
told_read(struct str line)
{
	json_error_t error;
	json_t *j = json_loadb(line.p, line.n, 0, &error);

	if (j == NULL)
		(void)cli_fail(EX_DATAERR, "the answer is no JSON: %s",
		    error.text);
	return j;
}

int
told_say(struct ask *a, struct str line,
    void (*say)(struct cli *, const json_t *))
{
	struct arena_mark mark = arena_mark(&a->cli->arena);
	json_t *j;

	if (a->cli->json) {
		printf(STR_FMT "\n", STR_ARG(line));
		return 0;
	}
	j = told_read(line);
	if (j == NULL)
		return EX_DATAERR;
	say(a->cli, j);
	json_decref(j);
	arena_back(&a->cli->arena, mark);
	return 0;
}

const char *
told_text(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s == NULL ? "" : s;
}

const char *
told_visible(struct cli *c, const json_t *j, const char *key)
{
	return cli_visible(c, told_text(j, key));
}

intmax_t
told_number(const json_t *j, const char *key)
{
	return (intmax_t)json_integer_value(json_object_get(j, key));
}
