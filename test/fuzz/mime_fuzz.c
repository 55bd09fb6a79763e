/* The structure of messages: one octet of choices, then a message.  All that the
 * walk hands out is the message, however it is cut, and what is said of each part
 * does not depend on how; parts and depths are within their limits. */
#include "fuzz.h"
#include "wire/mime.h"

enum { ROOM = 32 * 1024, TOLD = 64 * 1024 };

static char raw_room[ROOM], one_room[TOLD], two_room[TOLD];
static struct mime mime;
static struct arena arena;

static void
step_take(struct buf *raw, struct buf *told, enum mime_step step,
    const struct mime_out *out)
{
	const struct mime_part *p = &mime.part;

	if (step == MIME_MORE || step == MIME_END || step == MIME_FAILED)
		return;
	buf_put(raw, out->raw);
	must(p->index < MIME_PARTS_MOST && p->root <= p->index);
	must(mime.depth <= MIME_DEPTH_MOST);
	if (step == MIME_HEADED)
		buf_printf(told, "%u.%u.%d.%d.%d%d%d%d%d ", p->index, p->root,
		    (int)p->kind, (int)p->encoding, p->has_type,
		    p->has_encoding, p->has_version, p->is_sealed, p->is_odd);
}

/* What was said of the parts; p == NULL: a header was too large. */
static struct str
walk(struct str in, size_t at_once, struct buf told)
{
	struct buf raw = BUF_OF(raw_room);
	struct mime_out out;
	enum mime_step step = MIME_MORE;
	struct str rest = in;

	arena_init(&arena, MIME_ARENA);
	mime_begin(&mime, &arena);
	while (rest.n > 0 && step < MIME_END) {
		struct str chunk = str_sub(rest, 0, at_once);

		rest = str_sub(rest, chunk.n, rest.n);
		do {
			out.raw = STR("");
			step = mime_next(&mime, &chunk, &out);
			step_take(&raw, &told, step, &out);
		} while (step != MIME_MORE && step < MIME_END);
	}
	do {
		step = mime_finish(&mime, &out);
		step_take(&raw, &told, step, &out);
	} while (step < MIME_END);
	arena_clear(&arena);
	must(!raw.full && !told.full);
	must(step != MIME_END || str_eq(buf_str(&raw), in));
	return step == MIME_END ? buf_str(&told) : STR_NONE;
}

FUZZ(in)
{
	size_t at_once = 1 + fuzz_choice(&in) % 61;
	struct str whole;

	if (in.n > ROOM / 2)
		return;
	whole = walk(in, in.n + 1, BUF_OF(one_room));
	must(str_eq(whole, walk(in, at_once, BUF_OF(two_room))));
}
