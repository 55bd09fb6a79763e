#include "cli/analysis_show.h"

#include "base/json.h"
#include "cli/analysis.h"
#include "fiber/net.h"
#include "trust/proof.h"
#include "wire/address.h"
#include "wire/arc.h"
#include "wire/dkim.h"
#include "wire/dmarc.h"
#include "wire/spf.h"

#include <stdio.h>
#include <sysexits.h>

enum { JSON_ROOM = 2 * 1024 * 1024 };

/* One line, without what could move a cursor. */
static const char *
shown(struct cli *c, struct str s)
{
	struct buf b = { .p = arena_alloc(&c->arena, s.n + 2), .cap = s.n + 1 };
	struct str cut;

	if (b.p == NULL)
		return "?";
	field_unfold(s, &b);
	cut = str_sub(buf_str(&b), 0, ANALYSIS_FIELD);
	b.p[cut.n] = '\0';
	return cli_visible(c, b.p);
}

static struct str
client_of(const struct analysis *a, struct address_text *room)
{
	if (!a->knows_client)
		return STR_NONE;
	*room = address_print(&a->ask.client);
	return str_of(room->text);
}

static struct str
sender_of(const struct analysis *a, struct buf *out)
{
	if (!a->knows_sender)
		return STR_NONE;
	if (a->ask.domain.n == 0)
		return STR("<>");
	mailbox_print(a->ask.local, a->ask.domain, out);
	return buf_str(out);
}

/* Where one result of a list ends: at a ';' outside of quotes. */
static struct str
result_cut(struct str *list)
{
	struct str all = *list;
	bool quoted = false;
	size_t i;

	for (i = 0; i < all.n && (quoted || all.p[i] != ';'); i++)
		if (all.p[i] == '\\' && quoted)
			i++;
		else if (all.p[i] == '"')
			quoted = !quoted;
	*list = str_sub(all, i + 1, all.n);
	return str_trim(str_sub(all, 0, i));
}

/* ---- for people ---- */

static void
print_envelope(struct cli *c, const struct analysis *a)
{
	char room[MAILBOX_TEXT];
	struct buf text = BUF_OF(room);
	struct address_text ip;
	struct str client = client_of(a, &ip), from = analysis_field(a, "From");
	struct str sender = sender_of(a, &text);

	printf("From     %s\n", from.p == NULL ? "nobody: there is no such field" :
	    shown(c, from));
	if (client.n > 0)
		printf("client   " STR_FMT ", HELO %s, %s\n", STR_ARG(client),
		    a->ask.helo.n == 0 ? "not known" : shown(c, a->ask.helo),
		    a->wish.ip.n > 0 ? "as you said" : a->client_hop == NULL ||
		    a->client_hop->read.by.n == 0 ? "by a Received field" :
		    shown(c, arena_join(&c->arena, STR("as told by "),
		    a->client_hop->read.by)));
	else
		printf("client   not known: no Received field names one from "
		    "outside; say it with --ip\n");
	printf("sender   %s%s\n", sender.n == 0 ? "not known: there is no "
	    "Return-Path; say it with --from" : shown(c, sender),
	    sender.n == 0 ? "" : a->wish.from.p != NULL ? ", as you said" :
	    ", by Return-Path");
}

/* Within one machine nobody listens. */
static const char *
hop_privacy(const struct analysis_hop *h)
{
	struct address ip;

	if (h->is_private)
		return "TLS";
	return h->read.ip.n > 0 && address_parse(h->read.ip, 0, &ip) &&
	    address_is_loopback(&ip) ? "this machine" : "clear text";
}

static void
print_hop(struct cli *c, size_t i, const struct analysis_hop *h)
{
	const struct received_read *r = &h->read;
	struct wall_text at = wall_print(r->date.at);

	printf("  %2zu  %.19s%s  ", i + 1, r->has_date ? at.text :
	    "(no date)          ", r->has_date ? "Z" : " ");
	if (h->has_delay)
		printf("%+6lld s  ", (long long)h->delay);
	else
		printf("          ");
	printf("%s", r->from.n > 0 ? shown(c, r->from) : r->helo.n > 0 ?
	    shown(c, r->helo) : "somebody");
	if (r->ip.n > 0)
		printf(" [%s]", shown(c, r->ip));
	printf(" to %s", r->by.n > 0 ? shown(c, r->by) : "somebody");
	if (r->with.n > 0)
		printf(", %s", shown(c, r->with));
	if (r->tls.n > 0 || r->cipher.n > 0)
		printf(", %s", shown(c, r->tls.n > 0 ? r->tls : r->cipher));
	else
		printf(", %s", hop_privacy(h));
	printf("\n");
}

