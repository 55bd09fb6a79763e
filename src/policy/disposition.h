/*
 * disposition.h -- what is done with a message, by what was proved of it.
 *
 * The promise: a pure judgment over a proof, a few facts of the header and the
 * configuration.  A policy of reject alone never refuses anything: it takes
 * knowledge of our own besides (RFC 9989 7.4), else the message goes to junk;
 * what every answer rests on is in it, in words and as the configuration's key.
 * Not for: what a client may do (judge.h), what became of a recipient
 * (wire/disposition.h), or asking the DNS (trust/proof.h).
 * Waiting: none.
 * Memory: comment and rule are in the caller's arena; facts are a value whose
 * slices the caller keeps.
 * Errors: a verdict that is not DELIVERED is the reply to give.
 * Source: RFC 9989 5.3.6, 5.4, 7.2, 7.4, 8, 11.5; RFC 9990 3.1.6; RFC 8617 7.2;
 * RFC 7372; SECURITY.md rows 29, 31.
 */
#ifndef NM_POLICY_DISPOSITION_H
#define NM_POLICY_DISPOSITION_H

#include "policy/config.h"
#include "trust/proof.h"
#include "wire/disposition.h"
#include "wire/dmarc.h"
#include "wire/header.h"

enum disposition_act {
	DISPOSITION_TAKE,
	DISPOSITION_JUNK,		/* taken, for the junk folder */
	DISPOSITION_REFUSE,
	DISPOSITION_DEFER
};

/* Why not as the record asks (RFC 9990 3.1.6). */
enum disposition_override {
	OVERRIDE_NONE, OVERRIDE_LOCAL_POLICY, OVERRIDE_MAILING_LIST,
	OVERRIDE_OTHER, OVERRIDE_POLICY_TEST_MODE, OVERRIDE_TRUSTED_FORWARDER
};
const char *disposition_override_name(enum disposition_override); /* or "" */

/* What in a header speaks of lists, forwarders and answering machines. */
struct disposition_facts {
	unsigned traces;		/* 1 << enum disposition_trace */
};
enum disposition_trace {
	TRACE_LIST_ID, TRACE_LIST_POST, TRACE_LIST_OTHER, TRACE_PRECEDENCE,
	TRACE_LIST_SOFTWARE, TRACE_RESENT, TRACE_FORWARDED
};
/* Each field of the header, in any order. */
void disposition_field(struct disposition_facts *, const struct field *);

struct disposition_answer {
	enum disposition_act act;
	/* For the event `checked' and reports: none, quarantine, reject. */
	enum dmarc_policy disposition;
	enum disposition_override override;
	struct str comment;		/* of the override, or why; one line of
					 * printable ASCII */
	struct str rule;		/* "inbound.verify.dmarc, nightmail.yaml:12";
					 * n == 0: nothing had to decide */
	struct verdict verdict;		/* DELIVERED for take and junk */
};

/* The proof is concluded. */
void disposition_decide(const struct proof *, const struct disposition_facts *,
    const struct config *, struct arena *, struct disposition_answer *out);

#endif
