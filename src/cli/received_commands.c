/* received_commands.c -- what others report about our domains: dmarc show, dmarc
 * received, dmarc failures, tls received. */
#include "base/num.h"
#include "cli/ask.h"
#include "cli/dmarc_sources.h"
#include "cli/resolve.h"
#include "cli/told.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum { DAYS_USUAL = 30, DAYS_MOST = 3650, ORGANIZATIONS_MOST = 1000,
	ADVICE_MOST = 12 };

/* "2026-11-21" */
struct day_text { char text[16]; };
static struct day_text
day_print(intmax_t seconds)
{
	time_t t = (time_t)seconds;
	struct day_text d = { "" };
	struct tm tm;

	if (gmtime_r(&t, &tm) != NULL)
		(void)strftime(d.text, sizeof d.text, "%Y-%m-%d", &tm);
	return d;
}

/* ---- asking ---- */

static int
days_take(struct cli *c, uint64_t *days)
{
	*days = DAYS_USUAL;
	if (c->days.p == NULL || (parse_u64(c->days, DAYS_MOST, days) &&
	    *days > 0))
		return 0;
	return cli_fail(EX_USAGE, "--days is a number from 1 to %d", DAYS_MOST);
}

/* The rows of that kind; domain n == 0: of all. */
static int
rows_ask(struct cli *c, const char *rows, struct str domain,
    int (*line)(struct ask *, struct str), void *owner)
{
	struct ask a = { .method = "GET", .body_fd = -1, .line = line,
		.owner = owner };
	uint64_t days;

	if (days_take(c, &days) != 0)
		return EX_USAGE;
	for (size_t i = 0; i < domain.n; i++)
		if (!ascii_is_alnum(domain.p[i]) && domain.p[i] != '.' &&
		    domain.p[i] != '-' && domain.p[i] != '_')
			return cli_fail(EX_USAGE, "'" STR_FMT "' is not a domain "
			    "(beyond ASCII: its A-labels)", STR_ARG(domain));
	a.target = arena_printf(&c->arena, "/v1/received?rows=%s&days=%"PRIu64
	    "&domain="STR_FMT, rows, days, STR_ARG(domain));
	return ask(c, &a);
}

/* How a row is told. */
struct telling {
	void (*say)(struct cli *, const json_t *);
};

static int
row_line(struct ask *a, struct str line)
{
	const struct telling *t = a->owner;

	return told_say(a, line, t->say);
}

/* Each row by say(); with --json as it is. */
static int
rows_print(struct cli *c, const char *rows,
    void (*say)(struct cli *, const json_t *), const char *command)
{
	struct telling t = { say };

	if (c->n_words > 1)
		return cli_usage(command);
	return rows_ask(c, rows, c->n_words == 0 ? STR("") : c->words[0],
	    row_line, &t);
}

/* ---- dmarc received ---- */

static void
head_say(struct cli *c, const json_t *j)
{
	printf("%s %-7s %8jd ", day_print(told_number(j, "begins")).text,
	    told_text(j, "kind"), told_number(j, "messages"));
	printf("%s by %s", told_visible(c, j, "domain"),
	    told_visible(c, j, "organization"));
	if (told_text(j, "author")[0] != '\0')
		printf(", from %s%s", told_visible(c, j, "author"),
		    told_number(j, "proven") != 0 ? " (dmarc=pass)" :
		    " (not proven)");
	printf("  %s\n", told_text(j, "message"));
	if (told_text(j, "error")[0] != '\0')
		printf("%29s they say: %s\n", "", told_visible(c, j, "error"));
}

int
command_dmarc_received(struct cli *c)
{
	return rows_print(c, "heads", head_say, "dmarc received");
}

/* ---- dmarc failures ---- */

static void
failure_say(struct cli *c, const json_t *j)
{
	printf("%s %5jd %-10s from %s", told_number(j, "arrived") == 0 ?
	    "----------" : day_print(told_number(j, "arrived")).text,
	    told_number(j, "count"), told_visible(c, j, "kind"),
	    told_visible(c, j, "source"));
	printf(" by <%s>", told_visible(c, j, "sender"));
	if (told_text(j, "delivery")[0] != '\0')
		printf(", %s", told_visible(c, j, "delivery"));
	printf("\n%28s From: %s\n", "", told_visible(c, j, "author"));
	printf("%28s Subject: %s\n", "", told_visible(c, j, "subject"));
	if (told_text(j, "results")[0] != '\0')
		printf("%28s %s\n", "", told_visible(c, j, "results"));
}

