/* certificate_commands.c -- tls show, tls renew, tls revoke, tls rekey. */
#include "cli/ask.h"
#include "cli/told.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

static void
certificate_print(struct cli *c, const json_t *j)
{
	const json_t *names = json_object_get(j, "names");
	const json_t *faults = json_object_get(j, "faults");
	const char *source = told_visible(c, j, "source");

	for (size_t i = 0; i < json_array_size(names); i++)
		printf("%s%s", i > 0 ? ", " : "", cli_visible(c,
		    json_string_value(json_array_get(names, i))));
	printf("\n  key     %s, issued by %s\n", told_visible(c, j, "key"),
	    told_visible(c, j, "issuer"));
	printf("  from    %s\n  until   %s\n", told_visible(c, j, "from"),
	    told_visible(c, j, "until"));
	if (strcmp(source, "file") == 0)
		printf("  source  %s\n", told_visible(c, j, "file"));
	else
		printf("  source  %s\n", strcmp(source, "acme") == 0 ? "ACME" :
		    "signed by itself: clients cannot know it");
	if (json_object_get(j, "renews_at") != NULL)
		printf("  renewal %s\n", told_visible(c, j, "renews_at"));
	for (size_t i = 0; i < json_array_size(faults); i++)
		printf("  WARNING %s\n", told_visible(c, json_array_get(faults, i),
		    "text"));
}

static void
renewal_print(struct cli *c, const json_t *j)
{
	intmax_t failures = (intmax_t)json_integer_value(json_object_get(j,
	    "failures"));

	printf("ACME, %s: %s%s%s\n", told_visible(c, j, "key"),
	    told_visible(c, j, "state"),
	    json_object_get(j, "next_at") == NULL ? "" : "next ",
	    told_visible(c, j, "next_at"));
	if (failures > 0)
		printf("  WARNING failed %jd time%s, at last: %s\n", failures,
		    failures == 1 ? "" : "s", told_visible(c, j, "failure"));
}

static int
show_line(struct ask *a, struct str line)
{
	json_t *j = told_read(line);
	const json_t *list = json_object_get(j, "certificates");
	const json_t *renewals = json_object_get(json_object_get(j, "acme"),
	    "renewals");

	if (j == NULL)
		return EX_DATAERR;
	for (size_t i = 0; i < json_array_size(list); i++)
		certificate_print(a->cli, json_array_get(list, i));
	for (size_t i = 0; i < json_array_size(renewals); i++)
		renewal_print(a->cli, json_array_get(renewals, i));
	json_decref(j);
	return 0;
}

int
command_tls_show(struct cli *c)
{
	struct ask a = { .method = "GET", .target = STR("/v1/tls"),
		.body_fd = -1, .line = c->json ? NULL : show_line };

	return c->n_words > 0 ? cli_usage("tls show") : ask(c, &a);
}

static int
said_line(struct ask *a, struct str line)
{
	if (a->cli->json)
		printf("{\"done\":true}\n");
	else
		printf(STR_FMT "\n", STR_ARG(line));
	return 0;
}

static int
tls_act(struct cli *c, struct str target, const char *words)
{
	struct ask a = { .method = "POST", .target = target, .body_fd = -1,
		.line = said_line };

	return c->n_words > 0 ? cli_usage(words) : ask(c, &a);
}

int
command_tls_renew(struct cli *c)
{
	return tls_act(c, STR("/v1/tls/renew"), "tls renew");
}

int
command_tls_rekey(struct cli *c)
{
	return tls_act(c, STR("/v1/tls/rekey"), "tls rekey");
}

int
command_tls_revoke(struct cli *c)
{
	if (!c->yes)
		return cli_fail(EX_USAGE, "whoever trusts these certificates "
		    "stops doing so; say --yes if that is meant");
	return tls_act(c, STR("/v1/tls/revoke"), "tls revoke");
}
