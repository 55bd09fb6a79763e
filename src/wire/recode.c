/*
 * What becomes of a part, by what the survey saw in it:
 *
 * PART                                      BECOMES
 * leaf, fit                                 as it is, its label made true
 * leaf of text, unfit, few octets special   quoted-printable
 * leaf, unfit, any other                    base64
 * multipart, message/rfc822                 as it is, labelled with the goal
 * any, within multipart/signed, /encrypted  refused if unfit, else as it is
 * leaf with an encoding, or odd, unfit      refused
 * message/partial and the like, unfit       refused (RFC 2046 5.2.2.1)
 *
 * and a message, outer or inner, with a part that was written anew has a
 * MIME-Version.
 */
#include "wire/recode.h"

#include "base/must.h"
#include "wire/content_type.h"
#include "wire/header.h"

enum {
	RECODE_AS_IT_IS = 0,
	RECODE_7BIT = 1,		/* no more than its label */
	RECODE_8BIT = 2,
	RECODE_QP = 4,
	RECODE_BASE64 = 8,
	RECODE_ENCODED = RECODE_QP | RECODE_BASE64,
	RECODE_LABELS = RECODE_7BIT | RECODE_8BIT | RECODE_ENCODED,
	RECODE_IS_MIME = 16		/* a part of this message was changed */
};

void
recode_begin(struct recode *r, enum recode_goal goal, bool is_binary,
    struct arena *arena)
{
	memset(r, 0, sizeof *r);
	r->arena = arena;
	r->goal = goal;
	r->is_binary = is_binary;
	r->is_survey = true;
	mime_begin(&r->mime, arena);
}

/* ---- the survey ---- */

static void
recode_refuse(struct recode *r, const char *why)
{
	if (r->refusal == NULL)
		r->refusal = why;
}

static void
leaf_look(struct recode *r, struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		char c = s.p[i];
		bool ends_line = c == '\n' && r->leaf.last == '\r';

		r->leaf.has_8bit |= c < 0;
		r->leaf.special += c < 0 || c == '=' ||
		    (c < ' ' && c != '\t' && c != '\r' && c != '\n');
		r->leaf.has_binary |= c == '\0' ||
		    (c == '\n' && !ends_line) ||
		    (r->leaf.last == '\r' && c != '\n');
		r->leaf.line = ends_line ? 0 : r->leaf.line + 1;
		r->leaf.has_long |= r->leaf.line > HEADER_LINE_MOST + 1;
		r->leaf.last = c;
	}
	r->leaf.octets += s.n;
}

/* Can it not pass as it is?  A binary message need not end in a line. */
static bool
leaf_is_unfit(const struct recode *r, bool is_last)
{
	if (r->leaf.has_8bit && r->goal == RECODE_TO_7BIT)
		return true;
	if (r->leaf.has_binary || r->leaf.last == '\r')
		return true;
	return r->is_binary && (r->leaf.has_long ||
	    (is_last && r->leaf.octets > 0 && r->leaf.last != '\n'));
}

/* RFC 6532 3.7, RFC 6533 5: the message/global types may be encoded. */
static bool
part_may_be_text(const struct mime_part *p)
{
	return content_type_is(&p->type, STR("text"), STR("")) ||
	    !p->type.is_valid ||
	    (str_eq_icase(p->type.type, STR("message")) &&
	    str_has_prefix_icase(p->type.subtype, STR("global")));
}

static const char *
leaf_refusal(const struct mime_part *p)
{
	if (p->is_sealed)
		return "it is signed or encrypted";
	if (p->encoding > MIME_BINARY)
		return "a part holds octets that its encoding does not know";
	if (p->is_odd)
		return "the header of a part has more than one meaning";
	if (content_type_is(&p->type, STR("message"), STR("")) &&
	    !part_may_be_text(p))
		return "a part is of a type that must not be encoded";
	return NULL;
}

