/*
 * tls_rpt.h -- reports of TLS: what is in one, and how it is written.
 *
 * The promise: tls_rpt_begin(), _policy() for each, with _failure() for each
 * between _policy() and _policy_end(), and tls_rpt_end() write the JSON that RFC
 * 8460 4.4 has, whatever the texts are.
 * Not for: reading (tls_rpt_read.h).
 * Waiting: none.
 * Memory: slices; written into the caller's buffer, which may be emptied between
 * the calls; TLS_RPT_PIECE suffices for what comes from the kept events.
 * Errors: `full' of the buffer.
 * Source: RFC 8460 4.3, 4.4, and erratum 6241 of it ("policy-string",
 * "mx-host" are arrays).
 */
#ifndef NM_WIRE_TLS_RPT_H
#define NM_WIRE_TLS_RPT_H

#include "base/json.h"

enum { TLS_RPT_PIECE = 64 * 1024 };

enum tls_rpt_type { TLS_RPT_NO_POLICY, TLS_RPT_STS, TLS_RPT_TLSA };

struct tls_rpt {
	struct str organization, contact, report_id;
	struct wall begin, end;
};

struct tls_rpt_policy {
	enum tls_rpt_type type;
	struct str domain;
	const struct str *strings;	/* "policy-string", in order */
	size_t n_strings;
	const struct str *mx_hosts;	/* patterns of MTA-STS */
	size_t n_mx_hosts;
	uint64_t n_good, n_failed;	/* sessions */
};

/* Texts that are absent have n == 0. */
struct tls_rpt_failure {
	struct str result;		/* "certificate-expired": the list grows */
	struct str sending_ip, mx_host, mx_helo, mx_ip;
	struct str information, reason;
	uint64_t count;			/* sessions */
};

const char *tls_rpt_type_name(enum tls_rpt_type);
bool tls_rpt_type_of(struct str name, enum tls_rpt_type *);

struct tls_rpt_writer {
	struct json json;
	bool has_failure;
};

void tls_rpt_begin(struct tls_rpt_writer *, struct buf *out,
    const struct tls_rpt *);
void tls_rpt_policy(struct tls_rpt_writer *, const struct tls_rpt_policy *);
void tls_rpt_failure(struct tls_rpt_writer *, const struct tls_rpt_failure *);
void tls_rpt_policy_end(struct tls_rpt_writer *);
void tls_rpt_end(struct tls_rpt_writer *);

/* Who wants such reports: the list of URIs in the one record that counts of the
 * TXT records at _smtp._tls (RFC 8460 3).  False: nobody. */
bool tls_rpt_rua(const struct str *texts, size_t n, struct str *rua);

#endif
