/* Other people's words are made fit to be shown; enhanced codes are exact. */
#include "base/utf8.h"
#include "fuzz.h"
#include "wire/disposition.h"

static void
check_text(const char *text, size_t room)
{
	struct str s = str_of(text);
	uint32_t code;

	must(s.n < room);
	for (size_t n; s.n > 0; s = str_sub(s, n, s.n)) {
		n = utf8_next(s, &code);
		must(n > 0 && utf8_is_visible(code));
	}
}

FUZZ(in)
{
	size_t room = 1 + fuzz_choice(&in) % VERDICT_TEXT;
	char text[VERDICT_TEXT], again[VERDICT_TEXT];
	struct str rest = in;
	struct esc e;
	struct verdict v;

	text_clean(in, text, room);
	check_text(text, room);
	text_clean(str_of(text), again, sizeof again);
	must(strcmp(text, again) == 0);
	if (esc_take(&rest, &e)) {
		struct str printed = str_sub(in, 0, strlen(esc_print(e).text));

		must(str_eq(str_of(esc_print(e).text), printed));
		v = verdict_of(DEFERRED, 450, e, rest);
		must(v.esc.class == 4);
		check_text(v.text, sizeof v.text);
	}
}
