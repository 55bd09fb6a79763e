#include "fiber/dns.h"
#include "fiber/fiber.h"
#include "policy/dns_check_own.h"

#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "policy/record_text.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { SENTENCE_MOST = 600, FOUND_MOST = 2000, FOUND_RECORDS = 32 };

const char *
finding_mark_word(enum finding_mark m)
{
	static const char *const words[] = { "ok", "warning", "error",
		"unknown" };

	must(m < FINDING_MARKS);
	return words[m];
}

const char *
finding_mark_sign(enum finding_mark m)
{
	static const char *const signs[] = { "\xe2\x9c\x93", "~",
		"\xe2\x9c\x96", "?" };

	must(m < FINDING_MARKS);
	return signs[m];
}

/* ---- findings ---- */

struct finding *
finding_add(struct checking *c, enum record_topic topic,
    enum finding_mark mark, struct str name, const char *fmt, ...)
{
	char room[SENTENCE_MOST];
	struct dns_report *out = c->out;
	struct finding *f;
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(room, sizeof room, fmt, ap);
	va_end(ap);
	/* the last place is always there to write on */
	f = &out->v[out->n < FINDINGS_MOST ? out->n++ : FINDINGS_MOST - 1];
	*f = (struct finding){ .topic = topic, .mark = mark, .name = name,
		.expected = STR(""), .found = STR(""), .mend = STR(""),
		.says = arena_copy(c->arena, str_of(room)) };
	c->has_room = c->has_room && f->says.p != NULL && name.p != NULL;
	return f;
}

yields bool
check_ask(struct checking *c, enum record_topic topic, struct str name,
    enum dns_type type, struct dns_answer *got)
{
	quest_ask(&c->quest, name, type, c->arena, got);
	if (got->status != DNS_TROUBLE)
		return true;
	finding_add(c, topic, MARK_UNKNOWN, name, "the DNS does not answer for "
	    "%s of " STR_FMT ": %s", dns_type_name(type), STR_ARG(name),
	    err_text());
	err_clear();
	return false;
}

/* ---- text ---- */

static int
texts_order(const void *a, const void *b)
{
	return str_order(*(const struct str *)a, *(const struct str *)b);
}

/* Names and texts are a stranger's. */
static struct str
data_text(struct checking *c, const struct dns_record *r, enum dns_type type)
{
	char *room = arena_alloc(c->arena, FOUND_MOST);
	struct buf b = { .p = room, .cap = room == NULL ? 0 : FOUND_MOST };

	answer_put_data(r, type, &b);
	return buf_str(&b);
}

struct str
answer_text(struct checking *c, const struct dns_answer *got,
    enum dns_type type)
{
	struct str list[FOUND_RECORDS], all = STR("");
	size_t n = got->n < FOUND_RECORDS ? got->n : FOUND_RECORDS;

	for (size_t i = 0; i < n; i++)
		list[i] = data_text(c, &got->records[i], type);
	qsort(list, n, sizeof *list, texts_order);
	for (size_t i = 0; i < n; i++) {
		if (i > 0)
			all = arena_join(c->arena, all, STR(", "));
		all = arena_join(c->arena, all, list[i]);
	}
	c->has_room = c->has_room && all.p != NULL;
	return str_sub(all, 0, FOUND_MOST);
}

struct str
line_text(struct checking *c, const struct dns_entry *r)
{
	char *room = arena_alloc(c->arena, FOUND_MOST);
	struct buf b = { .p = room, .cap = room == NULL ? 0 : FOUND_MOST };

	record_put_line(r, &b);
	c->has_room = c->has_room && !b.full;
	return arena_copy(c->arena, buf_str(&b));
}

struct str
data_of(struct checking *c, const struct dns_entry *r)
{
	char *room = arena_alloc(c->arena, FOUND_MOST);
	struct buf b = { .p = room, .cap = room == NULL ? 0 : FOUND_MOST };

	record_put_data(r, &b);
	c->has_room = c->has_room && !b.full;
	return buf_str(&b);
}

struct str
text_line(struct checking *c, struct str name, struct str text)
{
	struct dns_entry r = { .type = DNS_TXT, .name = name, .value = text };

	return line_text(c, &r);
}

const struct dns_entry *
record_wanted(const struct checking *c, enum record_topic topic,
    enum dns_type type)
{
	for (size_t i = 0; i < c->want->n; i++)
		if (c->want->v[i].topic == topic && c->want->v[i].type == type)
			return &c->want->v[i];
	return NULL;
}

size_t
texts_of(const struct dns_answer *got, struct str prefix, struct str *first)
{
	size_t n = 0;

	*first = STR("");
	for (size_t i = 0; i < got->n; i++)
		if (str_has_prefix_icase(got->records[i].data, prefix) &&
		    n++ == 0)
			*first = got->records[i].data;
	return n;
}

/* ---- the whole ---- */

