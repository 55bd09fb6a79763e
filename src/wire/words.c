#include "wire/words.h"

#include "base/must.h"
#include "wire/disposition.h"
#include "wire/header.h"

enum { FILLED_ROOM = 2048, ARGUMENT_ROOM = 640, LANGUAGE_WEIGHT = 1000,
	ENCODED_LINE = 76 };

static const char *const tags[] = {
#define LANGUAGE(tag, name) #tag,
#include "wire/language.def"
#undef LANGUAGE
};

#define WORDS(name, text) [WORDS_##name] = text,
static const char *const texts[LANGUAGES][WORDS_ALL] = {
	[LANGUAGE_de] = {
#include "wire/words_de.def"
	},
	[LANGUAGE_en] = {
#include "wire/words_en.def"
	},
	[LANGUAGE_es] = {
#include "wire/words_es.def"
	},
	[LANGUAGE_fr] = {
#include "wire/words_fr.def"
	},
	[LANGUAGE_it] = {
#include "wire/words_it.def"
	},
	[LANGUAGE_nl] = {
#include "wire/words_nl.def"
	},
	[LANGUAGE_pl] = {
#include "wire/words_pl.def"
	},
	[LANGUAGE_pt] = {
#include "wire/words_pt.def"
	},
};
#undef WORDS

/* ---- which language ---- */

const char *
language_tag(enum language l)
{
	must(l < LANGUAGES);
	return tags[l];
}

/* RFC 5646 2.1: the primary subtag, up to the first hyphen.  LANGUAGES: none of
 * ours. */
static enum language
language_find(struct str range)
{
	size_t i;

	range = str_sub(range, 0, str_find(range, '-'));
	for (i = 0; i < LANGUAGES; i++)
		if (str_eq_icase(range, str_of(tags[i])))
			break;
	return (enum language)i;
}

/* RFC 3282 3: [ ";" "q" "=" qvalue ], 0 to 1 with three decimals, in
 * thousandths; without it 1, and 0 for what is no weight. */
static unsigned
weight_of(struct str s)
{
	unsigned weight, place = LANGUAGE_WEIGHT;

	s = str_trim(s);
	if (s.n == 0)
		return LANGUAGE_WEIGHT;
	if (!str_skip_icase(&s, STR("q")))
		return 0;
	s = str_trim(s);
	if (!str_skip(&s, STR("=")))
		return 0;
	s = str_trim(s);
	if (s.n == 0 || s.n > 5 || (s.p[0] != '0' && s.p[0] != '1') ||
	    (s.n > 1 && s.p[1] != '.'))
		return 0;
	weight = s.p[0] == '1' ? LANGUAGE_WEIGHT : 0;
	for (size_t i = 2; i < s.n; i++) {
		if (!ascii_is_digit(s.p[i]))
			return 0;
		place /= 10;
		weight += (unsigned)(s.p[i] - '0') * place;
	}
	return weight > LANGUAGE_WEIGHT ? 0 : weight;
}

enum language
language_accepted(struct str value, enum language otherwise)
{
	unsigned best = 0;

	while (value.n > 0) {
		struct str one = str_cut(&value, ',');
		enum language l = language_find(str_trim(str_cut(&one, ';')));
		unsigned weight = weight_of(one);

		if (l < LANGUAGES && weight > best) {
			best = weight;
			otherwise = l;
		}
	}
	return otherwise;
}

/* ---- texts ---- */

const char *
words_text(enum language l, enum words w)
{
	must(l < LANGUAGES && w < WORDS_ALL);
	return texts[l][w];
}

static void
words_fill(struct buf *out, const char *text, const struct str args[],
    size_t n)
{
	struct str rest = str_of(text);
	size_t at = 0;

	while (rest.n > 0) {
		char clean[ARGUMENT_ROOM];
		size_t mark = str_find(rest, '%');
		bool is_filled = mark < rest.n;

		buf_put(out, str_cut(&rest, '%'));
		if (!is_filled)
			break;
		must(at < n);
		text_clean(args[at++], clean, sizeof clean);
		buf_put(out, str_of(clean));
	}
	must(at == n);
}

/* How many columns, when each character takes one. */
static size_t
columns(struct str s)
{
	size_t n = 0;

	for (size_t i = 0; i < s.n; i++)
		n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
	return n;
}

static void
words_wrap(struct buf *out, struct str s, const char *indent)
{
	size_t column = 0, first = strlen(indent);

	while (s.n > 0) {
		struct str word = str_cut(&s, ' ');
		size_t wide = columns(word);

		if (wide == 0)
			continue;
		if (column > 0 && column + 1 + wide > WORDS_LINE) {
			buf_put(out, STR("\r\n"));
			column = 0;
		}
		buf_put(out, column == 0 ? str_of(indent) : STR(" "));
		column += (column == 0 ? first : 1) + wide;
		buf_put(out, word);
	}
	buf_put(out, STR("\r\n"));
}

void
words_put(struct buf *out, const char *text, const struct str args[],
    size_t n, const char *indent)
{
	char room[FILLED_ROOM];
	struct buf filled = BUF_OF(room);

	words_fill(&filled, text, args, n);
	must(!filled.full);		/* two arguments at most */
	words_wrap(out, buf_str(&filled), indent);
}

/* ---- in fields ---- */

/* RFC 2047 4.2: "Q", of which we write letters and digits as they are. */
static void
character_encode(struct buf *out, struct str c)
{
	for (size_t i = 0; i < c.n; i++)
		if (ascii_is_alnum(c.p[i]))
			buf_putc(out, c.p[i]);
		else if (c.p[i] == ' ')
			buf_putc(out, '_');
		else
			buf_printf(out, "=%02X", (unsigned char)c.p[i]);
}

/* RFC 2047 2: an encoded-word has at most 75 characters, and a line with one 76;
 * 5 (3): no character is divided between two of them.  Before the first stand so
 * many columns. */
static void
words_encode(struct buf *out, struct str s, size_t column)
{
	static const size_t frame = sizeof "=?utf-8?Q?" "?=" - 1;
	size_t most = ENCODED_LINE - column - frame;
	char room[ENCODED_LINE];
	struct buf word = BUF_OF(room);

	while (s.n > 0) {
		size_t one = str_utf8_char(s);
		struct str c = str_sub(s, 0, one > 0 ? one : 1);

		if (word.n + 3 * c.n > most) {
			buf_printf(out, "=?utf-8?Q?" STR_FMT "?= ",
			    STR_ARG(buf_str(&word)));
			word.n = 0;
			most = ENCODED_LINE - 1 - frame;
		}
		character_encode(&word, c);
		s = str_sub(s, c.n, s.n);
	}
	buf_printf(out, "=?utf-8?Q?" STR_FMT "?=", STR_ARG(buf_str(&word)));
}

void
words_put_field(struct buf *out, struct str name, const char *text)
{
	char room[FILLED_ROOM];
	struct buf value = BUF_OF(room);

	must(name.n < ENCODED_LINE / 2);
	if (str_is_ascii(str_of(text)))
		buf_put(&value, str_of(text));
	else
		words_encode(&value, str_of(text), name.n + 2);
	must(!value.full);
	(void)header_put(out, name, buf_str(&value));
}
