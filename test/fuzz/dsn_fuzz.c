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

/* A part as a report has it: its octets decide of its head. */
static void
write_part(struct buf *all, const struct dsn *d, enum dsn_part part,
    const struct dsn_recipient *r)
{
	static char part_room[3 * DSN_PIECE];
	struct buf b = BUF_OF(part_room);
	enum dsn_octets kind;

	if (part == DSN_PART_WORDS) {
		dsn_greet(&b, d);
		dsn_tell(&b, d, r);
		dsn_help(&b, d);
	} else {
		dsn_status(&b, d);
		dsn_status_of(&b, d, r);
		must(count(buf_str(&b), STR("\r\nAction: ")) == 1);
		must(count(buf_str(&b), STR("\r\nFinal-Recipient: ")) == 1);
		must(count(buf_str(&b), STR("\r\nStatus: 5.0.0\r\n")) == 1);
	}
	must(!b.full);
	kind = dsn_octets(DSN_ASCII, buf_str(&b));
	dsn_part(all, d, part, kind);
	if (dsn_encoding(d, part, kind) == DSN_QUOTED)
		dsn_quote(all, buf_str(&b));
	else
		buf_put(all, buf_str(&b));
}

FUZZ(in)
{
	unsigned choice = fuzz_choice(&in);
	struct buf b = BUF_OF(room);
	struct dsn d = {
		.action = choice % DSN_ACTIONS, .host = STR("mx.example"),
		.postmaster = STR("postmaster@mx.example"),
		.boundary = STR("=_never_in_text"), .message_id = STR("1@x"),
		.language = choice / 8 % LANGUAGES,
		.returns = choice / 64 % 3, .is_global = (choice & 128) != 0,
		.arrived = { choice },
	};
	struct dsn_recipient r = { .action = d.action,
		.retry_until = { choice } };

	d.to = piece(&in, 254);
	d.is_wide = !str_is_ascii(d.to);
	d.in_reply_to = piece(&in, 2000);
	d.envid = piece(&in, 100);
	r.final = piece(&in, 254);
	r.original = piece(&in, 500);
	r.remote = piece(&in, 255);
	r.verdict = verdict_of(FAILED, 550, ESC_NONE, in);
	dsn_begin(&b, &d, DSN_7BIT);
	write_part(&b, &d, DSN_PART_WORDS, &r);
	write_part(&b, &d, DSN_PART_STATUS, &r);
	dsn_part(&b, &d, DSN_PART_RETURNED, DSN_ASCII);
	dsn_end(&b, &d);
	must(!b.full && fuzz_is_canonical(buf_str(&b)));
	must(d.is_wide ? str_is_utf8(buf_str(&b)) : str_is_ascii(buf_str(&b)));
	must(count(buf_str(&b), STR("\r\n--=_never_in_text")) == 4);
}
