#include "cli/dns_formats.h"

#include "base/json.h"
#include "fiber/dns.h"
#include "policy/record_text.h"

enum { TTL = 3600, DATA_MOST = 3072 };

const char dns_format_names[] = "zone, json, cloudflare, octodns, route53";

static bool
is_for_now(const struct dns_entry *r)
{
	return !r->is_elsewhere && r->unless.n == 0;
}

/* ---- json ---- */

static void
strings_put(struct json *j, struct str text)
{
	json_put_array(j, "strings");
	do {
		json_put_str(j, NULL, str_sub(text, 0, RECORD_STRING_MOST));
		text = str_sub(text, RECORD_STRING_MOST, text.n);
	} while (text.n > 0);
	json_end_array(j);
}

static void
record_put_json(struct json *j, const struct dns_entry *r)
{
	char room[DATA_MOST];
	struct buf b = BUF_OF(room);

	record_put_data(r, &b);
	json_put_object(j, NULL);
	json_put_str(j, "topic", str_of(record_topic_word(r->topic)));
	json_put_str(j, "name", r->name);
	json_put_str(j, "type", str_of(dns_type_name(r->type)));
	json_put_str(j, "data", buf_str(&b));
	if (r->type == DNS_TXT)
		strings_put(j, r->value);
	json_put_str(j, "why", r->why);
	json_put_bool(j, "in_zone", !r->is_elsewhere);
	if (r->unless.n > 0)
		json_put_str(j, "only_when", r->unless);
	json_end_object(j);
	j->out->full = j->out->full || b.full;
}

static void
records_put_json(const struct records *rs, struct buf *b)
{
	struct json j;

	json_begin(&j, b);
	json_put_object(&j, NULL);
	json_put_str(&j, "domain", rs->domain);
	json_put_array(&j, "records");
	for (size_t i = 0; i < rs->n; i++)
		record_put_json(&j, &rs->v[i]);
	json_end_array(&j);
	json_put_array(&j, "notes");
	for (size_t i = 0; i < rs->n_notes; i++) {
		json_put_object(&j, NULL);
		json_put_str(&j, "topic",
		    str_of(record_topic_word(rs->notes[i].topic)));
		json_put_str(&j, "text", rs->notes[i].text);
		json_end_object(&j);
	}
	json_end_array(&j);
	if (rs->sts_policy.n > 0)
		json_put_str(&j, "mta_sts_policy", rs->sts_policy);
	json_end_object(&j);
	buf_putc(b, '\n');
}

/* ---- cloudflare ---- */

/* Its import reads a master file. */
static void
cloudflare_put(const struct records *rs, struct buf *b)
{
	for (size_t i = 0; i < rs->n; i++) {
		if (!is_for_now(&rs->v[i]))
			continue;
		buf_printf(b, STR_FMT ". %d IN %s ", STR_ARG(rs->v[i].name),
		    TTL, dns_type_name(rs->v[i].type));
		record_put_data(&rs->v[i], b);
		buf_putc(b, '\n');
	}
}

/* ---- sets: records of one name and type ---- */

/* Is it the first of its set? */
static bool
begins_set(const struct records *rs, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (is_for_now(&rs->v[k]) && rs->v[k].type == rs->v[i].type &&
		    str_eq(rs->v[k].name, rs->v[i].name))
			return false;
	return is_for_now(&rs->v[i]);
}

static bool
is_in_set(const struct records *rs, size_t first, size_t i)
{
	return is_for_now(&rs->v[i]) && rs->v[i].type == rs->v[first].type &&
	    str_eq(rs->v[i].name, rs->v[first].name);
}

/* ---- Route 53 ---- */

static void
set_put_route53(struct json *j, const struct records *rs, size_t first)
{
	char room[DATA_MOST];

	json_put_object(j, NULL);
	json_put_str(j, "Action", STR("UPSERT"));
	json_put_object(j, "ResourceRecordSet");
	json_put_str(j, "Name", rs->v[first].name);
	json_put_str(j, "Type", str_of(dns_type_name(rs->v[first].type)));
	json_put_u64(j, "TTL", TTL);
	json_put_array(j, "ResourceRecords");
	for (size_t i = first; i < rs->n; i++) {
		struct buf b = BUF_OF(room);

		if (!is_in_set(rs, first, i))
			continue;
		record_put_data(&rs->v[i], &b);
		json_put_object(j, NULL);
		json_put_str(j, "Value", buf_str(&b));
		json_end_object(j);
		j->out->full = j->out->full || b.full;
	}
	json_end_array(j);
	json_end_object(j);
	json_end_object(j);
}

