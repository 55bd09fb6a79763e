#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "wire/dmarc_report_read.h"

static struct arena arena;
static size_t n_records;
static int room;			/* records that the listener takes */
static struct dmarc_report_record last;

static int
record_count(void *arg, const struct dmarc_report_record *r)
{
	(void)arg;
	last = *r;
	return n_records++ == (size_t)room ? -1 : 0;
}

static struct dmarc_report_read *
begin(void)
{
	struct dmarc_report_listener l = { record_count, NULL };
	struct dmarc_report_read *r;

	arena_clear(&arena);
	n_records = 0;
	r = dmarc_report_read_begin(&arena, &l);
	assert_non_null(r);
	return r;
}

static int
setup(void **state)
{
	(void)state;
	room = INT32_MAX;
	arena_init(&arena, DMARC_READ_MEMORY);
	return 0;
}

static int
teardown(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

static void
say(struct dmarc_report_read *r, const char *text)
{
	(void)dmarc_report_read(r, str_of(text));
}

static void
is_refused(struct dmarc_report_read *r, const char *why)
{
	assert_null(dmarc_report_read_end(r));
	if (strstr(dmarc_report_read_why(r), why) == NULL)
		fail_msg("%s", dmarc_report_read_why(r));
}

#define HEAD "<feedback><report_metadata><org_name>o</org_name>" \
	"<report_id>1</report_id><date_range><begin>1.5</begin><end>2</end>" \
	"</date_range></report_metadata><policy_published>" \
	"<domain>example.com</domain></policy_published>"
#define RECORD "<record><row><source_ip>192.0.2.1</source_ip>" \
	"<count>3</count></row></record>"

/* Words of drafts, any case, HELO's result behind MAIL FROM's and before. */
static void
words(void **state)
{
	static const char *const spfs[] = { "<spf><scope>helo</scope>"
	    "<result>none</result></spf><spf><domain>a</domain>"
	    "<result>hardfail</result></spf>", "<spf><domain>a</domain>"
	    "<result>HardFail</result></spf><spf><scope>helo</scope></spf>" };
	char text[1000];

	(void)state;
	for (int i = 0; i < 2; i++) {
		struct dmarc_report_read *r = begin();

		snprintf(text, sizeof text, HEAD "<record><row><source_ip>::1"
		    "</source_ip><count> 7\n</count><policy_evaluated>"
		    "<disposition>Reject</disposition><reason><type>forwarded"
		    "</type><comment>a &lt; b</comment></reason>"
		    "</policy_evaluated></row><auth_results>%s</auth_results>"
		    "<unknown><row><count>x</count></row></unknown></record>"
		    "</feedback> behind it", spfs[i]);
		say(r, text);
		assert_int_equal(n_records, 1);
		assert_int_equal(last.count, 7);
		assert_int_equal(last.disposition, REPORT_reject);
		assert_int_equal(last.n_reasons, 1);
		assert_int_equal(last.reasons[0].type, REPORT_forwarded);
		assert_int_equal(last.spf->result, REPORT_fail);
		assert_non_null(dmarc_report_read_end(r));
		assert_true(dmarc_report_read_is_one(r));
	}
}

/* Octet by octet, in a <schema> that does not end: expat puts off what it is not
 * given enough of. */
static void
unclosed(void **state)
{
	struct str text = STR("<xs:schema>" HEAD RECORD "</feedback>");
	struct dmarc_report_read *r = begin();

	(void)state;
	for (size_t i = 0; i < text.n; i++)
		assert_int_equal(dmarc_report_read(r, str_sub(text, i, 1)), 0);
	assert_non_null(dmarc_report_read_end(r));
	assert_int_equal(n_records, 1);
}

static void
records_most(void **state)
{
	struct dmarc_report_read *r;

	(void)state;
	for (int over = 0; over < 2; over++) {
		r = begin();
		say(r, HEAD);
		for (int i = 0; i < DMARC_READ_RECORDS + over; i++)
			say(r, RECORD);
		say(r, "</feedback>");
		if (over == 0)
			assert_non_null(dmarc_report_read_end(r));
		else
			is_refused(r, "20,000");
	}
	room = 1;
	r = begin();
	say(r, HEAD RECORD RECORD "</feedback>");
	is_refused(r, "no room");
}

static void
depth_most(void **state)
{
	(void)state;
	for (int over = 0; over < 2; over++) {
		struct dmarc_report_read *r = begin();

		say(r, HEAD);
		for (int i = 0; i < DMARC_READ_DEPTH - 1 + over; i++)
			say(r, "<x>");
		for (int i = 0; i < DMARC_READ_DEPTH - 1 + over; i++)
			say(r, "</x>");
		say(r, "</feedback>");
		if (over == 0)
			assert_non_null(dmarc_report_read_end(r));
		else
			is_refused(r, "too deep");
	}
}

static void
elements_most(void **state)
{
	struct dmarc_report_read *r = begin();

	(void)state;
	say(r, HEAD);
	for (int i = 0; i < DMARC_READ_ELEMENTS / 10; i++)
		say(r, "<x/><x/><x/><x/><x/><x/><x/><x/><x/><x/>");
	is_refused(r, "a million");
}

static void
text_most(void **state)
{
	(void)state;
	for (int over = 0; over < 2; over++) {
		struct dmarc_report_read *r = begin();

		say(r, "<feedback><report_metadata><error>");
		for (int i = 0; i < DMARC_READ_TEXT + over; i++)
			say(r, "x");
		say(r, "</error></report_metadata>");
		is_refused(r, over == 0 ? "no XML" : "too long");
	}
}

/* An attribute, a comment without end; the head said over and over. */
static void
tokens_most(void **state)
{
	static const char *const begins[] = { "<feedback a='", "<feedback><!--" };
	char spaces[1001];
	struct dmarc_report_read *r;

	(void)state;
	memset(spaces, ' ', 1000);
	spaces[1000] = '\0';
	for (int i = 0; i < 2; i++) {
		r = begin();
		say(r, begins[i]);
		for (int k = 0; k < 100; k++)
			say(r, spaces);
		is_refused(r, "too long");
	}
	r = begin();
	say(r, "<feedback><report_metadata>");
	for (int k = 0; k < DMARC_READ_MEMORY / 16; k++)
		say(r, "<org_name>a name of 16 octets</org_name>");
	is_refused(r, "too much");
}

static void
entities(void **state)
{
	static const char *const rows[] = {
		"<!DOCTYPE x [<!ENTITY a 'aaaaaaaaaa'><!ENTITY b '&a;&a;&a;'>]>"
		"<feedback>&b;</feedback>",
		"<!DOCTYPE x SYSTEM 'file:///etc/passwd'><feedback/>",
		"<?xml version='1.0'?><!DOCTYPE x [<!ENTITY a SYSTEM "
		"'http://example.com/'>]><feedback>&a;</feedback>",
	};
	struct dmarc_report_read *r;

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		r = begin();
		say(r, rows[i]);
		is_refused(r, "document type");
	}
	r = begin();
	say(r, "<feedback>&a;</feedback>");
	is_refused(r, "undefined entity");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(words, setup, teardown),
		cmocka_unit_test_setup_teardown(unclosed, setup, teardown),
		cmocka_unit_test_setup_teardown(records_most, setup, teardown),
		cmocka_unit_test_setup_teardown(depth_most, setup, teardown),
		cmocka_unit_test_setup_teardown(elements_most, setup, teardown),
		cmocka_unit_test_setup_teardown(text_most, setup, teardown),
		cmocka_unit_test_setup_teardown(tokens_most, setup, teardown),
		cmocka_unit_test_setup_teardown(entities, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
