/* dns_check_tls.c -- TLS to the domain's hosts, and what is looked up beside
 * mail: MTA-STS, TLSA, CAA, the SRV records of programs. */
#include "policy/dns_check_own.h"

#include "base/err.h"
#include "fiber/clock.h"
#include "fiber/fetch.h"
#include "policy/records.h"
#include "trust/caa.h"
#include "trust/dane.h"
#include "trust/fitness.h"
#include "wire/mta_sts.h"

enum { FETCH_SECONDS = 20, TLSA_MOST = 32, TLSA_TEXT = 2000, WHY_MOST = 400 };

static void
hint_set(struct finding *f, struct str says, struct str mend)
{
	f->mark = MARK_HINT;
	f->says = says;
	f->mend = mend;
}

static void
wrong_set(struct finding *f, struct str says, struct str mend)
{
	f->mark = MARK_WRONG;
	f->says = says;
	f->mend = mend;
}

/* ---- MTA-STS ---- */

static void
policy_judge(struct checking *c, const struct sts_policy *policy,
    struct finding *f)
{
	if (policy->mode == STS_NONE)
		hint_set(f, STR("the policy's mode is none: it asks for nothing"),
		    STR("mode: testing, and then enforce"));
	else if (!sts_policy_has(policy, c->config->hostname))
		wrong_set(f, arena_printf(c->arena, "the policy does not name "
		    STR_FMT ": %s", STR_ARG(c->config->hostname),
		    policy->mode == STS_ENFORCE ? "mail from who heeds it does "
		    "not come" : "it would stop mail if it were enforced"),
		    arena_printf(c->arena, "add \"mx: " STR_FMT "\" to the "
		    "policy, and give the TXT record another id",
		    STR_ARG(c->config->hostname)));
	else if (policy->mode == STS_TESTING)
		f->says = STR("the policy is tested: what it would stop is "
		    "reported; mode enforce makes it hold");
}

static yields void
policy_check(struct checking *c, struct finding *f)
{
	struct sts_policy *policy = arena_new(c->arena, struct sts_policy);
	struct str host = arena_printf(c->arena, "mta-sts." STR_FMT,
	    STR_ARG(c->out->domain));
	struct fetch_ask ask = { .method = FETCH_GET,
		.url = arena_printf(c->arena, "https://" STR_FMT
		    "/.well-known/mta-sts.txt", STR_ARG(host)),
		.body_most = STS_POLICY_MOST, .anchors = c->ask->anchors,
		.deadline = mono_first(c->quest.deadline, mono_add(clock_mono(),
		    FETCH_SECONDS * NS_PER_SECOND)), .arena = c->arena };
	struct fetch_answer got;
	const char *wrong;

	if (policy == NULL || host.p == NULL || ask.url.p == NULL) {
		c->has_room = false;
		return;
	}
	if (fetch(&ask, &got) != 0) {
		wrong_set(f, arena_printf(c->arena, "the policy is not to be had "
		    "at " STR_FMT ": %s", STR_ARG(ask.url), err_text()),
		    arena_printf(c->arena, "serve it there by HTTPS with a "
		    "certificate for " STR_FMT ", or take the TXT record away",
		    STR_ARG(host)));
		err_clear();
		return;
	}
	wrong = got.status == 200 ? sts_policy_read(got.body, policy) :
	    "its server does not answer 200";
	if (wrong == NULL)
		policy_judge(c, policy, f);
	else
		wrong_set(f, arena_printf(c->arena, "the policy is not to be had "
		    "at " STR_FMT ": %s", STR_ARG(ask.url), wrong),
		    arena_printf(c->arena, "serve there what nightmail dns "
		    "mta-sts " STR_FMT " shows", STR_ARG(c->out->domain)));
}

