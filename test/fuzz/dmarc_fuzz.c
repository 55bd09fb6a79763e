/* DMARC: whatever a record is, each tag has a value that holds; URIs that were
 * taken are of the list, and their mailboxes are mailboxes. */
#include "fuzz.h"
#include "wire/address.h"
#include "wire/dmarc.h"

static void
check_uris(struct str list)
{
	struct str rest = list;
	struct dmarc_uri uri;

	while (dmarc_uri_next(&rest, &uri)) {
		char room[400];
		struct buf b = BUF_OF(room);
		struct mailbox m;
		struct str domain;

		must(uri.uri.n > 1 && fuzz_is_inside(uri.uri, list));
		must(fuzz_is_inside(uri.mailbox, uri.uri));
		must(str_find(uri.uri, '!') == uri.uri.n);
		if (uri.mailbox.p == NULL ||
		    !dmarc_uri_mailbox(&uri, &b, &domain))
			continue;
		must(mailbox_parse(buf_str(&b), MAILBOX_STRICT, &m) == NULL);
		must(str_eq(m.domain, domain));
	}
}

FUZZ(in)
{
	struct dmarc_record r;
	enum dmarc_reading reading = dmarc_read(in, &r);

	must(str_eq(r.text, in));
	must(r.p <= DMARC_POLICY_REJECT && r.sp <= DMARC_POLICY_REJECT &&
	    r.np <= DMARC_POLICY_REJECT && r.psd <= DMARC_PSD_N);
	must(r.fo != 0 && (r.ruf.p != NULL || r.fo == DMARC_FO_0));
	must(r.has_p || (r.p == DMARC_POLICY_NONE &&
	    r.sp == DMARC_POLICY_NONE && r.np == DMARC_POLICY_NONE));
	must(r.has_sp || r.sp == r.p);
	must(r.has_np || r.np == r.sp);
	must(reading != DMARC_RECORD || r.has_p || r.rua.n > 0);
	if (reading == DMARC_NO_RECORD)
		must(r.rua.p == NULL && r.ruf.p == NULL);
	check_uris(r.rua);
	check_uris(r.ruf);
	check_uris(in);
}
