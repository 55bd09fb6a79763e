/*
 * json.h -- JSON out, by one writer that cannot be talked into bad syntax.
 *
 * The promise: what is written is valid UTF-8 JSON: commas are its own affair,
 * control characters, quotes and malformed UTF-8 are escaped (the last as
 * U+FFFD), keys come in the order written.  Reading JSON is jansson's work.
 * Not for: documents larger than the buffer; write JSON Lines, one by one.
 * Waiting: none.
 * Memory: writes into the caller's struct buf.
 * Errors: the buffer's `full'.
 * Source: RFC 8259.
 */
#ifndef NM_BASE_JSON_H
#define NM_BASE_JSON_H

#include "base/buf.h"
#include "base/instant.h"

enum { JSON_DEPTH = 16 };

struct json {
	struct buf *out;
	unsigned depth;
	bool has_member[JSON_DEPTH];
	bool after_key;
};

void json_begin(struct json *, struct buf *out);
/* key is NULL inside arrays and at the top. */
void json_object(struct json *, const char *key);
void json_object_end(struct json *);
void json_array(struct json *, const char *key);
void json_array_end(struct json *);
void json_str(struct json *, const char *key, struct str);
void json_u64(struct json *, const char *key, uint64_t);
void json_i64(struct json *, const char *key, int64_t);
void json_bool(struct json *, const char *key, bool);
void json_null(struct json *, const char *key);
void json_wall(struct json *, const char *key, struct wall);	/* RFC 3339 */

/* "2026-11-20T13:40:01.121Z" */
struct wall_text { char text[32]; };
struct wall_text wall_print(struct wall);

#endif
