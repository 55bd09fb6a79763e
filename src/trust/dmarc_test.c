/* RFC 9989 has no suite: each MUST and each example of its appendix B, as rows. */
#include "fiber/test_core.h"

#include "fiber/world_sim.h"
#include "trust/dmarc.h"

#include <stdio.h>

#define RECORD(name, text) "_dmarc." name ". TXT \"v=DMARC1; " text "\"\n"
#define REJECT "p=reject"
#define RUA "; rua=mailto:a@b.test"

/* What SPF and DKIM found: "spf a.example" and "dkim a.example" are passes; a
 * result may stand before the domain. */
struct row {
	const char *what;
	const char *zone;
	const char *author;
	const char *spf;		/* "pass a.example"; NULL: none */
	const char *dkim[3];		/* the same */
	const char *want;		/* "pass p=reject at a.example by p; spf" */
};

static const struct row rows[] = {
	/* ---- B.1.1: SPF, aligned or not ---- */
	{ "B.1.1 example 1", RECORD("example.com", REJECT), "example.com",
	    "pass example.com", { NULL }, "pass reject example.com p spf" },
	{ "B.1.1 example 2", RECORD("example.com", REJECT), "example.com",
	    "pass child.example.com", { NULL }, "pass reject example.com p spf" },
	{ "B.1.1 example 3", RECORD("example.com", REJECT)
	    "child.example.com. A 192.0.2.1\n", "child.example.com",
	    "pass example.net", { NULL }, "fail reject example.com p" },
	/* ---- B.1.2: DKIM ---- */
	{ "B.1.2 example 1", RECORD("example.com", REJECT), "example.com", NULL,
	    { "pass example.com" }, "pass reject example.com p dkim" },
	{ "B.1.2 example 2", RECORD("example.com", REJECT)
	    "child.example.com. A 192.0.2.1\n", "child.example.com", NULL,
	    { "pass example.com" }, "pass reject example.com p dkim" },
	{ "B.1.2 example 3", RECORD("example.com", REJECT)
	    "child.example.com. A 192.0.2.1\n", "child.example.com", NULL,
	    { "pass example.net" }, "fail reject example.com p" },
	/* ---- B.3.1 ---- */
	{ "B.3.1", RECORD("example.com", "p=reject; aspf=r;"), "example.com",
	    "pass mail.example.com", { "pass example.com" },
	    "pass reject example.com p spf dkim" },
	/* ---- B.4 ---- */
	{ "B.4.1", RECORD("example.com", REJECT)
	    RECORD("signing.example.com", "p=none"), "example.com",
	    "pass example.com", { "pass signing.example.com" },
	    "pass reject example.com p spf dkim" },
	{ "B.4.2", RECORD("example.com", REJECT)
	    RECORD("signing.example.com", "p=none"),
	    "a.b.c.d.e.f.g.h.i.j.k.example.com", "pass example.com",
	    { "pass signing.example.com" },
	    "pass reject example.com p spf dkim" },
	{ "B.4.3", RECORD("bank.example", "p=none; psd=y")
	    RECORD("giant.bank.example", REJECT), "giant.bank.example",
	    "pass mail.giant.bank.example", { "pass mail.mega.bank.example" },
	    "pass reject giant.bank.example p spf" },
	{ "B.4.3 without SPF", RECORD("bank.example", "p=none; psd=y")
	    RECORD("giant.bank.example", REJECT), "giant.bank.example",
	    "fail mail.giant.bank.example", { "pass mail.mega.bank.example" },
	    "fail reject giant.bank.example p" },
	/* ---- 4.4: alignment ---- */
	{ "4.4 table 1, relaxed", RECORD("example.com", REJECT)
	    "news.example.com. A 192.0.2.1\n", "news.example.com", NULL,
	    { "pass foo.example.com" }, "pass reject example.com p dkim" },
	{ "4.4 strict: DKIM", RECORD("example.com", "p=reject; adkim=s"),
	    "example.com", "pass foo.example.com", { "pass foo.example.com" },
	    "pass reject example.com p spf" },
	{ "4.4 strict: SPF", RECORD("example.com", "p=reject; aspf=s"),
	    "example.com", "pass foo.example.com", { "pass foo.example.com" },
	    "pass reject example.com p dkim" },
	{ "4.4 strict: both", RECORD("example.com", "p=reject; aspf=s; adkim=s"),
	    "example.com", "pass foo.example.com", { "pass foo.example.com" },
	    "fail reject example.com p" },
	{ "4.4 strict: the same", RECORD("example.com",
	    "p=reject; aspf=s; adkim=s"), "example.com", "pass example.com",
	    { "pass example.com" }, "pass reject example.com p spf dkim" },
	{ "4.4 case of domains", RECORD("example.com", REJECT), "example.com",
	    "pass Mail.EXAMPLE.com", { NULL }, "pass reject example.com p spf" },
	/* 4.4.1: any one signature suffices */
	{ "4.4.1 any signature", RECORD("example.com", REJECT), "example.com",
	    NULL, { "fail example.com", "pass example.net",
	    "pass example.com" }, "pass reject example.com p dkim" },
	{ "4.4.1 only those that verify", RECORD("example.com", REJECT),
	    "example.com", NULL, { "fail example.com", "neutral example.com",
	    "policy example.com" }, "fail reject example.com p" },
	{ "4.4.2 softfail is no pass", RECORD("example.com", REJECT),
	    "example.com", "softfail example.com", { NULL },
	    "fail reject example.com p" },
	{ "4.4.2 neutral is no pass", RECORD("example.com", REJECT),
	    "example.com", "neutral example.com", { NULL },
	    "fail reject example.com p" },
	{ "4.4 other names with the same end", RECORD("example.com", REJECT),
	    "example.com", "pass badexample.com", { NULL },
	    "fail reject example.com p" },
	{ "4.4 a suffix is no organization", RECORD("example.com", REJECT)
	    RECORD("example.net", REJECT), "example.com", NULL,
	    { "pass com" }, "fail reject example.com p" },
	/* ---- 4.5: strings of a record are one ---- */
	{ "4.5 several strings", "_dmarc.a.test. TXT \"v=DMA\" \"RC1; p=re\" "
	    "\"ject\"\n", "a.test", NULL, { NULL }, "fail reject a.test p" },
	/* ---- 4.7 ---- */
	{ "4.7 unknown tags", RECORD("a.test", "x=y; pct=0; p=reject; ri=5"),
	    "a.test", NULL, { NULL }, "fail reject a.test p" },
	{ "4.7 p holds below", RECORD("a.test", REJECT) "b.a.test. A 192.0.2.1\n",
	    "b.a.test", NULL, { NULL }, "fail reject a.test p" },
	{ "4.7 sp", RECORD("a.test", "p=reject; sp=quarantine")
	    "b.a.test. A 192.0.2.1\n", "b.a.test", NULL, { NULL },
	    "fail quarantine a.test sp" },
	{ "4.7 sp: not the domain itself", RECORD("a.test",
	    "p=reject; sp=quarantine"), "a.test", NULL, { NULL },
	    "fail reject a.test p" },
	{ "4.7 np: a name that does not exist", RECORD("a.test",
	    "p=none; sp=quarantine; np=reject") "a.test. A 192.0.2.1\n",
	    "b.a.test", NULL, { NULL }, "fail reject a.test np nonexistent" },
	{ "4.7 np: not a name that exists", RECORD("a.test",
	    "p=none; sp=quarantine; np=reject") "b.a.test. MX 0 .\n",
	    "b.a.test", NULL, { NULL }, "fail quarantine a.test sp" },
	{ "A.4 a name exists when one below it does", RECORD("a.test",
	    "p=none; np=reject") "c.b.a.test. A 192.0.2.1\n", "b.a.test", NULL,
	    { NULL }, "fail none a.test p" },
	{ "A.4 ... be it _dmarc itself", RECORD("a.test", "p=none; np=reject")
	    "_dmarc.b.a.test. TXT \"x\"\n", "b.a.test", NULL, { NULL },
	    "fail none a.test p" },
	{ "4.7 np falls back on sp", RECORD("a.test", "p=none; sp=reject"),
	    "b.a.test", NULL, { NULL }, "fail reject a.test sp nonexistent" },
	{ "4.7 np falls back on p", RECORD("a.test", REJECT), "b.a.test", NULL,
	    { NULL }, "fail reject a.test p nonexistent" },
	{ "4.7 sp of a record below the organization's counts for nothing",
	    RECORD("a.test", REJECT) RECORD("b.a.test", "p=none; sp=none")
	    "c.b.a.test. A 192.0.2.1\n", "c.b.a.test", NULL, { NULL },
	    "fail reject a.test p" },
	{ "4.7 t: reject is quarantine", RECORD("a.test", "p=reject; t=y"),
	    "a.test", NULL, { NULL }, "fail quarantine(reject) a.test p" },
	{ "4.7 t: quarantine is none", RECORD("a.test", "p=quarantine; t=y"),
	    "a.test", NULL, { NULL }, "fail none(quarantine) a.test p" },
	{ "4.7 t: none is none", RECORD("a.test", "p=none; t=y"), "a.test", NULL,
	    { NULL }, "fail none a.test p" },
	{ "4.7 t: of sp too", RECORD("a.test", "p=none; sp=reject; t=y")
	    "b.a.test. A 192.0.2.1\n", "b.a.test", NULL, { NULL },
	    "fail quarantine(reject) a.test sp" },
	{ "4.7 v: another one is passed over", "_dmarc.a.test. TXT "
	    "\"v=DMARC2; p=reject\"\n", "a.test", NULL, { NULL }, "none" },
	{ "4.7 v: not the first", "_dmarc.a.test. TXT \"p=reject; v=DMARC1\"\n",
	    "a.test", NULL, { NULL }, "none" },
	/* ---- 4.10: the walk ---- */
	{ "4.10 step 2: others at the name", RECORD("a.test", REJECT)
	    "_dmarc.a.test. TXT \"v=spf1 -all\"\n", "a.test", NULL, { NULL },
	    "fail reject a.test p" },
	{ "4.10 step 2: several are none", RECORD("a.test", REJECT)
	    RECORD("a.test", "p=none"), "a.test", NULL, { NULL }, "none" },
	{ "4.10 step 6: several above are none", RECORD("a.test", REJECT)
	    RECORD("b.a.test", "p=none") RECORD("b.a.test", REJECT)
	    "b.a.test. A 192.0.2.1\n", "b.a.test", NULL, { NULL },
	    "fail reject a.test p" },
	{ "4.10 eight labels: all are asked", RECORD("2.3.4.5.6.7.8",
	    "p=reject; psd=n") "1.2.3.4.5.6.7.8. A 192.0.2.1\n",
	    "1.2.3.4.5.6.7.8", NULL, { NULL }, "fail reject 2.3.4.5.6.7.8 p" },
	{ "4.10 nine: the eighth is skipped", RECORD("2.3.4.5.6.7.8.9",
	    "p=reject; psd=n"), "1.2.3.4.5.6.7.8.9", NULL, { NULL }, "none" },
	{ "4.10 nine: the seventh is not", RECORD("3.4.5.6.7.8.9",
	    "p=reject; psd=n"), "1.2.3.4.5.6.7.8.9", NULL, { NULL },
	    "fail reject 3.4.5.6.7.8.9 p nonexistent" },
	{ "4.10 a name of its own is asked, however long", RECORD(
	    "1.2.3.4.5.6.7.8.9.10.11", REJECT), "1.2.3.4.5.6.7.8.9.10.11", NULL,
	    { NULL }, "fail reject 1.2.3.4.5.6.7.8.9.10.11 p" },
	{ "5.1.8", RECORD("example.com", "p=none")
	    RECORD("b.c.d.e.f.g.example.com", "p=reject; psd=n")
	    "mail.a.b.c.d.e.f.g.example.com. A 192.0.2.1\n",
	    "mail.a.b.c.d.e.f.g.example.com", NULL, { NULL },
	    "fail none example.com p" },
	/* ---- 4.10.1: discovery ---- */
	{ "4.10.1 the author's own first", RECORD("b.a.test", "p=quarantine")
	    RECORD("a.test", REJECT), "b.a.test", NULL, { NULL },
	    "fail quarantine b.a.test p" },
	{ "4.10.1 then the organization's, not what is between",
	    RECORD("a.test", REJECT) RECORD("b.a.test", "p=quarantine")
	    "c.b.a.test. A 192.0.2.1\n", "c.b.a.test", NULL, { NULL },
	    "fail reject a.test p" },
	{ "4.10.1 then the suffix's", RECORD("test", "p=reject; psd=y")
	    "b.a.test. A 192.0.2.1\n", "b.a.test", NULL, { NULL },
	    "fail reject test p" },
	{ "4.10.1 the suffix's np", RECORD("test", "p=none; np=reject; psd=y"),
	    "a.test", NULL, { NULL }, "fail reject test np nonexistent" },
	{ "4.10.1 the suffix's is not asked where the organization has one",
	    RECORD("test", "p=reject; psd=y" RUA) RECORD("a.test", "p=none")
	    "b.a.test. A 192.0.2.1\n", "b.a.test", NULL, { NULL },
	    "fail none a.test p" },
	{ "4.10.1 a domain between counts for nothing, as the suffix's does",
	    RECORD("test", "p=reject; psd=y") RECORD("b.a.test", "p=none")
	    "c.b.a.test. A 192.0.2.1\n", "c.b.a.test", NULL, { NULL },
	    "fail reject test p" },
	{ "4.10.1 nothing anywhere", "a.test. A 192.0.2.1\n", "a.test",
	    "pass a.test", { "pass a.test" }, "none" },
	{ "4.10.1 bad p, with rua", RECORD("a.test", "p=foo" RUA), "a.test",
	    NULL, { NULL }, "fail none a.test p" },
	{ "4.10.1 no p, with rua", RECORD("a.test", "aspf=s" RUA), "a.test",
	    "pass x.a.test", { NULL }, "fail none a.test p" },
	{ "4.10.1 bad p, without", RECORD("a.test", "p=foo"), "a.test",
	    "pass a.test", { NULL }, "permerror a.test" },
	{ "4.10.1 bad sp, with rua", RECORD("a.test", "p=reject; sp=foo" RUA),
	    "a.test", NULL, { NULL }, "fail none a.test p" },
	{ "4.10.1 bad np, without", RECORD("a.test", "p=reject; np=foo"),
	    "a.test", NULL, { NULL }, "permerror a.test" },
	/* ---- 4.10.2: organizations ---- */
	{ "4.10.2 rule 1: psd=n is one", RECORD("a.test", REJECT)
	    RECORD("b.a.test", "p=none; psd=n"), "b.a.test", NULL,
	    { "pass a.test" }, "fail none b.a.test p" },
	{ "4.10.2 rule 1: ... for what is below", RECORD("a.test", REJECT)
	    RECORD("b.a.test", "p=none; psd=n") "c.b.a.test. A 192.0.2.1\n",
	    "c.b.a.test", NULL, { "pass d.b.a.test" },
	    "pass none b.a.test p dkim" },
	{ "4.10.2 rule 2: not at the start", RECORD("b.test", "p=none; psd=y"),
	    "b.test", "pass a.b.test", { NULL }, "fail none b.test p" },
	{ "4.10.2 rule 2: siblings below a suffix", RECORD("b.test",
	    "p=none; psd=y") "a.b.test. A 192.0.2.1\n", "a.b.test",
	    "pass c.b.test", { NULL }, "fail none b.test p" },
	{ "4.10.2 rule 2: in one organization below a suffix",
	    RECORD("b.test", "p=none; psd=y") "x.a.b.test. A 192.0.2.1\n",
	    "x.a.b.test", "pass y.a.b.test", { NULL },
	    "pass none b.test p spf" },
	{ "4.10.2 rule 3: the fewest labels", RECORD("test", REJECT)
	    RECORD("a.test", "p=none"), "a.test", "pass b.test", { NULL },
	    "pass none a.test p spf" },
	{ "4.10.2 without any, each is its own", RECORD("a.test", REJECT),
	    "a.test", NULL, { "pass b.other" }, "fail reject a.test p" },
	{ "11.8 psd=n keeps the suffix out", RECORD("test", REJECT)
	    RECORD("a.test", "p=none; psd=n"), "a.test", "pass b.test", { NULL },
	    "fail none a.test p" },
	/* ---- 5.3.6: questions without an answer ---- */
	{ "5.3.6 the record", "_dmarc.a.test. SERVFAIL\n", "a.test",
	    "pass a.test", { NULL }, "temperror" },
	{ "5.3.6 a record above", "_dmarc.test. SERVFAIL\na.test. A 192.0.2.1\n",
	    "a.test", "pass a.test", { NULL }, "temperror" },
	{ "5.3.6 what nobody has to know", RECORD("a.test", REJECT)
	    "_dmarc.test. SERVFAIL\n", "a.test", "pass a.test",
	    { "pass a.test" }, "pass reject a.test p spf dkim" },
	{ "5.3.6 an organization", RECORD("a.test", REJECT)
	    "_dmarc.test. SERVFAIL\n", "a.test", "pass b.a.test", { NULL },
	    "temperror reject a.test p" },
	{ "5.3.6 ... where another one passes", RECORD("a.test", REJECT)
	    "_dmarc.test. SERVFAIL\n", "a.test", "pass b.a.test",
	    { "pass a.test" }, "pass reject a.test p dkim" },
	{ "5.3.6 ... that could not be the author's", RECORD("a.test", REJECT)
	    "_dmarc.b.other. SERVFAIL\n", "a.test", "pass b.other",
	    { "pass test", "pass xa.test" }, "fail reject a.test p" },
	{ "5.3.6 nor where the author's is not known", RECORD("a.test", REJECT)
	    "_dmarc.test. SERVFAIL\n", "a.test", "pass b.other", { NULL },
	    "fail reject a.test p" },
	{ "5.3.6 a key that is aligned", RECORD("a.test", REJECT), "a.test", NULL,
	    { "temperror a.test" }, "temperror reject a.test p" },
	{ "5.3.6 a key that is not", RECORD("a.test", REJECT), "a.test", NULL,
	    { "temperror b.other" }, "fail reject a.test p" },
	{ "5.3.6 SPF that is aligned", RECORD("a.test", REJECT), "a.test",
	    "temperror a.test", { NULL }, "temperror reject a.test p" },
	{ "5.3.6 SPF that is not", RECORD("a.test", REJECT), "a.test",
	    "temperror b.other", { NULL }, "fail reject a.test p" },
	{ "5.3.6 whether it exists", RECORD("a.test", "p=none; np=reject")
	    "b.a.test. SERVFAIL\n", "b.a.test", NULL, { NULL },
	    "temperror none a.test p" },
	{ "5.3.6 ... where it makes no difference", RECORD("a.test", REJECT)
	    "b.a.test. SERVFAIL\n", "b.a.test", NULL, { NULL },
	    "fail reject a.test p" },
	/* ---- 5.3.1: authors ---- */
	{ "5.3.1 none", "", "", "pass a.test", { NULL }, "none" },
	{ "5.3.1 an address", "", "[192.0.2.1]", NULL, { NULL }, "none" },
	{ "5.3.1 one label", RECORD("test", REJECT), "test", "pass a.test",
	    { NULL }, "pass reject test p spf" },
};

