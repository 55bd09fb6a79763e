/* dmarc_commands.c -- dmarc report: what other domains are told of their mail. */
#include "cli/ask.h"
#include "cli/reports.h"

#include <stdio.h>
#include <sysexits.h>

static int
xml_line(struct ask *a, struct str line)
{
	(void)a;
	printf(STR_FMT "\n", STR_ARG(line));
	return 0;
}

int
command_dmarc_report(struct cli *c)
{
	struct ask a = { .method = "GET", .body_fd = -1, .line = xml_line };

	if (c->n_words > 0 || (c->send && c->xml))
		return cli_usage("dmarc report");
	if (!c->xml)
		return reports_ask(c, "dmarc");
	a.target = reports_target(c, "dmarc", "document");
	return ask(c, &a);
}
