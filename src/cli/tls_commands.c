/* tls_commands.c -- tls report: a day's TLS to other servers, by policy domain. */
#include "base/num.h"
#include "cli/ask.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>
#include <time.h>

enum { DAY_S = 86400, DAY_ROOM = 16, REPORTS_MOST = 100000 };

/* What is made of a day. */
struct tallying {
	char day[DAY_ROOM];		/* "2026-11-21" */
	char host[300];			/* who reports */
	json_t *domains;		/* name -> { policies: key -> entry } */
};

/* ---- the day ---- */

static time_t
day_begin(struct str text)
{
	struct tm tm = { .tm_isdst = 0 };
	struct str month, day, rest = text, year = str_cut(&rest, '-');
	uint64_t y, m, d;

	month = str_cut(&rest, '-');
	day = rest;
	if (year.n != 4 || month.n != 2 || day.n != 2 ||
	    !parse_u64(year, 9999, &y) || !parse_u64(month, 12, &m) ||
	    !parse_u64(day, 31, &d) || y < 1970 || m == 0 || d == 0)
		return -1;
	tm.tm_year = (int)y - 1900;
	tm.tm_mon = (int)m - 1;
	tm.tm_mday = (int)d;
	return timegm(&tm);
}

/* How many seconds ago it began; -1: it is no day, or is to come. */
static intmax_t
day_find(struct cli *c, struct tallying *t)
{
	time_t now = time(NULL), begin = now - now % DAY_S;
	struct tm tm;

	if (c->day.p != NULL)
		begin = day_begin(c->day);
	if (begin < 0 || begin > now || gmtime_r(&begin, &tm) == NULL ||
	    strftime(t->day, sizeof t->day, "%Y-%m-%d", &tm) == 0)
		return -1;
	return (intmax_t)(now - begin);
}

/* ---- tallying ---- */

static const char *
text_of(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s == NULL ? "" : s;
}

/* The member of that name, made when it is not there.  Borrowed. */
static json_t *
child(json_t *j, const char *key)
{
	json_t *v = json_object_get(j, key);

	if (v == NULL && json_object_set_new(j, key, json_object()) == 0)
		v = json_object_get(j, key);
	return v;
}

static void
count(json_t *j, const char *key)
{
	json_int_t n = json_integer_value(json_object_get(j, key));

	(void)json_object_set_new(j, key, json_integer(n + 1));
}

/* Lines, none of them empty. */
static json_t *
lines_of(const char *text, const char *only)
{
	struct str rest = str_of(text);
	json_t *list = json_array();

	while (rest.n > 0) {
		struct str line = str_trim(str_cut(&rest, '\n'));

		if (only != NULL) {
			if (!str_skip(&line, str_of(only)))
				continue;
			line = str_trim(line);
		}
		if (line.n > 0)
			(void)json_array_append_new(list, json_stringn(line.p,
			    line.n));
	}
	return list;
}

/* RFC 8460 4.4: "mx-host" is the policy's patterns, where there are any. */
static void
policy_put(json_t *entry, const json_t *e)
{
	json_t *p = json_object();
	const char *text = text_of(e, "policy_text");

	(void)json_object_set_new(p, "policy-type",
	    json_string(text_of(e, "policy")));
	if (text[0] != '\0')
		(void)json_object_set_new(p, "policy-string",
		    lines_of(text, NULL));
	(void)json_object_set_new(p, "policy-domain",
	    json_string(text_of(e, "domain")));
	if (strcmp(text_of(e, "policy"), "sts") == 0 && text[0] != '\0')
		(void)json_object_set_new(p, "mx-host",
		    lines_of(text, "mx:"));
	(void)json_object_set_new(entry, "policy", p);
}

/* "mx.example[192.0.2.1]:25" */
static void
relay_part(const char *relay, char *host, char *ip, size_t room)
{
	struct str rest = str_of(relay), name = str_cut(&rest, '[');
	size_t end = str_find_last(rest, ']');

	(void)str_cstr(name, host, room);
	(void)str_cstr(str_sub(rest, 0, end == rest.n ? 0 : end), ip, room);
}

static void
detail_set(json_t *d, const char *key, const char *value)
{
	if (value[0] != '\0')
		(void)json_object_set_new(d, key, json_string(value));
}

static void
failure_put(json_t *entry, const json_t *e)
{
	char host[300] = "", ip[300] = "";
	json_t *d, *key;

	relay_part(text_of(e, "relay"), host, ip, sizeof host);
	key = json_sprintf("%s %s %s %s %s", text_of(e, "result"),
	    text_of(e, "local"), host, ip, text_of(e, "text"));
	d = child(child(entry, "failures"), json_string_value(key));
	json_decref(key);
	detail_set(d, "result-type", text_of(e, "result"));
	detail_set(d, "sending-mta-ip", text_of(e, "local"));
	detail_set(d, "receiving-mx-hostname", host);
	detail_set(d, "receiving-ip", ip);
	detail_set(d, "failure-reason-code", text_of(e, "text"));
	count(d, "failed-session-count");
}