/* ---- running them ---- */

static struct str
cut_result(const char *text, struct str *domain)
{
	*domain = str_of(text);
	return str_cut(domain, ' ');
}

static enum spf_result
spf_of(const char *text, struct str *domain)
{
	struct str r;
	unsigned i;

	*domain = STR_NONE;
	if (text == NULL)
		return SPF_NONE;
	r = cut_result(text, domain);
	for (i = 0; !str_eq(r, str_of(spf_result_name((enum spf_result)i))); i++)
		assert_true(i < SPF_PERMERROR);
	return (enum spf_result)i;
}

static const char *const dkim_names[] = { [DKIM_PASS] = "pass",
	[DKIM_FAIL] = "fail", [DKIM_POLICY] = "policy",
	[DKIM_NEUTRAL] = "neutral", [DKIM_TEMPERROR] = "temperror" };

static size_t
dkim_of(const char *const text[3], struct dkim_outcome out[3])
{
	size_t n;

	for (n = 0; n < 3 && text[n] != NULL; n++) {
		struct str r = cut_result(text[n], &out[n].domain);
		unsigned i;

		for (i = DKIM_PASS; !str_eq(r, str_of(dkim_names[i])); i++)
			assert_true(i < DKIM_TEMPERROR);
		out[n].result = (enum dkim_result)i;
	}
	return n;
}

