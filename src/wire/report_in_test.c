#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>

#include "wire/report_in.h"

enum { RECORDS = 64, POLICIES = 64, FILE_MOST = 256 * 1024, SIGNATURES = 4 };

struct told {
	struct arena kept;
	size_t n_records, n_policies, n_forgotten;
	struct dmarc_report_record records[RECORDS];
	struct dmarc_report_dkim dkim[RECORDS][SIGNATURES];
	struct dmarc_report_spf spf[RECORDS];
	struct { struct str domain, result, mx_host; uint64_t good, failed, count; }
	    policies[POLICIES];
};

static struct told told;
static struct arena arena;

static struct str
keep(struct str s)
{
	return s.p == NULL ? s : arena_copy(&told.kept, s);
}

static int
record_keep(void *arg, const struct dmarc_report_record *r)
{
	size_t n = told.n_records;
	struct dmarc_report_record *k = &told.records[n];

	(void)arg;
	if (n == RECORDS)
		return -1;
	told.n_records++;
	*k = *r;
	k->source_ip = keep(r->source_ip);
	k->header_from = keep(r->header_from);
	k->envelope_from = keep(r->envelope_from);
	k->envelope_to = keep(r->envelope_to);
	for (size_t i = 0; i < r->n_dkim && i < SIGNATURES; i++)
		told.dkim[n][i] = (struct dmarc_report_dkim){
			keep(r->dkim[i].domain), keep(r->dkim[i].selector),
			r->dkim[i].result, keep(r->dkim[i].human_result) };
	k->dkim = told.dkim[n];
	if (r->spf != NULL)
		told.spf[n] = (struct dmarc_report_spf){ keep(r->spf->domain),
			r->spf->scope, r->spf->result, STR_NONE };
	return 0;
}

static int
policy_keep(void *arg, const struct tls_rpt_policy *p,
    const struct tls_rpt_failure *f)
{
	size_t n = told.n_policies;

	(void)arg;
	if (n == POLICIES)
		return -1;
	told.n_policies++;
	told.policies[n].domain = keep(p->domain);
	told.policies[n].good = p->n_good;
	told.policies[n].failed = p->n_failed;
	told.policies[n].result = f == NULL ? STR_NONE : keep(f->result);
	told.policies[n].mx_host = f == NULL ? STR_NONE : keep(f->mx_host);
	told.policies[n].count = f == NULL ? 0 : f->count;
	return 0;
}

static void
forget(void *arg)
{
	(void)arg;
	told.n_forgotten++;
	told.n_records = told.n_policies = 0;
}

static const struct report_in *
read_cut(struct str s, size_t at_once)
{
	struct report_in_listener l = { record_keep, policy_keep, forget, NULL };
	struct report_in_read *r;

	arena_clear(&arena);
	arena_clear(&told.kept);
	told.n_records = told.n_policies = told.n_forgotten = 0;
	r = report_in_begin(&arena, &l);
	assert_non_null(r);
	for (; s.n > 0; s = str_sub(s, at_once, s.n))
		report_in_take(r, str_sub(s, 0, at_once));
	return report_in_end(r);
}

static const struct report_in *
read_text(const char *text)
{
	return read_cut(str_of(text), 7);
}

static int
setup(void **state)
{
	(void)state;
	arena_init(&arena, REPORT_IN_MEMORY);
	arena_init(&told.kept, 4 * 1024 * 1024);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_clear(&arena);
	arena_clear(&told.kept);
	return 0;
}

static void
str_is(struct str s, const char *want)
{
	if (!str_eq(s, str_of(want)))
		fail_msg("'" STR_FMT "' is not '%s'", STR_ARG(s), want);
}

/* ---- files ---- */

static char file_room[FILE_MOST];

static struct str
file_read(const char *path)
{
	FILE *f = fopen(path, "rb");
	size_t n;

	if (f == NULL)
		fail_msg("%s is not there", path);
	n = fread(file_room, 1, sizeof file_room, f);
	fclose(f);
	return (struct str){ file_room, n };
}

/* A file that is no message becomes the body of one; a message's lines end in
 * CRLF, as they would from the network. */
static struct str
message_read(const char *path, const char *type)
{
	static char room[2 * FILE_MOST];
	struct buf b = BUF_OF(room);
	struct str s = file_read(path);

	if (type != NULL) {
		buf_printf(&b, "Content-Type: %s\r\n"
		    "Content-Transfer-Encoding: binary\r\n\r\n", type);
		buf_put(&b, s);
		return buf_str(&b);
	}
	if (str_has_prefix_icase(s, STR("From ")))	/* an mbox's line */
		str_cut(&s, '\n');
	for (size_t i = 0; i < s.n; i++) {
		if (s.p[i] == '\n' && (i == 0 || s.p[i - 1] != '\r'))
			buf_putc(&b, '\r');
		buf_putc(&b, s.p[i]);
	}
	assert_false(b.full);
	return buf_str(&b);
}

