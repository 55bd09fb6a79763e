/*
 * A record within a record (include) is a frame on a stack, which is never
 * deeper than the lookups that are allowed.
 *
 * STATE    left by         what is true
 * OPEN     frame_open      the top frame's record was read
 * TERM     term_judge      its terms before `at' do not match
 * CLOSED   frame_close     it has a result: the frame below goes on with it, or
 *                          it is the answer
 */
#include "trust/spf.h"

#include "base/must.h"
#include "fiber/dns.h"
#include "fiber/net.h"

enum { FRAMES = SPF_LOOKUPS + 1, EXPANDED_MOST = 1024, EXPLAINED_MOST = 500,
	SHOWN_MOST = 80 };

struct frame {
	struct str domain;
	struct spf_term *terms;
	size_t n, at;
};

struct check {
	const struct spf_ask *ask;
	struct arena *arena;
	struct spf_answer *out;
	struct spf_facts facts;
	struct frame frames[FRAMES];
	size_t depth;			/* frames in use */
};

/* What came of a term. */
enum match { MATCH_NO, MATCH_YES, MATCH_INTO, MATCH_BROKEN };

/* A stranger's octets, for people. */
static const char *
shown(struct arena *a, struct str s)
{
	char room[SHOWN_MOST + 1];
	struct buf b = BUF_OF(room);

	for (size_t i = 0; i < s.n && i < SHOWN_MOST; i++)
		buf_putc(&b, s.p[i] > 0x20 && s.p[i] < 0x7f ? s.p[i] : '?');
	return arena_cstr(a, buf_str(&b));
}

static enum match
check_break(struct check *c, enum spf_result result, struct str whose,
    const char *what)
{
	const char *name = shown(c->arena, whose);

	c->out->result = result;
	c->out->why = arena_printf(c->arena, "%s %s", name == NULL ? "it" :
	    name, what);
	return MATCH_BROKEN;
}

/* ---- the DNS ---- */

/* MATCH_BROKEN: there is trouble, and it was told. */
static yields enum match
check_question(struct check *c, struct str name, enum dns_type type,
    struct dns_answer *got)
{
	if (quest_is_over(&c->ask->quest))
		return check_break(c, SPF_TEMPERROR, name,
		    "was not asked for: too many questions, or too slow");
	quest_ask(&c->ask->quest, name, type, c->arena, got);
	return got->status != DNS_TROUBLE ? MATCH_YES : check_break(c,
	    SPF_TEMPERROR, name, "has no answer from the DNS");
}

/* RFC 7208 4.6.4: one more term that asks, and whether in vain. */
static enum match
check_count(struct check *c, struct str text)
{
	return ++c->out->lookups <= SPF_LOOKUPS ? MATCH_YES : check_break(c,
	    SPF_PERMERROR, text, "is one look-up more than 10");
}

static enum match
check_void(struct check *c, const struct dns_answer *got, struct str text)
{
	if (got->status == DNS_FOUND || ++c->out->voids <= SPF_VOIDS)
		return MATCH_YES;
	return check_break(c, SPF_PERMERROR, text,
	    "is the third look-up in vain");
}

/* ---- names ---- */

/* 4.3: labels of 1 to 63 octets, at least two of them. */
static bool
domain_counts(struct str domain)
{
	if (domain.n > 0 && domain.p[domain.n - 1] == '.')
		domain.n--;
	return dns_name_fits(domain) && str_find(domain, '.') < domain.n;
}

/* 7.3: what is too long loses labels on the left. */
static struct str
domain_shortened(struct str name)
{
	if (name.n > 0 && name.p[name.n - 1] == '.')
		name.n--;
	while (name.n > 253 && str_find(name, '.') < name.n)
		name = str_sub(name, str_find(name, '.') + 1, name.n);
	return name;
}

