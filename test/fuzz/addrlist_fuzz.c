/* Address lists: items follow each other through the value, and a mailbox that
 * is written again is read again. */
#include "fuzz.h"
#include "wire/address.h"
#include "wire/addrlist.h"

static void
check_again(const struct addrlist_item *item)
{
	static char text[256 * 1024];
	struct buf b = BUF_OF(text);
	struct addrlist_item again;
	struct addrlist list;
	struct arena arena;

	if (!str_is_printable(item->local))
		return;
	mailbox_print(item->local, item->domain, &b);
	arena_init(&arena, 512 * 1024);
	addrlist_begin(&list, buf_str(&b), &arena);
	must(!b.full && addrlist_next(&list, &again));
	must(again.kind == ADDRLIST_MAILBOX);
	must(str_eq(again.local, item->local));
	must(str_eq(again.domain, item->domain));
	must(!addrlist_next(&list, &again));
	arena_clear(&arena);
}

FUZZ(in)
{
	const char *last = in.p;
	struct addrlist_item item;
	struct addrlist list;
	struct arena arena;
	size_t items = 0;

	arena_init(&arena, 1024 * 1024);
	addrlist_begin(&list, in, &arena);
	while (addrlist_next(&list, &item)) {
		must(++items <= in.n);
		must(fuzz_is_inside(item.raw, in));
		if (item.raw.n > 0) {
			must(item.raw.p >= last);
			last = item.raw.p + item.raw.n;
		}
		must(item.kind != ADDRLIST_MAILBOX || item.domain.n > 0);
		if (item.kind == ADDRLIST_MAILBOX)
			check_again(&item);
	}
	arena_clear(&arena);
}
