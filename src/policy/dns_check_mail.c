/* dns_check_mail.c -- who may send with the domain's name: SPF, DKIM, DMARC, and
 * whom others tell of it. */
#include "fiber/dns.h"
#include "fiber/net.h"
#include "policy/dns_check_own.h"

#include "base/err.h"
#include "policy/pool.h"
#include "policy/records.h"
#include "trust/dmarc.h"
#include "trust/spf.h"
#include "trust/spf_walk.h"
#include "wire/dkim.h"
#include "wire/tags.h"

enum { MAILBOX_ROOM = 400, DESTINATIONS_MOST = 8 };

/* ---- SPF ---- */

/* What the record says of mail from that address. */
static yields void
spf_ask_for(struct checking *c, struct str domain, bool is_helo,
    const struct address *client, struct spf_answer *out)
{
	struct spf_ask ask = { .client = *client, .helo = domain,
		.local = STR("postmaster"), .receiver = c->config->hostname,
		.quest = c->quest };

	if (!is_helo)
		ask.domain = domain;
	spf_check(&ask, c->arena, out);
	err_clear();
}

/* The record with more terms in front of its own. */
static struct str
spf_with(struct checking *c, struct str record, struct str terms)
{
	struct str rest = record;

	(void)str_skip_icase(&rest, STR("v=spf1"));
	return arena_printf(c->arena, "v=spf1" STR_FMT STR_FMT, STR_ARG(terms),
	    STR_ARG(rest));
}

/* A term more, where mail from there does not pass.  False: it cannot be told. */
static yields bool
spf_miss(struct checking *c, const struct address *at, struct finding *f,
    struct str *terms)
{
	struct address_text text = address_print(at);
	struct spf_answer got;

	spf_ask_for(c, c->out->domain, false, at, &got);
	if (got.result == SPF_PASS)
		return true;
	if (got.result == SPF_TEMPERROR) {
		f->mark = MARK_UNKNOWN;
		f->says = got.why;
		return false;
	}
	if (terms->n == 0)
		f->says = arena_printf(c->arena, "mail from %s gets '%s'%s"
		    STR_FMT, text.text, spf_result_name(got.result),
		    got.why.n > 0 ? ": " : "", STR_ARG(got.why));
	*terms = arena_printf(c->arena, STR_FMT " %s:%s", STR_ARG(*terms),
	    at->family == ADDRESS_V4 ? "ip4" : "ip6", text.text);
	return true;
}

/* Terms for the addresses that do not pass; n == 0: all do. */
static yields struct str
spf_missing(struct checking *c, struct finding *f)
{
	struct str terms = STR("");
	struct source_address s;

	if (!c->leaves_here)
		return terms;
	for (size_t i = 0; i < c->addresses.n; i++)
		if (!spf_miss(c, &c->addresses.v[i], f, &terms))
			return STR("");
	for (size_t i = 0; source_address(c->config, i, &s); i++)
		if (!spf_miss(c, s.at, f, &terms))
			return STR("");
	return terms;
}

static void
finding_break(struct finding *f, struct str says, struct str mend)
{
	f->mark = MARK_WRONG;
	f->says = says;
	f->mend = mend;
}

/* It works, but. */
static void
finding_weaken(struct finding *f, struct str says, struct str mend)
{
	if (f->mark != MARK_WELL)
		return;
	f->mark = MARK_HINT;
	f->says = says;
	f->mend = mend;
}

/* RFC 7208 4.6.4, 5.1, 5.5: it is right for us, but ... */
static void
spf_form_judge(struct checking *c, const struct spf_walk *w, struct finding *f)
{
	if (w->all_result == SPF_PASS && w->all.n > 0)
		finding_break(f, STR("the record lets everybody send with the "
		    "domain's name"), STR("put ~all where it says all or "
		    "+all"));
	else if (w->lookups > SPF_LOOKUPS)
		finding_break(f, arena_printf(c->arena, "the record costs %u "
		    "look-ups of the 10 that are allowed: others take it for "
		    "an error", w->lookups), STR("put ip4: and ip6: where the "
		    "terms lead to, or take out what sends no more"));
	else if (w->voids > SPF_VOIDS)
		finding_break(f, arena_printf(c->arena, "%u of the record's "
		    "look-ups are in vain, and 2 are allowed: others take it "
		    "for an error", w->voids), STR("take out the terms that lead "
		    "nowhere"));
	if (w->all.n == 0 || w->all_result == SPF_NEUTRAL)
		finding_weaken(f, STR("the record says nothing of who else may send: "
		    "it has no ~all or -all at its end"), STR("put ~all at its "
		    "end"));
	if (w->has_ptr)
		finding_weaken(f, STR("the record has ptr, which is slow, and which "
		    "some receivers do not look at"), STR("put ip4: and ip6: "
		    "instead"));
	if (w->voids > 0)
		finding_weaken(f, arena_printf(c->arena, "%u of the record's look-ups "
		    "%s in vain", w->voids, w->voids == 1 ? "is" : "are"),
		    STR("take out the terms that lead nowhere"));
	if (w->lookups > SPF_LOOKUPS - 2)
		finding_weaken(f, arena_printf(c->arena, "the record costs %u look-ups "
		    "of the 10 that are allowed: others' changes may break it",
		    w->lookups), STR("put ip4: and ip6: where the terms lead "
		    "to"));
}

