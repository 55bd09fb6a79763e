#include "cli/reports.h"

#include "base/buf.h"
#include "cli/ask.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static const char *
text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s == NULL ? "" : s;
}

static void
line_say(struct cli *c, const json_t *j)
{
	bool was_sent = json_object_get(j, "end") != NULL;
	const char *end = text_of(j, was_sent ? "end" : "would_be");

	printf("%-7s %8jd %6jd  %s", end, (intmax_t)json_integer_value(
	    json_object_get(j, "count")), (intmax_t)json_integer_value(
	    json_object_get(j, "rows")), cli_visible(c, text_of(j, "domain")));
	if (text_of(j, "to")[0] != '\0')
		printf("  %s", cli_visible(c, text_of(j, "to")));
	if (text_of(j, "text")[0] != '\0')
		printf("  (%s)", cli_visible(c, text_of(j, "text")));
	putchar('\n');
}

static int
report_line(struct ask *a, struct str line)
{
	json_error_t error;
	json_t *j;

	if (a->cli->json) {
		printf(STR_FMT "\n", STR_ARG(line));
		return 0;
	}
	j = json_loadb(line.p, line.n, 0, &error);
	if (j == NULL)
		return cli_fail(EX_DATAERR, "the answer is no JSON: %s",
		    error.text);
	line_say(a->cli, j);
	json_decref(j);
	return 0;
}

/* Days are told by their letters; the server looks at them. */
struct str
reports_target(struct cli *c, const char *kind, const char *form)
{
	struct buf b = { .p = arena_alloc(&c->arena, 2048), .cap = 2048 };

	buf_printf(&b, "%s?kind=%s&form=%s", c->send ? "/v1/reports/send" :
	    "/v1/reports", kind, form);
	if (c->day.n > 0)
		buf_printf(&b, "&day=" STR_FMT, STR_ARG(c->day));
	if (c->query.n > 0)
		buf_printf(&b, "&" STR_FMT, STR_ARG(c->query));
	return b.full ? STR_NONE : buf_str(&b);
}

int
reports_ask(struct cli *c, const char *kind)
{
	struct ask a = { .method = c->send ? "POST" : "GET", .body_fd = -1,
		.line = report_line, .target = reports_target(c, kind, "look") };

	if (a.target.n == 0)
		return cli_fail(EX_USAGE, "too long a question");
	return ask(c, &a);
}
