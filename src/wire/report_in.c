/*
 * A part's octets go through these, each only as far as it is called for:
 *
 *	mime -> base64 | quoted-printable -> unpack -> XML | JSON | fields
 *
 * What a part is decides its first octet that is no white space: '<' of XML (but
 * not under text/html), '{' of JSON.  Others are passed over.
 *
 * PART_WAITS (for that octet) -> PART_XML | PART_JSON | PART_IGNORED; a feedback
 * report's are PART_FEEDBACK, its message's header PART_ORIGINAL, from their type.
 */
#include "wire/report_in.h"

#include "wire/base64.h"
#include "wire/content_type.h"
#include "wire/header.h"
#include "wire/lex.h"
#include "wire/qp.h"

#include <stdio.h>

enum { DECODE_ROOM = 4096, LINE_MOST = 1000 };

enum part_state { PART_IGNORED, PART_WAITS, PART_XML, PART_JSON, PART_FEEDBACK,
	PART_ORIGINAL };

struct report_in_read {
	struct arena *arena;
	struct report_in_listener listener;
	struct mime mime;
	struct arena mime_arena;
	struct report_in in;
	bool is_done;			/* there is one */
	struct arf_read *arf;		/* its part was met */
	unsigned n_packed;
	char line[LINE_MOST];
	/* the part we are in */
	enum part_state state;
	enum mime_encoding encoding;
	bool is_meant;			/* its type says that it is a report, or it
					 * was packed */
	unsigned bom;			/* octets of a byte order mark passed */
	struct arena_mark mark;
	struct base64_reader base64;
	struct qp_reader qp;
	struct unpack *unpack;
	struct dmarc_report_read *xml;
	struct buf json;
	struct header_scan header;
	bool header_is_over;
	char room[DECODE_ROOM];
};

static void
arena_end(void *arena)
{
	arena_clear(arena);
}

struct report_in_read *
report_in_begin(struct arena *a, const struct report_in_listener *listener)
{
	struct report_in_read *r = arena_new(a, struct report_in_read);

	if (r == NULL)
		return NULL;
	r->arena = a;
	r->listener = *listener;
	arena_init(&r->mime_arena, MIME_ARENA);
	if (arena_defer(a, arena_end, &r->mime_arena) != 0)
		return NULL;
	mime_begin(&r->mime, &r->mime_arena);
	return r;
}

/* ---- what is wrong: the first that was meant to be a report tells ---- */

static void
part_broken(struct report_in_read *r, const char *why)
{
	r->state = PART_IGNORED;
	if (!r->is_meant || r->in.kind != REPORT_IN_NONE)
		return;
	r->in.kind = REPORT_IN_BROKEN;
	snprintf(r->in.why, sizeof r->in.why, "%s", why);
}

static void
report_found(struct report_in_read *r, enum report_in_kind kind)
{
	r->in.kind = kind;
	r->in.why[0] = '\0';
	r->is_done = true;
}

/* ---- XML ---- */

static int
record_tell(void *arg, const struct dmarc_report_record *record)
{
	struct report_in_read *r = arg;

	return r->listener.record(r->listener.arg, record);
}

static void
xml_begin(struct report_in_read *r)
{
	struct dmarc_report_listener l = { record_tell, r };

	r->xml = dmarc_report_read_begin(r->arena, &l);
	r->state = PART_XML;
	if (r->xml == NULL)
		part_broken(r, "no memory");
}

static void
xml_take(struct report_in_read *r, struct str octets)
{
	if (dmarc_report_read(r->xml, octets) == 0)
		return;
	r->is_meant |= dmarc_report_read_is_one(r->xml);
	part_broken(r, dmarc_report_read_why(r->xml));
}

static void
xml_end(struct report_in_read *r)
{
	const struct dmarc_report *d = dmarc_report_read_end(r->xml);

	r->is_meant |= dmarc_report_read_is_one(r->xml);
	if (d == NULL) {
		part_broken(r, dmarc_report_read_why(r->xml));
		return;
	}
	r->in.dmarc = *d;
	report_found(r, REPORT_IN_DMARC);
}

