#include "cli/analysis_check.h"

#include "base/must.h"
#include "fiber/net.h"
#include "trust/digest.h"
#include "trust/dmarc.h"
#include "trust/proof.h"
#include "wire/addrlist.h"
#include "wire/address.h"
#include "wire/date.h"
#include "wire/dkim.h"
#include "wire/header.h"

enum {
	KEY_BITS_LEAST = 1024, KEY_BITS = 2048,		/* RFC 8301 3.2 */
	LINE_MOST = HEADER_LINE_MOST + 2,		/* with CRLF */
	HEADER_FAIR = 64 * 1024,
	SIZE_FAIR = 20 * 1024 * 1024, SIZE_MOST = 25 * 1024 * 1024,
	DATE_AHEAD = 3600, DATE_BEHIND = 7 * 86400	/* seconds */
};

const char *
analysis_mark_name(enum analysis_mark m)
{
	static const char *const names[] = { "good", "fair", "bad" };

	must(m <= ANALYSIS_BAD);
	return names[m];
}

struct checking {
	const struct analysis *a;
	const struct proof *proof;	/* of a header that was whole */
	struct wall now;
	struct analysis_answer *out;
};

#define IS(mark_, ...) (c->out->mark = (mark_), \
    c->out->is = arena_printf(c->a->arena, __VA_ARGS__))
#define MEND(...) (c->out->mend = arena_printf(c->a->arena, __VA_ARGS__))

/* ---- SPF, DKIM, DMARC ---- */

static void
spf_mend(struct checking *c, const struct spf_answer *spf)
{
	struct address_text ip = address_print(&c->a->ask.client);
	bool is_v6 = c->a->ask.client.family == ADDRESS_V6;

	switch (spf->result) {
	case SPF_NONE:
		MEND("publish a TXT record at " STR_FMT ": \"v=spf1 %s:%s -all\"",
		    STR_ARG(spf->domain), is_v6 ? "ip6" : "ip4", ip.text);
		break;
	case SPF_FAIL:
	case SPF_SOFTFAIL:
	case SPF_NEUTRAL:
		MEND("if %s may send for " STR_FMT ", put %s:%s into its SPF "
		    "record", ip.text, STR_ARG(spf->domain), is_v6 ? "ip6" :
		    "ip4", ip.text);
		break;
	case SPF_PERMERROR:
		MEND("mend the SPF record of " STR_FMT ": " STR_FMT,
		    STR_ARG(spf->domain), STR_ARG(spf->why));
		break;
	case SPF_TEMPERROR:
		MEND("ask again: the DNS did not answer");
		break;
	case SPF_PASS:
		break;
	}
}

static void
check_spf(struct checking *c)
{
	const struct spf_answer *spf = c->proof == NULL ? NULL :
	    proof_spf(c->proof);

	if (spf == NULL) {
		IS(ANALYSIS_FAIR, "not known: %s", c->a->knows_client ?
		    "the message does not say who the sender is" :
		    "the message does not say which client brought it");
		MEND("say it: %s", c->a->knows_client ? "--from ADDRESS" :
		    "--ip ADDRESS --helo NAME");
		return;
	}
	IS(spf->result == SPF_PASS ? ANALYSIS_GOOD : spf->result ==
	    SPF_TEMPERROR ? ANALYSIS_FAIR : ANALYSIS_BAD, "%s for " STR_FMT,
	    spf_result_name(spf->result), STR_ARG(spf->domain));
	spf_mend(c, spf);
}

static const struct dkim_outcome *
first_signature(const struct proof *p, enum dkim_result result)
{
	for (size_t i = 0; p != NULL && i < p->n_dkim; i++)
		if (p->dkim[i].result == result)
			return &p->dkim[i];
	return NULL;
}

