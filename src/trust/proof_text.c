/* What was proved, in the words of RFC 8601 2.7 and RFC 7208 9.1. */
#include "trust/proof.h"

#include "base/must.h"
#include "wire/arc.h"
#include "wire/authres.h"
#include "wire/dkim.h"
#include "wire/dmarc.h"
#include "wire/spf.h"

static struct str
text_client(const struct proof *p, struct address_text *room)
{
	*room = address_print(&p->ask.client);
	return str_of(room->text);
}

static void
text_iprev(const struct proof *p, struct buf *out)
{
	struct address_text ip;

	authres_put(out, "iprev", iprev_result_name(p->iprev), p->iprev_why);
	authres_put_property(out, "policy.iprev", text_client(p, &ip));
}

/* Why an error, or what a domain says of who it says no to. */
static struct str
text_spf_reason(const struct spf_answer *spf)
{
	return spf->why.n > 0 ? spf->why : spf->explanation;
}

static void
text_spf(const struct spf_answer *spf, const char *property, struct buf *out)
{
	authres_put(out, "spf", spf_result_name(spf->result),
	    text_spf_reason(spf));
	authres_put_property(out, property, spf->domain);
}

static void
text_dkim(const struct dkim_outcome *o, struct buf *out)
{
	authres_put(out, "dkim", dkim_result_name(o->result), o->why);
	authres_put_property(out, "header.d", o->domain);
	authres_put_property(out, "header.s", o->selector);
	if (o->domain.n > 0)
		authres_put_property(out, "header.a",
		    str_of(dkim_algorithm_name(o->algorithm)));
	authres_put_property(out, "header.b", o->b);
}

/* RFC 8617 10.2 */
static void
text_arc(const struct proof *p, struct buf *out)
{
	struct address_text ip;

	authres_put(out, "arc", arc_result_name(p->arc.result), p->arc.why);
	if (p->arc.result == ARC_PASS)
		authres_put_property(out, "header.oldest-pass",
		    p->arc.oldest_pass == 0 ? STR("0") :
		    arena_printf(p->arena, "%u", p->arc.oldest_pass));
	if (p->ask.client.family == ADDRESS_V4 ||
	    p->ask.client.family == ADDRESS_V6)
		authres_put_property(out, "smtp.remote-ip",
		    text_client(p, &ip));
}

static void
text_dmarc(const struct proof *p, struct buf *out)
{
	authres_put(out, "dmarc", dmarc_result_name(p->dmarc.result),
	    p->dmarc.why);
	authres_put_property(out, "header.from", p->author);
	if (p->dmarc.where.n > 0)
		authres_put_property(out, "policy.dmarc",
		    str_of(dmarc_policy_name(p->dmarc.policy)));
}

/* Results stand there whole, or not at all. */
static bool
text_fits(struct buf *out, size_t before)
{
	if (!out->full)
		return true;
	out->n = before;
	out->full = false;
	return false;
}

/* The nth result; false: there are no more. */
static bool
text_nth(const struct proof *p, size_t nth, struct buf *out)
{
	if (p->iprev != IPREV_NONE && nth-- == 0)
		return text_iprev(p, out), true;
	if (p->has_mail && nth-- == 0)
		return text_spf(&p->mail, "smtp.mailfrom", out), true;
	if (p->has_helo && nth-- == 0)
		return text_spf(&p->helo, "smtp.helo", out), true;
	if (!p->is_concluded)
		return false;
	if (p->ask.wants_dkim && p->n_dkim == 0 && nth-- == 0)
		return authres_put(out, "dkim", "none", STR_NONE), true;
	if (nth < p->n_dkim)
		return text_dkim(&p->dkim[nth], out), true;
	nth -= p->n_dkim;
	if (p->ask.wants_arc && nth-- == 0)
		return text_arc(p, out), true;
	if (p->ask.wants_dmarc && nth-- == 0)
		return text_dmarc(p, out), true;
	return false;
}

void
proof_results(const struct proof *p, struct buf *out)
{
	size_t before = out->n;

	for (size_t i = 0; text_nth(p, i, out) && text_fits(out, before); i++)
		before = out->n;
}

/* ---- Received-SPF ---- */

static const char *
text_spf_words(enum spf_result result)
{
	switch (result) {
	case SPF_PASS: return "is a permitted sender";
	case SPF_FAIL: return "is no permitted sender";
	case SPF_SOFTFAIL: return "is probably no permitted sender";
	case SPF_NEUTRAL: return "is neither permitted nor denied";
	case SPF_NONE: return "is a sender of whom nobody says anything";
	case SPF_TEMPERROR: return "could not be looked up now";
	case SPF_PERMERROR: return "cannot be judged by a wrong record";
	}
	return "";
}

static void
text_pair(struct buf *out, const char *key, struct str value)
{
	if (value.n == 0)
		return;
	buf_printf(out, " %s=", key);
	authres_put_value(out, value);
	buf_putc(out, ';');
}

void
proof_received_spf(const struct proof *p, struct buf *out)
{
	const struct spf_answer *spf = proof_spf(p);
	struct address_text room;
	struct str ip = text_client(p, &room);

	must(spf != NULL);
	buf_printf(out, "%s (" STR_FMT ": " STR_FMT " %s)",
	    spf_result_name(spf->result), STR_ARG(p->ask.receiver), STR_ARG(ip),
	    text_spf_words(spf->result));
	text_pair(out, "receiver", p->ask.receiver);
	text_pair(out, "client-ip", ip);
	if (p->has_mail)
		text_pair(out, "envelope-from", arena_printf(p->arena,
		    STR_FMT "@" STR_FMT, STR_ARG(p->ask.local),
		    STR_ARG(p->ask.domain)));
	text_pair(out, "helo", p->ask.helo);
	text_pair(out, "identity", p->has_mail ? STR("mailfrom") : STR("helo"));
	text_pair(out, "mechanism", spf->term.n > 0 ? spf->term :
	    STR("default"));
	text_pair(out, "problem", spf->why);
	if (out->n > 0 && out->p[out->n - 1] == ';')
		out->n--;
}
