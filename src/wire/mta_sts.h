/*
 * mta_sts.h -- what a domain says of TLS to its mail exchangers.
 *
 * The promise: sts_record_choose() and sts_policy_read() take what RFC 8461
 * allows and nothing else; a policy that was read can be applied.
 * Not for: fetching and keeping (deliver/sts.h).
 * Waiting: none.
 * Memory: slices of the input.
 * Errors: false, or the sentence that says what is wrong.
 * Source: RFC 8461 3.1, 3.2, 4.1.
 */
#ifndef NM_WIRE_MTA_STS_H
#define NM_WIRE_MTA_STS_H

#include "base/str.h"

enum { STS_POLICY_MOST = 64 * 1024, STS_MX_MOST = 128, STS_ID_MOST = 32,
	STS_AGE_MOST = 31557600 };

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };

struct sts_policy {
	enum sts_mode mode;
	uint32_t max_age;		/* seconds */
	size_t n;
	struct str mx[STS_MX_MOST];	/* "mx.a.example", "*.a.example" */
};

/* The id of the one TXT record that counts. */
bool sts_record_choose(const struct str *texts, size_t n, struct str *id);

/* NULL, or what is wrong with it. */
const char *sts_policy_read(struct str text, struct sts_policy *out);

bool sts_policy_has(const struct sts_policy *, struct str host);

const char *sts_mode_name(enum sts_mode);

#endif
