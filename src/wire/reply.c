#include "wire/reply.h"

#include "base/buf.h"
#include "base/must.h"
#include "base/num.h"

void
reply_begin(struct reply *r)
{
	*r = (struct reply){ .code = 0 };
}

static enum reply_state
reply_bad(struct reply *r, const char *why)
{
	r->code = 0;
	r->esc = (struct esc){ 4, 5, 0 };
	text_clean(str_of(why), r->text, sizeof r->text);
	r->text_n = strlen(r->text);
	return REPLY_BAD;
}

/* RFC 5321 4.2: Reply-code = %x32-35 %x30-35 %x30-39; the second digit is
 * wider in the field. */
static short
reply_code(struct str line)
{
	uint64_t code;

	if (!parse_u64(str_sub(line, 0, 3), 599, &code) || code < 200 ||
	    line.n < 3)
		return 0;
	return (short)code;
}

static void
reply_add_text(struct reply *r, struct str text)
{
	if (r->text_n > 0 && text.n > 0 && r->text_n < REPLY_TEXT - 1)
		r->text[r->text_n++] = ' ';
	text_clean(text, r->text + r->text_n, REPLY_TEXT - r->text_n);
	r->text_n += strlen(r->text + r->text_n);
}

enum reply_state
reply_push(struct reply *r, struct str line, struct str *rest)
{
	short code = reply_code(line);
	char separator = line.n > 3 ? line.p[3] : ' ';
	struct str text = str_sub(line, 4, line.n);
	struct esc esc;

	if (line.n > REPLY_LINE_MOST)
		return reply_bad(r, "a reply line is too long");
	if (++r->lines > REPLY_LINES_MOST)
		return reply_bad(r, "a reply has too many lines");
	r->octets += line.n + 2;
	if (r->octets > REPLY_OCTETS_MOST)
		return reply_bad(r, "a reply is too long");
	if (code == 0 || (separator != ' ' && separator != '-'))
		return reply_bad(r, "the reply is not SMTP");
	if (r->code != 0 && r->code != code)
		return reply_bad(r, "a reply changes its code");
	if (rest != NULL)
		*rest = text;
	r->code = code;
	if (code / 100 != 3 && esc_take(&text, &esc)) {
		if (esc.class == code / 100)
			r->esc = esc;
	}
	reply_add_text(r, text);
	return separator == '-' ? REPLY_MORE : REPLY_DONE;
}

struct verdict
reply_verdict(const struct reply *r)
{
	struct str text = { r->text, r->text_n };

	switch (r->code / 100) {
	case 2:
		return verdict_of(DELIVERED, r->code, r->esc, text);
	case 5:
		return verdict_of(FAILED, r->code, r->esc, text);
	case 4:
		return verdict_of(DEFERRED, r->code, r->esc, text);
	default:
		return verdict_of(DEFERRED, r->code, (struct esc){ 4, 5, 0 },
		    text);
	}
}

/* ---- EHLO ---- */

static const struct str capabilities[] = {
#define CAPABILITY(name, keyword) STR_INIT(keyword),
#include "wire/ehlo.def"
#undef CAPABILITY
};

_Static_assert(CAPABILITIES <= 32, "a bit for each capability");

static enum capability
capability_find(struct str word)
{
	enum capability c = 0;

	while (c < CAPABILITIES && !str_eq_icase(word, capabilities[c]))
		c++;
	return c;
}

