/* Feedback reports: one octet says where the report's own fields end and those of
 * the message that it is about begin.  What is kept is within its limits, on one
 * line, and a report lacks nothing that it must have. */
#include "fuzz.h"
#include "wire/arf.h"

static struct arena arena, scan_arena;

static void
fields_feed(struct arf_read *r, struct str in,
    void (*take)(struct arf_read *, const struct field *))
{
	struct header_scan scan;
	struct field f;

	arena_init(&scan_arena, HEADER_ARENA);
	header_begin(&scan, &scan_arena);
	while (header_next(&scan, &in, &f) == HEADER_FIELD)
		take(r, &f);
	while (header_finish(&scan, &f) == HEADER_FIELD)
		take(r, &f);
	arena_clear(&scan_arena);
}

static void
text_holds(struct str s)
{
	must(s.n <= ARF_TEXT && str_find(s, '\n') == s.n);
}

static void
list_holds(const struct arf_list *l)
{
	must(l->n <= ARF_LIST);
	for (size_t i = 0; i < l->n; i++)
		text_holds(l->v[i]);
}

FUZZ(in)
{
	size_t cut = fuzz_choice(&in) * 16U;
	const struct arf *arf;
	struct arf_read *r;

	arena_init(&arena, ARF_MEMORY);
	r = arf_read_begin(&arena);
	must(r != NULL);
	fields_feed(r, str_sub(in, 0, cut), arf_read_field);
	fields_feed(r, str_sub(in, cut, in.n), arf_read_original);
	arf = arf_read_end(r);
	must(arf != NULL || arf_read_why(r)[0] != '\0');
	if (arf != NULL) {
		must(arf->type.n > 0 && arf->incidents >= 1);
		must(arf->source_port <= UINT16_MAX && arf->arrived.us >= 0);
		for (int i = 0; i < ARF_NAMES; i++)
			text_holds(arf->text[i]);
		list_holds(&arf->results);
		list_holds(&arf->rcpts);
		list_holds(&arf->domains);
		list_holds(&arf->uris);
		text_holds(arf->subject);
	}
	arena_clear(&arena);
}
