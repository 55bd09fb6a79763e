/* Domains: whatever becomes ASCII is a domain, in lower case, and stays what it
 * is when it is asked for again. */
#include "fuzz.h"
#include "wire/address.h"
#include "wire/idna.h"

FUZZ(in)
{
	char room[DOMAIN_MOST], again[DOMAIN_MOST];
	struct buf b = BUF_OF(room), c = BUF_OF(again);

	if (!idna_ascii(in, &b))
		return;
	must(domain_is_valid(buf_str(&b), MAILBOX_STRICT));
	for (size_t i = 0; i < b.n; i++)
		must(ascii_lower(b.p[i]) == b.p[i]);
	must(idna_ascii(buf_str(&b), &c) && str_eq(buf_str(&b), buf_str(&c)));
}
