/*
 * pair.h -- a certificate's file and its key's, read and held together.
 *
 * The promise: after pair_read() said 0 the key belongs to the certificate and
 * the world may not read it.
 * Not for: a process that talks with the network: keys are read by the keyring,
 * and by check-config.
 * Waiting: blocks on the disk.
 * Memory: pair_free(); the key's text is wiped.
 * Errors: -1 and the trail: which file, and what is wrong with it.
 * Source: SECURITY.md row 39; trust/certificate.h.
 */
#ifndef NM_CLI_PAIR_H
#define NM_CLI_PAIR_H

#include "trust/certificate.h"

struct pair {
	struct certificate cert;
	EVP_PKEY *key;
};

int pair_read(struct str cert_path, struct str key_path, struct pair *out);
void pair_free(struct pair *);

#endif
