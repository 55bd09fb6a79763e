/*
 * dns_formats.h -- records in the forms that providers of DNS take.
 *
 * The promise: what is written holds exactly the records that are to be
 * published in the domain's own zone now; nothing of what must wait, or belongs
 * to other zones.
 * Not for: people (policy/record_text.h).
 * Waiting: none.
 * Memory: the caller's buffer.
 * Errors: the buffer's `full'; false: there is no such form.
 * Source: RFC 1035 5.1 (cloudflare: what its import takes); Route 53's
 * ChangeResourceRecordSets; octoDNS's YAML of records.
 */
#ifndef NM_CLI_DNS_FORMATS_H
#define NM_CLI_DNS_FORMATS_H

#include "policy/records.h"

extern const char dns_format_names[];	/* "zone, json, ..." */

bool dns_format_put(struct str format, const struct records *, struct buf *);

#endif