static struct str
ip_dotted(const struct address *a, struct arena *arena)
{
	char room[64];
	struct buf b = BUF_OF(room);

	if (a->family == ADDRESS_V4)
		return arena_copy(arena, str_of(address_print(a).text));
	for (size_t i = 0; i < 16; i++)
		buf_printf(&b, "%s%x.%x", i > 0 ? "." : "",
		    a->of.ip[i] >> 4, a->of.ip[i] & 15);
	must(!b.full);
	return arena_copy(arena, buf_str(&b));
}

static bool
name_is_below(struct str name, struct str domain)
{
	return str_eq_icase(name, domain) || (name.n > domain.n + 1 &&
	    name.p[name.n - domain.n - 1] == '.' &&
	    str_has_suffix_icase(name, domain));
}

static enum dns_type
address_type(const struct check *c)
{
	return c->ask->client.family == ADDRESS_V4 ? DNS_A : DNS_AAAA;
}

/* Are the first bits of both the same? */
static bool
client_is_near(const struct check *c, const struct address *a,
    const struct spf_term *t)
{
	const struct address *client = &c->ask->client;
	unsigned bits = client->family == ADDRESS_V4 ? t->bits4 : t->bits6;
	unsigned octets = bits / 8, rest = bits % 8;

	if (a->family != client->family)
		return false;
	return memcmp(a->of.ip, client->of.ip, octets) == 0 && (rest == 0 ||
	    ((a->of.ip[octets] ^ client->of.ip[octets]) >> (8 - rest)) == 0);
}

static bool
addresses_have(const struct check *c, const struct dns_answer *got,
    const struct spf_term *t)
{
	for (size_t i = 0; i < got->n; i++)
		if (client_is_near(c, &got->records[i].address, t))
			return true;
	return false;
}

/* 5.5: the name of the client that the DNS agrees with: the domain itself before
 * those below it, before others; STR_NONE.  Trouble is no match. */
static yields struct str
check_validated(struct check *c, struct str domain)
{
	struct spf_term exact = { .bits4 = 32, .bits6 = 128 };
	struct dns_answer names, got;
	struct str best = STR_NONE;
	enum spf_result result = c->out->result;

	if (check_question(c, dns_reverse_name(&c->ask->client, c->arena),
	    DNS_PTR, &names) == MATCH_BROKEN)
		names.n = 0;
	for (size_t i = 0; i < names.n && i < SPF_NAMES; i++) {
		struct str name = names.records[i].name;

		if (best.n > 0 && !name_is_below(name, domain))
			continue;
		if (check_question(c, name, address_type(c), &got) ==
		    MATCH_BROKEN || !addresses_have(c, &got, &exact))
			continue;
		if (str_eq_icase(name, domain)) {
			best = name;
			break;
		}
		if (best.n == 0 || !name_is_below(best, domain))
			best = name;
	}
	c->out->result = result;
	c->out->why = STR_NONE;
	return best;
}

/* ---- macros ---- */

static yields bool
expanded(struct check *c, struct str spec, struct buf *b)
{
	c->facts.domain = c->frames[c->depth - 1].domain;
	if (!spf_has_macro(spec, 'p'))
		return spf_expand(spec, &c->facts, b);
	c->facts.validated = check_validated(c, c->facts.domain);
	if (c->facts.validated.n == 0)
		c->facts.validated = STR("unknown");
	return spf_expand(spec, &c->facts, b);
}

/* The name that a term is about; absent: nobody can have it. */
static yields struct str
term_domain(struct check *c, const struct spf_term *t)
{
	char *room;
	struct buf b;

	if (t->domain.n == 0)
		return c->frames[c->depth - 1].domain;
	room = arena_alloc(c->arena, EXPANDED_MOST);
	if (room == NULL)
		return STR_NONE;
	b = (struct buf){ .p = room, .cap = EXPANDED_MOST };
	return expanded(c, t->domain, &b) ? domain_shortened(buf_str(&b)) :
	    STR_NONE;
}

/* ---- frames ---- */

