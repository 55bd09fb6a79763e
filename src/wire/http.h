/*
 * http.h -- HTTP/1.1 messages, taken apart strictly.
 *
 * The promise: a head is either what RFC 9112 says or refused: CRLF only, no
 * folded lines, no space before a colon, one Content-Length, never together
 * with Transfer-Encoding, and of encodings only "chunked".  So nobody in front
 * of or behind us can see another message in the same octets.
 * Not for: meaning of methods and fields (http/).
 * Waiting: none.
 * Memory: slices of the input; decoding of %XX in the caller's buffer.
 * Errors: HTTP_BAD with the status to answer (400, 414, 431, 501, 505).
 * Source: RFC 9112 2.2, 3, 5, 6, 7.1; RFC 9110 5.6.2; RFC 3986 2.1;
 * SECURITY.md row 34.
 */
#ifndef NM_WIRE_HTTP_H
#define NM_WIRE_HTTP_H

#include "base/buf.h"

enum { HTTP_FIELDS_MOST = 64, HTTP_HEAD_MOST = 12 * 1024,
	HTTP_TARGET_MOST = 4096 };

enum http_step {
	HTTP_MORE,		/* the head is not complete */
	HTTP_DONE,
	HTTP_BAD
};

struct http_field { struct str name, value; };

struct http_head {
	struct str method, path, query;	/* of a request; raw, with %XX */
	unsigned status;		/* of a response; of HTTP_BAD: to say */
	bool is_1_0;
	size_t n;
	struct http_field fields[HTTP_FIELDS_MOST];
	bool has_length, is_chunked, keeps_alive, expects_continue;
	uint64_t length;		/* of the body, octets */
};

/* *used: octets of the head, when DONE. */
enum http_step http_request(struct str bytes, struct http_head *out,
    size_t *used);
enum http_step http_response(struct str bytes, struct http_head *out,
    size_t *used);

/* The first field of that name, any case; STR_NONE. */
struct str http_field(const struct http_head *, struct str name);

/* The chunked coding, fed pieces cut anywhere. */
struct http_chunks {
	unsigned state;
	uint64_t left;			/* octets of the chunk */
	unsigned digits, line;		/* octets of the line so far */
	bool has_ended, is_bad;
};
/* The next run of content off the front of *in; false when *in is used up, the
 * body has ended, or is bad. */
bool http_chunks_next(struct http_chunks *, struct str *in, struct str *out);

/* The value of key in "a=b&c=d", %XX and + decoded into out.  False: absent,
 * malformed or too long. */
bool http_query(struct str query, struct str key, struct buf *out);
/* %XX decoded. */
bool http_decode(struct str, bool plus_is_space, struct buf *out);
/* Unreserved characters as they are, others as %XX. */
void http_encode(struct buf *, struct str);

#endif
