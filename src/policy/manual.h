/*
 * manual.h -- the schema table as a manual page and as a JSON Schema.
 *
 * The promise: nightmail.yaml(5) and nightmail.schema.json say what the
 * validator does, because both are printed from its table (conf.def).
 * Not for: hot paths.
 * Waiting: none.
 * Memory: lines go to the caller one by one, without newline.
 * Errors: none.
 * Source: PRODUCT.md B.2; mdoc(7); JSON Schema draft 2020-12.
 */
#ifndef NM_POLICY_MANUAL_H
#define NM_POLICY_MANUAL_H

#include "policy/show.h"

void manual_page(struct show_lines *);
void manual_json_schema(struct show_lines *);

#endif
