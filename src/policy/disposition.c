#include "policy/disposition.h"

#include "base/must.h"
#include "fiber/net.h"
#include "policy/domain.h"
#include "policy/finish.h"
#include "policy/judge.h"
#include "policy/problem.h"
#include "trust/arc.h"
#include "trust/dmarc.h"
#include "wire/arc.h"
#include "wire/authres.h"
#include "wire/dkim.h"

const char *
disposition_override_name(enum disposition_override o)
{
	static const char *const names[] = { "", "local_policy", "mailing_list",
		"other", "policy_test_mode", "trusted_forwarder" };

	must(o <= OVERRIDE_TRUSTED_FORWARDER);
	return names[o];
}

/* ---- traces ---- */

/*
 * What only those put there who pass messages on.  List-Unsubscribe is not among
 * them: whoever sends to many has it, on the author's own behalf (RFC 8058).
 */
static const struct {
	const char *name;
	enum disposition_trace trace;
} trace_fields[] = {
	{ "Delivered-To", TRACE_FORWARDED },
	{ "List-Archive", TRACE_LIST_OTHER },
	{ "List-Help", TRACE_LIST_OTHER },
	{ "List-Id", TRACE_LIST_ID },
	{ "List-Owner", TRACE_LIST_OTHER },
	{ "List-Post", TRACE_LIST_POST },
	{ "List-Subscribe", TRACE_LIST_OTHER },
	{ "Mailing-List", TRACE_LIST_SOFTWARE },
	{ "Resent-From", TRACE_RESENT },
	{ "Resent-Sender", TRACE_RESENT },
	{ "Resent-To", TRACE_RESENT },
	{ "X-BeenThere", TRACE_LIST_SOFTWARE },
	{ "X-Forwarded-For", TRACE_FORWARDED },
	{ "X-Forwarded-To", TRACE_FORWARDED },
	{ "X-Loop", TRACE_LIST_SOFTWARE },
	{ "X-Mailing-List", TRACE_LIST_SOFTWARE },
	{ "X-Mailman-Version", TRACE_LIST_SOFTWARE },
};

void
disposition_field(struct disposition_facts *facts, const struct field *f)
{
	for (size_t i = 0; i < sizeof trace_fields / sizeof *trace_fields; i++)
		if (str_eq_icase(f->name, str_of(trace_fields[i].name)))
			facts->traces |= 1u << trace_fields[i].trace;
	/* "bulk" is said by whoever sends to many, "list" by lists. */
	if (f->known == HEADER_PRECEDENCE &&
	    str_eq_icase(str_trim(f->value), STR("list")))
		facts->traces |= 1u << TRACE_PRECEDENCE;
}

static bool
has_list_traces(const struct disposition_facts *facts)
{
	return (facts->traces & (1u << TRACE_LIST_ID | 1u << TRACE_LIST_POST |
	    1u << TRACE_LIST_OTHER | 1u << TRACE_PRECEDENCE |
	    1u << TRACE_LIST_SOFTWARE)) != 0;
}

/* ---- one judgment ---- */

struct judging {
	const struct proof *proof;
	const struct disposition_facts *facts;
	const struct config *config;
	struct arena *arena;
	struct disposition_answer *out;
};

/* "inbound.verify.dmarc, nightmail.yaml:12": whoever asks why can change it. */
static struct str
rule_text(const struct judging *j, const char *key)
{
	struct place at = finish_place(j->config->origins, key);

	if (at.line == 0)
		return arena_printf(j->arena, "%s (default)", key);
	return arena_printf(j->arena, "%s, " STR_FMT ":%u", key,
	    STR_ARG(at.file), at.line);
}

static void
decide(struct judging *j, enum disposition_act act,
    enum disposition_override override, struct str comment, const char *key)
{
	j->out->act = act;
	j->out->override = override;
	j->out->comment = comment;
	j->out->rule = rule_text(j, key);
	j->out->disposition = act == DISPOSITION_REFUSE ? DMARC_POLICY_REJECT :
	    act == DISPOSITION_JUNK ? DMARC_POLICY_QUARANTINE :
	    DMARC_POLICY_NONE;
}

static void
decide_no(struct judging *j, enum disposition_act act, struct str comment,
    const char *key, enum judge_reason reason, struct str about)
{
	must(act == DISPOSITION_REFUSE || act == DISPOSITION_DEFER);
	decide(j, act, OVERRIDE_NONE, comment, key);
	j->out->verdict = judge_say(reason, about).verdict;
}

static bool
is_listed(const struct conf_strings *patterns, struct str domain)
{
	for (size_t i = 0; domain.n > 0 && i < patterns->n; i++)
		if (domain_fits(patterns->v[i], domain))
			return true;
	return false;
}