static void
check_dkim(struct checking *c)
{
	const struct dkim_outcome *o = first_signature(c->proof, DKIM_PASS);

	if (o != NULL) {
		IS(ANALYSIS_GOOD, "of " STR_FMT ", %s, selector " STR_FMT,
		    STR_ARG(o->domain), dkim_algorithm_name(o->algorithm),
		    STR_ARG(o->selector));
		return;
	}
	if (c->proof == NULL || c->proof->n_dkim == 0) {
		IS(ANALYSIS_BAD, "it has no signature");
		MEND("sign what is sent, with d=" STR_FMT, STR_ARG(c->proof ==
		    NULL || c->proof->author.n == 0 ? STR("From's domain") :
		    c->proof->author));
		return;
	}
	o = &c->proof->dkim[0];
	IS(o->result == DKIM_TEMPERROR ? ANALYSIS_FAIR : ANALYSIS_BAD,
	    "%s for " STR_FMT ": " STR_FMT, dkim_result_name(o->result),
	    STR_ARG(o->domain), STR_ARG(o->why));
	MEND("whatever changes the message after it was signed must not; or the "
	    "key at " STR_FMT "._domainkey." STR_FMT " is another one",
	    STR_ARG(o->selector), STR_ARG(o->domain));
}

static void
check_aligned(struct checking *c)
{
	const struct proof *p = c->proof;

	if (p == NULL || p->dmarc.result != DMARC_PASS) {
		struct str why = p == NULL ? STR("the header is too large") :
		    p->dmarc.why;

		IS(p != NULL && p->dmarc.result == DMARC_TEMPERROR ?
		    ANALYSIS_FAIR : ANALYSIS_BAD, "%s: " STR_FMT, p == NULL ?
		    "none" : dmarc_result_name(p->dmarc.result), STR_ARG(why));
		if (p != NULL && p->author.n > 0)
			MEND("sign with d=" STR_FMT ", or send with a sender of "
			    "that domain whose SPF passes",
			    STR_ARG(p->author));
		return;
	}
	IS(p->dmarc.spf_aligned && p->dmarc.dkim_aligned ? ANALYSIS_GOOD :
	    ANALYSIS_FAIR, "%s, for " STR_FMT, !p->dmarc.dkim_aligned ?
	    "by SPF alone" : !p->dmarc.spf_aligned ? "by DKIM alone" :
	    "by SPF and by DKIM", STR_ARG(p->author));
	if (!p->dmarc.dkim_aligned)
		MEND("sign with d=" STR_FMT ": forwarded mail keeps nothing "
		    "else", STR_ARG(p->author));
	else if (!p->dmarc.spf_aligned && c->a->knows_client)
		MEND("send with a sender of " STR_FMT " whose SPF passes, so "
		    "that one suffices when the other breaks",
		    STR_ARG(p->author));
}

static void
check_dmarc(struct checking *c)
{
	const struct proof *p = c->proof;
	const struct dmarc_answer *d = p == NULL ? NULL : &p->dmarc;

	if (d == NULL || d->result == DMARC_TEMPERROR) {
		IS(ANALYSIS_FAIR, "not known");
		return;
	}
	if (d->where.n == 0 || d->result == DMARC_PERMERROR) {
		IS(ANALYSIS_BAD, STR_FMT, STR_ARG(d->why));
		if (p->author.n > 0)
			MEND("publish a TXT record at _dmarc." STR_FMT ": "
			    "\"v=DMARC1; p=none; rua=mailto:dmarc@" STR_FMT
			    "\", and read the reports", STR_ARG(p->author),
			    STR_ARG(p->author));
		return;
	}
	IS(d->published == DMARC_POLICY_NONE ? ANALYSIS_FAIR : ANALYSIS_GOOD,
	    "%s=%s at " STR_FMT "%s", d->tag, dmarc_policy_name(d->published),
	    STR_ARG(d->where), d->is_testing ? ", being tested (t=y)" : "");
	if (d->published == DMARC_POLICY_NONE)
		MEND("fine for the first weeks; when the reports show no mail of "
		    "yours that fails, p=quarantine");
}

/* ---- keys, and how much they cover ---- */

static void
check_key(struct checking *c)
{
	const struct dkim_outcome *best = NULL;

	for (size_t i = 0; c->proof != NULL && i < c->proof->n_dkim; i++) {
		const struct dkim_outcome *o = &c->proof->dkim[i];

		if (o->result == DKIM_PASS && (best == NULL ||
		    (o->algorithm == DKIM_RSA_SHA256 &&
		    (best->algorithm != DKIM_RSA_SHA256 ||
		    o->key_bits > best->key_bits))))
			best = o;
	}
	if (best == NULL)
		IS(ANALYSIS_FAIR, "no key was found good");
	else if (best->algorithm != DKIM_RSA_SHA256) {
		IS(ANALYSIS_FAIR, "%s alone, which not everybody can check",
		    dkim_algorithm_name(best->algorithm));
		MEND("sign with RSA of 2048 bits besides");
	} else {
		IS(best->key_bits >= KEY_BITS ? ANALYSIS_GOOD :
		    best->key_bits >= KEY_BITS_LEAST ? ANALYSIS_FAIR :
		    ANALYSIS_BAD, "RSA of %u bits", best->key_bits);
		if (best->key_bits < KEY_BITS)
			MEND("make a key of 2048 bits, with another selector");
	}
}

