/*
 * net.h -- addresses, listeners and connections.
 *
 * The promise: a struct address is an IPv4 or IPv6 address with port, or a
 * Unix path; IPv4-mapped IPv6 becomes IPv4 at the door.  Descriptors are ours,
 * non-blocking and close-on-exec.
 * Not for: names; ask dns.h.
 * Waiting: net_accept() and net_connect() yield, to their deadline.
 * Memory: values; a struct net_end is opaque to all but stream and world.
 * Errors: -1 and the trail.  net_accept() out of descriptors pauses 100 ms by
 * itself and tells once (SECURITY.md row 26); it takes the last 64 from nobody,
 * net_connect() the last 32: files must still be opened.
 * Source: RFC 4291, RFC 5952 (text form of IPv6).
 */
#ifndef NM_FIBER_NET_H
#define NM_FIBER_NET_H

#include "fiber/fiber.h"

enum { ADDRESS_PATH_MOST = 104 };	/* with its NUL; sockaddr_un has 108 */

enum address_family { ADDRESS_NONE, ADDRESS_V4, ADDRESS_V6, ADDRESS_UNIX };

struct address {
	enum address_family family;
	uint16_t port;
	union {
		unsigned char ip[16];		/* V4 uses the first four */
		char path[ADDRESS_PATH_MOST];
	} of;
};

struct address_text { char text[112]; };

bool address_parse(struct str ip, uint16_t port, struct address *out);
struct address_text address_print(const struct address *);	/* no port */
bool address_eq_ip(const struct address *, const struct address *);
bool address_is_loopback(const struct address *);

/* "192.0.2.0/24" or a bare address; no bits may be set behind the prefix. */
struct network { struct address base; unsigned bits; };
bool network_parse(struct str, struct network *out);
bool network_has(const struct network *, const struct address *);
/* The client's network for limits: /24 of IPv4, /64 of IPv6. */
struct address address_network(const struct address *);

/* One end of a connection, or a listener: how the world numbers it. */
struct net_end;

/* Bind and listen with SO_REUSEPORT; or adopt a descriptor bound by master. */
struct net_end *net_listen(const struct address *);
struct net_end *net_adopt_listener(int fd);
/* A connected descriptor from master, which is closed on failure. */
struct net_end *net_adopt(int fd);
yields struct net_end *net_accept(struct net_end *listener, struct address *peer,
    struct mono deadline);

/* From `source' when its family is not ADDRESS_NONE. */
yields struct net_end *net_connect(const struct address *to,
    const struct address *source, struct mono deadline);
void net_close(struct net_end *);
bool net_local(const struct net_end *, struct address *out);
/* Of a Unix connection: who is there (SO_PEERCRED). */
bool net_peer_uid(const struct net_end *, unsigned *uid, unsigned *gid);

/* Wait for an edge: 0, or -1 at the deadline or when it was stopped.  One
 * reader and one writer at a time.  Who never has to wait lets others run here all
 * the same, once in a while; so does net_accept(). */
yields int net_wait_readable(struct net_end *, struct mono deadline);
yields int net_wait_writable(struct net_end *, struct mono deadline);

/* Files and connections that this process may have at once. */
unsigned net_descriptors(void);

/* Who is told, once each time, that descriptors ran out; NULL: nobody. */
extern void (*net_tell)(const char *text);

/* Wake whoever waits in net_accept() on it with an error, for good. */
void net_stop_listening(struct net_end *);

#endif