static bool
is_at_or_below(struct str domain, struct str above)
{
	size_t n = domain.n - above.n;

	return above.n > 0 && domain.n >= above.n &&
	    str_eq_icase(str_sub(domain, n, above.n), above) &&
	    (n == 0 || domain.p[n - 1] == '.');
}

/* Is it, or what it is below, one of ours?  hostname and localhost are not what
 * people write in From. */
static bool
is_own(const struct judging *j)
{
	struct str name = j->proof->author;

	while (name.n > 0) {
		const struct domain *d = domain_find(j->config, name);

		if (d != NULL && !d->is_implied)
			return true;
		(void)str_cut(&name, '.');
	}
	return false;
}

/* ---- From (SECURITY.md row 31) ---- */

static bool
judge_from(struct judging *j)
{
	static const char key[] = "inbound.verify.from";
	static const char *const words[] = {
		[PROOF_NO_AUTHOR] = "From names nobody",
		[PROOF_AUTHORS] = "From is there twice, or names several domains",
		[PROOF_UNREADABLE] = "From cannot be read" };
	struct str why;

	if (j->proof->authors == PROOF_ONE_AUTHOR)
		return false;
	why = str_of(words[j->proof->authors]);
	switch (j->config->inbound.verify.from) {
	case FROM_REFUSE:
		decide_no(j, DISPOSITION_REFUSE, why, key, JUDGE_from_several,
		    STR(""));
		return true;
	case FROM_JUNK:
		decide(j, DISPOSITION_JUNK, OVERRIDE_NONE, why, key);
		return true;
	case FROM_ACCEPT:
		break;
	}
	return false;
}

/* ---- who may bring what he likes ---- */

/* RFC 9990 3.1.6 trusted_forwarder, mailing_list */
static bool
judge_allowed(struct judging *j)
{
	const struct proof *p = j->proof;
	const struct spf_answer *spf = proof_spf(p);
	const struct conf_networks *nets = &j->config->inbound.verify.allow.
	    networks;
	const struct conf_strings *names = &j->config->inbound.verify.allow.
	    domains;
	enum disposition_override o = has_list_traces(j->facts) ?
	    OVERRIDE_MAILING_LIST : OVERRIDE_TRUSTED_FORWARDER;
	struct str who = STR_NONE;

	for (size_t i = 0; i < nets->n; i++)
		if (network_has(&nets->v[i], &p->ask.client)) {
			decide(j, DISPOSITION_TAKE, o, STR("brought by a "
			    "network that is known to pass mail on"),
			    "inbound.verify.allow.networks");
			return true;
		}
	if (spf != NULL && spf->result == SPF_PASS &&
	    is_listed(names, spf->domain))
		who = spf->domain;
	for (size_t i = 0; i < p->n_dkim && who.n == 0; i++)
		if (p->dkim[i].result == DKIM_PASS &&
		    is_listed(names, p->dkim[i].domain))
			who = p->dkim[i].domain;
	if (who.n == 0)
		return false;
	decide(j, DISPOSITION_TAKE, o, arena_printf(j->arena, "brought by "
	    STR_FMT ", which is known to pass mail on", STR_ARG(who)),
	    "inbound.verify.allow.domains");
	return true;
}

/* Did he who wrote these results find the author proved? */
static bool
results_prove(const struct judging *j, struct str text)
{
	struct arena_mark mark = arena_mark(j->arena);
	struct authres_result r;
	struct authres list;
	bool is_proved = false;

	if (authres_begin(&list, text, j->arena))
		while (!is_proved && authres_next(&list, &r) == AUTHRES_RESULT)
			is_proved = str_eq(r.method, STR("dmarc")) &&
			    str_eq(r.result, STR("pass")) &&
			    str_eq_icase(authres_get(&r, "header", "from"),
			    j->proof->author);
	arena_back(j->arena, mark);
	return is_proved;
}

/* RFC 8617 7.2.2: "arc=pass as[2].d=d2.example as[2].s=s2 ..." */
static struct str
arc_comment(const struct judging *j)
{
	const struct arc_answer *arc = &j->proof->arc;
	struct str text = STR("arc=pass");

	for (unsigned i = arc->n; i > 0 && text.p != NULL; i--)
		text = arena_printf(j->arena, STR_FMT " as[%u].d=" STR_FMT
		    " as[%u].s=" STR_FMT, STR_ARG(text), i,
		    STR_ARG(arc->sets[i - 1].seal_domain), i,
		    STR_ARG(arc->sets[i - 1].seal_selector));
	return text;
}

static bool
judge_sealed(struct judging *j)
{
	const struct conf_strings *sealers = &j->config->inbound.verify.
	    trusted_sealers;
	const struct arc_set *set;

	if (sealers->n == 0 || j->proof->arc.result != ARC_PASS)
		return false;
	set = arc_first_trusted(&j->proof->arc, sealers->v, sealers->n);
	if (set == NULL || !results_prove(j, set->results))
		return false;
	decide(j, DISPOSITION_TAKE, OVERRIDE_LOCAL_POLICY, arc_comment(j),
	    "inbound.verify.trusted_sealers");
	return true;
}

