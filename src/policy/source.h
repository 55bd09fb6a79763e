/*
 * source.h -- where configuration gets its bytes: names in, contents out.
 *
 * The promise: config_load() reaches files, the environment and credentials
 * through these three calls only.  So master can read them with its rights and
 * hand them on, a test can give memory, and policy/ itself opens nothing.
 * A memory source also remembers what another source gave (source_record) and
 * crosses between processes as bytes (source_encode, source_decode): what the
 * worker loads is exactly what master checked.
 * Not for: anything read while mail flows.
 * Waiting: none.  A real source may block: load on a helper thread or before
 * the cores run.
 * Memory: contents are copied into the arena given; a memory source keeps its
 * own in the arena it was made with.
 * Errors: SOURCE_ABSENT, or SOURCE_TROUBLE with the reason in the trail.
 * Source: DESIGN.md sections 3 and 7; PRODUCT.md B.2 (include, secrets).
 */
#ifndef NM_POLICY_SOURCE_H
#define NM_POLICY_SOURCE_H

#include "base/arena.h"
#include "base/buf.h"

struct source_item;

enum source_status { SOURCE_FOUND, SOURCE_ABSENT, SOURCE_TROUBLE };

enum { SOURCE_FILE_MOST = 64 * 1024 * 1024 };

struct source_file {
	struct str name;
	struct str bytes;
	bool is_world_readable;		/* hashes in it deserve a warning */
	bool is_world_writable;		/* is refused */
	bool is_trusted;		/* nobody but root, and who started the
					 * server, may change it */
};

struct conf_source {
	/* A whole file by its path. */
	enum source_status (*read)(struct conf_source *, struct str path,
	    struct arena *, struct source_file *out);
	/* Paths that match a shell pattern, sorted; none is FOUND with n 0. */
	enum source_status (*glob)(struct conf_source *, struct str pattern,
	    struct arena *, struct str **paths, size_t *n);
	/* A variable of the environment. */
	enum source_status (*env)(struct conf_source *, struct str name,
	    struct arena *, struct str *value);
};

/* A source out of memory: a list of named contents. */
struct source_memory {
	struct conf_source source;	/* first */
	struct arena *arena;
	struct conf_source *behind;	/* asked for what is not here, and what
					 * it gave is kept; or NULL */
	struct source_item *items;	/* newest first */
};

void source_memory_init(struct source_memory *, struct arena *);
/* Keep a copy under this name.  -1 when the arena is full. */
int source_memory_file(struct source_memory *, struct str path,
    struct str bytes);
int source_memory_env(struct source_memory *, struct str name,
    struct str value);

/* As source_memory_init(), but asks `behind' and keeps every answer, absences
 * and globs too. */
void source_record(struct source_memory *, struct arena *,
    struct conf_source *behind);

/* All that is kept, as bytes (full when out has no room; source_encoded_size()
 * says how much); and back.  -1 when malformed. */
size_t source_encoded_size(const struct source_memory *);
void source_encode(const struct source_memory *, struct buf *out);
int source_decode(struct source_memory *, struct arena *, struct str bytes);

#endif