static void
put_answer(const struct dmarc_answer *a, struct buf *out)
{
	buf_printf(out, "%s", dmarc_result_name(a->result));
	if (a->where.n > 0 && a->result != DMARC_PERMERROR)
		buf_printf(out, " %s", dmarc_policy_name(a->policy));
	if (a->policy != a->published)
		buf_printf(out, "(%s)", dmarc_policy_name(a->published));
	if (a->where.n > 0)
		buf_printf(out, " " STR_FMT, STR_ARG(a->where));
	if (a->where.n > 0 && a->result != DMARC_PERMERROR)
		buf_printf(out, " %s", a->tag);
	if (a->is_nonexistent)
		buf_put(out, STR(" nonexistent"));
	if (a->spf_aligned)
		buf_put(out, STR(" spf"));
	if (a->dkim_aligned)
		buf_put(out, STR(" dkim"));
}

static const struct row *row_now;

static yields void
row_run(void *arg)
{
	const struct row *r = row_now;
	struct dkim_outcome outcomes[3] = { { .result = DKIM_NONE } };
	struct dmarc_ask ask = { .author = str_of(r->author),
		.dkim = outcomes };
	unsigned budget = 64;
	char room[400];
	struct buf got = BUF_OF(room);
	struct dmarc_answer answer;
	struct arena arena;

	(void)arg;
	ask.spf = spf_of(r->spf, &ask.spf_domain);
	ask.n_dkim = dkim_of(r->dkim, outcomes);
	ask.quest = (struct dns_quest){ .deadline = in_ms(20000),
		.budget = &budget };
	arena_init(&arena, 1 << 20);
	dmarc_check(&ask, &arena, &answer);
	put_answer(&answer, &got);
	if (!str_eq(buf_str(&got), str_of(r->want)))
		fail_msg("%s: " STR_FMT " (" STR_FMT ")", r->what,
		    STR_ARG(buf_str(&got)), STR_ARG(answer.why));
	assert_true((answer.result == DMARC_PASS) == (answer.why.n == 0));
	arena_clear(&arena);
}

