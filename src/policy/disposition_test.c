/* Each way out of policy/disposition.c, with the key and the words it gives. */
#include "policy/test_conf.h"

#include "policy/disposition.h"

#include <stdlib.h>

#define DOMAINS "domains: { own.test: {} }\n"
#define VERIFY(text) DOMAINS "inbound: { verify: { " text " } }\n"

enum { NOBODY = 99 };

/* What was found, and what is said of it. */
struct row {
	const char *what;
	const char *conf;		/* NULL: DOMAINS */
	const char *author;		/* NULL: a.test */
	unsigned authors;		/* 0: one; NOBODY; else enum
					 * proof_authors */
	enum dmarc_result dmarc;
	const char *record;		/* "v=DMARC1; ..." */
	const char *where;		/* NULL: the author */
	const char *spf;		/* "fail a.test" */
	const char *dkim;		/* the same */
	const char *fields;		/* "Name: value" with '|' between */
	const char *arc;		/* of sealer.test: its results */
	bool is_nonexistent;
	const char *want;		/* "junk local_policy KEY" or
					 * "refuse 550 5.7.1 KEY" */
};

#define REJECT "v=DMARC1; p=reject"
#define KEY "inbound.verify."
#define DOUBT "junk local_policy " KEY "dmarc (default)"
#define FORGED "refuse 550 5.7.1 " KEY "dmarc (default)"

