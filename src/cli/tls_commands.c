/* tls_commands.c -- tls report: a day's TLS to other servers, by policy domain. */
#include "cli/ask.h"
#include "cli/reports.h"
#include "cli/told.h"

#include <jansson.h>
#include <stdio.h>
#include <sysexits.h>

static void
policy_say(struct cli *c, const json_t *entry)
{
	const json_t *policy = json_object_get(entry, "policy"), *d;
	const json_t *sum = json_object_get(entry, "summary");
	size_t i;

	printf("%8jd good %6jd failed  %-15s %s\n",
	    told_number(sum, "total-successful-session-count"),
	    told_number(sum, "total-failure-session-count"),
	    told_text(policy, "policy-type"),
	    told_visible(c, policy, "policy-domain"));
	json_array_foreach(json_object_get(entry, "failure-details"), i, d) {
		printf("%13s %6jd %s at %s", "",
		    told_number(d, "failed-session-count"),
		    told_text(d, "result-type"),
		    told_visible(c, d, "receiving-mx-hostname"));
		printf("[%s]: %s\n", told_visible(c, d, "receiving-ip"),
		    told_visible(c, d, "failure-reason-code"));
	}
}

/* RFC 8460 4.4; a report for each domain. */
static void
report_say(struct cli *c, const json_t *j)
{
	const json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(j, "policies"), i, entry)
		policy_say(c, entry);
}

static int
report_line(struct ask *a, struct str line)
{
	return told_say(a, line, report_say);
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