static void
test_rows(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		sim_begin(1);
		assert_int_equal(sim_zone(str_of(rows[i].zone)), 0);
		row_now = &rows[i];
		on_core(row_run);
	}
}

/* ---- what it costs (4.10: "no more than eight DNS queries") ---- */

static yields unsigned
cost(const char *author, const char *identity)
{
	struct dkim_outcome outcome = { .result = DKIM_PASS,
		.domain = str_of(identity) };
	unsigned budget = 64;
	struct dmarc_ask ask = { .author = str_of(author), .dkim = &outcome,
		.n_dkim = 1, .quest = { .deadline = in_ms(20000),
		.budget = &budget } };
	struct dmarc_answer answer;
	struct arena arena;

	arena_init(&arena, 1 << 20);
	dmarc_check(&ask, &arena, &answer);
	arena_clear(&arena);
	return 64 - budget;
}

static yields void
costs(void *arg)
{
	(void)arg;
	/* no record: the walk, and nothing of the identity */
	assert_int_equal(cost("a.test", "b.other"), 2);
	assert_int_equal(cost("1.2.3.4.5.6.7.8", "a"), 8);
	assert_int_equal(cost("1.2.3.4.5.6.7.8.9", "a"), 8);
	assert_int_equal(cost("1.2.3.4.5.6.7.8.9.10.11.12.13.14", "a"), 8);
	/* 4.10.2: one domain in common needs no walk */
	assert_int_equal(cost("example.com", "example.com"), 1);
	/* each name once: example.com, com, b.example.com */
	assert_int_equal(cost("example.com", "b.example.com"), 3);
	/* who is not below the organization is not walked for */
	assert_int_equal(cost("example.com", "b.other.com"), 2);
	assert_int_equal(cost("example.com", "b.other"), 1);
}

