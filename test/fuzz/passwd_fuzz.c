/* passwd-file lines: every field is a part of the line. */
#include "fuzz.h"
#include "wire/passwd.h"

FUZZ(in)
{
	const char *why = NULL;
	struct passwd p;

	switch (passwd_parse(in, &p, &why)) {
	case PASSWD_BLANK:
		break;
	case PASSWD_BAD:
		must(why != NULL);
		break;
	case PASSWD_ENTRY:
		must(why == NULL && p.user.n > 0);
		must(fuzz_is_inside(p.user, in) && fuzz_is_inside(p.hash, in));
		must(fuzz_is_inside(p.scheme, in));
		must(fuzz_is_inside(p.home, in) && fuzz_is_inside(p.extra, in));
		must(str_find(p.user, ':') == p.user.n);
		must(fuzz_is_inside(passwd_extra(&p, STR("a")), p.extra));
		break;
	}
}
