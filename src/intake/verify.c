/*
 * Mail from outside, from connection to verdict.
 *
 * STATE     function that moves there  what is true
 * begun     verify_begin, at MAIL      a proof is to be had, nothing was asked
 * welcome   intake_welcome, at RCPT    SPF was asked, if it may refuse here
 * asked     verify_open, at DATA       iprev and SPF are known
 * header    top_begin                  who it says it is from is known
 * judged    verify_conclude            all is known, and what is done about it
 *
 * Who brings mail from outside may claim in a field of his own what only we could
 * have found out (RFC 8601 5; SECURITY.md row 30).  Such fields do not get into
 * the draft, but into the digest: whoever sent the message may have signed them,
 * and what he signed is what he is judged by.  Nothing of ours signs fields of
 * their names, so what leaves is signed as it is.
 */
#include "base/err.h"
#include "base/id.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "intake/inner.h"
#include "policy/disposition.h"
#include "trust/digest.h"
#include "trust/proof.h"
#include "wire/address.h"
#include "wire/authres.h"
#include "wire/dmarc.h"
#include "wire/spf.h"

/* A digest, and all that 64 answers of the DNS can be made of. */
enum { VERIFY_ARENA = 8 * 1024 * 1024 };

struct verify {
	struct arena arena;
	struct disposition_facts facts;
	struct disposition_answer answer;
};

static void
verify_end(void *arg)
{
	struct verify *v = arg;

	arena_clear(&v->arena);
}

static struct proof_ask
verify_ask(const struct intake *in)
{
	struct str sender = in->origin.sender;
	size_t at = str_find_last(sender, '@');

	return (struct proof_ask){
		.client = in->origin.from,
		.client_name = in->origin.client_name,
		.helo = arena_lower(in->arena, in->origin.helo),
		.receiver = in->config->hostname,
		.local = at < sender.n ? str_sub(sender, 0, at) : STR_NONE,
		.domain = arena_lower(in->arena, mailbox_domain(sender)),
		.wants_iprev = in->config->inbound.verify.iprev == ANSWER_YES,
		.wants_spf = in->config->inbound.verify.spf != INBOUND_SPF_NO,
		.wants_dkim = in->config->inbound.verify.dkim == ANSWER_YES,
		.wants_arc = in->config->inbound.verify.arc == ANSWER_YES,
		.wants_dmarc = in->config->inbound.verify.dmarc !=
		    INBOUND_DMARC_OFF,
	};
}

bool
verify_begin(struct intake *in)
{
	struct proof_ask ask = verify_ask(in);

	in->verify = arena_new(in->arena, struct verify);
	if (in->verify == NULL ||
	    arena_defer(in->arena, verify_end, in->verify) != 0)
		return false;
	arena_init(&in->verify->arena, VERIFY_ARENA);
	if (!in->origin.is_checked)
		return true;
	in->proof = proof_new(&ask, &in->verify->arena);
	return in->proof != NULL;
}

/* ---- at RCPT: RFC 7208 8.4 ---- */

/* RFC 5321 4.5.1: whoever is refused must be able to ask why. */
static bool
verify_is_postmaster(const struct path *to)
{
	return to->is_postmaster ||
	    str_eq_icase(to->mailbox.local, STR("postmaster"));
}

static struct verdict
verify_no(const struct intake *in, const struct spf_answer *spf)
{
	must(spf->result == SPF_FAIL);
	if (spf->explanation.n > 0)
		return verdict_make(FAILED, 550, "5.7.23", "SPF of " STR_FMT
		    " says no, in its own words: " STR_FMT,
		    STR_ARG(spf->domain), STR_ARG(spf->explanation));
	return verdict_make(FAILED, 550, "5.7.23", "SPF of " STR_FMT " does not "
	    "permit " STR_FMT " to send mail in its name",
	    STR_ARG(spf->domain), STR_ARG(in->origin.client));
}

yields struct verdict
intake_welcome(struct intake *in, const struct path *to)
{
	const struct spf_answer *spf;
	bool may_refuse = in->config->inbound.verify.spf == INBOUND_SPF_REFUSE;

	must(in->draft == NULL);
	if (in->proof == NULL || !may_refuse || verify_is_postmaster(to))
		return intake_yes();
	proof_envelope(in->proof);
	err_clear();
	spf = proof_spf(in->proof);
	if (spf != NULL && spf->result == SPF_FAIL)
		return verify_no(in, spf);
	if (spf != NULL && spf->result == SPF_TEMPERROR &&
	    in->config->inbound.verify.temperror == TEMPERROR_DEFER)
		return verdict_make(DEFERRED, 451, "4.7.24", "The DNS does not "
		    "tell who may send for " STR_FMT " now; try again later",
		    STR_ARG(spf->domain));
	return intake_yes();
}

/* ---- at DATA ---- */

static bool
verify_needs_digest(const struct intake *in)
{
	return in->proof != NULL || sign_may(in);
}

yields struct verdict
verify_open(struct intake *in)
{
	must(in->digest == NULL && in->verify != NULL);
	if (verify_needs_digest(in)) {
		in->digest = digest_new(&in->verify->arena);
		if (in->digest == NULL)
			return intake_no_memory();
	}
	if (in->proof == NULL)
		return intake_yes();
	proof_envelope(in->proof);
	err_clear();
	if (in->origin.client_name.n == 0)
		in->origin.client_name = in->envelope.client_name =
		    in->proof->iprev_name;
	return intake_yes();
}

struct str
intake_client_name(const struct intake *in)
{
	return in->origin.client_name;
}