static void
test_costs(void **state)
{
	(void)state;
	sim_begin(1);
	assert_int_equal(sim_zone(STR(RECORD("example.com", REJECT))), 0);
	on_core(costs);
}

/* SECURITY.md row 29: the budget of the message is not overdrawn. */
static yields void
poor(void *arg)
{
	for (unsigned most = 0; most < 4; most++) {
		unsigned budget = most;
		struct dmarc_ask ask = { .author = STR("example.com"),
			.spf_domain = STR("a.example.com"), .spf = SPF_PASS,
			.quest = { .deadline = in_ms(20000),
			.budget = &budget } };
		struct dmarc_answer answer;
		struct arena arena;

		arena_init(&arena, 1 << 20);
		dmarc_check(&ask, &arena, &answer);
		assert_int_equal(answer.result, most < 3 ? DMARC_TEMPERROR :
		    DMARC_PASS);
		assert_int_equal(budget, 0);
		arena_clear(&arena);
	}
	(void)arg;
}

static void
test_budget(void **state)
{
	(void)state;
	sim_begin(1);
	assert_int_equal(sim_zone(STR(RECORD("example.com", REJECT))), 0);
	on_core(poor);
}

static yields void
cramped(void *arg)
{
	(void)arg;
	for (size_t ceiling = 0; ceiling < 16384; ceiling += 256) {
		struct dkim_outcome outcome = { .result = DKIM_PASS,
			.domain = STR("b.example.com") };
		unsigned budget = 64;
		struct dmarc_ask ask = { .author = STR("a.example.com"),
			.dkim = &outcome, .n_dkim = 1, .quest = {
			.deadline = in_ms(20000), .budget = &budget } };
		struct dmarc_answer answer;
		struct arena arena;

		arena_init(&arena, ceiling);
		dmarc_check(&ask, &arena, &answer);
		assert_true(answer.result == DMARC_TEMPERROR ||
		    answer.result == DMARC_PASS);
		arena_clear(&arena);
	}
}

