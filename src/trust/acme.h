/*
 * acme.h -- what an authority says by ACME, and what is said to it.
 *
 * The promise: what acme_read_*() gives was whole and of the form that RFC 8555
 * wants; everything in it is printable, short enough, and copied; URLs are
 * https.  acme_put_*() write payloads.
 * Not for: signing (jws.h), fetching, waiting (app/acme).
 * Waiting: none.
 * Memory: the caller's arena; payloads go into the caller's buffer.
 * Errors: -1 and the trail.
 * Source: RFC 8555 6.7, 7.1, 7.3-7.6, 8; RFC 8737; RFC 9773 4, 5;
 * RFC 9110 10.2.3; RFC 8659 (caaIdentities).
 */
#ifndef NM_TRUST_ACME_H
#define NM_TRUST_ACME_H

#include "base/arena.h"
#include "base/buf.h"
#include "base/instant.h"

#include <openssl/x509.h>

enum { ACME_ISSUERS_MOST = 8, ACME_NAMES_MOST = 100,
	ACME_CERT_ID_MOST = 128, ACME_BODY_MOST = 256 * 1024 };

struct acme_directory {
	struct str new_nonce, new_account, new_order, revoke, key_change;
	struct str renewal;		/* RFC 9773; n == 0: it has none */
	struct str terms;		/* n == 0: it tells none */
	bool needs_binding;
	struct str issuers[ACME_ISSUERS_MOST];	/* for CAA */
	size_t n_issuers;
};
int acme_read_directory(struct str body, struct arena *,
    struct acme_directory *);

/* RFC 7807.  type is what follows urn:ietf:params:acme:error:, or "". */
struct acme_problem {
	struct str type, detail;
};
/* Whatever came: what cannot be read is told as it is. */
void acme_read_problem(struct str body, struct arena *, struct acme_problem *);
/* What the administrator can do about it, or NULL. */
const char *acme_advice(struct str type);

enum acme_status { ACME_PENDING, ACME_READY, ACME_PROCESSING, ACME_VALID,
	ACME_INVALID, ACME_GONE };	/* deactivated, expired, revoked */

struct acme_order {
	enum acme_status status;
	struct str finalize, certificate;	/* certificate: when VALID */
	struct str authorizations[ACME_NAMES_MOST];
	size_t n;
	struct acme_problem problem;	/* type.p == NULL: none */
};
int acme_read_order(struct str body, struct arena *, struct acme_order *);

struct acme_authorization {
	enum acme_status status;
	struct str name;
	struct str url, token;		/* of the challenge of the method asked
					 * for; url.n == 0: not offered */
	struct acme_problem problem;	/* of that challenge */
};
int acme_read_authorization(struct str body, struct str method,
    struct arena *, struct acme_authorization *);

/* RFC 9773 4.2: when to renew. */
struct acme_window {
	struct wall start, end;
	struct str why;			/* explanationURL, or "" */
};
int acme_read_window(struct str body, struct arena *, struct acme_window *);

/* RFC 9773 4.1 */
int acme_cert_id(const X509 *, struct buf *out);

/* RFC 9110 10.2.3: seconds or a date; 0: none was told. */
int64_t acme_retry_after(struct str field, struct wall now);

/* ---- payloads ---- */

/* binding: a JWS, or n == 0. */
void acme_put_account(struct buf *, struct str email, bool must_exist,
    struct str binding);
/* replaces, profile: n == 0: none. */
void acme_put_order(struct buf *, const struct str *names, size_t n,
    struct str replaces, struct str profile);
void acme_put_csr(struct buf *, struct str der);
/* reason: RFC 5280 5.3.1. */
void acme_put_revoke(struct buf *, struct str der, unsigned reason);
void acme_put_key_change(struct buf *, struct str account, struct str old_key);

/* ---- times ---- */

/* When a certificate of this life is renewed without advice: at two thirds. */
struct wall acme_renew_at(struct wall from, struct wall until);
/* How long to wait behind the nth failure in a row: 1 minute, doubling to a day,
 * each 3/4 to 5/4 of it by chance; never shorter than what was asked for. */
int64_t acme_pause_s(unsigned failures, int64_t asked_s, uint64_t chance);

#endif
