#include "deliver/tls_report.h"

#include "base/must.h"
#include "fiber/clock.h"

static const char *
policy_word(const struct tls_demand *d)
{
	switch (d->asker) {
	case TLS_ASKED_BY_DANE:
		return "tlsa";
	case TLS_ASKED_BY_STS:
		return "sts";
	case TLS_ASKED_BY_US:
	case TLS_ASKED_BY_SENDER:
		break;
	}
	return "no-policy-found";
}

/*
 * RFC 8460 4.2.1: a success is what the policy of the domain asks for: where it
 * has none, TLS of any kind.  What it asks for in testing counts as if it were
 * meant.
 */
static enum tls_result
report_result(const struct tls_report *r)
{
	const struct tls_demand *d = r->demand;
	const struct tls_judgment *j = r->judgment;
	bool is_private = j != NULL && j->proof > TLS_PROOF_NONE;
	bool has_policy = d->asker == TLS_ASKED_BY_STS && d->policy_text.n > 0;

	if (d->known != TLS_RESULT_FINE)
		return d->known;
	must(j != NULL);
	if (!j->is_met || !is_private)
		return j->result == TLS_RESULT_FINE ?
		    TLS_RESULT_VALIDATION_FAILURE : j->result;
	return has_policy ? j->result : TLS_RESULT_FINE;
}

static void
report_put(struct event *e, enum event_field field, struct str s)
{
	if (s.n > 0)
		event_str(e, field, s);
}

void
tls_report_tell(struct intake_core *intake, const struct tls_report *r)
{
	const struct tls_demand *d = r->demand;
	enum tls_result result = report_result(r);
	struct event e = event_make(EVENT_tls_session, clock_wall(), 0);
	struct address_text self;

	event_str(&e, FIELD_relay, r->relay);
	event_str(&e, FIELD_domain, d->policy_domain);
	event_str(&e, FIELD_policy, str_of(policy_word(d)));
	report_put(&e, FIELD_policy_text, d->policy_text);
	report_put(&e, FIELD_result, str_of(tls_result_name(result)));
	if (r->judgment != NULL)
		event_str(&e, FIELD_tls, str_of(r->judgment->told));
	if (r->self != NULL) {
		self = address_print(r->self);
		event_str(&e, FIELD_local, str_of(self.text));
	}
	if (d->known != TLS_RESULT_FINE)
		report_put(&e, FIELD_text, d->known_why);
	else if (result != TLS_RESULT_FINE)
		report_put(&e, FIELD_text, str_of(r->judgment->why));
	intake_tell(intake, &e);
}