/* RFC 4422 3.1: sasl-mech = 1*20mech-char; letters, digits, - and _. */
static bool
is_mechanism(struct str s)
{
	for (size_t i = 0; i < s.n; i++)
		if (!ascii_is_alnum(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
			return false;
	return s.n >= 1 && s.n <= 20;
}

static void
ehlo_auth(struct ehlo *e, struct str list)
{
	size_t n = strlen(e->auth);

	while (list.n > 0) {
		struct str m = str_cut(&list, ' ');

		if (!is_mechanism(m) || n + m.n + 2 > sizeof e->auth)
			continue;
		if (n > 0)
			e->auth[n++] = ' ';
		for (size_t i = 0; i < m.n; i++) {
			char c = m.p[i];

			e->auth[n++] = c >= 'a' && c <= 'z' ? (char)(c - 32) :
			    c;
		}
		e->auth[n] = '\0';
	}
}

/* RFC 9422 4: "LIMITS" *( SP name [ "=" value ] ); the client must ignore what
 * it does not know. */
static void
ehlo_limits(struct ehlo *e, struct str list)
{
	while (list.n > 0) {
		struct str value = str_cut(&list, ' ');
		struct str name = str_cut(&value, '=');
		uint64_t n;

		if (!parse_u64(value, UINT32_MAX, &n) || n == 0)
			continue;
		if (str_eq_icase(name, STR("MAILMAX")))
			e->mail_max = n;
		else if (str_eq_icase(name, STR("RCPTMAX")))
			e->rcpt_max = n;
		else if (str_eq_icase(name, STR("RCPTDOMAINMAX")))
			e->rcpt_domain_max = n;
	}
}

void
ehlo_push(struct ehlo *e, struct str rest)
{
	struct str arg = str_trim(rest), word = str_cut(&arg, ' ');
	enum capability c;

	if (e->lines++ == 0)
		return;			/* the greeting */
	/* "AUTH=LOGIN PLAIN" was Outlook's, and still is some servers'. */
	if (str_has_prefix_icase(word, STR("AUTH="))) {
		ehlo_auth(e, str_sub(word, 5, word.n));
		word = STR("AUTH");
	}
	if ((c = capability_find(word)) == CAPABILITIES)
		return;
	e->has |= UINT32_C(1) << c;
	if (c == CAPABILITY_SIZE && !parse_u64(arg, UINT64_MAX, &e->size))
		e->size = 0;
	else if (c == CAPABILITY_AUTH)
		ehlo_auth(e, arg);
	else if (c == CAPABILITY_LIMITS)
		ehlo_limits(e, arg);
}

/* ---- writing ---- */

/* How much of the first line of text fits into room octets: to its end, or to
 * a space, or between characters. */
static size_t
line_fit(struct str text, size_t room)
{
	struct str line = str_sub(text, 0, str_find(text, '\n'));
	size_t n;

	if (line.n <= room)
		return line.n;
	n = str_find_last(str_sub(line, 0, room + 1), ' ');
	if (n > 0 && n <= room)
		return n;
	for (n = room; n > 1 && (line.p[n] & 0xc0) == 0x80; n--)
		continue;
	return n;
}

static void
line_write(struct buf *out, short code, bool last, struct str esc,
    struct str text, bool utf8)
{
	char clean[REPLY_LINE_WRITTEN + 1];

	text_clean(text, clean, sizeof clean);
	for (char *c = clean; *c != '\0' && !utf8; c++)
		if (*c < 0)
			*c = '?';
	buf_printf(out, "%03d%c" STR_FMT "%s%s\r\n", code, last ? ' ' : '-',
	    STR_ARG(esc), esc.n > 0 && clean[0] != '\0' ? " " : "", clean);
}

void
reply_write(struct buf *out, short code, struct esc esc, struct str text,
    bool utf8)
{
	struct esc_text printed = esc_print(esc);
	struct str e = str_of(printed.text);
	size_t room = REPLY_LINE_WRITTEN - 4 - (e.n > 0 ? e.n + 1 : 0);
	bool last;

	must(code >= 200 && code <= 599);
	do {
		size_t n = line_fit(text, room);
		struct str line = str_sub(text, 0, n);

		text = str_sub(text, n, text.n);
		if (text.n > 0 && (text.p[0] == '\n' || text.p[0] == ' '))
			text = str_sub(text, 1, text.n);
		last = text.n == 0;
		line_write(out, code, last, e, line, utf8);
	} while (!last);
}

