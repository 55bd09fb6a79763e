/* ARC: whatever stands in a header, sets are found or refused, and what is taken
 * is a piece of it; memory stays within what a message may have. */
#include "fuzz.h"
#include "trust/arc.h"
#include "trust/digest.h"

static void
check_results(struct str in)
{
	struct str results = STR_NONE;
	unsigned instance = 0;

	if (arc_results_read(in, &instance, &results) != NULL)
		return;
	must(instance >= 1 && instance <= ARC_SETS_MOST);
	must(fuzz_is_inside(results, in));
}

/* A header without CRs is one with CRLFs: so mutations stay readable. */
static struct str
lines_make(struct str in, struct arena *a)
{
	struct buf out = { .p = arena_alloc(a, 2 * in.n + 2), .cap = 2 * in.n + 2 };

	for (size_t i = 0; i < in.n; i++) {
		if (in.p[i] == '\n')
			buf_putc(&out, '\r');
		if (in.p[i] != '\r')
			buf_putc(&out, in.p[i]);
	}
	return buf_str(&out);
}

FUZZ(in)
{
	struct header_scan scan;
	struct field field;
	struct arena arena;
	struct digest *d;
	struct str text;

	check_results(in);
	arena_init(&arena, 4 << 20);
	text = lines_make(in, &arena);
	d = digest_new(&arena);
	header_begin(&scan, &arena);
	while (header_next(&scan, &text, &field) == HEADER_FIELD)
		must(digest_field(d, &field));
	while (header_finish(&scan, &field) == HEADER_FIELD)
		must(digest_field(d, &field));
	must(arc_verify_begin(d, &arena) != NULL);
	must(digest_end(d));
	arena_clear(&arena);
}
