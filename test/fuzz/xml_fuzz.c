/* XML out: whatever the texts are, another's parser takes it, and finds in each
 * element no octet that could not stand there. */
#include "fuzz.h"
#include "wire/xml.h"

#include <expat.h>

enum { TEXT_MOST = 1000 };

static char room[64 + 4 * XML_OCTET_MOST * TEXT_MOST];

struct seen { size_t elements; bool is_text; };

/* Between elements are our own ends of lines. */
static void XMLCALL
text_see(void *arg, const XML_Char *p, int n)
{
	const struct seen *s = arg;

	for (int i = 0; s->is_text && i < n; i++)
		must((unsigned char)p[i] >= ' ' && p[i] != 0x7f);
}

static void XMLCALL
element_see(void *arg, const XML_Char *name, const XML_Char **attributes)
{
	struct seen *s = arg;

	(void)attributes;
	s->elements++;
	s->is_text = str_eq(str_of(name), STR("two")) ||
	    str_eq(str_of(name), STR("three"));
}

static void XMLCALL
element_end(void *arg, const XML_Char *name)
{
	struct seen *s = arg;

	(void)name;
	s->is_text = false;
}

FUZZ(in)
{
	struct str text = str_sub(in, 0, TEXT_MOST);
	struct buf b = BUF_OF(room);
	struct xml x;
	struct seen seen = { .elements = 0 };
	XML_Parser p = XML_ParserCreate(NULL);

	xml_begin(&x, &b, "root", "urn:x");
	xml_open(&x, "one");
	xml_str(&x, "two", text);
	xml_maybe(&x, "three", str_sub(text, 1, text.n));
	xml_num(&x, "four", (int64_t)in.n);
	xml_close(&x);
	xml_end(&x, "root");
	must(!b.full && p != NULL);
	XML_SetUserData(p, &seen);
	XML_SetElementHandler(p, element_see, element_end);
	XML_SetCharacterDataHandler(p, text_see);
	must(XML_Parse(p, b.p, (int)b.n, 1) == XML_STATUS_OK);
	must(seen.elements == 4 || seen.elements == 5);
	XML_ParserFree(p);
}