/* What it says of itself and what is true.  0: it may stay. */
static unsigned
label_decide(const struct recode *r, bool has_8bit)
{
	const struct mime_part *p = &r->mime.part;

	if (p->is_sealed || p->is_odd || (p->encoding != MIME_BINARY &&
	    (p->encoding != MIME_8BIT || has_8bit)))
		return 0;
	return has_8bit ? RECODE_8BIT : RECODE_7BIT;
}

/* A body of text in which less than one octet in six is special is shorter, and
 * can be read by eye, in quoted-printable. */
static void
leaf_decide(struct recode *r, bool is_last)
{
	const struct mime_part *p = &r->mime.part;
	const char *refusal = leaf_refusal(p);
	unsigned how;

	if (!leaf_is_unfit(r, is_last)) {
		how = label_decide(r, r->leaf.has_8bit);
		r->how[p->index] |= (unsigned char)how;
		return;
	}
	if (refusal != NULL) {
		recode_refuse(r, refusal);
		return;
	}
	how = part_may_be_text(p) && !r->leaf.has_binary &&
	    r->leaf.special <= r->leaf.octets / 6 ? RECODE_QP : RECODE_BASE64;
	r->how[p->index] |= (unsigned char)how;
	must(p->root <= p->index);
	r->how[p->root] |= RECODE_IS_MIME;
	r->is_needed = true;
}

static void
headed_decide(struct recode *r)
{
	const struct mime_part *p = &r->mime.part;
	unsigned how = label_decide(r, r->goal == RECODE_TO_8BIT);

	memset(&r->leaf, 0, sizeof r->leaf);
	r->is_in_body = p->kind == MIME_LEAF;
	if (p->kind != MIME_LEAF)
		r->how[p->index] |= (unsigned char)how;
}

static void
leaf_over(struct recode *r, bool is_last)
{
	if (r->is_in_body)
		leaf_decide(r, is_last);
	r->is_in_body = false;
}

static void
between_look(struct recode *r, struct str raw)
{
	if (r->goal == RECODE_TO_7BIT && !str_is_ascii(raw))
		recode_refuse(r, "there are 8-bit octets between its parts");
	else if (r->is_binary && raw.n > 0 && memchr(raw.p, 0, raw.n) != NULL)
		recode_refuse(r, "there are NULs between its parts");
}

static void
step_survey(struct recode *r, enum mime_step step, const struct mime_out *out)
{
	switch (step) {
	case MIME_FIELD:
		r->header_has_8bit |= !str_is_ascii(out->raw);
		break;
	case MIME_HEADED:
		headed_decide(r);
		break;
	case MIME_BODY:
		leaf_look(r, out->raw);
		break;
	case MIME_BETWEEN:
		leaf_over(r, false);
		between_look(r, out->raw);
		break;
	case MIME_END:
		leaf_over(r, true);
		break;
	case MIME_MORE:
	case MIME_FAILED:
		break;
	}
}

void
recode_survey(struct recode *r, struct str chunk)
{
	enum mime_step step;
	struct mime_out out;

	must(r->is_survey);
	do {
		step = mime_next(&r->mime, &chunk, &out);
		step_survey(r, step, &out);
	} while (step != MIME_MORE && step < MIME_END);
}

int
recode_survey_end(struct recode *r)
{
	enum mime_step step;
	struct mime_out out;

	must(r->is_survey);
	do {
		step = mime_finish(&r->mime, &out);
		step_survey(r, step, &out);
	} while (step < MIME_END);
	if (step == MIME_END)
		return 0;
	recode_refuse(r, "its structure is too large to be read");
	return -1;
}

/* ---- writing ---- */

void
recode_again(struct recode *r)
{
	must(r->refusal == NULL);
	r->is_survey = r->is_in_body = false;
	r->body = r->after = STR("");
	mime_begin(&r->mime, r->arena);
}

static unsigned
part_how(const struct recode *r)
{
	return r->how[r->mime.part.index];
}

