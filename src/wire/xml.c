#include "wire/xml.h"

#include "base/must.h"
#include "base/utf8.h"

/* XML 1.0 2.4: "&" and "<" have a meaning anywhere, ">" behind "]]". */
static struct str
xml_escape(char c)
{
	switch (c) {
	case '&':
		return STR("&amp;");
	case '<':
		return STR("&lt;");
	case '>':
		return STR("&gt;");
	case '"':
		return STR("&quot;");
	case '\'':
		return STR("&apos;");
	default:
		return STR_NONE;
	}
}

/* XML 1.0 2.2: Char ::= #x9 | #xA | #xD | [#x20-#xD7FF] | [#xE000-#xFFFD] |
 * [#x10000-#x10FFFF] */
static void
xml_text(struct buf *out, struct str s)
{
	while (s.n > 0) {
		uint32_t code;
		size_t n = utf8_next(str_sub(s, 0, UTF8_MOST), &code);
		struct str escaped = n == 1 ? xml_escape(s.p[0]) : STR_NONE;

		if (escaped.p != NULL)
			buf_put(out, escaped);
		else if (n == 1 && (code == '\t' || code == '\r' ||
		    code == '\n'))
			buf_putc(out, ' ');
		else if (n == 0 || !utf8_is_visible(code))
			utf8_put(out, 0xfffd);
		else
			buf_put(out, str_sub(s, 0, n));
		s = str_sub(s, n == 0 ? 1 : n, s.n);
	}
}

void
xml_begin(struct xml *x, struct buf *out, const char *root, const char *space)
{
	xml_below(x, out);
	buf_printf(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
	    "<%s xmlns=\"%s\">\n", root, space);
}

void
xml_below(struct xml *x, struct buf *out)
{
	*x = (struct xml){ .out = out };
}

void
xml_end(struct xml *x, const char *root)
{
	must(x->depth == 0);
	buf_printf(x->out, "</%s>\n", root);
}

static void
xml_indent(struct xml *x)
{
	for (unsigned i = 0; i <= x->depth; i++)
		buf_put(x->out, STR(" "));
}

void
xml_open(struct xml *x, const char *name)
{
	must(x->depth < XML_DEPTH);
	xml_indent(x);
	x->open[x->depth++] = name;
	buf_printf(x->out, "<%s>\n", name);
}

void
xml_close(struct xml *x)
{
	must(x->depth > 0);
	x->depth--;
	xml_indent(x);
	buf_printf(x->out, "</%s>\n", x->open[x->depth]);
}

void
xml_str(struct xml *x, const char *name, struct str s)
{
	xml_indent(x);
	buf_printf(x->out, "<%s>", name);
	xml_text(x->out, s);
	buf_printf(x->out, "</%s>\n", name);
}

void
xml_num(struct xml *x, const char *name, int64_t v)
{
	xml_indent(x);
	buf_printf(x->out, "<%s>%lld</%s>\n", name, (long long)v, name);
}

void
xml_maybe(struct xml *x, const char *name, struct str s)
{
	if (s.p != NULL)
		xml_str(x, name, s);
}