static void
check_whole(struct checking *c)
{
	for (size_t i = 0; c->proof != NULL && i < c->proof->n_dkim; i++)
		if (c->proof->dkim[i].is_partial) {
			IS(ANALYSIS_BAD, "the signature of " STR_FMT " has l=, "
			    "and leaves a part of the body to anybody",
			    STR_ARG(c->proof->dkim[i].domain));
			MEND("sign without l=");
			return;
		}
	IS(ANALYSIS_GOOD, c->proof == NULL || c->proof->n_dkim == 0 ?
	    "there is none" : "none has l= that leaves something out");
}

/* ---- the client ---- */

static void
check_ptr(struct checking *c)
{
	const struct proof *p = c->proof;
	struct address_text ip = address_print(&c->a->ask.client);

	if (p == NULL || !c->a->knows_client) {
		IS(ANALYSIS_FAIR, "not known: the message does not say which "
		    "client brought it");
		MEND("say it: --ip ADDRESS");
		return;
	}
	if (p->iprev == IPREV_PASS) {
		IS(ANALYSIS_GOOD, "%s is " STR_FMT, ip.text,
		    STR_ARG(p->iprev_name));
		return;
	}
	IS(p->iprev == IPREV_TEMPERROR ? ANALYSIS_FAIR : ANALYSIS_BAD,
	    "%s: " STR_FMT, ip.text, STR_ARG(p->iprev_why));
	MEND("have whoever gave you %s set its PTR record to the server's name, "
	    "and give that name the address", ip.text);
}

static void
check_helo(struct checking *c)
{
	struct str helo = c->a->ask.helo;
	bool is_full = str_find(helo, '.') < helo.n && host_parse(helo,
	    MAILBOX_STRICT) == HOST_DOMAIN;

	if (helo.n == 0 || !str_is_printable(helo)) {
		IS(ANALYSIS_FAIR, helo.n == 0 ? "not known" : "no name at all");
		return;
	}
	IS(is_full ? ANALYSIS_GOOD : ANALYSIS_FAIR, STR_FMT, STR_ARG(helo));
	if (!is_full)
		MEND("let it say its name in the DNS at EHLO (RFC 5321 2.3.5)");
}

static void
check_tls(struct checking *c)
{
	const struct analysis_hop *h = c->a->client_hop;

	if (h == NULL) {
		IS(ANALYSIS_FAIR, "not known");
		return;
	}
	IS(h->is_private ? ANALYSIS_GOOD : ANALYSIS_BAD, "%s, by " STR_FMT,
	    h->is_private ? "inside TLS" : "in clear text, or nobody says "
	    "otherwise", STR_ARG(h->read.by.n > 0 && str_is_printable(
	    h->read.by) ? h->read.by : STR("nobody knows whom")));
	if (!h->is_private)
		MEND("let the sending server use STARTTLS where it is offered");
}

/* ---- fields ---- */

static size_t
addresses(const struct checking *c, struct str value)
{
	struct arena_mark mark = arena_mark(c->a->arena);
	struct addrlist_item item;
	struct addrlist list;
	size_t n = 0;

	addrlist_begin(&list, value, c->a->arena);
	while (addrlist_next(&list, &item))
		n += item.kind == ADDRLIST_MAILBOX;
	arena_back(c->a->arena, mark);
	return n;
}

static void
check_from(struct checking *c)
{
	unsigned fields = c->a->count[HEADER_FROM];
	struct str from = analysis_field(c->a, "From");
	size_t n = from.p == NULL ? 0 : addresses(c, from);

	IS(fields != 1 || n == 0 ? ANALYSIS_BAD : n > 1 ? ANALYSIS_FAIR :
	    ANALYSIS_GOOD, "%u %s, %zu %s", fields, fields == 1 ? "field" :
	    "fields", n, n == 1 ? "address" : "addresses");
	if (fields != 1 || n != 1)
		MEND("write one From with one address: to anything else nobody's "
		    "word counts (RFC 9989 11.5)");
}

