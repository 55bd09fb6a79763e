/* Signatures of others, as data: test/vectors/dkim-*. */
#include "fiber/test_core.h"

#include "fiber/world_sim.h"
#include "trust/dkim_verify.h"
#include "trust/test_digest.h"

#include <jansson.h>
#include <stdio.h>

enum { TEXT_MOST = 256 * 1024 };

static char file_room[TEXT_MOST], message_room[TEXT_MOST], zone_room[TEXT_MOST];

static struct str
file_read(const char *dir, const char *name)
{
	char path[200];
	FILE *f;
	size_t n;

	snprintf(path, sizeof path, "test/vectors/%s/%s", dir, name);
	f = fopen(path, "r");
	if (f == NULL)
		fail_msg("%s is not there", path);
	n = fread(file_room, 1, sizeof file_room, f);
	fclose(f);
	assert_true(n < sizeof file_room);
	return (struct str){ file_room, n };
}

/* ---- verifying ---- */

static struct {
	struct arena arena;
	struct str message;
	const struct dkim_outcome *got;
	size_t n;
	unsigned budget;
} run;

static yields void
run_fiber(void *arg)
{
	struct digest *d;
	struct dkim_verify *v;
	struct str body;
	struct dns_quest quest = { .deadline = in_ms(20000),
		.budget = &run.budget,
		.now = { INT64_C(1760000000) * US_PER_SECOND } };

	(void)arg;
	run.budget = QUEST_QUESTIONS;
	assert_non_null(d = digest_new(&run.arena));
	body = test_fields(d, &run.arena, run.message);
	assert_non_null(v = dkim_verify_begin(d, &run.arena));
	digest_body(d, body);
	assert_true(digest_end(d));
	run.got = dkim_verify_end(v, &quest, &run.n);
}

static void
verify(struct str message, struct str zone)
{
	struct buf b = BUF_OF(message_room);

	arena_clear(&run.arena);
	arena_init(&run.arena, 4 << 20);
	test_crlf(message, &b);
	assert_false(b.full);
	run.message = buf_str(&b);
	sim_begin(1);
	assert_int_equal(sim_zone(zone), 0);
	on_core(run_fiber);
}

static void
assert_result(const char *where, size_t i, enum dkim_result wanted)
{
	if (i >= run.n)
		fail_msg("%s: there are %zu signatures", where, run.n);
	if (run.got[i].result != wanted)
		fail_msg("%s, %zu: %s (" STR_FMT ")", where, i,
		    dkim_result_name(run.got[i].result),
		    STR_ARG(run.got[i].why));
	assert_int_equal(run.got[i].why.n > 0, wanted != DKIM_PASS);
}

/* ---- chasquid ---- */

/* "name: text", continued by backslashes; TEMPERROR and PERMERROR are what the
 * asking comes to. */
static void
chasquid_record(struct str line, struct buf *zone)
{
	char room[2048];
	struct buf text = BUF_OF(room);
	struct str name = str_trim(str_cut(&line, ':'));

	for (size_t i = 0; i < line.n; i++)
		if (line.p[i] != '\\' && line.p[i] != '\n')
			buf_putc(&text, line.p[i]);
	line = str_trim(buf_str(&text));
	if (str_eq(line, STR("TEMPERROR")))
		buf_printf(zone, STR_FMT ". SERVFAIL\n", STR_ARG(name));
	else if (str_eq(line, STR("PERMERROR")))
		buf_printf(zone, STR_FMT ". NXDOMAIN\n", STR_ARG(name));
	else
		test_zone_txt(zone, name, line);
}

static struct str
chasquid_zone(struct str text)
{
	struct buf zone = BUF_OF(zone_room);

	while (text.n > 0) {
		size_t n = str_find_str(text, STR("\n\n"));

		if (str_trim(str_sub(text, 0, n)).n > 0)
			chasquid_record(str_trim(str_sub(text, 0, n)), &zone);
		text = str_sub(text, n + 2, text.n);
	}
	assert_false(zone.full);
	return buf_str(&zone);
}

/* A file may have no more in it than the name of another. */
static struct str
chasquid_file(const char *name, const char *ending)
{
	static const char dir[] = "dkim-chasquid";
	char path[100], other[100];
	struct str got;

	snprintf(path, sizeof path, "%s.%s", name, ending);
	got = file_read(dir, path);
	if (got.n < sizeof other && str_cstr(str_trim(got), other,
	    sizeof other) && strchr(other, '\n') == NULL &&
	    str_has_suffix_icase(str_of(other), str_of(ending)))
		got = file_read(dir, other);
	return got;
}

