#include "intake/forward.h"

#include "base/must.h"
#include "fiber/clock.h"
#include "policy/domain.h"
#include "policy/judge.h"
#include "trust/srs.h"
#include "wire/address.h"
#include "wire/disposition.h"
#include "wire/srs.h"

static struct srs_keys
forward_keys(const struct intake *in)
{
	const struct conf_strings *given = &in->config->forward.srs_secrets;

	return (struct srs_keys){ .given = given->v, .n_given = given->n,
		.made = in->core->srs };
}

/* ---- out ---- */

/* Is it a domain for which SPF can speak, and not one of ours? */
static bool
domain_is_foreign(const struct config *c, struct str domain)
{
	return domain.n > 0 && domain.p[0] != '[' &&
	    config_domain(c, domain) == NULL;
}

/* Reports have to come back there: localhost is nobody else's. */
static struct str
forward_home(const struct config *c, struct str given)
{
	struct str name = mailbox_domain(given);
	const struct domain *d = config_domain(c, name);

	if (c->forward.srs_domain.n > 0)
		return c->forward.srs_domain;
	return d == NULL || str_find(d->name, '.') == d->name.n ? c->hostname :
	    d->name;
}

struct str
forward_sender(const struct intake *in, const struct expansion_end *x,
    struct str given, char room[MAILBOX_TEXT])
{
	struct srs_keys keys = forward_keys(in);
	struct mailbox from, to;
	char local_room[LOCAL_MOST], srs_room[2 * LOCAL_MOST + DOMAIN_MOST];
	struct buf local = BUF_OF(local_room), srs = BUF_OF(srs_room),
	    out = { .p = room, .cap = MAILBOX_TEXT };

	if (in->config->forward.srs == FORWARD_SRS_OFF || given.p == NULL ||
	    x->transport.p != NULL || x->rule.p != NULL ||
	    !srs_can_sign(&keys) || in->envelope.sender.n == 0 ||
	    mailbox_parse(in->envelope.sender, MAILBOX_UTF8, &from) != NULL ||
	    mailbox_parse(x->address, MAILBOX_UTF8, &to) != NULL ||
	    !domain_is_foreign(in->config, from.domain) ||
	    config_domain(in->config, to.domain) != NULL)
		return STR_NONE;
	mailbox_local(&from, &local);
	if (!srs_rewrite(&keys, clock_wall(), buf_str(&local), from.domain,
	    &srs))
		return STR_NONE;
	mailbox_print(buf_str(&srs), forward_home(in->config, given), &out);
	return out.full || out.n > PATH_MOST - 2 ? STR_NONE : buf_str(&out);
}

/* ---- back ---- */

static struct verdict
forward_refuse(enum srs_verdict v, struct str text)
{
	switch (v) {
	case SRS_EXPIRED:
		return verdict_make(FAILED, 550, "5.1.1", "<" STR_FMT ">: This "
		    "address was for reports, and is over %d days old",
		    STR_ARG(text), SRS_AGE_DAYS);
	case SRS_FORGED:
		return verdict_make(FAILED, 550, "5.7.1", "<" STR_FMT ">: This "
		    "address was not made here", STR_ARG(text));
	case SRS_BAD:
	case SRS_OTHER:
	case SRS_GOOD:
		break;
	}
	return judge_say(JUDGE_user_unknown, text).verdict;
}

/* The mailbox that stands in `out' is who is meant. */
static struct verdict
forward_take(const struct intake *in, struct buf *out, struct path *to)
{
	struct str text = arena_copy(in->arena, buf_str(out));
	struct mailbox m;

	must(!out->full && in->envelope.sender.n == 0);
	if (text.p == NULL)
		return intake_no_memory();
	if (mailbox_parse(text, MAILBOX_UTF8, &m) != NULL)
		return forward_refuse(SRS_BAD, to->mailbox.text);
	to->mailbox = m;
	return intake_yes();
}

struct verdict
forward_back(const struct intake *in, struct path *to, bool *is_back)
{
	const struct domain *d = to->is_postmaster ? NULL :
	    config_domain(in->config, to->mailbox.domain);
	struct srs_keys keys = forward_keys(in);
	char local_room[LOCAL_MOST], room[MAILBOX_TEXT];
	struct buf local = BUF_OF(local_room), out = BUF_OF(room);
	enum srs_verdict v;

	*is_back = false;
	if (d == NULL || in->config->forward.srs == FORWARD_SRS_OFF)
		return intake_yes();
	mailbox_local(&to->mailbox, &local);
	if (!srs_is_meant(buf_str(&local)))
		return intake_yes();
	if (!srs_can_sign(&keys) && !domain_knows_srs(d, buf_str(&local)))
		return verdict_make(DEFERRED, 451, "4.3.0", "The secret of "
		    "rewritten senders cannot be read; try again later");
	v = srs_take_back(&keys, clock_wall(), buf_str(&local), &out);
	if (v == SRS_GOOD && in->envelope.sender.n == 0) {
		*is_back = true;
		return forward_take(in, &out, to);
	}
	if (domain_knows_srs(d, buf_str(&local)))
		return intake_yes();
	return v == SRS_GOOD ? judge_say(JUDGE_srs_sender,
	    to->mailbox.text).verdict : forward_refuse(v, to->mailbox.text);
}
