/* What a worker asks the keyring to sign, and files of keys: nothing is of two
 * forms, what a key of DKIM signs names it, and no text is read as a key that
 * names another file. */
#include "fuzz.h"
#include "app/keyring_sign.h"
#include "base/err.h"
#include "trust/dkim_pair.h"

static void
check_header(struct str in)
{
	const struct str domain = STR("a.example"), selector = STR("one");

	if (!keyring_is_dkim(in, domain, selector, DKIM_RSA_SHA256))
		return;
	must(!keyring_is_handshake(in));
	must(!keyring_is_dkim(in, domain, selector, DKIM_ED25519_SHA256));
	must(!keyring_is_dkim(in, STR("b.example"), selector,
	    DKIM_RSA_SHA256));
	must(!keyring_is_dkim(in, domain, STR("two"), DKIM_RSA_SHA256));
	must(str_find_str(in, domain) < in.n);
	must(in.n < 2 || !str_has_suffix_icase(in, STR("\r\n")));
}

FUZZ(in)
{
	struct dkim_pair pair;

	check_header(in);
	if (dkim_pair_read(in, &pair) == 0) {
		must(dkim_pair_names_fit(str_of(pair.domain),
		    str_of(pair.selector)));
		must(strchr(pair.domain, '/') == NULL);
		must(pair.state < DKIM_STATES && pair.made >= 0);
		dkim_pair_free(&pair);
	}
	err_clear();
}
