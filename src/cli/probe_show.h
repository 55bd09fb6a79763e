/*
 * probe_show.h -- what a probe saw, for people and for programs.
 *
 * The promise: probe_print() says it in lines of text, probe_json() as one
 * object in one line; nothing in either moves a cursor.
 * Not for: the dialogue while it is spoken: probe_said_print() has its lines.
 * Waiting: none.
 * Memory: probe_json(): the probe's arena.
 * Errors: -1: no memory.
 * Source: nightmail(8), test smtp.
 */
#ifndef NM_CLI_PROBE_SHOW_H
#define NM_CLI_PROBE_SHOW_H

#include "base/json.h"
#include "cli/probe.h"

void probe_said_print(const struct probe_said *);
void probe_print(const struct probe *);
int probe_json(const struct probe *);

/* ---- their findings alone ---- */

void probe_findings_print(const struct probe *);
void probe_findings_json(struct json *, const struct probe *);

#endif