/* 4.5: the one record among the texts of a name. */
static enum match
record_choose(struct check *c, const struct dns_answer *got, struct str domain,
    struct str *record)
{
	*record = STR_NONE;
	for (size_t i = 0; i < got->n; i++) {
		if (!spf_is_record(got->records[i].data))
			continue;
		if (record->n > 0)
			return check_break(c, SPF_PERMERROR, domain,
			    "has more than one record");
		*record = got->records[i].data;
	}
	return record->n > 0 ? MATCH_YES : MATCH_NO;
}

static enum match
record_read(struct check *c, struct str record, struct frame *f)
{
	size_t words = 1;
	const char *wrong;
	struct str text, said;

	for (size_t i = 0; i < record.n; i++)
		words += record.p[i] == ' ';
	words = words < SPF_TERMS_MOST ? words : SPF_TERMS_MOST;
	f->terms = arena_alloc(c->arena, words * sizeof *f->terms);
	if (f->terms == NULL)
		return check_break(c, SPF_TEMPERROR, f->domain,
		    "has a record for which there is no memory");
	f->at = 0;
	wrong = spf_read(record, f->terms, words, &f->n);
	if (wrong == NULL)
		return MATCH_YES;
	text = f->n > 0 ? f->terms[f->n - 1].text : record;
	said = arena_printf(c->arena, "has a record in which '%s' %s",
	    shown(c->arena, text), wrong);
	return check_break(c, SPF_PERMERROR, f->domain,
	    said.p == NULL ? wrong : said.p);
}

/* MATCH_NO: there is none. */
static yields enum match
frame_open(struct check *c, struct frame *f, struct str domain)
{
	struct dns_answer got;
	struct str record;
	enum match m;

	f->domain = domain;
	m = check_question(c, domain, DNS_TXT, &got);
	if (m == MATCH_YES)
		m = record_choose(c, &got, domain, &record);
	return m == MATCH_YES ? record_read(c, record, f) : m;
}

/* ---- mechanisms (5) ---- */

static yields enum match
include_judge(struct check *c, const struct spf_term *t)
{
	struct str domain = term_domain(c, t);
	enum match m;

	must(c->depth < FRAMES);
	m = frame_open(c, &c->frames[c->depth], domain);
	if (m == MATCH_NO)		/* 5.2: none */
		return check_break(c, SPF_PERMERROR, t->text,
		    "leads to a domain without a record");
	if (m == MATCH_BROKEN)
		return m;
	c->depth++;
	return MATCH_INTO;
}

static yields enum match
a_judge(struct check *c, const struct spf_term *t, struct str domain)
{
	struct dns_answer got;

	if (check_question(c, domain, address_type(c), &got) == MATCH_BROKEN ||
	    check_void(c, &got, t->text) == MATCH_BROKEN)
		return MATCH_BROKEN;
	return addresses_have(c, &got, t) ? MATCH_YES : MATCH_NO;
}

static yields enum match
mx_judge(struct check *c, const struct spf_term *t, struct str domain)
{
	struct dns_answer hosts, got;

	if (check_question(c, domain, DNS_MX, &hosts) == MATCH_BROKEN ||
	    check_void(c, &hosts, t->text) == MATCH_BROKEN)
		return MATCH_BROKEN;
	if (hosts.n > SPF_NAMES)
		return check_break(c, SPF_PERMERROR, t->text,
		    "has more than 10 mail exchangers");
	for (size_t i = 0; i < hosts.n; i++) {
		if (check_question(c, hosts.records[i].name, address_type(c),
		    &got) == MATCH_BROKEN)
			return MATCH_BROKEN;
		if (addresses_have(c, &got, t))
			return MATCH_YES;
	}
	return MATCH_NO;
}

static yields enum match
ptr_judge(struct check *c, struct str domain)
{
	struct str name = check_validated(c, domain);

	return name.n > 0 && name_is_below(name, domain) ? MATCH_YES :
	    MATCH_NO;
}