/* ---- what Stalwart's suite expects ---- */

static const char *
text_at(const json_t *j, const char *key)
{
	const char *s = json_string_value(json_object_get(j, key));

	return s == NULL ? "" : s;
}

/* "Unspecified" is absent; words of theirs and ours differ in case. */
static void
word_is(enum report_word word, const json_t *j, const char *key)
{
	const char *want = text_at(j, key);
	struct str have = word == REPORT_ABSENT ? STR("") :
	    str_of(report_word_name(word));

	if (strcmp(want, "Unspecified") == 0)
		want = "";
	else if (strcmp(want, "MailFrom") == 0)
		want = "mfrom";
	else if (strcmp(want, "Relaxed") == 0)
		want = "r";
	else if (strcmp(want, "Strict") == 0)
		want = "s";
	if (!str_eq_icase(have, str_of(want)))
		fail_msg("%s: '" STR_FMT "' is not '%s'", key, STR_ARG(have),
		    want);
}

static void
text_is(struct str s, const json_t *j, const char *key)
{
	str_is(s.p == NULL ? STR("") : s, text_at(j, key));
}

static void
record_compare(const struct dmarc_report_record *r, const json_t *j)
{
	const json_t *row = json_object_get(j, "row");
	const json_t *ids = json_object_get(j, "identifiers");
	const json_t *evaluated = json_object_get(row, "policy_evaluated");
	const json_t *auth = json_object_get(j, "auth_results");
	const json_t *dkim = json_object_get(auth, "dkim");
	const json_t *spf = json_object_get(auth, "spf");

	text_is(r->source_ip, row, "source_ip");
	assert_int_equal(r->count,
	    json_integer_value(json_object_get(row, "count")));
	word_is(r->disposition, evaluated, "disposition");
	word_is(r->dkim_aligned, evaluated, "dkim");
	word_is(r->spf_aligned, evaluated, "spf");
	text_is(r->header_from, ids, "header_from");
	text_is(r->envelope_from, ids, "envelope_from");
	text_is(r->envelope_to, ids, "envelope_to");
	assert_int_equal(r->n_dkim, json_array_size(dkim));
	for (size_t i = 0; i < r->n_dkim; i++) {
		text_is(r->dkim[i].domain, json_array_get(dkim, i), "domain");
		text_is(r->dkim[i].selector, json_array_get(dkim, i),
		    "selector");
		word_is(r->dkim[i].result, json_array_get(dkim, i), "result");
	}
	assert_int_equal(r->spf != NULL, json_array_size(spf) > 0);
	if (r->spf != NULL) {
		const struct dmarc_report_spf *s = &told.spf[r - told.records];

		text_is(s->domain, json_array_get(spf, 0), "domain");
		word_is(s->result, json_array_get(spf, 0), "result");
		word_is(s->scope, json_array_get(spf, 0), "scope");
	}
}

static void
report_compare(const struct report_in *in, const json_t *j)
{
	const json_t *meta = json_object_get(j, "report_metadata");
	const json_t *range = json_object_get(meta, "date_range");
	const json_t *policy = json_object_get(j, "policy_published");
	const json_t *records = json_object_get(j, "record");
	const struct dmarc_report *d = &in->dmarc;

	assert_int_equal(in->kind, REPORT_IN_DMARC);
	text_is(d->org_name, meta, "org_name");
	text_is(d->email, meta, "email");
	text_is(d->extra_contact_info, meta, "extra_contact_info");
	text_is(d->report_id, meta, "report_id");
	text_is(d->generator, meta, "generator");
	assert_int_equal(d->begin,
	    json_integer_value(json_object_get(range, "begin")));
	assert_int_equal(d->end,
	    json_integer_value(json_object_get(range, "end")));
	text_is(d->domain, policy, "domain");
	word_is(d->p, policy, "p");
	word_is(d->sp, policy, "sp");
	word_is(d->np, policy, "np");
	word_is(d->adkim, policy, "adkim");
	word_is(d->aspf, policy, "aspf");
	assert_int_equal(d->testing == REPORT_y,
	    json_is_true(json_object_get(policy, "testing")));
	assert_int_equal(told.n_records, json_array_size(records));
	for (size_t i = 0; i < told.n_records; i++)
		record_compare(&told.records[i], json_array_get(records, i));
}

