/*
 * tls_demand.h -- what TLS to another server must be, and whether it was.
 *
 * The promise: tls_demand_judge() says of what came of a handshake whether it is
 * what was demanded, in words for the log and for the sender, and in the word
 * that a TLS report has for it.  Levels grow: what fulfils one fulfils those
 * before it.
 * Not for: where demands come from (deliver/security.h), TLSA records
 * (trust/dane.h), or the handshake (fiber/tls.h).
 * Waiting: none.
 * Memory: a demand points to what its maker keeps; a judgment is a value.
 * Errors: the judgment.
 * Source: RFC 3207 4.1; RFC 7435; RFC 7672 2.2, 3; RFC 8460 4.3; RFC 9525 6.
 */
#ifndef NM_TRUST_TLS_DEMAND_H
#define NM_TRUST_TLS_DEMAND_H

#include "base/str.h"
#include "fiber/tls.h"

/* In the order of outbound.tls. */
enum tls_level {
	TLS_LEVEL_NONE,			/* clear text, even if there is TLS */
	TLS_LEVEL_MAY,			/* TLS if there is, else clear text */
	TLS_LEVEL_ENCRYPT,		/* TLS, with anybody */
	TLS_LEVEL_VERIFY,		/* and a chain to an anchor, for a name */
	TLS_LEVEL_DANE,			/* and a certificate that a TLSA names */
	TLS_LEVELS
};
const char *tls_level_name(enum tls_level);

/* Whose wish it is: TLS-RPT has a section for each (RFC 8460 4.2). */
enum tls_asker {
	TLS_ASKED_BY_US,		/* the configuration: no-policy-found */
	TLS_ASKED_BY_DANE,		/* tlsa */
	TLS_ASKED_BY_STS,		/* sts */
	TLS_ASKED_BY_SENDER		/* REQUIRETLS, or TLS-Required: No */
};

/* RFC 6698 2.1: the fields of a TLSA record. */
struct tlsa {
	uint8_t usage, selector, matching;
	struct str data;
};

enum tls_result {
	TLS_RESULT_FINE,
#define TLS_RESULT(name, word) TLS_RESULT_##name,
#include "trust/tls_demand.def"
#undef TLS_RESULT
	TLS_RESULTS
};
const char *tls_result_name(enum tls_result);	/* "" when fine */

enum { TLS_DEMAND_NAMES = 8, TLS_WHY_MOST = 240, TLS_TOLD_MOST = 40 };

struct tls_demand {
	enum tls_level level;
	enum tls_asker asker;
	struct str asked_in;		/* "outbound.tls", "route[2]", "the MTA-STS
					 * policy of a.example": for people */
	/* One of these must be the certificate's: a host's name, ".a.example"
	 * for all below it, or an address. */
	size_t n_names;
	struct str names[TLS_DEMAND_NAMES];
	bool names_are_sure;		/* nobody between could have said them: else
					 * they prove nothing */
	bool cn_counts;			/* where it has no DNS names (RFC 7672
					 * 3.2.3); RFC 9525 6.3 has it not */
	size_t n_tlsa;			/* of DANE */
	const struct tlsa *tlsa;
	X509_STORE *anchors;		/* NULL: nobody is trusted */
	struct str sni;			/* n == 0: none, as for an address */
	/* For reports (RFC 8460): whose policy, its lines, and what was wrong
	 * with it before anybody was asked. */
	struct str policy_domain, policy_text;
	bool is_testing;		/* what it asks for is only told */
	enum tls_result known;
	struct str known_why;
};

/* How far the peer was proven to be who he is. */
enum tls_proof {
	TLS_PROOF_NONE,			/* clear text */
	TLS_PROOF_ENCRYPTED,		/* with whomever */
	TLS_PROOF_TRUSTED,		/* with somebody whom an anchor knows */
	TLS_PROOF_VERIFIED,		/* with a host of a name demanded */
	TLS_PROOF_DANE,			/* with the owner of the TLSA's domain */
};

/* The same for people and programs, and for counting; what a policy of MTA-STS
 * vouches for by its own name. */
enum tls_kind { TLS_KIND_CLEAR, TLS_KIND_ENCRYPT, TLS_KIND_TRUST,
	TLS_KIND_VERIFY, TLS_KIND_MTA_STS, TLS_KIND_DANE, TLS_KIND_REFUSED,
	TLS_KINDS };
const char *tls_kind_name(enum tls_kind);

struct tls_judgment {
	bool is_met;
	enum tls_result result;		/* of the demand; also where the level does
					 * without: a may that was no verify */
	enum tls_proof proof;
	char why[TLS_WHY_MOST];		/* not met: the sentence for people */
	char told[TLS_TOLD_MOST];	/* "TLSv1.3/verify", "clear": for events */
};

/* REFUSED: what was demanded was not met; also without a judgment. */
enum tls_kind tls_kind_of(const struct tls_demand *,
    const struct tls_judgment *);

/* After the handshake. */
void tls_demand_judge(const struct tls_demand *, const struct tls_facts *,
    struct tls_judgment *out);
/* There is no TLS: the host does not offer it, or the handshake failed, as
 * `trouble' says (n == 0: not offered). */
void tls_demand_judge_clear(const struct tls_demand *, struct str trouble,
    struct tls_judgment *out);

/* Has the certificate one of these names?  RFC 9525 6.3: a wildcard is a whole
 * label, the first. */
bool tls_demand_has_name(const struct tls_demand *, X509 *);
/* What was the matter with a chain (X509_V_...), in words. */
const char *tls_chain_trouble(long verdict, enum tls_result *);

#endif
