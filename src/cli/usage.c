#include "cli/usage.h"

#include "base/buf.h"
#include "cli/ask.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

enum { TARGET_MOST = 4096 };

/* "12 of 100 messages, 30 recipients, 4096 bytes" */
static void
usage_print(const json_t *window, const char *what)
{
	static const char *const names[][2] = {
		{ "messages", "messages_most" },
		{ "recipients", "recipients_most" },
		{ "bytes", "bytes_most" },
	};
	const json_t *most;

	printf("  %-14s ", what);
	for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
		most = json_object_get(window, names[i][1]);
		printf("%s%jd", i > 0 ? ", " : "", (intmax_t)
		    json_integer_value(json_object_get(window, names[i][0])));
		if (most != NULL)
			printf(" of %jd", (intmax_t)json_integer_value(most));
		printf(" %s", names[i][0]);
	}
	printf("\n");
}

static int
usage_line(struct ask *a, struct str line)
{
	json_t *j = json_loadb(line.p, line.n, 0, NULL);

	(void)a;
	usage_print(json_object_get(j, "hour"), "last hour");
	usage_print(json_object_get(j, "day"), "last day");
	json_decref(j);
	return 0;
}

void
usage_show(struct cli *c, struct str name)
{
	struct buf target = { .p = arena_alloc(&c->arena, TARGET_MOST),
		.cap = TARGET_MOST };
	struct ask a = { .method = "GET", .body_fd = -1, .line = usage_line };

	if (target.p == NULL || !ask_is_served(c))
		return;
	buf_put(&target, STR("/v1/usage?account="));
	for (size_t i = 0; i < name.n; i++)
		buf_printf(&target, "%%%02X", (unsigned char)name.p[i]);
	a.target = buf_str(&target);
	(void)ask(c, &a);
}