int
command_dmarc_failures(struct cli *c)
{
	return rows_print(c, "failure", failure_say, "dmarc failures");
}

/* ---- tls received ---- */

static void
tls_say(struct cli *c, const json_t *j)
{
	if (told_text(j, "result")[0] == '\0') {
		printf("%8jd good %6jd failed  %-15s %s\n",
		    told_number(j, "good"), told_number(j, "failed"),
		    told_text(j, "policy"), told_visible(c, j, "domain"));
		return;
	}
	printf("%13s %6jd %s", "", told_number(j, "count"),
	    told_visible(c, j, "result"));
	printf(" at %s[%s]", told_visible(c, j, "mx_host"),
	    told_visible(c, j, "mx_address"));
	printf(" from %s", told_visible(c, j, "source"));
	if (told_text(j, "reason")[0] != '\0')
		printf(": %s", told_visible(c, j, "reason"));
	printf("\n");
}

int
command_tls_received(struct cli *c)
{
	return rows_print(c, "tls", tls_say, "tls received");
}

/* ---- dmarc show ---- */

struct showing {
	struct cli *cli;
	struct str domain;
	struct config *config;
	struct dmarc_sources sources;
	size_t n_reports, n_unproven, n_organizations;
	struct str organizations[ORGANIZATIONS_MOST];
	struct str policy;		/* of the latest */
	intmax_t begins, ends;
	uint64_t n, pass, quarantined, rejected;
};

static void
organization_count(struct showing *s, const char *name)
{
	for (size_t i = 0; i < s->n_organizations; i++)
		if (str_eq(s->organizations[i], str_of(name)))
			return;
	if (s->n_organizations < ORGANIZATIONS_MOST)
		s->organizations[s->n_organizations++] =
		    arena_copy(&s->cli->arena, str_of(name));
}

static int
show_head(struct ask *a, struct str line)
{
	struct showing *s = a->owner;
	json_t *j = told_read(line);

	if (j == NULL)
		return EX_DATAERR;
	if (strcmp(told_text(j, "kind"), "dmarc") == 0) {
		if (s->n_reports++ == 0) {	/* the latest */
			s->policy = arena_copy(&s->cli->arena,
			    str_of(told_text(j, "policy")));
			s->begins = told_number(j, "begins");
		}
		s->n_unproven += told_number(j, "proven") == 0;
		organization_count(s, told_text(j, "organization"));
		if (told_number(j, "begins") < s->begins)
			s->begins = told_number(j, "begins");
		if (told_number(j, "ends") > s->ends)
			s->ends = told_number(j, "ends");
	}
	json_decref(j);
	return 0;
}

static int
show_row(struct ask *a, struct str line)
{
	struct showing *s = a->owner;
	json_t *j = told_read(line);
	struct dmarc_row row;
	bool has_room;

	if (j == NULL)
		return EX_DATAERR;
	row = (struct dmarc_row){ .source = str_of(told_text(j, "source")),
		.disposition = str_of(told_text(j, "disposition")),
		.dkim = str_of(told_text(j, "dkim")),
		.spf = str_of(told_text(j, "spf")),
		.reason = str_of(told_text(j, "reason")),
		.results = str_of(told_text(j, "results")),
		.count = (uint64_t)told_number(j, "count") };
	has_room = dmarc_sources_add(&s->sources, &row, s->domain);

	json_decref(j);
	return has_room ? 0 : cli_fail(EX_OSERR, "no memory");
}

static void
show_sum(struct showing *s)
{
	for (size_t i = 0; i < s->sources.n; i++) {
		const struct dmarc_source *one = &s->sources.list[i];

		s->n += one->n;
		s->pass += one->pass;
		s->quarantined += one->quarantined;
		s->rejected += one->rejected;
	}
}

static unsigned
percent(uint64_t part, uint64_t whole)
{
	return whole == 0 ? 0 : (unsigned)(part * 100 / whole);
}