static json_t *
json_of(const char *path)
{
	json_error_t e;
	json_t *j = json_load_file(path, 0, &e);

	if (j == NULL)
		fail_msg("%s: %s", path, e.text);
	return j;
}

#define FEEDBACK "test/vectors/dmarc-feedback-stalwart/"

static void
stalwart_aggregate(void **state)
{
	static const char *const names[] = { "001.xml", "002.xml", "003.xml",
		"004.xml", "005.xml", "100.eml", "101.eml", "102.eml",
		"103.eml", "104.eml" };
	char path[200];
	json_t *j;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		bool is_xml = strstr(names[i], ".xml") != NULL;

		snprintf(path, sizeof path, FEEDBACK "%.3s.json", names[i]);
		j = json_of(path);
		snprintf(path, sizeof path, FEEDBACK "%s", names[i]);
		report_compare(read_cut(message_read(path, is_xml ? "text/xml" :
		    NULL), i % 2 == 0 ? 11 : FILE_MOST), j);
		json_decref(j);
	}
}

/* ---- feedback ---- */

#define ARF "test/vectors/arf-stalwart/"

/* "BodyHash", "AuthFailure" of theirs; "bodyhash", "auth-failure". */
static void
name_is(struct str s, const json_t *j, const char *key)
{
	char room[64];
	struct buf b = BUF_OF(room);
	const char *want = text_at(j, key);

	for (size_t i = 0; i < s.n; i++)
		if (s.p[i] != '-')
			buf_putc(&b, s.p[i]);
	if (!str_eq_icase(buf_str(&b), strcmp(want, "Unspecified") == 0 ?
	    STR("") : str_of(want)))
		fail_msg("%s: '" STR_FMT "' is not '%s'", key, STR_ARG(s), want);
}

static void
arf_compare(const struct arf *f, const json_t *j)
{
	const json_t *arrival = json_object_get(j, "arrival_date");

	name_is(f->type, j, "feedback_type");
	name_is(f->auth_failure, j, "auth_failure");
	name_is(f->delivery_result, j, "delivery_result");
	text_is(f->text[ARF_USER_AGENT], j, "user_agent");
	text_is(f->text[ARF_ORIGINAL_MAIL_FROM], j, "original_mail_from");
	text_is(f->text[ARF_ORIGINAL_ENVELOPE_ID], j, "original_envelope_id");
	text_is(f->text[ARF_DKIM_DOMAIN], j, "dkim_domain");
	text_is(f->text[ARF_DKIM_IDENTITY], j, "dkim_identity");
	text_is(f->text[ARF_DKIM_SELECTOR], j, "dkim_selector");
	text_is(f->reporting_mta, j, "reporting_mta");
	text_is(f->source_ip, j, "source_ip");
	assert_int_equal(f->incidents,
	    json_integer_value(json_object_get(j, "incidents")));
	assert_int_equal(f->domains.n,
	    json_array_size(json_object_get(j, "reported_domain")));
	assert_int_equal(f->uris.n,
	    json_array_size(json_object_get(j, "reported_uri")));
	assert_int_equal(f->results.n,
	    json_array_size(json_object_get(j, "authentication_results")));
	assert_int_equal(f->arrived.us / US_PER_SECOND,
	    json_integer_value(arrival));
	if (f->domains.n > 0)
		str_is(f->domains.v[0], json_string_value(json_array_get(
		    json_object_get(j, "reported_domain"), 0)));
}

static void
stalwart_feedback(void **state)
{
	char path[200];
	const struct report_in *in;
	json_t *j;

	(void)state;
	for (int i = 1; i <= 5; i++) {
		snprintf(path, sizeof path, ARF "%03d.json", i);
		j = json_of(path);
		snprintf(path, sizeof path, ARF "%03d.eml", i);
		in = read_cut(message_read(path, NULL), 13);
		assert_int_equal(in->kind, REPORT_IN_FEEDBACK);
		arf_compare(&in->arf, j);
		json_decref(j);
	}
}

/* ---- TLS ---- */

#define TLSRPT "test/vectors/tlsrpt-stalwart/"

