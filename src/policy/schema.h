/*
 * schema.h -- the table of keys: conf.def, compiled.
 *
 * The promise: every key that nightmail.yaml may hold is a row here, sorted by
 * its path; a path has "*" for a member's own name and "[]" for a member of a
 * list.  Rows say type, place, default, range and words of explanation.
 * Not for: values (value.h) or the whole file (load.c).
 * Waiting: none.
 * Memory: static.
 * Errors: NULL when there is no such key.
 * Source: PRODUCT.md B.2, "one C table, five outputs".
 */
#ifndef NM_POLICY_SCHEMA_H
#define NM_POLICY_SCHEMA_H

#include "base/str.h"


enum schema_kind { SCHEMA_KEY, SCHEMA_SECTION, SCHEMA_EACH, SCHEMA_SAME,
	SCHEMA_LATER };

/* What a value is.  The C type behind it stands at the right. */
enum schema_type {
	TYPE_NONE,
	TYPE_ADDRESSES,		/* struct conf_addresses */
	TYPE_DATE,		/* struct wall */
	TYPE_DOMAIN,		/* struct str, lower case */
	TYPE_DURATION,		/* int64_t, ns */
	TYPE_DURATIONS,		/* struct conf_durations */
	TYPE_ENUM,		/* unsigned: which of the words */
	TYPE_FINGERPRINTS,	/* struct conf_strings: of certificates */
	TYPE_INCLUDE,		/* nothing: the loader's own */
	TYPE_INTEGER,		/* uint64_t */
	TYPE_LMTP,		/* struct relay *, is_lmtp */
	TYPE_MAILBOX,		/* struct str */
	TYPE_NETWORKS,		/* struct conf_networks */
	TYPE_PATH,		/* struct str */
	TYPE_PATHS,		/* struct conf_strings */
	TYPE_PATTERNS,		/* struct conf_strings, lower case */
	TYPE_PIPE,		/* struct pipe * */
	TYPE_RATE,		/* struct rate */
	TYPE_RELAY,		/* struct relay * */
	TYPE_SECRET,		/* struct str, from elsewhere */
	TYPE_SECRETS,		/* struct str, a secret a line, from elsewhere */
	TYPE_SENDERS,		/* struct conf_strings: account_sender_read() */
	TYPE_SHARES,		/* struct conf_shares: a map of names and weights */
	TYPE_SIZE,		/* uint64_t, octets */
	TYPE_STRING,		/* struct str */
	TYPE_STRINGS,		/* struct conf_strings */
	TYPE_TEMPLATE,		/* struct str: a path with %u, %d, ~/ */
	TYPE_USERS,		/* struct conf_strings */
	TYPE_WORDS,		/* struct conf_strings: some of the words */
	SCHEMA_TYPES
};

enum schema_scope { SCOPE_account_rule, SCOPE_config, SCOPE_domain,
	SCOPE_listener, SCOPE_pool_rule, SCOPE_provider, SCOPE_route_rule,
	SCOPE_source_rule, SCOPE_tenant_rule, SCOPE_transport, SCHEMA_SCOPES };

enum schema_when { RELOAD, RESTART };

struct schema {
	enum schema_kind kind;
	const char *path;
	enum schema_type type;
	enum schema_scope scope;	/* EACH: of its members */
	size_t at;			/* of the field in the scope's struct */
	const char *fallback;		/* the default as text; NULL: none */
	uint64_t least, most;		/* both 0: no range */
	const char *words;		/* "a|b" to choose from; else one that
					 * stands for zero or nothing */
	enum schema_when when;
	const char *doc;		/* SAME: the other path.  LATER: what
					 * is so without it */
};

extern const struct schema schema_rows[];
extern const size_t schema_n;

const struct schema *schema_find(struct str path);
/* Like schema_find(), but takes a path as people write it: "listen[0].port",
 * "listen.port", "domains.example.org.users". */
const struct schema *schema_find_loose(struct str path);

/* Rows directly below path ("" for the top): first, then next; NULL at the
 * end.  "domains.*" is below "domains", "listen[]" below "listen". */
const struct schema *schema_first(struct str path);
const struct schema *schema_next(struct str path, const struct schema *);

/* Is it directly below path? */
bool schema_is_below(const struct schema *, struct str path);

/* Is what stands there nobody's business, however it was given? */
bool schema_is_secret(const struct schema *);
/* The last name of a path. */
struct str schema_name(const struct schema *);
/* Of a map whose keys are names that the operator chose: the row "*" that all of
 * it is a value of; else NULL. */
const struct schema *schema_any(const struct schema *each);
/* "a duration", "a list of networks", ... */
const char *schema_type_says(enum schema_type);
const char *schema_type_examples(enum schema_type);	/* or NULL */

/* Is it one or some of the row's words? */
bool schema_type_chooses(enum schema_type);

/* Walk "a|b|c": the next word off *words; false at the end. */
bool schema_word(struct str *words, struct str *word);

/* The key below `parent' whose name is nearest to what was written, or a key of
 * that very name elsewhere; NULL when nothing is near. */
const struct schema *schema_guess(struct str parent, struct str name);

#endif
