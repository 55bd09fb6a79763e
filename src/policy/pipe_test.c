#include "policy/pipe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

static const struct str values[PIPE_VARS] = {
	[PIPE_domain] = STR_INIT("example.org"),
	[PIPE_extension] = STR_INIT("a b;rm"),
	[PIPE_home] = STR_INIT(""),
	[PIPE_original_recipient] = STR_INIT("x@y"),
	[PIPE_recipient] = STR_INIT("bob@example.org"),
	[PIPE_sender] = STR_INIT("-oQ@evil.example"),
	[PIPE_user] = STR_INIT("bob"),
};

/* The words in angles, or "! why". */
static const char *
words_of(const char *text, struct arena *a)
{
	const char *argv[PIPE_WORDS + 1];
	struct pipe p;
	const char *why = pipe_parse(&p, str_of(text), a);
	struct str out = STR("");

	if (why == NULL)
		why = pipe_words(&p, values, a, argv);
	if (why != NULL)
		return arena_printf(a, "! %s", why).p;
	for (size_t i = 0; argv[i] != NULL; i++)
		out = arena_printf(a, STR_FMT"<%s>", STR_ARG(out), argv[i]);
	return out.p;
}

#define NOT_ABSOLUTE \
	"! it must begin with the absolute path of a program"

static void
test_words(void **state)
{
	static const struct { const char *text, *words; } cases[] = {
		{ "/bin/cat", "</bin/cat>" },
		{ "  /bin/cat \t -n  ", "</bin/cat><-n>" },
		{ "/a 'b c' \"d e\" f\\ g", "</a><b c><d e><f g>" },
		{ "/a '' \"\"", "</a><><>" },
		{ "/a b'c'\"d\"e", "</a><bcde>" },
		{ "/a \"\\\"\\\\\\$\\x\" '\\'", "</a><\"\\$\\x><\\>" },
		{ "/a ${recipient}", "</a><bob@example.org>" },
		{ "/a ${extension}", "</a><a b;rm>" },
		{ "/a \"x ${user} y\" z${domain}z", "</a><x bob y>"
			"<zexample.orgz>" },
		{ "/a ${home}", "</a><>" },
		{ "/a '${user}' \\${user}", "</a><${user}><${user}>" },
		{ "/a -f${sender}", "</a><-f-oQ@evil.example>" },
		{ "/a ${sender}", "! ${sender} begins with '-', which a "
			"command would take for an option" },
		{ "/a \"${sender}\"", "! ${sender} begins with '-', which a "
			"command would take for an option" },
		{ "/a ''${sender}", "! ${sender} begins with '-', which a "
			"command would take for an option" },
		{ "/a ${home}${sender}", "! ${home} begins with '-', which a "
			"command would take for an option" },
		{ "'/a b/c' d", "</a b/c><d>" },
		{ "", "! it is empty" }, { "  ", "! it is empty" },
		{ "cat", NOT_ABSOLUTE }, { "'' /bin/cat", NOT_ABSOLUTE },
		{ "${home}/bin/x", NOT_ABSOLUTE },
		{ "/bin/${user}", "! the program's path is fixed; a variable "
			"cannot be in it" },
		{ "/a 'b", "! a ' has no second" },
		{ "/a \"b", "! a \" has no second" },
		{ "/a b\\", "! nothing follows the \\" },
		{ "/a $user", "! a variable is written ${name}; for the sign "
			"itself, write \\$" },
		{ "/a ${user", "! a variable is written ${name}; for the sign "
			"itself, write \\$" },
		{ "/a ${usr}", "! there is no variable ${usr}; did you mean "
			"${user}?" },
		{ "/a ${frobnicate}", "! there is no variable ${frobnicate}" },
		{ "/a > b", "! no shell reads it, and '>' means nothing: quote "
			"it, or put it into a script" },
		{ "/a \x01", "! it holds a control character" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct arena a;

		arena_init(&a, 256 * 1024);
		assert_string_equal(words_of(cases[i].text, &a),
		    cases[i].words);
		arena_clear(&a);
	}
}

/* `n' words behind the program. */
static const char *
words_many(size_t n, struct arena *a)
{
	char room[PIPE_MOST + 1];
	struct buf b = BUF_OF(room);

	buf_put(&b, STR("/a"));
	while (n-- > 0)
		buf_put(&b, STR(" b"));
	buf_putc(&b, '\0');
	return words_of(room, a);
}

static void
test_limits(void **state)
{
	char longest[PIPE_MOST + 2] = "/";
	struct arena a;

	(void)state;
	arena_init(&a, 1024 * 1024);
	assert_int_equal(words_many(PIPE_WORDS - 2, &a)[0], '<');
	assert_int_equal(words_many(PIPE_WORDS - 1, &a)[0], '<');
	assert_string_equal(words_many(PIPE_WORDS, &a),
	    "! it has too many words");
	memset(longest + 1, 'x', PIPE_MOST - 2);
	assert_int_equal(words_of(longest, &a)[0], '<');
	longest[PIPE_MOST - 1] = 'x';
	assert_int_equal(words_of(longest, &a)[0], '<');
	longest[PIPE_MOST] = 'x';
	assert_string_equal(words_of(longest, &a),
	    "! it is longer than 1000 octets");
	arena_clear(&a);
}

static void
test_without_memory(void **state)
{
	struct arena a;

	(void)state;
	for (size_t most = 0; most < 16 * 1024; most += 512) {
		struct pipe p;
		const char *argv[PIPE_WORDS + 1], *why;

		arena_init(&a, most);
		why = pipe_parse(&p, STR("/bin/cat 'x' ${user}"), &a);
		if (why == NULL)
			why = pipe_words(&p, values, &a, argv);
		assert_true(why == NULL ||
		    strcmp(why, "there is no memory for it") == 0);
		arena_clear(&a);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_without_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
