/* Quoted-printable: what is written is read back, however both are cut; what is read is
 * bounded, and the same however it is cut. */
#include "fuzz.h"
#include "wire/qp.h"

enum { ROOM = 8192 };

static char written[4 * ROOM], first[2 * ROOM], second[2 * ROOM];

static struct str
read_by(struct str in, size_t at_once, struct buf out, unsigned *faults)
{
	struct qp_reader r = { .n = 0 };

	while (in.n > 0) {
		struct str part = str_sub(in, 0, at_once);

		in = str_sub(in, part.n, in.n);
		must(qp_take(&r, &part, &out));
	}
	must(qp_close(&r, &out) && !out.full);
	*faults = r.faults;
	return buf_str(&out);
}

/* No line is too long, none ends in white space, none begins a boundary. */
static void
check_lines(struct str s)
{
	while (s.n > 0) {
		size_t n = str_find(s, '\r');

		must(n <= QP_LINE && s.p[0] != '-');
		must(n == 0 || (s.p[n - 1] != ' ' && s.p[n - 1] != '\t'));
		s = str_sub(s, n + 2, s.n);
	}
}

FUZZ(in)
{
	size_t at_once = 1 + fuzz_choice(&in) % 31;
	struct qp_writer w = { 0 };
	struct buf b = BUF_OF(written);
	struct str rest = in, a;
	unsigned faults, again;

	if (in.n > ROOM)
		return;
	while (rest.n > 0) {
		struct str part = str_sub(rest, 0, at_once);

		rest = str_sub(rest, part.n, rest.n);
		must(qp_put(&w, &part, &b));
	}
	must(qp_end(&w, &b) && !b.full);
	must(str_is_ascii(buf_str(&b)) && fuzz_is_canonical(buf_str(&b)));
	check_lines(buf_str(&b));
	a = read_by(buf_str(&b), at_once, BUF_OF(first), &faults);
	must(str_eq(a, in) && faults == 0);
	a = read_by(in, at_once, BUF_OF(first), &faults);
	must(a.n <= in.n);
	must(str_eq(a, read_by(in, 1 + in.n, BUF_OF(second), &again)));
	must(faults == again);
}
