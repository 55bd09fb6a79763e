#include "wire/ldap.h"

#include "wire/ber.h"

enum { LDAP_VERSION = 3, BIND_REQUEST = 0, UNBIND_REQUEST = 2,
	SEARCH_REQUEST = 3, EXTENDED_REQUEST = 23, SCOPE_BASE = 0,
	SCOPE_SUBTREE = 2, DEREF_NEVER = 0 };

/* ---- what a server says ---- */

static const struct { uint32_t code; const char *says; } codes[] = {
	{ 1, "an operations error" }, { 2, "a protocol error" },
	{ 3, "the time limit" }, { 4, "the size limit" },
	{ 7, "that it knows no such way to bind" },
	{ 8, "that it wants stronger authentication" },
	{ 10, "a referral" }, { 11, "an administrative limit" },
	{ 13, "that it wants TLS" },
	{ 19, "a constraint violation" }, { 32, "that there is no such object" },
	{ 34, "that the name is none" }, { 48, "inappropriate authentication" },
	{ 49, "invalid credentials" }, { 50, "insufficient access rights" },
	{ 51, "busy" }, { 52, "unavailable" }, { 53, "unwilling to perform" },
	{ 80, "other trouble" },
};

const char *
ldap_code_says(uint32_t code)
{
	for (size_t i = 0; i < sizeof codes / sizeof codes[0]; i++)
		if (codes[i].code == code)
			return codes[i].says;
	return NULL;
}

/* LDAPResult ::= SEQUENCE { resultCode ENUMERATED, matchedDN LDAPDN,
 *	diagnosticMessage LDAPString, referral [3] Referral OPTIONAL } and more */
static bool
result_read(struct str s, struct ldap_message *out)
{
	struct str matched;

	return ber_take_number(&s, BER_ENUMERATED, &out->code) &&
	    ber_take_tag(&s, BER_OCTETS, &matched) &&
	    ber_take_tag(&s, BER_OCTETS, &out->text);
}

/* LDAPMessage ::= SEQUENCE { messageID MessageID, protocolOp CHOICE {...},
 *	controls [0] Controls OPTIONAL } */
bool
ldap_read(struct str octets, struct ldap_message *out)
{
	struct str message, op, controls;
	unsigned char tag;

	*out = (struct ldap_message){ .id = 0 };
	if (!ber_take_tag(&octets, BER_SEQUENCE, &message) || octets.n > 0 ||
	    !ber_take_number(&message, BER_INTEGER, &out->id) ||
	    !ber_take(&message, &tag, &op))
		return false;
	if (message.n > 0 && (!ber_take_tag(&message, BER_CONTEXT_SET(0),
	    &controls) || message.n > 0))
		return false;
	if ((tag & 0xe0) != BER_APPLICATION_SET(0))
		return false;
	out->kind = tag & 0x1f;
	switch ((int)out->kind) {
	case LDAP_BIND_RESPONSE:
	case LDAP_SEARCH_DONE:
	case LDAP_EXTENDED_RESPONSE:
		return result_read(op, out);
	case LDAP_SEARCH_ENTRY:
		return ber_take_tag(&op, BER_OCTETS, &out->dn) &&
		    ber_take_tag(&op, BER_SEQUENCE, &out->attributes) &&
		    op.n == 0;
	case LDAP_SEARCH_REFERENCE:
	case LDAP_INTERMEDIATE:
		return true;
	default:
		return false;
	}
}

bool
ldap_attribute(struct str *attributes, struct str *name, struct str *values)
{
	struct str one;

	return ber_take_tag(attributes, BER_SEQUENCE, &one) &&
	    ber_take_tag(&one, BER_OCTETS, name) &&
	    ber_take_tag(&one, BER_SET, values);
}

bool
ldap_value(struct str *values, struct str *value)
{
	return ber_take_tag(values, BER_OCTETS, value);
}

/* ---- what a client says ---- */

