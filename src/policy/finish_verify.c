#include "policy/config.h"
#include "policy/finish.h"

/* RFC 9989 5.3.3: DMARC's answer is made of theirs: without one of them it would
 * be no for much that is true. */
static void
verify_needs(struct load *l, bool is_asked, const char *key)
{
	if (!is_asked)
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(l->config->origins, key),
		    "'inbound.verify.dmarc' needs '%s': mail that it would prove "
		    "would fail; say dmarc: off", key);
}

void
finish_verify(struct load *l)
{
	const struct config *c = l->config;

	if (c->inbound.verify.dmarc != INBOUND_DMARC_OFF) {
		verify_needs(l, c->inbound.verify.spf != INBOUND_SPF_NO,
		    "inbound.verify.spf");
		verify_needs(l, c->inbound.verify.dkim == ANSWER_YES,
		    "inbound.verify.dkim");
	}
	if (c->inbound.verify.trusted_sealers.n > 0 &&
	    c->inbound.verify.arc != ANSWER_YES)
		problem_add(l->reader.problems, PROBLEM_ERROR,
		    finish_place(c->origins, "inbound.verify.trusted_sealers"),
		    "'inbound.verify.trusted_sealers' needs 'inbound.verify.arc': "
		    "without it nobody looks at seals");
}
