#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>

#include "wire/aliases.h"

static const char *const kinds[] = { "address", "include", "command", "file",
	"bad" };

/* A file told as text: "line name: kind[text]... ;" */
static void
tells(struct str file, const char *want)
{
	static char room[4096];
	struct buf b = BUF_OF(room);
	struct alias_target t;
	struct aliases walk;
	struct alias a;

	aliases_begin(&walk, file);
	while (aliases_next(&walk, &a)) {
		buf_printf(&b, "%u "STR_FMT, a.line, STR_ARG(a.name));
		if (a.why != NULL)
			buf_printf(&b, " %s", a.why);
		while (a.why == NULL && alias_target(&a.targets, &t)) {
			buf_printf(&b, " %s%s%s[", kinds[t.kind],
			    t.quoted ? "\"" : "", t.is_final ? "!" : "");
			buf_put(&b, t.text);
			buf_putc(&b, ']');
		}
		buf_putc(&b, ';');
	}
	if (!str_eq(buf_str(&b), str_of(want)))
		print_error(STR_FMT "\n", STR_ARG(buf_str(&b)));
	assert_true(str_eq(buf_str(&b), str_of(want)));
}

static void
files_come_apart(void **state)
{
	(void)state;
	tells(STR(""), "");
	tells(STR("\n\n# nothing\n \t\n"), "");
	tells(STR("root: bob"), "1 root address[bob];");
	tells(STR("root:bob,carol@example.org\n"),
	    "1 root address[bob] address[carol@example.org];");
	tells(STR("a: b\r\nc : d\r\n"), "1 a address[b];2 c address[d];");
	tells(STR("# x\n\na: b,\n\tc,\n\n# no: one\n d\ne: f\n"),
	    "3 a address[b] address[c] address[d];8 e address[f];");
	tells(STR("a:\n b\n c\n"), "1 a address[b] address[c];");
	tells(STR("a: b,,c,\n"), "1 a address[b] address[c];");
	tells(STR("a:\n"), "1 a;");
	tells(STR("\"a:b\": c\n"), "1 \"a:b\" address[c];");
	tells(STR("a: x#y, #z\n"), "1 a address[x#y] address[#z];");
}

/* What an included file holds, in the order it stands there. */
static void
lists_come_apart(void **state)
{
	static const struct { const char *file, *first; size_t n; } cases[] = {
		{ "", NULL, 0 }, { "\n", NULL, 0 }, { "# none\n", NULL, 0 },
		{ "# none", NULL, 0 }, { "a", "a", 1 },
		{ "\n # x\n\r\n a , b\n#c\nd,,\n\n", "a", 3 },
		{ "a # b\n", "a # b", 1 }, { ":include:/x\n", "/x", 1 },
	};
	struct alias_target t;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct str rest = alias_list(str_of(cases[i].file));
		size_t n = 0;

		for (; alias_target(&rest, &t); n++)
			assert_true(n > 0 || str_eq(t.text,
			    str_of(cases[i].first)));
		assert_int_equal(n, cases[i].n);
	}
}

static void
kinds_are_recognised(void **state)
{
	(void)state;
	tells(STR("a: |/bin/x\n"), "1 a command[/bin/x];");
	tells(STR("a: \"|/bin/x -a, b\", c\n"),
	    "1 a command\"[/bin/x -a, b] address[c];");
	tells(STR("a: |\"/bin/x -a, b\"\n"), "1 a command\"[/bin/x -a, b];");
	tells(STR("a: |/bin/x y z\n"), "1 a command[/bin/x y z];");
	tells(STR("a: /var/mail/x, \"/var/mail/y z\"\n"),
	    "1 a file[/var/mail/x] file\"[/var/mail/y z];");
	tells(STR("a: :include:/etc/l\n"), "1 a include[/etc/l];");
	tells(STR("a: :INCLUDE: /etc/l, \":include:/a b\"\n"),
	    "1 a include[/etc/l] include\"[/a b];");
	tells(STR("a: \"b c\"@d, \"b c\"\n"),
	    "1 a address[\"b c\"@d] address\"[b c];");
	tells(STR("root: \\root, \\bob@x\n"),
	    "1 root address![root] address![bob@x];");
}

static void
wrong_ones_are_told(void **state)
{
	(void)state;
	tells(STR("a b\nc: d\n"), "1 a b has no colon;2 c address[d];");
	tells(STR(" a: b\nc: d\n"), "1 a: b continues nothing;2 c address[d];");
	tells(STR(": b\nc: d\n"), "1  has no name;2 c address[d];");
	tells(STR("a: b c\n"), "1 a bad[b c];");
	tells(STR("a: \"b, c\nd: e\n"), "1 a bad[\"b] address[c];"
	    "2 d address[e];");
	tells(STR("a: |, :include:, \"\", \\\n"),
	    "1 a bad[] bad[] bad\"[] bad![];");
	tells(STR("a: b\x7f\n"), "1 a bad[b\x7f];");
	tells(STR("\"a: b\n"), "1 \"a address[b];");
}

static void
quotes_come_off(void **state)
{
	static const char *const rows[][2] = { { "\"a b\"", "a b" },
		{ "a\\\"b", "a\"b" }, { "\"a\\\\\"", "a\\" }, { "a", "a" },
		{ "\"", "\"" }, { "a\\", "a\\" } };
	char out[16];

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buf b = BUF_OF(out);

		alias_unquote(str_of(rows[i][0]), &b);
		assert_true(str_eq(buf_str(&b), str_of(rows[i][1])));
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(files_come_apart),
		cmocka_unit_test(lists_come_apart),
		cmocka_unit_test(kinds_are_recognised),
		cmocka_unit_test(wrong_ones_are_told),
		cmocka_unit_test(quotes_come_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