/* RFC 5322 3.6: fields with a maximum of one. */
static void
check_once(struct checking *c)
{
	static const enum header_name once[] = { HEADER_DATE, HEADER_SENDER,
		HEADER_REPLY_TO, HEADER_TO, HEADER_CC, HEADER_BCC,
		HEADER_MESSAGE_ID, HEADER_IN_REPLY_TO, HEADER_REFERENCES,
		HEADER_SUBJECT, HEADER_MIME_VERSION, HEADER_CONTENT_TYPE,
		HEADER_CONTENT_TRANSFER_ENCODING };

	for (size_t i = 0; i < sizeof once / sizeof *once; i++)
		if (c->a->count[once[i]] > 1) {
			IS(ANALYSIS_BAD, "%s is there %u times",
			    header_text(once[i]), c->a->count[once[i]]);
			MEND("write it once (RFC 5322 3.6)");
			return;
		}
	IS(ANALYSIS_GOOD, "so it is");
}

static void
check_message_id(struct checking *c)
{
	struct str value = analysis_field(c->a, "Message-ID");
	struct str id = value.p == NULL ? STR_NONE : field_msgid(value);

	if (value.p == NULL)
		IS(ANALYSIS_BAD, "it has none");
	else if (id.n == 0 || str_find(id, '@') == id.n)
		IS(ANALYSIS_FAIR, "it is no identifier of RFC 5322 3.6.4");
	else
		IS(ANALYSIS_GOOD, "it has one");
	if (c->out->mark != ANALYSIS_GOOD)
		MEND("write Message-ID: <something that is never said again@a "
		    "domain of yours>");
}

static void
check_date(struct checking *c)
{
	struct str value = analysis_field(c->a, "Date");
	const struct analysis_hop *h = c->a->client_hop;
	struct wall now = h != NULL && h->read.has_date ? h->read.date.at :
	    c->now;
	struct date date;
	int64_t late;

	if (value.p == NULL || !date_parse(value, &date)) {
		IS(ANALYSIS_BAD, value.p == NULL ? "it has none" :
		    "nobody can read it");
		MEND("write Date as RFC 5322 3.3 has it");
		return;
	}
	late = (now.us - date.at.us) / US_PER_SECOND;
	if (late < -DATE_AHEAD) {
		IS(ANALYSIS_BAD, "it is %lld s ahead of its arrival",
		    (long long)-late);
		MEND("set the clock of whoever wrote it");
	} else if (late > DATE_BEHIND && h != NULL) {
		IS(ANALYSIS_FAIR, "it is %lld days older than its arrival",
		    (long long)(late / 86400));
		MEND("write Date when it is sent");
	} else
		IS(ANALYSIS_GOOD, "it has one");
}

/* ---- unsubscribing ---- */

/* RFC 8058 4: "The message MUST have a valid DKIM signature that covers at
 * least the List-Unsubscribe and List-Unsubscribe-Post headers." */
static bool
signature_covers(const struct checking *c, size_t field)
{
	struct arena_mark mark = arena_mark(c->a->arena);
	struct dkim_signature s;
	bool covers = dkim_signature_read(digest_value(c->a->digest, field),
	    DKIM_SIGNATURE, c->a->arena, &s) == NULL &&
	    dkim_names_have(s.names, STR("List-Unsubscribe")) &&
	    dkim_names_have(s.names, STR("List-Unsubscribe-Post"));

	arena_back(c->a->arena, mark);
	return covers;
}

/* Outcomes are in the order of the fields. */
static bool
is_signed(const struct checking *c)
{
	size_t n = digest_fields(c->a->digest), at = 0;

	for (size_t i = 0; c->proof != NULL && i < c->proof->n_dkim; i++) {
		at = analysis_find(c->a, "DKIM-Signature", at);
		if (at == n)
			break;
		if (c->proof->dkim[i].result == DKIM_PASS &&
		    signature_covers(c, at))
			return true;
		at++;
	}
	return false;
}

