#include "wire/dmarc_report_read.h"

#include "base/must.h"
#include "base/num.h"

#include <expat.h>
#include <stdio.h>

enum { ERROR_ROOM = 128, WORD_MOST = 32 };

/* NODE_OTHER: known by nobody, passed over with all that is in it. */
enum node {
	NODE_OTHER, NODE_TOP, NODE_FEEDBACK, NODE_METADATA, NODE_RANGE,
	NODE_POLICY, NODE_RECORD, NODE_ROW, NODE_EVALUATED, NODE_REASON,
	NODE_IDENTIFIERS, NODE_AUTH, NODE_DKIM, NODE_SPF
};

enum text {
	TEXT_NONE,
#define NODE(within, name, node)
#define TEXT(within, name, what) TEXT_##what,
#include "wire/dmarc_report_read.def"
#undef NODE
#undef TEXT
};

static const struct element {
	enum node within;
	struct str name;
	enum node node;
	enum text text;
} elements[] = {
#define NODE(within_, name_, node_) { .within = NODE_##within_, \
	.name = STR_INIT(name_), .node = NODE_##node_ },
#define TEXT(within_, name_, what_) { .within = NODE_##within_, \
	.name = STR_INIT(name_), .text = TEXT_##what_ },
#include "wire/dmarc_report_read.def"
#undef NODE
#undef TEXT
};

struct level { enum node node; enum text text; };

struct dmarc_report_read {
	XML_Parser parser;
	struct arena *arena;
	struct dmarc_report_listener listener;
	const char *why;		/* NULL: nothing is wrong */
	char error[ERROR_ROOM];
	bool is_one, is_over;		/* <feedback>, </feedback> was met */
	unsigned depth;
	struct level levels[DMARC_READ_DEPTH + 1];
	size_t n_elements, n_records;
	size_t quiet;			/* octets since expat told of anything */
	struct buf text;		/* of the element we are in */
	struct dmarc_report report;
	bool has_begin, has_end;
	/* the record we are in */
	struct arena_mark mark;
	struct dmarc_report_record record;
	bool has_count;
	struct dmarc_report_reason reasons[DMARC_REPORT_REASONS];
	struct dmarc_report_dkim dkim[DMARC_REPORT_SIGNATURES];
	struct dmarc_report_spf spf;
};

static void
read_fail(struct dmarc_report_read *r, const char *why)
{
	if (r->why != NULL)
		return;
	r->why = why;
	(void)XML_StopParser(r->parser, XML_FALSE);
}

/* ---- texts ---- */

static struct str
read_keep(struct dmarc_report_read *r, struct str text)
{
	struct str copy = arena_copy(r->arena, text);

	if (copy.p == NULL)
		read_fail(r, "its texts are too much");
	return copy;
}

/* A word in any case, and those of drafts. */
static enum report_word
read_word(struct str text, unsigned places)
{
	static const struct { struct str old; enum report_word word; } olds[] = {
		{ STR_INIT("error"), REPORT_temperror },
		{ STR_INIT("hardfail"), REPORT_fail },
		{ STR_INIT("unknown"), REPORT_permerror },
	};
	char room[WORD_MOST];
	struct buf lower = BUF_OF(room);
	enum report_word word;

	for (size_t i = 0; i < text.n; i++)
		buf_putc(&lower, ascii_lower(text.p[i]));
	if (lower.full)
		return REPORT_ABSENT;
	word = report_word_of(buf_str(&lower), places);
	for (size_t i = 0; word == REPORT_ABSENT &&
	    i < sizeof olds / sizeof *olds; i++)
		if (str_eq(buf_str(&lower), olds[i].old) &&
		    dmarc_report_fits(olds[i].word, places))
			word = olds[i].word;
	return word;
}

static void
read_seconds(struct dmarc_report_read *r, struct str text, int64_t *out,
    bool *has)
{
	uint64_t v;

	/* Some write fractions of a second. */
	if (!parse_u64(str_cut(&text, '.'), UINT32_MAX, &v)) {
		read_fail(r, "its period is not in seconds since 1970");
		return;
	}
	*out = (int64_t)v;
	*has = true;
}

static void
read_count(struct dmarc_report_read *r, struct str text)
{
	r->has_count = parse_u64(text, UINT32_MAX, &r->record.count);
	if (!r->has_count)
		read_fail(r, "a count of it is no number");
}

static struct dmarc_report_dkim *
dkim_now(struct dmarc_report_read *r)
{
	must(r->record.n_dkim > 0);
	return &r->dkim[r->record.n_dkim - 1];
}

