/* Content-Type: slices of the value; a parameter is bounded and found the same
 * whatever stands around it. */
#include "fuzz.h"
#include "wire/content_type.h"

FUZZ(in)
{
	static const char *const names[] = { "boundary", "charset", "title" };
	struct content_type c = content_type_read(in);
	struct str params = STR(""), token = content_token(in, &params);
	char room[64];

	must(fuzz_is_inside(c.type, in) && fuzz_is_inside(c.subtype, in));
	must(fuzz_is_inside(c.params, in) || c.params.n == 0);
	must(fuzz_is_inside(token, in) && str_find(token, ';') == token.n);
	must(!c.is_valid || (c.type.n > 0 && c.subtype.n > 0));
	for (size_t i = 0; i < 3; i++) {
		struct buf b = BUF_OF(room);
		int rc = content_param(c.params, str_of(names[i]), &b);

		must(rc >= -1 && rc <= 1 && b.n <= in.n);
		must(rc != 0 || b.n == 0);
		must(rc != 1 || !b.full);
		b = BUF_OF(room);
		(void)content_param(in, str_of(names[i]), &b);
	}
}
