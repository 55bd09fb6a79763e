/* Reports: whatever a peer or a message put into them, the lines stay canonical
 * and the parts in their places. */
#include "fuzz.h"
#include "wire/dsn.h"

static char room[64 * 1024];

static size_t
count(struct str s, struct str what)
{
	size_t n = 0, at;

	while ((at = str_find_str(s, what)) < s.n) {
		s = str_sub(s, at + what.n, s.n);
		n++;
	}
	return n;
}

/* The next of the pieces that a NUL ends, no longer than most. */
static struct str
piece(struct str *in, size_t most)
{
	return str_sub(str_cut(in, '\0'), 0, most);
}

FUZZ(in)
{
	unsigned choice = fuzz_choice(&in);
	struct buf b = BUF_OF(room);
	struct dsn d = {
		.action = choice % DSN_ACTIONS, .host = STR("mx.example"),
		.postmaster = STR("postmaster@mx.example"),
		.boundary = STR("=_never_in_text"), .message_id = STR("1@x"),
		.returns_whole = (choice & 32) != 0,
		.has_8bit = (choice & 64) != 0, .arrived = { choice },
	};
	struct dsn_recipient r = { .action = d.action,
		.retry_until = { choice } };

	d.to = piece(&in, 254);
	d.in_reply_to = piece(&in, 2000);
	d.envid = piece(&in, 100);
	r.final = piece(&in, 254);
	r.original = piece(&in, 500);
	r.remote = piece(&in, 255);
	r.verdict = verdict_of(FAILED, 550, ESC_NONE, in);
	dsn_begin(&b, &d);
	dsn_tell(&b, &d, &r);
	dsn_status(&b, &d);
	dsn_status_of(&b, &d, &r);
	must(b.n <= (size_t)4 * DSN_PIECE);
	dsn_return(&b, &d);
	dsn_end(&b, &d);
	must(!b.full && fuzz_is_canonical(buf_str(&b)));
	must(str_is_ascii(buf_str(&b)));
	must(count(buf_str(&b), STR("\r\nAction: ")) == 1);
	must(count(buf_str(&b), STR("\r\nFinal-Recipient: ")) == 1);
	must(count(buf_str(&b), STR("\r\nStatus: 5.0.0\r\n")) == 1);
	must(count(buf_str(&b), STR("\r\n\r\n")) <= 14);
}
