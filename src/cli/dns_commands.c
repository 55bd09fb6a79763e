/* dns_commands.c -- dns print: the records that a domain needs; dns check: does
 * the DNS have them? */
#include "base/json.h"
#include "cli/ask.h"
#include "cli/dns_facts.h"
#include "cli/dns_formats.h"
#include "fiber/clock.h"
#include "fiber/core.h"
#include "fiber/fetch.h"
#include "policy/dns_check.h"

#include <stdio.h>
#include <sysexits.h>

enum { PRINT_MOST = 256 * 1024, CHECK_MEMORY = 32 * 1024 * 1024,
	CHECK_BROKEN = 1 };

/* ---- print ---- */

static int
records_print(struct cli *c, struct str format, const struct dns_facts *f)
{
	struct records *rs = arena_new(&c->arena, struct records);
	struct buf b = { .p = arena_alloc(&c->arena, PRINT_MOST),
		.cap = PRINT_MOST };

	if (rs == NULL || b.p == NULL ||
	    !records_make(&f->records, &c->arena, rs))
		return cli_fail(EX_OSERR, "no memory");
	if (!dns_format_put(format, rs, &b))
		return cli_fail(EX_USAGE, "there is no format '" STR_FMT
		    "'; there are %s", STR_ARG(format), dns_format_names);
	if (b.full)
		return cli_fail(EX_SOFTWARE, "the records are too long");
	(void)fwrite(b.p, 1, b.n, stdout);
	return 0;
}

int
command_dns_print(struct cli *c)
{
	struct str format = c->json ? STR("json") : c->format.n > 0 ?
	    c->format : STR("zone");
	struct dns_facts *f = arena_new(&c->arena, struct dns_facts);
	int rc;

	if (c->n_words != 1)
		return cli_usage("dns print");
	if (f == NULL)
		return cli_fail(EX_OSERR, "no memory");
	rc = dns_facts_find(c, c->words[0], true, f);
	if (rc == 0)
		rc = records_print(c, format, f);
	dns_facts_end(f);
	return rc;
}

/* ---- check ---- */

struct checking_run {
	struct dns_check_ask ask;
	struct arena arena;
	struct dns_report *report;
	bool is_whole;
};

static yields void
check_run(void *arg)
{
	struct checking_run *r = arg;

	r->ask.deadline = mono_add(clock_mono(), CHECK_SECONDS *
	    NS_PER_SECOND);
	r->is_whole = dns_check(&r->ask, &r->arena, r->report);
}

/* A name, and lines below each other. */
static void
lines_print(struct cli *c, const char *head, struct str text)
{
	while (text.n > 0) {
		struct str line = str_cut(&text, '\n');

		printf("             %s%s\n", head, cli_visible(c,
		    arena_cstr(&c->arena, line)));
	}
}

static const char *
seen(struct cli *c, struct str text)
{
	const char *s = arena_cstr(&c->arena, text);

	return s == NULL ? "?" : cli_visible(c, s);
}

static void
finding_print(struct cli *c, const struct finding *f)
{
	printf(" %s %-9s %s: %s\n", finding_mark_sign(f->mark),
	    record_topic_title(f->topic), seen(c, f->name), seen(c, f->says));
	if (f->mark == MARK_WELL)
		return;
	if (f->found.n > 0)
		lines_print(c, "found   ", f->found);
	if (f->mend.n > 0)
		lines_print(c, "to do   ", f->mend);
}

static void
finding_json(const struct finding *f, struct buf *b)
{
	struct json j;

	json_begin(&j, b);
	json_put_object(&j, NULL);
	json_put_str(&j, "topic", str_of(record_topic_word(f->topic)));
	json_put_str(&j, "result", str_of(finding_mark_word(f->mark)));
	json_put_str(&j, "name", f->name);
	if (f->expected.n > 0)
		json_put_str(&j, "expected", f->expected);
	if (f->found.n > 0)
		json_put_str(&j, "found", f->found);
	json_put_str(&j, "text", f->says);
	if (f->mend.n > 0)
		json_put_str(&j, "to_do", f->mend);
	json_end_object(&j);
}

static int
report_json(struct cli *c, const struct dns_report *r)
{
	struct buf b = { .p = arena_alloc(&c->arena, PRINT_MOST),
		.cap = PRINT_MOST };

	if (b.p == NULL)
		return cli_fail(EX_OSERR, "no memory");
	for (size_t i = 0; i < r->n; i++) {
		b.n = 0;
		b.full = false;
		finding_json(&r->v[i], &b);
		if (b.full)
			return cli_fail(EX_SOFTWARE, "a finding is too long");
		printf(STR_FMT "\n", STR_ARG(buf_str(&b)));
	}
	return 0;
}

static void
report_print(struct cli *c, const struct dns_report *r)
{
	printf(STR_FMT "\n", STR_ARG(r->domain));
	for (size_t i = 0; i < r->n; i++)
		finding_print(c, &r->v[i]);
	printf("%u well, %u warning%s, %u error%s, %u unknown; when the "
	    "registration ends is not looked at\n", r->marks[MARK_WELL],
	    r->marks[MARK_HINT], r->marks[MARK_HINT] == 1 ? "" : "s",
	    r->marks[MARK_WRONG], r->marks[MARK_WRONG] == 1 ? "" : "s",
	    r->marks[MARK_UNKNOWN]);
}

static int
report_tell(struct cli *c, const struct checking_run *r)
{
	int rc = 0;

	if (!r->is_whole)
		return cli_fail(EX_OSERR, "no memory");
	if (c->json)
		rc = report_json(c, r->report);
	else
		report_print(c, r->report);
	if (rc != 0)
		return rc;
	return r->report->marks[MARK_WRONG] > 0 ? CHECK_BROKEN :
	    r->report->marks[MARK_UNKNOWN] > 0 &&
	    r->report->marks[MARK_WELL] == 0 ? EX_TEMPFAIL : 0;
}

static int
domain_check(struct cli *c, struct dns_facts *f)
{
	struct checking_run r = { .ask.records = f->records,
		.ask.anchors = f->anchors };
	int rc;

	arena_init(&r.arena, CHECK_MEMORY);
	r.report = arena_new(&r.arena, struct dns_report);
	if (c->no_probe)
		f->config->dns.probe = STR("");
	rc = r.report == NULL || fetch_prepare() != 0 ||
	    core_run_all(1, check_run, &r) != 0 ?
	    cli_fail(EX_OSERR, "no core could run") : report_tell(c, &r);
	arena_clear(&r.arena);
	return rc;
}

int
command_dns_check(struct cli *c)
{
	struct dns_facts *f = arena_new(&c->arena, struct dns_facts);
	int rc;

	if (c->n_words != 1)
		return cli_usage("dns check");
	if (f == NULL)
		return cli_fail(EX_OSERR, "no memory");
	rc = dns_facts_find(c, c->words[0], false, f);
	if (rc == 0)
		rc = domain_check(c, f);
	dns_facts_end(f);
	return rc;
}

static int
said_line(struct ask *a, struct str line)
{
	if (a->cli->json)
		printf("{\"done\":true}\n");
	else
		printf(STR_FMT "\n", STR_ARG(line));
	return 0;
}

int
command_dns_watch(struct cli *c)
{
	struct ask a = { .method = "POST", .target = STR("/v1/dns/look"),
		.body_fd = -1, .line = said_line };

	return c->n_words > 0 ? cli_usage("dns watch") : ask(c, &a);
}
