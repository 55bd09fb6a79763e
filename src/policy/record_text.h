/*
 * record_text.h -- DNS records as people and servers of names write them.
 *
 * The promise: what record_put_line() writes is a line of a master file that
 * means exactly this record, with a TXT in strings of 255 octets at most;
 * records_put_zone() writes all of them, what belongs to other zones or must
 * wait as comments, each with the reason why.
 * Not for: forms of providers (cli/dns_formats.h).
 * Waiting: none.
 * Memory: the caller's buffer.
 * Errors: the buffer's `full'.
 * Source: RFC 1035 3.3, 5.1; RFC 2782; RFC 6698 2.2; RFC 8659 4.1.1.
 */
#ifndef NM_POLICY_RECORD_TEXT_H
#define NM_POLICY_RECORD_TEXT_H

#include "policy/records.h"

enum { RECORD_STRING_MOST = 255 };

const char *dns_type_name(enum dns_type);	/* "TXT" */
/* The data, as it stands behind the type. */
void record_put_data(const struct dns_entry *, struct buf *);
/* The data of any record that the DNS gave. */
void answer_put_data(const struct dns_record *, enum dns_type, struct buf *);
/* "name. TYPE data", without the end of the line. */
void record_put_line(const struct dns_entry *, struct buf *);
void records_put_zone(const struct records *, struct buf *);
/* Text in strings of at most 255 octets, with quotes and what they need. */
void text_put_strings(struct str text, struct buf *);

#endif
