#include "cli/probe_domain.h"

#include "base/err.h"
#include "cli/probe_show.h"
#include "fiber/clock.h"
#include "fiber/dns.h"
#include "fiber/fetch.h"

#include <stdio.h>
#include <stdlib.h>

enum { JSON_ROOM = 64 * 1024 };

static struct mono
patience_of(const struct probe_domain *d)
{
	return mono_add(clock_mono(), d->notes.ask->patience);
}

/* ---- MX ---- */

static int
mx_compare(const void *a, const void *b)
{
	const struct probe_mx *one = a, *other = b;

	return one->preference - other->preference;
}

static void
mx_take(struct probe_domain *d, const struct dns_answer *a)
{
	d->is_secure = a->secure;
	for (size_t i = 0; i < a->n && d->n < PROBE_HOSTS; i++)
		d->hosts[d->n++] = (struct probe_mx){
			a->records[i].preference, a->records[i].name };
	if (a->n > PROBE_HOSTS)
		probe_find(&d->notes, PROBE_HINT, NULL, "of %zu MX records the "
		    "first %d are looked at", a->n, PROBE_HOSTS);
	if (d->n == 1 && d->hosts[0].host.n == 0) {
		d->n = 0;		/* RFC 7505 */
		probe_find(&d->notes, PROBE_HINT, NULL, "the domain takes no "
		    "mail (null MX)");
	}
	qsort(d->hosts, d->n, sizeof *d->hosts, mx_compare);
}

static yields void
mx_find(struct probe_domain *d)
{
	struct dns_answer a;

	dns_ask(d->name, DNS_MX, d->notes.arena, patience_of(d), &a);
	if (a.status == DNS_TROUBLE)
		probe_find(&d->notes, PROBE_TROUBLE, "mail waits until the DNS "
		    "answers: is the zone served, is its signature good?",
		    "the MX records cannot be had: %s", err_text());
	else if (a.status == DNS_NO_NAME)
		probe_find(&d->notes, PROBE_TROUBLE, NULL, "there is no domain "
		    STR_FMT, STR_ARG(d->name));
	else if (a.status == DNS_FOUND)
		mx_take(d, &a);
	else {
		d->is_implied = true;	/* RFC 5321 5.1 */
		d->hosts[d->n++] = (struct probe_mx){ 0, d->name };
		probe_find(&d->notes, PROBE_HINT, "publish an MX record",
		    "the domain has no MX: its own address is tried");
	}
	err_clear();
}

/* ---- MTA-STS ---- */

static void
policy_read(struct probe_domain *d, const struct fetch_answer *got)
{
	const char *wrong;

	d->policy = arena_new(d->notes.arena, struct sts_policy);
	if (d->policy == NULL)
		return;
	wrong = got->status == 200 ? sts_policy_read(got->body, d->policy) :
	    "its server does not answer 200";
	if (wrong == NULL)
		return;
	d->policy = NULL;
	probe_find(&d->notes, PROBE_TROUBLE, "until it is, senders go by what "
	    "they kept, or by nothing", "the MTA-STS policy is not to be had: "
	    "%s", wrong);
}

static yields void
policy_fetch(struct probe_domain *d, struct str anchors)
{
	struct fetch_ask ask = { .method = FETCH_GET,
		.url = arena_printf(d->notes.arena, "https://mta-sts." STR_FMT
		    "/.well-known/mta-sts.txt", STR_ARG(d->name)),
		.body_most = STS_POLICY_MOST, .deadline = patience_of(d),
		.anchors = anchors, .arena = d->notes.arena };
	struct fetch_answer got;

	if (fetch(&ask, &got) == 0) {
		policy_read(d, &got);
		return;
	}
	probe_find(&d->notes, PROBE_TROUBLE, "serve it by HTTPS with a "
	    "certificate for mta-sts.DOMAIN, or take the TXT record away",
	    "the MTA-STS policy is not to be had: %s", err_text());
	err_clear();
}

