/*
 * The structure of messages, and their conversion.
 *
 * Input: one octet of choices, then a message.  All raw that the walk hands out
 * is the message, however it is cut; parts are within their limits.  What is
 * converted has no octet that the goal forbids, is the same however it is cut,
 * and when both are walked and decoded, part by part, they are the same octets.
 */
#include "fuzz.h"
#include "wire/recode.h"

enum { ROOM = 64 * 1024, FLAG_BINARY = 1, FLAG_TO_8BIT = 2 };

static char out_room[8 * ROOM], again_room[8 * ROOM];
static char one_room[8 * ROOM], two_room[8 * ROOM];
static struct mime mime;
static struct recode recode;
static struct arena arena;

/* ---- what a reader sees ---- */

struct reader {
	struct buf told;		/* decoded bodies, one behind the other */
	struct base64_reader base64;
	struct qp_reader qp;
	bool is_in_body;
};

static void
body_close(struct reader *r)
{
	if (!r->is_in_body)
		return;
	must(base64_close(&r->base64, &r->told));
	must(qp_close(&r->qp, &r->told));
	r->is_in_body = false;
	buf_put(&r->told, STR("\0|"));
}

static void
body_take(struct reader *r, struct str s)
{
	switch (mime.part.encoding) {
	case MIME_BASE64:
		must(base64_take(&r->base64, &s, &r->told));
		return;
	case MIME_QP:
		must(qp_take(&r->qp, &s, &r->told));
		return;
	case MIME_7BIT:
	case MIME_8BIT:
	case MIME_BINARY:
	case MIME_UNKNOWN:
		break;
	}
	buf_put(&r->told, s);
}

static void
step_take(struct reader *r, struct buf *raw, enum mime_step step,
    const struct mime_out *out)
{
	if (step == MIME_MORE || step == MIME_END || step == MIME_FAILED)
		return;
	buf_put(raw, out->raw);
	must(mime.part.index < MIME_PARTS_MOST);
	must(mime.part.root <= mime.part.index);
	must(mime.depth <= MIME_DEPTH_MOST);
	if (step != MIME_BODY)
		body_close(r);
	if (step == MIME_HEADED && mime.part.kind == MIME_LEAF) {
		r->is_in_body = true;
		r->base64 = (struct base64_reader){ 0 };
		r->qp = (struct qp_reader){ .n = 0 };
	}
	if (step == MIME_BODY)
		body_take(r, out->raw);
}

/* False: it is too large to be walked. */
static bool
walk(struct str in, size_t at_once, char *to, size_t room, struct str *told)
{
	struct reader r = { .told = { .p = to, .cap = room } };
	struct buf raw = { .p = again_room, .cap = sizeof again_room };
	struct mime_out out;
	enum mime_step step;
	struct str rest = in;

	arena_init(&arena, MIME_ARENA);
	mime_begin(&mime, &arena);
	while (rest.n > 0) {
		struct str chunk = str_sub(rest, 0, at_once);

		rest = str_sub(rest, chunk.n, rest.n);
		do {
			out.raw = STR("");
			step = mime_next(&mime, &chunk, &out);
			step_take(&r, &raw, step, &out);
		} while (step != MIME_MORE && step < MIME_END);
	}
	do {
		step = mime_finish(&mime, &out);
		step_take(&r, &raw, step, &out);
	} while (step < MIME_END);
	body_close(&r);
	arena_clear(&arena);
	must(!r.told.full && !raw.full);
	*told = buf_str(&r.told);
	must(step != MIME_END || str_eq(buf_str(&raw), in));
	return step == MIME_END;
}

/* ---- conversion ---- */

static struct str
convert(struct str in, size_t at_once, char *to, size_t room)
{
	struct buf b = { .p = to, .cap = room };
	struct str out;
	int rc;

	recode_again(&recode);
	while (in.n > 0) {
		struct str chunk = str_sub(in, 0, at_once);

		in = str_sub(in, chunk.n, in.n);
		while ((rc = recode_next(&recode, &chunk, &out)) == 1)
			buf_put(&b, out);
		must(rc == 0);
	}
	while ((rc = recode_finish(&recode, &out)) == 1)
		buf_put(&b, out);
	must(rc == 0 && !b.full);
	arena_clear(&arena);
	return buf_str(&b);
}

static bool
survey(struct str in, size_t at_once, unsigned flags)
{
	bool ok;

	arena_init(&arena, RECODE_ARENA);
	recode_begin(&recode, flags & FLAG_TO_8BIT ? RECODE_TO_8BIT :
	    RECODE_TO_7BIT, flags & FLAG_BINARY, &arena);
	while (in.n > 0) {
		recode_survey(&recode, str_sub(in, 0, at_once));
		in = str_sub(in, at_once, in.n);
	}
	ok = recode_survey_end(&recode) == 0;
	arena_clear(&arena);
	return ok && recode.refusal == NULL && recode.is_needed;
}

static void
check_convert(struct str in, size_t at_once, unsigned flags, struct str told)
{
	struct str out, told_out;

	out = convert(in, in.n, out_room, sizeof out_room);
	must(str_eq(out, convert(in, at_once, again_room,
	    sizeof again_room)));
	must(!walk(out, out.n, two_room, sizeof two_room, &told_out) ||
	    str_eq(told, told_out));
	if (recode.header_has_8bit)
		return;
	must((flags & FLAG_TO_8BIT) != 0 || str_is_ascii(out));
}

FUZZ(in)
{
	unsigned flags = fuzz_choice(&in);
	size_t at_once = 1 + (flags >> 2) % 47;
	struct str told, cut;

	if (in.n > ROOM / 2)
		return;
	if (!walk(in, in.n + 1, one_room, sizeof one_room, &told))
		return;
	must(walk(in, at_once, two_room, sizeof two_room, &cut));
	must(str_eq(told, cut));
	if ((flags & FLAG_BINARY) == 0 && !fuzz_is_canonical(in))
		return;			/* no such message comes so far */
	if (survey(in, at_once, flags))
		check_convert(in, at_once, flags, told);
}
