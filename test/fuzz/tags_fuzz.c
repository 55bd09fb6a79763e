/* Lists of tags: what is read stands in the list, each name once, and is read the
 * same when it is written anew. */
#include "fuzz.h"
#include "base/buf.h"
#include "wire/tags.h"

static struct tags once, again;
static char text[64 * 1024];

static void
check_tag(const struct tag *t, struct str list)
{
	struct str rest = t->value, item;
	size_t n = 0;

	must(t->name.n > 0 && fuzz_is_inside(t->name, list));
	must(t->value.p != NULL && fuzz_is_inside(t->value, list));
	must(str_trim(t->value).n == t->value.n);
	must(str_find(t->value, ';') == t->value.n && str_is_utf8(t->value));
	while (tag_item(&rest, ':', &item)) {
		must(fuzz_is_inside(item, t->value));
		n++;
	}
	must(n > 0 && n <= t->value.n + 1);
}

FUZZ(in)
{
	struct buf b = BUF_OF(text);

	if (!tags_read(in, &once))
		return;
	must(once.n > 0 && once.n <= TAGS_MOST);
	for (size_t i = 0; i < once.n; i++) {
		check_tag(&once.tag[i], in);
		buf_put(&b, once.tag[i].name);
		buf_putc(&b, '=');
		buf_put(&b, once.tag[i].value);
		buf_putc(&b, ';');
	}
	must(b.full || tags_read(buf_str(&b), &again));
	for (size_t i = 0; i < once.n && !b.full; i++) {
		must(str_eq(once.tag[i].name, again.tag[i].name));
		must(str_eq(once.tag[i].value, again.tag[i].value));
	}
}
