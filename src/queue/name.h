/*
 * name.h -- strings kept once and counted.
 *
 * The promise: names with the same octets are the same struct name, at the same
 * address, until the last of those who took it gave it back.
 * Not for: strings that differ for each message.
 * Waiting: none.
 * Memory: one malloc each, as their sizes differ; `memory' tells the sum.
 * Errors: name_take() is NULL when memory is refused.
 * Source: DESIGN.md section 4.
 */
#ifndef NM_QUEUE_NAME_H
#define NM_QUEUE_NAME_H

#include "base/hash.h"
#include "base/str.h"
#include "base/table.h"

enum { NAME_MOST = 255 };

struct name {
	struct table_node node;
	uint32_t refs;
	uint16_t n;
	char text[];
};

struct names {
	struct hash_key key;
	struct table table;
	size_t memory;			/* octets, of names and table */
};

void names_init(struct names *, struct hash_key);
void names_clear(struct names *);	/* none may be in use */

struct name *name_take(struct names *, struct str);	/* 0..NAME_MOST */
void name_keep(struct name *);				/* taken once more */
void name_give(struct names *, struct name *);		/* NULL allowed */

static inline struct str
name_str(const struct name *a)
{
	return a == NULL ? STR_NONE : (struct str){ a->text, a->n };
}

#endif
