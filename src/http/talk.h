/*
 * talk.h -- one HTTP/1.1 conversation over a stream, as the server.
 *
 * The promise: talk_hear() gives the next request whole or answers a malformed
 * one itself; each request gets exactly one response, with its length or in
 * chunks; what of a body was not read is read away, or the connection ends.
 * Not for: deciding what a path means (route.def), or TLS.
 * Waiting: all but talk_init() yield, until the deadlines TALK_HEAD_S for a head
 * and TALK_BODY_S for each piece of a body, and until talk_hurry()'s.
 * Memory: the request's head and what handlers need in `arena', cleared by the
 * next talk_hear().
 * Errors: the stream's trouble; talk_hear() is then -1.
 * Source: RFC 9110; RFC 9112; SECURITY.md row 34.
 */
#ifndef NM_HTTP_TALK_H
#define NM_HTTP_TALK_H

#include "base/arena.h"
#include "fiber/fiber.h"
#include "fiber/stream.h"
#include "wire/http.h"

enum { TALK_HEAD_S = 30, TALK_BODY_S = 60, TALK_MEMORY = 1024 * 1024 };

struct talk {
	struct stream net;
	struct arena arena;
	struct http_head *head;		/* of the request under way */
	struct http_chunks chunks;
	uint64_t body_left;
	size_t body_given;		/* octets of the buffer handed out */
	const char *allow;		/* set before a 405: what it would take */
	struct mono end;		/* 0, or when all of it is over */
	bool has_answered, in_chunks, must_close;
	bool lacks_memory;		/* a parameter was there, but no room */
};

void talk_init(struct talk *, struct net_end *);
void talk_close(struct talk *);

/* The next request.  -1: no more. */
yields int talk_hear(struct talk *);

/* The next run of its body, good until the next call: 1, 0 at the end, or -1. */
yields int talk_body(struct talk *, struct str *out);

/* The whole response. */
yields void talk_say(struct talk *, unsigned status, const char *type,
    struct str body);
/* {"error": text, "code": code} */
yields void talk_error(struct talk *, unsigned status, const char *code,
    const char *fmt, ...) __attribute__((format(printf, 4, 5)));
/* A response of unknown length. */
yields void talk_begin(struct talk *, unsigned status, const char *type);
yields void talk_piece(struct talk *, struct str);
yields void talk_end(struct talk *);
/* Instead of talk_end(): it is not whole, and the client shall know. */
void talk_cut(struct talk *);

/* Nothing of it lasts longer: who is waited for is hurried, who begins something
 * has only so long. */
void talk_hurry(struct talk *, struct mono at);

/* A parameter of the query, decoded, in the arena; STR_NONE: absent, or (then
 * lacks_memory tells) there is no room. */
struct str talk_query(struct talk *, struct str key);

#endif
