/* xtext: every octet string survives, and what decodes encodes to its like. */
#include "fuzz.h"
#include "wire/xtext.h"

enum { ROOM = 256 * 1024 };

FUZZ(in)
{
	static char coded[ROOM], back[ROOM], plain[ROOM];
	struct buf c = BUF_OF(coded), b = BUF_OF(back), d = BUF_OF(plain);

	if (in.n > ROOM / 8)
		return;
	xtext_encode(in, &c);
	must(!c.full && xtext_decode(buf_str(&c), &b));
	must(str_eq(buf_str(&b), in));
	if (xtext_decode(in, &d))
		must(d.n <= in.n && str_is_printable(in));
}
