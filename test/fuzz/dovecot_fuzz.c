/* Lines of Dovecot's auth process: whatever it says is cut within the line, and
 * what was escaped is one word that comes back. */
#include "fuzz.h"
#include "wire/dovecot.h"

FUZZ(in)
{
	struct str rest = in, name, value;
	struct dovecot_line line;
	static char room[16 * 1024], again[8 * 1024];
	struct buf b = BUF_OF(room), back = BUF_OF(again);

	if (dovecot_read(in, &line)) {
		must(fuzz_is_inside(line.args, in));
		rest = line.args;
	}
	while (dovecot_arg(&rest, &name, &value)) {
		must(fuzz_is_inside(name, in) && fuzz_is_inside(value, in));
		must(str_find(value, '\t') == value.n);
		back.n = 0;
		(void)dovecot_unescape(value, &back);
		must(back.full || back.n <= value.n);
		back.full = false;
	}
	back.n = 0;
	back.full = false;
	dovecot_escape(in, &b);
	if (b.full || in.n > sizeof again)
		return;
	must(str_find(buf_str(&b), '\t') == b.n &&
	    str_find(buf_str(&b), '\n') == b.n);
	must(dovecot_unescape(buf_str(&b), &back) &&
	    str_eq(buf_str(&back), in));
}
