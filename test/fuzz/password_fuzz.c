/* Stored passwords: what password_check() takes can be verified, and what it does
 * not take is never verified; cheap ones are. */
#include "fuzz.h"
#include "base/err.h"
#include "trust/password.h"

/* Those that cost milliseconds are for unit tests. */
static bool
is_cheap(struct str s)
{
	static const char *const cheap[] = { "{PLAIN", "{CLEAR", "{SSHA" };

	for (size_t i = 0; i < sizeof cheap / sizeof *cheap; i++)
		if (str_has_prefix_icase(s, str_of(cheap[i])))
			return true;
	return false;
}

FUZZ(in)
{
	bool is_plain, is_fine;
	struct arena a;
	int rc;

	err_clear();
	(void)password_is_none(in);
	is_fine = password_check(in, &is_plain) == 0;
	must(is_fine || err_text()[0] != '\0');
	must(is_fine || !is_plain);
	if (is_fine && !is_cheap(in))
		return;
	arena_init(&a, PASSWORD_SCRATCH);
	rc = password_verify(in, STR("sesame"), &a);
	must(is_fine ? rc >= 0 : rc == -1);
	arena_clear(&a);
}