/* ---- JSON ---- */

static int
policy_tell(void *arg, const struct tls_rpt_policy *p,
    const struct tls_rpt_failure *f)
{
	struct report_in_read *r = arg;

	return r->listener.policy(r->listener.arg, p, f);
}

static void
tls_begin(struct report_in_read *r)
{
	r->json = (struct buf){ .p = arena_alloc(r->arena, TLS_READ_OCTETS),
		.cap = TLS_READ_OCTETS };
	r->state = PART_JSON;
	if (r->json.p == NULL)
		part_broken(r, "no memory");
}

static void
tls_take(struct report_in_read *r, struct str octets)
{
	buf_put(&r->json, octets);
	if (r->json.full)
		part_broken(r, "it is more than 2 MiB of JSON");
}

static void
tls_end(struct report_in_read *r)
{
	struct tls_rpt_listener l = { policy_tell, r };
	const char *why;

	if (tls_rpt_read(buf_str(&r->json), r->arena, &l, &r->in.tls,
	    &why) == 0)
		report_found(r, REPORT_IN_TLS);
	else
		part_broken(r, why);
}

/* ---- fields: a feedback report, the header of what it is about ---- */

static void
fields_begin(struct report_in_read *r, enum part_state state)
{
	r->state = state;
	r->header_is_over = false;
	header_begin(&r->header, r->arena);
	if (r->arf == NULL)
		r->arf = arf_read_begin(r->arena);
	if (r->arf == NULL)
		part_broken(r, "no memory");
}

static void
field_take(struct report_in_read *r, const struct field *f)
{
	if (r->state == PART_FEEDBACK)
		arf_read_field(r->arf, f);
	else
		arf_read_original(r->arf, f);
}

/* Some begin with empty lines. */
static void
fields_take(struct report_in_read *r, struct str octets)
{
	struct field f;
	enum header_step step;

	while (r->header.octets == 0 && r->header.carry_n == 0 &&
	    octets.n > 0 && (octets.p[0] == '\r' || octets.p[0] == '\n'))
		octets = str_sub(octets, 1, octets.n);
	while (octets.n > 0 && !r->header_is_over) {
		step = header_next(&r->header, &octets, &f);
		if (step == HEADER_FIELD)
			field_take(r, &f);
		else if (step != HEADER_MORE)
			r->header_is_over = true;
	}
}

static void
fields_end(struct report_in_read *r)
{
	struct field f;

	while (!r->header_is_over) {
		if (header_finish(&r->header, &f) == HEADER_FIELD)
			field_take(r, &f);
		else
			r->header_is_over = true;
	}
}

/* ---- a part's octets, unpacked ---- */

static void
part_choose(struct report_in_read *r, char first)
{
	const struct mime_part *p = &r->mime.part;

	bool is_marked = first == '\xfe' || first == '\xff';	/* UTF-16 */

	if ((first == '<' || is_marked) && !content_type_is(&p->type,
	    STR("text"), STR("html")))
		xml_begin(r);
	else if (first == '{')
		tls_begin(r);
	else
		part_broken(r, "it is neither XML nor JSON");
}

static void
contents_take(struct report_in_read *r, struct str octets)
{
	if (r->state == PART_WAITS) {
		lex_skip_space(&octets);
		while (octets.n > 0 && r->bom < 3 &&
		    octets.p[0] == "\xef\xbb\xbf"[r->bom]) {
			r->bom++;
			octets = str_sub(octets, 1, octets.n);
		}
		if (octets.n == 0)
			return;
		part_choose(r, octets.p[0]);
	}
	if (r->state == PART_XML)
		xml_take(r, octets);
	else if (r->state == PART_JSON)
		tls_take(r, octets);
}

