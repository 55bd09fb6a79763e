/*
 * proof.h -- what can be known of who sent a message.
 *
 * The promise: iprev, SPF, DKIM, ARC and DMARC are asked in this order, each
 * once; whoever wants to know reads it here.  All of them together ask the DNS
 * at most PROOF_QUESTIONS times and wait for it at most PROOF_SECONDS, whatever
 * the sender's records say: what cannot be asked any more is a temperror of that
 * check, and what one check may spend leaves enough for those behind it.
 * Not for: what follows (policy/disposition.h).
 * Waiting: proof_envelope() and proof_conclude(), for the DNS.
 * Memory: everything is in the arena of proof_new(), and lives as long.
 * Errors: false and NULL: no memory.  All else is a result.
 * Source: RFC 8601 2.7, 3; RFC 7208; RFC 6376; RFC 8617; RFC 9989; SECURITY.md rows
 * 29, 31.
 */
#ifndef NM_TRUST_PROOF_H
#define NM_TRUST_PROOF_H

#include "fiber/net.h"
#include "trust/arc.h"
#include "trust/dkim_verify.h"
#include "trust/dmarc.h"
#include "trust/spf.h"
#include "wire/header.h"

enum { PROOF_QUESTIONS = 64, PROOF_SECONDS = 20, PROOF_NAMES = 10,
	PROOF_RESULTS_MOST = 15 * 1024 };

enum iprev_result { IPREV_NONE, IPREV_PASS, IPREV_FAIL, IPREV_TEMPERROR,
	IPREV_PERMERROR };
const char *iprev_result_name(enum iprev_result);	/* "pass" */

/* Strings live as long as the arena. */
struct proof_ask {
	struct address client;		/* family NONE: not known */
	struct str client_name;		/* known to be the client's; n == 0: it
					 * has to be found out */
	struct str helo;
	struct str local, domain;	/* of the sender; domain.n == 0: null */
	struct str receiver;		/* our name */
	bool wants_iprev, wants_spf, wants_dkim, wants_arc, wants_dmarc;
};

/* Whose From it is.  Only PROOF_ONE_AUTHOR has a domain for DMARC to ask about
 * (RFC 9989 5.3.1). */
enum proof_authors {
	PROOF_NO_AUTHOR,		/* no From field, or none with an address */
	PROOF_ONE_AUTHOR,		/* all addresses are of one domain */
	PROOF_AUTHORS,			/* of several domains, or in several
					 * fields */
	PROOF_UNREADABLE		/* something there is no address */
};

struct proof {
	struct proof_ask ask;
	struct arena *arena;

	/* After proof_envelope(). */
	enum iprev_result iprev;
	struct str iprev_name;		/* that was verified; n == 0: none */
	struct str iprev_why;
	bool has_helo, has_mail;	/* SPF was asked for it */
	struct spf_answer helo, mail;

	/* After proof_header_end(). */
	enum proof_authors authors;
	struct str author;		/* its domain: A-labels, lower case */
	struct str author_seen;		/* as it was written; n == 0: as author */
	unsigned author_fields;		/* how many From fields */

	/* After proof_conclude(). */
	const struct dkim_outcome *dkim;
	size_t n_dkim;
	struct arc_answer arc;
	struct dmarc_answer dmarc;

	/* What may be spent still. */
	unsigned budget;
	int64_t patience;		/* ns */
	struct dkim_verify *dkim_verify;
	struct arc_verify *arc_verify;
	bool has_envelope, is_concluded;
};

struct proof *proof_new(const struct proof_ask *, struct arena *);

/* iprev and SPF.  The second time it does nothing. */
yields void proof_envelope(struct proof *);
/* Each field of the header, in order: finds From.  The digest is the caller's. */
bool proof_field(struct proof *, const struct field *);
/* Behind the last field: wishes of the digest what DKIM and ARC need. */
bool proof_header_end(struct proof *, struct digest *);
/* After digest_end(): DKIM, ARC, DMARC. */
yields void proof_conclude(struct proof *);

/* SPF's result that DMARC looks at, and its domain: MAIL FROM's, or HELO's when
 * that is null (RFC 9989 4.4.2). */
const struct spf_answer *proof_spf(const struct proof *);

/*
 * All results, as stands behind the authserv-id (RFC 8601 2.2): "iprev=pass
 * policy.iprev=192.0.2.1; spf=pass smtp.mailfrom=a.example; dkim=pass
 * header.d=...".  The one text of them: the field's, of the event `checked' and
 * ARC's.  wire/authres.h reads it back.  Empty: nothing was checked.  What has no
 * room is left out from the end, results whole.
 */
void proof_results(const struct proof *, struct buf *out);
/* The value of Received-SPF (RFC 7208 9.1). */
void proof_received_spf(const struct proof *, struct buf *out);

#endif
