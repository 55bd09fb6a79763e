/*
 * lex.h -- the small words of header fields.
 *
 * The promise: comments, folding white space, quoted strings and atoms are taken
 * off the front of a slice, in their obsolete forms too, without recursion and
 * in linear time; comments nest at most LEX_COMMENT_DEPTH deep.
 * Not for: the envelope, whose grammar is stricter (address.h).
 * Waiting: none.
 * Memory: slices of the input.
 * Errors: false, or a length of 0.
 * Source: RFC 5322 3.2.1 to 3.2.4, 4.1.
 */
#ifndef NM_WIRE_LEX_H
#define NM_WIRE_LEX_H

#include "base/buf.h"

enum { LEX_COMMENT_DEPTH = 100 };

/* Comments and white space off the front.  *comment (may be NULL) becomes the
 * inside of the last comment, if there was one.  False: a comment that does not
 * end or nests too deep, or a line feed that no white space follows in one. */
bool lex_skip_cfws(struct str *s, struct str *comment);

/* White space alone off the front. */
void lex_skip_space(struct str *s);
/* How long the comment at the front is, its parentheses included; 0: none. */
size_t lex_comment(struct str s);

/* How long the quoted string at the front is, its quotes included; 0: none. */
size_t lex_quoted(struct str s);
/* How many octets of atext, or UTF-8, stand at the front. */
size_t lex_atom(struct str s);

/* The inside of a quoted string or comment, without backslashes and folds. */
void lex_unquote(struct str inside, struct buf *out);

#endif