static void
unpacked_count(struct report_in_read *r)
{
	if (unpack_kind(r->unpack) != UNPACK_PLAIN)
		r->is_meant = true;
}

static void
packed_take(struct report_in_read *r, struct str octets)
{
	struct str out;
	int rc = 0;

	while (octets.n > 0 && r->state != PART_IGNORED &&
	    (rc = unpack_next(r->unpack, &octets, &out)) == 1) {
		unpacked_count(r);
		contents_take(r, out);
	}
	if (rc < 0 && r->state != PART_IGNORED) {
		unpacked_count(r);
		part_broken(r, unpack_why(r->unpack));
	}
}

static void
packed_end(struct report_in_read *r)
{
	struct str out;
	int rc = 0;

	while (r->state != PART_IGNORED &&
	    (rc = unpack_end(r->unpack, &out)) == 1) {
		unpacked_count(r);
		contents_take(r, out);
	}
	if (rc < 0 && r->state != PART_IGNORED) {
		unpacked_count(r);
		part_broken(r, unpack_why(r->unpack));
	}
}

static void
decoded_take(struct report_in_read *r, struct str octets)
{
	if (octets.n == 0)
		return;
	if (r->state == PART_FEEDBACK || r->state == PART_ORIGINAL)
		fields_take(r, octets);
	else
		packed_take(r, octets);
}

/* ---- transfer encodings ---- */

static void
encoded_take(struct report_in_read *r, struct str octets)
{
	enum mime_encoding e = r->encoding;
	bool has_more = true;

	if (e != MIME_BASE64 && e != MIME_QP) {
		decoded_take(r, octets);
		return;
	}
	while (has_more && r->state != PART_IGNORED) {
		struct buf out = BUF_OF(r->room);

		has_more = e == MIME_BASE64 ? !base64_take(&r->base64, &octets,
		    &out) : !qp_take(&r->qp, &octets, &out);
		decoded_take(r, buf_str(&out));
	}
}

static void
encoded_end(struct report_in_read *r)
{
	enum mime_encoding e = r->encoding;
	struct buf out = BUF_OF(r->room);

	if (e == MIME_BASE64)
		(void)base64_close(&r->base64, &out);
	else if (e == MIME_QP)
		(void)qp_close(&r->qp, &out);
	decoded_take(r, buf_str(&out));
}

/* ---- parts ---- */