static const struct row rows[] = {
	{ "a pass", .dmarc = DMARC_PASS, .record = REJECT, .want = "take" },
	{ "nothing published", .dmarc = DMARC_NONE, .want = "take" },
	{ "a record that is wrong", .dmarc = DMARC_PERMERROR, .want = "take" },

	/* ---- RFC 9989 5.4: p=none MUST NOT modify anything ---- */
	{ "p=none", .dmarc = DMARC_FAIL, .record = "v=DMARC1; p=none",
	    .spf = "fail a.test", .want = "take " KEY "dmarc (default)" },
	{ "p=quarantine", .dmarc = DMARC_FAIL,
	    .record = "v=DMARC1; p=quarantine",
	    .want = "junk " KEY "dmarc (default)" },
	/* 4.7 t */
	{ "t=y of quarantine", .dmarc = DMARC_FAIL,
	    .record = "v=DMARC1; p=quarantine; t=y",
	    .want = "take policy_test_mode " KEY "dmarc (default)" },
	{ "t=y of reject", .dmarc = DMARC_FAIL, .record = REJECT "; t=y",
	    .spf = "fail a.test",
	    .want = "junk policy_test_mode " KEY "dmarc (default)" },

	/* ---- RFC 9989 7.4: not solely for p=reject ---- */
	{ "p=reject alone", .dmarc = DMARC_FAIL, .record = REJECT,
	    .want = DOUBT },
	{ "p=reject, SPF none", .dmarc = DMARC_FAIL, .record = REJECT,
	    .spf = "none a.test", .want = DOUBT },
	{ "p=reject, softfail", .dmarc = DMARC_FAIL, .record = REJECT,
	    .spf = "softfail a.test", .want = DOUBT },
	{ "p=reject, -all for it", .dmarc = DMARC_FAIL, .record = REJECT,
	    .spf = "fail a.test", .want = FORGED },
	{ "p=reject, -all for one below it", .dmarc = DMARC_FAIL,
	    .record = REJECT, .spf = "fail b.a.test", .want = FORGED },
	{ "p=reject, -all for another", .dmarc = DMARC_FAIL, .record = REJECT,
	    .spf = "fail list.test", .want = DOUBT },
	{ "... with the same end", .dmarc = DMARC_FAIL, .record = REJECT,
	    .spf = "fail xa.test", .want = DOUBT },
	{ "... below one suffix", .dmarc = DMARC_FAIL,
	    .record = REJECT "; psd=y", .where = "test",
	    .spf = "fail b.test", .want = DOUBT },
	{ "-all, but a signature that broke", .dmarc = DMARC_FAIL,
	    .record = REJECT, .spf = "fail a.test", .dkim = "fail a.test",
	    .want = DOUBT },
	{ "-all, and a signature of somebody else", .dmarc = DMARC_FAIL,
	    .record = REJECT, .spf = "fail a.test", .dkim = "fail b.test",
	    .want = FORGED },
	{ "-all, but handled by somebody who seals", .dmarc = DMARC_FAIL,
	    .record = REJECT, .spf = "fail a.test", .arc = "spf=pass",
	    .want = DOUBT },
	{ "a list: List-Id", .dmarc = DMARC_FAIL, .record = REJECT,
	    .spf = "fail a.test", .fields = "List-Id: <l.list.test>",
	    .want = "junk mailing_list " KEY "dmarc (default)" },
	{ "a list: List-Post", .dmarc = DMARC_FAIL, .record = REJECT,
	    .fields = "list-post: <mailto:l@list.test>",
	    .want = "junk mailing_list " KEY "dmarc (default)" },
	{ "a list: Precedence", .dmarc = DMARC_FAIL, .record = REJECT,
	    .fields = "Precedence: list",
	    .want = "junk mailing_list " KEY "dmarc (default)" },
	{ "a list: its software", .dmarc = DMARC_FAIL, .record = REJECT,
	    .fields = "X-Mailman-Version: 3",
	    .want = "junk mailing_list " KEY "dmarc (default)" },
	{ "no list: bulk", .dmarc = DMARC_FAIL, .record = REJECT,
	    .spf = "fail a.test", .fields = "Precedence: bulk|"
	    "List-Unsubscribe: <https://a.test/u>", .want = FORGED },
	{ "a forwarder", .dmarc = DMARC_FAIL, .record = REJECT,
	    .spf = "fail a.test", .fields = "Delivered-To: x@old.test",
	    .want = DOUBT },
	{ "resent", .dmarc = DMARC_FAIL, .record = REJECT,
	    .spf = "fail a.test", .fields = "Resent-From: x@old.test",
	    .want = DOUBT },
	{ "an author who does not exist", .dmarc = DMARC_FAIL,
	    .author = "no.a.test", .where = "a.test", .record = REJECT,
	    .is_nonexistent = true, .fields = "List-Id: <l.list.test>",
	    .want = FORGED },
	{ "... asked to be quarantined", .dmarc = DMARC_FAIL,
	    .author = "no.a.test", .where = "a.test",
	    .record = "v=DMARC1; p=reject; np=quarantine",
	    .is_nonexistent = true, .want = "junk " KEY "dmarc (default)" },

	/* ---- own domains ---- */
	{ "an own domain", .author = "own.test", .dmarc = DMARC_FAIL,
	    .record = REJECT,
	    .want = "refuse 550 5.7.1 " KEY "own_domains (default)" },
	{ "one below it", .author = "x.own.test", .where = "own.test",
	    .dmarc = DMARC_FAIL, .record = REJECT,
	    .want = "refuse 550 5.7.1 " KEY "own_domains (default)" },
	{ "an own domain by a list", .author = "own.test", .dmarc = DMARC_FAIL,
	    .record = REJECT, .fields = "List-Id: <l.list.test>",
	    .want = "junk mailing_list " KEY "dmarc (default)" },
	{ "an own domain that asks for quarantine", .author = "own.test",
	    .dmarc = DMARC_FAIL, .record = "v=DMARC1; p=quarantine",
	    .want = "junk " KEY "dmarc (default)" },
	{ "an own domain without a record", .author = "own.test",
	    .want = "take" },
	{ "hostname is no such domain", .author = "mx.example.org",
	    .dmarc = DMARC_FAIL, .record = REJECT, .want = DOUBT },
	{ "refuse: with a record", .conf = VERIFY("own_domains: refuse"),
	    .author = "own.test", .dmarc = DMARC_FAIL,
	    .record = "v=DMARC1; p=none",
	    .want = "refuse 550 5.7.1 " KEY "own_domains, t.yaml:2" },
	{ "refuse: without", .conf = VERIFY("own_domains: refuse"),
	    .author = "own.test",
	    .want = "refuse 550 5.7.26 " KEY "own_domains, t.yaml:2" },
	{ "refuse: not what was proved", .conf = VERIFY("own_domains: refuse"),
	    .author = "own.test", .dmarc = DMARC_PASS, .record = REJECT,
	    .want = "take" },
	{ "refuse: not others", .conf = VERIFY("own_domains: refuse"),
	    .want = "take" },
	{ "refuse: but not who may", .conf = VERIFY("own_domains: refuse, "
	    "allow: { networks: [ 192.0.2.0/24 ] }"), .author = "own.test",
	    .want = "take trusted_forwarder " KEY
	    "allow.networks, t.yaml:2" },

	/* ---- what is configured ---- */
	{ "domains that are believed", .conf = VERIFY(
	    "dmarc_reject: [ \"*.bank.test\", a.test ]"), .dmarc = DMARC_FAIL,
	    .record = REJECT, .fields = "List-Id: <l.list.test>",
	    .want = "refuse 550 5.7.1 " KEY "dmarc_reject, t.yaml:2" },
	{ "... not the others", .conf = VERIFY("dmarc_reject: [ bank.test ]"),
	    .dmarc = DMARC_FAIL, .record = REJECT, .want = DOUBT },
	{ "... nor more than was asked for", .conf = VERIFY(
	    "dmarc_reject: [ a.test ]"), .dmarc = DMARC_FAIL,
	    .record = "v=DMARC1; p=quarantine",
	    .want = "junk " KEY "dmarc (default)" },
	{ "quarantine", .conf = VERIFY("dmarc: quarantine"),
	    .dmarc = DMARC_FAIL, .record = REJECT, .spf = "fail a.test",
	    .want = "junk local_policy " KEY "dmarc, t.yaml:2" },
	{ "monitor", .conf = VERIFY("dmarc: monitor"), .dmarc = DMARC_FAIL,
	    .record = REJECT, .spf = "fail a.test",
	    .want = "take local_policy " KEY "dmarc, t.yaml:2" },
	{ "monitor, p=none", .conf = VERIFY("dmarc: monitor"),
	    .dmarc = DMARC_FAIL, .record = "v=DMARC1; p=none",
	    .want = "take " KEY "dmarc, t.yaml:2" },
	{ "off", .conf = VERIFY("dmarc: off"), .dmarc = DMARC_NONE,
	    .authors = PROOF_AUTHORS, .want = "take" },

	/* ---- known forwarders ---- */
	{ "a network", .conf = VERIFY("allow: { networks: [ 192.0.2.0/24 ] }"),
	    .dmarc = DMARC_FAIL, .record = REJECT, .spf = "fail a.test",
	    .want = "take trusted_forwarder " KEY "allow.networks, t.yaml:2" },
	{ "a network with a list", .conf = VERIFY(
	    "allow: { networks: [ 192.0.2.0/24 ] }"), .dmarc = DMARC_FAIL,
	    .record = REJECT, .fields = "List-Id: <l.list.test>",
	    .want = "take mailing_list " KEY "allow.networks, t.yaml:2" },
	{ "another network", .conf = VERIFY(
	    "allow: { networks: [ 198.51.100.0/24 ] }"), .dmarc = DMARC_FAIL,
	    .record = REJECT, .want = DOUBT },
	{ "a domain by SPF", .conf = VERIFY("allow: { domains: [ l.test ] }"),
	    .dmarc = DMARC_FAIL, .record = REJECT, .spf = "pass l.test",
	    .want = "take trusted_forwarder " KEY "allow.domains, t.yaml:2" },
	{ "a domain by DKIM", .conf = VERIFY("allow: { domains: [ \"*.test\" ] }"),
	    .dmarc = DMARC_FAIL, .record = REJECT, .dkim = "pass l.test",
	    .want = "take trusted_forwarder " KEY "allow.domains, t.yaml:2" },
	{ "a domain that only claims", .conf = VERIFY(
	    "allow: { domains: [ l.test ] }"), .dmarc = DMARC_FAIL,
	    .record = REJECT, .spf = "softfail l.test", .dkim = "fail l.test",
	    .want = DOUBT },
	{ "the author's claim", .conf = VERIFY("allow: { domains: [ a.test ] }"),
	    .dmarc = DMARC_FAIL, .record = REJECT, .want = DOUBT },

	/* ---- sealers (RFC 8617 7.2) ---- */
	{ "a sealer that is believed", .conf = VERIFY(
	    "trusted_sealers: [ sealer.test ]"), .dmarc = DMARC_FAIL,
	    .record = REJECT, .spf = "fail a.test",
	    .arc = "s.test; spf=pass smtp.mailfrom=a.test; "
	    "dmarc=pass header.from=A.test",
	    .want = "take local_policy " KEY "trusted_sealers, t.yaml:2" },
	{ "one that found another author", .conf = VERIFY(
	    "trusted_sealers: [ sealer.test ]"), .dmarc = DMARC_FAIL,
	    .record = REJECT, .arc = "s.test; dmarc=pass header.from=b.test",
	    .want = DOUBT },
	{ "one that found no proof", .conf = VERIFY(
	    "trusted_sealers: [ sealer.test ]"), .dmarc = DMARC_FAIL,
	    .record = REJECT, .arc = "s.test; dmarc=fail header.from=a.test",
	    .want = DOUBT },
	{ "one that nobody can read", .conf = VERIFY(
	    "trusted_sealers: [ sealer.test ]"), .dmarc = DMARC_FAIL,
	    .record = REJECT, .arc = "s.test; dmarc=(", .want = DOUBT },
	{ "another sealer", .conf = VERIFY("trusted_sealers: [ x.test ]"),
	    .dmarc = DMARC_FAIL, .record = REJECT,
	    .arc = "s.test; dmarc=pass header.from=a.test", .want = DOUBT },
	{ "nobody is believed", .dmarc = DMARC_FAIL, .record = REJECT,
	    .arc = "s.test; dmarc=pass header.from=a.test", .want = DOUBT },

	/* ---- From ---- */
	{ "several domains", .authors = PROOF_AUTHORS,
	    .want = "refuse 550 5.7.1 " KEY "from (default)" },
	{ "nobody", .authors = NOBODY,
	    .want = "refuse 550 5.7.1 " KEY "from (default)" },
	{ "unreadable", .authors = PROOF_UNREADABLE,
	    .want = "refuse 550 5.7.1 " KEY "from (default)" },
	{ "to junk", .conf = VERIFY("from: junk"), .authors = PROOF_AUTHORS,
	    .want = "junk " KEY "from, t.yaml:2" },
	{ "accepted", .conf = VERIFY("from: accept"), .authors = PROOF_AUTHORS,
	    .want = "take" },
	{ "monitored", .conf = VERIFY("dmarc: monitor"),
	    .authors = PROOF_AUTHORS, .want = "take" },

	/* ---- nobody knows ---- */
	{ "temperror", .dmarc = DMARC_TEMPERROR,
	    .want = "take " KEY "temperror (default)" },
	{ "temperror: later", .conf = VERIFY("temperror: defer"),
	    .dmarc = DMARC_TEMPERROR,
	    .want = "defer 451 4.4.3 " KEY "temperror, t.yaml:2" },
	{ "temperror: monitored", .conf = VERIFY("temperror: defer, "
	    "dmarc: monitor"), .dmarc = DMARC_TEMPERROR, .want = "take" },

	/* ---- SPF and DKIM alone ---- */
	{ "SPF fails", .spf = "fail b.test", .want = "take" },
	{ "SPF fails: junk", .conf = VERIFY("spf_fail: junk"),
	    .spf = "fail b.test", .want = "junk " KEY "spf_fail, t.yaml:2" },
	{ "SPF is soft", .conf = VERIFY("spf_fail: junk"),
	    .spf = "softfail b.test", .want = "take" },
	{ "SPF fails, DMARC passed", .conf = VERIFY("spf_fail: junk"),
	    .spf = "fail b.test", .dmarc = DMARC_PASS, .record = REJECT,
	    .want = "take" },
	{ "SPF fails, p=none", .conf = VERIFY("spf_fail: junk"),
	    .spf = "fail b.test", .dmarc = DMARC_FAIL,
	    .record = "v=DMARC1; p=none",
	    .want = "junk " KEY "spf_fail, t.yaml:2" },
	{ "DKIM fails", .dkim = "fail b.test", .want = "take" },
	{ "DKIM fails: junk", .conf = VERIFY("dkim_fail: junk"),
	    .dkim = "fail b.test", .want = "junk " KEY "dkim_fail, t.yaml:2" },
	{ "DKIM fails: refused", .conf = VERIFY("dkim_fail: refuse"),
	    .dkim = "permerror b.test",
	    .want = "refuse 550 5.7.20 " KEY "dkim_fail, t.yaml:2" },
	{ "DKIM is not there", .conf = VERIFY("dkim_fail: refuse"),
	    .want = "take" },
	{ "DKIM's key cannot be had", .conf = VERIFY("dkim_fail: refuse"),
	    .dkim = "temperror b.test", .want = "take" },
	{ "DKIM passes", .conf = VERIFY("dkim_fail: refuse"),
	    .dkim = "pass b.test", .want = "take" },
};

