/*
 * loopback.h -- what the load generator and the sink share.
 *
 * The promise: an address outside 127/8 and ::1 is refused: neither program can
 * be pointed at anybody's server.
 * Not for: the server; it has fiber/.
 * Waiting: none; sockets do not block.
 * Memory: none.
 * Errors: -1 and a line on standard error.
 * Source: SMTP over TCP, RFC 5321 3.1.
 */
#ifndef NM_BENCH_LOOPBACK_H
#define NM_BENCH_LOOPBACK_H

#include <stdint.h>
#include <sys/socket.h>

struct endpoint {
	struct sockaddr_storage address;
	socklen_t n;
};

/* "127.0.0.1:25" or "[::1]:25". */
int endpoint_parse(struct endpoint *, const char *text);

/* A listening or connecting socket, non-blocking, without Nagle's delay. */
int endpoint_listen(const struct endpoint *, int backlog);
/* source: 0, or the number of a network of 127/8 to come from. */
int endpoint_connect(const struct endpoint *, uint64_t source);
unsigned endpoint_port(int fd);

int64_t now_ns(void);			/* CLOCK_MONOTONIC: one for all processes */
uint64_t cpu_us(void);			/* of this process so far */
uint64_t fnv1a(uint64_t hash, const char *p, uint64_t n);

/* A number from the command line, or exit 64. */
uint64_t option_number(const char *name, const char *text, uint64_t most);
void files_raise(void);			/* as many descriptors as are allowed */

#define FNV_START 0xcbf29ce484222325ull

#endif
