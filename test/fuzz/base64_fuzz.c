/* Base64: what is written is read back, however both are cut; what is read is
 * bounded, and the same however it is cut. */
#include "fuzz.h"
#include "wire/base64.h"

enum { ROOM = 8192 };

static char written[2 * ROOM], first[2 * ROOM], second[2 * ROOM];

static struct str
read_by(struct str in, size_t at_once, struct buf out, unsigned *faults)
{
	struct base64_reader r = { 0 };

	while (in.n > 0) {
		struct str part = str_sub(in, 0, at_once);

		in = str_sub(in, part.n, in.n);
		must(base64_take(&r, &part, &out));
	}
	must(base64_close(&r, &out) && !out.full);
	*faults = r.faults;
	return buf_str(&out);
}

FUZZ(in)
{
	size_t at_once = 1 + fuzz_choice(&in) % 31;
	struct base64_writer w = { 0 };
	struct buf b = BUF_OF(written);
	struct str rest = in, a;
	unsigned faults, again;

	if (in.n > ROOM)
		return;
	while (rest.n > 0) {
		struct str part = str_sub(rest, 0, at_once);

		rest = str_sub(rest, part.n, rest.n);
		must(base64_put(&w, &part, &b));
	}
	must(base64_end(&w, &b) && !b.full);
	must(str_is_ascii(buf_str(&b)) && fuzz_is_canonical(buf_str(&b)));
	a = read_by(buf_str(&b), at_once, BUF_OF(first), &faults);
	must(str_eq(a, in) && faults == 0);
	a = read_by(in, at_once, BUF_OF(first), &faults);
	must(a.n <= in.n);
	must(str_eq(a, read_by(in, 1 + in.n, BUF_OF(second), &again)));
	must(faults == again);
}
