/*
 * words.h -- what a report says to a person, in each language.
 *
 * The promise: every text of words.def stands in every language of language.def,
 * as UTF-8 without line ends; its % are filled in, in order, and what fills them
 * is cleaned of whatever could move a cursor.  Lines are wrapped at WORDS_LINE
 * columns, words longer than that stay whole.
 * Not for: what programs read (dsn.h), log lines and replies, which are English.
 * Waiting: none.
 * Memory: texts are static.
 * Errors: `full' of the buffer.
 * Source: RFC 5646 (tags); RFC 3282 and RFC 4021 2.1.27 (Accept-Language);
 * RFC 2047 4.2 (encoded words).
 */
#ifndef NM_WIRE_WORDS_H
#define NM_WIRE_WORDS_H

#include "base/buf.h"

enum { WORDS_LINE = 72 };

enum language {
#define LANGUAGE(tag, name) LANGUAGE_##tag,
#include "wire/language.def"
#undef LANGUAGE
	LANGUAGES			/* in a configuration: as the sender asks */
};

enum words {
#define WORDS(name) WORDS_##name,
#include "wire/words.def"
#undef WORDS
	WORDS_ALL
};

const char *language_tag(enum language);	/* "de" */
/* The first language of an Accept-Language field, by its weights, that we have;
 * else the one given. */
enum language language_accepted(struct str value, enum language otherwise);

const char *words_text(enum language, enum words);
/* The text with its % filled in from args, wrapped, each line behind the indent;
 * ends with CRLF. */
void words_put(struct buf *, const char *text, const struct str args[],
    size_t n, const char *indent);
/* "Name: text\r\n", as encoded words where it is not ASCII.  The text is one of
 * ours: longer ones than those are a bug. */
void words_put_field(struct buf *, struct str name, const char *text);

#endif
