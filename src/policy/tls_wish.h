/*
 * tls_wish.h -- what the operator wants of TLS to other servers.
 *
 * The promise: a wish is whole: its level, the names that a certificate should
 * have, and the anchors that may vouch for it, as the files said when the
 * configuration was read.  tls_wish_context() is what connections are made with,
 * one on each core, as long as the configuration lives.
 * Not for: what a domain says of itself (deliver/security.h).
 * Waiting: none.  The first call of tls_wish_context() reads some 150
 * certificates: a few milliseconds of work.
 * Memory: the configuration's arena, on which both clear() hang: what is
 * OpenSSL's goes when nobody has the configuration any more.
 * Errors: NULL or -1 and the trail.
 * Source: RFC 7435; RFC 9525; RFC 8446 4.4.2.
 */
#ifndef NM_POLICY_TLS_WISH_H
#define NM_POLICY_TLS_WISH_H

#include "fiber/core.h"
#include "policy/config.h"
#include "trust/tls_demand.h"

/* Certificates that are believed, out of one file. */
struct anchors {
	struct anchors *next;		/* in config->anchors */
	struct str path;		/* n == 0: there is none */
	struct str pem;
	size_t n;			/* certificates; 0: not counted yet */
	X509_STORE *_Atomic store;	/* made when it is asked for */
};

struct tls_wish {
	struct str by;			/* "outbound.tls", "route[2]" */
	enum tls_level level;
	struct conf_strings names;	/* n == 0: see security.h */
	struct anchors *anchors;
	struct tls_context *contexts[CORES_MOST];
};

/* How many certificates a file has; -1: none, or what is none. */
int anchors_count(struct str pem, size_t *n);

/* On a core.  NULL only for want of memory. */
struct tls_context *tls_wish_context(struct tls_wish *);
void tls_wish_clear(void *wish);
void anchors_clear(void *anchors);

#endif
