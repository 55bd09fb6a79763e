/* ORCPT: what is read is shown safely, and is read the same when it was written
 * for either kind of peer. */
#include "fuzz.h"
#include "wire/orcpt.h"

enum { ROOM = 16 * ORCPT_MOST };

static void
check_again(struct str words, bool is_utf8)
{
	char wire[ROOM], back[ROOM];
	struct buf w = BUF_OF(wire), b = BUF_OF(back);

	orcpt_write(words, is_utf8, &w);
	must(!w.full && (is_utf8 || str_is_ascii(buf_str(&w))));
	must(str_find(buf_str(&w), ' ') == w.n && str_find(buf_str(&w),
	    '=') == w.n);
	if (w.n > ORCPT_MOST)		/* escapes made it too long */
		return;
	must(orcpt_read(buf_str(&w), is_utf8, &b));
	must(str_eq(buf_str(&b), words));
}

FUZZ(in)
{
	bool is_utf8 = (fuzz_choice(&in) & 1u) != 0;
	char room[ORCPT_MOST];
	struct buf b = BUF_OF(room);

	if (!orcpt_read(in, is_utf8, &b))
		return;
	must(b.n > 2 && in.n <= ORCPT_MOST && str_is_utf8(buf_str(&b)));
	for (size_t i = 0; i < b.n; i++)
		must(b.p[i] < 0 || (b.p[i] >= ' ' && b.p[i] != 0x7f));
	check_again(buf_str(&b), false);
	check_again(buf_str(&b), true);
}