/* 5.7: A, whatever the client has. */
static yields enum match
exists_judge(struct check *c, const struct spf_term *t, struct str domain)
{
	struct dns_answer got;

	if (check_question(c, domain, DNS_A, &got) == MATCH_BROKEN ||
	    check_void(c, &got, t->text) == MATCH_BROKEN)
		return MATCH_BROKEN;
	return got.n > 0 ? MATCH_YES : MATCH_NO;
}

/* 5.6: "ip6:::ffff:192.0.2.1/0" is a network of IPv6, though its address was read
 * as the one of IPv4 that it stands for. */
static void
address_widen(struct address *a)
{
	unsigned char mapped[16] = { [10] = 0xff, [11] = 0xff };

	memcpy(mapped + 12, a->of.ip, 4);
	memcpy(a->of.ip, mapped, sizeof mapped);
	a->family = ADDRESS_V6;
}

static enum match
ip_judge(struct check *c, const struct spf_term *t)
{
	struct address a;

	if (!address_parse(t->ip, 0, &a))
		return check_break(c, SPF_PERMERROR, t->text,
		    "has an address that is none");
	if (t->kind == SPF_IP6 && a.family == ADDRESS_V4)
		address_widen(&a);
	return (a.family == ADDRESS_V4) == (t->kind == SPF_IP4) &&
	    client_is_near(c, &a, t) ? MATCH_YES : MATCH_NO;
}

static yields enum match
name_judge(struct check *c, const struct spf_term *t)
{
	struct str domain;

	if (check_count(c, t->text) == MATCH_BROKEN)
		return MATCH_BROKEN;
	if (t->kind == SPF_INCLUDE)
		return include_judge(c, t);
	domain = term_domain(c, t);
	if (domain.p == NULL)		/* RFC 8616 4 */
		return MATCH_NO;
	switch (t->kind) {
	case SPF_A: return a_judge(c, t, domain);
	case SPF_MX: return mx_judge(c, t, domain);
	case SPF_PTR: return ptr_judge(c, domain);
	case SPF_EXISTS: return exists_judge(c, t, domain);
	case SPF_ALL: case SPF_INCLUDE: case SPF_IP4: case SPF_IP6:
	case SPF_REDIRECT: case SPF_EXP: case SPF_UNKNOWN:
		break;
	}
	must(!"a term that asks nobody");
	return MATCH_NO;
}

static yields enum match
term_judge(struct check *c, const struct spf_term *t)
{
	if (t->kind == SPF_ALL)
		return MATCH_YES;
	if (t->kind >= SPF_MECHANISMS)
		return MATCH_NO;
	if (t->kind == SPF_IP4 || t->kind == SPF_IP6)
		return ip_judge(c, t);
	return name_judge(c, t);
}

/* ---- modifiers (6) ---- */

static const struct spf_term *
frame_term(const struct frame *f, enum spf_kind kind)
{
	for (size_t i = 0; i < f->n; i++)
		if (f->terms[i].kind == kind)
			return &f->terms[i];
	return NULL;
}

/* 6.1: the frame's record gives way to another's. */
static yields enum match
frame_redirect(struct check *c, struct frame *f, const struct spf_term *t)
{
	enum match m = check_count(c, t->text);

	if (m == MATCH_YES)
		m = frame_open(c, f, term_domain(c, t));
	return m == MATCH_NO ? check_break(c, SPF_PERMERROR, t->text,
	    "leads to a domain without a record") : m;
}

/* 6.2: errors mean that there is no explanation. */
static yields void
check_explain(struct check *c)
{
	const struct spf_term *t = frame_term(&c->frames[0], SPF_EXP);
	char *room = arena_alloc(c->arena, EXPLAINED_MOST);
	struct buf b = { .p = room, .cap = EXPLAINED_MOST };
	struct dns_answer got;

	if (t == NULL || room == NULL)
		return;
	if (check_question(c, term_domain(c, t), DNS_TXT, &got) ==
	    MATCH_YES && got.n == 1 &&
	    spf_is_explanation(got.records[0].data) &&
	    expanded(c, got.records[0].data, &b) &&
	    str_is_printable(buf_str(&b)))
		c->out->explanation = buf_str(&b);
	c->out->result = SPF_FAIL;
	c->out->why = STR_NONE;
}

