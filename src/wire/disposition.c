#include "wire/disposition.h"

#include "base/err.h"
#include "base/must.h"
#include "base/num.h"
#include "base/utf8.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { ESC_PART_MOST = 999 };

/* RFC 3463 2: status-code = class "." subject "." detail
 *	class = "2"/"4"/"5"; subject, detail = 1*3digit, no leading zeros. */
static bool
esc_part(struct str digits, unsigned short *out)
{
	uint64_t v;

	if (digits.n > 3 || (digits.n > 1 && digits.p[0] == '0') ||
	    !parse_u64(digits, ESC_PART_MOST, &v))
		return false;
	*out = (unsigned short)v;
	return true;
}

bool
esc_parse(struct str text, struct esc *out)
{
	struct str class = str_cut(&text, '.');
	struct str subject = str_cut(&text, '.');
	struct esc e = ESC_NONE;

	if (class.n != 1 || (class.p[0] != '2' && class.p[0] != '4' &&
	    class.p[0] != '5'))
		return false;
	e.class = (unsigned char)(class.p[0] - '0');
	if (!esc_part(subject, &e.subject) || !esc_part(text, &e.detail))
		return false;
	*out = e;
	return true;
}

bool
esc_take(struct str *text, struct esc *out)
{
	struct str rest = *text, word = str_cut(&rest, ' ');

	if (!esc_parse(word, out))
		return false;
	*text = rest;
	return true;
}

struct esc_text
esc_print(struct esc e)
{
	struct esc_text t = { "" };

	if (e.class == 0)
		return t;
	must(e.class <= 9 && e.subject <= ESC_PART_MOST &&
	    e.detail <= ESC_PART_MOST);
	snprintf(t.text, sizeof t.text, "%u.%u.%u", e.class % 10u,
	    e.subject % 1000u, e.detail % 1000u);
	return t;
}

static unsigned char
disposition_class(enum disposition d)
{
	return d == DELIVERED ? 2 : d == DEFERRED ? 4 : 5;
}

/* What is too long loses its middle: the reason, or the peer's link that
 * explains it, stands at the end. */
static void
verdict_say(struct verdict *v, struct str text)
{
	const size_t head = VERDICT_TEXT / 4, gap = sizeof " ... " - 1;
	size_t at = text.n < sizeof v->text ? 0 :
	    text.n - (sizeof v->text - 1 - head - gap), n;

	if (at == 0) {
		text_clean(text, v->text, sizeof v->text);
		return;
	}
	/* No character is cut in two. */
	while (at < text.n && ((unsigned char)text.p[at] & 0xc0) == 0x80)
		at++;
	text_clean(text, v->text, head + 1);
	n = strlen(v->text);
	memcpy(v->text + n, " ... ", gap);
	text_clean(str_sub(text, at, text.n), v->text + n + gap,
	    sizeof v->text - n - gap);
}

struct verdict
verdict_of(enum disposition d, short code, struct esc esc, struct str text)
{
	struct verdict v = { .disposition = d, .code = code, .esc = esc };

	if (esc.class != disposition_class(d))
		v.esc = (struct esc){ disposition_class(d), 0, 0 };
	verdict_say(&v, text);
	return v;
}

__attribute__((format(printf, 4, 0)))
static struct verdict
verdict_print(enum disposition d, short code, struct esc esc, const char *fmt,
    va_list ap)
{
	char text[ERR_ROOM + VERDICT_TEXT];
	int n = vsnprintf(text, sizeof text, fmt, ap);

	must(n >= 0);
	return verdict_of(d, code, esc, str_of(text));
}

/* Most have nothing in them to be printed: a message has a dozen of these. */
struct verdict
verdict_make(enum disposition d, short code, const char *esc, const char *fmt,
    ...)
{
	struct esc e = ESC_NONE;
	struct verdict v;
	va_list ap;

	must(esc_parse(str_of(esc), &e) && e.class == disposition_class(d));
	if (strchr(fmt, '%') == NULL)
		return verdict_of(d, code, e, str_of(fmt));
	va_start(ap, fmt);
	v = verdict_print(d, code, e, fmt, ap);
	va_end(ap);
	return v;
}

void
text_clean(struct str s, char *dst, size_t room)
{
	struct buf b = { .p = dst, .cap = room - 1 };

	must(room > 0);
	for (size_t n; s.n > 0 && !b.full; s = str_sub(s, n, s.n)) {
		uint32_t c = 0;

		n = utf8_plain(str_sub(s, 0, b.cap - b.n));
		if (n > 0) {
			buf_put(&b, str_sub(s, 0, n));
			continue;
		}
		n = utf8_next(s, &c);
		if (c == '\t' || c == '\r' || c == '\n')
			buf_putc(&b, ' ');
		else if (n == 0 || !utf8_is_visible(c))
			buf_putc(&b, '?');
		else
			buf_put(&b, str_sub(s, 0, n));
		n = n == 0 ? 1 : n;
	}
	dst[b.n] = '\0';
}