static yields void
spf_judge(struct checking *c, const struct spf_walk *w,
    const struct dns_entry *want, struct finding *f)
{
	struct str terms;

	if (w->record.n == 0 && w->wrong.n == 0) {
		finding_break(f, STR("there is no SPF record: nobody knows who may "
		    "send with the domain's name"), line_text(c, want));
		return;
	}
	if (w->wrong.n > 0) {
		finding_break(f, w->wrong, line_text(c, want));
		return;
	}
	terms = spf_missing(c, f);
	if (f->mark == MARK_UNKNOWN)
		return;
	if (terms.n > 0) {
		finding_break(f, f->says, text_line(c, want->name, spf_with(c,
		    w->record, terms)));
		return;
	}
	spf_form_judge(c, w, f);
}

/* RFC 7208 2.3: the name that is said in EHLO. */
static yields void
helo_check(struct checking *c)
{
	struct finding *f;

	if (str_eq_icase(c->helo, c->out->domain) || c->ask->skips_host ||
	    !c->leaves_here)
		return;
	f = finding_add(c, RECORD_SPF, MARK_WELL, c->helo,
	    "the name said in EHLO may send from here");
	f->expected = STR("v=spf1 a -all");
	for (size_t i = 0; i < c->addresses.n && f->mark == MARK_WELL; i++) {
		struct spf_answer got;

		spf_ask_for(c, c->helo, true, &c->addresses.v[i], &got);
		if (got.result == SPF_PASS)
			continue;
		f->mark = got.result == SPF_TEMPERROR ? MARK_UNKNOWN :
		    got.result == SPF_NONE ? MARK_HINT : MARK_WRONG;
		f->found = STR("");
		f->says = got.result == SPF_NONE ? STR("the name said in EHLO "
		    "has no SPF record, and reports without a sender are judged "
		    "by it") : arena_printf(c->arena, "reports of non-delivery, "
		    "which have no sender, get '%s' from %s by the name said in "
		    "EHLO", spf_result_name(got.result),
		    address_print(&c->addresses.v[i]).text);
		f->mend = text_line(c, c->helo, f->expected);
	}
}

yields void
check_spf(struct checking *c)
{
	const struct dns_entry *want = record_wanted(c, RECORD_SPF, DNS_TXT);
	struct spf_walk *w = arena_new(c->arena, struct spf_walk);
	struct finding *f;

	if (want == NULL || w == NULL) {
		c->has_room = c->has_room && w != NULL;
		return;
	}
	spf_walk(c->out->domain, &c->quest, c->arena, w);
	f = finding_add(c, RECORD_SPF, MARK_WELL, c->out->domain, "mail from "
	    "here may have the domain's name; the record costs %u look-ups of "
	    "10, %u in vain", w->lookups, w->voids);
	f->expected = want->value;
	f->found = w->record;
	if (w->trouble.n > 0) {
		f->mark = MARK_UNKNOWN;
		f->says = arena_printf(c->arena, "the DNS does not tell all of "
		    "the record: " STR_FMT, STR_ARG(w->trouble));
	} else
		spf_judge(c, w, want, f);
	helo_check(c);
}

/* ---- DKIM ---- */

static bool
keys_are_same(struct checking *c, struct str found, struct str wanted,
    const char **wrong, bool *is_testing)
{
	struct dkim_record is, want;

	*is_testing = false;
	*wrong = dkim_record_read(found, c->arena, &is);
	if (*wrong != NULL || dkim_record_read(wanted, c->arena, &want) != NULL)
		return false;
	*is_testing = is.is_testing;
	if (!is.takes_sha256 || !is.is_for_mail)
		*wrong = "is not for mail, or not for SHA-256";
	return *wrong == NULL && is.type == want.type &&
	    str_eq(is.key, want.key);
}

