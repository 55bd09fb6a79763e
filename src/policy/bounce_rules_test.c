#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "policy/bounce_rules.h"

enum { MEMORY = 16 * 1024 * 1024, FILE_MOST = 1024 * 1024 };

static struct arena arena;
static char said[8192];			/* what is wrong with a file */

static const struct bounce_rules *
rules(const char *text)
{
	struct source_file file = { .name = STR("r.yaml"),
		.bytes = str_of(text) };
	const struct bounce_rules *got;
	struct buf b = BUF_OF(said);
	struct problems problems;
	struct arena scratch;

	problems_init(&problems);
	arena_init(&scratch, MEMORY);
	got = bounce_rules_read(&arena, &scratch, &problems, &file);
	problems_print(&problems, &b);
	assert_true((got == NULL) == (problems.n > 0));
	arena_clear(&scratch);
	problems_clear(&problems);
	buf_putc(&b, '\0');
	return got;
}

static struct bounce_judged
judged(const struct bounce_rules *own, const char *host, const char *text)
{
	struct bounce_reply r = { .host = str_of(host), .phase = BOUNCE_RCPT,
		.text = str_of(text) };

	bounce_reply_codes(r.text, &r.code, &r.esc);
	return bounce_judge(own, &r);
}

static void
is(const struct bounce_rules *own, const char *host, const char *text,
    const char *class)
{
	struct bounce_judged j = judged(own, host, text);

	if (strcmp(j.reason->name, class) != 0)
		fail_msg("'%s' is %s by line %u, not %s", text, j.reason->name,
		    j.rule == NULL ? 0 : j.rule->line, class);
}

/* ---- the table that is built in ---- */