static void
signed_tell(struct checking *c, bool is_signed)
{
	struct finding *f;

	if (is_signed) {
		finding_add(c, RECORD_DNSSEC, MARK_WELL, c->out->domain,
		    "the zone is signed, and the signature is good");
		return;
	}
	f = finding_add(c, RECORD_DNSSEC, MARK_HINT, c->out->domain,
	    "the zone is not signed, or the resolvers asked do not validate: "
	    "nobody can be sure of these records, and DANE is of no use");
	f->mend = STR("have DNSSEC switched on where the zone is kept, and the DS "
	    "record set where the domain is registered");
}

/* Is there a domain at all?  What its zone says of itself. */
static yields bool
domain_is_there(struct checking *c)
{
	struct dns_answer got;

	if (!check_ask(c, RECORD_DNSSEC, c->out->domain, DNS_MX, &got))
		return false;
	if (got.status == DNS_NO_NAME) {
		finding_add(c, RECORD_DNSSEC, MARK_WRONG, c->out->domain,
		    "the DNS knows no domain of that name")->mend = STR("register "
		    "it, and publish what nightmail dns print shows");
		return false;
	}
	signed_tell(c, got.secure);
	return true;
}

static yields bool
want_make(struct checking *c)
{
	struct records_ask ask = c->ask->records;
	struct dns_answer got;

	quest_ask(&c->quest, c->config->hostname, DNS_A, c->arena, &got);
	err_clear();
	ask.is_signed = got.secure;
	c->want = arena_new(c->arena, struct records);
	return c->want != NULL && records_make(&ask, c->arena, c->want);
}

/* What stands in the same way for every domain: the machine. */
static yields void
machine_check(struct checking *c)
{
	check_tlsa(c);
	check_caa(c);
	if (!c->leaves_here)
		return;
	check_ptr(c);
	check_lists(c);
	check_port(c);
}

/* Its addresses must be known, said or not. */
static yields void
host_check(struct checking *c)
{
	struct dns_report *out = c->out;
	size_t n = out->n;

	check_host(c);
	if (c->ask->skips_host)
		out->n = n;
}

static yields void
mail_check(struct checking *c)
{
	check_mx(c);
	host_check(c);
	check_spf(c);
	check_dkim(c);
	check_dmarc(c);
	check_sts(c);
	check_tlsrpt(c);
	check_clients(c);
	if (!c->ask->skips_host)
		machine_check(c);
}

/* A domain without mail: each record as it was meant. */
static yields void
nothing_check(struct checking *c)
{
	for (size_t i = 0; i < c->want->n; i++) {
		const struct dns_entry *r = &c->want->v[i];
		struct dns_answer got;
		struct finding *f;
		struct str found, wanted = data_of(c, r);

		if (r->topic == RECORD_DKIM ||
		    !check_ask(c, r->topic, r->name, r->type, &got))
			continue;
		found = answer_text(c, &got, r->type);
		f = finding_add(c, r->topic, str_eq(found, wanted) ? MARK_WELL :
		    MARK_WRONG, r->name, "%s", str_eq(found, wanted) ?
		    "as it should be for a domain without mail" :
		    "the domain does not say that it has no mail");
		f->expected = wanted;
		f->found = found;
		if (f->mark == MARK_WRONG)
			f->mend = line_text(c, r);
	}
}

static yields void
records_check(struct checking *c)
{
	if (c->ask->records.sends_nothing)
		nothing_check(c);
	else
		mail_check(c);
}

static int
findings_order(const void *a, const void *b)
{
	const struct finding *one = a, *other = b;
	int by_name;

	if (one->topic != other->topic)
		return one->topic < other->topic ? -1 : 1;
	by_name = str_order(one->name, other->name);
	return by_name != 0 ? by_name : str_order(one->says, other->says);
}

yields bool
dns_check(const struct dns_check_ask *ask, struct arena *arena,
    struct dns_report *out)
{
	struct checking *c = arena_new(arena, struct checking);

	*out = (struct dns_report){ .domain = ask->records.domain };
	if (c == NULL)
		return false;
	*c = (struct checking){ .ask = ask, .config = ask->records.config,
		.arena = arena, .out = out, .budget = CHECK_QUESTIONS,
		.helo = ask->records.config->outbound.ehlo,
		.leaves_here = !records_leave_by_relay(ask->records.config),
		.addresses = ask->records.addresses, .has_room = true };
	c->quest = (struct dns_quest){ .deadline = ask->deadline,
		.budget = ask->budget != NULL ? ask->budget : &c->budget,
		.now = clock_wall() };
	if (!want_make(c))
		return false;
	if (domain_is_there(c))
		records_check(c);
	for (size_t i = 0; i < out->n; i++)
		out->marks[out->v[i].mark]++;
	qsort(out->v, out->n, sizeof *out->v, findings_order);
	return c->has_room;
}
