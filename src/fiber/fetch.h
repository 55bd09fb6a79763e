/*
 * fetch.h -- one HTTP request to a server elsewhere, and its reply.
 *
 * The promise: fetch() says one request to the host of the URL and gives back
 * the status, the head and the body, all within the deadline and the sizes
 * given.  Over https the certificate leads to an anchor and has the host's name,
 * TLS is 1.2 or more.  No redirect is followed, no cookie kept, no proxy heeded,
 * nothing decompressed; a name is looked up by dns.h and by nobody else, and of
 * its addresses, both families, several are tried.
 * Not for: the control socket (http/), or many requests a second: each has a
 * connection of its own.
 * Waiting: yields, to the deadline, on a patient helper thread; fetch_hurry()
 * ends all that are under way.
 * Memory: the answer is in the arena, which gives the sizes asked for at once.
 * Errors: -1, the trail, and which of enum fetch_trouble; any status that a
 * server replied is an answer.
 * Source: RFC 9110; RFC 9112; RFC 9525; RFC 8461 3.3; DESIGN.md law 4.
 */
#ifndef NM_FIBER_FETCH_H
#define NM_FIBER_FETCH_H

#include "base/arena.h"
#include "fiber/fiber.h"

enum { FETCH_URL_MOST = 2048, FETCH_HEAD_MOST = 16 * 1024,
	FETCH_HEADERS_MOST = 16, FETCH_ADDRESSES_MOST = 8 };

enum fetch_method { FETCH_GET, FETCH_HEAD, FETCH_POST };

enum fetch_trouble {
	FETCH_WELL,
	FETCH_MISUSED,		/* the URL or a header is none */
	FETCH_NAME,		/* no address of the host is known */
	FETCH_UNREACHED,	/* nobody answers there */
	FETCH_TLS,		/* no TLS came to be */
	FETCH_CERTIFICATE,	/* it is not trusted, or another's */
	FETCH_BIG,		/* more octets than were asked for */
	FETCH_LATE,		/* the deadline */
	FETCH_BROKEN,		/* what came is no HTTP, or ends early */
	FETCH_STOPPED,		/* fetch_hurry() */
	FETCH_BUSY		/* no memory here */
};

struct fetch_header { struct str name, value; };

struct fetch_ask {
	enum fetch_method method;
	struct str url;			/* https://host[:port]/path[?query] */
	const struct fetch_header *headers;
	size_t n_headers;
	struct str body;		/* of a POST */
	size_t body_most;		/* octets of the reply's body */
	struct mono deadline;
	struct str anchors;		/* PEM; p == NULL: the system's */
	bool may_be_plain;		/* http:// too */
	struct arena *arena;
};

struct fetch_answer {
	enum fetch_trouble trouble;
	unsigned status;		/* 200 */
	struct str head;		/* its fields, as they came */
	struct str body;
};

yields int fetch(const struct fetch_ask *, struct fetch_answer *);

/* The first field of that name, any case, trimmed; STR_NONE. */
struct str fetch_field(const struct fetch_answer *, struct str name);

/* Before the cage is entered and any thread is started: the library is made
 * ready, and the system's anchors are read. */
int fetch_prepare(void);

/* This process is about to end: nobody waits for a server elsewhere. */
void fetch_hurry(void);

#endif