yields void
check_sts(struct checking *c)
{
	const struct dns_entry *want = record_wanted(c, RECORD_STS, DNS_TXT);
	struct str name = arena_printf(c->arena, "_mta-sts." STR_FMT,
	    STR_ARG(c->out->domain)), id, text, *texts;
	struct dns_answer got;
	struct finding *f;

	if (!check_ask(c, RECORD_STS, name, DNS_TXT, &got) ||
	    (want == NULL && got.n == 0))
		return;
	f = finding_add(c, RECORD_STS, MARK_WELL, name,
	    "the policy is served, and names this server");
	f->expected = want == NULL ? STR("") : want->value;
	f->found = answer_text(c, &got, DNS_TXT);
	texts = arena_alloc(c->arena, (got.n + 1) * sizeof *texts);
	for (size_t i = 0; texts != NULL && i < got.n; i++)
		texts[i] = got.records[i].data;
	if (texts_of(&got, STR("v=STSv1"), &text) == 0)
		hint_set(f, STR("there is no MTA-STS policy: who stands between "
		    "can have mail sent in clear text"), want == NULL ?
		    STR("") : line_text(c, want));
	else if (texts == NULL || !sts_record_choose(texts, got.n, &id))
		wrong_set(f, STR("the record says nothing that counts: there must "
		    "be one, \"v=STSv1; id=...;\""), want == NULL ? STR("") :
		    line_text(c, want));
	else
		policy_check(c, f);
}

/* ---- DANE ---- */

static bool
chain_fits(const struct record_certificate *shown,
    const struct tls_demand *demand, struct wall now)
{
	return dane_verify(demand, shown->cert.leaf, shown->cert.chain, now) ==
	    X509_V_OK;
}

/* A client takes the certificate of the kind of key that it likes: each must be
 * named. */
static void
chains_judge(struct checking *c, const struct tls_demand *demand,
    struct finding *f)
{
	const struct records_ask *ask = &c->ask->records;
	const struct dns_entry *want = record_wanted(c, RECORD_TLSA, DNS_TLSA);
	size_t shown = 0;

	for (size_t i = 0; i < ask->n_certificates; i++) {
		if (!certificate_is_for(ask->certificates[i].cert.leaf,
		    c->config->hostname))
			continue;
		shown++;
		if (chain_fits(&ask->certificates[i], demand, c->quest.now))
			continue;
		wrong_set(f, STR("the certificate that is shown is not the one "
		    "that the TLSA records name: mail from who heeds DANE does "
		    "not come"), want == NULL ? STR("take the records away") :
		    line_text(c, want));
		return;
	}
	if (shown == 0)
		wrong_set(f, STR("no certificate for the host's name is shown, "
		    "and TLSA records name one: mail from who heeds DANE does "
		    "not come"), STR("take the records away"));
}

static size_t
usable_take(const struct dns_answer *got, struct tlsa *list)
{
	size_t n = 0;

	for (size_t i = 0; i < got->n && n < TLSA_MOST; i++)
		if (dane_read(got->records[i].data, &list[n]) &&
		    dane_is_usable(&list[n]))
			n++;
	return n;
}

static void
tlsa_judge(struct checking *c, const struct dns_answer *got, struct finding *f)
{
	struct tls_demand *demand = arena_new(c->arena, struct tls_demand);
	struct tlsa *list = arena_alloc(c->arena, TLSA_MOST * sizeof *list);

	if (demand == NULL || list == NULL) {
		c->has_room = false;
		return;
	}
	demand->level = TLS_LEVEL_DANE;
	demand->names[0] = c->config->hostname;
	demand->n_names = 1;
	demand->names_are_sure = true;
	demand->sni = c->config->hostname;
	demand->tlsa = list;
	demand->n_tlsa = usable_take(got, list);
	if (!got->secure)
		hint_set(f, STR("nobody heeds the TLSA records: the host's zone is "
		    "not signed, or the resolvers asked do not validate"),
		    STR("have the zone signed with DNSSEC, or take the records "
		    "away"));
	else if (demand->n_tlsa == 0)
		hint_set(f, STR("none of the TLSA records can be used"),
		    STR("\"3 1 1\" and the SHA-256 of the key"));
	else if (!c->ask->records.knows_certificates) {
		f->mark = MARK_UNKNOWN;
		f->says = STR("the certificates that are shown are known to the "
		    "running server only, and it could not be asked");
	} else
		chains_judge(c, demand, f);
}

