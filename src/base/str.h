/*
 * str.h -- a slice of bytes somebody else owns.
 *
 * The promise: everything that came from outside is a struct str: it knows its
 * length, may hold NULs and any octet, and is never freed.  Comparing, cutting
 * and trimming never reads outside [p, p+n).
 * Not for: text handed to the operating system; make a C string at that border
 * (str_cstr) and nowhere else.
 * Waiting: none.
 * Memory: owns nothing.  A slice lives as long as what it was cut from.
 * Errors: none; a slice with p == NULL means "absent", n == 0 means "empty".
 * Source: RFC 5321 2.4 (case of verbs and domains is ASCII case).
 */
#ifndef NM_BASE_STR_H
#define NM_BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct str {
	const char *p;
	size_t n;
};

#define STR(lit) ((struct str){ "" lit, sizeof(lit) - 1 })
/* The same as an initialiser of static tables. */
#define STR_INIT(lit) { "" lit, sizeof(lit) - 1 }
#define STR_NONE ((struct str){ NULL, 0 })
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, ((s).p == NULL ? "" : (s).p)

/* A C string as a slice, without its NUL.  NULL becomes STR_NONE. */
struct str str_of(const char *);

/* Copy s into dst as a C string.  False when it does not fit or holds a NUL;
 * dst is then "". */
bool str_cstr(struct str s, char *dst, size_t room);

bool str_eq(struct str, struct str);
bool str_eq_icase(struct str, struct str);	/* ASCII case only */
int str_order(struct str, struct str);		/* as memcmp, shorter first */
bool str_has_prefix_icase(struct str s, struct str prefix);
bool str_has_suffix_icase(struct str s, struct str suffix);

/* Does s begin with prefix?  On yes, prefix is cut off s. */
bool str_skip(struct str *s, struct str prefix);
bool str_skip_icase(struct str *s, struct str prefix);

/* Cut s at the first c: returns what stood before it, s keeps what follows.
 * Without c the whole of s is returned and s is left empty. */
struct str str_cut(struct str *s, char c);

/* Where c first (last) stands in s, or s.n when nowhere. */
size_t str_find(struct str s, char c);
size_t str_find_last(struct str s, char c);
size_t str_find_str(struct str s, struct str what);

/* n octets of s behind from, or as many as there are.  It is here to be inlined:
 * every step of every parser takes it. */
static inline struct str
str_sub(struct str s, size_t from, size_t n)
{
	if (from > s.n)
		from = s.n;
	if (n > s.n - from)
		n = s.n - from;
	return (struct str){ s.p == NULL ? NULL : s.p + from, n };
}

struct str str_trim(struct str);	/* SP, TAB, CR, LF off both ends */
struct str str_trim_wsp(struct str);	/* SP, TAB */

char ascii_lower(char c);
bool ascii_is_digit(char c);
bool ascii_is_alpha(char c);
bool ascii_is_alnum(char c);

/* Only octets 0x20-0x7e? */
bool str_is_printable(struct str);
bool str_is_ascii(struct str);
bool str_is_utf8(struct str);		/* RFC 3629: no surrogates, no overlong */
/* How many octets the UTF-8 character at the front takes; 0: none is there. */
size_t str_utf8_char(struct str);

#endif
