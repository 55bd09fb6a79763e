/*
 * id.h -- a message's name, in numbers and in thirteen characters.
 *
 * The promise: u64 = node (10 bits), spool (8), counter (46); printed as 13
 * characters of Crockford's base 32 (digits and capitals without I L O U), the
 * same everywhere a person or a program meets it.  Reading takes either case,
 * and I, L as 1 and O as 0.
 * Not for: secrets: ids can be guessed.
 * Waiting: none.
 * Memory: none.
 * Errors: id_parse() is false when it is not thirteen such characters.
 * Source: DESIGN.md section 5; Crockford, "Base 32".
 */
#ifndef NM_BASE_ID_H
#define NM_BASE_ID_H

#include "base/str.h"

enum { ID_CHARS = 13, ID_COUNTER_BITS = 46, ID_SPOOL_BITS = 8 };

struct id_text { char text[ID_CHARS + 1]; };

uint64_t id_make(unsigned node, unsigned spool, uint64_t counter);
unsigned id_spool(uint64_t id);
struct id_text id_print(uint64_t id);
bool id_parse(struct str, uint64_t *id);

#endif