static size_t
message_open(struct buf *b, uint32_t id)
{
	size_t at = ber_open(b, BER_SEQUENCE);

	ber_put_number(b, BER_INTEGER, id);
	return at;
}

/* BindRequest ::= [APPLICATION 0] SEQUENCE { version INTEGER, name LDAPDN,
 *	authentication CHOICE { simple [0] OCTET STRING, ... } } */
void
ldap_put_bind(struct buf *b, uint32_t id, struct str dn, struct str password)
{
	size_t message = message_open(b, id);
	size_t op = ber_open(b, BER_APPLICATION_SET(BIND_REQUEST));

	ber_put_number(b, BER_INTEGER, LDAP_VERSION);
	ber_put(b, BER_OCTETS, dn);
	ber_put(b, BER_CONTEXT(0), password);
	ber_close(b, op);
	ber_close(b, message);
}

/* RFC 4511 4.14.1 */
void
ldap_put_start_tls(struct buf *b, uint32_t id)
{
	size_t message = message_open(b, id);
	size_t op = ber_open(b, BER_APPLICATION_SET(EXTENDED_REQUEST));

	ber_put(b, BER_CONTEXT(0), STR("1.3.6.1.4.1.1466.20037"));
	ber_close(b, op);
	ber_close(b, message);
}

/* SearchRequest ::= [APPLICATION 3] SEQUENCE { baseObject, scope, derefAliases,
 *	sizeLimit, timeLimit, typesOnly, filter, attributes } */
bool
ldap_put_search(struct buf *b, uint32_t id, const struct ldap_search *s)
{
	size_t message = message_open(b, id), list;
	size_t op = ber_open(b, BER_APPLICATION_SET(SEARCH_REQUEST));

	ber_put(b, BER_OCTETS, s->base);
	ber_put_number(b, BER_ENUMERATED, s->is_base_only ? SCOPE_BASE :
	    SCOPE_SUBTREE);
	ber_put_number(b, BER_ENUMERATED, DEREF_NEVER);
	ber_put_number(b, BER_INTEGER, s->size_limit);
	ber_put_number(b, BER_INTEGER, s->time_limit);
	ber_put_boolean(b, false);
	if (!ldap_put_filter(b, s->filter))
		return false;
	list = ber_open(b, BER_SEQUENCE);
	for (size_t i = 0; i < s->n_attributes; i++)
		ber_put(b, BER_OCTETS, s->attributes[i]);
	/* RFC 4511 4.5.1.8: no attributes */
	if (s->n_attributes == 0)
		ber_put(b, BER_OCTETS, STR("1.1"));
	ber_close(b, list);
	ber_close(b, op);
	ber_close(b, message);
	return true;
}

/* ---- escapes ---- */

static void
hex_put(struct buf *b, char c)
{
	static const char digits[] = "0123456789abcdef";

	buf_putc(b, '\\');
	buf_putc(b, digits[(unsigned char)c >> 4]);
	buf_putc(b, digits[(unsigned char)c & 15]);
}

/* RFC 4515 3: NUL, "(", ")", "*" and "\" must be escaped; the others beyond
 * letters may. */
void
ldap_escape_filter(struct str s, struct buf *b)
{
	for (size_t i = 0; i < s.n; i++) {
		if (ascii_is_alnum(s.p[i]) ||
		    str_find(STR("@.-_+"), s.p[i]) < 5)
			buf_putc(b, s.p[i]);
		else
			hex_put(b, s.p[i]);
	}
}

/* RFC 4514 2.4: the special ones, NUL, and a space or "#" in front or a space
 * behind; a backslash and two hexadecimal digits will do for all. */
void
ldap_escape_dn(struct str s, struct buf *b)
{
	for (size_t i = 0; i < s.n; i++) {
		if (ascii_is_alnum(s.p[i]) || str_find(STR("@.-_"), s.p[i]) < 4)
			buf_putc(b, s.p[i]);
		else
			hex_put(b, s.p[i]);
	}
}