/* ---- p=reject: what else speaks against it (RFC 9989 7.4, 8) ---- */

/* A domain that this author's proof could be of. */
static bool
is_of_author(const struct judging *j, struct str domain)
{
	const struct dmarc_answer *d = &j->proof->dmarc;

	return str_eq(domain, j->proof->author) ||
	    (d->record.psd != DMARC_PSD_Y && is_at_or_below(domain, d->where));
}

static bool
has_signature_of_author(const struct judging *j)
{
	for (size_t i = 0; i < j->proof->n_dkim; i++)
		if (is_of_author(j, j->proof->dkim[i].domain))
			return true;
	return false;
}

/*
 * A list or a forwarder leaves traces, or an own sender, or the signature that it
 * broke; and who asks for reject has to sign (RFC 9989 7.4, 8).  Where the sender
 * is the author's too, SPF says by -all that this client is none of theirs, and
 * nobody even tried to sign, it comes straight from somebody who forged it.
 */
static bool
is_forged(const struct judging *j)
{
	const struct proof *p = j->proof;
	const struct spf_answer *spf = proof_spf(p);

	return spf != NULL && spf->result == SPF_FAIL &&
	    is_of_author(j, spf->domain) && !has_signature_of_author(j) &&
	    j->facts->traces == 0 && p->arc.newest == 0;
}

static bool
judge_reject(struct judging *j)
{
	const struct dmarc_answer *d = &j->proof->dmarc;
	static const char enforce[] = "inbound.verify.dmarc";
	const char *key = enforce;
	struct str why;

	if (is_listed(&j->config->inbound.verify.dmarc_reject, j->proof->author)) {
		key = "inbound.verify.dmarc_reject";
		why = STR("the author's domain is one of those whose p=reject is "
		    "believed");
	} else if (d->is_nonexistent)
		why = STR("the author's domain does not exist, so nobody could "
		    "have sent it");
	else if (is_own(j) && !has_list_traces(j->facts)) {
		key = "inbound.verify.own_domains";
		why = STR("the author's domain is ours, and no list had it");
	} else if (is_forged(j))
		why = STR("SPF says -all for the author's domain, nobody tried "
		    "to sign for it, and nothing tells of a list or forwarder");
	else
		return false;
	decide_no(j, DISPOSITION_REFUSE, why, key, JUDGE_dmarc_reject,
	    j->proof->author);
	return true;
}

/* "In the absence of other knowledge and analysis, Mail Receivers MUST treat such
 * failing mail as if the policy were p=quarantine." */
static void
judge_doubt(struct judging *j)
{
	static const char key[] = "inbound.verify.dmarc";

	if (j->config->inbound.verify.dmarc == INBOUND_DMARC_QUARANTINE)
		decide(j, DISPOSITION_JUNK, OVERRIDE_LOCAL_POLICY,
		    STR("nothing is refused here for DMARC"), key);
	else if (has_list_traces(j->facts))
		decide(j, DISPOSITION_JUNK, OVERRIDE_MAILING_LIST,
		    STR("it has traces of a mailing list"), key);
	else
		decide(j, DISPOSITION_JUNK, OVERRIDE_LOCAL_POLICY,
		    STR("nothing but p=reject speaks against it (RFC 9989 7.4)"),
		    key);
}

/* ---- DMARC said no ---- */

static bool
judge_own(struct judging *j)
{
	bool is_published = j->proof->dmarc.result == DMARC_FAIL;

	if (j->config->inbound.verify.own_domains != OWN_DOMAINS_REFUSE ||
	    j->proof->dmarc.result == DMARC_PASS || !is_own(j))
		return false;
	if (judge_allowed(j) || judge_sealed(j))
		return true;
	decide_no(j, DISPOSITION_REFUSE, STR("the author's domain is ours, and "
	    "nothing proves it"), "inbound.verify.own_domains", is_published ?
	    JUDGE_dmarc_reject : JUDGE_own_unproved, j->proof->author);
	return true;
}

static void
judge_policy(struct judging *j)
{
	const struct dmarc_answer *d = &j->proof->dmarc;
	static const char key[] = "inbound.verify.dmarc";
	enum disposition_override o = d->policy == d->published ?
	    OVERRIDE_NONE : OVERRIDE_POLICY_TEST_MODE;
	struct str why = o == OVERRIDE_NONE ? STR("as the domain asks") :
	    STR("t=y: its owner is testing");

	switch (d->policy) {
	case DMARC_POLICY_NONE:
		decide(j, DISPOSITION_TAKE, o, why, key);
		break;
	case DMARC_POLICY_QUARANTINE:
		decide(j, DISPOSITION_JUNK, o, why, key);
		break;
	case DMARC_POLICY_REJECT:
		if (j->config->inbound.verify.dmarc ==
		    INBOUND_DMARC_QUARANTINE || !judge_reject(j))
			judge_doubt(j);
		break;
	}
}