static void
show_table(const struct showing *s)
{
	struct str group = STR("");

	printf("\nmessages  pass  dkim   spf  source\n");
	for (size_t i = 0; i < s->sources.n; i++) {
		const struct dmarc_source *one = &s->sources.list[i];

		if (!str_eq(group, one->group))
			printf("%8" PRIu64 "                    %s\n",
			    one->group_n, cli_visible(s->cli, arena_cstr(
			    &s->cli->arena, one->group)));
		group = one->group;
		printf("%8" PRIu64 " %4u%% %4u%% %4u%%    %s", one->n,
		    percent(one->pass, one->n), percent(one->dkim, one->n),
		    percent(one->spf, one->n), cli_visible(s->cli,
		    arena_cstr(&s->cli->arena, one->source)));
		if (one->name.n > 0)
			printf(" %s", cli_visible(s->cli, arena_cstr(
			    &s->cli->arena, one->name)));
		printf("%s\n", one->is_ours ? " (this server)" : "");
	}
	if (s->sources.left_out > 0)
		printf("%8" PRIu64 " of other sources\n", s->sources.left_out);
}

/* ---- what to do ---- */

static const char *
visible(const struct showing *s, struct str text)
{
	return cli_visible(s->cli, arena_cstr(&s->cli->arena, text));
}

/* Nothing of what does not pass says who it was. */
static bool
source_is_nobody(const struct dmarc_source *one)
{
	return one->pass < one->n && !one->is_ours && one->other.n == 0 &&
	    one->broken.n == 0 && one->forwarded < one->n - one->pass;
}

static void
advise_nobodies(const struct showing *s)
{
	uint64_t bad = 0;
	size_t n = 0;

	for (size_t i = 0; i < s->sources.n; i++)
		if (source_is_nobody(&s->sources.list[i])) {
			bad += s->sources.list[i].n - s->sources.list[i].pass;
			n++;
		}
	if (n > 0)
		printf("- Nothing vouches for %" PRIu64 " messages of %zu "
		    "sources, those with less than 100%% above. If one is "
		    "yours, add it to the SPF record and let it sign; if not, "
		    "your policy is for such as these.\n", bad, n);
}

/* One sentence on who does not always pass. */
static void
advise_source(const struct showing *s, const struct dmarc_source *one)
{
	uint64_t bad = one->n - one->pass;

	printf("- %" PRIu64 " messages of %s do not pass: ", bad,
	    visible(s, one->name.n > 0 ? one->name : one->source));
	if (one->is_ours)
		printf("that is this server. `nightmail dns check "STR_FMT
		    "' says which record is wrong, and `nightmail dkim check' "
		    "whether its keys are published.\n", STR_ARG(s->domain));
	else if (one->forwarded == bad)
		printf("receivers know them as forwarded, by lists mostly; there "
		    "is nothing to do.\n");
	else if (one->other.n > 0)
		printf("it sends as %s. If you use that service, let it sign with "
		    "your domain (DKIM with d="STR_FMT").\n",
		    visible(s, one->other), STR_ARG(s->domain));
	else
		printf("they are signed by %s, and the signature fails: they were "
		    "changed on their way, or the key in the DNS is another.\n",
		    visible(s, one->broken));
}

static void
advise_policy(const struct showing *s)
{
	bool is_none = str_has_prefix_icase(s->policy, STR("p=none"));

	if (is_none && s->n > 0 && percent(s->pass, s->n) >= 98)
		printf("- p=none only watches, and %u %% pass: p=quarantine is "
		    "the next step (`nightmail dns dmarc' makes the record).\n",
		    percent(s->pass, s->n));
	else if (is_none)
		printf("- p=none only watches. Settle the sources above first, "
		    "then publish p=quarantine.\n");
	if (s->n_unproven > 0)
		printf("- %zu of %zu reports came from senders whose DMARC did "
		    "not pass here; `nightmail dmarc received' names them.\n",
		    s->n_unproven, s->n_reports);
}

