/* What is packed unpacks to what was put, however it was cut; the same octets make
 * the same file; and no file is larger than was allowed. */
#include "fuzz.h"
#include "wire/gzip.h"
#include "wire/unpack.h"

enum { ROOM = 64 * 1024 };

static char room[ROOM], first_room[ROOM];
static struct arena arena;

/* n == 0: it did not fit. */
static struct str
pack(struct str in, size_t at_once, size_t most)
{
	struct gzip *g = gzip_new(&arena, most);

	must(g != NULL);
	for (; in.n > 0; in = str_sub(in, at_once, in.n))
		gzip_put(g, str_sub(in, 0, at_once));
	if (!gzip_end(g))
		return STR_NONE;
	must(gzip_octets(g).n > 0 && gzip_octets(g).n <= most);
	return gzip_octets(g);
}

static void
unpack_all(struct str packed, struct buf *all)
{
	struct unpack *u = unpack_begin(&arena);
	struct str out;
	int rc;

	must(u != NULL);
	while ((rc = unpack_next(u, &packed, &out)) == 1)
		buf_put(all, out);
	while (rc == 0 && (rc = unpack_end(u, &out)) == 1) {
		buf_put(all, out);
		rc = 0;
	}
	must(rc == 0);
}

FUZZ(in)
{
	size_t at_once = 1 + fuzz_choice(&in), most = fuzz_choice(&in) * 32U;
	struct buf all = BUF_OF(room), first = BUF_OF(first_room);
	struct str packed;

	in = str_sub(in, 0, ROOM / 2);
	arena_init(&arena, 4 * 1024 * 1024 + UNPACK_MEMORY);
	packed = pack(in, at_once, ROOM);
	must(packed.n > 0);
	buf_put(&first, packed);
	/* what unpacks to hundreds of times as much is refused, as a bomb */
	if (in.n <= UNPACK_FREE || in.n <= packed.n * UNPACK_RATIO) {
		unpack_all(packed, &all);
		must(!all.full && str_eq(buf_str(&all), in));
	}
	arena_clear(&arena);
	arena_init(&arena, 4 * 1024 * 1024);
	packed = pack(in, in.n + 1, ROOM);
	must(str_eq(packed, buf_str(&first)));
	packed = pack(in, at_once, most + 1);
	must((packed.n > 0) == (buf_str(&first).n <= most + 1));
	arena_clear(&arena);
}
