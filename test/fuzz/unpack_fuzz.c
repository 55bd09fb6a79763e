/* gzip and zip: one octet of choices, then what a stranger packed.  However it is
 * cut, the same comes out, or it is refused for the same reason; never more than
 * the limits. */
#include "fuzz.h"
#include "wire/unpack.h"

enum { ROOM = 512 * 1024 };

static char one_room[ROOM], two_room[ROOM];
static struct arena arena;

/* What comes out beyond the room is only counted. */
static bool
unpack(struct str in, size_t at_once, struct buf *all, const char **why)
{
	struct unpack *u;
	struct str out;
	size_t fed = 0, made = 0;
	int rc = 0;

	arena_init(&arena, UNPACK_MEMORY);
	u = unpack_begin(&arena);
	must(u != NULL);
	while (in.n > 0 && rc == 0) {
		struct str piece = str_sub(in, 0, at_once);

		in = str_sub(in, piece.n, in.n);
		fed += piece.n;
		while ((rc = unpack_next(u, &piece, &out)) == 1) {
			must(out.n > 0);
			made += out.n;
			buf_put(all, out);
		}
	}
	while (rc == 0 && (rc = unpack_end(u, &out)) == 1) {
		made += out.n;
		buf_put(all, out);
		rc = 0;
	}
	must(made <= UNPACK_FREE || made <= fed * UNPACK_RATIO + UNPACK_RATIO);
	*why = unpack_why(u);
	arena_clear(&arena);
	return rc == 0;
}

FUZZ(in)
{
	size_t at_once = 1 + fuzz_choice(&in) % 61;
	struct buf one = BUF_OF(one_room), two = BUF_OF(two_room);
	const char *why_one, *why_two;
	bool is_good = unpack(in, in.n + 1, &one, &why_one);

	must(unpack(in, at_once, &two, &why_two) == is_good);
	must(str_eq(str_of(why_one), str_of(why_two)));
	must(!is_good || str_eq(buf_str(&one), buf_str(&two)));
}