static void
show_advice(const struct showing *s)
{
	unsigned n = 0;

	printf("\nWhat to do\n");
	for (size_t i = 0; i < s->sources.n && n < ADVICE_MOST; i++) {
		const struct dmarc_source *one = &s->sources.list[i];

		if (one->pass == one->n || source_is_nobody(one))
			continue;
		advise_source(s, one);
		n++;
	}
	advise_nobodies(s);
	if (s->pass == s->n)
		printf("- Nothing: all of them pass.\n");
	advise_policy(s);
}

static void
show_text(const struct showing *s)
{
	printf(STR_FMT": %zu reports of %zu organizations, %s to %s",
	    STR_ARG(s->domain), s->n_reports, s->n_organizations,
	    day_print(s->begins).text, day_print(s->ends).text);
	if (s->policy.n > 0)
		printf("; they saw %s", visible(s, s->policy));
	printf("\n%" PRIu64 " messages: %" PRIu64 " pass (%u %%), %" PRIu64
	    " do not; %" PRIu64 " quarantined, %" PRIu64 " rejected\n", s->n,
	    s->pass, percent(s->pass, s->n), s->n - s->pass, s->quarantined,
	    s->rejected);
	if (s->sources.n == 0)
		return;
	show_table(s);
	show_advice(s);
}

static json_t *
source_json(const struct dmarc_source *one)
{
	return json_pack("{s:s%,s:s%,s:s%,s:b,s:I,s:I,s:I,s:I,s:I,s:I,s:I}",
	    "source", one->source.p, one->source.n,
	    "name", one->name.p == NULL ? "" : one->name.p, one->name.n,
	    "group", one->group.p, one->group.n, "is_ours", one->is_ours,
	    "messages", (json_int_t)one->n, "pass", (json_int_t)one->pass,
	    "dkim", (json_int_t)one->dkim, "spf", (json_int_t)one->spf,
	    "quarantined", (json_int_t)one->quarantined,
	    "rejected", (json_int_t)one->rejected,
	    "forwarded", (json_int_t)one->forwarded);
}

static void
show_json(const struct showing *s)
{
	json_t *list = json_array(), *all;

	for (size_t i = 0; i < s->sources.n; i++)
		(void)json_array_append_new(list,
		    source_json(&s->sources.list[i]));
	all = json_pack("{s:s%,s:I,s:I,s:I,s:I,s:I,s:s%,s:o}", "domain",
	    s->domain.p, s->domain.n, "reports", (json_int_t)s->n_reports,
	    "unproven", (json_int_t)s->n_unproven, "organizations",
	    (json_int_t)s->n_organizations, "messages", (json_int_t)s->n,
	    "pass", (json_int_t)s->pass, "policy", s->policy.p == NULL ? "" :
	    s->policy.p, s->policy.n, "sources", list);
	if (all != NULL && json_dumpf(all, stdout, JSON_COMPACT) == 0)
		putchar('\n');
	json_decref(all);
}

static int
show_run(struct showing *s)
{
	int rc = rows_ask(s->cli, "heads", s->domain, show_head, s);

	if (rc == 0)
		rc = rows_ask(s->cli, "dmarc", s->domain, show_row, s);
	if (rc != 0)
		return rc;
	if (s->n_reports == 0 && !s->cli->json) {
		printf("No reports about "STR_FMT" were kept in that time. They "
		    "come when its DMARC record names an address of "
		    "reports.inbox (rua=mailto:...).\n", STR_ARG(s->domain));
		return 0;
	}
	if (resolve_prepare(s->cli, &s->config) == 0)
		dmarc_sources_know(&s->sources, s->config);
	dmarc_sources_sort(&s->sources);
	show_sum(s);
	if (s->cli->json)
		show_json(s);
	else
		show_text(s);
	return 0;
}

int
command_dmarc_show(struct cli *c)
{
	struct showing *s = arena_new(&c->arena, struct showing);
	int rc;

	if (c->n_words != 1)
		return cli_usage("dmarc show");
	if (s == NULL || !dmarc_sources_begin(&s->sources, &c->arena))
		return cli_fail(EX_OSERR, "no memory");
	s->cli = c;
	s->domain = arena_lower(&c->arena, c->words[0]);
	rc = show_run(s);
	if (s->config != NULL)
		config_free(s->config);
	return rc;
}