/* RFC 9990 3.2.1.1, RFC 8460 6.4, 6.5: what declares itself to be one. */
static bool
part_is_meant(const struct content_type *t)
{
	static const struct { struct str type, subtype; } rows[] = {
		{ STR_INIT("application"), STR_INIT("tlsrpt+gzip") },
		{ STR_INIT("application"), STR_INIT("tlsrpt+json") },
		{ STR_INIT("application"), STR_INIT("xml") },
		{ STR_INIT("text"), STR_INIT("xml") },
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		if (content_type_is(t, rows[i].type, rows[i].subtype))
			return true;
	return false;
}

static void
packed_begin(struct report_in_read *r)
{
	if (++r->n_packed > REPORT_IN_PACKED_MOST)
		return;
	r->unpack = unpack_begin(r->arena);
	r->state = PART_WAITS;
	r->is_meant = part_is_meant(&r->mime.part.type);
	if (r->unpack == NULL)
		part_broken(r, "no memory");
}

static void
part_begin(struct report_in_read *r)
{
	const struct mime_part *p = &r->mime.part;

	r->state = PART_IGNORED;
	r->encoding = p->encoding;
	if (r->is_done || p->kind != MIME_LEAF || p->root != 0)
		return;
	r->mark = arena_mark(r->arena);
	r->base64 = (struct base64_reader){ 0 };
	r->qp = (struct qp_reader){ .n = 0 };
	r->bom = 0;
	r->is_meant = true;
	if (content_type_is(&p->type, STR("message"), STR("feedback-report"))) {
		if (r->arf == NULL)
			fields_begin(r, PART_FEEDBACK);
	} else if (content_type_is(&p->type, STR("text"),
	    STR("rfc822-headers"))) {
		if (r->arf != NULL)
			fields_begin(r, PART_ORIGINAL);
	} else if (r->arf == NULL)
		packed_begin(r);
}

/* Of a part that was no report nothing stays, but the reader of feedback. */
static void
part_end(struct report_in_read *r)
{
	enum part_state was;

	if (r->state == PART_IGNORED)
		return;
	encoded_end(r);
	if (r->state == PART_FEEDBACK || r->state == PART_ORIGINAL) {
		fields_end(r);
		r->state = PART_IGNORED;
		return;
	}
	packed_end(r);
	was = r->state;
	if (was == PART_XML)
		xml_end(r);
	else if (was == PART_JSON)
		tls_end(r);
	r->state = PART_IGNORED;
}

static void
part_leave(struct report_in_read *r)
{
	bool had = r->state != PART_IGNORED || r->xml != NULL ||
	    r->json.p != NULL || r->unpack != NULL;

	part_end(r);
	if (!had || r->is_done)
		return;
	if (r->unpack != NULL) {
		r->listener.forget(r->listener.arg);
		arena_back(r->arena, r->mark);
	}
	r->unpack = NULL;
	r->xml = NULL;
	r->json = (struct buf){ .p = NULL };
}

/* ---- the message ---- */

static struct str
line_keep(struct report_in_read *r, struct str value)
{
	struct buf b = BUF_OF(r->line);

	field_unfold(str_sub(value, 0, LINE_MOST - 1), &b);
	return arena_copy(r->arena, buf_str(&b));
}

static void
message_field(struct report_in_read *r, const struct field *f)
{
	struct report_in *in = &r->in;

	if (r->mime.part.index > 0) {
		if (r->arf != NULL && r->mime.part.root != 0)
			arf_read_original(r->arf, f);
	} else if (f->known == HEADER_FROM && in->from.p == NULL)
		in->from = line_keep(r, f->value);
	else if (f->known == HEADER_MESSAGE_ID && in->message_id.p == NULL)
		in->message_id = arena_copy(r->arena, field_msgid(f->value));
	else if (f->known == HEADER_AUTHENTICATION_RESULTS &&
	    in->results.p == NULL)
		in->results = arena_copy(r->arena, str_sub(f->value, 0,
		    REPORT_IN_RESULTS));
}

static void
step_take(struct report_in_read *r, enum mime_step step,
    const struct mime_out *out)
{
	switch (step) {
	case MIME_FIELD:
		part_leave(r);
		message_field(r, &out->field);
		break;
	case MIME_HEADED:
		part_leave(r);
		part_begin(r);
		break;
	case MIME_BODY:
		if (r->state != PART_IGNORED)
			encoded_take(r, out->raw);
		break;
	case MIME_BETWEEN:
	case MIME_END:
	case MIME_FAILED:
		part_leave(r);
		break;
	case MIME_MORE:
		break;
	}
}

void
report_in_take(struct report_in_read *r, struct str octets)
{
	struct mime_out out;
	enum mime_step step;

	do {
		step = mime_next(&r->mime, &octets, &out);
		step_take(r, step, &out);
	} while (step != MIME_MORE && step != MIME_FAILED);
}

const struct report_in *
report_in_end(struct report_in_read *r)
{
	struct mime_out out;
	const struct arf *f;
	enum mime_step step;

	do {
		step = mime_finish(&r->mime, &out);
		step_take(r, step, &out);
	} while (step != MIME_END && step != MIME_FAILED);
	if (r->arf == NULL || r->is_done)
		return &r->in;
	f = arf_read_end(r->arf);
	r->is_meant = true;
	if (f == NULL) {
		part_broken(r, arf_read_why(r->arf));
	} else {
		r->in.arf = *f;
		report_found(r, REPORT_IN_FEEDBACK);
	}
	return &r->in;
}