/* ---- check_host() ---- */

/* The result of the top frame, when it has one: whoever included it goes on. */
static bool
frame_close(struct check *c, enum spf_result result)
{
	const struct frame *f;

	while (--c->depth > 0) {
		f = &c->frames[c->depth - 1];
		if (result != SPF_PASS)	/* 5.2: include does not match */
			return false;
		result = f->terms[f->at - 1].qualifier;
		c->out->term = f->terms[f->at - 1].text;
	}
	c->out->result = result;
	c->depth = 1;
	return true;
}

/* One step; true: there is an answer. */
static yields bool
check_step(struct check *c)
{
	struct frame *f = &c->frames[c->depth - 1];
	const struct spf_term *t;

	if (f->at == f->n) {
		t = frame_term(f, SPF_REDIRECT);
		if (t == NULL || frame_term(f, SPF_ALL) != NULL)
			return frame_close(c, SPF_NEUTRAL);
		return frame_redirect(c, f, t) == MATCH_BROKEN;
	}
	t = &f->terms[f->at++];
	switch (term_judge(c, t)) {
	case MATCH_YES:
		c->out->term = t->text;
		return frame_close(c, t->qualifier);
	case MATCH_BROKEN:
		return true;
	case MATCH_INTO:
	case MATCH_NO:
		break;
	}
	return false;
}

static yields void
check_run(struct check *c)
{
	switch (frame_open(c, &c->frames[0], c->out->domain)) {
	case MATCH_NO:
	case MATCH_BROKEN:
		return;
	case MATCH_YES:
	case MATCH_INTO:
		break;
	}
	c->depth = 1;
	while (!check_step(c))
		must(c->depth > 0 && c->depth <= FRAMES);
	if (c->out->result == SPF_FAIL && c->ask->wants_explanation)
		check_explain(c);
}

static yields void
check_begin(struct check *c, const struct spf_ask *ask, struct arena *arena,
    struct spf_answer *out)
{
	out->domain = domain_shortened(out->domain);
	c->ask = ask;
	c->arena = arena;
	c->out = out;
	c->facts = (struct spf_facts){
		.local = ask->domain.n > 0 && ask->local.n > 0 ? ask->local :
		    STR("postmaster"),	/* 4.3 */
		.sender_domain = out->domain, .helo = ask->helo,
		.receiver = ask->receiver, .ip = ip_dotted(&ask->client, arena),
		.ip_readable = arena_copy(arena,
		    str_of(address_print(&ask->client).text)),
		.version = ask->client.family == ADDRESS_V4 ? STR("in-addr") :
		    STR("ip6"),
		.time = arena_printf(arena, "%lld",
		    (long long)(ask->quest.now.us / US_PER_SECOND)),
	};
	check_run(c);
}

/* The check is over when this is; only the answer stays as long as `arena'. */
yields void
spf_check(const struct spf_ask *ask, struct arena *arena,
    struct spf_answer *out)
{
	struct arena scratch;
	struct check *c;

	*out = (struct spf_answer){ .result = SPF_NONE,
	    .domain = ask->domain.n > 0 ? ask->domain : ask->helo };
	arena_init(&scratch, sizeof *c + 64);
	arena_expect(&scratch, sizeof *c);
	c = arena_new(&scratch, struct check);
	if (c != NULL && domain_counts(out->domain) &&
	    (ask->client.family == ADDRESS_V4 ||
	    ask->client.family == ADDRESS_V6))
		check_begin(c, ask, arena, out);
	arena_clear(&scratch);
}