static void
key_missing(struct checking *c, enum record_key_state state,
    const struct dns_entry *want, struct finding *f)
{
	f->mend = line_text(c, want);
	switch (state) {
	case RECORD_KEY_ACTIVE:
		f->mark = MARK_WRONG;
		f->says = STR("the key that signs is not in the DNS: the domain's "
		    "mail counts as unsigned");
		return;
	case RECORD_KEY_NEXT:
		f->mark = MARK_HINT;
		f->says = STR("the next key is not published yet; it signs when "
		    "it is");
		return;
	case RECORD_KEY_RETIRING:
		f->mark = MARK_HINT;
		f->says = STR("the key before is gone from the DNS, though mail "
		    "that it signed may be on its way");
		return;
	}
}

static void
key_judge(struct checking *c, const struct dns_answer *got,
    const struct record_key *key, const struct dns_entry *want,
    struct finding *f)
{
	const char *wrong = NULL;
	bool is_testing = false;

	for (size_t i = 0; i < got->n; i++)
		if (keys_are_same(c, got->records[i].data, want->value, &wrong,
		    &is_testing) && got->n == 1) {
			if (is_testing)
				finding_weaken(f, STR("the key says that it is only "
				    "tested (t=y): some take the mail for "
				    "unsigned"), line_text(c, want));
			return;
		}
	f->mark = key->state == RECORD_KEY_ACTIVE ? MARK_WRONG : MARK_HINT;
	f->mend = line_text(c, want);
	f->says = got->n > 1 ? STR("there are several records, and others may "
	    "take any of them") : wrong != NULL ? arena_printf(c->arena,
	    "the record cannot be used: %s", wrong) :
	    STR("another key is published than the one that signs here: "
	    "signatures do not verify");
}

static yields void
key_check(struct checking *c, const struct record_key *key,
    const struct dns_entry *want)
{
	struct dns_answer got;
	struct finding *f;

	if (!check_ask(c, RECORD_DKIM, want->name, DNS_TXT, &got))
		return;
	f = finding_add(c, RECORD_DKIM, MARK_WELL, want->name,
	    "the key that is published is the one held here");
	f->expected = want->value;
	f->found = answer_text(c, &got, DNS_TXT);
	if (got.n == 0)
		key_missing(c, key->state, want, f);
	else
		key_judge(c, &got, key, want, f);
}

yields void
check_dkim(struct checking *c)
{
	const struct records_ask *ask = &c->ask->records;
	size_t k = 0;

	if (!ask->knows_keys)
		finding_add(c, RECORD_DKIM, MARK_UNKNOWN, c->out->domain,
		    "the DKIM keys are known to the running server only, and it "
		    "could not be asked");
	else if (ask->n_keys == 0)
		finding_add(c, RECORD_DKIM, MARK_HINT, c->out->domain,
		    "the domain has no DKIM key: its mail is not signed");
	for (size_t i = 0; i < c->want->n && k < ask->n_keys; i++)
		if (c->want->v[i].topic == RECORD_DKIM)
			key_check(c, &ask->keys[k++], &c->want->v[i]);
}

/* ---- DMARC ---- */

/* RFC 9990 4: does whoever gets the reports want them? */
static yields void
destination_check(struct checking *c, const struct dmarc_answer *a,
    const struct dmarc_uri *uri, struct finding *f)
{
	char room[MAILBOX_ROOM];
	struct buf b = BUF_OF(room);
	struct str domain;
	struct dmarc_consent_answer *consent;

	if (uri->mailbox.p == NULL || !dmarc_uri_mailbox(uri, &b, &domain))
		return;
	consent = arena_new(c->arena, struct dmarc_consent_answer);
	domain = arena_copy(c->arena, domain);
	if (consent == NULL || domain.p == NULL)
		return;
	dmarc_consent(a->where, domain, &c->quest, c->arena, consent);
	err_clear();
	if (consent->consent != DMARC_CONSENT_NO || f->mark == MARK_WRONG)
		return;
	f->mark = MARK_WRONG;
	f->says = arena_printf(c->arena, "reports do not go to " STR_FMT
	    ": that domain does not say that it wants them", STR_ARG(domain));
	f->mend = text_line(c, arena_printf(c->arena, STR_FMT
	    "._report._dmarc." STR_FMT, STR_ARG(a->where), STR_ARG(domain)),
	    STR("v=DMARC1;"));
}

static yields void
destinations_check(struct checking *c, const struct dmarc_answer *a,
    struct finding *f)
{
	struct str list = a->record.rua;
	struct dmarc_uri uri;
	size_t n = 0;