/* ---- a proof out of a row ---- */

static const char *const spf_names[] = { "none", "neutral", "pass", "fail",
	"softfail", "temperror", "permerror" };
static const char *const dkim_names[] = { "none", "pass", "fail", "policy",
	"neutral", "temperror", "permerror" };

static unsigned
result_of(const char *text, const char *const names[7], struct str *domain)
{
	struct str r;

	*domain = str_of(text);
	r = str_cut(domain, ' ');
	for (unsigned i = 0; i < 7; i++)
		if (str_eq(r, str_of(names[i])))
			return i;
	fail_msg("%s", text);
	return 0;
}

static struct arc_set seal;
static struct dkim_outcome outcome;

static void
row_dmarc(const struct row *r, struct proof *p)
{
	struct dmarc_answer *d = &p->dmarc;

	d->result = r->dmarc;
	d->why = STR("so it is");
	if (r->record == NULL)
		return;
	assert_int_equal(dmarc_read(str_of(r->record), &d->record),
	    DMARC_RECORD);
	d->where = r->where != NULL ? str_of(r->where) : p->author;
	d->is_nonexistent = r->is_nonexistent;
	d->published = r->is_nonexistent ? d->record.np : d->record.p;
	d->policy = d->published;
	if (d->record.is_testing && d->policy != DMARC_POLICY_NONE)
		d->policy = (enum dmarc_policy)(d->policy - 1);
}