static void
policy_judge(struct probe_domain *d)
{
	for (size_t i = 0; i < d->n; i++)
		if (!sts_policy_has(d->policy, d->hosts[i].host))
			probe_find(&d->notes, PROBE_TROUBLE, "add it to the "
			    "policy, and give the TXT record another id",
			    "the MTA-STS policy does not name " STR_FMT
			    ": with '%s' mail %s", STR_ARG(d->hosts[i].host),
			    sts_mode_name(d->policy->mode),
			    d->policy->mode == STS_ENFORCE ?
			    "does not go there" : "goes there, and is reported");
}

static yields void
policy_find(struct probe_domain *d, struct str anchors)
{
	struct str *texts, id;
	struct dns_answer a;

	dns_ask(arena_join(d->notes.arena, STR("_mta-sts."), d->name), DNS_TXT,
	    d->notes.arena, patience_of(d), &a);
	err_clear();
	if (a.status != DNS_FOUND)
		return;
	texts = arena_alloc(d->notes.arena, a.n * sizeof *texts);
	for (size_t i = 0; texts != NULL && i < a.n; i++)
		texts[i] = a.records[i].data;
	if (texts == NULL || !sts_record_choose(texts, a.n, &id)) {
		probe_find(&d->notes, PROBE_TROUBLE, "one TXT record, "
		    "'v=STSv1; id=...;'", "_mta-sts." STR_FMT " says nothing "
		    "that counts", STR_ARG(d->name));
		return;
	}
	policy_fetch(d, anchors);
	if (d->policy != NULL)
		policy_judge(d);
}

yields void
probe_domain_find(struct probe_domain *d, struct arena *a, struct str name,
    struct str anchors, int64_t patience)
{
	struct probe_ask *ask = arena_new(a, struct probe_ask);
	struct address none = { .family = ADDRESS_NONE };

	*d = (struct probe_domain){ .name = name };
	if (ask == NULL)
		return;
	ask->patience = patience;
	probe_init(&d->notes, ask, a, name, &none);
	mx_find(d);
	if (d->n > 0)
		policy_find(d, anchors);
}

/* ---- shown ---- */

void
probe_domain_print(const struct probe_domain *d)
{
	printf("domain " STR_FMT ": %zu host%s%s\n", STR_ARG(d->name), d->n,
	    d->n == 1 ? "" : "s", d->is_secure ? ", DNSSEC vouches" : "");
	for (size_t i = 0; i < d->n; i++)
		printf("  MX %u " STR_FMT "\n", d->hosts[i].preference,
		    STR_ARG(d->hosts[i].host));
	if (d->policy != NULL)
		printf("  MTA-STS: mode %s, for %u s\n",
		    sts_mode_name(d->policy->mode), d->policy->max_age);
	probe_findings_print(&d->notes);
}

int
probe_domain_json(const struct probe_domain *d)
{
	struct buf b = { .p = arena_alloc(d->notes.arena, JSON_ROOM),
		.cap = JSON_ROOM };
	struct json j;

	if (b.p == NULL)
		return -1;
	json_begin(&j, &b);
	json_put_object(&j, NULL);
	json_put_str(&j, "domain", d->name);
	json_put_bool(&j, "dnssec", d->is_secure);
	json_put_array(&j, "mx");
	for (size_t i = 0; i < d->n; i++) {
		json_put_object(&j, NULL);
		json_put_u64(&j, "preference", d->hosts[i].preference);
		json_put_str(&j, "host", d->hosts[i].host);
		json_end_object(&j);
	}
	json_end_array(&j);
	if (d->policy != NULL)
		json_put_str(&j, "mta_sts", str_of(sts_mode_name(
		    d->policy->mode)));
	probe_findings_json(&j, &d->notes);
	json_end_object(&j);
	if (b.full)
		return -1;
	printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
	return 0;
}
