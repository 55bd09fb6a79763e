/* What a directory says is read within its octets. */
#include "fuzz.h"
#include "wire/ber.h"
#include "wire/ldap.h"

static void
answer_check(struct str in)
{
	struct ldap_message m;
	struct str rest, name, values, value;
	int64_t n = ber_length(in, LDAP_MESSAGE_MOST);

	must(n <= LDAP_MESSAGE_MOST);
	if (!ldap_read(in, &m))
		return;
	must(n == (int64_t)in.n || in.n > LDAP_MESSAGE_MOST);
	must(fuzz_is_inside(m.dn, in) && fuzz_is_inside(m.text, in));
	rest = m.attributes;
	while (ldap_attribute(&rest, &name, &values))
		while (ldap_value(&values, &value))
			must(fuzz_is_inside(value, in) &&
			    fuzz_is_inside(name, in));
}

FUZZ(in)
{
	answer_check(in);
}