static bool
has_https(struct str value)
{
	while (value.n > 0) {
		struct str before = str_cut(&value, '<');

		(void)before;
		if (str_has_prefix_icase(value, STR("https://")))
			return true;
	}
	return false;
}

/* Does it look as if it was sent to many? */
static bool
is_bulk(const struct checking *c)
{
	struct str precedence = str_trim(analysis_field(c->a, "Precedence"));

	return c->a->count[HEADER_LIST_ID] > 0 ||
	    c->a->count[HEADER_LIST_UNSUBSCRIBE] > 0 ||
	    str_eq_icase(precedence, STR("bulk")) ||
	    str_eq_icase(precedence, STR("list")) ||
	    analysis_field(c->a, "Feedback-ID").p != NULL;
}

static void
check_unsubscribe(struct checking *c)
{
	struct str at = analysis_field(c->a, "List-Unsubscribe");
	struct str post = str_trim(analysis_field(c->a,
	    "List-Unsubscribe-Post"));

	if (!is_bulk(c)) {
		IS(ANALYSIS_GOOD, "nothing says that it is sent to many");
		return;
	}
	if (at.p == NULL || !has_https(at))
		IS(ANALYSIS_BAD, at.p == NULL ? "there is no List-Unsubscribe" :
		    "List-Unsubscribe has no https address");
	else if (!str_eq_icase(post, STR("List-Unsubscribe=One-Click")))
		IS(ANALYSIS_BAD, "there is no List-Unsubscribe-Post that says "
		    "One-Click");
	else if (!is_signed(c))
		IS(ANALYSIS_BAD, "no valid signature covers both fields");
	else {
		IS(ANALYSIS_GOOD, "both fields are there, and signed");
		return;
	}
	MEND("write List-Unsubscribe: <https://...> and List-Unsubscribe-Post: "
	    "List-Unsubscribe=One-Click, and name both in the signature's h= (RFC "
	    "8058)");
}

/* ---- sizes ---- */

static void
check_lines(struct checking *c)
{
	unsigned long long longest = c->a->longest_line;

	IS(longest > LINE_MOST ? ANALYSIS_BAD : ANALYSIS_GOOD,
	    "the longest has %llu octets", longest);
	if (longest > LINE_MOST)
		MEND("send it as quoted-printable or base64: lines of more than "
		    "998 octets are cut on the way, and signatures break (RFC "
		    "5322 2.1.1)");
}

static void
check_header(struct checking *c)
{
	unsigned long long n = c->a->header_octets;

	IS(c->a->is_cut ? ANALYSIS_BAD : n > HEADER_FAIR ? ANALYSIS_FAIR :
	    ANALYSIS_GOOD, c->a->is_cut ? "more than %llu octets, or 10,000 "
	    "lines" : "%llu octets", c->a->is_cut ?
	    (unsigned long long)HEADER_OCTETS_MOST : n);
	if (c->out->mark != ANALYSIS_GOOD)
		MEND("receivers refuse headers beyond some size: write less into "
		    "it");
}

static void
check_size(struct checking *c)
{
	unsigned long long n = c->a->octets;

	IS(n > SIZE_MOST ? ANALYSIS_BAD : n > SIZE_FAIR ? ANALYSIS_FAIR :
	    ANALYSIS_GOOD, "%llu octets", n);
	if (n > SIZE_FAIR)
		MEND("most take up to 20 or 25 MiB: send a link instead");
}

/* ---- all ---- */

void
analysis_check(const struct analysis *a, struct wall now,
    struct analysis_answer out[ANALYSIS_RULES])
{
	static void (*const checks[ANALYSIS_RULES])(struct checking *) = {
#define RULE(name, who, what) check_##name,
#include "cli/analysis_rule.def"
#undef RULE
	};
	static const struct analysis_answer rows[ANALYSIS_RULES] = {
#define RULE(name_, who_, what_) { .name = #name_, .who = who_, .what = what_ },
#include "cli/analysis_rule.def"
#undef RULE
	};

	for (size_t i = 0; i < ANALYSIS_RULES; i++) {
		struct checking c = { .a = a, .now = now, .out = &out[i],
			.proof = a->is_cut ? NULL : a->proof };

		out[i] = rows[i];
		checks[i](&c);
	}
}