/* The fields that a part lacks, below its own.  RFC 2045 6.1 */
static void
fields_write(const struct recode *r, struct buf *out)
{
	const struct mime_part *p = &r->mime.part;
	unsigned how = part_how(r);

	if ((how & RECODE_IS_MIME) != 0 && !p->has_version)
		buf_put(out, STR("MIME-Version: 1.0\r\n"));
	if ((how & RECODE_ENCODED) != 0 && !p->has_type)
		buf_put(out, STR("Content-Type: text/plain; "
		    "charset=unknown-8bit\r\n"));
	if ((how & RECODE_LABELS) != 0)
		buf_printf(out, "Content-Transfer-Encoding: %s\r\n",
		    (how & RECODE_QP) != 0 ? "quoted-printable" :
		    (how & RECODE_BASE64) != 0 ? "base64" :
		    (how & RECODE_8BIT) != 0 ? "8bit" : "7bit");
}

/* Only who is written anew has a new header, and needs its end. */
static struct str
headed_write(struct recode *r, struct str raw)
{
	struct buf b = BUF_OF(r->room);

	r->is_in_body = (part_how(r) & RECODE_ENCODED) != 0;
	r->qp = (struct qp_writer){ 0 };
	r->base64 = (struct base64_writer){ 0 };
	fields_write(r, &b);
	if (b.n > 0 && raw.n == 0)
		raw = STR("\r\n");
	buf_put(&b, raw);
	must(!b.full);
	return buf_str(&b);
}

/* Some of the body; out is not empty. */
static struct str
body_write(struct recode *r)
{
	struct buf b = BUF_OF(r->room);

	must(r->body.n > 0);
	if ((part_how(r) & RECODE_QP) != 0)
		(void)qp_put(&r->qp, &r->body, &b);
	else
		(void)base64_put(&r->base64, &r->body, &b);
	return buf_str(&b);
}

/* The body is over.  A message's last line must end, and a line of base64 ends;
 * what ends without in quoted-printable has a soft break. */
static struct str
body_end(struct recode *r, bool is_last)
{
	struct buf b = BUF_OF(r->room);

	r->is_in_body = false;
	if ((part_how(r) & RECODE_QP) != 0) {
		(void)qp_end(&r->qp, &b);
		if (is_last && (r->qp.column > 0 || b.n > 0))
			buf_put(&b, STR("=\r\n"));
	} else
		(void)base64_end(&r->base64, &b);
	must(!b.full);
	return buf_str(&b);
}

static struct str
step_write(struct recode *r, enum mime_step step, const struct mime_out *out)
{
	switch (step) {
	case MIME_FIELD:
		if (out->field.known == HEADER_CONTENT_TRANSFER_ENCODING &&
		    (part_how(r) & RECODE_LABELS) != 0)
			return STR("");
		return out->raw;
	case MIME_HEADED:
		return headed_write(r, out->raw);
	case MIME_BODY:
		if (!r->is_in_body)
			return out->raw;
		r->body = out->raw;
		return STR("");
	case MIME_BETWEEN:
		if (!r->is_in_body)
			return out->raw;
		r->after = out->raw;
		return body_end(r, false);
	case MIME_END:
		return r->is_in_body ? body_end(r, true) : STR("");
	case MIME_MORE:
	case MIME_FAILED:
		break;
	}
	return STR("");
}

/* chunk == NULL: the message has ended. */
static int
recode_step(struct recode *r, struct str *chunk, struct str *out)
{
	enum mime_step step;
	struct mime_out said;

	must(!r->is_survey);
	do {
		if (r->body.n > 0) {
			*out = body_write(r);
			continue;
		}
		if (r->after.n > 0) {
			*out = r->after;
			r->after = STR("");
			return 1;
		}
		step = chunk != NULL ? mime_next(&r->mime, chunk, &said) :
		    mime_finish(&r->mime, &said);
		if (step == MIME_MORE || step == MIME_FAILED)
			return step == MIME_MORE ? 0 : -1;
		*out = step_write(r, step, &said);
		if (step == MIME_END && out->n == 0)
			return 0;
	} while (out->n == 0);
	return 1;
}

int
recode_next(struct recode *r, struct str *chunk, struct str *out)
{
	return recode_step(r, chunk, out);
}

int
recode_finish(struct recode *r, struct str *out)
{
	return recode_step(r, NULL, out);
}
