/* route_dkim.c -- keys of DKIM: shown, made, looked for in the DNS, removed.
 * Each answers with the keys of the domain, or of all, as they are then. */
#include "base/err.h"
#include "http/control_inner.h"
#include "policy/domain.h"

enum { DKIM_ANSWER_MOST = 768 * 1024 };

/* domain=, as A-labels; n == 0: not said. */
static yields bool
dkim_domain(struct request *q, struct str *out)
{
	struct str said = talk_query(q->talk, STR("domain"));

	*out = STR("");
	if (said.n == 0 || domain_canonical(&q->talk->arena, said, out))
		return true;
	talk_error(q->talk, 422, "domain", "that is no domain");
	return false;
}

static yields void
dkim_say(struct request *q, struct str domain)
{
	const struct control_dkim *d = &q->control->setup.dkim;
	struct buf b = { .p = arena_alloc(&q->talk->arena, DKIM_ANSWER_MOST),
		.cap = DKIM_ANSWER_MOST };
	struct json j;

	if (b.p == NULL) {
		talk_error(q->talk, 503, "no_memory", "no memory for keys");
		return;
	}
	json_begin(&j, &b);
	json_put_object(&j, NULL);
	d->show(d->arg, domain, &j);
	json_end_object(&j);
	buf_putc(&b, '\n');
	if (b.full)
		talk_error(q->talk, 422, "too_many", "so many keys are shown "
		    "domain by domain only");
	else
		talk_say(q->talk, 200, "application/json", buf_str(&b));
}

static yields bool
dkim_is_there(struct request *q)
{
	if (q->control->setup.dkim.show != NULL)
		return true;
	talk_error(q->talk, 503, "no_dkim", "no keys now");
	return false;
}

yields void
route_dkim_show(struct request *q)
{
	struct str domain;

	if (dkim_is_there(q) && dkim_domain(q, &domain))
		dkim_say(q, domain);
}

static yields void
dkim_act(struct request *q, enum control_dkim_verb verb, bool is_of_one)
{
	const struct control_dkim *d = &q->control->setup.dkim;
	struct str domain, selector = talk_query(q->talk, STR("selector"));

	if (!dkim_is_there(q) || !dkim_domain(q, &domain))
		return;
	if (is_of_one && domain.n == 0) {
		talk_error(q->talk, 422, "domain", "say domain=NAME");
		return;
	}
	if (d->act(d->arg, verb, domain, selector) == 0) {
		dkim_say(q, domain);
		return;
	}
	talk_error(q->talk, 422, "dkim", "%s", err_text());
	err_clear();
}

yields void
route_dkim_make(struct request *q)
{
	dkim_act(q, CONTROL_DKIM_MAKE, true);
}

yields void
route_dkim_rotate(struct request *q)
{
	dkim_act(q, CONTROL_DKIM_ROTATE, true);
}

yields void
route_dkim_check(struct request *q)
{
	dkim_act(q, CONTROL_DKIM_CHECK, false);
}

yields void
route_dkim_remove(struct request *q)
{
	bool is_sure = str_eq(talk_query(q->talk, STR("sure")), STR("yes"));

	dkim_act(q, is_sure ? CONTROL_DKIM_REMOVE_SURELY : CONTROL_DKIM_REMOVE,
	    true);
}
