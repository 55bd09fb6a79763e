/* Encoded words: what is read fits in three octets for each, and stays what it
 * is when it holds no more of them. */
#include "fuzz.h"
#include "wire/encoded_word.h"

enum { ROOM = 8192 };

static char room[3 * ROOM];

FUZZ(in)
{
	struct buf out = BUF_OF(room);

	if (in.n > ROOM)
		return;
	encoded_words_read(in, &out);
	must(!out.full);
	if (str_find_str(in, STR("=?")) == in.n && str_find(in, '\n') == in.n)
		must(str_eq(buf_str(&out), in));
}
