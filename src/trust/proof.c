/*
 * The life of a proof:
 *
 * STATE      function that moves there  what is true
 * asked      proof_new                  nothing is known
 * envelope   proof_envelope             iprev, SPF; before or after header
 * header     proof_header_end           From was read, hashes are wished
 * concluded  proof_conclude             DKIM, ARC, DMARC: all is known
 *
 * A sender's own records must not keep us from looking at those of the domain
 * that he says he is (its owner's word counts, not his): for each check that is
 * still to come a share of questions and of time is kept.
 */
#include "trust/proof.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "fiber/dns.h"
#include "fiber/net.h"
#include "trust/quest.h"
#include "wire/addrlist.h"
#include "wire/idna.h"

/* What is kept, while checks before them are on, for DKIM, ARC and DMARC, and for
 * DMARC alone. */
enum { KEPT_BEHIND_ENVELOPE = 32, KEPT_FOR_DMARC = 20,
	SECONDS_BEHIND_ENVELOPE = 10, SECONDS_FOR_DMARC = 5,
	KEPT_BEHIND_IPREV = PROOF_QUESTIONS - 1 - PROOF_NAMES,
	SECONDS_BEHIND_IPREV = 15,
	KEPT_BEHIND_MAIL = KEPT_BEHIND_ENVELOPE + 2 };

const char *
iprev_result_name(enum iprev_result r)
{
	static const char *const names[] = { [IPREV_NONE] = "none",
		[IPREV_PASS] = "pass", [IPREV_FAIL] = "fail",
		[IPREV_TEMPERROR] = "temperror",
		[IPREV_PERMERROR] = "permerror" };

	must(r < sizeof names / sizeof names[0]);
	return names[r];
}

struct proof *
proof_new(const struct proof_ask *ask, struct arena *arena)
{
	struct proof *p = arena_new(arena, struct proof);

	if (p == NULL)
		return NULL;
	p->ask = *ask;
	p->arena = arena;
	p->budget = PROOF_QUESTIONS;
	p->patience = PROOF_SECONDS * NS_PER_SECOND;
	return p;
}

/* ---- what a check may spend ---- */

struct share {
	struct dns_quest quest;
	unsigned given, left;
	struct mono began;
};

static void
share_begin(struct proof *p, unsigned kept, int64_t seconds, struct share *s)
{
	int64_t patience = p->patience - seconds * NS_PER_SECOND;

	s->given = s->left = p->budget > kept ? p->budget - kept : 0;
	s->began = clock_mono();
	s->quest = (struct dns_quest){ .budget = &s->left, .now = clock_wall(),
		.deadline = mono_add(s->began, patience > 0 ? patience : 0) };
}

static void
share_end(struct proof *p, const struct share *s)
{
	int64_t waited = clock_mono().ns - s->began.ns;

	must(s->left <= s->given && s->given - s->left <= p->budget);
	p->budget -= s->given - s->left;
	p->patience = waited < p->patience ? p->patience - waited : 0;
}

/* ---- iprev: RFC 8601 3 ---- */

static bool
answer_has(const struct dns_answer *got, const struct address *client)
{
	size_t n = client->family == ADDRESS_V4 ? 4 : 16;

	for (size_t i = 0; i < got->n; i++)
		if (got->records[i].address.family == client->family &&
		    memcmp(got->records[i].address.of.ip, client->of.ip, n) == 0)
			return true;
	return false;
}

static void
iprev_say(struct proof *p, enum iprev_result result, const char *why)
{
	p->iprev = result;
	p->iprev_why = str_of(why);
}

/* Does one of the names lead back? */
static yields void
iprev_names(struct proof *p, const struct dns_quest *q,
    const struct dns_answer *names)
{
	enum dns_type type = p->ask.client.family == ADDRESS_V4 ? DNS_A :
	    DNS_AAAA;
	struct dns_answer got;
	bool is_sure = true;

	for (size_t i = 0; i < names->n && i < PROOF_NAMES; i++) {
		struct str name = names->records[i].name;

		quest_ask(q, name, type, p->arena, &got);
		if (answer_has(&got, &p->ask.client) && dns_name_fits(name)) {
			iprev_say(p, IPREV_PASS, NULL);
			p->iprev_name = name;
			return;
		}
		is_sure = is_sure && got.status != DNS_TROUBLE;
	}
	if (is_sure)
		iprev_say(p, IPREV_FAIL, "no name of the client leads back to "
		    "its address");
	else
		iprev_say(p, IPREV_TEMPERROR, "the DNS did not tell where the "
		    "client's names lead");
}

static yields void
iprev_check(struct proof *p, const struct dns_quest *q)
{
	struct dns_answer names;

	if (p->ask.client_name.n > 0) {
		iprev_say(p, IPREV_PASS, NULL);
		p->iprev_name = p->ask.client_name;
		return;
	}
	quest_ask(q, dns_reverse_name(&p->ask.client, p->arena), DNS_PTR,
	    p->arena, &names);
	if (names.status == DNS_TROUBLE)
		iprev_say(p, IPREV_TEMPERROR, "the DNS did not tell the "
		    "client's name");
	else if (names.n == 0)
		iprev_say(p, IPREV_PERMERROR, "the client has no name in the "
		    "DNS");
	else
		iprev_names(p, q, &names);
}

/* ---- SPF: RFC 7208 2.3, 2.4 ---- */

static yields void
spf_ask_for(struct proof *p, const struct dns_quest *q, bool is_mail,
    struct spf_answer *out)
{
	struct spf_ask ask = {
		.client = p->ask.client, .helo = p->ask.helo,
		.receiver = p->ask.receiver, .quest = *q,
		.wants_explanation = is_mail || p->ask.domain.n == 0,
	};