static void
route53_put(const struct records *rs, struct buf *b)
{
	struct json j;

	json_begin(&j, b);
	json_put_object(&j, NULL);
	json_put_str(&j, "Comment", STR("nightmail dns print"));
	json_put_array(&j, "Changes");
	for (size_t i = 0; i < rs->n; i++)
		if (begins_set(rs, i))
			set_put_route53(&j, rs, i);
	json_end_array(&j);
	json_end_object(&j);
	buf_putc(b, '\n');
}

/* ---- octoDNS ---- */

/* Of a name: what stands before the domain. */
static struct str
name_in(const struct records *rs, struct str name)
{
	return str_sub(name, 0, name.n > rs->domain.n ?
	    name.n - rs->domain.n - 1 : 0);
}

/* A string of YAML that is one of JSON, too; in a TXT it writes \; for ;. */
static void
yaml_text(struct str text, bool is_txt, struct buf *b)
{
	buf_putc(b, '"');
	for (size_t i = 0; i < text.n; i++) {
		if (is_txt && text.p[i] == ';')
			buf_put(b, STR("\\\\"));
		else if (text.p[i] == '"' || text.p[i] == '\\')
			buf_putc(b, '\\');
		buf_putc(b, text.p[i]);
	}
	buf_putc(b, '"');
}

static void
tlsa_put_octodns(const struct dns_entry *r, struct buf *b)
{
	struct str rest = r->value, usage = str_cut(&rest, ' ');
	struct str selector = str_cut(&rest, ' ');
	struct str matching = str_cut(&rest, ' ');

	buf_printf(b, "{ certificate_usage: " STR_FMT ", selector: " STR_FMT
	    ", matching_type: " STR_FMT ", certificate_association_data: \""
	    STR_FMT "\" }", STR_ARG(usage), STR_ARG(selector),
	    STR_ARG(matching), STR_ARG(rest));
}

static void
value_put_octodns(const struct dns_entry *r, struct buf *b)
{
	switch (r->type) {
	case DNS_MX:
		buf_printf(b, "{ preference: %u, exchange: " STR_FMT ". }",
		    r->preference, STR_ARG(r->value));
		return;
	case DNS_SRV:
		buf_printf(b, "{ priority: %u, weight: %u, port: %u, target: "
		    STR_FMT ". }", r->preference, r->weight, r->port,
		    STR_ARG(r->value));
		return;
	case DNS_CAA:
		buf_printf(b, "{ flags: %u, tag: " STR_FMT ", value: ",
		    r->preference, STR_ARG(r->tag));
		yaml_text(r->value, false, b);
		buf_put(b, STR(" }"));
		return;
	case DNS_TLSA:
		tlsa_put_octodns(r, b);
		return;
	case DNS_CNAME:
	case DNS_PTR:
		buf_printf(b, STR_FMT ".", STR_ARG(r->value));
		return;
	case DNS_TXT:
		yaml_text(r->value, true, b);
		return;
	case DNS_A:
	case DNS_AAAA:
		break;
	}
	yaml_text(r->value, false, b);
}

static void
set_put_octodns(const struct records *rs, size_t first, struct buf *b)
{
	buf_printf(b, "- type: %s\n  ttl: %d\n  %s",
	    dns_type_name(rs->v[first].type), TTL,
	    rs->v[first].type == DNS_CNAME ? "value: " : "values:\n");
	for (size_t i = first; i < rs->n; i++) {
		if (!is_in_set(rs, first, i))
			continue;
		if (rs->v[first].type != DNS_CNAME)
			buf_put(b, STR("  - "));
		value_put_octodns(&rs->v[i], b);
		buf_putc(b, '\n');
	}
}

static bool
begins_name(const struct records *rs, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (is_for_now(&rs->v[k]) &&
		    str_eq(rs->v[k].name, rs->v[i].name))
			return false;
	return is_for_now(&rs->v[i]);
}

static void
octodns_put(const struct records *rs, struct buf *b)
{
	buf_put(b, STR("---\n"));
	for (size_t i = 0; i < rs->n; i++) {
		if (!begins_name(rs, i))
			continue;
		yaml_text(name_in(rs, rs->v[i].name), false, b);
		buf_put(b, STR(":\n"));
		for (size_t k = i; k < rs->n; k++)
			if (begins_set(rs, k) &&
			    str_eq(rs->v[k].name, rs->v[i].name))
				set_put_octodns(rs, k, b);
	}
}

bool
dns_format_put(struct str format, const struct records *rs, struct buf *b)
{
	static const struct {
		struct str name;
		void (*put)(const struct records *, struct buf *);
	} formats[] = {
		{ STR_INIT("cloudflare"), cloudflare_put },
		{ STR_INIT("json"), records_put_json },
		{ STR_INIT("octodns"), octodns_put },
		{ STR_INIT("route53"), route53_put },
		{ STR_INIT("zone"), records_put_zone },
	};

	for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
		if (str_eq(format, formats[i].name)) {
			formats[i].put(rs, b);
			return true;
		}
	return false;
}
