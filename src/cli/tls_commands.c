/* tls_commands.c -- tls report: a day's TLS to other servers, by policy domain. */
#include "cli/ask.h"
#include "cli/reports.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

static const char *
text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s == NULL ? "" : s;
}

static intmax_t
number_of(const json_t *j, const char *key)
{
	return (intmax_t)json_integer_value(json_object_get(j, key));
}

static void
policy_say(struct cli *c, const json_t *entry)
{
	const json_t *policy = json_object_get(entry, "policy"), *d;
	const json_t *sum = json_object_get(entry, "summary");
	size_t i;

	printf("%8jd good %6jd failed  %-15s %s\n",
	    number_of(sum, "total-successful-session-count"),
	    number_of(sum, "total-failure-session-count"),
	    text_of(policy, "policy-type"),
	    cli_visible(c, text_of(policy, "policy-domain")));
	json_array_foreach(json_object_get(entry, "failure-details"), i, d) {
		printf("%13s %6jd %s at %s", "",
		    number_of(d, "failed-session-count"),
		    text_of(d, "result-type"),
		    cli_visible(c, text_of(d, "receiving-mx-hostname")));
		printf("[%s]: %s\n", cli_visible(c, text_of(d,
		    "receiving-ip")), cli_visible(c, text_of(d,
		    "failure-reason-code")));
	}
}

/* RFC 8460 4.4; a report for each domain. */
static int
report_line(struct ask *a, struct str line)
{
	json_error_t error;
	const json_t *entry;
	json_t *j;
	size_t i;

	if (a->cli->json) {
		printf(STR_FMT "\n", STR_ARG(line));
		return 0;
	}
	j = json_loadb(line.p, line.n, 0, &error);
	if (j == NULL)
		return cli_fail(EX_DATAERR, "the answer is no JSON: %s",
		    error.text);
	json_array_foreach(json_object_get(j, "policies"), i, entry)
		policy_say(a->cli, entry);
	json_decref(j);
	return 0;
}

int
command_tls_report(struct cli *c)
{
	struct ask a = { .method = "GET", .body_fd = -1, .line = report_line };

	if (c->n_words > 0)
		return cli_usage("tls report");
	if (c->send)
		return reports_ask(c, "tls");
	a.target = reports_target(c, "tls", "document");
	return ask(c, &a);
}