static void
tls_compare(const struct report_in *in, const json_t *j)
{
	const json_t *policies = json_object_get(j, "policies");
	size_t n = 0;

	assert_int_equal(in->kind, REPORT_IN_TLS);
	text_is(in->tls.organization, j, "organization-name");
	text_is(in->tls.contact, j, "contact-info");
	text_is(in->tls.report_id, j, "report-id");
	for (size_t i = 0; i < json_array_size(policies); i++) {
		const json_t *p = json_array_get(policies, i);
		const json_t *list = json_object_get(p, "failure-details");
		const json_t *sum = json_object_get(p, "summary");

		assert_int_equal(told.policies[n].good,
		    json_integer_value(json_object_get(sum,
		    "total-successful-session-count")));
		assert_int_equal(told.policies[n].failed,
		    json_integer_value(json_object_get(sum,
		    "total-failure-session-count")));
		text_is(told.policies[n++].domain, json_object_get(p,
		    "policy"), "policy-domain");
		for (size_t k = 0; k < json_array_size(list); k++, n++) {
			text_is(told.policies[n].result,
			    json_array_get(list, k), "result-type");
			text_is(told.policies[n].mx_host,
			    json_array_get(list, k), "receiving-mx-hostname");
			assert_int_equal(told.policies[n].count,
			    json_integer_value(json_object_get(
			    json_array_get(list, k), "failed-session-count")));
		}
	}
	assert_int_equal(told.n_policies, n);
}

static void
stalwart_tls(void **state)
{
	static const char *const names[][2] = { { "rpt01.eml", "rpt01.json" },
		{ "rpt02.eml", "rpt02.json" }, { "rpt01.json", "rpt01.json" },
		{ "rpt02.json", "rpt02.json" }, { "rpt03.json", "rpt03.json" } };
	char path[200];
	json_t *j;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		bool is_json = strstr(names[i][0], ".json") != NULL;

		snprintf(path, sizeof path, TLSRPT "%s", names[i][1]);
		j = json_of(path);
		snprintf(path, sizeof path, TLSRPT "%s", names[i][0]);
		tls_compare(read_cut(message_read(path, is_json ?
		    "application/tlsrpt+json" : NULL), 17), j);
		json_decref(j);
	}
}

/* ---- parsedmarc's samples: what each is, and what is wrong with two ---- */

#define SAMPLES "test/vectors/dmarc-tlsrpt-parsedmarc/samples/"

struct tally { size_t dmarc, tls, feedback, none, broken; };

static void
sample_read(const char *path, struct tally *sum)
{
	const char *dot = strrchr(path, '.');
	const struct report_in *in = read_cut(message_read(path,
	    strcmp(dot, ".eml") == 0 ? NULL : "application/octet-stream"), 997);

	sum->dmarc += in->kind == REPORT_IN_DMARC;
	sum->tls += in->kind == REPORT_IN_TLS;
	sum->feedback += in->kind == REPORT_IN_FEEDBACK;
	sum->none += in->kind == REPORT_IN_NONE;
	sum->broken += in->kind == REPORT_IN_BROKEN;
	if (in->kind == REPORT_IN_BROKEN)
		print_message("%s: %s\n", path, in->why);
	if (in->kind == REPORT_IN_DMARC)
		assert_true(told.n_records > 0 && in->dmarc.domain.n > 0);
}

static void
samples_read(const char *folder, struct tally *sum)
{
	char path[400];
	struct dirent *e;
	DIR *d = opendir(folder);

	assert_non_null(d);
	*sum = (struct tally){ .none = 0 };
	while ((e = readdir(d)) != NULL) {
		snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
		if (e->d_type == DT_REG)
			sample_read(path, sum);
	}
	closedir(d);
}

/*
 * invalid_xml.xml has a tag within an address and a '<' within a name,
 * invalid_utf_8.xml an octet that is no UTF-8: both are no XML, and refused as
 * RFC 9990 3.1.1 wants of what does not match the format.
 * exim_plain_text_only_no_arf_part.eml has words only, and is mail for people.
 */
static void
parsedmarc_samples(void **state)
{
	struct tally sum;

	(void)state;
	samples_read(SAMPLES "aggregate", &sum);
	assert_int_equal(sum.dmarc, 16);
	assert_int_equal(sum.broken, 2);
	assert_int_equal(sum.none, 0);
	samples_read(SAMPLES "aggregate_invalid", &sum);
	assert_int_equal(sum.dmarc, 1);
	samples_read(SAMPLES "extract_report", &sum);
	assert_int_equal(sum.dmarc, 4);
	samples_read(SAMPLES "failure", &sum);
	assert_int_equal(sum.feedback, 4);
	assert_int_equal(sum.none, 1);
	samples_read(SAMPLES "smtp_tls", &sum);
	assert_int_equal(sum.tls, 4);
	samples_read("test/vectors/dmarc-tlsrpt-parsedmarc/samples", &sum);
	assert_int_equal(sum.none, 1);		/* empty.xml */
}

