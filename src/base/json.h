/*
 * json.h -- JSON out, by one writer that cannot be talked into bad syntax.
 *
 * The promise: what is written is valid UTF-8 JSON: commas are its own affair,
 * quotes, control characters and all that a person cannot see are escaped,
 * malformed UTF-8 becomes U+FFFD, keys come in the order written.  Reading
 * JSON is jansson's work; no name here is one of jansson's.
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
};

void json_begin(struct json *, struct buf *out);
/* key is NULL inside arrays and at the top. */
void json_put_object(struct json *, const char *key);
void json_end_object(struct json *);
void json_put_array(struct json *, const char *key);
void json_end_array(struct json *);
void json_put_str(struct json *, const char *key, struct str);
/* At most `most' octets between the quotes, cut between characters. */
void json_put_cut(struct json *, const char *key, struct str, size_t most);
void json_put_u64(struct json *, const char *key, uint64_t);
void json_put_i64(struct json *, const char *key, int64_t);
void json_put_bool(struct json *, const char *key, bool);
void json_put_null(struct json *, const char *key);
void json_put_wall(struct json *, const char *key, struct wall);	/* RFC 3339 */

/* "2026-11-20T13:40:01.121Z" */
struct wall_text { char text[32]; };
struct wall_text wall_print(struct wall);

#endif