/* No memory is no answer, never a fail. */
static void
test_memory(void **state)
{
	(void)state;
	sim_begin(1);
	assert_int_equal(sim_zone(STR(RECORD("example.com", REJECT))), 0);
	on_core(cramped);
}

/* ---- dmarc_discover() ---- */

static yields void
discoveries(void *arg)
{
	static const struct { const char *domain, *where, *organization; }
	list[] = {
		{ "example.com", "example.com", "example.com" },
		{ "a.b.example.com", "example.com", "example.com" },
		{ "c.example.com", "c.example.com", "example.com" },
		{ "d.example.com", "d.example.com", "d.example.com" },
		{ "x.d.example.com", "d.example.com", "d.example.com" },
		{ "nobody.test", "", "nobody.test" },
		{ "suffixed.example", "example", "suffixed.example" },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		unsigned budget = 64;
		struct dns_quest quest = { .deadline = in_ms(20000),
			.budget = &budget };
		struct dmarc_answer answer;
		struct arena arena;

		arena_init(&arena, 1 << 20);
		dmarc_discover(str_of(list[i].domain), &quest, &arena, &answer);
		if (!str_eq(answer.where, str_of(list[i].where)) ||
		    !str_eq(answer.organization, str_of(list[i].organization)))
			fail_msg("%s: " STR_FMT " " STR_FMT, list[i].domain,
			    STR_ARG(answer.where), STR_ARG(answer.organization));
		assert_int_equal(answer.result, DMARC_NONE);
		arena_clear(&arena);
	}
}