/* ---- what is no report, or a broken one ---- */

#define HEAD "<report_metadata><org_name>o</org_name><report_id>1</report_id>" \
	"<date_range><begin>1</begin><end>2</end></date_range>" \
	"</report_metadata><policy_published><domain>example.com</domain>" \
	"</policy_published>"
#define RECORD "<record><row><source_ip>192.0.2.1</source_ip><count>3</count>" \
	"</row></record>"

static void
broken(void **state)
{
	static const struct { const char *text, *why; } rows[] = {
		{ "\r\n<feedback>" HEAD "</feedbac>", "no XML" },
		{ "\r\n<feedback>" HEAD, "no XML" },
		{ "\r\n<!DOCTYPE feedback><feedback>" HEAD "</feedback>", "" },
		{ "\r\n<feedback><report_metadata/></feedback>", "lacks" },
		{ "\r\n<feedback>" HEAD "<record><row/></record></feedback>",
		    "address or its count" },
		{ "\r\n<feedback>" HEAD "<record><row><source_ip>1</source_ip>"
		    "<count>x</count></row></record></feedback>", "count" },
		{ "Content-Type: application/tlsrpt+json\r\n\r\n{", "no JSON" },
		{ "Content-Type: application/tlsrpt+json\r\n\r\n{}",
		    "no \"policies\"" },
		{ "Content-Type: message/feedback-report\r\n\r\n"
		    "Feedback-Type: abuse\r\n\r\n", "lacks" },
		{ "Content-Type: message/feedback-report\r\n\r\nVersion: 1\r\n"
		    "Feedback-Type: abuse\r\nUser-Agent: x\r\nVersion: 1\r\n",
		    "twice" },
		{ "\r\n\x1f\x8b garbage", "damaged" },
		{ "\r\nPK\3\4", "too early" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct report_in *in = read_text(rows[i].text);

		if (rows[i].why[0] == '\0') {
			assert_int_equal(in->kind, REPORT_IN_NONE);
			continue;
		}
		assert_int_equal(in->kind, REPORT_IN_BROKEN);
		if (strstr(in->why, rows[i].why) == NULL)
			fail_msg("row %zu: %s", i, in->why);
	}
}

static void
no_report(void **state)
{
	static const char *const rows[] = {
		"", "\r\n", "Subject: x\r\n\r\nHello.\r\n", "\r\n<html></html>",
		"Content-Type: text/html\r\n\r\n<feedback>" HEAD "</feedback>",
		"\r\n{ \"a\": 1 }", "\r\n{ no", "\r\n< 3 you",
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(read_text(rows[i])->kind, REPORT_IN_NONE);
}

/* The first that can be read counts; what a broken one told is forgotten; a
 * message within the message is not looked into. */
static void
several(void **state)
{
	static const char text[] =
	    "From: Reporter\r\n <a@b.example>\r\nMessage-ID: <m@b.example>\r\n"
	    "Authentication-Results: us; spf=pass\r\n"
	    "Authentication-Results: us; spf=fail\r\n"
	    "Content-Type: multipart/mixed; boundary=x\r\n\r\n"
	    "--x\r\nContent-Type: message/rfc822\r\n\r\n"
	    "Content-Type: text/xml\r\n\r\n<feedback>" HEAD RECORD RECORD
	    "</feedback>\r\n"
	    "--x\r\n\r\n<feedback>" HEAD RECORD "<oops>\r\n"
	    "--x\r\n\r\n<n:feedback xmlns:n='u'>" HEAD RECORD "</n:feedback>\r\n"
	    "--x\r\n\r\n<feedback>" HEAD RECORD RECORD "</feedback>\r\n"
	    "--x--\r\n";
	const struct report_in *in;

	(void)state;
	for (size_t n = 1; n < 90; n += 8) {
		in = read_cut(str_of(text), n);
		assert_int_equal(in->kind, REPORT_IN_DMARC);
		assert_int_equal(told.n_records, 1);
	}
	str_is(in->from, "Reporter <a@b.example>");
	str_is(in->message_id, "m@b.example");
	str_is(str_trim(in->results), "us; spf=pass");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(stalwart_aggregate, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(stalwart_feedback, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(stalwart_tls, setup, teardown),
		cmocka_unit_test_setup_teardown(parsedmarc_samples, setup,
		    teardown),
		cmocka_unit_test_setup_teardown(broken, setup, teardown),
		cmocka_unit_test_setup_teardown(no_report, setup, teardown),
		cmocka_unit_test_setup_teardown(several, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
