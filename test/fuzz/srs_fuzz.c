/* SRS: what we rewrite comes back, and nothing else does. */
#include "fuzz.h"
#include "trust/srs.h"
#include "wire/address.h"
#include "wire/srs.h"

static const unsigned char octets[SRS_SECRET] = "not the one that a server has...";
static const struct str secret = STR_INIT("neither is this a secret");

FUZZ(in)
{
	unsigned choice = fuzz_choice(&in);
	struct wall now = { (int64_t)(choice * 40U + 1) * 86400 * US_PER_SECOND };
	struct srs_keys keys = { .given = &secret, .n_given = choice % 2,
		.made = octets };
	char room[2 * LOCAL_MOST + DOMAIN_MOST], back_room[2 * MAILBOX_TEXT],
	    want_room[2 * MAILBOX_TEXT], local_room[LOCAL_MOST];
	struct buf us = BUF_OF(room), back = BUF_OF(back_room),
	    want = BUF_OF(want_room), local = BUF_OF(local_room), none = back;
	struct mailbox m;
	struct srs srs;

	if (srs_read(in, &srs)) {
		must(srs_is_meant(in) && fuzz_is_inside(srs.local, in));
		must(fuzz_is_inside(srs.domain, in) && srs.hash.n > 0);
	}
	/* nobody guesses it */
	must(srs_take_back(&keys, now, in, &none) != SRS_GOOD);
	if (mailbox_parse(in, MAILBOX_UTF8, &m) != NULL || m.domain_is_literal ||
	    !domain_is_valid(m.domain, MAILBOX_STRICT))
		return;
	mailbox_local(&m, &local);
	if (local.n == 0 ||
	    !srs_rewrite(&keys, now, buf_str(&local), m.domain, &us))
		return;
	must(us.n <= LOCAL_MOST && srs_read(buf_str(&us), &srs));
	must(srs_take_back(&keys, now, buf_str(&us), &back) == SRS_GOOD);
	mailbox_print(buf_str(&local), m.domain, &want);
	if (!srs.is_second)
		must(str_eq(buf_str(&back), buf_str(&want)));
	else
		must(str_has_prefix_icase(buf_str(&back), STR("SRS0")) ||
		    str_has_prefix_icase(buf_str(&back), STR("\"SRS0")));
}