static void
test_discover(void **state)
{
	(void)state;
	sim_begin(1);
	assert_int_equal(sim_zone(STR(RECORD("example.com", REJECT)
	    RECORD("c.example.com", "p=none")
	    RECORD("d.example.com", "p=none; psd=n")
	    RECORD("example", "p=none; psd=y"))), 0);
	on_core(discoveries);
}

/* ---- RFC 9990 4 ---- */

#define AGREE(name, text) name " TXT \"v=DMARC1" text "\"\n"

static yields void
consents(void *arg)
{
	static const struct {
		const char *where, *destination;
		enum dmarc_consent consent;
		bool is_external;
		const char *rua;
	} list[] = {
		{ "example.com", "example.com", DMARC_CONSENT_YES, false, "" },
		{ "example.com", "EXAMPLE.com", DMARC_CONSENT_YES, false, "" },
		{ "example.com", "m.example.com", DMARC_CONSENT_YES, false, "" },
		{ "c.example.com", "m.example.com", DMARC_CONSENT_YES, false,
		    "" },
		{ "example.com", "silent.test", DMARC_CONSENT_NO, true, "" },
		{ "example.com", "one.test", DMARC_CONSENT_YES, true, "" },
		{ "other.test", "one.test", DMARC_CONSENT_NO, true, "" },
		{ "other.test", "all.test", DMARC_CONSENT_YES, true, "" },
		{ "example.com", "bad.test", DMARC_CONSENT_NO, true, "" },
		{ "example.com", "moved.test", DMARC_CONSENT_YES, true,
		    "mailto:new@moved.test" },
		/* "MUST NOT generate a report to either" */
		{ "example.com", "away.test", DMARC_CONSENT_NO, true, "" },
		{ "example.com", "slow.test", DMARC_CONSENT_LATER, true, "" },
		{ "example.com", "", DMARC_CONSENT_NO, false, "" },
	};

	(void)arg;
	for (size_t i = 0; i < sizeof list / sizeof *list; i++) {
		unsigned budget = 64;
		struct dns_quest quest = { .deadline = in_ms(20000),
			.budget = &budget };
		struct dmarc_consent_answer answer;
		struct arena arena;

		arena_init(&arena, 1 << 20);
		dmarc_consent(str_of(list[i].where),
		    str_of(list[i].destination), &quest, &arena, &answer);
		if (answer.consent != list[i].consent ||
		    answer.is_external != list[i].is_external ||
		    !str_eq(answer.rua, str_of(list[i].rua)))
			fail_msg("row %zu: %d " STR_FMT, i, answer.consent,
			    STR_ARG(answer.why));
		arena_clear(&arena);
	}
}

static void
test_consent(void **state)
{
	(void)state;
	sim_begin(1);
	assert_int_equal(sim_zone(STR(RECORD("example.com", REJECT)
	    AGREE("example.com._report._dmarc.one.test.", "")
	    AGREE("*._report._dmarc.all.test.", ";")
	    AGREE("example.com._report._dmarc.moved.test.",
	    "; rua=mailto:new@moved.test")
	    AGREE("example.com._report._dmarc.away.test.",
	    "; rua=mailto:victim@elsewhere.test")
	    "example.com._report._dmarc.bad.test. TXT \"v=DMARC\"\n"
	    "example.com._report._dmarc.slow.test. SERVFAIL\n")), 0);
	on_core(consents);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_costs),
		cmocka_unit_test(test_budget),
		cmocka_unit_test(test_memory),
		cmocka_unit_test(test_discover),
		cmocka_unit_test(test_consent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