size_t
intake_weight(const struct intake *in)
{
	return in->scan_arena.used + in->verify->arena.used;
}

/* ---- fields ---- */

static bool
verify_is_forged(const struct intake *in, const struct field *field)
{
	const struct str ids[] = { in->config->inbound.verify.authserv_id,
		in->config->hostname };

	if (!in->origin.is_outside)
		return false;
	if (field->known == HEADER_AUTHENTICATION_RESULTS)
		return authres_claim(field->value, ids,
		    sizeof ids / sizeof ids[0]) != AUTHRES_THEIRS;
	return field->known == HEADER_X_SPAM_FLAG && in->proof != NULL;
}

int
verify_field(struct intake *in, const struct field *field, bool *is_kept)
{
	*is_kept = !verify_is_forged(in, field);
	if (in->digest != NULL && !digest_field(in->digest, field)) {
		if (in->proof != NULL)
			return intake_refuse(in, intake_no_memory());
		sign_give_up(in);
	}
	if (in->proof == NULL)
		return 0;
	disposition_field(&in->verify->facts, field);
	return proof_field(in->proof, field) ? 0 :
	    intake_refuse(in, intake_no_memory());
}

int
verify_header_end(struct intake *in)
{
	must(in->proof == NULL || in->digest != NULL);
	return in->proof == NULL || proof_header_end(in->proof, in->digest) ?
	    0 : intake_refuse(in, intake_no_memory());
}

/* ---- the end ---- */

/* So that whoever was refused can be told why, by `nightmail why'. */
static struct verdict
verify_verdict(const struct intake *in, const struct verdict *v)
{
	struct id_text id = id_print(intake_id(in));
	struct esc_text esc = esc_print(v->esc);

	return verdict_make(v->disposition, v->code, esc.text,
	    "%s (%s)", v->text, id.text);
}

yields int
verify_conclude(struct intake *in)
{
	struct disposition_answer *answer = &in->verify->answer;
	struct buf out = { .cap = PROOF_RESULTS_MOST };

	must(in->proof != NULL && in->digest != NULL);
	out.p = arena_alloc(&in->verify->arena, out.cap);
	if (out.p == NULL)
		return intake_refuse(in, intake_no_memory());
	proof_conclude(in->proof);
	err_clear();			/* the DNS's; the results tell it */
	proof_results(in->proof, &out);
	in->results = buf_str(&out);
	disposition_decide(in->proof, &in->verify->facts, in->config,
	    &in->verify->arena, answer);
	in->is_junk = answer->act == DISPOSITION_JUNK;
	if (in->is_junk)
		in->envelope.flags |= ENVELOPE_JUNK;
	if (answer->act == DISPOSITION_TAKE || in->is_junk)
		return 0;
	intake_refuse(in, verify_verdict(in, &answer->verdict));
	verify_tell(in);
	return -1;
}

/* ---- what is told ---- */

static void
verify_tell_reply(struct event *e, const struct verdict *v)
{
	if (v->disposition == DELIVERED)
		return;
	event_num(e, FIELD_code, (uint64_t)v->code);
	event_str(e, FIELD_reply, str_of(v->text));
}

/* What passed in the name of the author's domain; reports need it. */
static const char *
verify_aligned(const struct dmarc_answer *dmarc)
{
	if (dmarc->dkim_aligned)
		return dmarc->spf_aligned ? "dkim spf" : "dkim";
	return dmarc->spf_aligned ? "spf" : "";
}

static void
verify_tell_policy(struct event *e, const struct dmarc_answer *dmarc)
{
	if (dmarc->where.n == 0)
		return;
	event_str(e, FIELD_domain, dmarc->where);
	event_str(e, FIELD_policy, str_of(dmarc_policy_name(dmarc->published)));
	event_str(e, FIELD_policy_text, dmarc->text);
	intake_tell_some(e, FIELD_aligned, str_of(verify_aligned(dmarc)));
}

static void
verify_tell_envelope(struct event *e, const struct intake *in)
{
	event_str(e, FIELD_sender, in->origin.sender);
	event_num(e, FIELD_recipients, in->asked);
	if (in->asked == 1)
		event_str(e, FIELD_recipient, in->asked_first);
	intake_tell_some(e, FIELD_client, in->origin.client);
	intake_tell_some(e, FIELD_client_name, in->origin.client_name);
	intake_tell_some(e, FIELD_helo, in->origin.helo);
	intake_tell_some(e, FIELD_listener, in->origin.listener);
	intake_tell_some(e, FIELD_message_id, in->message_id);
}

void
verify_tell(const struct intake *in)
{
	struct event e = event_make(EVENT_checked, clock_wall(), intake_id(in));
	const struct disposition_answer *answer = &in->verify->answer;
	const char *override = disposition_override_name(answer->override);
	struct esc_text esc = esc_print(in->no.esc);

	must(in->proof != NULL);
	verify_tell_envelope(&e, in);
	intake_tell_some(&e, FIELD_author, in->proof->author);
	event_str(&e, FIELD_results, in->results);
	event_str(&e, FIELD_disposition,
	    str_of(dmarc_policy_name(answer->disposition)));
	intake_tell_some(&e, FIELD_override, str_of(override));
	intake_tell_some(&e, FIELD_rule, answer->rule);
	intake_tell_some(&e, FIELD_text, answer->comment);
	verify_tell_policy(&e, &in->proof->dmarc);
	if (intake_is_refused(in))
		event_str(&e, FIELD_dsn, str_of(esc.text));
	verify_tell_reply(&e, &in->no);
	intake_tell(in->core, &e);
}