static void
row_proof(const struct row *r, struct proof *p)
{
	*p = (struct proof){ .author = str_of(r->author == NULL ? "a.test" :
	    r->author), .authors = PROOF_ONE_AUTHOR };
	if (r->authors != 0) {
		p->author = STR_NONE;
		p->authors = r->authors == NOBODY ? PROOF_NO_AUTHOR :
		    (enum proof_authors)r->authors;
	}
	assert_true(address_parse(STR("192.0.2.7"), 0, &p->ask.client));
	p->ask.domain = STR("x.test");
	p->ask.wants_spf = true;
	if (r->spf != NULL) {
		p->has_mail = true;
		p->mail.result = (enum spf_result)result_of(r->spf, spf_names,
		    &p->mail.domain);
	}
	if (r->dkim != NULL) {
		outcome = (struct dkim_outcome){ .result = (enum dkim_result)
		    result_of(r->dkim, dkim_names, &outcome.domain) };
		(void)result_of(r->dkim, dkim_names, &outcome.domain);
		p->dkim = &outcome;
		p->n_dkim = 1;
	}
	if (r->arc != NULL) {
		seal = (struct arc_set){ .seal_domain = STR("sealer.test"),
			.seal_selector = STR("s"), .cv = STR("none"),
			.results = str_of(r->arc), .signs_author = true };
		p->arc = (struct arc_answer){ .result = ARC_PASS, .n = 1,
			.newest = 1, .sets = &seal };
	}
	row_dmarc(r, p);
}