	if (is_mail) {
		ask.local = p->ask.local;
		ask.domain = p->ask.domain;
	}
	spf_check(&ask, p->arena, out);
}

/* Not for literals: there is nobody to ask. */
static bool
is_domain(struct str s)
{
	return s.n > 0 && s.p[0] != '[';
}

static yields void
spf_check_both(struct proof *p)
{
	struct share s;

	p->has_mail = is_domain(p->ask.domain);
	p->has_helo = is_domain(p->ask.helo);
	if (p->has_mail) {
		share_begin(p, KEPT_BEHIND_MAIL, SECONDS_BEHIND_ENVELOPE, &s);
		spf_ask_for(p, &s.quest, true, &p->mail);
		share_end(p, &s);
	}
	if (p->has_helo) {
		share_begin(p, KEPT_BEHIND_ENVELOPE, SECONDS_BEHIND_ENVELOPE,
		    &s);
		spf_ask_for(p, &s.quest, false, &p->helo);
		share_end(p, &s);
	}
}

yields void
proof_envelope(struct proof *p)
{
	bool is_host = p->ask.client.family == ADDRESS_V4 ||
	    p->ask.client.family == ADDRESS_V6;
	struct share s;

	if (p->has_envelope || !is_host)
		return;
	p->has_envelope = true;
	if (p->ask.wants_iprev) {
		share_begin(p, KEPT_BEHIND_IPREV, SECONDS_BEHIND_IPREV, &s);
		iprev_check(p, &s.quest);
		share_end(p, &s);
	}
	if (p->ask.wants_spf)
		spf_check_both(p);
}

const struct spf_answer *
proof_spf(const struct proof *p)
{
	return p->has_mail ? &p->mail : p->has_helo ? &p->helo : NULL;
}

/* ---- From: RFC 9989 5.3.1, 11.5 ---- */

static void
author_worse(struct proof *p, enum proof_authors authors)
{
	if (authors > p->authors)
		p->authors = authors;
}

/* False: no memory. */
static bool
author_add(struct proof *p, struct str domain)
{
	char room[DOMAIN_MOST + 1];
	struct buf ascii = BUF_OF(room);

	if (!is_domain(domain) || !idna_ascii(domain, &ascii)) {
		author_worse(p, PROOF_UNREADABLE);
		return true;
	}
	if (p->author.n > 0) {
		if (!str_eq(p->author, buf_str(&ascii)))
			author_worse(p, PROOF_AUTHORS);
		return true;
	}
	p->author = arena_copy(p->arena, buf_str(&ascii));
	p->author_seen = arena_copy(p->arena, domain);
	author_worse(p, PROOF_ONE_AUTHOR);
	return p->author.p != NULL && p->author_seen.p != NULL;
}

static bool
author_item(struct proof *p, const struct addrlist_item *item)
{
	switch (item->kind) {
	case ADDRLIST_MAILBOX:
		return author_add(p, item->domain);
	case ADDRLIST_GROUP:
	case ADDRLIST_GROUP_END:
		break;
	case ADDRLIST_BAD:
		author_worse(p, PROOF_UNREADABLE);
		break;
	case ADDRLIST_NO_MEMORY:
		return false;
	}
	return true;
}

bool
proof_field(struct proof *p, const struct field *field)
{
	struct addrlist_item item;
	struct addrlist list;

	if (field->known != HEADER_FROM)
		return true;
	/* RFC 9989 4.4: no alignment is possible with "a malformed, absent, or
	 * repeated" From: who knows which one a reader is shown. */
	if (++p->author_fields > 1)
		author_worse(p, PROOF_AUTHORS);
	addrlist_begin(&list, field->value, p->arena);
	while (addrlist_next(&list, &item))
		if (!author_item(p, &item))
			return false;
	return true;
}

bool
proof_header_end(struct proof *p, struct digest *d)
{
	if (p->authors != PROOF_ONE_AUTHOR)
		p->author = p->author_seen = STR_NONE;
	if (p->ask.wants_dkim)
		p->dkim_verify = dkim_verify_begin(d, p->arena);
	if (p->ask.wants_arc)
		p->arc_verify = arc_verify_begin(d, p->arena);
	return (!p->ask.wants_dkim || p->dkim_verify != NULL) &&
	    (!p->ask.wants_arc || p->arc_verify != NULL);
}

/* ---- the end ---- */

static yields void
conclude_signatures(struct proof *p)
{
	struct share s;

	share_begin(p, KEPT_FOR_DMARC, SECONDS_FOR_DMARC, &s);
	if (p->dkim_verify != NULL)
		p->dkim = dkim_verify_end(p->dkim_verify, &s.quest, &p->n_dkim);
	if (p->arc_verify != NULL)
		arc_verify_end(p->arc_verify, &s.quest, &p->arc);
	share_end(p, &s);
}

static yields void
conclude_dmarc(struct proof *p)
{
	const struct spf_answer *spf = proof_spf(p);
	struct dmarc_ask ask = { .author = p->author, .dkim = p->dkim,
		.n_dkim = p->n_dkim };
	struct share s;

	if (spf != NULL) {
		ask.spf = spf->result;
		ask.spf_domain = spf->domain;
	}
	share_begin(p, 0, 0, &s);
	ask.quest = s.quest;
	dmarc_check(&ask, p->arena, &p->dmarc);
	share_end(p, &s);
}

yields void
proof_conclude(struct proof *p)
{
	must(!p->is_concluded);
	p->is_concluded = true;
	proof_envelope(p);
	conclude_signatures(p);
	if (p->ask.wants_dmarc)
		conclude_dmarc(p);
}