static struct dmarc_report_reason *
reason_now(struct dmarc_report_read *r)
{
	must(r->record.n_reasons > 0);
	return &r->reasons[r->record.n_reasons - 1];
}

/* Of the head of the report. */
static void
head_take(struct dmarc_report_read *r, enum text what, struct str s)
{
	struct dmarc_report *d = &r->report;

	if (what == TEXT_EMAIL)
		d->email = read_keep(r, s);
	else if (what == TEXT_ERROR)
		d->error = read_keep(r, s);
	else if (what == TEXT_CONTACT)
		d->extra_contact_info = read_keep(r, s);
	else if (what == TEXT_GENERATOR)
		d->generator = read_keep(r, s);
	else if (what == TEXT_ORG_NAME)
		d->org_name = read_keep(r, s);
	else if (what == TEXT_REPORT_ID)
		d->report_id = read_keep(r, s);
	else if (what == TEXT_BEGIN)
		read_seconds(r, s, &d->begin, &r->has_begin);
	else if (what == TEXT_END)
		read_seconds(r, s, &d->end, &r->has_end);
}

static void
policy_take(struct dmarc_report_read *r, enum text what, struct str s)
{
	struct dmarc_report *d = &r->report;

	if (what == TEXT_ADKIM)
		d->adkim = read_word(s, REPORT_IN_ALIGNMENT);
	else if (what == TEXT_ASPF)
		d->aspf = read_word(s, REPORT_IN_ALIGNMENT);
	else if (what == TEXT_METHOD)
		d->discovery_method = read_word(s, REPORT_IN_METHOD);
	else if (what == TEXT_DOMAIN)
		d->domain = read_keep(r, s);
	else if (what == TEXT_FO)
		d->fo = read_keep(r, s);
	else if (what == TEXT_NP)
		d->np = read_word(s, REPORT_IN_POLICY);
	else if (what == TEXT_P)
		d->p = read_word(s, REPORT_IN_POLICY);
	else if (what == TEXT_SP)
		d->sp = read_word(s, REPORT_IN_POLICY);
	else if (what == TEXT_TESTING)
		d->testing = read_word(s, REPORT_IN_TESTING);
}

static void
row_take(struct dmarc_report_read *r, enum text what, struct str s)
{
	struct dmarc_report_record *d = &r->record;

	if (what == TEXT_COUNT)
		read_count(r, s);
	else if (what == TEXT_SOURCE_IP)
		d->source_ip = read_keep(r, s);
	else if (what == TEXT_DISPOSITION)
		d->disposition = read_word(s, REPORT_IN_ACTION);
	else if (what == TEXT_DKIM_ALIGNED)
		d->dkim_aligned = read_word(s, REPORT_IN_ALIGNED);
	else if (what == TEXT_SPF_ALIGNED)
		d->spf_aligned = read_word(s, REPORT_IN_ALIGNED);
	else if (what == TEXT_ENVELOPE_FROM)
		d->envelope_from = read_keep(r, s);
	else if (what == TEXT_ENVELOPE_TO)
		d->envelope_to = read_keep(r, s);
	else if (what == TEXT_HEADER_FROM)
		d->header_from = read_keep(r, s);
	else if (what == TEXT_REASON_COMMENT)
		reason_now(r)->comment = read_keep(r, s);
	else if (what == TEXT_REASON_TYPE)
		reason_now(r)->type = read_word(s, REPORT_IN_OVERRIDE |
		    REPORT_IN_OVERRIDE_OLD);
}

static void
results_take(struct dmarc_report_read *r, enum text what, struct str s)
{
	struct dmarc_report_spf *spf = &r->spf;

	if (what == TEXT_DKIM_DOMAIN)
		dkim_now(r)->domain = read_keep(r, s);
	else if (what == TEXT_DKIM_HUMAN)
		dkim_now(r)->human_result = read_keep(r, s);
	else if (what == TEXT_DKIM_RESULT)
		dkim_now(r)->result = read_word(s, REPORT_IN_DKIM);
	else if (what == TEXT_DKIM_SELECTOR)
		dkim_now(r)->selector = read_keep(r, s);
	else if (what == TEXT_SPF_DOMAIN)
		spf->domain = read_keep(r, s);
	else if (what == TEXT_SPF_HUMAN)
		spf->human_result = read_keep(r, s);
	else if (what == TEXT_SPF_RESULT)
		spf->result = read_word(s, REPORT_IN_SPF);
	else if (what == TEXT_SPF_SCOPE)
		spf->scope = read_word(s, REPORT_IN_SCOPE |
		    REPORT_IN_SCOPE_OLD);
}