static void
print_results(struct cli *c, const struct analysis *a)
{
	struct buf all = { .p = arena_alloc(&c->arena, PROOF_RESULTS_MOST),
		.cap = PROOF_RESULTS_MOST };
	struct str list;

	if (all.p == NULL || a->proof == NULL || a->is_cut)
		return;
	proof_results(a->proof, &all);
	list = buf_str(&all);
	printf("\nfound now:\n");
	while (list.n > 0)
		printf("  %s\n", shown(c, result_cut(&list)));
	if (a->proof->dmarc.where.n > 0)
		printf("  the DMARC record of " STR_FMT ": %s\n",
		    STR_ARG(a->proof->dmarc.where),
		    shown(c, a->proof->dmarc.text));
}

static void
print_told(struct cli *c, const struct analysis *a)
{
	if (a->n_told > 0)
		printf("\ntold by others, in the message (anybody can write "
		    "that):\n");
	for (size_t i = 0; i < a->n_told; i++)
		printf("  %s: %s\n", shown(c, digest_name(a->digest,
		    a->told[i])), shown(c, digest_value(a->digest,
		    a->told[i])));
}

static void
print_answers(struct cli *c, const struct analysis_answer *answers)
{
	static const char *const signs[] = { "✓", "~", "✖" };

	printf("\nwhat large receivers ask for (G Gmail, Y Yahoo, M Outlook.com; as "
	    "of " ANALYSIS_RULES_OF "):\n");
	for (size_t i = 0; i < ANALYSIS_RULES; i++) {
		const struct analysis_answer *a = &answers[i];

		printf("  %s %-5s %s: %s\n", signs[a->mark], a->who, a->what,
		    shown(c, a->is));
		if (a->mend.n > 0)
			printf("          %s\n", shown(c, a->mend));
	}
}

int
analysis_print(struct cli *c, const struct analysis_shown *s)
{
	const struct analysis *a = s->analysis;

	print_envelope(c, a);
	if (a->n_hops > 0)
		printf("\nhops, the newest first:\n");
	for (size_t i = 0; i < a->n_hops; i++)
		print_hop(c, i, &a->hops[i]);
	print_results(c, a);
	print_told(c, a);
	print_answers(c, s->answers);
	return 0;
}

/* ---- for programs ---- */

static void
json_some(struct json *j, const char *key, struct str s)
{
	if (s.n > 0)
		json_put_cut(j, key, s, ANALYSIS_FIELD);
}

static void
json_hop(struct json *j, const struct analysis_hop *h)
{
	const struct received_read *r = &h->read;

	json_put_object(j, NULL);
	if (r->has_date)
		json_put_wall(j, "at", r->date.at);
	if (h->has_delay)
		json_put_i64(j, "delay", h->delay);
	json_some(j, "from", r->from);
	json_some(j, "helo", r->helo);
	json_some(j, "host", r->host);
	json_some(j, "ip", r->ip);
	json_some(j, "by", r->by);
	json_some(j, "with", r->with);
	json_put_bool(j, "tls", h->is_private);
	json_some(j, "tls_version", r->tls);
	json_some(j, "cipher", r->cipher);
	json_end_object(j);
}

static void
json_spf(struct json *j, const char *key, const struct spf_answer *a)
{
	json_put_object(j, key);
	json_put_str(j, "result", str_of(spf_result_name(a->result)));
	json_some(j, "domain", a->domain);
	json_some(j, "term", a->term);
	json_some(j, "why", a->why);
	json_put_u64(j, "lookups", a->lookups);
	json_end_object(j);
}