static void
row_facts(const struct row *r, struct disposition_facts *out)
{
	struct str rest = r->fields == NULL ? STR("") : str_of(r->fields);

	*out = (struct disposition_facts){ .traces = 0 };
	while (rest.n > 0) {
		struct str value = str_cut(&rest, '|');
		struct field f = { .name = str_cut(&value, ':') };

		f.value = value;
		f.known = header_known(f.name);
		disposition_field(out, &f);
	}
}

static void
put_answer(const struct disposition_answer *a, struct buf *out)
{
	static const char *const acts[] = { "take", "junk", "refuse", "defer" };
	const struct verdict *v = &a->verdict;

	buf_printf(out, "%s", acts[a->act]);
	if (v->disposition != DELIVERED)
		buf_printf(out, " %d %u.%u.%u", v->code, v->esc.class,
		    v->esc.subject, v->esc.detail);
	if (a->override != OVERRIDE_NONE)
		buf_printf(out, " %s", disposition_override_name(a->override));
	if (a->rule.n > 0)
		buf_printf(out, " " STR_FMT, STR_ARG(a->rule));
}

static void
row_run(const struct row *r)
{
	struct disposition_facts facts;
	struct disposition_answer answer;
	struct config *c;
	struct arena arena;
	struct proof proof;
	char room[400];
	struct buf got = BUF_OF(room);

	conf_begin();
	c = conf_of(r->conf == NULL ? DOMAINS : r->conf);
	arena_init(&arena, 1 << 16);
	row_proof(r, &proof);
	row_facts(r, &facts);
	disposition_decide(&proof, &facts, c, &arena, &answer);
	put_answer(&answer, &got);
	if (!str_eq(buf_str(&got), str_of(r->want)))
		fail_msg("%s: " STR_FMT, r->what, STR_ARG(buf_str(&got)));
	assert_int_equal(answer.disposition, answer.act == DISPOSITION_REFUSE ?
	    DMARC_POLICY_REJECT : answer.act == DISPOSITION_JUNK ?
	    DMARC_POLICY_QUARANTINE : DMARC_POLICY_NONE);
	assert_true(str_is_printable(answer.comment));
	assert_true(answer.rule.n == 0 || answer.comment.n > 0);
	assert_true((answer.verdict.disposition == DELIVERED) ==
	    (answer.act == DISPOSITION_TAKE || answer.act == DISPOSITION_JUNK));
	arena_clear(&arena);
	config_free(c);
	conf_end();
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		row_run(&rows[i]);
}