static enum dkim_result
chasquid_state(const json_t *one)
{
	const char *state = json_string_value(json_object_get(one, "State"));

	if (strcmp(state, "SUCCESS") == 0)
		return DKIM_PASS;
	return strcmp(state, "TEMPFAIL") == 0 ? DKIM_TEMPERROR :
	    DKIM_PERMERROR;
}

/* All of PERMFAIL is one there. */
static void
chasquid_compare(const char *name, size_t i, const json_t *one)
{
	enum dkim_result wanted = chasquid_state(one);
	const char *domain = json_string_value(json_object_get(one, "Domain"));

	/* RFC 6376 8.2: "Assessors might wish to ignore signatures that use
	 * the tag" l=; those that leave something uncovered we do. */
	if (strcmp(name, "09-limited_body") == 0 && i == 0) {
		assert_true(run.got[0].is_partial);
		wanted = DKIM_POLICY;
	}
	if (wanted == DKIM_PERMERROR && run.got[i].result == DKIM_FAIL)
		wanted = DKIM_FAIL;
	assert_result(name, i, wanted);
	if (domain[0] != '\0')
		assert_true(str_eq(run.got[i].domain, str_of(domain)));
}

static void
chasquid_case(const char *name)
{
	struct str zone = chasquid_zone(chasquid_file(name, "dns"));
	struct str text;
	json_t *doc, *all;

	verify(chasquid_file(name, "msg"), zone);
	text = chasquid_file(name, "result");
	doc = json_loadb(text.p, text.n, 0, NULL);
	all = json_object_get(doc, "Results");
	/* 02: RFC 6376 6.1 "MAY limit the number": theirs is 5, ours 10, and
	 * its message has 7. */
	assert_int_equal(run.n, strncmp(name, "02", 2) == 0 ? 7 :
	    json_array_size(all));
	for (size_t i = 0; i < json_array_size(all); i++)
		chasquid_compare(name, i, json_array_get(all, i));
	json_decref(doc);
}

static void
test_chasquid(void **state)
{
	static const char *const names[] = { "01-rfc8463",
		"02-too_many_headers", "05-dns_temp_error",
		"06-dns_perm_error", "07-algo_mismatch", "08-our_signature",
		"09-limited_body", "10-strict_domain_check_pass",
		"11-strict_domain_check_fail" };

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		chasquid_case(names[i]);
	/* 03 is no message: a header that ends before its first field, which
	 * has no signature. */
	verify(chasquid_file("03-bad_message", "msg"), STR("a. TXT b\n"));
	assert_int_equal(run.n, 0);
	verify(chasquid_file("04-bad_dkim_signature_header", "msg"),
	    STR("a. TXT b\n"));
	assert_int_equal(run.n, 1);
	assert_result("04", 0, DKIM_PERMERROR);
}

/* ---- mailauth ---- */

static struct str
mailauth_zone(void)
{
	struct buf zone = BUF_OF(zone_room);
	struct str text = file_read("dkim-mailauth", "dns.json");
	json_t *doc = json_loadb(text.p, text.n, 0, NULL), *types, *part;
	const char *name;
	size_t i;

	json_object_foreach(doc, name, types) {
		char room[2048];
		struct buf b = BUF_OF(room);

		json_array_foreach(json_array_get(json_object_get(types, "TXT"),
		    0), i, part)
			buf_put(&b, str_of(json_string_value(part)));
		test_zone_txt(&zone, str_of(name), buf_str(&b));
	}
	json_decref(doc);
	assert_false(zone.full);
	return buf_str(&zone);
}

static void
test_mailauth(void **state)
{
	struct str zone = mailauth_zone();

	(void)state;
	verify(file_read("dkim-mailauth", "signed.eml"), zone);
	assert_int_equal(run.n, 2);
	assert_result("ed25519", 0, DKIM_PASS);
	assert_result("rsa", 1, DKIM_PASS);
	assert_int_equal(run.got[0].key_bits, 256);
	assert_int_equal(run.got[1].key_bits, 1024);
}

/* ---- MimeKit ---- */