yields void
check_tlsa(struct checking *c)
{
	struct str name = arena_printf(c->arena, "_25._tcp." STR_FMT,
	    STR_ARG(c->config->hostname));
	const struct dns_entry *want = record_wanted(c, RECORD_TLSA, DNS_TLSA);
	struct dns_answer got;
	struct finding *f;

	if (!check_ask(c, RECORD_TLSA, name, DNS_TLSA, &got))
		return;
	if (got.n == 0 && (want == NULL || want->unless.n > 0))
		return;			/* none is needed */
	f = finding_add(c, RECORD_TLSA, MARK_WELL, name,
	    "the TLSA records name the certificate that is shown");
	f->expected = want == NULL ? STR("") : want->value;
	f->found = answer_text(c, &got, DNS_TLSA);
	if (got.n == 0)
		hint_set(f, STR("the zone is signed, and no TLSA record says "
		    "which certificate is right (DANE)"), line_text(c, want));
	else
		tlsa_judge(c, &got, f);
}

/* ---- SRV ---- */

static yields void
client_check(struct checking *c, const struct dns_entry *want)
{
	struct dns_answer got;
	struct finding *f;
	bool is_there = false;

	if (!check_ask(c, RECORD_CLIENTS, want->name, DNS_SRV, &got))
		return;
	for (size_t i = 0; i < got.n; i++)
		is_there = is_there || (got.records[i].port == want->port &&
		    str_eq_icase(got.records[i].name, want->value));
	f = finding_add(c, RECORD_CLIENTS, MARK_WELL, want->name,
	    "programs find the server by it");
	f->expected = data_of(c, want);
	f->found = answer_text(c, &got, DNS_SRV);
	if (!is_there)
		hint_set(f, got.n == 0 ? STR("programs must be told where the "
		    "server is: there is no SRV record") : STR("programs are led "
		    "elsewhere"), line_text(c, want));
}

yields void
check_clients(struct checking *c)
{
	for (size_t i = 0; i < c->want->n; i++)
		if (c->want->v[i].topic == RECORD_CLIENTS)
			client_check(c, &c->want->v[i]);
}

/* ---- CAA ---- */

static yields void
name_caa_check(struct checking *c, const struct dns_entry *want)
{
	struct caa_ask ask = { .issuers = &want->value, .n = 1,
		.account = STR(""), .method = c->config->tls.acme.challenge ==
		    ACME_HTTP_01 ? STR("http-01") : STR("tls-alpn-01") };
	char room[WHY_MOST];
	struct buf why = BUF_OF(room);
	struct dns_answer got;
	struct finding *f;
	enum caa_verdict v;

	if (!check_ask(c, RECORD_CAA, want->name, DNS_CAA, &got))
		return;
	v = caa_check(want->name, &ask, c->arena, c->quest.deadline, &why);
	f = finding_add(c, RECORD_CAA, MARK_WELL, want->name,
	    "the authority of tls.acme may make certificates");
	f->expected = data_of(c, want);
	f->found = answer_text(c, &got, DNS_CAA);
	if (v == CAA_TROUBLE) {
		f->mark = MARK_UNKNOWN;
		f->says = arena_copy(c->arena, buf_str(&why));
	} else if (v == CAA_REFUSED && str_find_str(buf_str(&why),
	    STR("accounturi")) < why.n) {
		f->mark = MARK_UNKNOWN;		/* RFC 8657 3 */
		f->says = STR("the record names accounts of the authority, and "
		    "which one is ours is known to the server only");
	} else if (v == CAA_REFUSED)
		wrong_set(f, arena_printf(c->arena, "the authority of tls.acme "
		    "may make no certificate: " STR_FMT, STR_ARG(buf_str(&why))),
		    line_text(c, want));
	else if (got.n == 0)
		hint_set(f, STR("any authority may make certificates for this "
		    "name"), line_text(c, want));
}

yields void
check_caa(struct checking *c)
{
	for (size_t i = 0; i < c->want->n; i++)
		if (c->want->v[i].topic == RECORD_CAA)
			name_caa_check(c, &c->want->v[i]);
}
