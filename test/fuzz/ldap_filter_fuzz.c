/* A filter in text is whole elements or refused; a user's octets stay one value
 * whatever they are, in a filter and in a name. */
#include "fuzz.h"
#include "wire/ber.h"
#include "wire/ldap.h"

static char room[64 * 1024], text[16 * 1024];

static void
filter_check(struct str in)
{
	struct buf b = BUF_OF(room);
	struct str all, content;
	unsigned char tag;

	if (!ldap_put_filter(&b, in) || b.full)
		return;
	all = buf_str(&b);
	must(ber_take(&all, &tag, &content) && all.n == 0);
	must((tag & 0x80) != 0);
}

static void
escape_check(struct str in)
{
	struct buf f = BUF_OF(text), b = BUF_OF(room);
	struct str all, item, name, value;

	buf_put(&f, STR("(uid="));
	ldap_escape_filter(in, &f);
	buf_putc(&f, ')');
	if (f.full)
		return;
	must(ldap_put_filter(&b, buf_str(&f)) && !b.full);
	all = buf_str(&b);
	must(ber_take_tag(&all, BER_CONTEXT_SET(3), &item) && all.n == 0);
	must(ber_take_tag(&item, BER_OCTETS, &name) &&
	    ber_take_tag(&item, BER_OCTETS, &value) && item.n == 0);
	must(str_eq(value, in));
}

FUZZ(in)
{
	filter_check(in);
	escape_check(in);
}
