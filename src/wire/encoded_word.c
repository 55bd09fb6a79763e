/*
 * RFC 2047 2:
 *	encoded-word = "=?" charset "?" encoding "?" encoded-text "?="
 *	encoding     = "B" / "Q", in any case
 *	encoded-text = 1*<printable ASCII but "?" and SPACE>
 */
#include "wire/encoded_word.h"

#include "base/utf8.h"
#include "wire/base64.h"

struct word {
	struct str charset, text;
	bool is_base64;
	size_t n;			/* octets of all of it */
};

/* ---- charsets ---- */

enum charset { CHARSET_ASCII, CHARSET_UTF8, CHARSET_LATIN };

struct charset_name { struct str name; enum charset is; bool has_euro; };

static const struct charset_name charsets[] = {
	{ STR_INIT("iso-8859-1"), CHARSET_LATIN, false },
	{ STR_INIT("iso-8859-15"), CHARSET_LATIN, true },
	{ STR_INIT("us-ascii"), CHARSET_ASCII, false },
	{ STR_INIT("utf-8"), CHARSET_UTF8, false },
	{ STR_INIT("utf8"), CHARSET_UTF8, false },
	{ STR_INIT("windows-1252"), CHARSET_LATIN, false },
};

/* Windows-1252 where ISO-8859-1 has controls that nobody means; 0: nothing. */
static const unsigned short windows[32] = {
	0x20ac, 0, 0x201a, 0x0192, 0x201e, 0x2026, 0x2020, 0x2021, 0x02c6,
	0x2030, 0x0160, 0x2039, 0x0152, 0, 0x017d, 0, 0, 0x2018, 0x2019,
	0x201c, 0x201d, 0x2022, 0x2013, 0x2014, 0x02dc, 0x2122, 0x0161, 0x203a,
	0x0153, 0, 0x017e, 0x0178
};

static unsigned
latin_code(unsigned char c, bool has_euro)
{
	if (c >= 0x80 && c < 0xa0)
		return windows[c - 0x80] != 0 ? windows[c - 0x80] : '?';
	return has_euro && c == 0xa4 ? 0x20ac : c;
}

static const struct charset_name *
charset_find(struct str name)
{
	for (size_t i = 0; i < sizeof charsets / sizeof *charsets; i++)
		if (str_eq_icase(name, charsets[i].name))
			return &charsets[i];
	return NULL;
}

/* False: that cannot be told here. */
static bool
octets_put(struct buf *out, struct str charset, struct str octets)
{
	const struct charset_name *c = charset_find(charset);

	if (str_is_ascii(octets) || (c != NULL && c->is == CHARSET_UTF8)) {
		buf_put(out, octets);
		return true;
	}
	if (c == NULL || c->is != CHARSET_LATIN)
		return false;
	for (size_t i = 0; i < octets.n; i++)
		utf8_put(out, latin_code((unsigned char)octets.p[i],
		    c->has_euro));
	return true;
}

/* ---- one word ---- */

static bool
word_find(struct str s, struct word *w)
{
	struct str rest = s;
	char how;
	size_t n;

	if (!str_skip(&rest, STR("=?")))
		return false;
	w->charset = str_cut(&rest, '?');
	w->charset = str_sub(w->charset, 0, str_find(w->charset, '*'));
	if (w->charset.n == 0 || rest.n < 2 || rest.p[1] != '?')
		return false;
	how = rest.p[0];
	if (how != 'B' && how != 'b' && how != 'Q' && how != 'q')
		return false;
	w->is_base64 = how == 'B' || how == 'b';
	rest = str_sub(rest, 2, rest.n);
	n = str_find_str(rest, STR("?="));
	if (n == 0 || n == rest.n)
		return false;
	w->text = str_sub(rest, 0, n);
	w->n = s.n - rest.n + n + 2;
	return w->n <= ENCODED_WORD_MOST &&
	    str_find(w->text, '?') == w->text.n;
}

static int
hex_digit(char c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ?
	    c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* RFC 2047 4.2.  A fold within is none of its text. */
static void
q_read(struct str text, struct buf *out)
{
	for (size_t i = 0; i < text.n; i++) {
		char c = text.p[i];
		int high = i + 2 < text.n ? hex_digit(text.p[i + 1]) : -1;
		int low = i + 2 < text.n ? hex_digit(text.p[i + 2]) : -1;

		if (c == '\r' || c == '\n') {
			while (i + 1 < text.n && (text.p[i + 1] == ' ' ||
			    text.p[i + 1] == '\t' || text.p[i + 1] == '\n'))
				i++;
		} else if (c == '=' && high >= 0 && low >= 0) {
			buf_putc(out, (char)(high << 4 | low));
			i += 2;
		} else
			buf_putc(out, c == '_' ? ' ' : c);
	}
}

static bool
word_read(const struct word *w, struct buf *out)
{
	char room[ENCODED_WORD_MOST];
	struct buf octets = BUF_OF(room);
	struct base64_reader r = { .n = 0 };
	struct str text = w->text;

	if (w->is_base64) {
		(void)base64_take(&r, &text, &octets);
		(void)base64_close(&r, &octets);
	} else
		q_read(text, &octets);
	return !octets.full && octets_put(out, w->charset, buf_str(&octets));
}

/* ---- the field ---- */

static size_t
white_space(struct str s)
{
	size_t n = 0;

	while (n < s.n && (s.p[n] == ' ' || s.p[n] == '\t' || s.p[n] == '\r' ||
	    s.p[n] == '\n'))
		n++;
	return n;
}

/* A fold is one space (RFC 5322 2.2.3, as it is shown). */
static void
space_put(struct buf *out, struct str space)
{
	if (str_find(space, '\n') < space.n)
		buf_putc(out, ' ');
	else
		buf_put(out, space);
}

void
encoded_words_read(struct str value, struct buf *out)
{
	bool after_word = false;

	while (value.n > 0) {
		struct str space = str_sub(value, 0, white_space(value));
		struct str rest = str_sub(value, space.n, value.n);
		size_t mark = out->n;
		struct word w;
		bool is_word = word_find(rest, &w);

		if (!(is_word && after_word))
			space_put(out, space);
		if (is_word && word_read(&w, out)) {
			value = str_sub(rest, w.n, rest.n);
			after_word = true;
			continue;
		}
		if (is_word && after_word) {
			out->n = mark;
			space_put(out, space);
		}
		after_word = false;
		if (rest.n > 0)
			buf_putc(out, rest.p[0]);
		value = str_sub(rest, 1, rest.n);
	}
}
