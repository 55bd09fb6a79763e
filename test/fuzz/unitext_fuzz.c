/* The forms of an address beyond ASCII: what is written is ASCII and read back
 * as the same octets where they were UTF-8 without NUL, which no address has;
 * reading is bounded. */
#include "base/utf8.h"
#include "fuzz.h"
#include "wire/unitext.h"

enum { ROOM = 4096, WIDEST = 16 };

static char written[WIDEST * ROOM], again[WIDEST * ROOM], read_room[ROOM];

static bool
is_utf8(struct str s)
{
	while (s.n > 0) {
		uint32_t code;
		size_t n = utf8_next(s, &code);

		if (n == 0)
			return false;
		s = str_sub(s, n, s.n);
	}
	return true;
}

FUZZ(in)
{
	struct buf out = BUF_OF(written), back = BUF_OF(again);
	struct buf other = BUF_OF(read_room);

	if (in.n > ROOM)
		return;
	unitext_encode(in, &out);
	must(!out.full && str_is_ascii(buf_str(&out)));
	if (is_utf8(in) && str_find(in, '\0') == in.n) {
		must(unitext_decode(buf_str(&out), &back));
		must(str_eq(buf_str(&back), in));
	}
	(void)unitext_decode(in, &other);
	must(!other.full);
}
