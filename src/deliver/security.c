#include "deliver/security.h"

#include "base/must.h"
#include "deliver/peer_policy.h"
#include "fiber/net.h"
#include "policy/tls_wish.h"

enum { PEER_MEMORY = 1024 * 1024 };

struct tls_wish *
security_wish(const struct config *c, const struct relay *rule)
{
	return rule != NULL && rule->wish != NULL ? rule->wish :
	    c->outbound.wish;
}

static void
name_add(struct tls_demand *d, struct str name)
{
	if (name.n > 0 && d->n_names < TLS_DEMAND_NAMES)
		d->names[d->n_names++] = name;
}

/* "*.a.example" of the configuration is ".a.example" to OpenSSL. */
static void
names_of_wish(struct tls_demand *d, const struct tls_wish *w)
{
	for (size_t i = 0; i < w->names.n; i++) {
		struct str name = w->names.v[i];

		(void)str_skip(&name, STR("*"));
		name_add(d, name);
	}
	d->names_are_sure = true;
}

/* An address is no name (RFC 6066 3): nobody is asked for by it. */
static struct str
host_name(const struct security_ask *a, struct tls_demand *d)
{
	struct str name = a->host->name;

	must(name.n > 0);
	if (name.p[0] == '[')
		return str_sub(name, 1, name.n - 1);
	d->sni = name;
	return name;
}

/*
 * RFC 9525 2: a name that is checked must come from who is meant, or it proves
 * nothing.  The relay's stands in the configuration; an MX host's came by the
 * DNS, and is as good as that; what is left is the domain itself.
 */
static void
names_find(const struct security_ask *a, const struct tls_wish *w,
    struct arena *arena, struct tls_demand *d)
{
	struct str host = host_name(a, d);
	bool is_known = a->hop != NULL || (a->site != NULL && a->site->secure);

	if (w->names.n > 0) {
		names_of_wish(d, w);
		return;
	}
	if (is_known || d->level < TLS_LEVEL_VERIFY)
		name_add(d, host);
	d->names_are_sure = is_known;
	if (is_known || d->level < TLS_LEVEL_VERIFY)
		return;
	name_add(d, a->domain);
	name_add(d, arena_join(arena, STR("."), a->domain));
	d->names_are_sure = true;
}

static enum tls_level
level_find(const struct security_ask *a, const struct tls_wish *w)
{
	bool is_neighbour = a->hop != NULL && a->hop->is_lmtp &&
	    a->hop->wish == NULL;

	if (a->address->family == ADDRESS_UNIX)
		return TLS_LEVEL_NONE;
	/* outbound.tls is for the Internet. */
	if (is_neighbour && w->level > TLS_LEVEL_MAY)
		return TLS_LEVEL_MAY;
	return w->level;
}

/* Who wants no TLS, or says himself who a host must be, has said all; a
 * neighbour's words are his own. */
static bool
peer_may_say(const struct security_ask *a, const struct tls_wish *w,
    enum tls_level level)
{
	return level != TLS_LEVEL_NONE && w->names.n == 0 && a->site != NULL &&
	    (a->hop == NULL || !a->hop->is_lmtp);
}

/* RFC 8461 3.4: of a relay that is named, its own name is the domain. */
static struct peer_policy_ask
peer_ask(const struct security_ask *a)
{
	bool is_relay = a->hop != NULL && a->host != NULL;

	return (struct peer_policy_ask){ .conf = a->conf,
		.policies = a->at->policies, .intake = a->at->intake,
		.domain = is_relay ? a->host->name : a->domain,
		.site = a->site, .host = a->host,
		.port = a->address != NULL ? a->address->port :
		    (uint16_t)a->conf->outbound.port,
		.deadline = a->deadline };
}

yields int
security_demand(const struct security_ask *a, struct arena *arena,
    struct tls_demand *out, struct verdict *why)
{
	const struct tls_wish *w = security_wish(a->conf, a->rule);

	struct peer_policy_ask peer;

	*out = (struct tls_demand){ .level = level_find(a, w),
		.asker = TLS_ASKED_BY_US, .asked_in = w->by };
	must(out->level >= TLS_LEVEL_ENCRYPT || a->scheme == RELAY_CLEAR);
	names_find(a, w, arena, out);
	if (!peer_may_say(a, w, out->level))
		return 0;
	peer = peer_ask(a);
	return peer_policy_demand(&peer, arena, out, why);
}

static yields struct str
site_of_peer(const struct security_ask *a, const struct tls_wish *w,
    struct str site, struct arena *arena)
{
	struct peer_policy_ask peer = peer_ask(a);
	struct arena own;
	struct str words;

	if (!peer_may_say(a, w, w->level))
		return site;
	arena_init(&own, PEER_MEMORY);
	words = peer_policy_site(&peer, &own);
	site = words.p == NULL ? STR_NONE : arena_join(arena, site, words);
	arena_clear(&own);
	return site;
}

yields struct str
security_site(const struct security_ask *a, struct str site,
    struct arena *arena)
{
	const struct relay *rule = a->rule;
	const struct tls_wish *w = security_wish(a->conf, rule);

	if (rule != NULL && rule->wish != NULL)
		site = arena_printf(arena, STR_FMT " by " STR_FMT,
		    STR_ARG(site), STR_ARG(rule->by));
	/* the domain's own name is what the certificate must have */
	if (site.p != NULL && w->level >= TLS_LEVEL_VERIFY &&
	    w->names.n == 0 && a->domain.n > 0)
		site = arena_printf(arena, STR_FMT " for " STR_FMT,
		    STR_ARG(site), STR_ARG(a->domain));
	return site.p == NULL ? site : site_of_peer(a, w, site, arena);
}
