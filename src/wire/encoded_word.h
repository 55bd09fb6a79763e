/*
 * encoded_word.h -- words beyond ASCII in header fields, read.
 *
 * The promise: encoded_words_read() gives a field's text with its encoded words
 * in UTF-8; white space between two of them is gone.  What is no encoded word,
 * or of a charset that is not known here, stays as it is.  Words that touch
 * other text, hold spaces or were folded are read as they were meant.
 * Known: UTF-8, US-ASCII, ISO-8859-1, ISO-8859-15, Windows-1252; of others those
 * words that are ASCII.
 * Not for: showing (text_clean()), or writing (words.h).
 * Waiting: none.
 * Memory: writes into the caller's buffer; three octets for each of the text's
 * suffice.
 * Errors: `full' of the buffer.
 * Source: RFC 2047 2, 4, 6.2; RFC 2231 5 (language).
 */
#ifndef NM_WIRE_ENCODED_WORD_H
#define NM_WIRE_ENCODED_WORD_H

#include "base/buf.h"

enum { ENCODED_WORD_MOST = 1000 };	/* octets; RFC 2047 allows 75 */

/* The field's value may be folded still. */
void encoded_words_read(struct str value, struct buf *out);

#endif
