/*
 * own_address.h -- which of this machine's addresses does mail leave from?
 *
 * The promise: own_addresses() adds, of each family, the address that this
 * machine would speak to the Internet from, when that is a public one.  Nothing is
 * sent.
 * Not for: machines behind NAT; those are told dns.addresses.
 * Waiting: none.
 * Memory: the caller's array.
 * Errors: none; what cannot be had is not there.
 * Source: connect(2) and getsockname(2) of a datagram socket.
 */
#ifndef NM_CLI_OWN_ADDRESS_H
#define NM_CLI_OWN_ADDRESS_H

#include "policy/config.h"

/* Those that the configuration tells; else those that are found. */
bool own_addresses(const struct config *, struct arena *,
    struct conf_addresses *out);

#endif
