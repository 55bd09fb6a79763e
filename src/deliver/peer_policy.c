#include "deliver/peer_policy.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/must.h"
#include "deliver/tlsa.h"
#include "fiber/clock.h"
#include "fiber/fiber.h"
#include "intake/intake.h"
#include "policy/tls_wish.h"
#include "trust/dane.h"
#include "wire/mta_sts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- DANE ---- */

/* RFC 7672 3.2.2: the base domain, the host as it is called, and who is meant. */
static void
dane_names(const struct peer_policy_ask *a, const struct tlsa_answer *t,
    struct tls_demand *d)
{
	struct str list[] = { t->base, a->host->name, a->domain };

	d->n_names = 0;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		bool is_there = list[i].n == 0;

		for (size_t k = 0; k < d->n_names; k++)
			is_there = is_there || str_eq_icase(d->names[k],
			    list[i]);
		if (!is_there)
			d->names[d->n_names++] = list[i];
	}
	d->sni = t->base;
}

static int
dane_trouble(const struct peer_policy_ask *a, struct arena *arena,
    struct tls_demand *d, struct verdict *why)
{
	*why = verdict_make(DEFERRED, 0, "4.7.5", "the TLSA records of "
	    STR_FMT " cannot be had, and without them it is not safe to "
	    "deliver there: %s", STR_ARG(a->host->name), err_text());
	d->asker = TLS_ASKED_BY_DANE;
	d->known = TLS_RESULT_DNSSEC_INVALID;
	d->known_why = arena_copy(arena, str_of(err_text()));
	err_clear();
	return -1;
}

/* 1: the domain has said all; 0: nothing; -1: nobody knows. */
static yields int
dane_demand(const struct peer_policy_ask *a, struct arena *arena,
    struct tls_demand *d, struct verdict *why)
{
	struct tlsa_answer t;

	tlsa_find(a->site, a->host, a->port, arena, a->deadline, &t);
	d->policy_text = t.text;
	switch (t.status) {
	case TLSA_ABSENT:
		return 0;
	case TLSA_TROUBLE:
		return dane_trouble(a, arena, d, why);
	case TLSA_USELESS:
		/* RFC 7672 2.2: encrypted, with whomever */
		if (d->level < TLS_LEVEL_ENCRYPT)
			d->level = TLS_LEVEL_ENCRYPT;
		d->known = TLS_RESULT_TLSA_INVALID;
		d->known_why = STR("no TLSA record can be used");
		break;
	case TLSA_FOUND:
		d->level = TLS_LEVEL_DANE;
		d->n_tlsa = t.n;
		d->tlsa = t.list;
		d->cn_counts = true;
		dane_names(a, &t, d);
		break;
	}
	d->asker = TLS_ASKED_BY_DANE;
	d->asked_in = arena_printf(arena, "DANE of " STR_FMT,
	    STR_ARG(t.base));
	return 1;
}

/* ---- MTA-STS ---- */

static void
administrator_tell(void *arg, const char *text)
{
	struct event e = event_make(EVENT_trouble, clock_wall(), 0);

	event_str(&e, FIELD_text, str_of(text));
	intake_tell(arg, &e);
}

static struct sts_setup
setup_make(const struct peer_policy_ask *a, struct arena *arena)
{
	const struct tls_wish *w = a->conf->outbound.wish;
	bool is_own = a->conf->tls.ca.n > 0 && w != NULL &&
	    w->anchors != NULL;

	return (struct sts_setup){ .directory = arena_join(arena,
	    a->conf->spool.path, STR("/mta-sts")),
		.anchors = is_own ? w->anchors->pem : STR(""),
		.tell = administrator_tell, .arg = a->intake,
		.is_over = a->is_over };
}

static yields int
sts_ask(const struct peer_policy_ask *a, struct arena *arena,
    struct sts_found *out)
{
	struct sts_setup s = setup_make(a, arena);

	*out = (struct sts_found){ .is_there = false };
	if (a->conf->outbound.mta_sts != ANSWER_YES)
		return 0;
	return s.directory.p == NULL ? err_set("no memory") :
	    sts_find(a->policies, &s, a->domain, arena, out);
}

static int
sts_mismatch(const struct peer_policy_ask *a, const struct sts_found *f,
    struct tls_demand *d, struct verdict *why)
{
	d->known = TLS_RESULT_VALIDATION_FAILURE;
	d->known_why = STR("the MX host is not in the policy");
	if (f->policy->mode != STS_ENFORCE)
		return 0;
	*why = verdict_make(DEFERRED, 0, "4.7.5", STR_FMT " is an MX of "
	    STR_FMT " that is not in its MTA-STS policy",
	    STR_ARG(a->host->name), STR_ARG(a->domain));
	return -1;
}

/* RFC 8461 4.2: the MX's own name, and no Common Name; the policy vouches for
 * the names of its hosts. */