static void
session_take(struct tallying *t, const json_t *e)
{
	json_t *entry, *key = json_sprintf("%s %s", text_of(e, "policy"),
	    text_of(e, "policy_text"));

	entry = child(child(t->domains, text_of(e, "domain")),
	    json_string_value(key));
	json_decref(key);
	if (json_object_get(entry, "policy") == NULL)
		policy_put(entry, e);
	if (text_of(e, "result")[0] == '\0') {
		count(entry, "good");
		return;
	}
	count(entry, "failed");
	failure_put(entry, e);
}

static int
event_line(struct ask *a, struct str line)
{
	struct tallying *t = a->owner;
	json_error_t error;
	json_t *e = json_loadb(line.p, line.n, 0, &error);

	if (e == NULL)
		return cli_fail(EX_DATAERR, "the answer is no JSON: %s",
		    error.text);
	if (strncmp(text_of(e, "at"), t->day, strlen(t->day)) == 0 &&
	    json_object_size(t->domains) < REPORTS_MOST)
		session_take(t, e);
	json_decref(e);
	return 0;
}

/* ---- telling ---- */

static json_t *
entry_report(json_t *entry)
{
	json_t *one = json_object(), *details = json_array(), *d;
	const char *key;

	(void)json_object_set(one, "policy", json_object_get(entry, "policy"));
	(void)json_object_set_new(one, "summary", json_pack("{s:I,s:I}",
	    "total-successful-session-count",
	    json_integer_value(json_object_get(entry, "good")),
	    "total-failure-session-count",
	    json_integer_value(json_object_get(entry, "failed"))));
	json_object_foreach(json_object_get(entry, "failures"), key, d)
		(void)json_array_append(details, d);
	if (json_array_size(details) > 0)
		(void)json_object_set(one, "failure-details", details);
	json_decref(details);
	return one;
}

/* RFC 8460 4.4; a report for each domain. */
static void
domain_json(const struct tallying *t, const char *domain, json_t *policies)
{
	json_t *list = json_array(), *entry, *report;
	const char *key;

	json_object_foreach(policies, key, entry)
		(void)json_array_append_new(list, entry_report(entry));
	report = json_pack("{s:s,s:{s:s+,s:s+},s:s+,s:s++++,s:o}",
	    "organization-name", t->host, "date-range",
	    "start-datetime", t->day, "T00:00:00Z",
	    "end-datetime", t->day, "T23:59:59Z",
	    "contact-info", "postmaster@", t->host,
	    "report-id", t->day, "_", domain, "@", t->host,
	    "policies", list);
	if (report != NULL && json_dumpf(report, stdout, JSON_COMPACT) == 0)
		putchar('\n');
	json_decref(report);
}

static void
entry_say(struct cli *c, const json_t *entry)
{
	json_t *d, *failures = json_object_get(entry, "failures");
	const char *key;

	printf("%8jd good %6jd failed  %-15s %s\n",
	    (intmax_t)json_integer_value(json_object_get(entry, "good")),
	    (intmax_t)json_integer_value(json_object_get(entry, "failed")),
	    text_of(json_object_get(entry, "policy"), "policy-type"),
	    cli_visible(c, text_of(json_object_get(entry, "policy"),
	    "policy-domain")));
	json_object_foreach(failures, key, d) {
		printf("%13s %6jd %s at %s", "",
		    (intmax_t)json_integer_value(json_object_get(d,
		    "failed-session-count")), text_of(d, "result-type"),
		    cli_visible(c, text_of(d, "receiving-mx-hostname")));
		printf("[%s]: %s\n", cli_visible(c, text_of(d,
		    "receiving-ip")), cli_visible(c, text_of(d,
		    "failure-reason-code")));
	}
}

static void
tally_say(struct cli *c, const struct tallying *t)
{
	const char *domain, *key;
	json_t *policies, *entry;

	json_object_foreach(t->domains, domain, policies) {
		if (c->json) {
			domain_json(t, domain, policies);
			continue;
		}
		json_object_foreach(policies, key, entry)
			entry_say(c, entry);
	}
}

static int
status_line(struct ask *a, struct str line)
{
	struct tallying *t = a->owner;
	json_error_t error;
	json_t *j = json_loadb(line.p, line.n, 0, &error);

	(void)snprintf(t->host, sizeof t->host, "%s", text_of(j, "hostname"));
	json_decref(j);
	return 0;
}

int
command_tls_report(struct cli *c)
{
	struct tallying t = { .domains = json_object() };
	struct ask status = { .method = "GET", .target = STR("/v1/status"),
		.body_fd = -1, .line = status_line, .owner = &t };
	struct ask events = { .method = "GET", .body_fd = -1,
		.line = event_line, .owner = &t };
	intmax_t since = day_find(c, &t);
	int rc;

	if (c->n_words > 0)
		return cli_usage("tls report");
	if (since < 0)
		return cli_fail(EX_USAGE, "'" STR_FMT "' is not a day of the "
		    "past (example: 2026-11-21)", STR_ARG(c->day));
	events.target = arena_printf(&c->arena,
	    "/v1/events?type=tls_session&since=%jd", since + 1);
	rc = ask(c, &status);
	if (rc == 0)
		rc = ask(c, &events);
	if (rc == 0)
		tally_say(c, &t);
	json_decref(t.domains);
	return rc;
}
