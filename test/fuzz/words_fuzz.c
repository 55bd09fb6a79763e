/* Accept-Language leads to a language that we have, or to the one given; a field
 * is ASCII whatever its text, and a text as long as ours fits. */
#include "fuzz.h"
#include "wire/disposition.h"
#include "wire/words.h"

enum { ROOM = 100, WIDEST = 16 };

static char text[ROOM + 1], field[WIDEST * ROOM];

FUZZ(in)
{
	struct buf out = BUF_OF(field);
	struct buf plain = BUF_OF(text);
	enum language l = language_accepted(in, LANGUAGE_pl);

	must(l < LANGUAGES && language_tag(l)[0] != '\0');
	if (in.n > ROOM)
		return;
	text_clean(in, text, sizeof text);
	plain.n = strlen(text);
	words_put_field(&out, STR("Subject"), text);
	must(!out.full && str_is_ascii(buf_str(&out)));
	must(str_has_prefix_icase(buf_str(&out), STR("Subject:")));
	must(str_find(buf_str(&plain), '\n') == plain.n);
}