static void
judge_fail(struct judging *j)
{
	bool wants_something = j->proof->dmarc.published > DMARC_POLICY_NONE;

	if (j->config->inbound.verify.dmarc == INBOUND_DMARC_MONITOR) {
		decide(j, DISPOSITION_TAKE, wants_something ?
		    OVERRIDE_LOCAL_POLICY : OVERRIDE_NONE, STR("what DMARC finds "
		    "is told here, and nothing done"), "inbound.verify.dmarc");
		return;
	}
	if (wants_something && (judge_allowed(j) || judge_sealed(j)))
		return;
	if (!judge_own(j))
		judge_policy(j);
}

/* ---- the rest ---- */

static void
judge_unknown(struct judging *j)
{
	static const char key[] = "inbound.verify.temperror";

	if (j->config->inbound.verify.dmarc == INBOUND_DMARC_MONITOR)
		return;
	if (j->config->inbound.verify.temperror == TEMPERROR_DEFER)
		decide_no(j, DISPOSITION_DEFER, j->proof->dmarc.why, key,
		    JUDGE_dmarc_unknown, j->proof->author);
	else
		decide(j, DISPOSITION_TAKE, OVERRIDE_NONE, j->proof->dmarc.why,
		    key);
}

/* RFC 6376 6.3: "... SHOULD NOT treat a message that has one or more bad
 * signatures and no good signatures differently". */
static bool
has_only_bad_signatures(const struct proof *p)
{
	for (size_t i = 0; i < p->n_dkim; i++)
		if (p->dkim[i].result == DKIM_PASS ||
		    p->dkim[i].result == DKIM_TEMPERROR)
			return false;
	return p->n_dkim > 0;
}

static void
judge_signatures(struct judging *j)
{
	static const char key[] = "inbound.verify.dkim_fail";
	struct str why = STR("it has signatures, and none is valid");

	if (!has_only_bad_signatures(j->proof))
		return;
	switch (j->config->inbound.verify.dkim_fail) {
	case DKIM_FAIL_ACCEPT:
		break;
	case DKIM_FAIL_JUNK:
		decide(j, DISPOSITION_JUNK, OVERRIDE_NONE, why, key);
		break;
	case DKIM_FAIL_REFUSE:
		decide_no(j, DISPOSITION_REFUSE, why, key, JUDGE_dkim_invalid,
		    STR(""));
		break;
	}
}

/* What DMARC took, be it because it has nothing to say, and did not vouch for. */
static void
judge_alone(struct judging *j)
{
	const struct spf_answer *spf = proof_spf(j->proof);

	if (j->proof->dmarc.result == DMARC_PASS ||
	    j->out->override != OVERRIDE_NONE)
		return;
	if (j->config->inbound.verify.spf_fail == SPF_FAIL_JUNK && spf != NULL &&
	    spf->result == SPF_FAIL)
		decide(j, DISPOSITION_JUNK, OVERRIDE_NONE, STR("the sender's "
		    "domain says that the client may not use it"),
		    "inbound.verify.spf_fail");
	judge_signatures(j);
}

static void
judge_dmarc(struct judging *j)
{
	switch (j->proof->dmarc.result) {
	case DMARC_PASS:
		break;
	case DMARC_NONE:
	case DMARC_PERMERROR:
		if (j->config->inbound.verify.dmarc != INBOUND_DMARC_MONITOR)
			(void)judge_own(j);
		break;
	case DMARC_TEMPERROR:
		judge_unknown(j);
		break;
	case DMARC_FAIL:
		judge_fail(j);
		break;
	}
}

void
disposition_decide(const struct proof *proof,
    const struct disposition_facts *facts, const struct config *config,
    struct arena *arena, struct disposition_answer *out)
{
	struct judging j = { proof, facts, config, arena, out };
	bool acts = config->inbound.verify.dmarc == INBOUND_DMARC_ENFORCE ||
	    config->inbound.verify.dmarc == INBOUND_DMARC_QUARANTINE;

	*out = (struct disposition_answer){ .act = DISPOSITION_TAKE,
		.verdict = judge_say(JUDGE_ok, STR("")).verdict };
	if (acts && judge_from(&j))
		return;
	if (config->inbound.verify.dmarc != INBOUND_DMARC_OFF)
		judge_dmarc(&j);
	if (out->act == DISPOSITION_TAKE)
		judge_alone(&j);
}
