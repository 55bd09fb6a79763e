/*
 * told.h -- a line of what the server told, as JSON.
 *
 * The promise: told_say() prints the line as it came with --json, else hands it
 * to who makes words of it; what that takes of the command's arena is given back.
 * Not for: lines of text (ask.h hands those over as they are).
 * Waiting: none.
 * Memory: the caller drops what told_read() returns; texts live as long as that.
 * Errors: an exit status: 65 for what is no JSON, which is told.
 * Source: http/route.def; RFC 8259.
 */
#ifndef NM_CLI_TOLD_H
#define NM_CLI_TOLD_H

#include "cli/ask.h"

#include <jansson.h>
#include <stdint.h>

/* NULL when it is no JSON, which has been told: EX_DATAERR. */
json_t *told_read(struct str line);
int told_say(struct ask *, struct str line,
    void (*say)(struct cli *, const json_t *));

/* What has that key: "" or 0 when nothing has, or something else. */
const char *told_text(const json_t *, const char *key);
/* The same, as a terminal may see it; in the command's arena. */
const char *told_visible(struct cli *, const json_t *, const char *key);
intmax_t told_number(const json_t *, const char *key);

#endif
