#include "wire/idna.h"

#include "wire/address.h"

#include <idn2.h>

static void
put_lower(struct buf *out, struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		buf_putc(out, ascii_lower(s.p[i]));
}

bool
idna_ascii(struct str domain, struct buf *out)
{
	char text[DOMAIN_MOST + 1];
	uint8_t *ascii = NULL;
	struct str made;
	bool fine;

	if (!domain_is_valid(domain, MAILBOX_UTF8))
		return false;
	if (str_is_ascii(domain)) {
		put_lower(out, domain);
		return !out->full;
	}
	if (!str_cstr(domain, text, sizeof text) ||
	    idn2_lookup_u8((const uint8_t *)text, &ascii, IDN2_NFC_INPUT |
	    IDN2_NONTRANSITIONAL) != IDN2_OK)
		return false;
	made = str_of((const char *)ascii);
	fine = domain_is_valid(made, MAILBOX_STRICT);
	if (fine)
		put_lower(out, made);
	idn2_free(ascii);
	return fine && !out->full;
}
