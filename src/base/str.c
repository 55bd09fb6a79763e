#include "base/str.h"

#include "base/utf8.h"

struct str
str_of(const char *s)
{
	return (struct str){ s, s == NULL ? 0 : strlen(s) };
}

bool
str_cstr(struct str s, char *dst, size_t room)
{
	if (room > 0)
		dst[0] = '\0';
	if (s.n >= room || (s.n > 0 && memchr(s.p, '\0', s.n) != NULL))
		return false;
	if (s.n > 0)
		memcpy(dst, s.p, s.n);
	dst[s.n] = '\0';
	return true;
}

char
ascii_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool
ascii_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool
ascii_is_alpha(char c)
{
	char l = ascii_lower(c);

	return l >= 'a' && l <= 'z';
}

bool
ascii_is_alnum(char c)
{
	return ascii_is_alpha(c) || ascii_is_digit(c);
}

bool
str_eq(struct str a, struct str b)
{
	return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

bool
str_eq_icase(struct str a, struct str b)
{
	if (a.n != b.n)
		return false;
	for (size_t i = 0; i < a.n; i++)
		if (ascii_lower(a.p[i]) != ascii_lower(b.p[i]))
			return false;
	return true;
}

int
str_order(struct str a, struct str b)
{
	size_t n = a.n < b.n ? a.n : b.n;
	int c = n == 0 ? 0 : memcmp(a.p, b.p, n);

	if (c != 0)
		return c;
	return a.n < b.n ? -1 : a.n > b.n;
}

bool
str_has_prefix_icase(struct str s, struct str prefix)
{
	return s.n >= prefix.n && str_eq_icase(str_sub(s, 0, prefix.n), prefix);
}

bool
str_has_suffix_icase(struct str s, struct str suffix)
{
	return s.n >= suffix.n &&
	    str_eq_icase(str_sub(s, s.n - suffix.n, suffix.n), suffix);
}

bool
str_skip(struct str *s, struct str prefix)
{
	if (!str_eq(str_sub(*s, 0, prefix.n), prefix))
		return false;
	*s = str_sub(*s, prefix.n, s->n);
	return true;
}

bool
str_skip_icase(struct str *s, struct str prefix)
{
	if (!str_has_prefix_icase(*s, prefix))
		return false;
	*s = str_sub(*s, prefix.n, s->n);
	return true;
}

struct str
str_cut(struct str *s, char c)
{
	size_t at = str_find(*s, c);
	struct str head = str_sub(*s, 0, at);

	*s = at == s->n ? str_sub(*s, at, 0) : str_sub(*s, at + 1, s->n);
	return head;
}

size_t
str_find(struct str s, char c)
{
	const char *at = s.n == 0 ? NULL : memchr(s.p, c, s.n);

	return at == NULL ? s.n : (size_t)(at - s.p);
}

size_t
str_find_last(struct str s, char c)
{
	const char *at = s.n == 0 ? NULL : memrchr(s.p, c, s.n);

	return at == NULL ? s.n : (size_t)(at - s.p);
}

size_t
str_find_str(struct str s, struct str what)
{
	const char *at;

	if (what.n == 0)
		return 0;
	at = s.n < what.n ? NULL : memmem(s.p, s.n, what.p, what.n);
	return at == NULL ? s.n : (size_t)(at - s.p);
}

static struct str
trim_of(struct str s, struct str blanks)
{
	while (s.n > 0 && str_find(blanks, s.p[0]) < blanks.n)
		s = str_sub(s, 1, s.n);
	while (s.n > 0 && str_find(blanks, s.p[s.n - 1]) < blanks.n)
		s.n--;
	return s;
}

struct str
str_trim(struct str s)
{
	return trim_of(s, STR(" \t\r\n"));
}

struct str
str_trim_wsp(struct str s)
{
	return trim_of(s, STR(" \t"));
}

bool
str_is_printable(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] < 0x20 || s.p[i] > 0x7e)
			return false;
	return true;
}

/* Whole bodies come here: eight octets at a time. */
bool
str_is_ascii(struct str s)
{
	uint64_t high = 0, word;
	size_t i = 0;

	for (; i + 8 <= s.n; i += 8) {
		memcpy(&word, s.p + i, 8);
		high |= word;
	}
	for (; i < s.n; i++)
		high |= (unsigned char)s.p[i];
	return (high & UINT64_C(0x8080808080808080)) == 0;
}

size_t
str_utf8_char(struct str s)
{
	uint32_t code;

	return utf8_next(s, &code);
}

bool
str_is_utf8(struct str s)
{
	for (size_t n; s.n > 0; s = str_sub(s, n, s.n))
		if ((n = str_utf8_char(s)) == 0)
			return false;
	return true;
}
