#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "wire/command.h"

#define FINE (-1)
#define ALL (~UINT32_C(0))
#define X10 "abcdefghij"
#define X100 X10 X10 X10 X10 X10 X10 X10 X10 X10 X10

static int
name_of(const struct refusal *no)
{
	return no == NULL ? FINE : (int)no->name;
}

static void
lines_become_commands(void **state)
{
	static const struct {
		struct str line;
		int no;
		enum verb verb;
		const char *arg;
		unsigned flags;
	} rows[] = {
		{ STR_INIT("EHLO a.example"), FINE, VERB_EHLO, "a.example", 0 },
		{ STR_INIT("eHLo  a.example  "), FINE, VERB_EHLO, "a.example",
		    0 },
		{ STR_INIT("DATA"), FINE, VERB_DATA, "", 0 },
		{ STR_INIT("DATA "), FINE, VERB_DATA, "", 0 },
		{ STR_INIT("STARTTLS"), FINE, VERB_STARTTLS, "", 0 },
		{ STR_INIT("XCLIENT ADDR=1"), FINE, VERB_XCLIENT, "ADDR=1", 0 },
		{ STR_INIT(""), REFUSAL_NO_COMMAND, VERB_UNKNOWN, "", 0 },
		{ STR_INIT(" NOOP"), REFUSAL_NO_COMMAND, VERB_UNKNOWN, NULL,
		    0 },
		{ STR_INIT("NOOPS"), REFUSAL_UNKNOWN_VERB, VERB_UNKNOWN, "",
		    0 },
		{ STR_INIT("NOO"), REFUSAL_UNKNOWN_VERB, VERB_UNKNOWN, "", 0 },
		{ STR_INIT("MAILFROM:<a@b>"), REFUSAL_UNKNOWN_VERB,
		    VERB_UNKNOWN, "", 0 },
		{ STR_INIT("NOOP\0x"), REFUSAL_CONTROL, VERB_UNKNOWN, NULL, 0 },
		{ STR_INIT("NOOP\tx"), REFUSAL_CONTROL, VERB_UNKNOWN, NULL, 0 },
		{ STR_INIT("NOOP\x7f"), REFUSAL_CONTROL, VERB_UNKNOWN, NULL,
		    0 },
		{ STR_INIT("NOOP\r"), REFUSAL_BARE_ENDING, VERB_UNKNOWN, NULL,
		    0 },
		{ STR_INIT("NOOP\rQUIT"), REFUSAL_BARE_ENDING, VERB_UNKNOWN,
		    NULL, 0 },
		{ STR_INIT("NOOP\nQUIT"), REFUSAL_BARE_ENDING, VERB_UNKNOWN,
		    NULL, 0 },
		{ STR_INIT("NOOP \xc3\xbc"), REFUSAL_EIGHT_BIT, VERB_UNKNOWN,
		    NULL, 0 },
		{ STR_INIT("NOOP \xc3\xbc"), FINE, VERB_NOOP, "\xc3\xbc",
		    MAILBOX_UTF8 },
		{ STR_INIT("NOOP \xc3"), REFUSAL_BAD_UTF8, VERB_UNKNOWN, NULL,
		    MAILBOX_UTF8 },
		{ STR_INIT("GET / HTTP/1.1"), REFUSAL_FOREIGN, VERB_GET,
		    "/ HTTP/1.1", 0 },
		{ STR_INIT("post /"), REFUSAL_FOREIGN, VERB_POST, "/", 0 },
		{ STR_INIT("PRI * HTTP/2.0"), REFUSAL_FOREIGN, VERB_PRI,
		    "* HTTP/2.0", 0 },
		{ STR_INIT("\x16\x03\x01\x02"), REFUSAL_FOREIGN, VERB_UNKNOWN,
		    NULL, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct command c;
		const struct refusal *no = command_parse(rows[i].line,
		    rows[i].flags, &c);

		assert_int_equal(name_of(no), rows[i].no);
		assert_int_equal(c.verb, rows[i].verb);
		if (rows[i].arg != NULL)
			assert_true(str_eq(c.arg, str_of(rows[i].arg)));
	}
}

static void
verbs_know_themselves(void **state)
{
	(void)state;
	for (enum verb v = 0; v < VERBS; v++) {
		struct command c;

		command_parse(str_of(verb_name(v)), 0, &c);
		assert_int_equal(c.verb, v);
		if (v > 0)
			assert_true(strcmp(verb_name(v - 1), verb_name(v)) < 0);
		if (c.kind == VERB_CORE)
			assert_true(str_has_prefix_icase(str_of(verb_help(v)),
			    str_of(verb_name(v))));
	}
	assert_string_equal(verb_name(VERB_UNKNOWN), "?");
	assert_string_equal(verb_help(VERB_UNKNOWN), "");
}

static void
foreigners_are_seen(void **state)
{
	(void)state;
	assert_true(command_is_foreign(STR("\x16\x03\x01")));
	assert_true(command_is_foreign(STR("GET / HTTP/1.1\r\nHost: a")));
	assert_true(command_is_foreign(STR("CONNECT a:25")));
	assert_false(command_is_foreign(STR("EHLO a")));
	assert_false(command_is_foreign(STR("\x16")));
	assert_false(command_is_foreign(STR("GETS a")));
	assert_false(command_is_foreign(STR("")));
}

static void
mail_is_read(void **state)
{
	static const struct {
		const char *arg;
		int no;
		uint32_t given, offered;
	} rows[] = {
		{ "FROM:<a@b.example>", FINE, 0, 0 },
		{ "from:<a@b.example>", FINE, 0, 0 },
		{ "FROM: <a@b.example>", FINE, 0, 0 },
		{ "FROM:a@b.example", FINE, 0, 0 },
		{ "FROM:<>", FINE, 0, 0 },
		{ "FROM:<> SIZE=5", FINE, PARAM_BIT(SIZE), ALL },
		{ "FROM:<>  SIZE=5   BODY=7bit", FINE,
		    PARAM_BIT(SIZE) | PARAM_BIT(BODY), ALL },
		{ "FROM:<a@b> size=0", FINE, PARAM_BIT(SIZE), ALL },
		{ "FROM:<a@b> RET=HDRS ENVID=x+2B AUTH=<>", FINE,
		    PARAM_BIT(RET) | PARAM_BIT(ENVID) | PARAM_BIT(AUTH), ALL },
		{ "FROM:<a@b> SMTPUTF8 REQUIRETLS MT-PRIORITY=3", FINE,
		    PARAM_BIT(SMTPUTF8) | PARAM_BIT(REQUIRETLS) |
		    PARAM_BIT(MT_PRIORITY), ALL },
		{ "FROM:<\xc3\xbc@b> SMTPUTF8", FINE, PARAM_BIT(SMTPUTF8),
		    ALL },
		{ "FROM:<\xc3\xbc@b>", REFUSAL_EIGHT_BIT, 0, ALL },
		{ "FROM:<\xc3\xbc@b>", REFUSAL_BAD_SENDER, 0, 0 },
		{ "", REFUSAL_BAD_MAIL, 0, ALL },
		{ "FROM", REFUSAL_BAD_MAIL, 0, ALL },
		{ "FROM <a@b>", REFUSAL_BAD_MAIL, 0, ALL },
		{ "TO:<a@b>", REFUSAL_BAD_MAIL, 0, ALL },
		{ "FROM:", REFUSAL_BAD_SENDER, 0, ALL },
		{ "FROM:<postmaster>", REFUSAL_BAD_SENDER, 0, ALL },
		{ "FROM:<a@b>SIZE=1", REFUSAL_BAD_SENDER, 0, ALL },
		{ "FROM:<a@b>, <c@d>", REFUSAL_BAD_SENDER, 0, ALL },
		{ "FROM:<a@b> SIZE=1", REFUSAL_UNKNOWN_PARAM, 0, 0 },
		{ "FROM:<a@b> WHAT=1", REFUSAL_UNKNOWN_PARAM, 0, ALL },
		{ "FROM:<a@b> <c@d>", REFUSAL_BAD_ARGUMENT, 0, ALL },
		{ "FROM:<a@b> -A=1", REFUSAL_BAD_ARGUMENT, 0, ALL },
		{ "FROM:<a@b> =1", REFUSAL_BAD_ARGUMENT, 0, ALL },
		{ "FROM:<a@b> NOTIFY=NEVER", REFUSAL_BAD_FOR_MAIL, 0, ALL },
		{ "FROM:<a@b> SIZE=1 size=1", REFUSAL_TWICE, 0, ALL },
		{ "FROM:<a@b> SIZE", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> SIZE=", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> SIZE=1=2", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> SIZE=-1", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> SIZE=1k", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> SIZE=000000000000000000001",
		    REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> BODY=9BIT", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> BODY", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> RET=ALL", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> SMTPUTF8=1", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> SMTPUTF8=", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> ENVID=" X100, FINE, PARAM_BIT(ENVID), ALL },
		{ "FROM:<a@b> ENVID=" X100 "k", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> ENVID=+0D+0A", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> ENVID=", REFUSAL_BAD_PARAMETER, 0, ALL },
		/* RFC 4954 5: "<>" or a mailbox */
		{ "FROM:<a@b> AUTH=e+3Dmc2@example.com", FINE, PARAM_BIT(AUTH),
		    ALL },
		{ "FROM:<a@b> AUTH=nobody", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> AUTH=<a@b>", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> AUTH=", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> AUTH", REFUSAL_BAD_PARAMETER, 0, ALL },
		/* CVE-2020-28021: a line feed in AUTH= */
		{ "FROM:<a@b> AUTH=a+0Aroot", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> AUTH=a+0aroot", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> AUTH=a+00", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> HOLDFOR=86400", FINE, PARAM_BIT(HOLDFOR), ALL },
		{ "FROM:<a@b> HOLDFOR=x", REFUSAL_BAD_PARAMETER, 0, ALL },
		{ "FROM:<a@b> BY=120;R", FINE, PARAM_BIT(BY), ALL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct mail_params m;
		const struct refusal *no = mail_parse(str_of(rows[i].arg),
		    rows[i].offered, &m);

		if (name_of(no) != rows[i].no)
			print_error("%s\n", rows[i].arg);
		assert_int_equal(name_of(no), rows[i].no);
		if (no == NULL)
			assert_int_equal(m.given, rows[i].given);
	}
}

static void
mail_values_arrive(void **state)
{
	struct mail_params m;

	(void)state;
	assert_null(mail_parse(STR("FROM:<> SIZE=18446744073709551615 "
	    "BODY=binarymime RET=full SMTPUTF8 ENVID=a+2Bb"), ALL, &m));
	assert_true(m.from.is_null);
	assert_true(m.size == UINT64_MAX);
	assert_int_equal(m.body, BODY_BINARYMIME);
	assert_int_equal(m.ret, RET_FULL);
	assert_true(m.smtputf8);
	assert_true(str_eq(m.raw[PARAM_ENVID], STR("a+2Bb")));
	assert_null(m.raw[PARAM_AUTH].p);
	/* Twenty digits that 64 bits do not hold are as much as they do. */
	assert_null(mail_parse(STR("FROM:<> SIZE=99999999999999999999"), ALL,
	    &m));
	assert_true(m.size == UINT64_MAX);
	assert_null(mail_parse(STR("FROM:<a@b> BODY=8bitmime"), ALL, &m));
	assert_int_equal(m.body, BODY_8BITMIME);
	assert_int_equal(m.ret, RET_NONE);
	assert_true(m.size == 0);
}

static void
rcpt_is_read(void **state)
{
	static const struct {
		const char *arg;
		int no;
		unsigned notify, flags;
	} rows[] = {
		{ "TO:<a@b.example>", FINE, 0, 0 },
		{ "to: a@b.example", FINE, 0, 0 },
		{ "TO:<Postmaster>", FINE, 0, 0 },
		{ "TO:<@x:a@b.example> NOTIFY=NEVER", FINE, NOTIFY_NEVER, 0 },
		{ "TO:<a@b> NOTIFY=success,DELAY,failure", FINE,
		    NOTIFY_SUCCESS | NOTIFY_FAILURE | NOTIFY_DELAY, 0 },
		{ "TO:<a@b> ORCPT=rfc822;Bob+2B@b", FINE, 0, 0 },
		{ "TO:<a@b> ORCPT=utf-8;\xc3\xbc@b", FINE, 0, MAILBOX_UTF8 },
		{ "TO:<\xc3\xbc@b>", FINE, 0, MAILBOX_UTF8 },
		{ "TO:<\xc3\xbc@b>", REFUSAL_BAD_RECIPIENT, 0, 0 },
		{ "TO:<>", REFUSAL_BAD_RECIPIENT, 0, 0 },
		{ "TO:", REFUSAL_BAD_RECIPIENT, 0, 0 },
		{ "TO:<a@b>x", REFUSAL_BAD_RECIPIENT, 0, 0 },
		{ "FROM:<a@b>", REFUSAL_BAD_RCPT, 0, 0 },
		{ "<a@b>", REFUSAL_BAD_RCPT, 0, 0 },
		{ "TO:<a@b> SIZE=1", REFUSAL_BAD_FOR_RCPT, 0, 0 },
		{ "TO:<a@b> NOTIFY=", REFUSAL_BAD_PARAMETER, 0, 0 },
		{ "TO:<a@b> NOTIFY", REFUSAL_BAD_PARAMETER, 0, 0 },
		{ "TO:<a@b> NOTIFY=NEVER,DELAY", REFUSAL_BAD_PARAMETER, 0, 0 },
		{ "TO:<a@b> NOTIFY=DELAY,", REFUSAL_BAD_PARAMETER, 0, 0 },
		{ "TO:<a@b> NOTIFY=,DELAY", REFUSAL_BAD_PARAMETER, 0, 0 },
		{ "TO:<a@b> NOTIFY=ALWAYS", REFUSAL_BAD_PARAMETER, 0, 0 },
		{ "TO:<a@b> ORCPT=rfc822", REFUSAL_BAD_PARAMETER, 0, 0 },
		{ "TO:<a@b> ORCPT=rfc822;", REFUSAL_BAD_PARAMETER, 0, 0 },
		{ "TO:<a@b> ORCPT=;a", REFUSAL_BAD_PARAMETER, 0, 0 },
		{ "TO:<a@b> ORCPT=r_c;a", REFUSAL_BAD_PARAMETER, 0, 0 },
		{ "TO:<a@b> ORCPT=rfc822;a+0A", REFUSAL_BAD_PARAMETER, 0, 0 },
		{ "TO:<a@b> ORCPT=rfc822;" X100 X100 X100 X100 X10 X10 X10 X10
		    X10 X10 X10 X10 X10 "abc", FINE, 0, 0 },
		{ "TO:<a@b> ORCPT=rfc822;" X100 X100 X100 X100 X10 X10 X10 X10
		    X10 X10 X10 X10 X10 "abcd", REFUSAL_BAD_PARAMETER, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct rcpt_params r;
		const struct refusal *no = rcpt_parse(str_of(rows[i].arg), ALL,
		    rows[i].flags, &r);

		if (name_of(no) != rows[i].no)
			print_error("%s\n", rows[i].arg);
		assert_int_equal(name_of(no), rows[i].no);
		if (no == NULL)
			assert_int_equal(r.notify, rows[i].notify);
	}
}

/* SECURITY.md row 13: tricks are plain characters to the grammar. */
static void
tricks_stay_in_the_local_part(void **state)
{
	static const char *const rows[][2] = {
		{ "TO:<a%b.example@c.example>", "c.example" },
		{ "TO:<b.example!a@c.example>", "c.example" },
		{ "TO:<\"a@b.example\"@c.example>", "c.example" },
		{ "TO:<@b.example:a@c.example>", "c.example" },
		{ "TO:<\"@b.example:a\"@c.example>", "c.example" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct rcpt_params r;

		assert_null(rcpt_parse(str_of(rows[i][0]), 0, 0, &r));
		assert_true(str_eq(r.to.mailbox.domain, str_of(rows[i][1])));
	}
}

static void
keywords_are_sorted(void **state)
{
	static const char *const keywords[] = {
#define PARAM(name, keyword, verb, form) keyword,
#include "wire/params.def"
#undef PARAM
	};

	(void)state;
	for (enum param p = 1; p < PARAMS; p++)
		assert_true(strcmp(keywords[p - 1], keywords[p]) < 0);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_become_commands),
		cmocka_unit_test(verbs_know_themselves),
		cmocka_unit_test(foreigners_are_seen),
		cmocka_unit_test(mail_is_read),
		cmocka_unit_test(mail_values_arrive),
		cmocka_unit_test(rcpt_is_read),
		cmocka_unit_test(tricks_stay_in_the_local_part),
		cmocka_unit_test(keywords_are_sorted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