static void
text_take(struct dmarc_report_read *r, enum node within, enum text what)
{
	struct str s = str_trim(buf_str(&r->text));

	switch (within) {
	case NODE_METADATA:
	case NODE_RANGE:
		head_take(r, what, s);
		break;
	case NODE_POLICY:
		policy_take(r, what, s);
		break;
	case NODE_ROW:
	case NODE_EVALUATED:
	case NODE_REASON:
	case NODE_IDENTIFIERS:
		row_take(r, what, s);
		break;
	case NODE_DKIM:
	case NODE_SPF:
		results_take(r, what, s);
		break;
	case NODE_OTHER:
	case NODE_TOP:
	case NODE_FEEDBACK:
	case NODE_RECORD:
	case NODE_AUTH:
		break;
	}
}

/* ---- elements ---- */

/* RFC 9990 3.1.1.7: any number of signatures; what is beyond ours is not told.
 * Reports before it may have an SPF result of HELO besides: the last counts,
 * unless it is that. */
static enum node
node_begin(struct dmarc_report_read *r, enum node node)
{
	if (node == NODE_RECORD) {
		r->mark = arena_mark(r->arena);
		r->record = (struct dmarc_report_record){ .count = 0 };
		r->spf = (struct dmarc_report_spf){ .result = REPORT_ABSENT };
		r->has_count = false;
	} else if (node == NODE_REASON) {
		if (r->record.n_reasons == DMARC_REPORT_REASONS)
			return NODE_OTHER;
		r->reasons[r->record.n_reasons++] =
		    (struct dmarc_report_reason){ .type = REPORT_ABSENT };
	} else if (node == NODE_DKIM) {
		if (r->record.n_dkim == DMARC_REPORT_SIGNATURES)
			return NODE_OTHER;
		r->dkim[r->record.n_dkim++] =
		    (struct dmarc_report_dkim){ .result = REPORT_ABSENT };
	} else if (node == NODE_SPF) {
		if (r->record.spf != NULL && r->spf.scope != REPORT_helo)
			return NODE_OTHER;
		r->record.spf = &r->spf;
		r->spf = (struct dmarc_report_spf){ .result = REPORT_ABSENT };
	}
	return node;
}

static void
record_end(struct dmarc_report_read *r)
{
	struct dmarc_report_record *d = &r->record;

	d->reasons = r->reasons;
	d->dkim = r->dkim;
	if (++r->n_records > DMARC_READ_RECORDS)
		read_fail(r, "it has more than 20,000 records");
	else if (d->source_ip.n == 0 || !r->has_count)
		read_fail(r, "a record of it lacks its address or its count");
	else if (r->why == NULL && r->listener.record(r->listener.arg, d) != 0)
		read_fail(r, "there is no room for so many records");
	arena_back(r->arena, r->mark);
}

/* "ns:feedback" */
static struct str
name_local(const char *name)
{
	struct str s = str_of(name);
	size_t at = str_find(s, ':');

	return at < s.n ? str_sub(s, at + 1, s.n) : s;
}

static struct level
level_find(enum node within, struct str name)
{
	for (size_t i = 0; i < sizeof elements / sizeof *elements; i++)
		if (elements[i].within == within &&
		    str_eq(elements[i].name, name))
			return (struct level){ elements[i].node,
				elements[i].text };
	return (struct level){ NODE_OTHER, TEXT_NONE };
}

static void XMLCALL
element_begin(void *arg, const char *name, const char **attributes)
{
	struct dmarc_report_read *r = arg;
	struct level l;

	(void)attributes;
	r->quiet = 0;
	if (r->why != NULL || r->is_over)
		return;
	if (++r->n_elements > DMARC_READ_ELEMENTS)
		read_fail(r, "it has more than a million elements");
	if (r->depth == DMARC_READ_DEPTH)
		read_fail(r, "its elements are nested too deep");
	if (r->why != NULL)
		return;
	l = level_find(r->levels[r->depth].node, name_local(name));
	if (r->levels[r->depth].node == NODE_TOP && l.node != NODE_FEEDBACK &&
	    l.node != NODE_TOP) {
		read_fail(r, "its first element is not <feedback>");
		return;
	}
	r->is_one |= l.node == NODE_FEEDBACK;
	l.node = node_begin(r, l.node);
	r->levels[++r->depth] = l;
	r->text.n = 0;
	r->text.full = false;
}

static void XMLCALL
element_end(void *arg, const char *name)
{
	struct dmarc_report_read *r = arg;
	struct level l;

	(void)name;
	r->quiet = 0;
	if (r->why != NULL || r->is_over)
		return;
	must(r->depth > 0);
	l = r->levels[r->depth--];
	if (l.text != TEXT_NONE)
		text_take(r, r->levels[r->depth].node, l.text);
	else if (l.node == NODE_RECORD)
		record_end(r);
	else if (l.node == NODE_FEEDBACK)
		r->is_over = true;
}

