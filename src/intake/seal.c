/*
 * seal.c -- our set of ARC fields, on what is sent on.
 *
 * Whatever came from outside and was checked is sealed when a copy of it leaves
 * this server: where an alias leads elsewhere, and for domains that are relayed,
 * whose servers see us as the client and can know what was found out in no other
 * way.  A message is one for all its recipients, so copies that stay have the set
 * too.
 */
#include "base/err.h"
#include "base/must.h"
#include "fiber/clock.h"
#include "intake/inner.h"
#include "policy/domain.h"
#include "trust/arc.h"
#include "trust/digest.h"
#include "trust/proof.h"
#include "wire/address.h"

/* Does a copy for him leave this server? */
static bool
recipient_leaves(const struct config *c, const struct recipient *r)
{
	const struct domain *d = config_domain(c, mailbox_domain(r->address));

	if ((r->flags & (RECIPIENT_EXPANDED | RECIPIENT_DISCARDED)) != 0 ||
	    r->transport.p != NULL)
		return false;
	return d == NULL || d->relay_to != NULL;
}

/* The own domain that was written to; n == 0: none leaves. */
static struct str
seal_domain(const struct intake *in)
{
	const struct envelope *e = &in->envelope;

	must(e->n_rcpts > 0);
	for (size_t i = 0; i < e->n_rcpts; i++) {
		const struct recipient *r = &e->rcpts[i];
		const struct domain *d;

		if (!recipient_leaves(in->config, r))
			continue;
		if (in->config->forward.arc_domain.n > 0)
			return in->config->forward.arc_domain;
		d = config_domain(in->config, mailbox_domain(r->orig.p != NULL ?
		    r->orig : r->address));
		return d != NULL ? d->name : in->config->hostname;
	}
	return STR_NONE;
}

void
seal_begin(struct intake *in)
{
	in->seal_wish = -1;
	if (in->config->forward.arc != FORWARD_ARC_ON || in->proof == NULL ||
	    in->digest == NULL || in->core->signer == NULL)
		return;
	in->seal_domain = seal_domain(in);
	if (in->seal_domain.n > 0)
		in->seal_wish = digest_want(in->digest, CANON_RELAXED,
		    DIGEST_ALL);
}

/* Mail goes on without a set rather than not at all. */
static void
seal_tell(const struct intake *in)
{
	struct event e = event_make(EVENT_sign_failed, clock_wall(),
	    intake_id(in));
	char text[512];
	struct buf b = BUF_OF(text);

	buf_printf(&b, "it goes on without an ARC set: %s", err_text());
	event_str(&e, FIELD_domain, in->seal_domain);
	event_str(&e, FIELD_sender, in->origin.sender);
	event_str(&e, FIELD_text, buf_str(&b));
	intake_tell(in->core, &e);
	err_clear();
}

yields int
seal_put(struct intake *in)
{
	struct buf out = { .cap = ARC_SEAL_MOST };
	struct arc_seal_ask ask = { .domain = in->seal_domain,
		.authserv_id = in->config->inbound.verify.authserv_id,
		.results = in->results.n > 0 ? in->results : STR("none"),
		.now = clock_wall() };

	if (in->seal_wish < 0)
		return 0;
	must(in->proof != NULL && in->digest != NULL);
	out.p = arena_alloc(in->arena, out.cap);
	if (out.p == NULL)
		return intake_refuse(in, intake_no_memory());
	if (arc_seal(in->core->signer, in->digest, in->seal_wish,
	    &in->proof->arc, &ask, &out) != 0) {
		seal_tell(in);
		return 0;
	}
	return intake_prepend(in, buf_str(&out));
}