	while (n < DESTINATIONS_MOST && dmarc_uri_next(&list, &uri)) {
		n++;
		destination_check(c, a, &uri, f);
	}
	if (n == 0)
		finding_weaken(f, STR("nobody gets the reports: you do not hear who "
		    "sends with the domain's name"), STR("add rua=mailto: with "
		    "an address to the record"));
}

static void
policy_judge(struct checking *c, const struct dmarc_answer *a,
    struct finding *f)
{
	if (a->record.is_testing)
		finding_weaken(f, STR("t=y: others apply the policy one step weaker"),
		    STR("take t=y out when the reports show nothing unexpected"));
	if (a->published == DMARC_POLICY_NONE)
		finding_weaken(f, STR("p=none: fine for the first weeks, and it protects "
		    "nobody"), STR("when the reports show only mail of yours, and "
		    "all of it passes: p=quarantine, then p=reject"));
	if (f->mark == MARK_WELL && !str_eq_icase(a->where, c->out->domain))
		f->says = arena_printf(c->arena, "the record of " STR_FMT
		    " counts: mail that does not pass is asked to be %s",
		    STR_ARG(a->where), a->policy == DMARC_POLICY_REJECT ?
		    "refused" : "put aside");
}

static bool
dmarc_is_told(struct checking *c, const struct dmarc_answer *a,
    const struct dns_entry *want, struct finding *f)
{
	if (a->result == DMARC_TEMPERROR) {
		f->mark = MARK_UNKNOWN;
		f->says = a->why;
		return true;
	}
	if (a->where.n > 0 && a->result != DMARC_PERMERROR)
		return false;
	f->mark = MARK_WRONG;
	f->says = a->result == DMARC_PERMERROR ? arena_printf(c->arena,
	    "the record does not count: " STR_FMT, STR_ARG(a->why)) :
	    STR("there is no DMARC record that counts: anybody can write in the "
	    "domain's name, and large providers may refuse its mail");
	f->mend = line_text(c, want);
	return true;
}

yields void
check_dmarc(struct checking *c)
{
	const struct dns_entry *want = record_wanted(c, RECORD_DMARC, DNS_TXT);
	struct dmarc_answer *a = arena_new(c->arena, struct dmarc_answer);
	struct finding *f;

	if (want == NULL || a == NULL) {
		c->has_room = c->has_room && a != NULL;
		return;
	}
	dmarc_discover(c->out->domain, &c->quest, c->arena, a);
	err_clear();
	f = finding_add(c, RECORD_DMARC, MARK_WELL, want->name,
	    "mail that does not pass is asked to be %s",
	    a->policy == DMARC_POLICY_REJECT ? "refused" : "put aside");
	f->expected = want->value;
	f->found = a->text;
	if (dmarc_is_told(c, a, want, f))
		return;
	destinations_check(c, a, f);
	policy_judge(c, a, f);
}

/* ---- TLS-RPT ---- */

/* RFC 8460 3: v=TLSRPTv1 first, and rua. */
static bool
tlsrpt_is_good(struct checking *c, struct str text)
{
	struct tags *tags = arena_new(c->arena, struct tags);
	struct str rua;

	if (tags == NULL || !tags_read(text, tags) || tags->n < 2 ||
	    !str_eq(tags->tag[0].name, STR("v")) ||
	    !str_eq(tags->tag[0].value, STR("TLSRPTv1")))
		return false;
	rua = tags_get(tags, "rua");
	return str_has_prefix_icase(rua, STR("mailto:")) ||
	    str_has_prefix_icase(rua, STR("https://"));
}

yields void
check_tlsrpt(struct checking *c)
{
	const struct dns_entry *want = record_wanted(c, RECORD_TLSRPT, DNS_TXT);
	struct dns_answer got;
	struct finding *f;
	struct str text;
	size_t n;

	if (want == NULL || !check_ask(c, RECORD_TLSRPT, want->name, DNS_TXT,
	    &got))
		return;
	n = texts_of(&got, STR("v=TLSRPTv1"), &text);
	f = finding_add(c, RECORD_TLSRPT, MARK_WELL, want->name,
	    "others report when TLS to this domain does not come to be");
	f->expected = want->value;
	f->found = answer_text(c, &got, DNS_TXT);
	if (n == 0) {
		f->mark = MARK_HINT;
		f->says = STR("nobody tells you when TLS to this domain does not "
		    "come to be");
		f->mend = line_text(c, want);
	} else if (n > 1 || !tlsrpt_is_good(c, text)) {
		f->mark = MARK_WRONG;
		f->says = n > 1 ? STR("there are several records, so none of them "
		    "counts") : STR("the record says nothing that counts");
		f->mend = line_text(c, want);
	}
}
