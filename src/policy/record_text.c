#include "policy/record_text.h"

#include "base/must.h"
#include "fiber/dns.h"
#include "trust/dane.h"

enum { COMMENT_WIDTH = 76 };

const char *
dns_type_name(enum dns_type type)
{
	switch (type) {
	case DNS_A: return "A";
	case DNS_AAAA: return "AAAA";
	case DNS_CAA: return "CAA";
	case DNS_CNAME: return "CNAME";
	case DNS_MX: return "MX";
	case DNS_PTR: return "PTR";
	case DNS_SRV: return "SRV";
	case DNS_TLSA: return "TLSA";
	case DNS_TXT: return "TXT";
	}
	must(!"a type of no record");
	return "";
}

/* RFC 1035 5.1: what would end the string, and what is no letter. */
static void
octet_put(char c, struct buf *b)
{
	unsigned char u = (unsigned char)c;

	if (c == '"' || c == '\\')
		buf_printf(b, "\\%c", c);
	else if (u < 0x20 || u > 0x7e)
		buf_printf(b, "\\%03u", u);
	else
		buf_putc(b, c);
}

void
text_put_strings(struct str text, struct buf *b)
{
	size_t at = 0;

	do {
		buf_printf(b, "%s\"", at > 0 ? " " : "");
		for (size_t i = 0; i < RECORD_STRING_MOST && at < text.n; i++)
			octet_put(text.p[at++], b);
		buf_putc(b, '"');
	} while (at < text.n);
}

void
record_put_data(const struct dns_entry *r, struct buf *b)
{
	switch (r->type) {
	case DNS_MX:
		buf_printf(b, "%u " STR_FMT ".", r->preference,
		    STR_ARG(r->value));
		return;
	case DNS_SRV:
		buf_printf(b, "%u %u %u " STR_FMT ".", r->preference, r->weight,
		    r->port, STR_ARG(r->value));
		return;
	case DNS_CNAME:
	case DNS_PTR:
		buf_printf(b, STR_FMT ".", STR_ARG(r->value));
		return;
	case DNS_CAA:
		buf_printf(b, "%u " STR_FMT " ", r->preference,
		    STR_ARG(r->tag));
		text_put_strings(r->value, b);
		return;
	case DNS_TXT:
		text_put_strings(r->value, b);
		return;
	case DNS_A:
	case DNS_AAAA:
	case DNS_TLSA:
		break;
	}
	buf_put(b, r->value);
}

/* RFC 8659 4.1 */
static void
caa_put(struct str d, struct buf *b)
{
	size_t n = d.n < 2 ? 0 : (unsigned char)d.p[1];
	struct str tag = str_sub(d, 2, n);

	buf_printf(b, "%u " STR_FMT " ", d.n == 0 ? 0 : (unsigned char)d.p[0],
	    STR_ARG(str_is_printable(tag) ? tag : STR("?")));
	text_put_strings(str_sub(d, 2 + n, d.n), b);
}

void
answer_put_data(const struct dns_record *r, enum dns_type type, struct buf *b)
{
	struct dns_entry copy = { .type = type, .preference = r->preference,
		.weight = r->weight, .port = r->port, .value = r->name };
	struct address_text at;
	struct tlsa tlsa;

	if (type == DNS_A || type == DNS_AAAA) {
		at = address_print(&r->address);
		buf_put(b, str_of(at.text));
	} else if (type == DNS_CAA)
		caa_put(r->data, b);
	else if (type == DNS_TXT)
		text_put_strings(r->data, b);
	else if (type != DNS_TLSA)
		record_put_data(&copy, b);
	else if (dane_read(r->data, &tlsa))
		dane_print(&tlsa, b);
}

void
record_put_line(const struct dns_entry *r, struct buf *b)
{
	buf_printf(b, STR_FMT ". %s ", STR_ARG(r->name),
	    dns_type_name(r->type));
	record_put_data(r, b);
}

/* Words, in lines that begin with ";". */
static void
comment_put(struct str text, struct buf *b)
{
	size_t column = 0;

	while (text.n > 0) {
		struct str word = str_cut(&text, ' ');

		if (word.n == 0)
			continue;
		if (column > 0 && column + 1 + word.n > COMMENT_WIDTH) {
			buf_putc(b, '\n');
			column = 0;
		}
		buf_put(b, column == 0 ? STR("; ") : STR(" "));
		column += 1 + word.n + (column == 0);
		buf_put(b, word);
	}
	buf_putc(b, '\n');
}

static void
line_put_commented(const struct dns_entry *r, struct buf *b)
{
	buf_put(b, STR(";"));
	record_put_line(r, b);
	buf_putc(b, '\n');
}

static void
condition_put(const struct dns_entry *r, struct buf *b)
{
	char room[400];
	struct buf text = BUF_OF(room);

	buf_printf(&text, "Publish it only when " STR_FMT ".",
	    STR_ARG(r->unless));
	comment_put(buf_str(&text), b);
}

/* Is the same said of it as of the one before? */
static bool
is_same_reason(const struct records *rs, size_t i)
{
	return i > 0 && rs->v[i - 1].topic == rs->v[i].topic &&
	    str_eq(rs->v[i - 1].why, rs->v[i].why) &&
	    str_eq(rs->v[i - 1].unless, rs->v[i].unless);
}

static void
record_put(const struct records *rs, size_t i, struct buf *b)
{
	const struct dns_entry *r = &rs->v[i];

	if (!is_same_reason(rs, i))
		comment_put(r->why, b);
	if (r->unless.n > 0 && !is_same_reason(rs, i))
		condition_put(r, b);
	if (r->is_elsewhere && r->topic != RECORD_PTR)
		comment_put(STR("It stands in the zone of another domain:"), b);
	if (r->unless.n > 0 || r->is_elsewhere) {
		line_put_commented(r, b);
		return;
	}
	record_put_line(r, b);
	buf_putc(b, '\n');
}

static void
notes_put(const struct records *rs, enum record_topic topic, struct buf *b)
{
	for (size_t i = 0; i < rs->n_notes; i++)
		if (rs->notes[i].topic == topic)
			comment_put(rs->notes[i].text, b);
}

/* The policy's own lines, as they are to be served. */
static void
policy_put(const struct records *rs, struct buf *b)
{
	struct str text = rs->sts_policy;

	comment_put(STR("The text of the policy:"), b);
	while (text.n > 0) {
		struct str line = str_cut(&text, '\n');

		buf_printf(b, ";    " STR_FMT "\n", STR_ARG(line));
	}
}

static bool
topic_is_there(const struct records *rs, enum record_topic t)
{
	for (size_t i = 0; i < rs->n; i++)
		if (rs->v[i].topic == t)
			return true;
	for (size_t i = 0; i < rs->n_notes; i++)
		if (rs->notes[i].topic == t)
			return true;
	return false;
}

void
records_put_zone(const struct records *rs, struct buf *b)
{
	for (unsigned t = 0; t < RECORD_TOPICS; t++) {
		if (!topic_is_there(rs, (enum record_topic)t))
			continue;
		buf_printf(b, "%s; ---- %s ----\n", b->n > 0 ? "\n" : "",
		    record_topic_title((enum record_topic)t));
		for (size_t i = 0; i < rs->n; i++)
			if (rs->v[i].topic == t)
				record_put(rs, i, b);
		notes_put(rs, (enum record_topic)t, b);
		if (t == RECORD_STS && rs->sts_policy.n > 0)
			policy_put(rs, b);
	}
}
