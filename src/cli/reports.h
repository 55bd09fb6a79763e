/*
 * reports.h -- reports to other domains, asked of the server.
 *
 * The promise: reports_ask() shows what would be sent of a day, or with --send
 * what was, a line for each domain, or its JSON.
 * Not for: the reports themselves (reports_target() with form=document).
 * Waiting: blocks.
 * Memory: the command's arena.
 * Errors: an exit status.
 * Source: http/route.def.
 */
#ifndef NM_CLI_REPORTS_H
#define NM_CLI_REPORTS_H

#include "cli/cli.h"

/* kind: "dmarc" or "tls". */
int reports_ask(struct cli *, const char *kind);
/* form: "look" or "document". */
struct str reports_target(struct cli *, const char *kind, const char *form);

#endif