static void
sts_enforce(const struct peer_policy_ask *a, struct arena *arena,
    struct tls_demand *d)
{
	d->asked_in = arena_printf(arena, "the MTA-STS policy of " STR_FMT,
	    STR_ARG(a->domain));
	d->level = TLS_LEVEL_VERIFY;
	d->n_names = 1;
	d->names[0] = a->host->name;
	d->names_are_sure = true;
	d->cn_counts = false;
}

static yields int
sts_demand(const struct peer_policy_ask *a, struct arena *arena,
    struct tls_demand *d, struct verdict *why)
{
	struct sts_found f;

	if (sts_ask(a, arena, &f) != 0) {
		*why = verdict_make(DEFERRED, 0, "4.3.0", "%s", err_text());
		return -1;
	}
	if (f.trouble != TLS_RESULT_FINE) {
		d->known = f.trouble;
		d->known_why = arena_copy(arena, str_of(f.why));
		d->asker = TLS_ASKED_BY_STS;
	}
	if (!f.is_there || f.policy->mode == STS_NONE)
		return 0;
	d->asker = TLS_ASKED_BY_STS;
	d->policy_text = f.text;
	d->is_testing = f.policy->mode == STS_TESTING;
	if (!sts_policy_has(f.policy, a->host->name))
		return sts_mismatch(a, &f, d, why);
	if (f.policy->mode == STS_ENFORCE && d->level <= TLS_LEVEL_VERIFY)
		sts_enforce(a, arena, d);
	return 0;
}

/* ---- both ---- */

yields int
peer_policy_demand(const struct peer_policy_ask *a, struct arena *arena,
    struct tls_demand *d, struct verdict *why)
{
	int said = 0;

	must(a->site != NULL && a->host != NULL);
	d->policy_domain = a->domain;
	must(d->level > TLS_LEVEL_NONE);
	if (a->host->name.p[0] == '[')
		return 0;		/* RFC 7672 2.2, RFC 8461 3.4 */
	if (a->conf->outbound.dane == ANSWER_YES)
		said = dane_demand(a, arena, d, why);
	/* RFC 8461 2: an MTA-STS policy never overrides DANE. */
	if (said == 0)
		said = sts_demand(a, arena, d, why);
	return said < 0 ? -1 : 0;
}

/* ---- which connections may be shared ---- */

static bool
has_anchor(const struct tlsa_answer *t)
{
	for (size_t i = 0; i < t->n; i++)
		if (t->list[i].usage == DANE_TA)
			return true;
	return false;
}

/* Only where an authority is named the domain's own name counts. */
static yields struct str
dane_site(const struct peer_policy_ask *a, struct arena *arena)
{
	struct str word = STR("");
	struct tlsa_answer t;

	if (a->conf->outbound.dane != ANSWER_YES || !a->site->mx_secure)
		return word;
	for (size_t i = 0; i < a->site->n; i++) {
		tlsa_find(a->site, &a->site->hosts[i], a->port, arena,
		    a->deadline, &t);
		err_clear();
		if (has_anchor(&t))
			return arena_printf(arena, " dane for " STR_FMT,
			    STR_ARG(a->domain));
		if (t.status != TLSA_ABSENT)
			word = STR(" dane");
	}
	return word;
}

static int
pattern_order(const void *a, const void *b)
{
	return str_order(*(const struct str *)a, *(const struct str *)b);
}

/* Of the same hosts and the same patterns the same is asked. */
static yields struct str
sts_site(const struct peer_policy_ask *a, struct arena *arena)
{
	struct hash_key key = { 8461, 0 };
	struct sts_found f;

	if (sts_ask(a, arena, &f) != 0)
		return STR_NONE;
	if (!f.is_there || f.policy->mode != STS_ENFORCE)
		return STR("");
	qsort(f.policy->mx, f.policy->n, sizeof *f.policy->mx, pattern_order);
	for (size_t i = 0; i < f.policy->n; i++)
		key.k0 = hash_bytes(key, f.policy->mx[i]);
	return arena_printf(arena, " sts %016" PRIx64, key.k0);
}

yields struct str
peer_policy_site(const struct peer_policy_ask *a, struct arena *arena)
{
	struct str dane, sts;

	must(a->site != NULL);
	dane = dane_site(a, arena);
	sts = sts_site(a, arena);
	if (dane.p == NULL || sts.p == NULL)
		return STR_NONE;
	return dane.n == 0 ? sts : sts.n == 0 ? dane :
	    arena_join(arena, dane, sts);
}

yields void
peer_policy_tend(const struct peer_policy_ask *a)
{
	struct sts_setup s;
	struct arena arena;

	arena_init(&arena, 4096);
	s = setup_make(a, &arena);
	if (s.directory.p != NULL && a->conf->outbound.mta_sts == ANSWER_YES)
		sts_tend(a->policies, &s);
	arena_clear(&arena);
}
