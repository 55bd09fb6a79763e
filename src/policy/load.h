/*
 * load.h -- the files of a configuration become values.
 *
 * The promise: every key of every file was looked up in the schema and its
 * value stored with its origin, or a problem was told; unknown keys with the
 * nearest known one, keys of later versions with what is so without them.
 * Not for: what values mean together (finish.h).
 * Waiting: none.
 * Memory: values in the configuration's arena, trees in the scratch arena.
 * Errors: counted among the problems.
 * Source: PRODUCT.md B.2, B.3.
 */
#ifndef NM_POLICY_LOAD_H
#define NM_POLICY_LOAD_H

#include "policy/value.h"

struct config;

/* Members of listen, domains and route while their number grows. */
struct load_member {
	struct load_member *next;
	void *member;
};

struct load {
	struct config *config;
	struct value_reader reader;
	struct yaml yaml;
	struct load_member *members[SCHEMA_SCOPES], **last[SCHEMA_SCOPES];
	size_t n[SCHEMA_SCOPES];
	bool has_listen;		/* the key is there, if empty */
};

void load_file(struct load *, struct str path);

/* The list of members as an array of pointers or structs is finish.c's. */
void load_begin(struct load *, struct config *, struct value_reader);
void load_end(struct load *);

#endif
