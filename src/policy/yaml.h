/*
 * yaml.h -- YAML without the traps, as a tree that knows where it stands.
 *
 * The promise: what comes back is maps, lists and texts, each with its place in
 * the file; a scalar stays text, the schema gives it a type.  Refused, with a
 * caret: anchors, aliases, merge keys, tags, several documents, a key twice, a
 * key that is not a text, texts of several lines, escapes other than \" and \\,
 * tabs, control characters, what is not UTF-8, depth beyond YAML_DEPTH.
 * Not for: YAML in general, or writing it.
 * Waiting: none, but libfyaml runs in here: not on a fiber (config.h).
 * Memory: the tree lives in the arena; libfyaml's own memory ends with
 * yaml_parse().  yaml_end() gives back the index of keys.
 * Errors: among the problems; NULL when there is no tree worth looking at.
 * Source: YAML 1.2; PRODUCT.md B.2.
 */
#ifndef NM_POLICY_YAML_H
#define NM_POLICY_YAML_H

#include "base/table.h"
#include "policy/problem.h"
#include "policy/source.h"

enum { YAML_DEPTH = 16 };

enum node_kind { NODE_TEXT, NODE_LIST, NODE_MAP };

struct node {
	struct table_node in_map;	/* by parent's serial and key */
	uint64_t serial;
	enum node_kind kind;
	bool is_empty;			/* "key:" and nothing behind it */
	bool is_broken;			/* told already: say nothing more */
	struct str text;
	struct place at;
	struct str key;			/* of a member of a map */
	struct place key_at;
	struct node *parent, *first, *last, *next;
	size_t n;			/* members */
};

struct yaml {
	struct arena *arena;
	struct problems *problems;
	struct table members;
	uint64_t serial;
};

void yaml_begin(struct yaml *, struct arena *, struct problems *);
void yaml_end(struct yaml *);

/* The map at the top of the file; an empty file is an empty map. */
struct node *yaml_parse(struct yaml *, const struct source_file *);

struct node *yaml_get(const struct yaml *, const struct node *map,
    struct str key);

/* Maps are united, lists appended; a text that both have is an error that
 * shows both places.  `from' is used up. */
void yaml_merge(struct yaml *, struct node *into, struct node *from);

#endif
