#include "cli/reports.h"

#include "base/buf.h"
#include "cli/ask.h"
#include "cli/told.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

static void
line_say(struct cli *c, const json_t *j)
{
	bool was_sent = json_object_get(j, "end") != NULL;
	const char *end = told_text(j, was_sent ? "end" : "would_be");

	printf("%-7s %8jd %6jd  %s", end, (intmax_t)json_integer_value(
	    json_object_get(j, "count")), (intmax_t)json_integer_value(
	    json_object_get(j, "rows")), told_visible(c, j, "domain"));
	if (told_text(j, "to")[0] != '\0')
		printf("  %s", told_visible(c, j, "to"));
	if (told_text(j, "text")[0] != '\0')
		printf("  (%s)", told_visible(c, j, "text"));
	putchar('\n');
}

static int
report_line(struct ask *a, struct str line)
{
	return told_say(a, line, line_say);
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
