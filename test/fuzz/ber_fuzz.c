/* BER: an element is whole, inside the input, and as long as it was said to be;
 * what is written around something is read back as it. */
#include "fuzz.h"
#include "wire/ber.h"

enum { MOST = 4096 };

static char room[2 * MOST];

/* Each element behind the other; none reads over the end of it. */
static void
elements_check(struct str in)
{
	struct str rest = in, content;
	unsigned char tag;
	uint32_t number;

	while (rest.n > 0) {
		struct str before = rest, same = rest, again = rest;
		int64_t n = ber_length(rest, MOST);

		must(n <= MOST);
		if (!ber_take(&rest, &tag, &content)) {
			must(rest.p == before.p && rest.n == before.n);
			return;
		}
		must(fuzz_is_inside(content, before));
		must(rest.n < before.n && content.n < before.n);
		must(n == -1 || n == (int64_t)(before.n - rest.n));
		must(ber_take_tag(&same, tag, &content) && same.n == rest.n);
		must(!ber_take_tag(&again, tag ^ 1, &content) &&
		    again.n == before.n);
		if (ber_take_number(&again, tag, &number))
			must(number <= INT32_MAX && again.n == rest.n);
	}
}

static void
wrap_check(struct str in)
{
	struct buf b = BUF_OF(room);
	size_t outer = ber_open(&b, BER_SEQUENCE);
	struct str all, inner, content;
	uint32_t number;

	ber_put(&b, BER_OCTETS, in);
	ber_put_number(&b, BER_INTEGER, (uint32_t)in.n);
	ber_close(&b, outer);
	must(!b.full);
	all = buf_str(&b);
	must(ber_length(all, sizeof room) == (int64_t)all.n);
	must(ber_take_tag(&all, BER_SEQUENCE, &inner) && all.n == 0);
	must(ber_take_tag(&inner, BER_OCTETS, &content) && str_eq(content, in));
	must(ber_take_number(&inner, BER_INTEGER, &number) && inner.n == 0);
	must(number == in.n);
}

FUZZ(in)
{
	if (in.n > MOST)
		return;
	elements_check(in);
	wrap_check(in);
}
