/*
 * bounce_rules.h -- what a failure means, by the words of who told it.
 *
 * The promise: enhanced codes often lie, so a reply's text is held against rules
 * first: the operator's file (bounces.rules), then the table that is built in
 * (bounce_rules.yaml); in each, those of the provider before those of everybody,
 * in their order; the first that fits counts.  What no rule knows is judged by
 * its codes (wire/reason.h).  A rule asks for phrases, for codes, for an
 * expression (PCRE2): what it asks for must all be there.  Phrases are looked for
 * in one pass; an expression runs only where the rest of its rule fits, within
 * limits.
 * Not for: whether to try again; how a report is cut into replies
 * (wire/bounce_read.h).
 * Waiting: none; judging may be done on a fiber, reading rules may not (YAML).
 * Memory: the arena's; BOUNCE_RULES_MOST rules in a file.  Expressions use a few
 * tens of KiB of heap while they run.
 * Errors: what is wrong with a file is told with its place.  An expression that
 * passes its limits fits nothing.
 * Source: RFC 3463 3; RFC 5321 4.2; pcre2api(3); PRODUCT.md B.4 (bounces).
 */
#ifndef NM_POLICY_BOUNCE_RULES_H
#define NM_POLICY_BOUNCE_RULES_H

#include "policy/problem.h"
#include "policy/source.h"
#include "wire/bounce_read.h"
#include "wire/phrase.h"
#include "wire/reason.h"

enum {
	BOUNCE_RULES_MOST = 1000,
	BOUNCE_PROVIDERS_MOST = 200,
	BOUNCE_CODES_MOST = 12,		/* of each kind, in a rule */
	BOUNCE_EXPRESSION_MOST = 500,	/* octets */
	BOUNCE_BARE_MOST = 50,		/* expressions without a phrase */
	BOUNCE_TEXT = 1024,		/* octets of a reply that are looked at */
	BOUNCE_FILE_MOST = 1024 * 1024,
	BOUNCE_MATCH_LIMIT = 10000,	/* PCRE2's steps */
	BOUNCE_MATCH_HEAP = 64		/* KiB */
};

struct bounce_provider {
	struct str name;
	const struct str *hosts;	/* "*.example.org", lower case */
	size_t n_hosts;
	struct str source, known;	/* where from, and since when */
};

/* "550", "4xx"; and "5.1.1", "5.7.*", "*.2.2".  ANY where a '*' stands. */
enum { BOUNCE_ANY = 1000 };
struct bounce_code { unsigned short least, most; };
struct bounce_esc { unsigned short class, subject, detail; };

struct bounce_rule {
	enum reason_class class;
	const struct bounce_provider *provider;	/* NULL: everybody */
	const struct bounce_code *codes;
	const struct bounce_esc *escs;
	size_t n_codes, n_escs;
	unsigned phases;		/* 1 << enum bounce_phase; 0: any */
	bool has_text, has_unless;
	bool is_guess;
	void *expression;		/* pcre2_code; NULL: none */
	unsigned line;			/* of the file */
	struct str file;
};

struct bounce_rules {
	struct bounce_provider *providers;
	size_t n_providers;
	struct bounce_rule *v;		/* as they are asked */
	size_t n;
	struct phrases *phrases;	/* bit 2i: text of v[i]; 2i + 1: unless */
	uint64_t *bare;			/* bits of rules without a phrase */
};

struct bounce_reply {
	struct str host;		/* who said it: an MX host, or a provider's
					 * name; may be absent */
	struct str domain;		/* the recipient's; the same */
	enum bounce_phase phase;
	int code;			/* 0: none */
	struct esc esc;
	struct str text;
};

struct bounce_judged {
	const struct reason *reason;
	const struct bounce_rule *rule;	/* NULL: by its codes */
	const struct bounce_provider *provider;	/* of the host; NULL: none known */
};

/* own: the operator's; or NULL. */
struct bounce_judged bounce_judge(const struct bounce_rules *own,
    const struct bounce_reply *);
/* What a bounce says of a recipient: by what stands with him; where that says
 * nothing, by all its words. */
struct bounce_judged bounce_judge_told(const struct bounce_rules *own,
    const struct bounce *, const struct bounce_told *);
/* A verdict that a remote host said. */
void bounce_judge_verdict(const struct bounce_rules *own, struct str host,
    struct verdict *);

/* "host mx.example.org[192.0.2.1] said: 450 4.2.1 later", as queues keep it.
 * NULL: no host said anything. */
const struct reason *bounce_judge_said(const struct bounce_rules *own,
    struct str said);

/* Strings are copied into the arena; NULL when there is an error. */
const struct bounce_rules *bounce_rules_read(struct arena *,
    struct arena *scratch, struct problems *, const struct source_file *);
/* The first call reads them: not on a fiber.  NULL: no memory. */
const struct bounce_rules *bounce_rules_builtin(void);

#endif
