/*
 * keyring_store.h -- a directory where the keyring keeps what it made.
 *
 * The promise: a file is there whole or not at all, in a power cut too: written
 * beside, synced, renamed, and the directory synced; nobody but the keyring's
 * user may read it.  store_open() makes the directory where it is missing.  In
 * tls.state are
 *
 *	account.key	the account of ACME
 *	account.next	its next key, until the authority has taken it
 *	KIND.next	the key of a certificate that is asked for
 *	KIND.pem	a key, its certificate and what leads to the issuer
 *
 * and in dkim.state what keyring_dkim.h says.
 * Not for: the files of tls.cert and tls.key, which are others'.
 * Waiting: blocks on the disk.
 * Memory: what it read is the caller's.
 * Errors: -1 and the trail; store_has() tells what is missing apart.
 * Source: DESIGN.md section 7; rename(2); RFC 7468.
 */
#ifndef NM_APP_KEYRING_STORE_H
#define NM_APP_KEYRING_STORE_H

#include "trust/certificate.h"

#include <sys/types.h>

struct keyring_store {
	int fd;				/* the directory; -1: none */
	const char *key;		/* of the configuration, for words */
};

enum { STORE_NAME_MOST = 32 };

/* With master's rights; it will belong to this user. */
int store_open(struct keyring_store *, const char *key, struct str path, uid_t,
    gid_t);
bool store_has(const struct keyring_store *, const char *name);
/* NULL and the trail. */
EVP_PKEY *store_key(const struct keyring_store *, const char *name);
int store_key_keep(const struct keyring_store *, const char *name, EVP_PKEY *);
/* A key and its certificate. */
int store_pair(const struct keyring_store *, const char *name,
    struct certificate *, EVP_PKEY **);
int store_pair_keep(const struct keyring_store *, const char *name,
    const struct certificate *, EVP_PKEY *);
/* A file's octets, malloc'd; what is longer is cut.  They hold a key: wiped and
 * freed by store_forget().  NULL and the trail. */
char *store_text(const struct keyring_store *, const char *name, size_t most,
    struct str *out);
void store_forget(char *, struct str);
int store_text_keep(const struct keyring_store *, const char *name, struct str);
/* All that is there, "." and ".." too. */
int store_list(const struct keyring_store *,
    void (*each)(void *arg, const char *name), void *arg);
int store_move(const struct keyring_store *, const char *from, const char *to);
int store_drop(const struct keyring_store *, const char *name);

#endif