static void
json_dkim(struct json *j, const struct proof *p)
{
	json_put_array(j, "dkim");
	for (size_t i = 0; i < p->n_dkim; i++) {
		const struct dkim_outcome *o = &p->dkim[i];

		json_put_object(j, NULL);
		json_put_str(j, "result", str_of(dkim_result_name(o->result)));
		json_some(j, "domain", o->domain);
		json_some(j, "selector", o->selector);
		json_some(j, "identity", o->identity);
		json_put_str(j, "algorithm", str_of(dkim_algorithm_name(
		    o->algorithm)));
		json_put_u64(j, "key_bits", o->key_bits);
		json_some(j, "b", o->b);
		json_some(j, "why", o->why);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
json_arc(struct json *j, const struct arc_answer *a)
{
	json_put_object(j, "arc");
	json_put_str(j, "result", str_of(arc_result_name(a->result)));
	json_some(j, "why", a->why);
	json_put_array(j, "sealers");
	for (unsigned i = 0; i < a->n; i++)
		json_some(j, NULL, a->sets[i].seal_domain);
	json_end_array(j);
	json_end_object(j);
}

static void
json_dmarc(struct json *j, const struct proof *p)
{
	const struct dmarc_answer *d = &p->dmarc;

	json_put_object(j, "dmarc");
	json_put_str(j, "result", str_of(dmarc_result_name(d->result)));
	json_some(j, "author", p->author);
	json_some(j, "domain", d->where);
	json_some(j, "organization", d->organization);
	if (d->where.n > 0) {
		json_put_str(j, "policy", str_of(dmarc_policy_name(d->policy)));
		json_put_str(j, "published", str_of(dmarc_policy_name(
		    d->published)));
		json_put_bool(j, "testing", d->is_testing);
		json_put_bool(j, "nonexistent", d->is_nonexistent);
	}
	json_put_bool(j, "spf_aligned", d->spf_aligned);
	json_put_bool(j, "dkim_aligned", d->dkim_aligned);
	json_some(j, "record", d->text);
	json_some(j, "why", d->why);
	json_end_object(j);
}

static void
json_proof(struct json *j, const struct proof *p)
{
	json_put_object(j, "found");
	if (p->ask.wants_iprev) {
		json_put_object(j, "iprev");
		json_put_str(j, "result", str_of(iprev_result_name(p->iprev)));
		json_some(j, "name", p->iprev_name);
		json_some(j, "why", p->iprev_why);
		json_end_object(j);
	}
	if (p->has_mail)
		json_spf(j, "spf", &p->mail);
	if (p->has_helo)
		json_spf(j, "spf_helo", &p->helo);
	json_dkim(j, p);
	json_arc(j, &p->arc);
	json_dmarc(j, p);
	json_end_object(j);
}

static void
json_envelope(struct json *j, const struct analysis *a)
{
	char room[MAILBOX_TEXT];
	struct buf text = BUF_OF(room);
	struct address_text ip;

	json_some(j, "from", str_trim(analysis_field(a, "From")));
	json_some(j, "client", client_of(a, &ip));
	json_some(j, "helo", a->ask.helo);
	json_some(j, "sender", sender_of(a, &text));
	json_put_u64(j, "octets", a->octets);
	json_put_u64(j, "header_octets", a->header_octets);
}

static void
json_told(struct json *j, const struct analysis *a)
{
	json_put_array(j, "told");
	for (size_t i = 0; i < a->n_told; i++) {
		json_put_object(j, NULL);
		json_put_cut(j, "field", digest_name(a->digest, a->told[i]),
		    ANALYSIS_FIELD);
		json_put_cut(j, "value", str_trim(digest_value(a->digest,
		    a->told[i])), ANALYSIS_FIELD);
		json_end_object(j);
	}
	json_end_array(j);
}

static void
json_answers(struct json *j, const struct analysis_answer *answers)
{
	json_put_str(j, "rules_of", STR(ANALYSIS_RULES_OF));
	json_put_array(j, "rules");
	for (size_t i = 0; i < ANALYSIS_RULES; i++) {
		const struct analysis_answer *a = &answers[i];

		json_put_object(j, NULL);
		json_put_str(j, "name", str_of(a->name));
		json_put_str(j, "asked_by", str_of(a->who));
		json_put_str(j, "mark", str_of(analysis_mark_name(a->mark)));
		json_put_str(j, "what", str_of(a->what));
		json_put_cut(j, "is", a->is, ANALYSIS_FIELD);
		json_some(j, "mend", a->mend);
		json_end_object(j);
	}
	json_end_array(j);
}

int
analysis_json(struct cli *c, const struct analysis_shown *s)
{
	const struct analysis *a = s->analysis;
	struct buf out = { .p = arena_alloc(&c->arena, JSON_ROOM),
		.cap = JSON_ROOM };
	struct json j;

	if (out.p == NULL)
		return cli_fail(EX_OSERR, "no memory");
	json_begin(&j, &out);
	json_put_object(&j, NULL);
	json_envelope(&j, a);
	json_put_array(&j, "hops");
	for (size_t i = 0; i < a->n_hops; i++)
		json_hop(&j, &a->hops[i]);
	json_end_array(&j);
	if (a->proof != NULL && !a->is_cut)
		json_proof(&j, a->proof);
	json_told(&j, a);
	json_answers(&j, s->answers);
	json_end_object(&j);
	if (out.full)
		return cli_fail(EX_DATAERR, "there is more in it than can be "
		    "shown");
	printf(STR_FMT "\n", STR_ARG(buf_str(&out)));
	return 0;
}
