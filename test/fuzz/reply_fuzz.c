/* Replies: bounded and clean whatever a server sends; ours can be read. */
#include "base/utf8.h"
#include "fuzz.h"
#include "wire/reply.h"

static void
check_reply(const struct reply *r)
{
	struct verdict v = reply_verdict(r);
	struct str s = { r->text, r->text_n };
	uint32_t code;

	must(r->text_n < REPLY_TEXT && strlen(r->text) == r->text_n);
	for (size_t n; s.n > 0; s = str_sub(s, n, s.n)) {
		n = utf8_next(s, &code);
		must(n > 0 && utf8_is_visible(code));
	}
	must(v.esc.class == (v.disposition == DELIVERED ? 2 :
	    v.disposition == DEFERRED ? 4 : 5));
	must(r->esc.class == 0 || r->code == 0 ||
	    r->esc.class == r->code / 100);
}

static void
check_read(struct str in)
{
	enum reply_state state = REPLY_MORE;
	struct ehlo e = { 0 };
	struct reply r;

	reply_begin(&r);
	while (in.n > 0 && state == REPLY_MORE) {
		struct str line = str_cut(&in, '\n'), rest = STR_NONE;

		state = reply_push(&r, line, &rest);
		check_reply(&r);
		if (state == REPLY_BAD)
			return;
		must(fuzz_is_inside(rest, line));
		ehlo_push(&e, rest);
		must(strlen(e.auth) < sizeof e.auth);
	}
	must(r.lines <= REPLY_LINES_MOST && r.octets <= REPLY_OCTETS_MOST);
}

/* What we write is one reply; each line is short, clean, and has both codes. */
static void
check_write(struct str text, bool utf8)
{
	static char out[256 * 1024];
	struct buf b = BUF_OF(out);
	struct esc esc = { 5, 1, 1 };
	struct str s;

	reply_write(&b, 550, esc, text, utf8);
	must(!b.full);
	for (s = buf_str(&b); s.n > 0;) {
		struct str line = str_cut(&s, '\n');

		must(line.n <= REPLY_LINE_WRITTEN + 1);
		must(line.p[line.n - 1] == '\r');
		must(line.p[3] == (s.n > 0 ? '-' : ' '));
		must(str_find_str(line, STR("5.1.1")) == 4);
		must(utf8 || str_is_printable(str_sub(line, 0, line.n - 1)));
	}
}

FUZZ(in)
{
	bool utf8 = (fuzz_choice(&in) & 1u) != 0;

	check_read(in);
	if (in.n < 4096)
		check_write(in, utf8);
}