/* What would make a mockery of it is refused. */
static void
test_contradictions(void **state)
{
	static const struct { const char *conf, *says; } list[] = {
		{ "inbound: { verify: { dkim: no } }\n", "1:22+4 "
		    "'inbound.verify.dmarc' needs 'inbound.verify.dkim': mail that "
		    "it would prove would fail; say dmarc: off\n" },
		{ "inbound: { verify: { spf: no, dmarc: monitor } }\n", "1:22+3 "
		    "'inbound.verify.dmarc' needs 'inbound.verify.spf': mail that "
		    "it would prove would fail; say dmarc: off\n" },
		{ "inbound: { verify: { arc: no, trusted_sealers: [ x.test ] } }\n",
		    "1:31+15 'inbound.verify.trusted_sealers' needs "
		    "'inbound.verify.arc': without it nobody looks at seals\n" },
		{ "inbound: { verify: { spf: no, dkim: no, arc: no, dmarc: off } }\n",
		    NULL },
		{ "inbound: { verify: { spf: refuse, dmarc: quarantine } }\n", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		struct config *c;

		conf_begin();
		c = conf_try(list[i].conf);
		assert_true((c != NULL) == (list[i].says == NULL));
		if (c == NULL && strcmp(conf_said(true), list[i].says) != 0)
			fail_msg("%s", conf_said(true));
		if (c != NULL)
			config_free(c);
		conf_end();
	}
}

/* RFC 9989 7.2: "by using the word DMARC somewhere in the reply text". */
static void
test_words(void **state)
{
	static const struct row reject = { "", .dmarc = DMARC_FAIL,
		.record = REJECT, .spf = "fail a.test" };
	static const struct row sealed = { "", .conf = VERIFY(
	    "trusted_sealers: [ sealer.test ]"), .dmarc = DMARC_FAIL,
	    .record = REJECT, .arc = "s.test; dmarc=pass header.from=a.test" };
	const struct row *both[] = { &reject, &sealed };
	static const char *const words[] = { "Email rejected per DMARC policy for "
	    "a.test", "arc=pass as[1].d=sealer.test as[1].s=s" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct disposition_facts facts = { .traces = 0 };
		struct disposition_answer answer;
		struct config *c;
		struct arena arena;
		struct proof proof;

		conf_begin();
		c = conf_of(both[i]->conf == NULL ? DOMAINS : both[i]->conf);
		arena_init(&arena, 1 << 16);
		row_proof(both[i], &proof);
		disposition_decide(&proof, &facts, c, &arena, &answer);
		assert_true(str_eq(i == 0 ? str_of(answer.verdict.text) :
		    answer.comment, str_of(words[i])));
		arena_clear(&arena);
		config_free(c);
		conf_end();
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_contradictions),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