static struct str
pem_zone(const char *file, const char *name)
{
	struct buf zone = BUF_OF(zone_room);
	struct str text = file_read("dkim-mimekit", file);
	char room[2048];
	struct buf record = BUF_OF(room);

	buf_put(&record, STR("v=DKIM1; k=rsa; p="));
	while (text.n > 0) {
		struct str line = str_trim(str_cut(&text, '\n'));

		if (line.n > 0 && line.p[0] != '-')
			buf_put(&record, line);
	}
	test_zone_txt(&zone, str_of(name), buf_str(&record));
	return buf_str(&zone);
}

static void
test_mimekit(void **state)
{
	static const char *const names[] = { "gmail.msg", "related.msg",
		"multipart-no-end-boundary.msg" };
	struct str zone;

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		zone = pem_zone("gmail.pub",
		    "20120113._domainkey.gmail.com");
		verify(file_read("dkim-mimekit", names[i]), zone);
		assert_int_equal(run.n, 1);
		assert_result(names[i], 0, DKIM_PASS);
		assert_int_equal(run.got[0].key_bits, 2048);
	}
	zone = mailauth_zone();
	verify(file_read("dkim-mimekit", "rfc8463-example.msg"), zone);
	assert_int_equal(run.n, 2);
	assert_result("rfc8463-example", 0, DKIM_PASS);
	assert_result("rfc8463-example", 1, DKIM_PASS);
	zone = pem_zone("example.pub", "20120113._domainkey.gmail.com");
	verify(file_read("dkim-mimekit", "gmail.msg"), zone);
	assert_result("with another key", 0, DKIM_FAIL);
}

/* ---- the RFCs ---- */

/* The line without the three spaces before it.  RFC 6376 A.2 is simple/simple,
 * and its typesetter made one space of six five, and two of one behind a full
 * stop: as it is printed its signature cannot hold. */
static void
figure_line(struct str line, bool is_reset, struct buf *b)
{
	size_t stop = str_find_str(line, STR(".  "));

	(void)str_skip(&line, STR("   "));
	if (is_reset && str_sub(line, 0, 1).n > 0 && line.p[0] == ' ')
		buf_putc(b, ' ');
	if (is_reset && stop < line.n) {
		stop = str_find_str(line, STR(".  ")) + 1;
		buf_put(b, str_sub(line, 0, stop));
		line = str_sub(line, stop + 1, line.n);
	}
	buf_put(b, line);
	buf_putc(b, '\n');
}

/* The figure, up to its end. */
static struct str
figure(const char *file, const char *from, const char *to, bool is_reset)
{
	static char room[TEXT_MOST];
	struct buf b = BUF_OF(room);
	struct str text = file_read("dkim-rfc", file);
	size_t at = str_find_str(text, str_of(from));

	text = str_sub(text, at + strlen(from), text.n);
	at = str_find_str(text, STR("   DKIM-Signature:"));
	text = str_sub(text, at, text.n);
	text.n = str_find_str(text, str_of(to));
	while (text.n > 0)
		figure_line(str_cut(&text, '\n'), is_reset, &b);
	assert_false(b.full);
	return str_trim(buf_str(&b));
}

static void
test_rfc8463(void **state)
{
	struct str zone = mailauth_zone();

	(void)state;
	verify(figure("rfc8463-appendix-A.txt", "A.3.  Signed Message",
	    "Author's Address", false), zone);
	assert_int_equal(run.n, 2);
	assert_result("A.3, ed25519", 0, DKIM_PASS);
	assert_result("A.3, rsa", 1, DKIM_PASS);
}

static void
test_rfc6376(void **state)
{
	struct buf zone = BUF_OF(zone_room);

	(void)state;
	test_zone_txt(&zone, STR("brisbane._domainkey.example.com"),
	    STR("v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQ"
	    "KBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYt"
	    "IxN2SnFCjxOCKG9v3b4jYfcTNh5ijSsq631uBItLa7od+v"
	    "/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhi"
	    "tdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"));
	verify(figure("rfc6376-appendix-A.txt", "A.2.", "Figure 2", true),
	    buf_str(&zone));
	assert_int_equal(run.n, 1);
	assert_result("A.2", 0, DKIM_PASS);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_chasquid),
		cmocka_unit_test(test_mailauth),
		cmocka_unit_test(test_mimekit),
		cmocka_unit_test(test_rfc8463),
		cmocka_unit_test(test_rfc6376),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