static void XMLCALL
characters(void *arg, const char *p, int n)
{
	struct dmarc_report_read *r = arg;

	r->quiet = 0;
	if (r->why != NULL || r->is_over ||
	    r->levels[r->depth].text == TEXT_NONE)
		return;
	buf_put(&r->text, (struct str){ p, (size_t)n });
	if (r->text.full)
		read_fail(r, "a text of it is too long");
}

static void XMLCALL
anything_else(void *arg, const char *p, int n)
{
	struct dmarc_report_read *r = arg;

	(void)p;
	(void)n;
	r->quiet = 0;
}

/* No document type: no entities, internal or external, of any kind. */
static void XMLCALL
doctype_begin(void *arg, const char *name, const char *system,
    const char *public, int has_subset)
{
	(void)name;
	(void)system;
	(void)public;
	(void)has_subset;
	read_fail(arg, "it has a document type, and so perhaps entities");
}

/* ---- the whole ---- */

static void
parser_free(void *parser)
{
	XML_ParserFree(parser);
}

struct dmarc_report_read *
dmarc_report_read_begin(struct arena *a,
    const struct dmarc_report_listener *listener)
{
	struct dmarc_report_read *r = arena_new(a, struct dmarc_report_read);

	if (r == NULL)
		return NULL;
	r->arena = a;
	r->listener = *listener;
	r->levels[0].node = NODE_TOP;
	r->text = (struct buf){ .p = arena_alloc(a, DMARC_READ_TEXT),
		.cap = DMARC_READ_TEXT };
	r->parser = XML_ParserCreate(NULL);
	if (r->parser == NULL)
		return NULL;
	if (r->text.p == NULL || arena_defer(a, parser_free, r->parser) != 0) {
		XML_ParserFree(r->parser);
		return NULL;
	}
	XML_SetUserData(r->parser, r);
	XML_SetElementHandler(r->parser, element_begin, element_end);
	XML_SetCharacterDataHandler(r->parser, characters);
	XML_SetStartDoctypeDeclHandler(r->parser, doctype_begin);
	XML_SetDefaultHandler(r->parser, anything_else);
	return r;
}

static int
read_broken(struct dmarc_report_read *r)
{
	if (r->why == NULL) {
		snprintf(r->error, sizeof r->error, "it is no XML: %s in line "
		    "%lu", XML_ErrorString(XML_GetErrorCode(r->parser)),
		    (unsigned long)XML_GetCurrentLineNumber(r->parser));
		r->why = r->error;
	}
	return -1;
}

/* expat begins a token anew with each piece: a long one would cost its square. */
int
dmarc_report_read(struct dmarc_report_read *r, struct str octets)
{
	enum { PIECE = 16 * 1024 };

	while (octets.n > 0 && r->why == NULL && !r->is_over) {
		struct str piece = str_sub(octets, 0, PIECE);

		octets = str_sub(octets, piece.n, octets.n);
		r->quiet += piece.n;
		if (XML_Parse(r->parser, piece.p, (int)piece.n, 0) !=
		    XML_STATUS_OK && !r->is_over)
			return read_broken(r);
		if (r->quiet > DMARC_READ_TOKEN)
			read_fail(r, "a tag of it is too long");
	}
	return r->why == NULL ? 0 : -1;
}

static bool
report_is_whole(const struct dmarc_report_read *r)
{
	const struct dmarc_report *d = &r->report;

	return (d->org_name.n > 0 || d->email.n > 0) && d->report_id.n > 0 &&
	    d->domain.n > 0 && r->has_begin && r->has_end;
}

const struct dmarc_report *
dmarc_report_read_end(struct dmarc_report_read *r)
{
	/* expat may have put off what came last until now. */
	if (r->why == NULL && !r->is_over &&
	    XML_Parse(r->parser, "", 0, 1) != XML_STATUS_OK && !r->is_over)
		(void)read_broken(r);
	if (r->why == NULL && !(r->is_over && report_is_whole(r)))
		r->why = "it lacks who reports, its report_id, its period or "
		    "its domain";
	return r->why == NULL ? &r->report : NULL;
}

bool
dmarc_report_read_is_one(const struct dmarc_report_read *r)
{
	return r->is_one;
}

const char *
dmarc_report_read_why(const struct dmarc_report_read *r)
{
	return r->why == NULL ? "nothing is wrong with it" : r->why;
}
