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

bool
idna_mailbox(struct mailbox *m, struct buf *out)
{
	size_t local = m->text.n - m->domain.n, begins;

	if (str_is_ascii(m->domain))
		return true;
	begins = (size_t)(m->local.p - m->text.p);
	buf_put(out, str_sub(m->text, 0, local));
	if (!idna_ascii(m->domain, out))
		return false;
	m->text = buf_str(out);
	m->local = str_sub(m->text, begins, m->local.n);
	m->domain = str_sub(m->text, local, m->text.n);
	m->has_utf8 = !str_is_ascii(m->text);
	return true;
}