static void
replies_have_classes(void **state)
{
	static const struct { const char *host, *text, *class; } rows[] = {
		{ "", "550 5.1.1 <a@b.example>: Recipient address rejected: "
		    "User unknown in local recipient table", "no_mailbox" },
		{ "", "550 5.7.1 no such user", "no_mailbox" },
		{ "", "554 Sorry, no mailbox here by that name. (#5.1.1)",
		    "no_mailbox" },
		{ "", "550 5.1.1 Mailbox full", "full" },
		{ "", "452 4.2.2 Mailbox over quota", "full" },
		{ "", "552 5.3.4 Message size exceeds fixed maximum message "
		    "size", "too_large" },
		{ "", "554 5.7.1 Service unavailable; Client host [192.0.2.1] "
		    "blocked using zen.spamhaus.org", "blocked" },
		{ "", "550 5.7.1 Message rejected as spam by Content Filtering",
		    "spam" },
		{ "", "550 5.7.26 Unauthenticated email is not accepted due to "
		    "domain's DMARC policy", "unproven" },
		{ "", "550 5.7.23 SPF validation failed", "unproven" },
		{ "", "450 4.7.1 Client host rejected: cannot find your reverse "
		    "hostname", "no_ptr" },
		{ "", "451 4.7.1 Greylisting in action, please come back later",
		    "greylisted" },
		{ "", "421 4.7.0 Too many connections from your IP", "too_fast" },
		{ "", "452 4.5.3 Too many recipients", "too_fast" },
		{ "", "554 5.7.1 <a@b.example>: Relay access denied",
		    "no_relay" },
		{ "", "550 5.2.1 This account has been suspended", "suspended" },
		{ "", "550 virus found: Eicar-Test-Signature", "virus" },
		{ "", "553 5.1.8 Domain of sender address a@b.example does not "
		    "exist", "bad_sender" },
		{ "", "530 5.7.0 Must issue a STARTTLS command first",
		    "security" },
		{ "", "452 4.3.1 Insufficient system storage", "disk_full" },
		{ "", "554 5.4.6 Too many hops", "loop" },
		{ "", "550 5.1.6 recipient no longer on server", "moved" },
		{ "", "556 5.1.10 Domain does not accept mail (nullMX)",
		    "no_mail" },
		{ "", "501 5.5.4 Syntax error in parameters", "protocol" },
		{ "", "451 4.3.0 Temporary internal error", "system" },
		{ "", "550 5.1.1", "no_mailbox" },
		{ "", "550", "bad_address" },
		{ "", "", "unknown" },
		{ "gmail-smtp-in.l.google.com", "421-4.7.28 Gmail has detected an "
		    "unusual rate of mail\n421 4.7.28 from your IP", "too_fast" },
		{ "alt1.gmail-smtp-in.l.google.com.", "550 5.2.1 The email "
		    "account that you tried to reach is disabled", "suspended" },
		{ "x.mail.protection.outlook.com", "550 5.4.1 Recipient address "
		    "rejected: Access denied", "no_mailbox" },
		{ "x.mail.protection.outlook.com", "550 5.7.606 Access denied, "
		    "banned sending IP [192.0.2.1]", "blocked" },
		{ "x.mail.protection.outlook.com", "451 4.7.650 The mail server "
		    "[192.0.2.1] has been temporarily rate limited due to IP "
		    "reputation", "reputation" },
		{ "mta5.am0.yahoodns.net", "421 4.7.0 [TSS04] Messages from "
		    "192.0.2.1 temporarily deferred", "reputation" },
		{ "mx1.mail.icloud.com", "550 5.1.1 <a@icloud.com>: inactive "
		    "email address", "no_mailbox" },
		{ "mx3.qq.com", "550 Connection frequency limited", "too_fast" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
		is(NULL, rows[i].host, rows[i].text, rows[i].class);
}

static void
table_is_whole(void **state)
{
	const struct bounce_rules *b = bounce_rules_builtin();

	(void)state;
	assert_non_null(b);
	assert_ptr_equal(b, bounce_rules_builtin());
	assert_true(b->n > 150 && b->n_providers > 20);
	for (size_t i = 0; i < b->n_providers; i++) {
		assert_true(b->providers[i].n_hosts > 0);
		assert_true(b->providers[i].source.n > 0);
		assert_true(b->providers[i].known.n > 0);
	}
}

/* ---- rules of one's own ---- */

static void
own_rules_come_first(void **state)
{
	const struct bounce_rules *r = rules(
	    "rules:\n"
	    "  - { class: policy, text: [ user unknown ] }\n"
	    "  - { class: spam, text: later rule, code: [ 45x, 550 ] }\n"
	    "  - { class: content, text: later rule, enhanced: [ 5.9.*, "
	    "\"*.8.1\" ] }\n"
	    "  - { class: loop, text: [ one, four ], unless: but two }\n"
	    "  - { class: moved, expression: 'x[0-9]{3}y' }\n"
	    "  - { class: virus, phase: [ data, mail ], code: 599 }\n"
	    "providers:\n"
	    "  ours:\n"
	    "    hosts: [ '*.ours.example', mx.other.example ]\n"
	    "    source: nobody\n"
	    "    rules:\n"
	    "      - { class: full, text: user unknown, guess: yes }\n");

	(void)state;
	/* "one" is too short. */
	assert_null(r);
	r = rules(
	    "rules:\n"
	    "  - { class: policy, text: [ user unknown ] }\n"
	    "  - { class: spam, text: later rule, code: [ 45x, 550 ] }\n"
	    "  - { class: content, text: later rule, enhanced: [ 5.9.*, "
	    "\"*.8.1\" ] }\n"
	    "  - { class: loop, text: [ three, four ], unless: but two }\n"
	    "  - { class: moved, expression: 'x[0-9]{3}y' }\n"
	    "  - { class: virus, phase: [ data, mail ], code: 599 }\n"
	    "providers:\n"
	    "  ours:\n"
	    "    hosts: [ '*.ours.example', mx.other.example ]\n"
	    "    source: nobody\n"
	    "    rules:\n"
	    "      - { class: full, text: user unknown, guess: yes }\n");
	if (r == NULL)
		fail_msg("%s", said);
	is(r, "", "550 User\tunknown", "policy");
	is(r, "a.b.ours.example", "550 user unknown", "full");
	is(r, "OURS.example", "550 user unknown", "full");
	is(r, "ours", "550 user unknown", "full");
	is(r, "mx.other.example", "550 user unknown", "full");
	is(r, "xours.example", "550 user unknown", "policy");
	assert_true(judged(r, "ours", "550 user unknown").rule->is_guess);
	is(r, "", "459 later rule", "spam");
	is(r, "", "550 later rule", "spam");
	is(r, "", "460 4.8.1 later rule", "content");
	is(r, "", "554 5.9.77 later rule", "content");
	is(r, "", "460 later rule", "unknown");
	is(r, "", "559 four", "loop");
	is(r, "", "559 four but two", "unknown");
	is(r, "", "559 zX123Y", "moved");
	is(r, "", "559 zX12Y", "unknown");
	is(r, "", "552 Mailbox full", "full");	/* built in */
	is(r, "", "599 nothing", "unknown");	/* said to RCPT */
}

static void
what_queues_keep_is_judged(void **state)
{
	const struct reason *r = bounce_judge_said(NULL, STR("host "
	    "mx1.mail.icloud.com[192.0.2.1] said: 450 4.2.2 User is over "
	    "quota"));

	(void)state;
	assert_true(r != NULL && r->class == REASON_full);
	r = bounce_judge_said(NULL, STR("host a.test[192.0.2.1] said: 451 "));
	assert_true(r != NULL && r->class == REASON_unknown);
	assert_null(bounce_judge_said(NULL, STR("connection timed out")));
	assert_null(bounce_judge_said(NULL, STR("")));
	assert_null(bounce_judge_said(NULL, STR("host a.test said: 451")));
}

static void
wrong_files_are_told(void **state)
{
	static const struct { const char *text, *says; } rows[] = {
		{ "rules: 3\n", "r.yaml:1:8: error: 'rules' is a list" },
		{ "rules:\n  - { class: spammy, text: abcd }\n",
		    "r.yaml:2:14: error: there is no class 'spammy'" },
		{ "rules:\n  - { text: abcd }\n",
		    "r.yaml:2:5: error: a rule has a 'class'" },
		{ "rules:\n  - { class: spam }\n",
		    "r.yaml:2:5: error: this rule would fit everything" },
		{ "rules:\n  - { class: spam, text: abc }\n",
		    "r.yaml:2:26: error: 'abc': a phrase has 4 to 120" },
		{ "rules:\n  - { class: spam, txt: abcd }\n",
		    "r.yaml:2:20: error: unknown key 'txt'; did you mean 'text'?" },
		{ "rules:\n  - { class: spam, code: 650 }\n",
		    "r.yaml:2:26: error: '650' is no code" },
		{ "rules:\n  - { class: spam, enhanced: 5.1 }\n",
		    "r.yaml:2:30: error: '5.1' is no enhanced code" },
		{ "rules:\n  - { class: spam, phase: later }\n",
		    "r.yaml:2:27: error: 'later' is none of connect" },
		{ "rules:\n  - { class: spam, expression: '(x' }\n",
		    "r.yaml:2:33: error: this expression is wrong at its "
		    "character 3: missing closing parenthesis" },
		{ "rules:\n  - { class: spam, text: abcd, guess: maybe }\n",
		    "r.yaml:2:39: error: 'maybe' is not yes or no" },
		{ "rules:\n  - { class: spam, text: { a: b } }\n",
		    "error: 'text' is a text, or a list of texts" },
		{ "rules:\n  - spam\n", "r.yaml:2:5: error: a rule is a map" },
		{ "providers:\n  a: b\n", "r.yaml:2:6: error: 'a' is a map" },
		{ "providers:\n  a: { host: b }\n",
		    "unknown key 'host'; did you mean 'hosts'?" },
		{ "rule:\n", "unknown key 'rule'; did you mean 'rules'?" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_null(rules(rows[i].text));
		if (strstr(said, rows[i].says) == NULL)
			fail_msg("row %zu: %s", i, said);
	}
	assert_non_null(rules(""));
	is(rules(""), "", "550 5.1.1", "no_mailbox");
}

static void
files_have_limits(void **state)
{
	static char text[64 * 1024];
	struct buf b = BUF_OF(text);

	(void)state;
	buf_put(&b, STR("rules:\n"));
	for (int i = 0; i < BOUNCE_BARE_MOST; i++)
		buf_put(&b, STR("  - { class: spam, expression: x }\n"));
	buf_putc(&b, '\0');
	assert_non_null(rules(text));
	b.n--;
	buf_put(&b, STR("  - { class: spam, expression: x, text: abcd }\n"));
	buf_putc(&b, '\0');
	assert_non_null(rules(text));
	b.n--;
	buf_put(&b, STR("  - { class: spam, expression: x }\n"));
	buf_putc(&b, '\0');
	assert_null(rules(text));
	assert_non_null(strstr(said, "more than 50 expressions"));
	b.n = 0;
	buf_put(&b, STR("rules:\n"));
	for (int i = 0; i < BOUNCE_RULES_MOST; i++)
		buf_put(&b, STR("  - { class: spam, code: 599 }\n"));
	buf_putc(&b, '\0');
	assert_non_null(rules(text));
	b.n--;
	buf_put(&b, STR("  - { class: spam, code: 599 }\n"));
	buf_putc(&b, '\0');
	assert_null(rules(text));
	assert_non_null(strstr(said, "more than 1000 rules"));
}

/* What never ends by itself is ended, and fits nothing. */
static void
expressions_have_limits(void **state)
{
	const struct bounce_rules *r = rules("rules:\n"
	    "  - { class: spam, expression: '(((a+)+)+)+$' }\n"
	    "  - { class: virus, expression: '^ a+b' }\n");
	char text[600];

	(void)state;
	assert_non_null(r);
	memset(text, 'a', sizeof text);
	text[sizeof text - 1] = '\0';
	is(r, "", text, "unknown");
	text[20] = 'b';
	is(r, "", text, "virus");
}

/* ---- bounces that others have read (BSD-2-Clause, see there) ---- */

#define SISIMAI "test/vectors/bounces-sisimai-even/"

/* Which of our classes say the same as a reason of Sisimai's. */
static const struct { const char *reason, *classes; } same[] = {
	{ "authfailure", "unproven" }, { "badreputation", "reputation" },
	{ "blocked", "blocked" }, { "contenterror", "content" },
	{ "exceedlimit", "too_large" }, { "expired", "expired no_answer" },
	{ "filtered", "filtered" }, { "hasmoved", "moved" },
	{ "hostunknown", "no_domain no_route" }, { "mailboxfull", "full" },
	{ "mailererror", "program" }, { "mesgtoobig", "too_large" },
	{ "networkerror", "network no_answer loop" },
	{ "norelaying", "no_relay" }, { "notaccept", "no_mail" },
	{ "notcompliantrfc", "malformed" }, { "policyviolation", "policy" },
	{ "rejected", "bad_sender" }, { "requireptr", "no_ptr" },
	{ "securityerror", "security auth" }, { "spamdetected", "spam" },
	{ "suspend", "suspended closed" }, { "syntaxerror", "protocol" },
	{ "systemerror", "system" }, { "toomanyconn", "too_fast" },
	{ "undefined", "unknown" },
	{ "userunknown", "no_mailbox bad_address closed" },
	{ "virusdetected", "virus" },
};

static bool
class_is_same(struct str reason, const char *class)
{
	for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
		struct str list = str_of(same[i].classes);

		while (str_eq(reason, str_of(same[i].reason)) && list.n > 0)
			if (str_eq(str_cut(&list, ' '), str_of(class)))
				return true;
	}
	return false;
}

static struct str
file_read(const char *name, char *room, size_t most)
{
	char path[300];
	FILE *f;
	size_t n;

	(void)snprintf(path, sizeof path, SISIMAI "%s", name);
	f = fopen(path, "re");
	if (f == NULL)
		fail_msg("%s", path);
	n = fread(room, 1, most, f);
	(void)fclose(f);
	assert_true(n < most);
	return (struct str){ room, n };
}

static const struct bounce *
message_read(struct arena *a, const char *name)
{
	static char room[FILE_MOST];
	struct bounce_reader *r = bounce_read_begin(a);

	assert_non_null(r);
	bounce_read(r, file_read(name, room, sizeof room));
	return bounce_read_end(r);
}

struct tally { size_t rows, kinds, reasons; };

static bool
kind_is_same(struct str reason, enum bounce_kind k)
{
	return (k == BOUNCE_COMPLAINT && str_eq(reason, STR("feedback"))) ||
	    (k == BOUNCE_AUTO_REPLY && str_eq(reason, STR("vacation"))) ||
	    (k == BOUNCE_SUCCESS && str_eq(reason, STR("delivered")));
}

/* "file index status code reason hard" */
static void
line_judge(struct str line, struct tally *t)
{
	struct str name = str_cut(&line, '\t'), reason;
	struct str index = str_cut(&line, '\t');
	const struct bounce_told *told;
	const struct bounce *b;
	struct arena a;
	char path[200] = "eml/";

	(void)str_cut(&line, '\t');
	(void)str_cut(&line, '\t');
	reason = str_cut(&line, '\t');
	assert_true(str_cstr(name, path + 4, sizeof path - 4));
	arena_init(&a, BOUNCE_READ_MEMORY);
	b = message_read(&a, path);
	told = b->n > 0 ? b->told : NULL;
	for (char i = '1'; i < index.p[0] && told != NULL; i++)
		told = told->next;
	t->rows++;
	if (kind_is_same(reason, b->kind)) {
		t->kinds++;
		t->reasons++;
	} else if (told != NULL) {
		struct bounce_judged j = bounce_judge_told(NULL, b, told);

		t->reasons += class_is_same(reason, j.reason->name);
		t->kinds += reason_is_hard(j.reason, told->esc) ==
		    str_eq(str_trim(line), STR("1"));
	}
	arena_clear(&a);
}

static void
bounces_of_others_are_judged(void **state)
{
	static char room[64 * 1024];
	struct str lines = file_read("expected.tsv", room, sizeof room);
	struct tally t = { 0 };

	(void)state;
	(void)str_cut(&lines, '\n');
	while (lines.n > 0)
		line_judge(str_cut(&lines, '\n'), &t);
	print_message("sisimai: hard or soft %zu, reasons %zu of %zu\n",
	    t.kinds, t.reasons, t.rows);
	assert_true(t.rows > 270 && t.kinds * 100 >= t.rows * 97);
	assert_true(t.reasons * 100 >= t.rows * 85);
}

/* rb-issue-368-bug.eml, which stands beside these, is a bounce: it says so, and
 * names a full mailbox. */
static void
others_are_no_bounces(void **state)
{
	static const char *const names[] = {
		"not-a-bounce/is-not-bounce-01.eml",
		"not-a-bounce/is-not-bounce-02.eml",
	};

	(void)state;
	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		struct arena a;

		arena_init(&a, BOUNCE_READ_MEMORY);
		assert_int_equal(message_read(&a, names[i])->kind, BOUNCE_NONE);
		arena_clear(&a);
	}
}

static int
begin(void **state)
{
	(void)state;
	arena_init(&arena, 2 * (size_t)MEMORY);
	return 0;
}

static int
end(void **state)
{
	(void)state;
	arena_clear(&arena);
	return 0;
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replies_have_classes),
		cmocka_unit_test(table_is_whole),
		cmocka_unit_test(own_rules_come_first),
		cmocka_unit_test(what_queues_keep_is_judged),
		cmocka_unit_test(wrong_files_are_told),
		cmocka_unit_test(files_have_limits),
		cmocka_unit_test(expressions_have_limits),
		cmocka_unit_test(bounces_of_others_are_judged),
		cmocka_unit_test(others_are_no_bounces),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
