/*
 * dns_packet.h -- a DNS answer's octets as typed records.
 *
 * The promise: only what the message says about the question, following its
 * CNAMEs, comes out: records of the type asked, with names in lower case that
 * dns_name_fits(), the smallest TTL on the way, for denials that of the SOA.
 * No octet outside the message is read, no pointer followed twice.
 * Not for: asking (dns.h); nor for trust: `secure' is left alone.
 * Waiting: none.
 * Memory: records and names are in the arena.
 * Errors: -1 with a trail: malformed, more than DNS_RECORDS, no room, an rcode
 * that is neither success nor NXDOMAIN.
 * Source: RFC 1035 4.1; RFC 2308 2, 5; RFC 2181 8; RFC 6698 2.1.
 */
#ifndef NM_FIBER_DNS_PACKET_H
#define NM_FIBER_DNS_PACKET_H

#include "fiber/dns.h"

/* `name' is what was asked: lower case, no final dot. */
int dns_packet_read(struct str packet, struct str name, enum dns_type,
    struct arena *, struct dns_answer *out);

#endif
